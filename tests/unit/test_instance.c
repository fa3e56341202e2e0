/* SPDX-License-Identifier: Apache-2.0 */
/* The account state machine with a fake vault: who is let through, when, and who asks the vault. */
#include "unit/instance_fixture.h"

#include "common/text.h"

static const struct gk_object_scope scope = {.container.bytes = {1}, .object.bytes = {2}};

/* --- settings and life ------------------------------------------------------------------------ */

static void test_instance__refuses_settings_it_cannot_use(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        const char *value;
        enum gk_status status;
    } cases[] = {
        {"check_interval_ms", "1000", GK_OK},
        {"check_interval_ms", "999", GK_E_INVALID},
        {"check_interval_ms", "-1", GK_E_INVALID},
        {"check_interval_ms", "", GK_E_INVALID},
        {"grace_s", "0", GK_OK},
        {"grace_s", "12h", GK_E_INVALID},
        {"version_check_interval_s", "86400", GK_OK},
        {"version_check_interval_s", "99999999999999999999", GK_E_INVALID},
        {"pinned_key_without_get", "true", GK_OK},
        {"pinned_key_without_get", "1", GK_E_INVALID},
        {"read_rotation_policy", "true", GK_OK},
        {"read_rotation_policy", "daily", GK_E_INVALID},
        {"previous_wrap_keep_s", "0", GK_OK},
        {"account_idle_s", "59", GK_E_INVALID},
        {"account_idle_s", "31536000", GK_OK},
        {"key_expiry_warning_days", "0", GK_OK},
        {"key_expiry_warning_days", "3651", GK_E_INVALID},
        {"key_age_warning_days", "730", GK_OK},
        {"key_age_warning_days", "-1", GK_E_INVALID},
        {"vault_deadline_ms", "99", GK_E_INVALID},
        {"fake", "x", GK_OK},
        {"no_such_setting", "x", GK_E_NOT_FOUND},
    };
    struct fake_host host;
    fake_host_init(&host);
    const struct gk_host callbacks = fake_host_callbacks(&host);
    struct gk_instance *instance = NULL;
    assert_int_equal(gk_instance_create_with(&fake_provider_ops, &callbacks, &instance, NULL),
                     GK_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gk_error error = {0};
        const enum gk_status status =
            gk_instance_config(instance, cases[i].key, cases[i].value, &error);
        assert_int_equal(status, cases[i].status);
        assert_true(status != GK_E_INVALID || strstr(error.message, cases[i].key) != NULL);
    }
    gk_instance_destroy(instance);
    fake_host_cleanup(&host);
}

static void test_instance__refuses_another_host(void **state)
{
    (void)state;
    struct fake_host host;
    fake_host_init(&host);
    struct gk_instance *instance = NULL;
    struct gk_host other = fake_host_callbacks(&host);
    other.abi_version++;
    assert_int_equal(gk_instance_create_with(&fake_provider_ops, &other, &instance, NULL),
                     GK_E_UNSUPPORTED);
    other = fake_host_callbacks(&host);
    other.audit = NULL;
    assert_int_equal(gk_instance_create_with(&fake_provider_ops, &other, &instance, NULL),
                     GK_E_INVALID);
    assert_null(instance);
    fake_host_cleanup(&host);
}

/* --- create ----------------------------------------------------------------------------------- */

static void test_instance__create_wraps_once_and_proves_it(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    const struct fake_vault vault = vault_now();
    assert_int_equal(vault.gets, 1);
    assert_int_equal(vault.wraps, 1);
    assert_int_equal(vault.unwraps, 1);
    assert_int_equal(fake_host_events(&fixture->host, "account.create", "ok"), 1);
    /* What was just proved is not asked for again. */
    assert_int_equal(authorize_read(fixture), GK_OK);
    const struct gk_account_status status = status_of(fixture);
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(1, key_id);
    assert_int_equal(status.state, GK_ACCOUNT_ACTIVE);
    assert_string_equal(status.current_key_id, key_id);
    assert_string_equal(status.previous_key_id, "");
    assert_int_equal(status.check_interval_ms, 1000);
    const struct gk_encryption_settings settings = customer_settings();
    assert_int_equal(create_account(fixture, &settings), GK_E_EXISTS);
    assert_int_equal(vault_now().wraps, 1);
}

