/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a key that ends soon, has ended or is old is warned of for as long as it is so, and that it
 * begins and ends is told once, whoever of several gateways finds it and whatever was restarted.
 * Method: the fake vault gives dates, the test moves the clock.
 */
#include "plugin/key_warnings.h"

#include "unit/instance_fixture.h"

#define START_MS INT64_C(1700000000000)
#define DAY      (INT64_C(86400000))

static uint32_t bit(enum gk_key_warning warning)
{
    return 1u << warning;
}

static void test_key_warnings__on_their_days(void **state)
{
    (void)state;
    static const struct gk_instance_settings settings = {.key_expiry_warning_ms = 30 * DAY,
                                                         .key_age_warning_ms = 100 * DAY};
    static const struct gk_instance_settings none = {0};
    struct gk_account_record *record = calloc(1, sizeof *record);
    assert_non_null(record);
    record->settings.source = GK_KEY_SOURCE_CUSTOMER;
    assert_int_equal(gk_key_warnings_of(record, &settings, START_MS), 0); /* nothing is known */
    record->key_created_wall_ms = START_MS;
    record->key_expires_wall_ms = START_MS + 90 * DAY;
    static const struct {
        int64_t at_ms;
        uint32_t warnings;
        uint32_t by_default;
    } cases[] = {
        {0, 0, 0},
        {60 * DAY - 1, 0, 0},
        {60 * DAY, 1u << GK_KEY_EXPIRES_SOON, 0},
        {90 * DAY - 1, 1u << GK_KEY_EXPIRES_SOON, 0},
        {90 * DAY, 1u << GK_KEY_EXPIRED, 1u << GK_KEY_EXPIRED},
        {100 * DAY, 1u << GK_KEY_EXPIRED, 1u << GK_KEY_EXPIRED},
        {100 * DAY + 1, 1u << GK_KEY_EXPIRED | 1u << GK_KEY_OLD, 1u << GK_KEY_EXPIRED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int64_t wall_ms = START_MS + cases[i].at_ms;
        assert_int_equal(gk_key_warnings_of(record, &settings, wall_ms), cases[i].warnings);
        assert_int_equal(gk_key_warnings_of(record, &none, wall_ms), cases[i].by_default);
    }
    /* A rotation policy that is stricter than the setting, by the day that the vault may be late, and an interval. */
    record->key_expires_wall_ms = 0;
    record->key_rotation_due_wall_ms = START_MS + 10 * DAY;
    struct gk_instance_settings daily = settings;
    daily.version_check_interval_ms = DAY;
    assert_int_equal(gk_key_warnings_of(record, &daily, START_MS + 12 * DAY), 0);
    assert_int_equal(gk_key_warnings_of(record, &daily, START_MS + 12 * DAY + 1), bit(GK_KEY_OLD));
    record->key_rotation_due_wall_ms = START_MS + 1000 * DAY; /* one that is laxer */
    assert_int_equal(gk_key_warnings_of(record, &daily, START_MS + 101 * DAY), bit(GK_KEY_OLD));
    record->settings.source = GK_KEY_SOURCE_SERVICE;
    assert_int_equal(gk_key_warnings_of(record, &settings, START_MS + 100 * DAY), 0);
    free(record);
}

static void expect(struct fixture *fixture, uint32_t warnings, unsigned begun, unsigned over)
{
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).key_warnings, warnings);
    assert_int_equal(fake_host_events(&fixture->host, "key.warning", "ok"), begun);
    assert_int_equal(fake_host_events(&fixture->host, "key.warning-over", "ok"), over);
}

static void set_end(int64_t expires_ms)
{
    fake_vault_lock()->info.expires_wall_ms = expires_ms;
    fake_vault_unlock();
}

static void test_key_warnings__begin_and_end_once(void **state)
{
    struct fixture *fixture = *state;
    const int64_t now_ms = gk_instance_now(fixture->instance).wall_ms;
    set_end(now_ms + 40 * DAY);
    create_customer(fixture);
    expect(fixture, 0, 0, 0);
    fake_host_advance(&fixture->host, 11 * DAY);
    assert_int_equal(status_of(fixture).key_warnings, bit(GK_KEY_EXPIRES_SOON)); /* at once */
    expect(fixture, bit(GK_KEY_EXPIRES_SOON), 1, 0);
    expect(fixture, bit(GK_KEY_EXPIRES_SOON), 1, 0);
    fixture_restart(fixture);
    expect(fixture, bit(GK_KEY_EXPIRES_SOON), 1, 0);
    fake_host_advance(&fixture->host, 30 * DAY);
    expect(fixture, bit(GK_KEY_EXPIRED), 2, 1);
    /* A new version without an end. */
    set_end(0);
    rotate_vault();
    expect(fixture, 0, 2, 2);
    assert_int_equal(status_of(fixture).key_expires_wall_ms, 0);
}

static void test_key_warnings__of_a_key_that_is_taken_like_that(void **state)
{
    struct fixture *fixture = *state;
    set_end(gk_instance_now(fixture->instance).wall_ms + 5 * DAY);
    create_customer(fixture);
    assert_int_equal(fake_host_events(&fixture->host, "key.warning", "ok"), 1);
    struct gk_encryption_settings settings = customer_settings();
    settings.source = GK_KEY_SOURCE_SERVICE;
    assert_int_equal(
        gk_account_set_encryption(fixture->instance, NAME, &settings, &by_tester, NULL), GK_OK);
    assert_int_equal(fake_host_events(&fixture->host, "key.warning-over", "ok"), 1);
    assert_int_equal(status_of(fixture).key_warnings, 0);
}

