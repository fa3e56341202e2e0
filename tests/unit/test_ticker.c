/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks the vault for whom when checks are due, and what the others make of the answer. */
#include "unit/instance_fixture.h"

#define ACCOUNTS    4u /* too few for standby.h */
#define INTERVAL_MS 1000
#define GRACE_MS    600000

static void name_of(unsigned number, char name[8])
{
    snprintf(name, 8, "acme%u", number);
}

static void create(struct fixture *fixture, unsigned number,
                   const struct gk_encryption_settings *settings)
{
    char name[8];
    name_of(number, name);
    assert_int_equal(gk_account_create(fixture->instance, name, settings, &by_tester, NULL), GK_OK);
}

static void create_all(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        create(fixture, i, &settings);
    }
}

static struct gk_account_status status_at(struct fixture *fixture, unsigned number)
{
    char name[8];
    struct gk_account_status status;
    name_of(number, name);
    assert_int_equal(gk_account_get_status(fixture->instance, name, &status, NULL), GK_OK);
    return status;
}

typedef bool holds_fn(const struct gk_account_status *status, int64_t now_wall_ms);

/* Waits until it holds for all of them. */
static void until_all(struct fixture *fixture, holds_fn *holds)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    const int64_t now_ms = atomic_load(&fixture->host.wall_ms);
    unsigned good = 0;
    for (int i = 0; i < UNTIL_MS && good < ACCOUNTS; i++) {
        good = 0;
        for (unsigned number = 0; number < ACCOUNTS; number++) {
            const struct gk_account_status status = status_at(fixture, number);
            good += holds(&status, now_ms) ? 1 : 0;
        }
        nanosleep(&pause, NULL);
    }
    assert_int_equal(good, ACCOUNTS);
}

static bool answered_now(const struct gk_account_status *status, int64_t now_wall_ms)
{
    return status->last_check_wall_ms == now_wall_ms;
}

static bool active_now(const struct gk_account_status *status, int64_t now_wall_ms)
{
    return status->state == GK_ACCOUNT_ACTIVE && answered_now(status, now_wall_ms);
}

static bool revoked(const struct gk_account_status *status, int64_t now_wall_ms)
{
    return status->state == GK_ACCOUNT_REVOKED && answered_now(status, now_wall_ms);
}

static bool unreachable(const struct gk_account_status *status, int64_t now_wall_ms)
{
    (void)now_wall_ms;
    return status->state == GK_ACCOUNT_UNREACHABLE;
}

static bool looked_today(const struct gk_account_status *status, int64_t now_wall_ms)
{
    return now_wall_ms - status->last_version_check_wall_ms < DAY_MS;
}

static bool degraded(const struct gk_account_status *status, int64_t now_wall_ms)
{
    (void)now_wall_ms;
    return status->state == GK_ACCOUNT_DEGRADED;
}

/* How many unwraps the next check of all of them takes. */
static unsigned unwraps_until_all(struct fixture *fixture, holds_fn *holds)
{
    const unsigned before = vault_now().unwraps;
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, holds);
    return vault_now().unwraps - before;
}

static bool can_read(struct fixture *fixture, unsigned number)
{
    char name[8];
    struct gk_account *account = NULL;
    name_of(number, name);
    assert_int_equal(gk_account_open(fixture->instance, name, &account, NULL), GK_OK);
    const bool open = gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL) == GK_OK;
    assert_int_equal(open, account->root_key != NULL);
    gk_account_release(account);
    return open;
}

static enum gk_status warm_one(struct fixture *fixture)
{
    char name[8];
    struct gk_account *account = NULL;
    name_of(0, name);
    assert_int_equal(gk_account_open(fixture->instance, name, &account, NULL), GK_OK);
    const enum gk_status status = gk_account_warm(account, DEADLINE_MS, NULL);
    gk_account_release(account);
    return status;
}

