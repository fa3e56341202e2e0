/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an encryption scope has a key and a state of its own, is its account's alone, and seals what its
 * account's records keep. Method: an account and scopes of it, of which one or the other loses its key, is
 * made anew or is given the other's record.
 */
#include "unit/instance_fixture.h"

#include "common/text.h"
#include "plugin/account_name.h"
#include "plugin/handles.h"

#define SCOPE NAME "/vault-key"

static const struct gk_object_scope object = {.container.bytes = {1}, .object.bytes = {2}};
static const struct gk_encryption_settings service = {.source = GK_KEY_SOURCE_SERVICE};

static enum gk_status create(struct fixture *fixture, const char *name,
                             const struct gk_encryption_settings *settings)
{
    fixture->error = (struct gk_error){0};
    return gk_account_create(fixture->instance, name, settings, &by_tester, &fixture->error);
}

static struct gk_account *opened(struct fixture *fixture, const char *name)
{
    struct gk_account *account = NULL;
    assert_int_equal(gk_account_open(fixture->instance, name, &account, &fixture->error), GK_OK);
    return account;
}

static enum gk_status authorize(struct fixture *fixture, const char *name,
                                enum gk_operation operation)
{
    struct gk_account *account = opened(fixture, name);
    fixture->error = (struct gk_error){0};
    const enum gk_status status = gk_account_authorize(account, operation, 0, &fixture->error);
    gk_account_release(account);
    return status;
}

static void revoke(struct fixture *fixture, const char *name)
{
    set_unwrap(GK_VAULT_KEY_REFUSED);
    assert_int_equal(gk_account_check_now(fixture->instance, name, &by_tester, NULL), GK_OK);
}

static void test_encryption_scopes__names(void **state)
{
    (void)state;
    static const char *const good[] = {
        "abc", "abc/abc", "a1b/a-b-c",
        "abcdefghijklmnopqrstuvwx/0123456789012345678901234567890123456789"
        "01234567890123456789012"};
    static const char *const bad[] = {
        "",         "ab",
        "ab/abc",   "abc/",
        "abc/ab",   "abc/abc/abc",
        "a-b",      "abc/ABC",
        "abc/-ab",  "abc/ab-",
        "abc/a--b", "abc/a_b",
        "/abc",     "abc/a.b",
        "abc//abc", "abc/0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(gk_account_name_is_valid(good[i]));
        assert_int_equal(gk_account_name_is_scope(good[i]), i > 0);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(gk_account_name_is_valid(bad[i]));
    }
}

static void test_encryption_scopes__goes_dark_alone(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings customer = customer_settings();
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &customer), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &customer), GK_E_EXISTS);
    assert_int_equal(create(fixture, NAME "/other", &service), GK_OK);
    assert_int_equal(authorize(fixture, SCOPE, GK_OP_BLOB_GET_BLOB), GK_OK);
    revoke(fixture, SCOPE);
    assert_int_equal(authorize(fixture, SCOPE, GK_OP_BLOB_GET_BLOB), GK_E_DENIED);
    assert_string_equal(fixture->error.code, "KeyVaultEncryptionKeyNotFound");
    assert_int_equal(authorize(fixture, SCOPE, GK_OP_BLOB_DELETE_BLOB), GK_OK);
    assert_int_equal(authorize(fixture, NAME, GK_OP_BLOB_GET_BLOB), GK_OK);
    assert_int_equal(authorize(fixture, NAME "/other", GK_OP_BLOB_GET_BLOB), GK_OK);
    fixture_restart(fixture);
    struct gk_account *account = opened(fixture, SCOPE);
    assert_int_equal(gk_account_warm(account, DEADLINE_MS, &fixture->error), GK_E_DENIED);
    gk_account_release(account);
    assert_int_equal(authorize(fixture, NAME, GK_OP_BLOB_GET_BLOB), GK_OK);
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(gk_account_check_now(fixture->instance, SCOPE, &by_tester, NULL), GK_OK);
    assert_int_equal(authorize(fixture, SCOPE, GK_OP_BLOB_GET_BLOB), GK_OK);
}

static void test_encryption_scopes__stays_light_alone(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);
    revoke(fixture, NAME);
    assert_int_equal(authorize(fixture, NAME, GK_OP_BLOB_GET_BLOB), GK_E_DENIED);
    assert_int_equal(authorize(fixture, SCOPE, GK_OP_BLOB_GET_BLOB), GK_OK);
}

