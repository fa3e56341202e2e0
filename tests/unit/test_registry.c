/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the registry of a store that has none is made from its objects, once; rows come and go, and one
 * that was written again is not removed by who saw it before.
 * Method: over the embedded store.
 */
#include "gateway/registry.h"

#include <stdio.h>

#include "common/buf.h"
#include "unit/store_world.h"

#define ACCOUNTS 700u /* more than are written at once */

static void make(struct store_world *world, const char *object)
{
    const struct gk_change change = {.kind = GK_CHANGE_CREATE};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
}

static bool count_row(void *ctx, const struct gk_registry_row *row)
{
    assert_true(row->name.len > 0);
    ++*(size_t *)ctx;
    return true;
}

static size_t count(struct store_world *world, enum gk_registry_kind kind)
{
    size_t rows = 0;
    assert_int_equal(
        gk_registry_list(world->store, kind, gk_span_of(NULL, 0), count_row, &rows, NULL), GK_OK);
    return rows;
}

static void set(struct store_world *world, const char *name, int64_t wall_ms)
{
    const struct gk_registry_row row = {
        .kind = GK_REGISTRY_ACCOUNT, .name = gk_span_str(name), .written_wall_ms = wall_ms};
    assert_int_equal(gk_registry_set(world->store, &row, NULL), GK_OK);
}

static void test_registry__is_made_from_the_objects_of_a_store_of_before(void **state)
{
    struct store_world *world = *state;
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char object[64];
        snprintf(object, sizeof object, "account/acct%u", i);
        make(world, object);
    }
    make(world, "deleted/000102030405060708090a0b0c0d0e0f");
    make(world, "deleted/not an id");
    make(world, "index/000102030405060708090a0b0c0d0e0f/0");
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), 0);
    assert_int_equal(gk_registry_open(world->store, 5, NULL), GK_OK);
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), ACCOUNTS);
    assert_int_equal(count(world, GK_REGISTRY_DELETED), 1);
}

static void test_registry__is_made_once(void **state)
{
    struct store_world *world = *state;
    assert_int_equal(gk_registry_open(world->store, 5, NULL), GK_OK);
    make(world, "account/unlisted");
    assert_int_equal(gk_registry_open(world->store, 6, NULL), GK_OK);
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), 0);
}

static void test_registry__rows(void **state)
{
    struct store_world *world = *state;
    set(world, "one", 1);
    set(world, "two", 1);
    set(world, "two", 2);
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), 2);
    const struct gk_registry_row seen = {
        .kind = GK_REGISTRY_ACCOUNT, .name = gk_span_str("two"), .written_wall_ms = 1};
    assert_int_equal(gk_registry_remove_row(world->store, &seen, NULL), GK_E_CONFLICT);
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), 2);
    const struct gk_registry_row now = {
        .kind = GK_REGISTRY_ACCOUNT, .name = gk_span_str("two"), .written_wall_ms = 2};
    assert_int_equal(gk_registry_remove_row(world->store, &now, NULL), GK_OK);
    assert_int_equal(
        gk_registry_remove(world->store, GK_REGISTRY_ACCOUNT, gk_span_str("one"), NULL), GK_OK);
    assert_int_equal(
        gk_registry_remove(world->store, GK_REGISTRY_ACCOUNT, gk_span_str("never"), NULL), GK_OK);
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), 0);
}

/* What is not a row of ours is passed over. */
static void test_registry__foreign_rows(void **state)
{
    struct store_world *world = *state;
    set(world, "one", 1);
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str("a/other"), .value = gk_span_str("short")};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = GK_REGISTRY_OBJECT, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
    assert_int_equal(count(world, GK_REGISTRY_ACCOUNT), 1);
}

static void test_registry__the_last_search(void **state)
{
    struct store_world *world = *state;
    int64_t began = 7;
    assert_int_equal(gk_registry_last_search(world->store, &began, NULL), GK_OK);
    assert_int_equal(began, 0);
    assert_int_equal(gk_registry_set_last_search(world->store, 1234567890123, NULL), GK_OK);
    assert_int_equal(gk_registry_last_search(world->store, &began, NULL), GK_OK);
    assert_int_equal(began, 1234567890123);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_registry__is_made_from_the_objects_of_a_store_of_before, store_world_setup,
            store_world_teardown),
        cmocka_unit_test_setup_teardown(test_registry__is_made_once, store_world_setup,
                                        store_world_teardown),
        cmocka_unit_test_setup_teardown(test_registry__rows, store_world_setup,
                                        store_world_teardown),
        cmocka_unit_test_setup_teardown(test_registry__foreign_rows, store_world_setup,
                                        store_world_teardown),
        cmocka_unit_test_setup_teardown(test_registry__the_last_search, store_world_setup,
                                        store_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