static bool is_checking(struct fixture *fixture, unsigned number)
{
    char name[8];
    name_of(number, name);
    struct gk_account *account = NULL;
    assert_int_equal(gk_account_open(fixture->instance, name, &account, NULL), GK_OK);
    pthread_mutex_lock(&account->mutex);
    const bool checking = account->checking;
    pthread_mutex_unlock(&account->mutex);
    gk_account_release(account);
    return checking;
}

static void until_checking(struct fixture *fixture)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned number = 0; number < ACCOUNTS; number++) {
        for (int i = 0; i < UNTIL_MS && !is_checking(fixture, number); i++) {
            nanosleep(&pause, NULL);
        }
        assert_true(is_checking(fixture, number));
    }
}

static int64_t next_check_ms(struct fixture *fixture, unsigned number)
{
    char name[8];
    struct gk_account *account = NULL;
    name_of(number, name);
    assert_int_equal(gk_account_open(fixture->instance, name, &account, NULL), GK_OK);
    pthread_mutex_lock(&account->mutex);
    const int64_t at_ms = account->next_check_mono_ms;
    pthread_mutex_unlock(&account->mutex);
    gk_account_release(account);
    return at_ms;
}

static void assert_all_read(struct fixture *fixture, bool may)
{
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        assert_int_equal(can_read(fixture, i), may);
    }
}

static void test_ticker__accounts_on_one_key_cost_one_call(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    for (unsigned round = 0; round < 5; round++) {
        assert_int_equal(unwraps_until_all(fixture, active_now), 1);
    }
    assert_all_read(fixture, true);
}

static void test_ticker__one_that_is_due_takes_the_others_along(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        create(fixture, i, &settings);
        fake_host_advance(&fixture->host, 100);
    }
    const unsigned before = vault_now().unwraps;
    fake_host_advance(&fixture->host, INTERVAL_MS - 100 * ACCOUNTS);
    until_all(fixture, active_now);
    assert_int_equal(vault_now().unwraps - before, 1);
    assert_int_equal(unwraps_until_all(fixture, active_now), 1);
}

/* Accounts on keys of their own that were due at one moment are not so for ever, and never late; those on one key stay
 * together. */
static void test_ticker__what_was_due_together_drifts_apart(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        snprintf(settings.identity.resource_id, sizeof settings.identity.resource_id, "/%u", i / 2);
        create(fixture, i, &settings);
    }
    unsigned apart = 0;
    for (unsigned round = 0; round < 8; round++) {
        assert_int_equal(unwraps_until_all(fixture, active_now), 2);
        const int64_t now_ms = atomic_load(&fixture->host.mono_ms);
        for (unsigned i = 0; i < ACCOUNTS; i++) {
            assert_in_range(next_check_ms(fixture, i) - now_ms, INTERVAL_MS / 2, INTERVAL_MS - 1);
        }
        assert_int_equal(next_check_ms(fixture, 0), next_check_ms(fixture, 1));
        assert_int_equal(next_check_ms(fixture, 2), next_check_ms(fixture, 3));
        apart += next_check_ms(fixture, 0) != next_check_ms(fixture, 2) ? 1 : 0;
    }
    assert_true(apart > 0);
}

static void until_due_at(struct fixture *fixture, int64_t at_ms)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (unsigned number = 0; number < ACCOUNTS; number++) {
        for (int i = 0; i < UNTIL_MS && next_check_ms(fixture, number) != at_ms; i++) {
            nanosleep(&pause, NULL);
        }
        assert_int_equal(next_check_ms(fixture, number), at_ms);
    }
}

static void set_retry_after(uint32_t retry_after_ms)
{
    fake_vault_lock()->retry_after_ms = retry_after_ms;
    fake_vault_unlock();
}

/* A vault that asks to be left alone does not keep a key in use for longer than the interval; who has none anyway
 * waits. */
