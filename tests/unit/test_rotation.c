/* SPDX-License-Identifier: Apache-2.0 */
/* Rotation, change of settings, and the stored record: one wrap each, and nothing that was tampered
 * with is taken. */
#include "unit/instance_fixture.h"

static const struct gk_object_scope scope = {.container.bytes = {1}, .object.bytes = {2}};

static bool current_is(struct fixture *fixture, unsigned version)
{
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(version, key_id);
    return strcmp(status_of(fixture).current_key_id, key_id) == 0;
}

static void until_current(struct fixture *fixture, unsigned version)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < UNTIL_MS && !current_is(fixture, version); i++) {
        nanosleep(&pause, NULL);
    }
    assert_true(current_is(fixture, version));
}

/* --- rotation --------------------------------------------------------------------------------- */

static void test_rotation__a_day_later_the_new_version_is_taken_with_one_wrap(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    for (unsigned version = 2; version <= 6; version++) {
        const unsigned wraps = vault_now().wraps;
        rotate_vault();
        fake_host_advance(&fixture->host, DAY_MS);
        until_current(fixture, version);
        assert_int_equal(vault_now().wraps, wraps + 1);
        assert_int_equal(authorize_read(fixture), GK_OK);
        /* Each old version may go once its successor has been taken. */
        disable_version(version - 1, true);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_state(fixture, GK_ACCOUNT_ACTIVE);
    }
    assert_int_equal(fake_host_events(&fixture->host, "key.rotate", "ok"), 5);
    assert_int_equal(fake_host_events(&fixture->host, "key.revoked", NULL), 0);
    fixture_restart(fixture);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
}

static void test_rotation__no_new_version_no_new_record(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    const struct gk_account_status before = status_of(fixture);
    assert_int_equal(check_now(fixture), GK_OK);
    const struct gk_account_status after = status_of(fixture);
    assert_int_equal(after.record_sequence, before.record_sequence);
    assert_int_equal(vault_now().wraps, 1);
}

static void test_rotation__the_time_of_the_check_survives_a_restart(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fake_host_advance(&fixture->host, DAY_MS / 2);
    assert_int_equal(check_now(fixture), GK_OK);
    const int64_t checked_ms = status_of(fixture).last_version_check_wall_ms;
    fixture_restart(fixture);
    assert_int_equal(status_of(fixture).last_version_check_wall_ms, checked_ms);
    assert_int_equal(status_of(fixture).next_version_check_wall_ms, checked_ms + DAY_MS);
}

static void test_rotation__what_the_vault_told_survives_a_restart(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    const struct gk_account_status created = status_of(fixture);
    assert_int_equal(created.key_info.modulus_bits, 2048);
    fake_vault_lock()->info.expires_wall_ms = INT64_C(4102444800000);
    fake_vault_unlock();
    fake_host_advance(&fixture->host, DAY_MS / 2);
    for (unsigned i = 0; i < 2; i++) { /* what is new is kept, once */
        assert_int_equal(check_now(fixture), GK_OK);
        assert_int_equal(status_of(fixture).record_sequence, created.record_sequence + 1);
    }
    const struct gk_account_status checked = status_of(fixture);
    assert_int_equal(checked.key_expires_wall_ms, INT64_C(4102444800000));
    fixture_restart(fixture);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    const struct gk_account_status after = status_of(fixture);
    assert_memory_equal(&after.key_info, &checked.key_info, sizeof after.key_info);
    assert_int_equal(after.key_info_told_wall_ms, checked.last_version_check_wall_ms);
    assert_int_equal(after.key_expires_wall_ms, checked.key_expires_wall_ms);
}

static void test_rotation__a_pending_version_survives_a_restart(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    disable_version(2, true);
    assert_int_equal(check_now(fixture), GK_OK);
    fixture_restart(fixture);
    assert_int_equal(status_of(fixture).rotation_pending, 1);
    assert_int_equal(status_of(fixture).key_info.enabled, 0);
    disable_version(2, false);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).rotation_pending, 0);
}

