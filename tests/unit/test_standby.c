/* SPDX-License-Identifier: Apache-2.0 */
/* Many accounts on a key that comes back: what it costs the vault, and what a copy in memory is good for. */
#include "plugin/recheck.h"
#include "plugin/rotation.h"
#include "plugin/standby.h"

#include "unit/instance_fixture.h"

#define ACCOUNTS    FAKE_ACCOUNTS
#define INTERVAL_MS 1000
#define RETRY_MS    300000

_Static_assert(ACCOUNTS > GK_STANDBY_MIN, "one leads, and the others are a batch");

static void name_of(unsigned number, char name[8])
{
    snprintf(name, 8, "acme%u", number);
}

static void create_all(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char name[8];
        name_of(i, name);
        assert_int_equal(gk_account_create(fixture->instance, name, &settings, &by_tester, NULL),
                         GK_OK);
    }
}

static struct gk_account *account_at(struct fixture *fixture, unsigned number)
{
    char name[8];
    struct gk_account *account = NULL;
    name_of(number, name);
    assert_int_equal(gk_account_open(fixture->instance, name, &account, NULL), GK_OK);
    return account;
}

typedef bool holds_fn(const struct gk_account *account);

static unsigned count(struct fixture *fixture, holds_fn *holds)
{
    unsigned good = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        struct gk_account *account = account_at(fixture, i);
        pthread_mutex_lock(&account->mutex);
        good += holds(account) ? 1 : 0;
        pthread_mutex_unlock(&account->mutex);
        gk_account_release(account);
    }
    return good;
}

static bool is_answered(const struct gk_account *account)
{
    return !account->checking &&
           account->state.last_check_wall_ms == gk_instance_now(account->instance).wall_ms;
}

static bool is_dark(const struct gk_account *account)
{
    return account->state.state == GK_ACCOUNT_REVOKED && account->root_key == NULL &&
           is_answered(account);
}

static bool is_light(const struct gk_account *account)
{
    return account->state.state == GK_ACCOUNT_ACTIVE && account->root_key != NULL &&
           is_answered(account);
}

static bool is_in_a_batch(const struct gk_account *account)
{
    return account->standby != NULL;
}

static bool is_in_none(const struct gk_account *account)
{
    return account->standby == NULL;
}

static void until_all(struct fixture *fixture, holds_fn *holds)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    unsigned good = 0;
    for (int i = 0; i < UNTIL_MS && good < ACCOUNTS; i++) {
        good = count(fixture, holds);
        nanosleep(&pause, NULL);
    }
    assert_int_equal(good, ACCOUNTS);
}

/* After another interval: waits until it holds for all, and each has been answered. The unwraps that took. */
static unsigned unwraps_until_all(struct fixture *fixture, holds_fn *holds)
{
    const unsigned before = vault_now().unwraps;
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, holds);
    return vault_now().unwraps - before;
}

/* The vault is asked to wrap while the accounts are light already. */
static void until_wraps(unsigned wanted)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < UNTIL_MS && vault_now().wraps < wanted; i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(vault_now().wraps, wanted);
}

static void test_standby__two_calls_bring_all_back(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    const unsigned wraps = vault_now().wraps;
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_wraps(wraps + 1);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1); /* but the one who asked */
    for (unsigned round = 0; round < 2; round++) {
        set_unwrap(GK_VAULT_KEY_REFUSED);
        assert_int_equal(unwraps_until_all(fixture, is_dark), 1);
        set_unwrap(GK_VAULT_OK);
        /* The one who asks, the batch, and whoever is in none: who asked first. */
        assert_in_range(unwraps_until_all(fixture, is_light), 2, 3);
    }
    assert_int_equal(vault_now().wraps, wraps + 1);
    assert_int_equal(fake_host_events(&fixture->host, "key.restored", "ok"), 2 * ACCOUNTS);
}

static void test_standby__a_vault_that_does_not_wrap_it_costs_a_call_each(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    const unsigned wraps = vault_now().wraps;
    fake_vault_lock()->wrap_verdict = GK_VAULT_KEY_REFUSED;
    fake_vault_unlock();
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_wraps(wraps + 1);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(vault_now().wraps, wraps + 1); /* not again and again */
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, is_dark), 1);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(unwraps_until_all(fixture, is_light), ACCOUNTS);
    fake_host_advance(&fixture->host, RETRY_MS);
    fake_vault_lock()->wrap_verdict = GK_VAULT_OK;
    fake_vault_unlock();
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_wraps(wraps + 2);
}

static void test_standby__one_that_the_vault_does_not_open_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    fake_vault_lock()->spoil_wrap = true;
    fake_vault_unlock();
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, is_dark), 1);
    set_unwrap(GK_VAULT_OK);
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, is_in_none);
    (void)unwraps_until_all(fixture, is_light);
}

/* Whoever changes what wraps the account must not leave what the wrap before would open. */
static void test_standby__a_copy_goes_with_its_record(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    const struct gk_encryption_settings service = {.source = GK_KEY_SOURCE_SERVICE};
    unsigned left = 0;
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char name[8];
        name_of(i, name);
        assert_int_equal(
            gk_account_set_encryption(fixture->instance, name, &service, &by_tester, NULL), GK_OK);
        struct gk_account *account = account_at(fixture, i);
        pthread_mutex_lock(&account->mutex);
        for (size_t at = 0; at < sizeof account->standby_copy; at++) {
            left += account->standby_copy[at];
        }
        pthread_mutex_unlock(&account->mutex);
        gk_account_release(account);
    }
    assert_int_equal(count(fixture, is_in_a_batch), 0);
    assert_int_equal(left, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_standby__two_calls_bring_all_back),
        TEST(test_standby__a_vault_that_does_not_wrap_it_costs_a_call_each),
        TEST(test_standby__one_that_the_vault_does_not_open_is_given_up),
        TEST(test_standby__a_copy_goes_with_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
