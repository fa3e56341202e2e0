/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a blob is found in its shard without a look at its account; a gateway whose cache is out of date
 * never reads or writes a container that was deleted, and finds the one that has the name now. Method:
 * a store, two gateways on it, and a plugin that hides nothing.
 */
#include "common/error.h"
#include "gateway/blob/blob_write.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/container_move.h"
#include "gateway/blob/index.h"
#include "gateway/blob/target.h"

#include "unit/cmocka_all.h"
#include "unit/list_fixture.h"

static struct gk_http_exchange exchange; /* without headers */

/* A request for a blob, to one of the gateways. */
static struct gk_request request_of(struct list_fixture *fixture, struct gk_gateway *gateway,
                                    const char *blob)
{
    return (struct gk_request){.gateway = gateway,
                               .method = "GET",
                               .container = "photos",
                               .blob = blob,
                               .account = &fixture->account,
                               .permissions = GK_PERMIT_ALL,
                               .exchange = &exchange};
}

/* Another gateway on the same store, with a cache of its own. */
static struct gk_gateway another(const struct list_fixture *fixture)
{
    struct gk_gateway gateway = fixture->gateway;
    assert_int_equal(gk_container_cache_new(&gateway.containers, NULL), GK_OK);
    return gateway;
}

static void write_account(struct list_fixture *fixture, struct gk_change change)
{
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = fixture->account.object,
                                   .changes = &change,
                                   .changes_count = 1};
    assert_int_equal(gk_store_write(fixture->gateway.store, &op, NULL, NULL), GK_OK);
}

static void close_index(struct list_fixture *fixture, const char *id)
{
    const struct gk_id container = list_container_id(id);
    assert_int_equal(gk_index_close(fixture->gateway.store, &container, fixture->shards, 0, NULL),
                     GK_OK);
}

static void remove_index(struct list_fixture *fixture, const char *id)
{
    const struct gk_id container = list_container_id(id);
    assert_int_equal(gk_index_remove(fixture->gateway.store, &container, fixture->shards, NULL),
                     GK_OK);
}

static void forget_row(struct list_fixture *fixture)
{
    write_account(fixture,
                  (struct gk_change){.kind = GK_CHANGE_MAP_REMOVE, .key = gk_span_str("c/photos")});
}

static enum gk_status load(struct list_fixture *fixture, struct gk_gateway *gateway,
                           const char *blob, bool *exists)
{
    struct gk_request request = request_of(fixture, gateway, blob);
    struct gk_blob_target target;
    fixture->error = (struct gk_error){0};
    const enum gk_status status = gk_blob_target_load(&request, &target, &fixture->error);
    *exists = target.exists;
    gk_blob_target_cleanup(&target);
    return status;
}

static void assert_there(struct list_fixture *fixture, struct gk_gateway *gateway, const char *blob,
                         bool wanted)
{
    bool exists = false;
    assert_int_equal(load(fixture, gateway, blob, &exists), GK_OK);
    assert_int_equal(exists, wanted);
}

static void assert_refused(struct list_fixture *fixture, struct gk_gateway *gateway,
                           uint16_t http_status, const char *code)
{
    bool exists = false;
    assert_int_not_equal(load(fixture, gateway, "a", &exists), GK_OK);
    assert_int_equal(fixture->error.http_status, http_status);
    assert_string_equal(fixture->error.code, code);
}

/* --- reads --------------------------------------------------------------------------------------- */

static void test_target__needs_no_look_at_the_account(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", "b", "c", "d", "e", NULL});
    assert_there(fixture, &fixture->gateway, "a", true);
    write_account(fixture, (struct gk_change){.kind = GK_CHANGE_REMOVE});
    for (const char *blob = "a\0b\0c\0d\0e\0"; *blob != '\0'; blob += 2) {
        assert_there(fixture, &fixture->gateway, blob, true);
    }
    assert_there(fixture, &fixture->gateway, "f", false);
}

static void test_target__no_such_container(void **state)
{
    struct list_fixture *fixture = *state;
    assert_refused(fixture, &fixture->gateway, 404, "ContainerNotFound");
}

static void test_target__a_container_that_is_being_deleted(void **state)
{
    struct list_fixture *fixture = *state;
    struct gk_gateway stale = another(fixture);
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", NULL});
    assert_there(fixture, &stale, "a", true);
    close_index(fixture, "photos");
    assert_refused(fixture, &stale, 409, "ContainerBeingDeleted");
    assert_refused(fixture, &fixture->gateway, 409, "ContainerBeingDeleted");
    close_index(fixture, "photos");
    forget_row(fixture);
    assert_refused(fixture, &stale, 404, "ContainerNotFound");
    remove_index(fixture, "photos");
    assert_refused(fixture, &stale, 404, "ContainerNotFound");
    close_index(fixture, "photos"); /* nothing is left to close, and nothing is made */
    assert_refused(fixture, &stale, 404, "ContainerNotFound");
    gk_container_cache_free(stale.containers);
}

