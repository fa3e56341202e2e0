/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a root key that is destroyed, or an access key that is made anew, is told of, whatever becomes of the store's
 * answer or of the process; what was only asked for is not told as done.
 * Method: the management API's handlers over the embedded store, which loses answers; the last events.
 */
#include <jansson.h>

#include "gateway/blob/reaper.h"
#include "gateway/gateway.h"
#include "gateway/manage/manage.h"
#include "unit/account_world.h"

#define NAME   "acme"
#define OBJECT "account/" NAME
#define BODY                                                                                       \
    "{\"location\":\"westeurope\",\"kind\":\"StorageV2\",\"sku\":{\"name\":\"Standard_LRS\"}}"

void __wrap_gk_reaper_note_deleted(struct gk_reaper *reaper);
void __wrap_gk_reaper_note_deleted(struct gk_reaper *reaper)
{
    (void)reaper;
}

static const struct gk_manage_path path = {
    .subscription = "subscription", .resource_group = "group", .account = NAME};

static enum gk_status ask(struct account_world *world, gk_manage_fn *fn, const char *body,
                          unsigned *answered)
{
    struct gk_gateway gateway = {.clock = world->clock,
                                 .store = world->store,
                                 .host = world->host,
                                 .accounts = world->accounts,
                                 .vault_deadline_ms = DEADLINE_MS};
    struct gk_manage manage = {.gateway = &gateway, .blob_base_url = "http://127.0.0.1:1"};
    const struct gk_manage_request request = {.body = gk_span_str(body), .actor = "tester"};
    struct gk_manage_answer answer = {0};
    struct gk_error error = {0};
    gk_buf_init(&answer.body, GK_MANAGE_ANSWER_BYTES_MAX);
    const enum gk_status status = fn(&manage, &path, &request, &answer, &error);
    *answered = answer.status;
    if (status == GK_E_INVALID) {
        fail_msg("%s", error.message);
    }
    gk_manage_answer_cleanup(&answer);
    return status;
}

static void make(struct account_world *world)
{
    unsigned answered = 0;
    assert_int_equal(ask(world, gk_manage_account_put, BODY, &answered), GK_OK);
    assert_int_equal(answered, 200);
}

static void delete_account(struct account_world *world, enum gk_status wanted, unsigned answer)
{
    unsigned answered = 0;
    assert_int_equal(ask(world, gk_manage_account_delete, "", &answered), wanted);
    assert_int_equal(answered, answer);
}

/* "<outcome> <detail>" of each event of that name, the first one first. */
static void assert_told(struct account_world *world, const char *event, const char *const *wanted,
                        size_t count)
{
    struct gk_buf text;
    gk_buf_init(&text, 1u << 20);
    gk_recent_events_render(gk_plugin_host_recent(world->host), &text);
    json_t *events = json_loads(gk_buf_str(&text), 0, NULL);
    size_t found = 0;
    for (size_t i = json_array_size(events); i > 0; i--) {
        const json_t *one = json_array_get(events, i - 1);
        if (strcmp(json_string_value(json_object_get(one, "event")), event) != 0) {
            continue;
        }
        char line[512];
        const char *detail = json_string_value(json_object_get(one, "detail"));
        snprintf(line, sizeof line, "%s %s", json_string_value(json_object_get(one, "outcome")),
                 detail == NULL ? "" : detail);
        assert_true(found < count);
        if (strstr(line, wanted[found]) == NULL) {
            fail_msg("%s is not of %s", line, wanted[found]);
        }
        assert_string_equal(json_string_value(json_object_get(one, "actor")), "tester");
        found++;
    }
    assert_int_equal(found, count);
    json_decref(events);
    gk_buf_cleanup(&text);
}

