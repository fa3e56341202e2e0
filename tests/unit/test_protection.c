/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a container is not deleted while it holds a blob that is protected, costs no look at its blobs
 * where there never was one, and no protection is lost to a deletion at the same moment. Method: a store
 * with records as they are written, and a plugin that counts what is opened.
 */
#include "gateway/blob/protection.h"

#include "common/error.h"
#include "gateway/blob/index.h"
#include "unit/cmocka_all.h"
#include "unit/list_fixture.h"

static struct gk_container photos(const struct list_fixture *fixture)
{
    return (struct gk_container){.id = list_container_id("photos"), .shards = fixture->shards};
}

static enum gk_status check(struct list_fixture *fixture)
{
    static struct gk_http_exchange exchange;
    const struct gk_request request = {
        .gateway = &fixture->gateway, .account = &fixture->account, .exchange = &exchange};
    const struct gk_container container = photos(fixture);
    fixture->error = (struct gk_error){0};
    fixture->records_opened = 0;
    return gk_protection_check(&request, &container, &fixture->error);
}

/* The record with the mark that its write sets. */
static void add(struct list_fixture *fixture, const char *name, struct gk_immutability immutability)
{
    struct list_bulk bulk;
    struct gk_blob_record record = list_record();
    record.immutability = immutability;
    list_add_begin(&bulk, fixture, "photos");
    list_add_blob(&bulk, name, &record, NULL);
    const uint32_t shard = gk_index_shard(gk_span_str(name), fixture->shards);
    assert_int_equal(gk_protection_mark(&bulk.changes[shard], &record, NULL), GK_OK);
    list_add_end(&bulk);
}

static void assert_refused(struct list_fixture *fixture, const char *code)
{
    assert_int_equal(check(fixture), GK_E_INVALID);
    assert_int_equal(fixture->error.http_status, 409);
    assert_string_equal(fixture->error.code, code);
}

static const struct gk_immutability free_blob;
static const struct gk_immutability held = {.legal_hold = true};
static const struct gk_immutability kept = {.mode = GK_POLICY_LOCKED, .until_wall_ms = INT64_MAX};
static const struct gk_immutability over = {.mode = GK_POLICY_LOCKED, .until_wall_ms = 1};

static void test_protection__nothing_to_look_for(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", "b", "c", "d", "e", NULL});
    assert_int_equal(check(fixture), GK_OK);
    assert_int_equal(fixture->records_opened, 0);
}

static void test_protection__what_protects(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    list_add_blobs(fixture, "photos", (const char *[]){"a", "b", "c", "d", NULL});
    add(fixture, "e", held);
    assert_refused(fixture, "ContainerHasLegalHold");
    add(fixture, "e", kept);
    assert_refused(fixture, "ContainerImmutabilityPolicyLocked");
    add(fixture, "e", over);
    assert_int_equal(check(fixture), GK_OK);
    assert_int_equal(check(fixture), GK_OK);
    assert_int_equal(fixture->records_opened, 0); /* the mark is gone */
}

/* The mark stays when the blob has no policy any more, until somebody looks. */
static void test_protection__a_mark_without_reason(void **state)
{
    struct list_fixture *fixture = *state;
    list_add_container(fixture, "photos", NULL);
    add(fixture, "a", held);
    add(fixture, "a", free_blob);
    assert_int_equal(check(fixture), GK_OK);
    assert_int_equal(fixture->records_opened, 1);
    assert_int_equal(check(fixture), GK_OK);
    assert_int_equal(fixture->records_opened, 0);
}

/* A hold that came after the look: its shard is not closed. */
static void test_protection__closing_is_guarded(void **state)
{
    struct list_fixture *fixture = *state;
    const struct gk_container container = photos(fixture);
    list_add_container(fixture, "photos", NULL);
    assert_int_equal(check(fixture), GK_OK);
    add(fixture, "a", held);
    assert_int_equal(
        gk_index_close(fixture->gateway.store, &container.id, container.shards, 0, &fixture->error),
        GK_E_EXISTS);
    assert_refused(fixture, "ContainerHasLegalHold");
    add(fixture, "a", free_blob);
    assert_int_equal(check(fixture), GK_OK);
    assert_int_equal(
        gk_index_close(fixture->gateway.store, &container.id, container.shards, 0, &fixture->error),
        GK_OK);
}

static void test_protection__a_container_whose_index_is_gone(void **state)
{
    struct list_fixture *fixture = *state;
    const struct gk_container container = photos(fixture);
    list_add_container(fixture, "photos", NULL);
    assert_int_equal(gk_index_remove(fixture->gateway.store, &container.id, container.shards, NULL),
                     GK_OK);
    assert_int_equal(check(fixture), GK_OK);
}

#define IN_ONE_SHARD(function)                                                                     \
    cmocka_unit_test_setup_teardown(function, list_fixture_setup, list_fixture_teardown)
#define IN_SHARDS(function)                                                                        \
    cmocka_unit_test_setup_teardown(function, list_fixture_setup_3, list_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHARDS(test_protection__nothing_to_look_for),
        IN_ONE_SHARD(test_protection__what_protects),
        IN_SHARDS(test_protection__what_protects),
        IN_ONE_SHARD(test_protection__a_mark_without_reason),
        IN_SHARDS(test_protection__a_mark_without_reason),
        IN_ONE_SHARD(test_protection__closing_is_guarded),
        IN_SHARDS(test_protection__closing_is_guarded),
        IN_SHARDS(test_protection__a_container_whose_index_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