static void test_ticker__the_interval_holds_whatever_the_vault_asks_for(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    set_retry_after(100 * INTERVAL_MS);
    assert_int_equal(unwraps_until_all(fixture, unreachable), 1);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, revoked), 1);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(unwraps_until_all(fixture, active_now), ACCOUNTS);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    (void)unwraps_until_all(fixture, unreachable);
    fake_host_advance(&fixture->host, GRACE_MS);
    until_all(fixture, degraded);
    const int64_t now_ms = atomic_load(&fixture->host.mono_ms);
    until_due_at(fixture, now_ms + 100 * INTERVAL_MS);
}

static void test_ticker__other_keys_and_identities_are_asked_for_apart(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    create(fixture, 0, &settings);
    rotate_vault();
    create(fixture, 1, &settings); /* another version */
    snprintf(settings.identity.resource_id, sizeof settings.identity.resource_id, "/other");
    create(fixture, 2, &settings);
    snprintf(settings.key.vault_uri, sizeof settings.key.vault_uri, "%s", FAKE_OTHER_URI);
    create(fixture, 3, &settings);
    assert_int_equal(unwraps_until_all(fixture, active_now), 4);
    disable_version(1, true);
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, answered_now);
    assert_int_equal(status_at(fixture, 0).state, GK_ACCOUNT_REVOKED);
    for (unsigned i = 1; i < ACCOUNTS; i++) {
        assert_int_equal(status_at(fixture, i).state, GK_ACCOUNT_ACTIVE);
    }
}

static void test_ticker__one_refusal_revokes_all_and_each_opens_its_own(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(unwraps_until_all(fixture, revoked), 1);
    assert_all_read(fixture, false);
    assert_int_equal(fake_host_events(&fixture->host, "key.revoked", "refused"), ACCOUNTS);
    assert_int_equal(unwraps_until_all(fixture, revoked), 1);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(unwraps_until_all(fixture, active_now), ACCOUNTS);
    assert_all_read(fixture, true);
    assert_int_equal(unwraps_until_all(fixture, active_now), 1);
}

static bool has_newest(const struct gk_account_status *status, int64_t now_wall_ms)
{
    char key_id[GK_KEY_ID_BYTES_MAX];
    (void)now_wall_ms;
    fake_key_id(vault_now().versions, key_id);
    return strcmp(status->current_key_id, key_id) == 0;
}

static void test_ticker__one_look_finds_a_version_for_all(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        create(fixture, i, &settings);
        fake_host_advance(&fixture->host, DAY_MS / 5);
    }
    fake_host_advance(&fixture->host, DAY_MS); /* each had a time of its own */
    until_all(fixture, looked_today);
    for (unsigned day = 0; day < 3; day++) {
        const unsigned gets = vault_now().gets;
        rotate_vault();
        fake_host_advance(&fixture->host, DAY_MS);
        until_all(fixture, has_newest);
        assert_int_equal(vault_now().gets, gets + 1);
    }
}

static void set_get(enum gk_vault_verdict verdict)
{
    fake_vault_lock()->get_verdict = verdict;
    fake_vault_unlock();
}

static void set_wrap(enum gk_vault_verdict verdict)
{
    fake_vault_lock()->wrap_verdict = verdict;
    fake_vault_unlock();
}

static void set_ours(bool ours, uint32_t retry_after_ms)
{
    struct fake_vault *vault = fake_vault_lock();
    vault->ours = ours;
    vault->retry_after_ms = retry_after_ms;
    fake_vault_unlock();
}

static void until_gets(unsigned gets)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < UNTIL_MS && vault_now().gets < gets; i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(vault_now().gets >= gets);
}

/* How many gets have been made when so much time has gone by, in steps in which whoever is due gets its turn. */
static unsigned gets_after(struct fixture *fixture, int64_t ms, int64_t step_ms)
{
    const struct timespec pause = {.tv_nsec = 3000000};
    for (int64_t at_ms = 0; at_ms < ms; at_ms += step_ms) {
        fake_host_advance(&fixture->host, step_ms);
        nanosleep(&pause, NULL);
    }
    return vault_now().gets;
}