static void spoil(struct fake_vault *vault, unsigned which)
{
    switch (which) {
    case 0:
        snprintf(vault->info.key_type, sizeof vault->info.key_type, "EC");
        break;
    case 1:
        vault->info.modulus_bits = 1024;
        break;
    case 2:
        vault->info.enabled = 0;
        break;
    case 3:
        vault->info.may_unwrap = 0;
        break;
    case 4:
        vault->info.soft_delete = 0;
        break;
    case 5:
        vault->info.purge_protected = 0;
        break;
    case 6:
        vault->info.expires_wall_ms = 1;
        break;
    case 7:
        vault->info.not_before_wall_ms = INT64_MAX;
        break;
    case 8:
        vault->get_verdict = GK_VAULT_KEY_REFUSED;
        break;
    case 9:
        vault->wrap_verdict = GK_VAULT_KEY_REFUSED;
        break;
    case 10:
        vault->unwrap_verdict = GK_VAULT_KEY_REFUSED;
        break;
    case 11:
        vault->get_verdict = GK_VAULT_GONE;
        break;
    default:
        vault->get_verdict = GK_VAULT_IDENTITY_GONE;
        break;
    }
}

static void test_instance__create_refuses_a_key_that_will_not_do(void **state)
{
    struct fixture *fixture = *state;
    static const char *const words[] = {
        "RSA",           "1024",       "disabled", "unwrapKey", "soft",     "purge",   "expired",
        "not valid yet", "permission", "wrapKey",  "unwrapKey", "no vault", "identity"};
    const struct gk_encryption_settings settings = customer_settings();
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        fake_vault_reset();
        spoil(fake_vault_lock(), i);
        fake_vault_unlock();
        assert_int_equal(create_account(fixture, &settings), GK_E_INVALID);
        assert_int_equal(fixture->error.http_status, 400);
        assert_true(strncmp(fixture->error.code, "KeyVault", 8) == 0);
        if (strstr(fixture->error.message, words[i]) == NULL) {
            fail_msg("case %u: %s", i, fixture->error.message);
        }
        assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR));
    }
}

static void test_instance__a_key_that_the_operator_forbids_is_not_taken(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    atomic_store(&fixture->host.permitted_bits, 3072);
    assert_int_equal(create_account(fixture, &settings), GK_E_INVALID);
    assert_int_equal(fixture->error.http_status, 403);
    assert_string_equal(fixture->error.code, "NotPermitted");
    assert_int_equal(vault_now().wraps, 0);
    assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR));
    atomic_store(&fixture->host.permitted_bits, 0);
    assert_int_equal(create_account(fixture, &settings), GK_OK);
    struct gk_account_status status;
    assert_int_equal(gk_account_get_status(fixture->instance, NAME, &status, NULL), GK_OK);
    assert_int_equal(status.key_info.modulus_bits, 2048);
    assert_string_equal(status.key_info.key_type, "RSA");
    assert_true(status.key_info_told_wall_ms > 0);
}

static void test_instance__create_with_a_silent_vault_is_busy(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = customer_settings();
    fake_vault_lock()->get_verdict = GK_VAULT_UNAVAILABLE;
    fake_vault_unlock();
    assert_int_equal(create_account(fixture, &settings), GK_E_UNAVAILABLE);
    assert_int_equal(fixture->error.http_status, 503);
    assert_true(fixture->error.retry_after_s > 0);
}

static void test_instance__create_refuses_bad_names_and_vaults(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"",    "ab",      "Acme",
                                        "a_c", "../acme", "aaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct gk_encryption_settings settings = customer_settings();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(
            gk_account_create(fixture->instance, names[i], &settings, &by_tester, NULL),
            GK_E_INVALID);
    }
    snprintf(settings.key.vault_uri, sizeof settings.key.vault_uri, "https://elsewhere");
    assert_int_equal(create_account(fixture, &settings), GK_E_INVALID);
    assert_int_equal(vault_now().gets, 0);
}

