/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what was moved is found by its id and number, however much there is of it; a state of a re-encryption reads
 * back as it was written, and one that is not what was written is refused.
 */
#include <string.h>

#include "common/buf.h"
#include "gateway/reencrypt/moves.h"
#include "gateway/reencrypt/state.h"
#include "unit/store_world.h"

#define MANY   5000u
#define OBJECT "account/one"

static struct gk_id id_of(uint32_t number, uint8_t kind)
{
    struct gk_id id = {{0}};
    memcpy(id.bytes + 8, &number, sizeof number); /* all begin alike: as bad as ids can be */
    id.bytes[15] = kind;
    return id;
}

static void test_moves__finds_what_was_moved(void **state)
{
    (void)state;
    struct gk_moves moves = {.cap = 0};
    const struct gk_id none = id_of(0, 0);
    assert_null(gk_moves_find(&moves, &none, 0));
    for (uint32_t i = 0; i < MANY / 10; i++) {
        const struct gk_id from = id_of(i, 1);
        const struct gk_id to = id_of(i, 2);
        assert_true(gk_moves_add(&moves, &from, 0, &to));
    }
    for (uint32_t i = 0; i < MANY / 10; i++) {
        const struct gk_id from = id_of(i, 1);
        const struct gk_id to = id_of(i, 2);
        const struct gk_id *found = gk_moves_find(&moves, &from, 0);
        assert_non_null(found);
        assert_true(gk_id_equal(found, &to));
        assert_null(gk_moves_find(&moves, &from, 1));
        assert_null(gk_moves_find(&moves, &to, 0));
    }
    gk_moves_cleanup(&moves);
    assert_null(gk_moves_find(&moves, &none, 0));
}

static void test_moves__numbers_of_one_id_are_apart(void **state)
{
    (void)state;
    struct gk_moves moves = {.cap = 0};
    const struct gk_id from = id_of(7, 1);
    for (uint32_t i = 0; i < MANY; i++) {
        const struct gk_id to = id_of(i, 2);
        assert_true(gk_moves_add(&moves, &from, i * 3, &to));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        const struct gk_id to = id_of(i, 2);
        const struct gk_id *found = gk_moves_find(&moves, &from, i * 3);
        assert_non_null(found);
        assert_true(gk_id_equal(found, &to));
        assert_null(gk_moves_find(&moves, &from, i * 3 + 1));
    }
    gk_moves_cleanup(&moves);
}

/* --- the state ----------------------------------------------------------------------------------*/

static int setup(void **state)
{
    const struct gk_change change = {.kind = GK_CHANGE_CREATE};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = OBJECT, .changes = &change, .changes_count = 1};
    assert_int_equal(store_world_setup(state), 0);
    const struct store_world *world = *state;
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
    return 0;
}

static const struct gk_reencrypt_state written = {
    .job = {.id = "id",
            .status = GK_JOB_STOPPED,
            .gateway = "host:1",
            .failure = "",
            .started_wall_ms = 5,
            .updated_wall_ms = 6,
            .progress = 0.25,
            .rate = 9},
    .phase = GK_REENCRYPT_PROOF,
    .counts = {.records = 1,
               .reencrypted = 2,
               .bytes = 3,
               .left = {.client_keys = 5,
                        .uncommitted = 6,
                        .pending = 7,
                        .scopes = 8,
                        .changing = 9,
                        .damaged = 10}},
    .passes = 12,
    .found = 11,
    .at = {.container = "12345678-1234-1234-1234-123456789012", .shard = 13}};

static void test_state__reads_back(void **state)
{
    struct store_world *world = *state;
    struct gk_reencrypt_state read;
    assert_int_equal(gk_reencrypt_state_read(world->store, OBJECT, &read, NULL), GK_E_NOT_FOUND);
    assert_int_equal(gk_reencrypt_state_write(world->store, "account/none", &written, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(gk_reencrypt_state_write(world->store, OBJECT, &written, NULL), GK_OK);
    assert_int_equal(gk_reencrypt_state_read(world->store, OBJECT, &read, NULL), GK_OK);
    assert_string_equal(read.job.id, written.job.id);
    assert_int_equal(read.job.status, GK_JOB_STOPPED);
    assert_int_equal(read.job.rate, 9);
    assert_int_equal(read.phase, GK_REENCRYPT_PROOF);
    assert_memory_equal(&read.counts, &written.counts, sizeof read.counts);
    assert_int_equal(read.passes, 12);
    assert_int_equal(read.found, 11);
    assert_string_equal(read.at.container, written.at.container);
    assert_int_equal(read.at.shard, 13);
    assert_int_equal(gk_reencrypt_left_sum(&read.counts.left), 45);
    gk_reencrypt_left_add(&read.counts.left, &written.counts.left);
    assert_int_equal(gk_reencrypt_left_sum(&read.counts.left), 90);
}

static void test_state__is_strict(void **state)
{
    struct store_world *world = *state;
    static const char *const members[] = {"phase", "rate",  "counts",    "passes",
                                          "found", "shard", "container", "status"};
    struct gk_reencrypt_state read;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *json = gk_reencrypt_state_json(&written);
        json_object_set_new(json, members[i], json_null());
        assert_int_equal(gk_job_row_write(world->store, OBJECT, "n", true, json, NULL), GK_OK);
        assert_int_equal(gk_reencrypt_state_read(world->store, OBJECT, &read, NULL),
                         GK_E_INTEGRITY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moves__finds_what_was_moved),
        cmocka_unit_test(test_moves__numbers_of_one_id_are_apart),
        cmocka_unit_test_setup_teardown(test_state__reads_back, setup, store_world_teardown),
        cmocka_unit_test_setup_teardown(test_state__is_strict, setup, store_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
