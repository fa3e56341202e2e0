/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is held has its loan and its garbage from the first commit on, what comes to hold nothing writes nothing,
 * and what was given up is not written to any more. Method: a shard of a real store.
 */
#include "gateway/reencrypt/hold.h"

#include "gateway/blob/index.h"
#include "gateway/blob/reaper.h"
#include "unit/cmocka_all.h"
#include "unit/list_fixture.h"

#define BLOB "blob"

struct world {
    struct list_fixture *fixture;
    struct gk_request request;
    struct gk_blob_target base;
    struct gk_hold hold;
};

static unsigned notes;

void __wrap_gk_reaper_note(struct gk_reaper *reaper, const char *account,
                           const struct gk_id *container, uint32_t shard);
void __wrap_gk_reaper_note(struct gk_reaper *reaper, const char *account,
                           const struct gk_id *container, uint32_t shard)
{
    (void)reaper, (void)account, (void)container, (void)shard;
    notes++;
}

static void begin(struct world *world, struct list_fixture *fixture)
{
    const struct gk_id container = list_container_id("photos");
    *world = (struct world){
        .fixture = fixture,
        .request = {.gateway = &fixture->gateway, .account = &fixture->account, .container = ""}};
    notes = 0;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){BLOB, NULL});
    gk_blob_target_name(&world->base, &container, 0, gk_span_str(BLOB));
    assert_int_equal(gk_hold_begin(&world->hold, &world->request, &world->base, NULL), GK_OK);
}

static void end(struct world *world)
{
    gk_hold_cleanup(&world->hold);
    gk_blob_target_cleanup(&world->base);
}

static bool count_row(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key, (void)value;
    ++*(unsigned *)ctx;
    return true;
}

static unsigned rows(const struct world *world, const char *prefix)
{
    unsigned count = 0;
    const struct gk_map_range range = {.prefix = gk_span_str(prefix)};
    assert_int_equal(gk_store_map_walk(world->fixture->gateway.store, GK_POOL_META,
                                       world->base.index, &range, count_row, &count, NULL),
                     GK_OK);
    return count;
}

/* The last write, of which the blob's own record is not a part here. */
static enum gk_status settle(struct world *world, bool whole)
{
    struct gk_blob_write write;
    gk_blob_write_init(&write, &world->base);
    gk_hold_guard(&world->hold, &write);
    gk_hold_settle(&world->hold, &write, whole);
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = world->base.index,
                                   .guards = write.guards + GK_INDEX_GUARDS + 1,
                                   .guards_count = write.guards_count - GK_INDEX_GUARDS - 1,
                                   .changes = write.changes.items,
                                   .changes_count = write.changes.count};
    const enum gk_status status =
        op.changes_count == 0 ? GK_OK
                              : gk_store_write(world->fixture->gateway.store, &op, NULL, NULL);
    gk_blob_write_cleanup(&write);
    return status;
}

static void hold_something(struct world *world)
{
    const struct gk_id id = {{9}};
    gk_hold_add(&world->hold, GK_GARBAGE_SEGMENT, &id, 3);
    assert_int_equal(gk_hold_commit(&world->hold, NULL, NULL, NULL), GK_OK);
}

static void test_hold__of_nothing_is_none(void **state)
{
    struct world world;
    begin(&world, *state);
    assert_int_equal(gk_hold_keep(&world.hold, NULL), GK_OK);
    assert_int_equal(settle(&world, true), GK_OK);
    assert_int_equal(rows(&world, "l/") + rows(&world, "g/"), 0);
    assert_int_equal(notes, 0);
    end(&world);
}

static void test_hold__comes_with_the_first_commit_and_goes_with_the_last(void **state)
{
    struct world world;
    begin(&world, *state);
    for (unsigned i = 1; i <= 3; i++) {
        hold_something(&world);
        assert_int_equal(rows(&world, "l/"), 1);
        assert_int_equal(rows(&world, "g/"), i);
    }
    assert_int_equal(gk_hold_keep(&world.hold, NULL), GK_OK); /* is not due for long */
    assert_int_equal(rows(&world, "g/"), 3);
    assert_int_equal(notes, 1);
    assert_int_equal(settle(&world, true), GK_OK);
    assert_int_equal(rows(&world, "l/") + rows(&world, "g/"), 0);
    end(&world);
}

static void test_hold__leaves_what_is_not_whole_to_its_time(void **state)
{
    struct world world;
    begin(&world, *state);
    hold_something(&world);
    assert_int_equal(settle(&world, false), GK_OK);
    assert_int_equal(rows(&world, "l/"), 0);
    assert_int_equal(rows(&world, "g/"), 1);
    end(&world);
}

static void test_hold__that_was_given_up_is_lost(void **state)
{
    struct world world;
    begin(&world, *state);
    hold_something(&world);
    const struct gk_change closing = {.kind = GK_CHANGE_MAP_REMOVE,
                                      .key = gk_buf_span(&world.hold.row_key)};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = world.base.index, .changes = &closing, .changes_count = 1};
    assert_int_equal(gk_store_write(world.fixture->gateway.store, &op, NULL, NULL), GK_OK);
    const struct gk_id id = {{10}};
    gk_hold_add(&world.hold, GK_GARBAGE_SEGMENT, &id, 3);
    assert_int_equal(gk_hold_commit(&world.hold, NULL, NULL, NULL), GK_E_CONFLICT);
    assert_int_equal(settle(&world, true), GK_E_CONFLICT);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hold__of_nothing_is_none, list_fixture_setup,
                                        list_fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_hold__comes_with_the_first_commit_and_goes_with_the_last, list_fixture_setup,
            list_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hold__leaves_what_is_not_whole_to_its_time,
                                        list_fixture_setup, list_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hold__that_was_given_up_is_lost, list_fixture_setup,
                                        list_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
