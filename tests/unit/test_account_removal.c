/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what the mark of a deleted account lists goes when the account is gone, and never while it may be there: a
 * deletion that broke off costs an account nothing, whatever becomes of its record later.
 * Method: the real module over the embedded store; deletions that break off at their last write, and the reaper's look at
 * the marks by a clock that the test moves.
 */
#include "gateway/blob/removal.h"

#include <string.h>

#include "gateway/account_attrs.h"
#include "gateway/blob/changes.h"
#include "gateway/blob/index.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/record.h"
#include "gateway/blob/value.h"
#include "gateway/registry.h"
#include "unit/account_world.h"

#define NAME    "acme"
#define OBJECT  "account/" NAME
#define RECORD  "gatekey.account"
#define HOUR_MS INT64_C(3600000)

/* Containers whose records are more than a deletion keeps in memory, 64 MiB. */
#define CONTAINERS     8400u
#define METADATA_BYTES 8100u
#define AT_ONCE        1200u

void __wrap_gk_reaper_note_deleted(struct gk_reaper *reaper);
void __wrap_gk_reaper_note_deleted(struct gk_reaper *reaper)
{
    (void)reaper;
}

/* --- an account with a container --------------------------------------------------------------- */

struct marked {
    struct gk_id id; /* the account's */
    char mark[GK_INDEX_NAME_BYTES];
    char index[GK_INDEX_NAME_BYTES]; /* of its container */
};

/* Of so many bytes of metadata. */
static void add_container(struct account_world *world, const struct gk_gateway_account *account,
                          const char *name, const struct gk_id *id, size_t metadata,
                          struct gk_change_list *changes)
{
    static uint8_t text[METADATA_BYTES];
    struct gk_container container = {.id = *id, .shards = 1};
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_buf_init(&value, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_metadata_init(&container.metadata);
    gk_metadata_add(&container.metadata, gk_span_str("m"), gk_span_of(text, metadata));
    gk_container_key(&key, name);
    gk_container_encode(&container, &open);
    const struct gk_place place = {.plugin = world->host->plugin,
                                   .account = account->handle,
                                   .kind = GK_VALUE_CONTAINER,
                                   .container = account->id,
                                   .key = gk_buf_span(&key)};
    assert_int_equal(
        gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, NULL), GK_OK);
    gk_changes_set(changes, &key, &value);
    gk_buf_cleanup(&open);
    gk_container_cleanup(&container);
}

static void write_changes(struct account_world *world, struct gk_change_list *changes)
{
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = OBJECT,
                                   .changes = changes->items,
                                   .changes_count = changes->count};
    assert_int_equal(gk_changes_status(changes), GK_OK);
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
    gk_changes_cleanup(changes);
    gk_changes_init(changes);
}

static struct marked make(struct account_world *world)
{
    const struct gk_id container = {.bytes = {9}};
    struct marked marked;
    struct gk_change_list changes;
    assert_true(account_world_create(world, NAME));
    struct gk_gateway_account *account = account_world_get(world, NAME);
    gk_changes_init(&changes);
    add_container(world, account, "photos", &container, 0, &changes);
    write_changes(world, &changes);
    gk_changes_cleanup(&changes);
    assert_int_equal(gk_index_create(world->store, &container, 1, NULL), GK_OK);
    marked.id = account->id;
    gk_deleted_name(&account->id, marked.mark);
    gk_index_name(&container, 0, marked.index);
    gk_accounts_put(account);
    return marked;
}

/* --- deletions --------------------------------------------------------------------------------- */

static enum gk_status refuse(void *ctx, const struct gk_gateway_account *account,
                             struct gk_error *error)
{
    (void)ctx, (void)account, (void)error;
    return GK_E_UNAVAILABLE;
}

static bool keep_account(struct account_world *world, const struct gk_write_op *op)
{
    (void)world;
    return strcmp(op->object, OBJECT) != 0 || op->changes[0].kind != GK_CHANGE_REMOVE;
}

static enum gk_status delete_account(struct account_world *world, gk_removal_before_fn *before)
{
    struct gk_gateway gateway = account_world_gateway(world);
    return gk_removal_account(&gateway, NAME, before, NULL, NULL);
}

static struct marked make_half_deleted(struct account_world *world)
{
    const struct marked marked = make(world);
    world->on_write = keep_account;
    assert_int_equal(delete_account(world, NULL), GK_E_UNAVAILABLE);
    world->on_write = NULL;
    assert_true(account_world_has(world, marked.mark));
    return marked;
}

static void reap_with(struct account_world *world, size_t bytes_max)
{
    struct gk_gateway gateway = account_world_gateway(world);
    assert_int_equal(gk_removal_deleted(&gateway, bytes_max, NULL, NULL, NULL), GK_OK);
}

static void reap(struct account_world *world)
{
    reap_with(world, GK_REMOVAL_BYTES);
}

static bool is_registered(struct account_world *world, const struct marked *marked)
{
    bool has = false;
    assert_int_equal(gk_registry_has(world->store, GK_REGISTRY_DELETED,
                                     gk_span_of(marked->id.bytes, sizeof marked->id.bytes), &has,
                                     NULL),
                     GK_OK);
    return has;
}