static void test_instance__service_managed_asks_no_vault(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    assert_int_equal(create_account(fixture, &settings), GK_OK);
    assert_state(fixture, GK_ACCOUNT_SERVICE_MANAGED);
    assert_int_equal(authorize_read(fixture), GK_OK);
    assert_int_equal(check_now(fixture), GK_OK);
    fixture_restart(fixture);
    assert_int_equal(authorize_read(fixture), GK_OK);
    const struct fake_vault vault = vault_now();
    assert_int_equal(vault.gets + vault.wraps + vault.unwraps, 0);
}

/* --- revocation ------------------------------------------------------------------------------- */

static void test_instance__refusal_revokes_and_success_restores(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum gk_vault_verdict verdict;
        const char *code;
    } cases[] = {
        {GK_VAULT_KEY_REFUSED, "KeyVaultEncryptionKeyNotFound"},
        {GK_VAULT_GONE, "KeyVaultVaultNotFound"},
        {GK_VAULT_IDENTITY_GONE, "KeyVaultAccessTokenCannotBeAcquired"},
    };
    create_customer(fixture);
    for (unsigned i = 0; i < 3; i++) {
        set_unwrap(cases[i].verdict);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_int_equal(authorize_read(fixture), GK_E_DENIED);
        assert_int_equal(fixture->error.http_status, 403);
        assert_string_equal(fixture->error.code, cases[i].code);
        const struct gk_account_status status = status_of(fixture);
        assert_int_equal(status.state, GK_ACCOUNT_REVOKED);
        assert_string_equal(status.reason_code, "Forbidden/KeyDisabled");
        assert_string_equal(status.reason_request_id, "fake-request");
        assert_int_equal(status.revoked_since_wall_ms, status.last_check_wall_ms);
        struct gk_account *account = open_account(fixture);
        assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_DELETE_BLOB, 0, NULL), GK_OK);
        assert_null(account->root_key);
        gk_account_release(account);
        set_unwrap(GK_VAULT_OK);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_int_equal(authorize_read(fixture), GK_OK);
        assert_int_equal(status_of(fixture).revoked_since_wall_ms, 0);
        assert_int_equal(fake_host_events(&fixture->host, "key.revoked", "refused"), i + 1);
        assert_int_equal(fake_host_events(&fixture->host, "key.restored", "ok"), i + 1);
    }
}

static void test_instance__the_ticker_notices_by_itself(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_REVOKED);
    set_unwrap(GK_VAULT_OK);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_ACTIVE);
}

static void test_instance__silence_is_forgiven_for_the_grace(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_UNREACHABLE);
    assert_int_equal(authorize_read(fixture), GK_OK);
    const struct gk_account_status status = status_of(fixture);
    assert_int_equal(status.grace_until_wall_ms - status.unreachable_since_wall_ms, 600000);
    fake_host_advance(&fixture->host, 605000);
    until_state(fixture, GK_ACCOUNT_DEGRADED);
    assert_int_equal(authorize_read(fixture), GK_E_UNAVAILABLE);
    assert_int_equal(fixture->error.http_status, 503);
    assert_string_equal(fixture->error.code, "ServerBusy");
    assert_true(fixture->error.retry_after_s >= 1);
    set_unwrap(GK_VAULT_OK);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_ACTIVE);
    assert_int_equal(authorize_read(fixture), GK_OK);
}

static void pass_an_interval(void *ctx)
{
    fake_host_advance(ctx, 1000);
}

static void until_read(struct fixture *fixture, unsigned least)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < UNTIL_MS && fake_host_reads(&fixture->host) < least; i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(fake_host_reads(&fixture->host) >= least);
}

/* The clock moves on in the middle of a tick and then stands: what has become due meanwhile is done. */
static void test_instance__a_tick_that_takes_long_does_not_put_off_the_next(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_UNREACHABLE);
    unsigned reads = fake_host_reads(&fixture->host);
    const int64_t grace_ms = status_of(fixture).grace_until_wall_ms;
    fake_host_advance(&fixture->host, grace_ms - atomic_load(&fixture->host.wall_ms) - 200);
    until_read(fixture, reads + 1); /* the next is due 750 ms later */
    reads = fake_host_reads(&fixture->host);
    pthread_mutex_lock(&fixture->host.mutex);
    fixture->host.on_event = pass_an_interval; /* the end of the grace */
    fixture->host.hook_ctx = &fixture->host;
    pthread_mutex_unlock(&fixture->host.mutex);
    fake_host_advance(&fixture->host, 250);
    until_read(fixture, reads + 1);
    assert_state(fixture, GK_ACCOUNT_DEGRADED);
}

