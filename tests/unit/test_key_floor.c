/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is barred in an account is barred in each index that gets a name after that, and what is asked for
 * of one scope concerns no other. Method: maps of a real store. */
#include "gateway/blob/key_floor.h"

#include "common/error.h"

#include "unit/store_world.h"

#define ACCOUNT "account/floors"
#define SHARDS  3u

static const struct gk_id container = {{7}};

static bool count_row(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key, (void)value;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned rows(struct gk_store *store, const char *object, struct gk_span prefix)
{
    unsigned count = 0;
    const struct gk_map_range range = {.prefix = prefix};
    assert_int_equal(
        gk_store_map_walk(store, GK_POOL_META, object, &range, count_row, &count, NULL), GK_OK);
    return count;
}

static void make_object(struct gk_store *store, const char *object)
{
    const struct gk_change change = {.kind = GK_CHANGE_CREATE};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(store, &op, NULL, NULL), GK_OK);
}

/* Whether a write under this guard goes through. */
static bool holds(struct gk_store *store, const char *object, struct gk_guard guard)
{
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .guards = &guard, .guards_count = 1};
    return gk_store_write(store, &op, NULL, NULL) == GK_OK;
}

static bool is_barred(struct gk_store *store, const char *object, const char *key, size_t key_len)
{
    return !holds(store, object,
                  (struct gk_guard){.kind = GK_GUARD_MAP_ABSENT, .key = gk_span_of(key, key_len)});
}

static enum gk_status still_there(void *ctx, struct gk_error *error)
{
    (void)ctx, (void)error;
    return GK_OK;
}

static void test_key_floor__generations_below_the_active_one(void **state)
{
    struct gk_store *store = ((struct store_world *)*state)->store;
    const struct gk_key_bar own = {.scope = "", .oldest = 2, .active = 4};
    const struct gk_key_bar scoped = {.scope = "s", .oldest = 1, .active = 300};
    make_object(store, ACCOUNT);
    assert_int_equal(gk_key_bar_account(store, ACCOUNT, &own, still_there, NULL, NULL), GK_OK);
    static const char second[] = "y//\0\0\0\2";
    static const char third[] = "y//\0\0\0\3";
    static const char fourth[] = "y//\0\0\0\4";
    assert_true(is_barred(store, ACCOUNT, second, sizeof second - 1));
    assert_true(is_barred(store, ACCOUNT, third, sizeof third - 1));
    assert_false(is_barred(store, ACCOUNT, fourth, sizeof fourth - 1));
    assert_int_equal(rows(store, ACCOUNT, gk_span_str("y/s")), 0);
    /* More than one write takes. */
    assert_int_equal(gk_key_bar_account(store, ACCOUNT, &scoped, still_there, NULL, NULL), GK_OK);
    assert_int_equal(rows(store, ACCOUNT, gk_span_str("y/s/")), 299);
    assert_int_equal(gk_key_bar_account(store, "account/none", &own, still_there, NULL, NULL),
                     GK_E_NOT_FOUND);
}

static void test_key_floor__an_index_gets_what_its_account_has(void **state)
{
    struct gk_store *store = ((struct store_world *)*state)->store;
    const struct gk_key_bar own = {.scope = "", .oldest = 1, .active = 100};
    struct gk_key_floors floors;
    struct gk_key_floors again;
    gk_key_floors_init(&floors);
    gk_key_floors_init(&again);
    make_object(store, ACCOUNT);
    assert_int_equal(gk_key_floors_read(store, ACCOUNT, &floors, NULL), GK_OK);
    assert_int_equal(floors.rows.len, 0);
    assert_true(holds(store, ACCOUNT, gk_key_floors_guard(&floors)));
    assert_int_equal(gk_key_bar_account(store, ACCOUNT, &own, still_there, NULL, NULL), GK_OK);
    assert_false(holds(store, ACCOUNT, gk_key_floors_guard(&floors)));
    assert_int_equal(gk_key_floors_read(store, ACCOUNT, &again, NULL), GK_OK);
    assert_true(holds(store, ACCOUNT, gk_key_floors_guard(&again)));
    /* The last shard is missing. */
    for (uint32_t shard = 0; shard + 1 < SHARDS; shard++) {
        char name[GK_INDEX_NAME_BYTES];
        gk_index_name(&container, shard, name);
        make_object(store, name);
    }
    assert_int_equal(gk_key_floors_apply(store, &again, &container, SHARDS, NULL), GK_OK);
    for (uint32_t shard = 0; shard + 1 < SHARDS; shard++) {
        char name[GK_INDEX_NAME_BYTES];
        gk_index_name(&container, shard, name);
        assert_int_equal(rows(store, name, gk_span_str("y/")), 100); /* and the floor */
        assert_int_equal(rows(store, name, gk_span_str("")), 100);   /* not the mark */
    }
    /* Barred again, nothing is barred that was not; but the mark is another one. */
    assert_int_equal(gk_key_bar_account(store, ACCOUNT, &own, still_there, NULL, NULL), GK_OK);
    assert_false(holds(store, ACCOUNT, gk_key_floors_guard(&again)));
    assert_int_equal(rows(store, ACCOUNT, gk_span_str("y/")), 100);
    gk_key_floors_cleanup(&floors);
    gk_key_floors_cleanup(&again);
}