static void test_target__a_container_whose_shard_is_missing(void **state)
{
    struct list_fixture *fixture = *state;
    bool exists = false;
    list_add_container(fixture, "photos", NULL);
    remove_index(fixture, "photos");
    assert_int_equal(load(fixture, &fixture->gateway, "a", &exists), GK_E_INTEGRITY);
}

/* Deleted and made anew by one gateway: another one finds the new one at once. */
static void make_anew(struct list_fixture *fixture, bool removed)
{
    close_index(fixture, "photos");
    forget_row(fixture);
    if (removed) {
        remove_index(fixture, "photos");
    }
    list_add_container_as(fixture, "photos", "photos anew");
    list_add_blobs(fixture, "photos anew", (const char *[]){"new", NULL});
}

static void test_target__a_container_that_was_made_anew(void **state)
{
    struct list_fixture *fixture = *state;
    for (int removed = 0; removed <= 1; removed++) {
        struct gk_gateway stale = another(fixture);
        list_add_container(fixture, "photos", NULL);
        list_add_blobs(fixture, "photos", (const char *[]){"a", NULL});
        assert_there(fixture, &stale, "a", true);
        make_anew(fixture, removed);
        assert_there(fixture, &stale, "new", true);
        assert_there(fixture, &stale, "a", false);
        gk_container_cache_free(stale.containers);
        remove_index(fixture, "photos");
        remove_index(fixture, "photos anew");
    }
}

/* --- names that are given again ------------------------------------------------------------------ */

/* As Rename Container does it, up to the opening of the index. */
static void take_away(struct list_fixture *fixture, struct gk_gateway *gateway)
{
    struct gk_request request = request_of(fixture, gateway, "a");
    struct gk_container_target target;
    struct gk_buf to;
    gk_buf_init(&to, GK_MAP_KEY_BYTES_MAX);
    gk_container_key(&to, "moved");
    assert_int_equal(gk_container_target_load(&request, &target, NULL), GK_OK);
    assert_int_equal(gk_container_close(&request, &target.container, NULL), GK_OK);
    const struct gk_container_move move = {.container = &target.container,
                                           .from = gk_buf_span(&target.key),
                                           .to = gk_buf_span(&to),
                                           .stored = gk_buf_span(&target.stored)};
    assert_int_equal(gk_container_move(&request, &move, &fixture->error), GK_OK);
    gk_container_target_cleanup(&target);
    gk_buf_cleanup(&to);
}

static void assert_there_as(struct list_fixture *fixture, struct gk_gateway *gateway,
                            const char *container, bool wanted)
{
    struct gk_request request = request_of(fixture, gateway, "a");
    struct gk_blob_target target;
    request.container = container;
    assert_int_equal(gk_blob_target_load(&request, &target, NULL), GK_OK);
    assert_int_equal(target.exists, wanted);
    gk_blob_target_cleanup(&target);
}

/* Another gateway knows it by the name that it had: it finds nothing there, and the next of that name. */
static void test_target__a_container_with_another_name(void **state)
{
    struct list_fixture *fixture = *state;
    struct gk_gateway stale = another(fixture);
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", NULL});
    assert_there(fixture, &stale, "a", true);
    take_away(fixture, &fixture->gateway);
    assert_there_as(fixture, &fixture->gateway, "moved", true);
    assert_refused(fixture, &stale, 404, "ContainerNotFound");
    assert_there_as(fixture, &stale, "moved", true);
    list_add_container_as(fixture, "photos", "photos anew");
    assert_there(fixture, &stale, "a", false);
    gk_container_cache_free(stale.containers);
}

static struct gk_index_door door_of(struct list_fixture *fixture, uint32_t shard)
{
    const struct gk_id container = list_container_id("photos");
    char name[GK_INDEX_NAME_BYTES];
    struct gk_buf value;
    gk_buf_init(&value, 16);
    gk_index_name(&container, shard, name);
    const enum gk_status status =
        gk_value_get(fixture->gateway.store, name, gk_span_str(GK_DOOR_KEY), &value, NULL);
    assert_true(status == GK_OK || status == GK_E_NOT_FOUND);
    const struct gk_index_door door = gk_index_door_of(gk_buf_span(&value));
    gk_buf_cleanup(&value);
    return door;
}

static void set_door(struct list_fixture *fixture, uint32_t shard, struct gk_span value)
{
    const struct gk_id container = list_container_id("photos");
    char name[GK_INDEX_NAME_BYTES];
    gk_index_name(&container, shard, name);
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(GK_DOOR_KEY), .value = value};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = name, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(fixture->gateway.store, &op, NULL, NULL), GK_OK);
}

/* The gateway that gave the name ended before the index was opened: who comes by opens it. */
static void test_target__a_name_that_was_given_half(void **state)
{
    struct list_fixture *fixture = *state;
    const uint32_t shard = gk_index_shard(gk_span_str("a"), fixture->shards);
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", NULL});
    take_away(fixture, &fixture->gateway);
    const struct gk_index_door open = door_of(fixture, shard);
    assert_true(!open.closed && open.opening > 0);
    set_door(fixture, shard, gk_span_of((const uint8_t *)"\1", 1));
    assert_there_as(fixture, &fixture->gateway, "moved", true);
    const struct gk_index_door again = door_of(fixture, shard);
    assert_int_equal(gk_index_door_compare(&again, &open), 0);
}