/* --- cold accounts ---------------------------------------------------------------------------- */

static enum gk_status warm(struct fixture *fixture)
{
    struct gk_account *account = open_account(fixture);
    fixture->error = (struct gk_error){0};
    const enum gk_status status = gk_account_warm(account, DEADLINE_MS, &fixture->error);
    gk_account_release(account);
    return status;
}

static void test_instance__cold_until_warmed(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    assert_state(fixture, GK_ACCOUNT_COLD);
    assert_int_equal(authorize_read(fixture), GK_E_COLD);
    assert_int_equal(warm(fixture), GK_OK);
    assert_int_equal(authorize_read(fixture), GK_OK);
    assert_int_equal(vault_now().unwraps, 2);
}

static void test_instance__cold_and_refused_is_denied(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(warm(fixture), GK_E_DENIED);
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
}

static void test_instance__cold_and_silent_is_busy(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(warm(fixture), GK_E_UNAVAILABLE);
    assert_int_equal(fixture->error.http_status, 503);
    assert_int_equal(authorize_read(fixture), GK_E_UNAVAILABLE);
    set_unwrap(GK_VAULT_OK);
    fake_host_advance(&fixture->host, 1000);
    until_state(fixture, GK_ACCOUNT_ACTIVE);
}

static void test_instance__warm_ends_at_its_deadline(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    struct gk_account *account = open_account(fixture);
    struct gk_error error = {0};
    assert_int_equal(gk_account_warm(account, 20, &error), GK_E_UNAVAILABLE);
    assert_int_equal(error.http_status, 503);
    gk_account_release(account);
    fake_vault_lock()->hold = false;
    fake_vault_unlock();
    assert_int_equal(warm(fixture), GK_OK);
}

static void *warm_thread(void *ctx)
{
    static enum gk_status failed = GK_E_INTERNAL;
    struct gk_account *account = ctx;
    return gk_account_warm(account, DEADLINE_MS, NULL) == GK_OK ? NULL : &failed;
}

static void test_instance__sixteen_waiters_share_one_unwrap(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    const unsigned before = vault_now().unwraps;
    struct gk_account *account = open_account(fixture);
    pthread_t threads[16];
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, warm_thread, account), 0);
    }
    fake_vault_lock()->hold = false;
    fake_vault_unlock();
    for (size_t i = 0; i < 16; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(vault_now().unwraps, before + 1);
    gk_account_release(account);
}

static void test_instance__a_planted_root_key_is_never_used(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    fake_vault_lock()->plant = true;
    fake_vault_unlock();
    assert_int_equal(warm(fixture), GK_E_INTEGRITY);
    assert_int_equal(authorize_read(fixture), GK_E_INTEGRITY);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_E_INTEGRITY);
    assert_null(account->root_key);
    gk_account_release(account);
    fake_vault_lock()->plant = false;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(authorize_read(fixture), GK_OK);
    /* With the right one in memory, the wrong one is an answer that is none. */
    fake_vault_lock()->plant = true;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_UNREACHABLE);
    assert_int_equal(authorize_read(fixture), GK_OK);
}

/* --- handles ---------------------------------------------------------------------------------- */

