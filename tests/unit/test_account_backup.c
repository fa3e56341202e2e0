/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what export gives brings an account back whose record was lost, and nothing that a restore is
 * given loses data, undoes a change of the key unasked, or is taken for a record that was put back.
 * Method: be the one who damages the store, and the one who has an old backup. */
#include "plugin/account_backup.h"

#include "common/text.h"

#include "unit/instance_fixture.h"

#define OTHER_KEY "other"

static const struct gk_object_scope scope = {.container.bytes = {1}, .object.bytes = {2}};

/* A backup, and a data key that was sealed when it was made. */
struct backup {
    uint8_t bytes[GK_ACCOUNT_RECORD_BYTES_MAX];
    size_t len;
    struct gk_account_record_info info;
};

/* What the host says, and what it was asked. */
struct checked {
    enum gk_status answer;
    const char *beside; /* attribute to write beside; NULL: none */
    unsigned times;
    struct gk_id id;
    void (*meanwhile)(struct fixture *fixture);
    struct fixture *fixture;
};

static enum gk_status check(void *ctx, struct gk_account *candidate, const struct gk_id *id,
                            struct gk_attr *beside, struct gk_error *error)
{
    struct checked *checked = ctx;
    assert_non_null(candidate);
    assert_null(beside->name);
    checked->times++;
    checked->id = *id;
    if (checked->meanwhile != NULL && checked->times == 1) {
        checked->meanwhile(checked->fixture);
    }
    if (checked->beside != NULL) {
        *beside = (struct gk_attr){.name = checked->beside, .value = {(const uint8_t *)"x", 1}};
    }
    if (error != NULL && checked->answer != GK_OK) {
        *error = (struct gk_error){.status = checked->answer, .http_status = 409, .code = "Host"};
    }
    return checked->answer;
}

static void take(struct fixture *fixture, struct backup *backup)
{
    memset(backup, 0, sizeof *backup);
    assert_int_equal(gk_account_record_export(fixture->instance, NAME, "tester", backup->bytes,
                                              sizeof backup->bytes, &backup->len, &backup->info,
                                              &fixture->error),
                     GK_OK);
    assert_true(backup->len > 0);
}

static enum gk_status restore_checked(struct fixture *fixture, const struct backup *backup,
                                      bool replace_settings, struct checked *checked)
{
    const struct gk_account_restore asked = {.record = {backup->bytes, backup->len},
                                             .replace_settings = replace_settings,
                                             .check = check,
                                             .check_ctx = checked};
    struct gk_account_record_info info;
    fixture->error = (struct gk_error){0};
    return gk_account_record_restore(fixture->instance, NAME, &asked, &by_tester, &info,
                                     &fixture->error);
}

static enum gk_status restore(struct fixture *fixture, const struct backup *backup)
{
    struct checked checked = {.answer = GK_OK};
    return restore_checked(fixture, backup, false, &checked);
}

static void assert_refused(struct fixture *fixture, enum gk_status status, const char *code)
{
    assert_int_equal(status, GK_E_INVALID);
    assert_string_equal(fixture->error.code, code);
    assert_in_range(fixture->error.http_status, 400, 409);
}

static void create_service_managed(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    assert_int_equal(create_account(fixture, &settings), GK_OK);
}

static enum gk_status warm(struct fixture *fixture)
{
    struct gk_account *account = open_account(fixture);
    const enum gk_status status = gk_account_warm(account, DEADLINE_MS, &fixture->error);
    gk_account_release(account);
    return status;
}