static void test_key_warnings__stay_while_a_rotation_is_stuck(void **state)
{
    struct fixture *fixture = *state;
    const int64_t now_ms = gk_instance_now(fixture->instance).wall_ms;
    set_end(now_ms + 5 * DAY);
    create_customer(fixture);
    set_end(now_ms + 500 * DAY);
    rotate_vault();
    disable_version(2, true);
    expect(fixture, bit(GK_KEY_EXPIRES_SOON), 1, 0);
    assert_int_equal(status_of(fixture).rotation_pending, 1);
    assert_int_equal(status_of(fixture).key_expires_wall_ms, now_ms + 5 * DAY);
}

/* --- rotation policies -------------------------------------------------------------------------- */

static void set_policy(enum gk_vault_verdict verdict, int64_t due_wall_ms)
{
    struct fake_vault *vault = fake_vault_lock();
    vault->policy_verdict = verdict;
    vault->rotation_due_wall_ms = due_wall_ms;
    fake_vault_unlock();
}

static void restart_reading_policies(struct fixture *fixture)
{
    gk_instance_destroy(fixture->instance);
    fixture_make(fixture);
    fixture_set(fixture, "read_rotation_policy", "true");
    assert_int_equal(gk_instance_start(fixture->instance, NULL), GK_OK);
}

/* The look that comes of its own accord has been made by now. */
static void a_day_later(struct fixture *fixture)
{
    const int64_t before_ms = status_of(fixture).last_version_check_wall_ms;
    const struct timespec pause = {.tv_nsec = 1000000};
    fake_host_advance(&fixture->host, DAY);
    for (int i = 0; i < UNTIL_MS && status_of(fixture).last_version_check_wall_ms == before_ms;
         i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(status_of(fixture).last_version_check_wall_ms > before_ms);
}

static void test_key_warnings__by_the_rotation_policy_where_it_is_read(void **state)
{
    struct fixture *fixture = *state;
    set_policy(GK_VAULT_OK, gk_instance_now(fixture->instance).wall_ms - 10 * DAY);
    create_customer(fixture);
    expect(fixture, 0, 0, 0);
    assert_int_equal(vault_now().policies, 0);
    restart_reading_policies(fixture);
    expect(fixture, bit(GK_KEY_OLD), 1, 0);
    assert_int_equal(vault_now().policies, 1);
    assert_int_equal(status_of(fixture).key_rotation_due_wall_ms, vault_now().rotation_due_wall_ms);
    set_policy(GK_VAULT_OK, 0);
    rotate_vault();
    expect(fixture, 0, 1, 1);
}

static void test_key_warnings__a_policy_that_cannot_be_read_changes_nothing(void **state)
{
    static const enum gk_vault_verdict verdicts[] = {GK_VAULT_KEY_REFUSED, GK_VAULT_IDENTITY_GONE,
                                                     GK_VAULT_GONE, GK_VAULT_UNAVAILABLE};
    struct fixture *fixture = *state;
    restart_reading_policies(fixture);
    const int64_t due_ms = gk_instance_now(fixture->instance).wall_ms - 10 * DAY;
    set_policy(GK_VAULT_OK, due_ms);
    create_customer(fixture);
    expect(fixture, bit(GK_KEY_OLD), 1, 0);
    const unsigned logged =
        fake_host_warnings(&fixture->host); /* by each look, that the key is old */
    const unsigned looks = sizeof verdicts / sizeof verdicts[0];
    for (size_t i = 0; i < looks; i++) {
        set_policy(verdicts[i], 0);
        expect(fixture, bit(GK_KEY_OLD), 1, 0);
        assert_state(fixture, GK_ACCOUNT_ACTIVE);
        assert_int_equal(status_of(fixture).key_rotation_due_wall_ms, due_ms);
    }
    /* A newer version is taken all the same, and of that nothing is known. */
    rotate_vault();
    expect(fixture, 0, 1, 1);
    assert_int_equal(vault_now().wraps, 2);
    assert_int_equal(fake_host_warnings(&fixture->host), logged + looks + 1);
    set_policy(GK_VAULT_OK, due_ms);
    expect(fixture, bit(GK_KEY_OLD), 2, 1);
}

static void test_key_warnings__who_refuses_the_policy_is_asked_less_and_less(void **state)
{
    struct fixture *fixture = *state;
    restart_reading_policies(fixture);
    set_policy(GK_VAULT_KEY_REFUSED, 0);
    create_customer(fixture);
    for (unsigned day = 1; day <= 70; day++) {
        a_day_later(fixture);
        assert_int_equal(authorize_read(fixture), GK_OK);
    }
    /* After a day, and 2, 4, 8, 16, 30 more. */
    assert_int_equal(vault_now().policies, 6);
    assert_int_equal(fake_host_warnings(&fixture->host), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_warnings__on_their_days),
        TEST(test_key_warnings__begin_and_end_once),
        TEST(test_key_warnings__of_a_key_that_is_taken_like_that),
        TEST(test_key_warnings__stay_while_a_rotation_is_stuck),
        TEST(test_key_warnings__by_the_rotation_policy_where_it_is_read),
        TEST(test_key_warnings__a_policy_that_cannot_be_read_changes_nothing),
        TEST(test_key_warnings__who_refuses_the_policy_is_asked_less_and_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