/* A handle of a scope's: NULL once its data key cannot be had. */
static struct gk_segment *new_segment(struct fixture *fixture)
{
    struct gk_account *scope = opened(fixture, SCOPE);
    struct gk_data_key *data_key = NULL;
    struct gk_segment *segment = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    struct gk_id id;
    if (gk_data_key_create(scope, &object, sealed, &data_key, &fixture->error) == GK_OK) {
        assert_int_equal(gk_segment_new(data_key, &id, &segment, NULL), GK_OK);
    }
    gk_data_key_free(data_key);
    gk_account_release(scope);
    return segment;
}

static enum gk_status seal_chunk(struct gk_segment *segment, uint64_t index)
{
    static uint8_t plain[GK_CHUNK_PLAIN_BYTES];
    static uint8_t sealed[GK_CHUNK_PLAIN_BYTES + GK_TAG_BYTES];
    return gk_segment_seal(segment, index, 0, gk_span_of(plain, sizeof plain), sealed, NULL);
}

static void assert_transfers_end_with(struct fixture *fixture, const char *revoked)
{
    struct gk_segment *segment = new_segment(fixture);
    assert_int_equal(seal_chunk(segment, 0), GK_OK);
    revoke(fixture, revoked);
    assert_int_equal(seal_chunk(segment, 1), GK_E_DENIED);
    assert_null(new_segment(fixture));
    assert_string_equal(fixture->error.code, "KeyVaultEncryptionKeyNotFound");
    set_unwrap(GK_VAULT_OK);
    assert_int_equal(gk_account_check_now(fixture->instance, revoked, &by_tester, NULL), GK_OK);
    assert_int_equal(seal_chunk(segment, 1), GK_E_UNAVAILABLE);
    gk_segment_free(segment);
    segment = new_segment(fixture);
    assert_int_equal(seal_chunk(segment, 0), GK_OK);
    gk_segment_free(segment);
}

static void test_encryption_scopes__transfers_end_with_its_key(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings customer = customer_settings();
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &customer), GK_OK);
    assert_transfers_end_with(fixture, SCOPE);
}

static void test_encryption_scopes__transfers_end_with_its_account_s_key(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);
    assert_transfers_end_with(fixture, NAME);
}

/* Work in the background need not have asked for the account's key. */
static void test_encryption_scopes__an_account_that_nobody_asked_for_holds_up_nothing(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);
    fixture_restart(fixture);
    struct gk_account *account = opened(fixture, NAME);
    assert_int_equal(gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL), GK_E_COLD);
    struct gk_segment *segment = new_segment(fixture);
    assert_int_equal(seal_chunk(segment, 0), GK_OK);
    gk_segment_free(segment);
    gk_account_release(account);
}

static void test_encryption_scopes__changes_its_key_like_an_account(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_encryption_settings customer = customer_settings();
    struct gk_account_status status;
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);
    assert_int_equal(
        gk_account_set_encryption(fixture->instance, SCOPE, &customer, &by_tester, NULL), GK_OK);
    assert_int_equal(gk_account_get_status(fixture->instance, SCOPE, &status, NULL), GK_OK);
    assert_int_equal(status.state, GK_ACCOUNT_ACTIVE);
    assert_int_equal(status.record_sequence, 2);
    rotate_vault();
    assert_int_equal(gk_account_check_now(fixture->instance, SCOPE, &by_tester, NULL), GK_OK);
    assert_int_equal(gk_account_get_status(fixture->instance, SCOPE, &status, NULL), GK_OK);
    assert_int_equal(status.record_sequence, 3);
    assert_int_equal(status_of(fixture).record_sequence, 1);
}