static void seal(struct fixture *fixture, uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    assert_int_equal(gk_data_key_create(account, &scope, sealed, &data_key, NULL), GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void assert_opens(struct fixture *fixture, const uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    struct gk_account *account = open_account(fixture);
    struct gk_data_key *data_key = NULL;
    assert_int_equal(gk_account_warm(account, DEADLINE_MS, &fixture->error), GK_OK);
    assert_int_equal(gk_data_key_open(account, &scope, gk_span_of(sealed, GK_SEALED_DATA_KEY_BYTES),
                                      &data_key, &fixture->error),
                     GK_OK);
    gk_data_key_free(data_key);
    gk_account_release(account);
}

static void set_key(struct fixture *fixture, const char *key)
{
    struct gk_encryption_settings settings = customer_settings();
    snprintf(settings.key.name, sizeof settings.key.name, "%s", key);
    assert_int_equal(
        gk_account_set_encryption(fixture->instance, NAME, &settings, &by_tester, &fixture->error),
        GK_OK);
}

static void lose_record(struct fixture *fixture)
{
    fake_host_remove(&fixture->host, NAME, GK_ACCOUNT_ATTR);
}

static void damage_record(struct fixture *fixture)
{
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, (const uint8_t *)"damaged", 7);
}

static void lose_object(struct fixture *fixture)
{
    fake_host_delete(&fixture->host, NAME);
}

/* --- what a restore is for -------------------------------------------------------------------- */

static void (*const losses[])(struct fixture *) = {lose_record, damage_record, lose_object};

static void test_account_backup__brings_back_what_was_lost(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    create_customer(fixture);
    seal(fixture, sealed);
    take(fixture, &backup);
    assert_int_equal(fake_host_events(&fixture->host, "account.export", "ok"), 1);
    for (unsigned i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        losses[i](fixture);
        fixture_restart(fixture);
        struct gk_account *account = NULL;
        assert_int_not_equal(gk_account_open(fixture->instance, NAME, &account, NULL), GK_OK);
        assert_int_equal(restore(fixture, &backup), GK_OK);
        assert_opens(fixture, sealed);
        assert_int_equal(fake_host_events(&fixture->host, "account.restore", "ok"), i + 1);
        const struct gk_account_status status = status_of(fixture);
        assert_true(gk_id_equal(&status.id, &backup.info.id));
    }
}

static void test_account_backup__brings_back_a_service_managed_account(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    create_service_managed(fixture);
    seal(fixture, sealed);
    take(fixture, &backup);
    lose_record(fixture);
    fixture_restart(fixture);
    assert_int_equal(restore(fixture, &backup), GK_OK);
    assert_opens(fixture, sealed);
    assert_int_equal(vault_now().unwraps, 0);
}

static void test_account_backup__holds_no_key_in_the_clear(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    static uint8_t stored[FAKE_VALUE_MAX];
    const size_t len = fake_host_read(&fixture->host, NAME, GK_ACCOUNT_ATTR, stored, sizeof stored);
    assert_int_equal(len, backup.len);
    assert_memory_equal(stored, backup.bytes, len);
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(1, key_id);
    assert_string_equal(backup.info.current_key_id, key_id);
    assert_int_equal(backup.info.sequence, 1);
}

static void test_account_backup__is_written_with_the_hosts_attribute_in_one_step(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    lose_record(fixture);
    const unsigned writes = fake_host_writes(&fixture->host);
    struct checked checked = {.answer = GK_OK, .beside = "gateway.account"};
    assert_int_equal(restore_checked(fixture, &backup, false, &checked), GK_OK);
    assert_true(fake_host_has(&fixture->host, NAME, "gateway.account"));
    assert_int_equal(fake_host_writes(&fixture->host), writes + 1);
    assert_int_equal(checked.times, 1);
    assert_true(gk_id_equal(&checked.id, &backup.info.id));
}

/* --- the number ----------------------------------------------------------------------------------- */

/* Another gateway, which has seen every number, takes what this one restored. */
static void test_account_backup__is_no_rollback_to_who_remembers(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    create_customer(fixture);
    seal(fixture, sealed);
    take(fixture, &backup);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    const uint64_t seen = status_of(fixture).record_sequence;
    assert_int_equal(seen, 2);

    struct fixture other = {0};
    fake_host_init(&other.host);
    struct gk_host host = fake_host_callbacks(&fixture->host);
    assert_int_equal(gk_instance_create_with(&fake_provider_ops, &host, &other.instance, NULL),
                     GK_OK);
    assert_int_equal(gk_instance_config(other.instance, "check_interval_ms", "1000", NULL), GK_OK);
    assert_int_equal(gk_instance_start(other.instance, NULL), GK_OK);
    lose_record(fixture);
    assert_int_equal(restore(&other, &backup), GK_OK);
    gk_instance_destroy(other.instance);
    fake_host_cleanup(&other.host);

    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(fake_host_events(&fixture->host, "record.rollback", "refused"), 0);
    assert_true(status_of(fixture).record_sequence > seen);
    assert_opens(fixture, sealed);
}

static void test_account_backup__ends_a_rollback(void **state)
{
    struct fixture *fixture = *state;
    static struct backup older;
    static struct backup newest;
    create_customer(fixture);
    take(fixture, &older);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    take(fixture, &newest);
    fake_host_write(&fixture->host, NAME, GK_ACCOUNT_ATTR, older.bytes, older.len);
    static struct backup none;
    assert_int_equal(gk_account_record_export(fixture->instance, NAME, "tester", none.bytes,
                                              sizeof none.bytes, &none.len, &none.info, NULL),
                     GK_E_INTEGRITY);
    assert_int_equal(none.len, 0);
    assert_int_equal(restore(fixture, &newest), GK_OK);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, newest.info.sequence + 1);
}