/* Those whose keys are in a vault that is silent wait for each other, and not those of other vaults for them. */
static void test_ticker__one_look_finds_a_vault_silent_for_all(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        snprintf(settings.key.name, sizeof settings.key.name, "key%u", i);
        create(fixture, i, &settings);
    }
    set_get(GK_VAULT_UNAVAILABLE);
    const unsigned before = vault_now().gets;
    enum { ROUNDS = 8 };
    fake_host_advance(&fixture->host, DAY_MS);
    const unsigned asked = gets_after(fixture, ROUNDS * INTERVAL_MS, NUDGE_MS) - before;
    assert_in_range(asked, 1, 2 * ROUNDS);
    set_get(GK_VAULT_OK);
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, looked_today);
}

/* Whoever may not be told of a key is asked less and less often, for all accounts on it, and told of once. */
static void test_ticker__one_refusal_to_tell_is_for_all(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    set_get(GK_VAULT_KEY_REFUSED);
    const unsigned before = vault_now().gets;
    const unsigned warnings = fake_host_warnings(&fixture->host);
    fake_host_advance(&fixture->host, DAY_MS);
    const unsigned asked = gets_after(fixture, 2 * DAY_MS, DAY_MS / 144) - before;
    assert_in_range(asked, 1, 13); /* after 0, 5, 15, 35 minutes, ... */
    assert_in_range(fake_host_warnings(&fixture->host) - warnings, 1, ACCOUNTS);
    set_get(GK_VAULT_OK);
    fake_host_advance(&fixture->host, DAY_MS);
    until_all(fixture, looked_today);
}

/* What this process did not ask is no silence of the vault's: it is asked for each key as soon as there is room. */
static void test_ticker__a_look_that_was_not_made_puts_off_no_other(void **state)
{
    struct fixture *fixture = *state;
    enum { ROOM_MS = INTERVAL_MS / 4 };
    struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        snprintf(settings.key.name, sizeof settings.key.name, "key%u", i);
        create(fixture, i, &settings);
    }
    set_get(GK_VAULT_UNAVAILABLE);
    set_ours(true, ROOM_MS);
    const unsigned before = vault_now().gets;
    fake_host_advance(&fixture->host, DAY_MS);
    until_gets(before + ACCOUNTS); /* time stands still: nobody waits for an interval */
    set_ours(false, 0);
    set_get(GK_VAULT_OK);
    (void)gets_after(fixture, 2 * ROOM_MS, ROOM_MS); /* who ended late finds room a step later */
    until_all(fixture, looked_today);
}

/* So it is with a newer version that may be looked at, and not be wrapped by. */
static void test_ticker__one_refusal_to_wrap_is_for_all(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    rotate_vault();
    set_wrap(GK_VAULT_KEY_REFUSED);
    const unsigned before = vault_now().wraps;
    const unsigned warnings = fake_host_warnings(&fixture->host);
    fake_host_advance(&fixture->host, DAY_MS);
    (void)gets_after(fixture, 2 * DAY_MS, DAY_MS / 144);
    assert_in_range(vault_now().wraps - before, 2, 13);
    assert_in_range(fake_host_warnings(&fixture->host) - warnings, 1, ACCOUNTS);
    set_wrap(GK_VAULT_OK);
    const unsigned refused = vault_now().wraps;
    fake_host_advance(&fixture->host, DAY_MS);
    until_all(fixture, has_newest);
    assert_int_equal(vault_now().wraps - refused, ACCOUNTS);
}

/* Who is asked for when the process ends is not told of as unreachable: no vault was silent. */
static void test_ticker__the_end_of_the_process_is_no_silence(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_checking(fixture);
    gk_instance_stop(fixture->instance);
    assert_int_equal(fake_host_events(&fixture->host, "key.unreachable", "unavailable"), 0);
}