static void test_key_floor__a_shard_by_itself(void **state)
{
    struct gk_store *store = ((struct store_world *)*state)->store;
    const struct gk_key_bar own = {.scope = "", .oldest = 1, .active = 3};
    char name[GK_INDEX_NAME_BYTES];
    gk_index_name(&container, 0, name);
    assert_int_equal(gk_key_bar_shard(store, &container, 0, &own, NULL), GK_OK); /* is not there */
    make_object(store, name);
    assert_int_equal(rows(store, name, gk_span_str("y")), 0);
    assert_int_equal(gk_key_bar_shard(store, &container, 0, &own, NULL), GK_OK);
    assert_int_equal(rows(store, name, gk_span_str("y")), 3);
}

/* A run that was overtaken goes on with what it knew. */
static void test_key_floor__a_floor_never_falls(void **state)
{
    struct gk_store *store = ((struct store_world *)*state)->store;
    const struct gk_key_bar later = {.scope = "", .oldest = 1, .active = 3};
    const struct gk_key_bar earlier = {.scope = "", .oldest = 1, .active = 2};
    static const char key[] = "y/";
    static const uint8_t third[] = {0, 0, 0, 3};
    const struct gk_guard is_third = {.kind = GK_GUARD_MAP_EQUAL,
                                      .key = gk_span_of(key, sizeof key - 1),
                                      .value = gk_span_of(third, sizeof third)};
    char name[GK_INDEX_NAME_BYTES];
    gk_index_name(&container, 0, name);
    make_object(store, name);
    make_object(store, ACCOUNT);
    assert_int_equal(gk_key_bar_shard(store, &container, 0, &later, NULL), GK_OK);
    assert_int_equal(gk_key_bar_shard(store, &container, 0, &earlier, NULL), GK_OK);
    assert_true(holds(store, name, is_third));
    assert_int_equal(gk_key_bar_account(store, ACCOUNT, &earlier, still_there, NULL, NULL), GK_OK);
    assert_false(holds(store, ACCOUNT, is_third));
    assert_int_equal(gk_key_bar_account(store, ACCOUNT, &later, still_there, NULL, NULL), GK_OK);
    assert_true(holds(store, ACCOUNT, is_third));
}

/* The account is deleted and made anew right after it was asked for, the n-th time. */
struct successor {
    struct gk_store *store;
    unsigned asked;
    unsigned comes_after;
};

static enum gk_status make_successor(void *ctx, struct gk_error *error)
{
    struct successor *successor = ctx;
    successor->asked++;
    if (successor->asked > successor->comes_after) {
        return gk_fail(error, GK_E_NOT_FOUND, "another one has the name");
    }
    if (successor->asked == successor->comes_after) {
        const struct gk_change changes[] = {{.kind = GK_CHANGE_REMOVE}};
        const struct gk_write_op op = {
            .pool = GK_POOL_META, .object = ACCOUNT, .changes = changes, .changes_count = 1};
        assert_int_equal(gk_store_write(successor->store, &op, NULL, NULL), GK_OK);
        make_object(successor->store, ACCOUNT);
    }
    return GK_OK;
}

static void test_key_floor__a_successor_of_that_name_gets_nothing(void **state)
{
    struct gk_store *store = ((struct store_world *)*state)->store;
    const struct gk_key_bar bar = {.scope = "", .oldest = 1, .active = 100}; /* two writes */
    for (unsigned after = 1; after <= 4; after++) { /* those, the floor, and the mark */
        struct successor successor = {.store = store, .comes_after = after};
        make_object(store, ACCOUNT);
        assert_int_equal(gk_key_bar_account(store, ACCOUNT, &bar, make_successor, &successor, NULL),
                         GK_E_NOT_FOUND);
        assert_int_equal(successor.asked, after + 1);
        assert_int_equal(rows(store, ACCOUNT, gk_span_str("")), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_world_setup, store_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_key_floor__generations_below_the_active_one),
        TEST(test_key_floor__an_index_gets_what_its_account_has),
        TEST(test_key_floor__a_shard_by_itself),
        TEST(test_key_floor__a_floor_never_falls),
        TEST(test_key_floor__a_successor_of_that_name_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
