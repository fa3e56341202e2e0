/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of an account that nobody has asked for, after others have asked its vault in vain: why, and since when,
 * without a call. And when nothing is said of it.
 */
#include "plugin/vault_silences.h"

#include "unit/instance_fixture.h"

#define UNASKED   "unasked"
#define VAULTS    2000u
#define TAKEN_MAX 500u

static _Thread_local unsigned taken; /* from the heap */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    taken++;
    return __real_calloc(count, size);
}

static void create_unasked(struct fixture *fixture, const struct gk_encryption_settings *settings)
{
    assert_int_equal(gk_account_create(fixture->instance, UNASKED, settings, &by_tester, NULL),
                     GK_OK);
}

/* The two, as the same identity on the same key, after a start. */
static void begin_cold(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = customer_settings();
    create_customer(fixture);
    create_unasked(fixture, &settings);
    fixture_restart(fixture);
}

static struct gk_account_status unasked(struct fixture *fixture)
{
    struct gk_account_status status;
    assert_int_equal(gk_account_get_status(fixture->instance, UNASKED, &status, NULL), GK_OK);
    assert_int_equal(status.state, GK_ACCOUNT_COLD);
    return status;
}

static void assert_untold(struct fixture *fixture)
{
    const struct gk_account_status status = unasked(fixture);
    assert_int_equal(status.unreachable_since_wall_ms, 0);
    assert_string_equal(status.reason_code, "");
    assert_string_equal(status.reason, "");
}

/* From the first silence that somebody met, whatever number of calls came after. */
static void test_vault_silences__of_one_tell_of_the_other(void **state)
{
    struct fixture *fixture = *state;
    begin_cold(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_untold(fixture);
    assert_int_equal(check_now(fixture), GK_OK);
    const struct gk_account_status asked = status_of(fixture);
    fake_host_advance(&fixture->host, 100);
    assert_int_equal(check_now(fixture), GK_OK);
    const unsigned calls = vault_now().unwraps;
    const struct gk_account_status status = unasked(fixture);
    assert_int_equal(asked.state, GK_ACCOUNT_DEGRADED);
    assert_true(asked.unreachable_since_wall_ms > 0);
    assert_int_equal(status.unreachable_since_wall_ms, asked.unreachable_since_wall_ms);
    assert_int_equal(status.grace_until_wall_ms, 0);
    assert_string_equal(status.reason_code, "Timeout");
    assert_string_equal(status.reason, "the fake vault says so");
    assert_string_equal(status.reason_request_id, "fake-request");
    assert_int_equal(vault_now().unwraps, calls);
}

static void test_vault_silences__any_answer_ends_them(void **state)
{
    struct fixture *fixture = *state;
    static const enum gk_vault_verdict answers[] = {GK_VAULT_OK, GK_VAULT_KEY_REFUSED,
                                                    GK_VAULT_GONE, GK_VAULT_IDENTITY_GONE};
    begin_cold(fixture);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        set_unwrap(GK_VAULT_UNAVAILABLE);
        fake_host_advance(&fixture->host, 100);
        const int64_t now_ms = gk_instance_now(fixture->instance).wall_ms;
        assert_int_equal(check_now(fixture), GK_OK);
        assert_true(unasked(fixture).unreachable_since_wall_ms >= now_ms); /* each a new one */
        set_unwrap(answers[i]);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_untold(fixture);
    }
}

