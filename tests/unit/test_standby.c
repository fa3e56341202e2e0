/* SPDX-License-Identifier: Apache-2.0 */
/* Many accounts on a key that comes back: what it costs the vault, and what a copy in memory is good for. */
#include "plugin/recheck.h"
#include "plugin/rotation.h"
#include "plugin/standby.h"
#include "plugin/unwrap_counts.h"

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

static void until(struct fixture *fixture, unsigned wanted, holds_fn *holds)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    unsigned good = 0;
    for (int i = 0; i < UNTIL_MS && good < wanted; i++) {
        good = count(fixture, holds);
        nanosleep(&pause, NULL);
    }
    assert_in_range(good, wanted, ACCOUNTS);
}

static void until_all(struct fixture *fixture, holds_fn *holds)
{
    until(fixture, ACCOUNTS, holds);
}

/* After a pause: waits until all are light, and each has been answered. */
static void pass(struct fixture *fixture, int64_t ms)
{
    fake_host_advance(&fixture->host, ms);
    until_all(fixture, is_light);
}

/* After another interval: waits until it holds for all, and each has been answered. The unwraps that took. */
static unsigned unwraps_until_all(struct fixture *fixture, holds_fn *holds)
{
    const unsigned before = vault_now().unwraps;
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, holds);
    return vault_now().unwraps - before;
}

/* A key that was refused is back: what it takes until all are light. failing: which of the unwraps fails (with 0: none),
 * and with what status. */
static unsigned unwraps_of_return(struct fixture *fixture, unsigned failing, uint16_t status)
{
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, is_dark), 1);
    struct fake_vault *vault = fake_vault_lock();
    vault->unwrap_verdict = GK_VAULT_OK;
    vault->failing_unwrap = failing == 0 ? 0 : vault->unwraps + failing;
    vault->failing_status = status;
    fake_vault_unlock();
    return unwraps_until_all(fixture, is_light);
}

static void until_events(struct fixture *fixture, const char *event, const char *outcome,
                         unsigned wanted)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < UNTIL_MS && fake_host_events(&fixture->host, event, outcome) < wanted;
         i++) {
        nanosleep(&pause, NULL);
    }
    assert_int_equal(fake_host_events(&fixture->host, event, outcome), wanted);
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

/* The batch comes before those who ask each for itself: they may be more than there is room for. */
static void test_standby__a_batch_waits_for_nobody_who_is_in_none(void **state)
{
    struct fixture *fixture = *state;
    enum { ALONE = 3 };
    create_all(fixture);
    const unsigned wraps = vault_now().wraps;
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_wraps(wraps + 1);
    for (unsigned i = 0; i < ALONE; i++) {
        struct gk_account *account = account_at(fixture, i);
        pthread_mutex_lock(&account->mutex);
        gk_standby_locked_drop(account);
        pthread_mutex_unlock(&account->mutex);
        gk_account_release(account);
    }
    const unsigned together = count(fixture, is_in_a_batch);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, is_dark), 1);
    struct fake_vault *vault = fake_vault_lock();
    vault->unwrap_verdict = GK_VAULT_OK;
    vault->room = vault->unwraps + 2;
    fake_vault_unlock();
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until(fixture, together, is_light);
    fake_vault_lock()->room = 0;
    fake_vault_unlock();
    (void)unwraps_until_all(fixture, is_light);
}

/* The calls that it takes when a batch is not opened: each one's own, and the batch's. */
#define CALLS_ALONE (ACCOUNTS + 1)

/* What one answer says of the key may come of a server that has not heard yet that the key is back: nobody stays dark for
 * that, and the copies stay. At the second in a row, of whatever kind, they go. */
static void test_standby__one_that_is_twice_not_opened_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(unwraps_of_return(fixture, 2, 403), CALLS_ALONE);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    assert_in_range(unwraps_of_return(fixture, 0, 0), 2, 3);
    assert_int_equal(unwraps_of_return(fixture, 2, 500), CALLS_ALONE);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    assert_int_equal(unwraps_of_return(fixture, 2, 403), CALLS_ALONE);
    assert_int_equal(count(fixture, is_in_none), ACCOUNTS);
}

static void test_standby__one_that_the_vault_cannot_open_is_given_up_at_once(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    assert_int_equal(unwraps_of_return(fixture, 2, 400), CALLS_ALONE);
    assert_int_equal(count(fixture, is_in_none), ACCOUNTS);
}

/* That nothing came, or that too much did, says nothing of what was to be opened; and nobody waits for it. */
static void test_standby__silence_costs_no_copy(void **state)
{
    static const uint16_t silences[] = {0, 429, 0, 429};
    struct fixture *fixture = *state;
    create_all(fixture);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    for (size_t i = 0; i < sizeof silences / sizeof silences[0]; i++) {
        assert_int_equal(unwraps_of_return(fixture, 2, silences[i]), CALLS_ALONE);
        assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    }
    assert_in_range(unwraps_of_return(fixture, 0, 0), 2, 3);
}