static void test_rotation__data_sealed_before_opens_after(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    struct gk_data_key *again = NULL;
    struct gk_segment *segment = NULL;
    struct gk_id id;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_true(current_is(fixture, 2));
    /* A handle from before goes on: rotating drops nothing. */
    assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
    assert_int_equal(
        gk_data_key_open(account, &scope, gk_span_of(sealed, sizeof sealed), &again, NULL), GK_OK);
    gk_segment_free(segment);
    gk_data_key_free(again);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void test_rotation__the_previous_wrap_stays_while_it_settles(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    char first[GK_KEY_ID_BYTES_MAX];
    fake_key_id(1, first);
    struct gk_account_status status = status_of(fixture);
    assert_string_equal(status.previous_key_id, first);
    assert_int_equal(status.previous_wrap_until_wall_ms - status.last_rotation_wall_ms, DAY_MS);
    /* The version before may go at once; the one in use is the account's word. */
    disable_version(1, true);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    disable_version(1, false);
    disable_version(2, true);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    disable_version(2, false);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    fake_host_advance(&fixture->host, DAY_MS);
    assert_int_equal(check_now(fixture), GK_OK);
    status = status_of(fixture);
    assert_string_equal(status.previous_key_id, "");
    assert_int_equal(status.previous_wrap_until_wall_ms, 0);
}

/* A day, which is both settings' default, has tests above. */
static void test_rotation__looks_and_keeps_as_the_site_says(void **state)
{
    static const struct {
        const char *check_interval_s;
        int64_t check_interval_ms;
        const char *keep_s;
        int64_t keep_ms;
    } rows[] = {{"60", 60000, "3600", 3600000},
                {"3600", 3600000, "60", 60000},
                {"604800", 7 * (int64_t)DAY_MS, "2592000", 30 * (int64_t)DAY_MS}};
    struct fixture *fixture = *state;
    create_customer(fixture);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        gk_instance_destroy(fixture->instance);
        fixture_make(fixture);
        fixture_set(fixture, "version_check_interval_s", rows[i].check_interval_s);
        fixture_set(fixture, "previous_wrap_keep_s", rows[i].keep_s);
        assert_int_equal(gk_instance_start(fixture->instance, NULL), GK_OK);
        assert_int_equal(check_now(fixture), GK_OK);
        struct gk_account_status status = status_of(fixture);
        assert_int_equal(status.next_version_check_wall_ms - status.last_version_check_wall_ms,
                         rows[i].check_interval_ms);
        rotate_vault();
        fake_host_advance(&fixture->host, rows[i].check_interval_ms);
        until_current(fixture, i + 2);
        status = status_of(fixture);
        assert_int_equal(status.previous_wrap_until_wall_ms - status.last_rotation_wall_ms,
                         rows[i].keep_ms);
        fake_host_advance(&fixture->host, rows[i].keep_ms - 1);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_string_not_equal(status_of(fixture).previous_key_id, "");
        fake_host_advance(&fixture->host, 1);
        assert_int_equal(check_now(fixture), GK_OK);
        assert_string_equal(status_of(fixture).previous_key_id, "");
    }
}

static void test_rotation__an_unusable_new_version_is_pending(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    disable_version(2, true);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).rotation_pending, 1);
    assert_true(current_is(fixture, 1));
    assert_int_equal(fake_host_events(&fixture->host, "key.rotate", "refused"), 1);
    disable_version(2, false);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).rotation_pending, 0);
    assert_true(current_is(fixture, 2));
}