static void test_target__doors_only_go_on(void **state)
{
    struct list_fixture *fixture = *state;
    const struct gk_id container = list_container_id("photos");
    const struct gk_index_openings openings = {.before = 0, .now = 7};
    char shard[GK_INDEX_NAME_BYTES];
    gk_index_name(&container, 0, shard);
    list_add_container(fixture, "photos", NULL);
    struct gk_store *store = fixture->gateway.store;
    assert_int_equal(gk_index_close(store, &container, fixture->shards, 0, NULL), GK_OK);
    assert_int_equal(gk_index_open(store, &container, fixture->shards, &openings, NULL), GK_OK);
    assert_int_equal(gk_index_close(store, &container, fixture->shards, 0, NULL), GK_OK); /* late */
    const struct gk_index_door late = {.opening = 5};
    assert_int_equal(gk_index_raise(store, shard, &late, NULL), GK_OK);
    for (uint32_t i = 0; i < fixture->shards; i++) {
        const struct gk_index_door door = door_of(fixture, i);
        assert_true(!door.closed && door.opening == 7);
    }
    set_door(fixture, 0, gk_span_str("nonsense"));
    const struct gk_index_door later = {.opening = UINT64_MAX - 1};
    assert_int_equal(gk_index_raise(store, shard, &later, NULL), GK_OK);
    assert_true(door_of(fixture, 0).closed);
}

/* --- writes -------------------------------------------------------------------------------------- */

static enum gk_status write_record(struct list_fixture *fixture, struct gk_request *request,
                                   const struct gk_blob_target *target)
{
    const struct gk_blob_record record = list_record();
    struct gk_blob_write write;
    fixture->error = (struct gk_error){0};
    gk_blob_write_init(&write, target);
    enum gk_status status =
        gk_blob_write_record(&write, request, target, &record, NULL, NULL, &fixture->error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, NULL, &fixture->error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* What was found before a container went must not be written to after it. */
static void test_target__writes_to_what_went_meanwhile(void **state)
{
    struct list_fixture *fixture = *state;
    struct gk_gateway stale = another(fixture);
    struct gk_request request = request_of(fixture, &stale, "a");
    struct gk_blob_target target;
    list_add_container(fixture, "photos", NULL);
    assert_int_equal(gk_blob_target_load(&request, &target, NULL), GK_OK);
    close_index(fixture, "photos");
    assert_int_equal(write_record(fixture, &request, &target), GK_E_INVALID);
    assert_string_equal(fixture->error.code, "ContainerBeingDeleted");
    forget_row(fixture);
    assert_int_equal(write_record(fixture, &request, &target), GK_E_INVALID);
    assert_string_equal(fixture->error.code, "ContainerNotFound");
    make_anew(fixture, true);
    assert_int_equal(write_record(fixture, &request, &target), GK_E_CONFLICT);
    assert_int_equal(gk_blob_target_read(&request, &target, NULL), GK_E_CONFLICT);
    gk_blob_target_cleanup(&target);
    assert_there(fixture, &stale, "a", false);
    gk_container_cache_free(stale.containers);
}

/* That somebody else was there first is told as before. */
static void test_target__writes_that_come_second(void **state)
{
    struct list_fixture *fixture = *state;
    struct gk_request request = request_of(fixture, &fixture->gateway, "a");
    struct gk_blob_target target;
    list_add_container(fixture, "photos", NULL);
    assert_int_equal(gk_blob_target_load(&request, &target, NULL), GK_OK);
    assert_int_equal(write_record(fixture, &request, &target), GK_OK);
    assert_int_equal(write_record(fixture, &request, &target), GK_E_EXISTS);
    assert_int_equal(gk_blob_target_read(&request, &target, NULL), GK_OK);
    gk_buf_append_u8(&target.stored, 0); /* as if it had been another's record */
    assert_int_equal(write_record(fixture, &request, &target), GK_E_CONFLICT);
    gk_blob_target_cleanup(&target);
}

#define TARGET_TEST(test)                                                                          \
    cmocka_unit_test_setup_teardown(test, list_fixture_setup_3, list_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TARGET_TEST(test_target__needs_no_look_at_the_account),
        TARGET_TEST(test_target__no_such_container),
        TARGET_TEST(test_target__a_container_that_is_being_deleted),
        TARGET_TEST(test_target__a_container_whose_shard_is_missing),
        TARGET_TEST(test_target__a_container_that_was_made_anew),
        TARGET_TEST(test_target__a_container_with_another_name),
        TARGET_TEST(test_target__a_name_that_was_given_half),
        TARGET_TEST(test_target__doors_only_go_on),
        TARGET_TEST(test_target__writes_to_what_went_meanwhile),
        TARGET_TEST(test_target__writes_that_come_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
