/* SPDX-License-Identifier: Apache-2.0 */
/* Every answer in every state, from a table; then the grace, and what clients are told. */
#include "plugin/key_state.h"

#include <string.h>

#include "unit/cmocka_all.h"

#define GRACE_MS 1000

/* A mismatch is GK_VAULT_OK with another key. */
#define MISMATCH ((enum gk_vault_verdict)100)

static const struct {
    enum gk_account_state before;
    enum gk_vault_verdict verdict;
    enum gk_account_state after;
    enum gk_key_action action;
} table[] = {
    {GK_ACCOUNT_COLD, GK_VAULT_OK, GK_ACCOUNT_ACTIVE, GK_KEY_TAKE},
    {GK_ACCOUNT_COLD, GK_VAULT_KEY_REFUSED, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_COLD, GK_VAULT_GONE, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_COLD, GK_VAULT_IDENTITY_GONE, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_COLD, GK_VAULT_UNAVAILABLE, GK_ACCOUNT_DEGRADED, GK_KEY_KEEP},
    {GK_ACCOUNT_COLD, MISMATCH, GK_ACCOUNT_DEGRADED, GK_KEY_KEEP},
    {GK_ACCOUNT_ACTIVE, GK_VAULT_OK, GK_ACCOUNT_ACTIVE, GK_KEY_KEEP},
    {GK_ACCOUNT_ACTIVE, GK_VAULT_KEY_REFUSED, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_ACTIVE, GK_VAULT_GONE, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_ACTIVE, GK_VAULT_IDENTITY_GONE, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_ACTIVE, GK_VAULT_UNAVAILABLE, GK_ACCOUNT_UNREACHABLE, GK_KEY_KEEP},
    {GK_ACCOUNT_ACTIVE, MISMATCH, GK_ACCOUNT_UNREACHABLE, GK_KEY_KEEP},
    {GK_ACCOUNT_UNREACHABLE, GK_VAULT_OK, GK_ACCOUNT_ACTIVE, GK_KEY_KEEP},
    {GK_ACCOUNT_UNREACHABLE, GK_VAULT_KEY_REFUSED, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_UNREACHABLE, GK_VAULT_UNAVAILABLE, GK_ACCOUNT_UNREACHABLE, GK_KEY_KEEP},
    {GK_ACCOUNT_DEGRADED, GK_VAULT_OK, GK_ACCOUNT_ACTIVE, GK_KEY_TAKE},
    {GK_ACCOUNT_DEGRADED, GK_VAULT_GONE, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_DEGRADED, GK_VAULT_UNAVAILABLE, GK_ACCOUNT_DEGRADED, GK_KEY_KEEP},
    {GK_ACCOUNT_REVOKED, GK_VAULT_OK, GK_ACCOUNT_ACTIVE, GK_KEY_TAKE},
    {GK_ACCOUNT_REVOKED, GK_VAULT_IDENTITY_GONE, GK_ACCOUNT_REVOKED, GK_KEY_DROP},
    {GK_ACCOUNT_REVOKED, GK_VAULT_UNAVAILABLE, GK_ACCOUNT_REVOKED, GK_KEY_KEEP},
    {GK_ACCOUNT_REVOKED, MISMATCH, GK_ACCOUNT_REVOKED, GK_KEY_KEEP},
    {GK_ACCOUNT_SERVICE_MANAGED, GK_VAULT_OK, GK_ACCOUNT_SERVICE_MANAGED, GK_KEY_KEEP},
    {GK_ACCOUNT_SERVICE_MANAGED, GK_VAULT_KEY_REFUSED, GK_ACCOUNT_SERVICE_MANAGED, GK_KEY_KEEP},
};

static struct gk_moment at(int64_t ms)
{
    return (struct gk_moment){.mono_ms = ms, .wall_ms = 1000000 + ms};
}

static struct gk_key_outcome outcome_of(enum gk_vault_verdict verdict)
{
    struct gk_key_outcome outcome = {.code = "Code", .message = "message", .request_id = "id"};
    outcome.verdict = verdict == MISMATCH ? GK_VAULT_OK : verdict;
    outcome.mismatch = verdict == MISMATCH;
    return outcome;
}

static enum gk_key_action answer(struct gk_key_state *key, enum gk_vault_verdict verdict,
                                 int64_t ms)
{
    const struct gk_key_outcome outcome = outcome_of(verdict);
    return gk_key_state_answer(key, &outcome, at(ms), GRACE_MS);
}

static void test_key_state__every_answer_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct gk_key_state key;
        gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
        key.state = table[i].before;
        const enum gk_key_action action = answer(&key, table[i].verdict, 10);
        if (key.state != table[i].after || action != table[i].action) {
            fail_msg("row %zu: state %d, action %d", i, (int)key.state, (int)action);
        }
    }
}

static void test_key_state__grace_runs_from_the_first_silence(void **state)
{
    (void)state;
    struct gk_key_state key;
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    (void)answer(&key, GK_VAULT_OK, 0);
    (void)answer(&key, GK_VAULT_UNAVAILABLE, 100);
    assert_int_equal(answer(&key, GK_VAULT_UNAVAILABLE, 600), GK_KEY_KEEP);
    assert_int_equal(gk_key_state_tick(&key, at(1099), GRACE_MS), GK_KEY_KEEP);
    assert_int_equal(key.state, GK_ACCOUNT_UNREACHABLE);
    assert_true(gk_key_state_is_open(&key));
    assert_int_equal(gk_key_state_tick(&key, at(1100), GRACE_MS), GK_KEY_DROP);
    assert_int_equal(key.state, GK_ACCOUNT_DEGRADED);
    assert_false(gk_key_state_is_open(&key));
    assert_int_equal(key.silent_since_wall_ms, 1000100);
    /* An answer ends the silence; the next one has a grace of its own. */
    (void)answer(&key, GK_VAULT_OK, 2000);
    assert_false(key.silent);
    (void)answer(&key, GK_VAULT_UNAVAILABLE, 5000);
    assert_int_equal(key.state, GK_ACCOUNT_UNREACHABLE);
}