static void test_rotation__a_new_version_that_is_not_wrapped_by_yet_is_pending(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    fake_vault_lock()->wrap_verdict = GK_VAULT_UNAVAILABLE;
    fake_vault_unlock();
    assert_int_not_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).rotation_pending, 1);
    const uint64_t sequence = status_of(fixture).record_sequence;
    assert_int_not_equal(check_now(fixture), GK_OK); /* what was told again is not written again */
    assert_int_equal(status_of(fixture).record_sequence, sequence);
    fake_vault_lock()->wrap_verdict = GK_VAULT_OK;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).rotation_pending, 0);
    assert_true(current_is(fixture, 2));
}

static void test_rotation__an_expired_key_opens_and_is_reported(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    assert_int_equal(status_of(fixture).key_outside_dates, 0);
    fake_vault_lock()->info.expires_wall_ms = 1;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    assert_int_equal(status_of(fixture).key_outside_dates, 1);
}

static void test_rotation__a_pinned_version_stays(void **state)
{
    struct fixture *fixture = *state;
    struct gk_encryption_settings settings = customer_settings();
    snprintf(settings.key.version, sizeof settings.key.version, "%032x", 1);
    assert_int_equal(create_account(fixture, &settings), GK_OK);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_true(current_is(fixture, 1));
    /* Another version is a change of settings; the one before settles as after a rotation. */
    snprintf(settings.key.version, sizeof settings.key.version, "%032x", 2);
    assert_int_equal(
        gk_account_set_encryption(fixture->instance, NAME, &settings, &by_tester, NULL), GK_OK);
    assert_true(current_is(fixture, 2));
    assert_int_equal(vault_now().wraps, 2);
    assert_true(status_of(fixture).previous_key_id[0] != '\0');
}

static void test_rotation__other_writers_do_not_cost_a_wrap(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    pthread_mutex_lock(&fixture->host.mutex);
    fixture->host.conflicts = 5;
    pthread_mutex_unlock(&fixture->host.mutex);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_true(current_is(fixture, 2));
    assert_int_equal(vault_now().wraps, 2);
}

static void *check_thread(void *ctx)
{
    static int failed;
    return check_now(ctx) == GK_OK ? NULL : &failed;
}

static void test_rotation__many_who_check_at_once_wrap_once(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    pthread_t threads[8];
    struct fixture each[8];
    for (size_t i = 0; i < 8; i++) {
        each[i].instance = fixture->instance;
        assert_int_equal(pthread_create(&threads[i], NULL, check_thread, &each[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(current_is(fixture, 2));
    assert_int_equal(vault_now().wraps, 2);
}

/* --- change of settings ----------------------------------------------------------------------- */

static enum gk_status set_source(struct fixture *fixture, enum gk_key_source source)
{
    struct gk_encryption_settings settings = customer_settings();
    settings.source = source;
    fixture->error = (struct gk_error){0};
    return gk_account_set_encryption(fixture->instance, NAME, &settings, &by_tester,
                                     &fixture->error);
}

static void test_rotation__service_managed_and_back(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    struct gk_data_key *again = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_OK);
    assert_state(fixture, GK_ACCOUNT_SERVICE_MANAGED);
    assert_int_equal(vault_now().wraps, 1);
    gk_data_key_free(data_key);
    gk_account_release(account);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fixture_restart(fixture); /* the customer's key has no say any more */
    assert_int_equal(authorize_read(fixture), GK_OK);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_CUSTOMER), GK_OK);
    assert_int_equal(vault_now().wraps, 2);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    assert_string_equal(status_of(fixture).previous_key_id, "");
    account = open_account(fixture);
    assert_int_equal(
        gk_data_key_open(account, &scope, gk_span_of(sealed, sizeof sealed), &again, NULL), GK_OK);
    gk_data_key_free(again);
    gk_account_release(account);
    /* And it is the customer's again, with no way around. */
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(authorize_read(fixture), GK_E_DENIED);
}

static void test_rotation__a_service_key_is_told_of_by_no_vault(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_OK);
    assert_string_equal(status_of(fixture).key_info.key_type, "");
    assert_int_equal(status_of(fixture).key_info_told_wall_ms, 0);
}