/* Where the vault does not open what it wraps, that shows when it is needed. */
static void test_standby__one_that_was_wrapped_badly_is_given_up(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    fake_vault_lock()->spoil_wrap = true;
    fake_vault_unlock();
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    assert_int_equal(unwraps_of_return(fixture, 0, 0), CALLS_ALONE);
    assert_int_equal(unwraps_of_return(fixture, 0, 0), CALLS_ALONE);
    assert_int_equal(count(fixture, is_in_none), ACCOUNTS);
}

static void set_wrap(enum gk_vault_verdict verdict)
{
    fake_vault_lock()->wrap_verdict = verdict;
    fake_vault_unlock();
}

static void test_standby__a_vault_that_does_not_wrap_it_costs_a_call_each(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    const unsigned wraps = vault_now().wraps;
    set_wrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_wraps(wraps + 1);
    until_events(fixture, "key.wrap", "unavailable", 1);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(vault_now().wraps, wraps + 1); /* not again and again */
    assert_int_equal(unwraps_of_return(fixture, 0, 0), ACCOUNTS);
    set_wrap(GK_VAULT_OK);
    pass(fixture, RETRY_MS);
    until_wraps(wraps + 2);
}

/* A key that has ended goes on to open, and wraps nothing: that is asked as seldom as for a newer version. */
static void test_standby__a_vault_that_refuses_to_wrap_is_asked_once_a_day(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    const unsigned wraps = vault_now().wraps;
    set_wrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_wraps(wraps + 1);
    until_events(fixture, "key.wrap", "refused", 1);
    pass(fixture, RETRY_MS);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(vault_now().wraps, wraps + 1);
    pass(fixture, DAY_MS);
    until_wraps(wraps + 2);
}

static void hold_wraps(bool hold)
{
    fake_vault_lock()->hold_wraps = hold;
    fake_vault_unlock();
}

/* While the vault is asked to wrap the standby key, that is in memory. */
static void test_standby__a_refusal_before_it_is_wrapped_leaves_no_copy(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    const unsigned wraps = vault_now().wraps;
    hold_wraps(true);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    assert_int_equal(count(fixture, is_in_a_batch), ACCOUNTS - 1);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, is_dark), 1);
    assert_int_equal(count(fixture, is_in_none), ACCOUNTS);
    hold_wraps(false);
    until_wraps(wraps + 1);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(unwraps_until_all(fixture, is_light), ACCOUNTS);
}

/* The last event of that name is about the account. */
static void last_of(struct fake_host *host, const char *event, char name[GK_ACCOUNT_PATH_BYTES_MAX])
{
    pthread_mutex_lock(&host->mutex);
    for (size_t i = 0; i < host->events_count; i++) {
        if (strcmp(host->events[i].event, event) == 0) {
            snprintf(name, GK_ACCOUNT_PATH_BYTES_MAX, "%s", host->events[i].account);
        }
    }
    pthread_mutex_unlock(&host->mutex);
}

static unsigned events_of(struct fake_host *host, const char *event, const char *name)
{
    unsigned found = 0;
    pthread_mutex_lock(&host->mutex);
    for (size_t i = 0; i < host->events_count; i++) {
        found +=
            strcmp(host->events[i].event, event) == 0 && strcmp(host->events[i].account, name) == 0
                ? 1
                : 0;
    }
    pthread_mutex_unlock(&host->mutex);
    return found;
}

/* The first of a batch may be gone when that is opened: it is not told of as though it had been asked for. */
static void test_standby__who_is_gone_is_not_told_of(void **state)
{
    struct fixture *fixture = *state;
    char gone[GK_ACCOUNT_PATH_BYTES_MAX] = "";
    create_all(fixture);
    assert_int_equal(unwraps_until_all(fixture, is_light), 1);
    until_events(fixture, "key.wrap", "ok", ACCOUNTS + 1);
    last_of(&fixture->host, "key.wrap", gone);
    gk_account_forget(fixture->instance, gone);
    gk_unwrap_counts_tell(fixture->instance);
    const unsigned told = events_of(&fixture->host, "key.unwrap", gone);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_events(fixture, "key.revoked", "refused", ACCOUNTS - 1);
    set_unwrap(GK_VAULT_OK);
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_events(fixture, "key.restored", "ok", ACCOUNTS - 1);
    gk_unwrap_counts_tell(fixture->instance);
    assert_int_equal(events_of(&fixture->host, "key.unwrap", gone), told);
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
        TEST(test_standby__a_batch_waits_for_nobody_who_is_in_none),
        TEST(test_standby__one_that_is_twice_not_opened_is_given_up),
        TEST(test_standby__one_that_the_vault_cannot_open_is_given_up_at_once),
        TEST(test_standby__silence_costs_no_copy),
        TEST(test_standby__one_that_was_wrapped_badly_is_given_up),
        TEST(test_standby__a_vault_that_does_not_wrap_it_costs_a_call_each),
        TEST(test_standby__a_refusal_before_it_is_wrapped_leaves_no_copy),
        TEST(test_standby__a_vault_that_refuses_to_wrap_is_asked_once_a_day),
        TEST(test_standby__who_is_gone_is_not_told_of),
        TEST(test_standby__a_copy_goes_with_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