static void assert_kept(struct account_world *world, const struct marked *marked)
{
    assert_true(account_world_has(world, marked->mark));
    assert_true(is_registered(world, marked));
    assert_true(account_world_has(world, marked->index));
}

static void assert_removed(struct account_world *world, const struct marked *marked)
{
    assert_false(account_world_has(world, marked->mark));
    assert_false(is_registered(world, marked));
    assert_false(account_world_has(world, marked->index));
}

/* --- tests ------------------------------------------------------------------------------------- */

static void test_account_removal__what_a_deleted_account_had_goes(void **state)
{
    struct account_world *world = *state;
    const struct marked marked = make(world);
    assert_int_equal(delete_account(world, NULL), GK_OK);
    assert_kept(world, &marked);
    reap(world);
    assert_removed(world, &marked);
}

static void test_account_removal__what_is_refused_leaves_no_mark(void **state)
{
    struct account_world *world = *state;
    const struct marked marked = make(world);
    assert_int_equal(delete_account(world, refuse), GK_E_UNAVAILABLE);
    assert_false(account_world_has(world, marked.mark));
    assert_false(is_registered(world, &marked));
}

static void test_account_removal__one_that_lost_its_record_keeps_its_data(void **state)
{
    struct account_world *world = *state;
    static const char *const attrs[] = {RECORD, "gateway.account"};
    const struct marked marked = make_half_deleted(world);
    for (size_t i = 0; i < 2; i++) {
        account_world_change(
            world, OBJECT,
            (struct gk_change){.kind = GK_CHANGE_ATTR_REMOVE, .key = gk_span_str(attrs[i])});
        account_world_restart(world);
        atomic_fetch_add(&world->ahead_ms, 2 * HOUR_MS);
        reap(world);
        assert_kept(world, &marked);
    }
}

static void test_account_removal__a_damaged_record_keeps_its_data(void **state)
{
    struct account_world *world = *state;
    const struct marked marked = make_half_deleted(world);
    account_world_change(world, OBJECT,
                         (struct gk_change){.kind = GK_CHANGE_ATTR_SET,
                                            .key = gk_span_str(RECORD),
                                            .value = gk_span_str("x")});
    account_world_restart(world);
    atomic_fetch_add(&world->ahead_ms, 2 * HOUR_MS);
    reap(world);
    assert_kept(world, &marked);
}

static void test_account_removal__a_mark_without_a_name_is_left(void **state)
{
    struct account_world *world = *state;
    const struct marked marked = make_half_deleted(world);
    account_world_change(world, marked.mark,
                         (struct gk_change){.kind = GK_CHANGE_ATTR_REMOVE,
                                            .key = gk_span_str(GK_DELETED_NAME_ATTR)});
    reap(world);
    assert_kept(world, &marked);
}

/* One that is young may be of a deletion that goes on. */
static void test_account_removal__the_mark_of_a_living_account_goes_in_an_hour(void **state)
{
    struct account_world *world = *state;
    const struct marked marked = make_half_deleted(world);
    reap(world);
    assert_kept(world, &marked);
    atomic_fetch_add(&world->ahead_ms, HOUR_MS);
    reap(world);
    assert_false(account_world_has(world, marked.mark));
    assert_false(is_registered(world, &marked));
    assert_true(account_world_has(world, marked.index));
    assert_int_equal(delete_account(world, NULL), GK_OK);
    reap(world);
    assert_removed(world, &marked);
}

static void test_account_removal__another_of_that_name_keeps_nothing(void **state)
{
    struct account_world *world = *state;
    const struct marked marked = make(world);
    assert_int_equal(delete_account(world, NULL), GK_OK);
    assert_true(account_world_create(world, NAME));
    reap(world);
    assert_removed(world, &marked);
}

/* --- what does not fit into memory ------------------------------------------------------------- */

/* The mark of an account that is gone, and of so many containers; each begins with a number of its own. */
static struct marked leave_mark(struct account_world *world, uint8_t number, unsigned containers)
{
    struct marked marked = {.id.bytes = {number}};
    const uint8_t shards[] = {0, 0, 0, 1};
    const struct gk_registry_row row = {
        .kind = GK_REGISTRY_DELETED, .name = gk_span_of(marked.id.bytes, sizeof marked.id.bytes)};
    gk_deleted_name(&marked.id, marked.mark);
    account_world_change(world, marked.mark,
                         (struct gk_change){.kind = GK_CHANGE_ATTR_SET,
                                            .key = gk_span_str(GK_DELETED_NAME_ATTR),
                                            .value = gk_span_str("gone")});
    for (unsigned i = 0; i < containers; i++) {
        const struct gk_id id = {.bytes = {number, (uint8_t)i}};
        account_world_change(world, marked.mark,
                             (struct gk_change){.kind = GK_CHANGE_MAP_SET,
                                                .key = gk_span_of(id.bytes, sizeof id.bytes),
                                                .value = gk_span_of(shards, sizeof shards)});
        assert_int_equal(gk_index_create(world->store, &id, 1, NULL), GK_OK);
        gk_index_name(&id, 0, marked.index);
    }
    assert_int_equal(gk_registry_set(world->store, &row, NULL), GK_OK);
    return marked;
}