static void test_rotation__a_revoked_key_is_not_left_behind(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    const unsigned writes = fake_host_writes(&fixture->host);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_E_DENIED);
    assert_int_equal(fixture->error.http_status, 403);
    assert_int_equal(fake_host_writes(&fixture->host), writes);
    assert_int_equal(status_of(fixture).settings.source, GK_KEY_SOURCE_CUSTOMER);
    assert_int_equal(fake_host_events(&fixture->host, "account.encryption", "refused"), 1);
}

static void test_rotation__the_same_settings_change_nothing(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    const unsigned writes = fake_host_writes(&fixture->host);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_CUSTOMER), GK_OK);
    assert_int_equal(fake_host_writes(&fixture->host), writes);
    assert_int_equal(vault_now().wraps, 1);
}

/* --- the stored record ------------------------------------------------------------------------ */

static void test_rotation__the_record_before_is_kept(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t first[FAKE_VALUE_MAX];
    static uint8_t previous[FAKE_VALUE_MAX];
    create_customer(fixture);
    assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR_PREVIOUS));
    const size_t first_len =
        fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, first, sizeof first);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    const size_t previous_len =
        fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR_PREVIOUS, previous, sizeof previous);
    assert_int_equal(previous_len, first_len);
    assert_memory_equal(previous, first, first_len);
    assert_int_equal(status_of(fixture).record_sequence, 2);
}

static void test_rotation__a_changed_record_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t good[FAKE_VALUE_MAX];
    create_customer(fixture);
    const size_t len = fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, good, sizeof good);
    for (size_t i = 0; i < len; i += 37) {
        gk_account_forget(fixture->instance, NAME);
        good[i] ^= 1;
        fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, good, len);
        struct gk_account *account = NULL;
        assert_int_equal(gk_account_open(fixture->instance, NAME, &account, NULL), GK_E_INTEGRITY);
        assert_null(account);
        good[i] ^= 1;
    }
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, good, len);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
}

static void test_rotation__another_accounts_record_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t record[FAKE_VALUE_MAX];
    create_customer(fixture);
    const size_t len = fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, record, sizeof record);
    fake_host_write(&fixture->host, "other", GK_ACCOUNT_ATTR, record, len);
    struct gk_account *account = NULL;
    assert_int_equal(gk_account_open(fixture->instance, "other", &account, NULL), GK_E_INTEGRITY);
}

/* The next read of the store gets no answer. */
static void silence_once(struct fixture *fixture)
{
    pthread_mutex_lock(&fixture->host.mutex);
    fixture->host.silent_once = 1;
    pthread_mutex_unlock(&fixture->host.mutex);
}

/* Another gateway rotates; its owner then disables the version that we still know of. */
static void test_rotation__a_refusal_looks_for_a_newer_record_first(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_instance *ours = fixture->instance;
    fixture_start(fixture);
    struct gk_instance *theirs = fixture->instance;
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    assert_true(current_is(fixture, 2));
    disable_version(1, true);
    fixture->instance = ours;
    assert_true(current_is(fixture, 1));
    silence_once(fixture); /* what is read before the vault is asked does not get through */
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    assert_true(current_is(fixture, 2));
    assert_int_equal(vault_now().wraps, 2);
    assert_int_equal(fake_host_events(&fixture->host, "key.revoked", NULL), 0);
    gk_instance_destroy(theirs);
}

static void test_rotation__another_gateways_change_of_source_is_taken(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_instance *ours = fixture->instance;
    fixture_start(fixture);
    struct gk_instance *theirs = fixture->instance;
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_OK);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    fixture->instance = ours;
    silence_once(fixture);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_SERVICE_MANAGED);
    assert_int_equal(authorize_read(fixture), GK_OK);
    gk_instance_destroy(theirs);
}