static void test_instance__handles_from_before_a_revocation_stay_dark(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    struct gk_id id;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    uint8_t chunk[3 + GK_TAG_BYTES] = {1, 2, 3};
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
    assert_int_equal(gk_segment_seal(segment, 0, 1, gk_span_of(chunk, 3), chunk, NULL), GK_OK);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    uint8_t plain[3] = {9, 9, 9};
    assert_int_equal(
        gk_segment_open(segment, 0, 1, gk_span_of(chunk, sizeof chunk), plain, &fixture->error),
        GK_E_DENIED);
    assert_int_equal(plain[0] + plain[1] + plain[2], 0);
    struct gk_segment *other = NULL;
    assert_int_equal(gk_segment_load(data_key, &id, &other, NULL), GK_E_DENIED);
    struct gk_data_key *again = NULL;
    const struct gk_span stored = gk_span_of(sealed, sizeof sealed);
    assert_int_equal(gk_data_key_open(account, &scope, stored, &again, NULL), GK_E_DENIED);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(
        gk_segment_open(segment, 0, 1, gk_span_of(chunk, sizeof chunk), plain, &fixture->error),
        GK_E_UNAVAILABLE);
    gk_segment_free(segment);
    gk_data_key_free(data_key);
    assert_int_equal(gk_data_key_open(account, &scope, stored, &data_key, NULL), GK_OK);
    assert_int_equal(gk_segment_load(data_key, &id, &segment, NULL), GK_OK);
    assert_int_equal(gk_segment_open(segment, 0, 1, gk_span_of(chunk, sizeof chunk), plain, NULL),
                     GK_OK);
    assert_int_equal(plain[2], 3);
    gk_segment_free(segment);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_instance__segments_seal_each_chunk_once_in_order(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    struct gk_segment *loaded = NULL;
    struct gk_id id;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    uint8_t *chunk = calloc(1, GK_CHUNK_SEALED_BYTES);
    const struct gk_span full = gk_span_of(chunk, GK_CHUNK_PLAIN_BYTES);
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
    assert_int_equal(gk_segment_seal(segment, 1, 0, full, chunk, NULL), GK_E_INVALID);
    assert_int_equal(gk_segment_seal(segment, 0, 0, gk_span_of(chunk, 5), chunk, NULL),
                     GK_E_INVALID);
    assert_int_equal(gk_segment_seal(segment, 0, 0, full, chunk, NULL), GK_OK);
    assert_int_equal(gk_segment_seal(segment, 0, 0, full, chunk, NULL), GK_E_INVALID);
    assert_int_equal(gk_segment_seal(segment, 1, 1, gk_span_of(chunk, 0), chunk, NULL), GK_OK);
    assert_int_equal(gk_segment_seal(segment, 2, 1, full, chunk, NULL), GK_E_INVALID);
    assert_int_equal(gk_segment_load(data_key, &id, &loaded, NULL), GK_OK);
    assert_int_equal(gk_segment_seal(loaded, 0, 0, full, chunk, NULL), GK_E_INVALID);
    gk_segment_free(loaded);
    gk_segment_free(segment);
    gk_data_key_free(data_key);
    gk_account_release(account);
    free(chunk);
}

static void test_instance__open_parts_outlive_a_revocation(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    uint8_t record[256];
    uint8_t out[256];
    size_t len = 0;
    size_t out_len = 0;
    const struct gk_span binding = gk_span_str("where");
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    assert_int_equal(gk_account_record_value_seal(account, data_key, binding, gk_span_str("open"),
                                                  gk_span_str("dark"), record, sizeof record, &len,
                                                  NULL),
                     GK_OK);
    const struct gk_span stored = gk_span_of(record, len);
    assert_int_equal(
        gk_data_key_record_value_open(data_key, binding, stored, out, sizeof out, &out_len, NULL),
        GK_OK);
    assert_memory_equal(out, "dark", 4);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(
        gk_data_key_record_value_open(data_key, binding, stored, out, sizeof out, &out_len, NULL),
        GK_E_DENIED);
    assert_int_equal(out_len, 0);
    assert_int_equal(
        gk_account_record_value_open(account, binding, stored, out, sizeof out, &out_len, NULL),
        GK_OK);
    assert_memory_equal(out, "open", 4);
    assert_int_equal(gk_account_record_value_reseal(account, binding, stored, gk_span_str("new"),
                                                    out, sizeof out, &out_len, NULL),
                     GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_instance__forgotten_handles_find_nothing(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    struct gk_id id;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    const struct gk_id old_id = status_of(fixture).id;
    gk_account_forget(fixture->instance, NAME);
    fake_host_delete(&fixture->host, NAME);
    assert_null(account->root_key);
    assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_E_NOT_FOUND);
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_E_NOT_FOUND);
    struct gk_account *gone = NULL;
    assert_int_equal(gk_account_open(fixture->instance, NAME, &gone, NULL), GK_E_NOT_FOUND);
    create_customer(fixture);
    assert_int_equal(authorize_read(fixture), GK_OK);
    const struct gk_id new_id = status_of(fixture).id;
    assert_false(gk_id_equal(&old_id, &new_id));
    /* The old handle does not come to life with the new account. */
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_E_NOT_FOUND);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

/* --- many at once ----------------------------------------------------------------------------- */

struct load {
    struct gk_account *account;
    atomic_bool *end;
    unsigned odd; /* answers that may never be */
};

static void *load_thread(void *ctx)
{
    struct load *load = ctx;
    while (!atomic_load(load->end)) {
        uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
        struct gk_data_key *data_key = NULL;
        struct gk_data_key *again = NULL;
        enum gk_status status = gk_data_key_create(load->account, &scope, sealed, &data_key, NULL);
        if (status == GK_OK) {
            status = gk_data_key_open(load->account, &scope, gk_span_of(sealed, sizeof sealed),
                                      &again, NULL);
        }
        load->odd += status != GK_OK && status != GK_E_DENIED && status != GK_E_COLD ? 1 : 0;
        gk_data_key_free(again);
        gk_data_key_free(data_key);
    }
    return NULL;
}

static void test_instance__revocations_under_load(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    atomic_bool end = false;
    pthread_t threads[4];
    struct load loads[4];
    for (size_t i = 0; i < 4; i++) {
        loads[i] = (struct load){.account = open_account(fixture), .end = &end};
        assert_int_equal(pthread_create(&threads[i], NULL, load_thread, &loads[i]), 0);
    }
    for (unsigned i = 0; i < 50; i++) {
        set_unwrap(i % 2 == 0 ? GK_VAULT_KEY_REFUSED : GK_VAULT_OK);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_int_equal(authorize_read(fixture), i % 2 == 0 ? GK_E_DENIED : GK_OK);
    }
    atomic_store(&end, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(loads[i].odd, 0);
        gk_account_release(loads[i].account);
    }
}

static void test_instance__stop_ends_what_waits(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    struct gk_account *account = open_account(fixture);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, warm_thread, account), 0);
    gk_instance_stop(fixture->instance);
    void *failed = NULL;
    pthread_join(thread, &failed);
    assert_non_null(failed);
    gk_account_release(account);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_instance__refuses_settings_it_cannot_use),
        cmocka_unit_test(test_instance__refuses_another_host),
        TEST(test_instance__create_wraps_once_and_proves_it),
        TEST(test_instance__create_refuses_a_key_that_will_not_do),
        TEST(test_instance__a_key_that_the_operator_forbids_is_not_taken),
        TEST(test_instance__create_with_a_silent_vault_is_busy),
        TEST(test_instance__create_refuses_bad_names_and_vaults),
        TEST(test_instance__service_managed_asks_no_vault),
        TEST(test_instance__refusal_revokes_and_success_restores),
        TEST(test_instance__the_ticker_notices_by_itself),
        TEST(test_instance__silence_is_forgiven_for_the_grace),
        TEST(test_instance__a_tick_that_takes_long_does_not_put_off_the_next),
        TEST(test_instance__cold_until_warmed),
        TEST(test_instance__cold_and_refused_is_denied),
        TEST(test_instance__cold_and_silent_is_busy),
        TEST(test_instance__warm_ends_at_its_deadline),
        TEST(test_instance__sixteen_waiters_share_one_unwrap),
        TEST(test_instance__a_planted_root_key_is_never_used),
        TEST(test_instance__handles_from_before_a_revocation_stay_dark),
        TEST(test_instance__segments_seal_each_chunk_once_in_order),
        TEST(test_instance__open_parts_outlive_a_revocation),
        TEST(test_instance__forgotten_handles_find_nothing),
        TEST(test_instance__revocations_under_load),
        TEST(test_instance__stop_ends_what_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
