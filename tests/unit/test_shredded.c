/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is noted of shredded accounts is found again by the account's name, the last one of several,
 * with all its wraps, and by its id. Method: over the embedded store.
 */
#include "gateway/shredded.h"

#include <string.h>

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

static bool has(struct store_world *world, uint8_t id)
{
    const struct gk_id wanted = {.bytes = {id}};
    bool found = true;
    assert_int_equal(gk_shredded_has(world->store, &wanted, &found, NULL), GK_OK);
    return found;
}

static void test_shredded__is_found_by_name_and_by_id(void **state)
{
    struct store_world *world = *state;
    struct gk_shredded found = {0};
    assert_int_equal(find(world, "acme", &found), GK_E_NOT_FOUND);
    gk_shredded_cleanup(&found);
    assert_false(has(world, 1));

    note(world, 1, "acme", "2026-11-28T12:00:00Z", "aa");
    note(world, 2, "acme", "2026-11-27T12:00:00Z", "bb");
    note(world, 3, "other", "2026-11-29T12:00:00Z", "cc");
    assert_int_equal(find(world, "acme", &found), GK_OK);
    assert_int_equal(found.id.bytes[0], 1);
    assert_int_equal(json_object_size(found.wraps), 1);
    assert_non_null(json_object_get(found.wraps, "aa"));
    gk_shredded_cleanup(&found);
    assert_true(has(world, 1) && has(world, 2) && has(world, 3));
    assert_false(has(world, 4));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shredded__is_found_by_name_and_by_id,
                                        store_world_setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_shredded__is_written_again_beside_what_is_there,
                                        store_world_setup, store_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
