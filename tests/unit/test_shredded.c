/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is noted of shredded accounts is found again by the account's name, the last one of several,
 * with all its wraps, and by its id. Method: over the embedded store.
 */
#include "gateway/shredded.h"

#include <string.h>

#include "common/text.h"
#include "unit/store_world.h"

static void note(struct store_world *world, uint8_t id, const char *account, const char *began,
                 const char *wrap)
{
    struct gk_shredded shredded = {.id.bytes = {id},
                                   .about =
                                       json_pack("{s:s, s:s}", "account", account, "began", began),
                                   .wraps = json_pack("{s:{s:s}}", wrap, "of", account)};
    assert_int_equal(gk_shredded_write(world->store, &shredded, NULL), GK_OK);
    gk_shredded_cleanup(&shredded);
}

static enum gk_status find(struct store_world *world, const char *account,
                           struct gk_shredded *found)
{
    return gk_shredded_find(world->store, account, found, NULL);
}

static enum gk_shredded_state look(struct store_world *world, uint8_t id)
{
    const struct gk_id wanted = {.bytes = {id}};
    enum gk_shredded_state state = GK_SHREDDED_VERIFIED;
    assert_int_equal(gk_shredded_look(world->store, &wanted, &state, NULL), GK_OK);
    return state;
}

static void test_shredded__is_found_by_name_and_by_id(void **state)
{
    struct store_world *world = *state;
    struct gk_shredded found = {0};
    assert_int_equal(find(world, "acme", &found), GK_E_NOT_FOUND);
    gk_shredded_cleanup(&found);
    assert_int_equal(look(world, 1), GK_SHREDDED_NOT);

    note(world, 1, "acme", "2026-11-28T12:00:00Z", "aa");
    note(world, 2, "acme", "2026-11-27T12:00:00Z", "bb");
    note(world, 3, "other", "2026-11-29T12:00:00Z", "cc");
    assert_int_equal(find(world, "acme", &found), GK_OK);
    assert_int_equal(found.id.bytes[0], 1);
    assert_int_equal(json_object_size(found.wraps), 1);
    assert_non_null(json_object_get(found.wraps, "aa"));
    gk_shredded_cleanup(&found);
    for (uint8_t id = 1; id <= 3; id++) {
        assert_int_equal(look(world, id), GK_SHREDDED_BEGUN);
    }
    assert_int_equal(look(world, 4), GK_SHREDDED_NOT);
    assert_int_equal(find(world, "acm", &found), GK_E_NOT_FOUND);
    gk_shredded_cleanup(&found);
}

static void test_shredded__is_written_again_beside_what_is_there(void **state)
{
    struct store_world *world = *state;
    struct gk_shredded found = {0};
    note(world, 1, "acme", "2026-11-28T12:00:00Z", "aa");
    note(world, 1, "acme", "2026-11-28T12:00:01Z", "bb");
    assert_int_equal(find(world, "acme", &found), GK_OK);
    assert_string_equal(json_string_value(json_object_get(found.about, "began")),
                        "2026-11-28T12:00:01Z");
    assert_int_equal(json_object_size(found.wraps), 2);
    gk_shredded_cleanup(&found);
}

static void write_row(struct store_world *world, const char *value)
{
    const struct gk_change change = {.kind = GK_CHANGE_MAP_SET,
                                     .key = gk_span_str("01000000000000000000000000000000"),
                                     .value = gk_span_str(value)};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = GK_SHREDDED_OBJECT, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
}

static void test_shredded__a_row_that_cannot_be_read_is_of_one_that_was(void **state)
{
    struct store_world *world = *state;
    write_row(world, "{\"account\":\"acme\",\"verified\":\"2026-11-28T12:00:00Z\"}");
    assert_int_equal(look(world, 1), GK_SHREDDED_VERIFIED);
    write_row(world, "{\"account\":\"acme\"");
    assert_int_equal(look(world, 1), GK_SHREDDED_VERIFIED);
}

/* --- all of them ------------------------------------------------------------------------------- */

static bool count_note(void *ctx, const struct gk_shredded *note)
{
    unsigned *seen = ctx;
    assert_non_null(note->about);
    seen[note->id.bytes[0]]++;
    return note->id.bytes[0] < 200;
}

static void test_shredded__are_listed_until_it_is_enough(void **state)
{
    struct store_world *world = *state;
    unsigned seen[256] = {0};
    assert_int_equal(gk_shredded_list(world->store, count_note, seen, NULL), GK_OK);
    for (unsigned i = 0; i < 256; i++) {
        note(world, (uint8_t)i, "acme", "2026-11-28T12:00:00Z", "aa");
        note(world, (uint8_t)i, "acme", "2026-11-28T12:00:00Z", "bb");
    }
    write_row(world, "{");
    assert_int_equal(gk_shredded_list(world->store, count_note, seen, NULL), GK_OK);
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(seen[i], i != 1 && i <= 200 ? 1 : 0);
    }
}

/* --- withdrawal -------------------------------------------------------------------------------- */

static size_t rows_of(struct store_world *world, const char *account)
{
    struct gk_shredded found = {0};
    const size_t rows = find(world, account, &found) == GK_OK ? json_object_size(found.wraps) : 0;
    gk_shredded_cleanup(&found);
    return rows;
}

static void test_shredded__is_withdrawn_whole_and_alone(void **state)
{
    struct store_world *world = *state;
    static const struct gk_id id = {.bytes = {1}};
    int64_t began_wall_ms = 0;
    assert_true(gk_time_iso_parse("2026-11-28T12:00:00Z", &began_wall_ms));
    assert_int_equal(gk_shredded_withdraw(world->store, &id, INT64_MAX, NULL), GK_OK);
    note(world, 1, "acme", "2026-11-28T12:00:00Z", "aa");
    note(world, 1, "acme", "2026-11-28T12:00:00Z", "bb");
    note(world, 2, "other", "2026-11-28T12:00:00Z", "cc");
    assert_int_equal(gk_shredded_withdraw(world->store, &id, began_wall_ms, NULL), GK_OK);
    assert_int_equal(rows_of(world, "acme"), 2);
    assert_int_equal(gk_shredded_withdraw(world->store, &id, began_wall_ms + 1, NULL), GK_OK);
    assert_int_equal(look(world, 1), GK_SHREDDED_NOT);
    assert_int_equal(rows_of(world, "other"), 1);
    note(world, 1, "acme", "2026-11-28T12:00:01Z", "dd");
    assert_int_equal(rows_of(world, "acme"), 1);

    write_row(world,
              "{\"account\":\"acme\",\"began\":\"2026-11-28T12:00:00Z\",\"verified\":\"x\"}");
    assert_int_equal(gk_shredded_withdraw(world->store, &id, INT64_MAX, NULL), GK_OK);
    assert_int_equal(look(world, 1), GK_SHREDDED_VERIFIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shredded__is_found_by_name_and_by_id,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_shredded__is_written_again_beside_what_is_there,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_shredded__a_row_that_cannot_be_read_is_of_one_that_was,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_shredded__are_listed_until_it_is_enough,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_shredded__is_withdrawn_whole_and_alone,
                                        store_world_setup, store_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
