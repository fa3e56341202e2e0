/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts that nobody uses: when they are closed, what is kept of them, and what brings them back. */
#include "plugin/absent_accounts.h"
#include "unit/instance_fixture.h"

#define IDLE_S      "60"
#define IDLE_MS     60000
#define INTERVAL_MS 1000
#define MINUTE_MS   60000
#define DAY_MS      86400000

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) {
        return -1;
    }
    fake_host_init(&fixture->host);
    fake_vault_reset();
    fixture_start_with(fixture, "86400", IDLE_S);
    *state = fixture;
    return 0;
}

static bool is_in_memory(struct fixture *fixture)
{
    struct gk_account *account = gk_accounts_find(fixture->instance, NAME);
    gk_account_release(account);
    return account != NULL;
}

/* By a clock that else stands, and time for the other threads. */
static void tick(struct fixture *fixture)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    fake_host_advance(&fixture->host, NUDGE_MS);
    nanosleep(&pause, NULL);
}

/* Whoever holds the account when it is looked at has it in use: a check under way, or who asks below. On a busy
 * machine one of them may, at each small step of the clock; so each step is as long as the idle time. */
static void until_closed(struct fixture *fixture)
{
    const struct timespec pause = {.tv_nsec = 2000000};
    for (int i = 0; i < UNTIL_MS && is_in_memory(fixture); i++) {
        nanosleep(&pause, NULL);
        fake_host_advance(&fixture->host, IDLE_MS);
        nanosleep(&pause, NULL);
    }
    assert_false(is_in_memory(fixture));
}

static void create_and_close(struct fixture *fixture)
{
    create_customer(fixture);
    fake_host_advance(&fixture->host, IDLE_MS);
    until_closed(fixture);
}

/* Until somebody has asked the vault for the newest version so often, ticks going on. */
static void until_gets(struct fixture *fixture, unsigned gets)
{
    for (int i = 0; i < UNTIL_MS && vault_now().gets < gets; i++) {
        tick(fixture);
    }
    assert_int_equal(vault_now().gets, gets);
}

static void test_absent_accounts__the_idle_are_closed_and_open_at_first_use(void **state)
{
    struct fixture *fixture = *state;
    create_and_close(fixture);
    const unsigned unwraps = vault_now().unwraps;
    struct gk_account *account = open_account(fixture);
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_E_COLD);
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_DELETE_BLOB, 0, NULL), GK_OK);
    assert_int_equal(gk_account_warm(account, DEADLINE_MS, NULL), GK_OK);
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_OK);
    assert_int_equal(vault_now().unwraps, unwraps + 1);
    gk_account_release(account);
}

static void test_absent_accounts__a_handle_keeps_its_account(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    for (unsigned i = 0; i < 4; i++) {
        const int64_t now_ms = atomic_load(&fixture->host.wall_ms) + IDLE_MS;
        fake_host_advance(&fixture->host, IDLE_MS);
        const struct timespec pause = {.tv_nsec = 1000000};
        for (int wait = 0; wait < UNTIL_MS && status_of(fixture).last_check_wall_ms < now_ms;
             wait++) {
            nanosleep(&pause, NULL);
        }
        assert_true(is_in_memory(fixture));
        assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_OK);
    }
    gk_account_release(account);
}

static void assert_stays(struct fixture *fixture, enum gk_vault_verdict verdict,
                         enum gk_account_state account_state)
{
    create_customer(fixture);
    set_unwrap(verdict);
    fake_host_advance(&fixture->host, INTERVAL_MS);
    until_state(fixture, account_state);
    fake_host_advance(&fixture->host, IDLE_MS);
    const unsigned unwraps = vault_now().unwraps;
    for (int i = 0; i < UNTIL_MS && vault_now().unwraps < unwraps + 5; i++) {
        tick(fixture);
    }
    assert_state(fixture, account_state);
    set_unwrap(GK_VAULT_OK);
    until_closed(fixture);
}

static void test_absent_accounts__a_revoked_one_stays_until_it_is_restored(void **state)
{
    assert_stays(*state, GK_VAULT_KEY_REFUSED, GK_ACCOUNT_REVOKED);
}

static void test_absent_accounts__the_grace_keeps_the_root_key(void **state)
{
    assert_stays(*state, GK_VAULT_UNAVAILABLE, GK_ACCOUNT_UNREACHABLE);
}

static void test_absent_accounts__who_is_only_looked_at_does_not_stay(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture); /* idle for a year */
    assert_state(fixture, GK_ACCOUNT_COLD);
    assert_true(is_in_memory(fixture));
    until_closed(fixture);
}

