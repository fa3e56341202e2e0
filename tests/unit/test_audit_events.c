/* SPDX-License-Identifier: Apache-2.0 */
/* What the plugin tells the audit of wraps and unwraps: each wrap, unwraps counted, on whose behalf. */
#include "gatekey/audit.h"
#include "plugin/unwrap_counts.h"
#include "unit/instance_fixture.h"

#define HOUR_MS 3600000

/* How often, by all events of that name and outcome together. */
static uint64_t counted(struct fixture *fixture, const char *name, const char *outcome)
{
    uint64_t count = 0;
    pthread_mutex_lock(&fixture->host.mutex);
    for (size_t i = 0; i < fixture->host.events_count; i++) {
        const struct fake_event *event = &fixture->host.events[i];
        if (strcmp(event->event, name) == 0 && strcmp(event->outcome, outcome) == 0) {
            count += event->count;
        }
    }
    pthread_mutex_unlock(&fixture->host.mutex);
    return count;
}

static void assert_actor(struct fixture *fixture, const char *name, const char *actor)
{
    const struct fake_event *last = NULL;
    pthread_mutex_lock(&fixture->host.mutex);
    for (size_t i = 0; i < fixture->host.events_count; i++) {
        if (strcmp(fixture->host.events[i].event, name) == 0) {
            last = &fixture->host.events[i];
        }
    }
    pthread_mutex_unlock(&fixture->host.mutex);
    assert_non_null(last);
    assert_string_equal(last->actor, actor);
}

static void test_audit__tells_who_asked(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    assert_actor(fixture, "account.create", "tester");
    assert_actor(fixture, "key.wrap", "tester");
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_actor(fixture, "key.rotate", "tester");
    assert_int_equal(fake_host_events(&fixture->host, "key.wrap", "ok"), 2);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_actor(fixture, "key.revoked", GK_AUDIT_ACTOR_SELF);
}

static void test_audit__tells_a_wrap_that_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    struct fake_vault *vault = fake_vault_lock();
    vault->wrap_verdict = GK_VAULT_KEY_REFUSED;
    fake_vault_unlock();
    assert_int_equal(create_account(fixture, &settings), GK_E_INVALID);
    assert_int_equal(fake_host_events(&fixture->host, "key.wrap", "refused"), 1);
    assert_int_equal(fake_host_events(&fixture->host, "account.create", "refused"), 1);
}

static void test_audit__unwraps_are_told_once_an_interval(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture); /* proves its wrap: one */
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(fake_host_events(&fixture->host, "key.unwrap", NULL), 0);
    gk_unwrap_counts_tell_due(fixture->instance);
    assert_int_equal(fake_host_events(&fixture->host, "key.unwrap", NULL), 0);
    fake_host_advance(&fixture->host, HOUR_MS);
    gk_unwrap_counts_tell_due(fixture->instance);
    assert_int_equal(fake_host_events(&fixture->host, "key.unwrap", "ok"), 1);
    assert_true(counted(fixture, "key.unwrap", "ok") >= 2);
    assert_actor(fixture, "key.unwrap", GK_AUDIT_ACTOR_SELF);
}

static void test_audit__what_is_counted_at_the_end_is_told(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(check_now(fixture), GK_OK);
    gk_instance_stop(fixture->instance);
    assert_int_equal(counted(fixture, "key.unwrap", "ok"), 1);
    assert_true(counted(fixture, "key.unwrap", "unavailable") >= 1);
}

static void test_audit__no_more_counts_are_kept_than_there_is_room_for(void **state)
{
    struct fixture *fixture = *state;
    char key_id[64];
    for (unsigned i = 0; i <= GK_UNWRAP_COUNTS_MAX; i++) {
        assert_int_equal(fake_host_events(&fixture->host, "key.unwrap", NULL), 0);
        snprintf(key_id, sizeof key_id, "https://vault.test/keys/key/%u", i);
        gk_unwrap_counts_note(fixture->instance, "acct", key_id, GK_VAULT_OK, "request");
    }
    assert_true(fake_host_events(&fixture->host, "key.unwrap", "ok") > 0);
}

static void test_audit__events_have_names(void **state)
{
    (void)state;
    assert_string_equal(gk_audit_event_name(GK_AUDIT_ACCOUNT_CREATE), "account.create");
    assert_string_equal(gk_audit_event_name(GK_AUDIT_EVENTS_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_audit__events_have_names),
        cmocka_unit_test_setup_teardown(test_audit__tells_who_asked, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_audit__tells_a_wrap_that_is_refused, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_audit__unwraps_are_told_once_an_interval,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_audit__what_is_counted_at_the_end_is_told,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_audit__no_more_counts_are_kept_than_there_is_room_for,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