static void test_account_backup__a_present_record_is_followed_by_the_next_number(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    assert_int_equal(restore(fixture, &backup), GK_OK);
    assert_int_equal(status_of(fixture).record_sequence, 2);
    assert_int_equal(authorize_read(fixture), GK_OK);
}

/* --- refusals ------------------------------------------------------------------------------------- */

static void test_account_backup__every_changed_byte_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_service_managed(fixture);
    take(fixture, &backup);
    lose_record(fixture);
    for (size_t i = 0; i < backup.len; i++) {
        backup.bytes[i] ^= 1;
        assert_refused(fixture, restore(fixture, &backup), "AccountBackupInvalid");
        backup.bytes[i] ^= 1;
    }
    backup.len--;
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupInvalid");
    backup.len = 0;
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupInvalid");
    assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR));
}

static void test_account_backup__another_accounts_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    create_customer(fixture);
    assert_int_equal(gk_account_create(fixture->instance, "others", &settings, &by_tester, NULL),
                     GK_OK);
    assert_int_equal(gk_account_record_export(fixture->instance, "others", "tester", backup.bytes,
                                              sizeof backup.bytes, &backup.len, &backup.info, NULL),
                     GK_OK);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupInvalid");
}

static void test_account_backup__the_account_before_of_the_name_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    fake_host_delete(&fixture->host, NAME);
    gk_account_forget(fixture->instance, NAME);
    create_customer(fixture);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupOfAnotherAccount");
    /* Nor does it help to take the present record away while memory knows it. */
    lose_record(fixture);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupOfAnotherAccount");
}

static void test_account_backup__a_change_of_the_key_is_not_undone_unasked(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    create_customer(fixture);
    seal(fixture, sealed);
    take(fixture, &backup);
    set_key(fixture, OTHER_KEY);
    struct checked checked = {.answer = GK_OK};
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupChangesSettings");
    /* Memory knows of the change though the store has lost it. */
    lose_record(fixture);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupChangesSettings");
    /* And so it does once it has found that, and has forgotten the account. */
    gk_account_forget(fixture->instance, NAME);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupChangesSettings");
    assert_int_equal(fake_host_events(&fixture->host, "account.restore", "refused"), 3);
    assert_int_equal(restore_checked(fixture, &backup, true, &checked), GK_OK);
    assert_string_equal(status_of(fixture).settings.key.name, FAKE_KEY_NAME);
    assert_opens(fixture, sealed);
}

static void test_account_backup__what_the_host_refuses_is_not_written(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    lose_record(fixture);
    struct checked checked = {.answer = GK_E_INVALID};
    const unsigned unwraps = vault_now().unwraps;
    assert_refused(fixture, restore_checked(fixture, &backup, false, &checked), "Host");
    assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR));
    assert_int_equal(vault_now().unwraps, unwraps);
}

static void test_account_backup__a_key_that_does_not_open_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    lose_record(fixture);
    disable_version(1, true);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupKeyRefused");
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(1, key_id);
    assert_non_null(strstr(fixture->error.message, key_id));
    disable_version(1, false);
    set_unwrap(GK_VAULT_UNAVAILABLE);
    assert_int_equal(restore(fixture, &backup), GK_E_UNAVAILABLE);
    set_unwrap(GK_VAULT_GONE);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupKeyRefused");
    set_unwrap(GK_VAULT_OK);
    fake_vault_lock()->plant = true;
    fake_vault_unlock();
    assert_int_equal(restore(fixture, &backup), GK_E_INTEGRITY);
    assert_false(fake_host_has(&fixture->host, NAME, GK_ACCOUNT_ATTR));
    fake_vault_lock()->plant = false;
    fake_vault_unlock();
    assert_int_equal(restore(fixture, &backup), GK_OK);
}

/* Within its time the older of two wraps proves the root key; whether the account may be used, the
 * newer one decides as ever. */
static void test_account_backup__one_of_two_wraps_is_enough(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    take(fixture, &backup);
    assert_string_not_equal(backup.info.previous_key_id, "");
    lose_record(fixture);
    fixture_restart(fixture);
    disable_version(2, true);
    assert_int_equal(restore(fixture, &backup), GK_OK);
    assert_int_equal(warm(fixture), GK_E_DENIED);
    disable_version(2, false);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
    /* Beyond it the older one is neither asked nor written. */
    lose_record(fixture);
    fixture_restart(fixture);
    fake_host_advance(&fixture->host, 2 * (int64_t)DAY_MS);
    disable_version(2, true);
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupKeyRefused");
    disable_version(2, false);
    assert_int_equal(restore(fixture, &backup), GK_OK);
    assert_string_equal(status_of(fixture).previous_key_id, "");
}