#define ASSERT_TOLD(world, event, ...)                                                             \
    assert_told(world, event, (const char *const[]){__VA_ARGS__},                                  \
                sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

/* --- the store ----------------------------------------------------------------------------------*/

static bool not_the_removal(struct account_world *world, const struct gk_write_op *op)
{
    (void)world;
    return strcmp(op->object, OBJECT) != 0 || op->changes[0].kind != GK_CHANGE_REMOVE;
}

static bool not_the_account(struct account_world *world, const struct gk_write_op *op)
{
    (void)world;
    return strcmp(op->object, OBJECT) != 0;
}

/* --- tests --------------------------------------------------------------------------------------*/

static void test_account_deletion__is_told_with_its_begin(void **state)
{
    struct account_world *world = *state;
    make(world);
    delete_account(world, GK_OK, 200);
    ASSERT_TOLD(world, "account.delete.begin", "ok account ");
    ASSERT_TOLD(world, "account.delete", ": the root key is destroyed");
}

static void lose_the_answer(struct account_world *world)
{
    make(world);
    world->on_answer = not_the_removal;
    delete_account(world, GK_E_UNAVAILABLE, 0);
    world->on_answer = NULL;
    ASSERT_TOLD(world, "account.delete.begin", "ok account ");
    ASSERT_TOLD(world, "account.delete", "unavailable no answer");
}

static void test_account_deletion__whose_answer_is_lost_is_told_by_the_next(void **state)
{
    struct account_world *world = *state;
    lose_the_answer(world);
    delete_account(world, GK_OK, 204);
    ASSERT_TOLD(world, "account.delete.begin", "ok account ");
    ASSERT_TOLD(world, "account.delete", "unavailable no answer",
                "ok it was deleted before: the root key is destroyed");
}

static void test_account_deletion__whose_answer_is_lost_is_told_after_a_restart(void **state)
{
    struct account_world *world = *state;
    lose_the_answer(world);
    account_world_restart(world);
    delete_account(world, GK_OK, 204);
    assert_told(world, "account.delete.begin", NULL, 0);
    ASSERT_TOLD(world, "account.delete", "ok it was deleted before: the root key is destroyed");
}

static bool another_is_faster(struct account_world *world, const struct gk_write_op *op)
{
    if (!not_the_removal(world, op)) {
        world->on_write = NULL;
        assert_int_equal(account_world_store.engine->write(world->store, op, NULL, NULL), GK_OK);
    }
    return true;
}

static void test_account_deletion__that_another_gateway_has_done_meanwhile_is_told(void **state)
{
    struct account_world *world = *state;
    make(world);
    world->on_write = another_is_faster;
    delete_account(world, GK_OK, 204);
    ASSERT_TOLD(world, "account.delete.begin", "ok account ");
    ASSERT_TOLD(world, "account.delete", ": it was deleted meanwhile: the root key is destroyed");
}

static void test_account_deletion__that_was_not_done_is_not_told_as_done(void **state)
{
    struct account_world *world = *state;
    make(world);
    world->on_write = not_the_removal;
    delete_account(world, GK_E_UNAVAILABLE, 0);
    world->on_write = NULL;
    ASSERT_TOLD(world, "account.delete", "unavailable no answer");
    delete_account(world, GK_OK, 200);
    ASSERT_TOLD(world, "account.delete.begin", "ok account ", "ok account ");
    ASSERT_TOLD(world, "account.delete", "unavailable no answer", ": the root key is destroyed");
}

static void test_account_deletion__of_what_never_was_is_not_told(void **state)
{
    struct account_world *world = *state;
    delete_account(world, GK_OK, 204);
    assert_told(world, "account.delete.begin", NULL, 0);
    assert_told(world, "account.delete", NULL, 0);
}

/* A process that ends right after the removal has told that it began. */
static bool look_for_the_begin(struct account_world *world, const struct gk_write_op *op)
{
    if (!not_the_removal(world, op)) {
        ASSERT_TOLD(world, "account.delete.begin", "ok account ");
        assert_told(world, "account.delete", NULL, 0);
    }
    return true;
}

static void test_account_deletion__is_told_before_it_is_done(void **state)
{
    struct account_world *world = *state;
    make(world);
    world->on_write = look_for_the_begin;
    delete_account(world, GK_OK, 200);
}

static void test_account_deletion__keys_that_may_be_made_anew_are_told(void **state)
{
    struct account_world *world = *state;
    unsigned answered = 0;
    make(world);
    world->on_answer = not_the_account;
    assert_int_equal(ask(world, gk_manage_regenerate_key, "{\"keyName\":\"key1\"}", &answered),
                     GK_E_UNAVAILABLE);
    assert_int_equal(ask(world, gk_manage_revoke_delegation, "", &answered), GK_E_UNAVAILABLE);
    ASSERT_TOLD(world, "account.keys.regenerate", "unavailable no answer");
    ASSERT_TOLD(world, "account.delegation.revoke", "unavailable no answer");
}

#define DELETION_TEST(function)                                                                    \
    cmocka_unit_test_setup_teardown(function, account_world_setup, account_world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DELETION_TEST(test_account_deletion__is_told_with_its_begin),
        DELETION_TEST(test_account_deletion__whose_answer_is_lost_is_told_by_the_next),
        DELETION_TEST(test_account_deletion__whose_answer_is_lost_is_told_after_a_restart),
        DELETION_TEST(test_account_deletion__that_another_gateway_has_done_meanwhile_is_told),
        DELETION_TEST(test_account_deletion__that_was_not_done_is_not_told_as_done),
        DELETION_TEST(test_account_deletion__of_what_never_was_is_not_told),
        DELETION_TEST(test_account_deletion__is_told_before_it_is_done),
        DELETION_TEST(test_account_deletion__keys_that_may_be_made_anew_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