static void test_absent_accounts__the_daily_check_is_made(void **state)
{
    struct fixture *fixture = *state;
    create_and_close(fixture);
    rotate_vault();
    const unsigned gets = vault_now().gets;
    fake_host_advance(&fixture->host, DAY_MS);
    until_gets(fixture, gets + 1);
    until_closed(fixture);
    assert_int_equal(fake_host_events(&fixture->host, "key.rotate", "ok"), 1);
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(2, key_id);
    assert_string_equal(status_of(fixture).current_key_id, key_id);
    until_closed(fixture);
    fake_host_advance(&fixture->host, DAY_MS / 2); /* nothing is due */
    const unsigned reads = fake_host_reads(&fixture->host);
    for (unsigned i = 0; i < 50; i++) {
        fake_host_advance(&fixture->host, NUDGE_MS);
        sched_yield();
    }
    assert_int_equal(vault_now().gets, gets + 1);
    assert_int_equal(fake_host_reads(&fixture->host), reads);
}

static void test_absent_accounts__the_wrap_before_goes_when_its_time_is_over(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_string_not_equal(status_of(fixture).previous_key_id, "");
    fake_host_advance(&fixture->host, IDLE_MS);
    until_closed(fixture);
    const unsigned writes = fake_host_writes(&fixture->host);
    fake_host_advance(&fixture->host, DAY_MS);
    for (int i = 0; i < UNTIL_MS && fake_host_writes(&fixture->host) == writes; i++) {
        tick(fixture);
    }
    until_closed(fixture);
    assert_string_equal(status_of(fixture).previous_key_id, "");
}

static void test_absent_accounts__a_store_that_is_away_is_asked_again(void **state)
{
    struct fixture *fixture = *state;
    create_and_close(fixture);
    const unsigned gets = vault_now().gets;
    fake_host_set_silent(&fixture->host, true);
    const unsigned reads = fake_host_reads(&fixture->host);
    fake_host_advance(&fixture->host, DAY_MS);
    for (int i = 0; i < UNTIL_MS && fake_host_reads(&fixture->host) < reads + 3; i++) {
        tick(fixture);
    }
    assert_int_equal(vault_now().gets, gets);
    fake_host_set_silent(&fixture->host, false);
    until_gets(fixture, gets + 1);
}

/* How long it is put off stands with the key, not with the account that comes and goes. */
static void test_absent_accounts__who_may_not_be_told_is_asked_less_and_less(void **state)
{
    struct fixture *fixture = *state;
    create_and_close(fixture);
    const unsigned gets = vault_now().gets;
    const unsigned warnings = fake_host_warnings(&fixture->host);
    fake_vault_lock()->get_verdict = GK_VAULT_KEY_REFUSED;
    fake_vault_unlock();
    fake_host_advance(&fixture->host, DAY_MS);
    until_gets(fixture, gets + 1);
    for (unsigned step = 0; step < 2 * DAY_MS / (10 * MINUTE_MS); step++) {
        fake_host_advance(&fixture->host, 10 * MINUTE_MS);
        tick(fixture);
        if (step % 32 == 0) {
            until_closed(fixture);
        }
    }
    assert_in_range(vault_now().gets - gets, 2, 13); /* after 0, 5, 15, 35 minutes, ... */
    assert_int_equal(fake_host_warnings(&fixture->host), warnings + 1);
}

static void test_absent_accounts__an_older_record_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t older[FAKE_VALUE_MAX];
    create_customer(fixture);
    const size_t len = fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, older, sizeof older);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    fake_host_advance(&fixture->host, IDLE_MS);
    until_closed(fixture);
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, older, len);
    struct gk_account *account = NULL;
    assert_int_equal(gk_account_open(fixture->instance, NAME, &account, NULL), GK_E_INTEGRITY);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", "refused"), 1);
}

static void test_absent_accounts__one_that_was_deleted_is_let_be(void **state)
{
    struct fixture *fixture = *state;
    create_and_close(fixture);
    fake_host_delete(&fixture->host, NAME);
    const unsigned reads = fake_host_reads(&fixture->host);
    fake_host_advance(&fixture->host, DAY_MS);
    for (int i = 0; i < UNTIL_MS && fake_host_reads(&fixture->host) == reads; i++) {
        tick(fixture);
    }
    for (unsigned i = 0; i < 50; i++) {
        fake_host_advance(&fixture->host, INTERVAL_MS);
        sched_yield();
    }
    assert_int_equal(fake_host_reads(&fixture->host), reads + 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_absent_accounts__the_idle_are_closed_and_open_at_first_use),
        TEST(test_absent_accounts__a_handle_keeps_its_account),
        TEST(test_absent_accounts__a_revoked_one_stays_until_it_is_restored),
        TEST(test_absent_accounts__the_grace_keeps_the_root_key),
        TEST(test_absent_accounts__who_is_only_looked_at_does_not_stay),
        TEST(test_absent_accounts__the_daily_check_is_made),
        TEST(test_absent_accounts__the_wrap_before_goes_when_its_time_is_over),
        TEST(test_absent_accounts__a_store_that_is_away_is_asked_again),
        TEST(test_absent_accounts__who_may_not_be_told_is_asked_less_and_less),
        TEST(test_absent_accounts__an_older_record_is_not_taken),
        TEST(test_absent_accounts__one_that_was_deleted_is_let_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