static void test_account_removal__what_does_not_fit_beside_others_comes_after_them(void **state)
{
    struct account_world *world = *state;
    const struct marked first = leave_mark(world, 1, 4);
    const struct marked beyond = leave_mark(world, 2, 9);
    const struct marked whole = leave_mark(world, 3, 10);
    const struct marked never = leave_mark(world, 4, 11);
    const struct marked last = leave_mark(world, 5, 1);
    reap_with(world, 10 * (sizeof(struct gk_id) + sizeof(uint32_t)));
    assert_removed(world, &first);
    assert_removed(world, &beyond);
    assert_removed(world, &whole);
    assert_kept(world, &never);
    assert_removed(world, &last);
}

/* --- another gateway ---------------------------------------------------------------------------- */

/* Deletes the account and makes another one of that name, just before the first gateway removes it. */
static struct {
    struct account_world world;
    struct gk_id id; /* of the one that it makes */
} other;

static bool let_other_make_it_anew(struct account_world *world, const struct gk_write_op *op)
{
    if (keep_account(world, op)) {
        return true;
    }
    world->on_write = NULL;
    assert_int_equal(delete_account(&other.world, NULL), GK_OK);
    assert_true(account_world_create(&other.world, NAME));
    struct gk_gateway_account *account = account_world_get(&other.world, NAME);
    other.id = account->id;
    gk_accounts_put(account);
    return true;
}

static void test_account_removal__ends_with_the_account_it_began_with(void **state)
{
    struct account_world *world = *state;
    char mark[GK_INDEX_NAME_BYTES];
    const struct marked marked = make(world);
    other.world = *world;
    account_world_open(&other.world);
    world->on_write = let_other_make_it_anew;
    const enum gk_status status = delete_account(world, NULL);
    assert_true(account_world_has(world, OBJECT));
    struct gk_gateway_account *account = account_world_get(&other.world, NAME);
    assert_true(gk_id_equal(&account->id, &other.id));
    gk_accounts_put(account);
    /* The plugin may hear of it later. */
    assert_true(status == GK_E_NOT_FOUND || status == GK_E_UNAVAILABLE);
    gk_deleted_name(&other.id, mark);
    assert_false(account_world_has(world, mark));
    reap(&other.world);
    assert_removed(world, &marked);
    account_world_close(&other.world);
}

static bool take_row(void *ctx, struct gk_span key, struct gk_span value)
{
    bool *seen = ctx;
    uint32_t number = 0;
    assert_int_equal(key.len, sizeof(struct gk_id));
    assert_int_equal(value.len, sizeof(uint32_t));
    memcpy(&number, key.data, sizeof number);
    assert_true(number < CONTAINERS && !seen[number]);
    seen[number] = true;
    return true;
}

static void test_account_removal__many_containers_are_all_marked(void **state)
{
    struct account_world *world = *state;
    static bool seen[CONTAINERS];
    struct gk_change_list changes;
    char mark[GK_INDEX_NAME_BYTES];
    assert_true(account_world_create(world, NAME));
    struct gk_gateway_account *account = account_world_get(world, NAME);
    gk_changes_init(&changes);
    for (uint32_t i = 0; i < CONTAINERS; i++) {
        struct gk_id id = {{0}};
        char name[16];
        memcpy(id.bytes, &i, sizeof i);
        snprintf(name, sizeof name, "c%u", i);
        add_container(world, account, name, &id, METADATA_BYTES, &changes);
        if (changes.count == AT_ONCE) {
            write_changes(world, &changes);
        }
    }
    gk_changes_cleanup(&changes);
    gk_deleted_name(&account->id, mark);
    gk_accounts_put(account);
    assert_int_equal(delete_account(world, NULL), GK_OK);

    const struct gk_map_range all = {.prefix = {0}};
    assert_int_equal(
        gk_store_map_walk(world->store, GK_POOL_META, mark, &all, take_row, seen, NULL), GK_OK);
    for (uint32_t i = 0; i < CONTAINERS; i++) {
        assert_true(seen[i]);
    }
}

#define REMOVAL_TEST(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, account_world_setup, account_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REMOVAL_TEST(test_account_removal__what_a_deleted_account_had_goes),
        REMOVAL_TEST(test_account_removal__what_is_refused_leaves_no_mark),
        REMOVAL_TEST(test_account_removal__one_that_lost_its_record_keeps_its_data),
        REMOVAL_TEST(test_account_removal__a_damaged_record_keeps_its_data),
        REMOVAL_TEST(test_account_removal__a_mark_without_a_name_is_left),
        REMOVAL_TEST(test_account_removal__the_mark_of_a_living_account_goes_in_an_hour),
        REMOVAL_TEST(test_account_removal__another_of_that_name_keeps_nothing),
        REMOVAL_TEST(test_account_removal__what_does_not_fit_beside_others_comes_after_them),
        REMOVAL_TEST(test_account_removal__ends_with_the_account_it_began_with),
        REMOVAL_TEST(test_account_removal__many_containers_are_all_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