static bool is_cold(const struct gk_account_status *status, int64_t now_wall_ms)
{
    (void)now_wall_ms;
    return status->state == GK_ACCOUNT_COLD;
}

/* What is due is known from what is stored: a restart asks for those alone who are used, and for what was due anyway,
 * once for the key. */
static void test_ticker__a_restart_causes_no_storm(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    fixture_restart(fixture);
    const struct fake_vault before = vault_now();
    for (unsigned i = 0; i < 4; i++) {
        fake_host_advance(&fixture->host, INTERVAL_MS);
        until_all(fixture, is_cold);
    }
    assert_int_equal(vault_now().unwraps, before.unwraps);
    assert_int_equal(vault_now().gets, before.gets);
    assert_int_equal(warm_one(fixture), GK_OK);
    assert_int_equal(vault_now().unwraps, before.unwraps + 1);
    fake_host_advance(&fixture->host, DAY_MS);
    fixture_restart(fixture);
    until_all(fixture, is_cold); /* looked at, as the gateway's search through all accounts does */
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_all(fixture, looked_today);
    assert_int_equal(vault_now().gets, before.gets + 1);
    assert_int_equal(vault_now().wraps, before.wraps);
}

static void test_ticker__silence_counts_for_all(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(unwraps_until_all(fixture, unreachable), 1);
    assert_all_read(fixture, true);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(unwraps_until_all(fixture, active_now), 1);
    rotate_vault();
    for (unsigned i = 0; i < ACCOUNTS; i++) {
        char name[8];
        name_of(i, name);
        assert_int_equal(gk_account_check_now(fixture->instance, name, &by_tester, NULL), GK_OK);
    }
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(unwraps_until_all(fixture, unreachable),
                     1); /* the version before is not asked */
}

static void test_ticker__a_key_of_somebody_elses_speaks_for_nobody(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    fake_vault_lock()->plant = true;
    fake_vault_unlock();
    assert_int_equal(unwraps_until_all(fixture, unreachable), ACCOUNTS);
}

static void test_ticker__a_key_that_is_too_short_is_of_one_alone(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    fake_vault_lock()->short_key = true;
    fake_vault_unlock();
    assert_int_equal(unwraps_until_all(fixture, unreachable), ACCOUNTS);
}

static void test_ticker__who_has_no_key_by_then_asks_for_it(void **state)
{
    struct fixture *fixture = *state;
    create_all(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    (void)unwraps_until_all(fixture, unreachable);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    fake_host_advance(&fixture->host, INTERVAL_MS); /* the next check begins, and stays */
    until_checking(fixture);
    fake_host_advance(&fixture->host, GRACE_MS); /* the keys are dropped meanwhile */
    until_all(fixture, degraded);
    assert_all_read(fixture, false);
    set_unwrap(GK_VAULT_OK);
    fake_vault_lock()->hold = false;
    fake_vault_unlock();
    until_all(fixture, active_now);
    assert_all_read(fixture, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ticker__accounts_on_one_key_cost_one_call,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__one_that_is_due_takes_the_others_along,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__what_was_due_together_drifts_apart,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__the_interval_holds_whatever_the_vault_asks_for,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__other_keys_and_identities_are_asked_for_apart,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__one_refusal_revokes_all_and_each_opens_its_own,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__one_look_finds_a_version_for_all,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__one_look_finds_a_vault_silent_for_all,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__a_look_that_was_not_made_puts_off_no_other,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__the_end_of_the_process_is_no_silence,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__one_refusal_to_wrap_is_for_all, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__one_refusal_to_tell_is_for_all, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__a_restart_causes_no_storm, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__silence_counts_for_all, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__a_key_of_somebody_elses_speaks_for_nobody,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__a_key_that_is_too_short_is_of_one_alone,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_ticker__who_has_no_key_by_then_asks_for_it,
                                        fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