static void test_encryption_scopes__is_its_account_s_alone(void **state)
{
    struct fixture *fixture = *state;
    struct gk_account *account = NULL;
    assert_int_equal(create(fixture, SCOPE, &service), GK_E_NOT_FOUND);
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);

    /* Another scope's record in its place. */
    assert_int_equal(create(fixture, NAME "/other", &service), GK_OK);
    static uint8_t record[GK_ACCOUNT_RECORD_BYTES_MAX];
    const size_t len =
        fake_host_read(&fixture->host, NAME "/other", GK_ACCOUNT_ATTR, record, sizeof record);
    fake_host_write(&fixture->host, SCOPE, GK_ACCOUNT_ATTR, record, len);
    fixture_restart(fixture);
    assert_int_equal(gk_account_open(fixture->instance, SCOPE, &account, NULL), GK_E_INTEGRITY);

    /* Another account of that name. */
    fake_host_delete(&fixture->host, NAME);
    gk_account_forget(fixture->instance, NAME);
    assert_int_equal(gk_account_open(fixture->instance, NAME "/other", &account, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(gk_account_open(fixture->instance, NAME "/other", &account, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(create(fixture, NAME "/other", &service), GK_OK);
    gk_account_release(opened(fixture, NAME "/other"));
}

/* Another process on the same store. */
static struct gk_instance *another(struct fixture *fixture)
{
    const struct gk_host host = fake_host_callbacks(&fixture->host);
    struct gk_instance *instance = NULL;
    assert_int_equal(gk_instance_create_with(&fake_provider_ops, &host, &instance, NULL), GK_OK);
    assert_int_equal(gk_instance_start(instance, NULL), GK_OK);
    return instance;
}

static void test_encryption_scopes__of_an_account_before_is_not_used(void **state)
{
    struct fixture *fixture = *state;
    struct gk_account_status before;
    struct gk_account_status after;
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);
    struct gk_account *old = opened(fixture, SCOPE);
    assert_int_equal(gk_account_get_status(fixture->instance, SCOPE, &before, NULL), GK_OK);

    /* Elsewhere the account is deleted and both are made anew; here only the account is known to be. */
    struct gk_instance *elsewhere = another(fixture);
    fake_host_delete(&fixture->host, NAME);
    assert_int_equal(gk_account_create(elsewhere, NAME, &service, &by_tester, NULL), GK_OK);
    assert_int_equal(gk_account_create(elsewhere, SCOPE, &service, &by_tester, NULL), GK_OK);
    gk_instance_destroy(elsewhere);
    gk_account_forget(fixture->instance, NAME);
    gk_account_release(opened(fixture, NAME));

    gk_account_release(opened(fixture, SCOPE));
    assert_int_equal(gk_account_get_status(fixture->instance, SCOPE, &after, NULL), GK_OK);
    assert_memory_not_equal(&before.id, &after.id, sizeof before.id);
    struct gk_data_key *data_key = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    assert_int_equal(gk_data_key_create(old, &object, sealed, &data_key, NULL), GK_E_NOT_FOUND);
    gk_account_release(old);
}

static void test_encryption_scopes__seals_parts_of_its_account_s_records(void **state)
{
    struct fixture *fixture = *state;
    const struct gk_span binding = gk_span_str("place");
    assert_int_equal(create(fixture, NAME, &service), GK_OK);
    assert_int_equal(create(fixture, SCOPE, &service), GK_OK);
    assert_int_equal(create(fixture, "another", &service), GK_OK);
    struct gk_account *account = opened(fixture, NAME);
    struct gk_account *another = opened(fixture, "another");
    struct gk_account *scope = opened(fixture, SCOPE);
    struct gk_data_key *data_key = NULL;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    uint8_t record[256];
    uint8_t part[256];
    size_t record_len = 0;
    size_t len = 0;
    assert_int_equal(gk_data_key_create(scope, &object, sealed, &data_key, NULL), GK_OK);
    assert_int_equal(gk_account_record_value_seal(another, data_key, binding, gk_span_str("open"),
                                                  gk_span_str("sealed"), record, sizeof record,
                                                  &record_len, NULL),
                     GK_E_INVALID);
    assert_int_equal(gk_account_record_value_seal(account, data_key, binding, gk_span_str("open"),
                                                  gk_span_str("sealed"), record, sizeof record,
                                                  &record_len, NULL),
                     GK_OK);
    assert_int_equal(gk_account_record_value_open(account, binding, gk_span_of(record, record_len),
                                                  part, sizeof part, &len, NULL),
                     GK_OK);
    assert_memory_equal(part, "open", len);
    assert_int_equal(gk_data_key_record_value_open(data_key, binding,
                                                   gk_span_of(record, record_len), part,
                                                   sizeof part, &len, NULL),
                     GK_OK);
    assert_memory_equal(part, "sealed", len);
    gk_data_key_free(data_key);
    data_key = NULL;
    assert_int_equal(
        gk_data_key_open(account, &object, gk_span_of(sealed, sizeof sealed), &data_key, NULL),
        GK_E_INTEGRITY);
    gk_account_release(scope);
    gk_account_release(another);
    gk_account_release(account);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encryption_scopes__names),
        TEST(test_encryption_scopes__goes_dark_alone),
        TEST(test_encryption_scopes__stays_light_alone),
        TEST(test_encryption_scopes__transfers_end_with_its_key),
        TEST(test_encryption_scopes__transfers_end_with_its_account_s_key),
        TEST(test_encryption_scopes__an_account_that_nobody_asked_for_holds_up_nothing),
        TEST(test_encryption_scopes__changes_its_key_like_an_account),
        TEST(test_encryption_scopes__is_its_account_s_alone),
        TEST(test_encryption_scopes__of_an_account_before_is_not_used),
        TEST(test_encryption_scopes__seals_parts_of_its_account_s_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