/* Who says no to the version in use means the account: one of before that is enabled still is no way around that. */
static void test_account_backup__a_revoked_version_is_not_left_by_a_backup(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    rotate_vault();
    assert_int_equal(check_now(fixture), GK_OK);
    disable_version(2, true);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_REVOKED);
    const unsigned writes = fake_host_writes(&fixture->host);
    struct checked checked = {.answer = GK_OK};
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupKeyRefused");
    assert_refused(fixture, restore_checked(fixture, &backup, true, &checked),
                   "AccountBackupKeyRefused");
    char key_id[GK_KEY_ID_BYTES_MAX];
    fake_key_id(2, key_id);
    assert_non_null(strstr(fixture->error.message, key_id));
    assert_int_equal(fake_host_writes(&fixture->host), writes);
    lose_record(fixture); /* which memory has */
    assert_refused(fixture, restore(fixture, &backup), "AccountBackupKeyRefused");
    disable_version(2, false);
    assert_int_equal(restore(fixture, &backup), GK_OK);
    assert_int_equal(check_now(fixture), GK_OK);
    assert_state(fixture, GK_ACCOUNT_ACTIVE);
}

/* --- others at the same time ------------------------------------------------------------------------ */

static void change_the_key(struct fixture *fixture)
{
    set_key(fixture, OTHER_KEY);
}

static void test_account_backup__a_change_under_it_is_judged_anew(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    take(fixture, &backup);
    struct checked checked = {.answer = GK_OK, .meanwhile = change_the_key, .fixture = fixture};
    assert_refused(fixture, restore_checked(fixture, &backup, false, &checked),
                   "AccountBackupChangesSettings");
    assert_int_equal(checked.times, 1);
    assert_string_equal(status_of(fixture).settings.key.name, OTHER_KEY);
}

static void test_account_backup__a_small_buffer_gets_nothing(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    create_customer(fixture);
    assert_int_equal(gk_account_record_export(fixture->instance, NAME, "tester", backup.bytes, 100,
                                              &backup.len, &backup.info, NULL),
                     GK_E_LIMIT);
    assert_int_equal(backup.len, 0);
    assert_int_equal(gk_account_record_export(fixture->instance, "nobody", "tester", backup.bytes,
                                              sizeof backup.bytes, &backup.len, &backup.info, NULL),
                     GK_E_NOT_FOUND);
}

/* A new root key in the place of a lost one would be the end of what is there. */
static void test_account_backup__nothing_is_created_where_a_record_was_lost(void **state)
{
    struct fixture *fixture = *state;
    static struct backup backup;
    const struct gk_encryption_settings settings = customer_settings();
    create_customer(fixture);
    take(fixture, &backup);
    lose_record(fixture);
    fixture_restart(fixture);
    fake_host_write(&fixture->host, NAME, "gateway.account", (const uint8_t *)"x", 1);
    assert_int_equal(create_account(fixture, &settings), GK_E_CONFLICT);
    assert_string_equal(fixture->error.code, "AccountRecordLost");
    assert_int_equal(restore(fixture, &backup), GK_OK);
    assert_int_equal(create_account(fixture, &settings), GK_E_EXISTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_account_backup__brings_back_what_was_lost),
        TEST(test_account_backup__brings_back_a_service_managed_account),
        TEST(test_account_backup__holds_no_key_in_the_clear),
        TEST(test_account_backup__is_written_with_the_hosts_attribute_in_one_step),
        TEST(test_account_backup__is_no_rollback_to_who_remembers),
        TEST(test_account_backup__ends_a_rollback),
        TEST(test_account_backup__a_present_record_is_followed_by_the_next_number),
        TEST(test_account_backup__every_changed_byte_is_refused),
        TEST(test_account_backup__another_accounts_is_refused),
        TEST(test_account_backup__the_account_before_of_the_name_is_refused),
        TEST(test_account_backup__a_change_of_the_key_is_not_undone_unasked),
        TEST(test_account_backup__what_the_host_refuses_is_not_written),
        TEST(test_account_backup__a_key_that_does_not_open_is_refused),
        TEST(test_account_backup__one_of_two_wraps_is_enough),
        TEST(test_account_backup__a_revoked_version_is_not_left_by_a_backup),
        TEST(test_account_backup__a_change_under_it_is_judged_anew),
        TEST(test_account_backup__a_small_buffer_gets_nothing),
        TEST(test_account_backup__nothing_is_created_where_a_record_was_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