static void test_rotation__an_account_that_another_gateway_deleted_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    struct gk_account *account = open_account(fixture);
    fake_host_delete(&fixture->host, NAME);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    silence_once(fixture);
    assert_int_equal(check_now(fixture), GK_E_NOT_FOUND);
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_E_NOT_FOUND);
    struct gk_account *gone = NULL;
    assert_int_equal(gk_account_open(fixture->instance, NAME, &gone, NULL), GK_E_NOT_FOUND);
    gk_account_release(account);
}

static void test_rotation__a_vault_that_refuses_get_is_no_revocation(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fake_vault_lock()->get_verdict = GK_VAULT_KEY_REFUSED;
    fake_vault_unlock();
    assert_int_equal(check_now(fixture), GK_E_INVALID);
    assert_non_null(strstr(fixture->error.message, "permission get"));
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    assert_int_equal(authorize_read(fixture), GK_OK);
    rotate_vault();
    fake_vault_lock()->get_verdict = GK_VAULT_OK;
    fake_vault_unlock();
    fake_host_advance(&fixture->host, DAY_MS);
    until_current(fixture, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static void silence_version(unsigned version)
{
    fake_vault_lock()->silent_version = version;
    fake_vault_unlock();
}

/* The version before opens the root key still, but says nothing of the one in use. */
static void test_rotation__the_version_before_stands_in_for_nothing(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    disable_version(2, true);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    silence_version(2);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    fixture_restart(fixture);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_DEGRADED);
    silence_version(0);
    disable_version(2, false);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    silence_version(2);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_UNREACHABLE);
}

/* Nor does it let anybody get away from a key that is revoked. */
static void test_rotation__a_revoked_version_is_not_left_by_the_one_before(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    disable_version(2, true);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    const unsigned writes = fake_host_writes(&fixture->host);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_E_DENIED);
    silence_version(2);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_E_UNAVAILABLE);
    assert_int_equal(fake_host_writes(&fixture->host), writes);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    silence_version(0);
    disable_version(2, false);
    assert_int_equal(set_source(fixture, GK_KEY_SOURCE_SERVICE), GK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rotation__a_day_later_the_new_version_is_taken_with_one_wrap),
        TEST(test_rotation__no_new_version_no_new_record),
        TEST(test_rotation__the_time_of_the_check_survives_a_restart),
        TEST(test_rotation__what_the_vault_told_survives_a_restart),
        TEST(test_rotation__a_pending_version_survives_a_restart),
        TEST(test_rotation__data_sealed_before_opens_after),
        TEST(test_rotation__the_previous_wrap_stays_while_it_settles),
        TEST(test_rotation__looks_and_keeps_as_the_site_says),
        TEST(test_rotation__an_unusable_new_version_is_pending),
        TEST(test_rotation__a_new_version_that_is_not_wrapped_by_yet_is_pending),
        TEST(test_rotation__an_expired_key_opens_and_is_reported),
        TEST(test_rotation__a_pinned_version_stays),
        TEST(test_rotation__other_writers_do_not_cost_a_wrap),
        TEST(test_rotation__many_who_check_at_once_wrap_once),
        TEST(test_rotation__service_managed_and_back),
        TEST(test_rotation__a_service_key_is_told_of_by_no_vault),
        TEST(test_rotation__a_revoked_key_is_not_left_behind),
        TEST(test_rotation__the_same_settings_change_nothing),
        TEST(test_rotation__the_record_before_is_kept),
        TEST(test_rotation__a_changed_record_is_refused),
        TEST(test_rotation__another_accounts_record_is_refused),
        TEST(test_rotation__a_refusal_looks_for_a_newer_record_first),
        TEST(test_rotation__another_gateways_change_of_source_is_taken),
        TEST(test_rotation__an_account_that_another_gateway_deleted_is_forgotten),
        TEST(test_rotation__a_vault_that_refuses_get_is_no_revocation),
        cmocka_unit_test_setup_teardown(test_rotation__the_version_before_stands_in_for_nothing,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
            test_rotation__a_revoked_version_is_not_left_by_the_one_before, fixture_setup,
            fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