static void test_key_state__silence_after_the_grace_drops_without_a_tick(void **state)
{
    (void)state;
    struct gk_key_state key;
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    (void)answer(&key, GK_VAULT_OK, 0);
    (void)answer(&key, GK_VAULT_UNAVAILABLE, 1);
    assert_int_equal(answer(&key, GK_VAULT_UNAVAILABLE, 1001), GK_KEY_DROP);
    assert_int_equal(key.state, GK_ACCOUNT_DEGRADED);
}

static void test_key_state__no_grace_degrades_at_once(void **state)
{
    (void)state;
    struct gk_key_state key;
    const struct gk_key_outcome silent = outcome_of(GK_VAULT_UNAVAILABLE);
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    (void)answer(&key, GK_VAULT_OK, 0);
    assert_int_equal(gk_key_state_answer(&key, &silent, at(1), 0), GK_KEY_DROP);
    assert_int_equal(key.state, GK_ACCOUNT_DEGRADED);
}

static void test_key_state__revoked_since_the_first_refusal(void **state)
{
    (void)state;
    struct gk_key_state key;
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    (void)answer(&key, GK_VAULT_OK, 0);
    assert_int_equal(key.revoked_since_wall_ms, 0);
    (void)answer(&key, GK_VAULT_KEY_REFUSED, 100);
    (void)answer(&key, GK_VAULT_GONE, 200); /* for another reason, and as long */
    (void)answer(&key, GK_VAULT_UNAVAILABLE, 300);
    assert_int_equal(key.revoked_since_wall_ms, 1000100);
    assert_int_equal(key.last_check_wall_ms, 1000200);
    (void)answer(&key, GK_VAULT_OK, 400);
    assert_int_equal(key.revoked_since_wall_ms, 0);
    (void)answer(&key, GK_VAULT_KEY_REFUSED, 500);
    assert_int_equal(key.revoked_since_wall_ms, 1000500);
}

static void assert_told(const struct gk_key_state *key, enum gk_status status, uint16_t http,
                        const char *code)
{
    struct gk_error error = {0};
    assert_int_equal(gk_key_state_error(key, 60, &error), status);
    assert_int_equal(error.http_status, http);
    assert_string_equal(error.code, code);
}

static void test_key_state__documented_codes(void **state)
{
    (void)state;
    struct gk_key_state key;
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    assert_told(&key, GK_E_COLD, 0, "");
    (void)answer(&key, GK_VAULT_KEY_REFUSED, 1);
    assert_told(&key, GK_E_DENIED, 403, "KeyVaultEncryptionKeyNotFound");
    assert_string_equal(key.reason_code, "Code");
    (void)answer(&key, GK_VAULT_GONE, 2);
    assert_told(&key, GK_E_DENIED, 403, "KeyVaultVaultNotFound");
    (void)answer(&key, GK_VAULT_IDENTITY_GONE, 3);
    assert_told(&key, GK_E_DENIED, 403, "KeyVaultAccessTokenCannotBeAcquired");
    (void)answer(&key, GK_VAULT_OK, 4);
    assert_told(&key, GK_OK, 0, "");
    assert_string_equal(key.reason_code, "");
}

static void test_key_state__silence_is_busy_and_never_forbidden(void **state)
{
    (void)state;
    struct gk_key_state key;
    struct gk_error error = {0};
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    (void)answer(&key, GK_VAULT_UNAVAILABLE, 1);
    assert_told(&key, GK_E_UNAVAILABLE, 503, "ServerBusy");
    assert_int_equal(gk_key_state_error(&key, 60, &error), GK_E_UNAVAILABLE);
    assert_int_equal(error.retry_after_s, 60);
}

static void test_key_state__wrong_key_on_a_cold_account_is_an_integrity_error(void **state)
{
    (void)state;
    struct gk_key_state key;
    gk_key_state_init(&key, GK_KEY_SOURCE_CUSTOMER);
    (void)answer(&key, MISMATCH, 1);
    assert_told(&key, GK_E_INTEGRITY, 500, "InternalError");
    assert_string_equal(key.reason_code, "RootKeyMismatch");
    (void)answer(&key, GK_VAULT_UNAVAILABLE, 2);
    assert_told(&key, GK_E_INTEGRITY, 500, "InternalError");
    (void)answer(&key, GK_VAULT_OK, 3);
    assert_told(&key, GK_OK, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_key_state__every_answer_in_every_state),
        cmocka_unit_test(test_key_state__grace_runs_from_the_first_silence),
        cmocka_unit_test(test_key_state__silence_after_the_grace_drops_without_a_tick),
        cmocka_unit_test(test_key_state__no_grace_degrades_at_once),
        cmocka_unit_test(test_key_state__revoked_since_the_first_refusal),
        cmocka_unit_test(test_key_state__documented_codes),
        cmocka_unit_test(test_key_state__silence_is_busy_and_never_forbidden),
        cmocka_unit_test(test_key_state__wrong_key_on_a_cold_account_is_an_integrity_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