static void test_vault_silences__are_of_a_vault_and_an_identity(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    create_customer(fixture);
    snprintf(settings.identity.resource_id, sizeof settings.identity.resource_id, "/another");
    create_unasked(fixture, &settings);
    fixture_restart(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_untold(fixture);
}

static void test_vault_silences__of_another_vault_are_untold(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    create_customer(fixture);
    snprintf(settings.key.vault_uri, sizeof settings.key.vault_uri, "%s", FAKE_OTHER_URI);
    create_unasked(fixture, &settings);
    fixture_restart(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_untold(fixture);
}

static void test_vault_silences__an_answer_about_bytes_ends_them(void **state)
{
    struct fixture *fixture = *state;
    begin_cold(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_string_equal(unasked(fixture).reason_code, "Timeout");
    set_unwrap(GK_VAULT_OK);
    struct fake_vault *vault = fake_vault_lock();
    vault->failing_unwrap = vault->unwraps + 1;
    vault->failing_status = 400;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_untold(fixture);
}

/* What a vault says of the bytes of one account, and what is no word of the vault's at all. */
static void test_vault_silences__what_concerns_nobody_else_is_none(void **state)
{
    struct fixture *fixture = *state;
    begin_cold(fixture);
    struct fake_vault *vault = fake_vault_lock();
    vault->failing_unwrap = vault->unwraps + 1;
    vault->failing_status = 400;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).state, GK_ACCOUNT_DEGRADED);
    assert_untold(fixture);
    fake_vault_lock()->ours = true;
    fake_vault_unlock();
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_untold(fixture);
}

/* A key that cannot be looked at, when an account is to be made: nothing else is asked then. */
static void test_vault_silences__are_met_by_a_get_too(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    create_unasked(fixture, &settings);
    fixture_restart(fixture);
    fake_vault_lock()->get_verdict = GK_VAULT_UNAVAILABLE;
    fake_vault_unlock();
    assert_int_equal(create_account(fixture, &settings), GK_E_UNAVAILABLE);
    assert_string_equal(unasked(fixture).reason_code, "Timeout");
    fake_vault_lock()->get_verdict = GK_VAULT_OK;
    fake_vault_unlock();
    assert_int_equal(create_account(fixture, &settings), GK_OK);
    assert_untold(fixture);
}

/* One that has been met once, and by nobody for longer than a check may be put off: the vault may be back. */
static void test_vault_silences__that_nobody_meets_are_forgotten(void **state)
{
    struct fixture *fixture = *state;
    begin_cold(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(check_now(fixture), GK_OK);
    gk_account_forget(fixture->instance, NAME);
    fake_host_advance(&fixture->host, 600000);
    assert_string_equal(unasked(fixture).reason_code, "Timeout");
    fake_host_advance(&fixture->host, 600000);
    assert_untold(fixture);
}

static void note(struct fixture *fixture, unsigned vault, enum gk_vault_verdict verdict)
{
    const struct gk_encryption_settings settings = customer_settings();
    const struct gk_vault_answer answer = {
        .verdict = verdict, .code = "Timeout", .message = "", .request_id = ""};
    char uri[64];
    snprintf(uri, sizeof uri, "https://vault-%u.vault.test", vault);
    gk_vault_silences_note(fixture->instance, uri, &settings.identity, &answer);
}

/* Whoever names ever new vaults that do not answer. */
static void test_vault_silences__of_before_take_no_memory(void **state)
{
    struct fixture *fixture = *state;
    taken = 0;
    for (unsigned vault = 0; vault < VAULTS; vault++) {
        note(fixture, vault, GK_VAULT_UNAVAILABLE);
        note(fixture, vault, GK_VAULT_OK);
    }
    assert_in_range(taken, 1, TAKEN_MAX);
    for (unsigned vault = VAULTS; vault < 2 * VAULTS; vault++) {
        note(fixture, vault, GK_VAULT_UNAVAILABLE);
        fake_host_advance(&fixture->host, 1200000);
    }
    assert_in_range(taken, 1, TAKEN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vault_silences__of_one_tell_of_the_other,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__any_answer_ends_them, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__an_answer_about_bytes_ends_them,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__of_before_take_no_memory,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__are_of_a_vault_and_an_identity,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__of_another_vault_are_untold,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__what_concerns_nobody_else_is_none,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__are_met_by_a_get_too, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_vault_silences__that_nobody_meets_are_forgotten,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
