/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what the gateway keeps of an account comes back as it was, stands as the header describes it,
 * and is not read at all when it is not well-formed.
 * Method: a plugin whose records are their open part, behind the binding.
 */
#include "gateway/account_profile.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "unit/cmocka_all.h"

#define COUNT(array)  (sizeof(array) / sizeof *(array))
#define WALL_MS       INT64_C(1767225600000)
#define BINDING       "account keys/acct"
#define SERVICE_BYTES 35 /* of the Blob service's settings when nothing was set */
#define KEPT_BYTES    4  /* of the retention of deleted containers */
#define LATER_BYTES   (SERVICE_BYTES + GK_DELEGATION_BYTES + KEPT_BYTES) /* that version 1 has not */
#define LOCATION_AT   (1 + 8 + GK_ACCESS_KEYS * (8 + GK_ACCESS_KEY_BYTES))

/* --- the plugin --------------------------------------------------------------------------------- */

static enum gk_status record_seal(struct gk_account *account, struct gk_data_key *data_key,
                                  struct gk_span binding, struct gk_span open_part,
                                  struct gk_span sealed_part, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error)
{
    (void)account, (void)error;
    assert_null(data_key);
    assert_int_equal(sealed_part.len, 0);
    assert_true(out_max >= binding.len + open_part.len);
    memcpy(out, binding.data, binding.len);
    memcpy(out + binding.len, open_part.data, open_part.len);
    *out_len = binding.len + open_part.len;
    return GK_OK;
}

static enum gk_status record_open(struct gk_account *account, struct gk_span binding,
                                  struct gk_span record, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error)
{
    (void)account;
    if (record.len < binding.len || memcmp(record.data, binding.data, binding.len) != 0) {
        return gk_fail(error, GK_E_INTEGRITY, "it belongs elsewhere");
    }
    assert_true(out_max >= record.len - binding.len);
    *out_len = record.len - binding.len;
    if (*out_len > 0) {
        memcpy(out, record.data + binding.len, *out_len);
    }
    return GK_OK;
}

static enum gk_status seal_fails(struct gk_account *account, struct gk_data_key *data_key,
                                 struct gk_span binding, struct gk_span open_part,
                                 struct gk_span sealed_part, uint8_t *out, size_t out_max,
                                 size_t *out_len, struct gk_error *error)
{
    (void)account, (void)data_key, (void)binding, (void)open_part, (void)sealed_part;
    (void)out, (void)out_max, (void)out_len;
    return gk_fail(error, GK_E_UNAVAILABLE, "not now");
}

static const struct gk_plugin plugin = {.record_seal = record_seal, .record_open = record_open};
static const struct gk_plugin failing = {.record_seal = seal_fails};

/* --- contents ----------------------------------------------------------------------------------- */

static void make(struct gk_account_profile *profile)
{
    assert_int_equal(gk_account_profile_new(WALL_MS, "westeurope", "{\"a\":1}", profile, NULL),
                     GK_OK);
}

static void test_account_profile__new(void **state)
{
    (void)state;
    static const uint8_t zeros[GK_ACCESS_KEY_BYTES];
    struct gk_account_profile profile;
    struct gk_account_profile another;
    make(&profile);
    make(&another);
    assert_true(profile.created_wall_ms == WALL_MS);
    assert_string_equal(profile.location, "westeurope");
    assert_string_equal(profile.arm_json, "{\"a\":1}");
    for (unsigned i = 0; i < GK_ACCESS_KEYS; i++) {
        assert_true(profile.keys->created_wall_ms[i] == WALL_MS);
        assert_memory_not_equal(profile.keys->key[i], zeros, sizeof zeros);
        assert_memory_not_equal(profile.keys->key[i], another.keys->key[i], sizeof zeros);
    }
    assert_memory_not_equal(profile.keys->key[0], profile.keys->key[1], sizeof zeros);
    gk_account_profile_cleanup(&profile);
    gk_account_profile_cleanup(&another);
    assert_null(profile.keys);
    assert_null(profile.arm_json);
}

static void test_account_profile__limits(void **state)
{
    (void)state;
    static const struct {
        size_t location_len;
        size_t json_len;
        enum gk_status status;
    } rows[] = {
        {0, 0, GK_OK},
        {GK_ACCOUNT_LOCATION_BYTES_MAX - 1, GK_ACCOUNT_ARM_JSON_BYTES_MAX, GK_OK},
        {GK_ACCOUNT_LOCATION_BYTES_MAX, 2, GK_E_LIMIT},
        {1, GK_ACCOUNT_ARM_JSON_BYTES_MAX + 1, GK_E_LIMIT},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *location = calloc(1, rows[i].location_len + 1);
        char *json = calloc(1, rows[i].json_len + 1);
        assert_non_null(location);
        assert_non_null(json);
        memset(location, 'l', rows[i].location_len);
        memset(json, 'j', rows[i].json_len);
        struct gk_account_profile profile;
        struct gk_error error = {0};
        assert_int_equal(gk_account_profile_new(WALL_MS, location, json, &profile, &error),
                         rows[i].status);
        assert_int_equal(error.http_status, rows[i].status == GK_OK ? 0 : 400);
        if (rows[i].status == GK_OK) {
            assert_string_equal(profile.location, location);
            assert_string_equal(profile.arm_json, json);
        } else {
            assert_null(profile.keys);
            assert_null(profile.arm_json);
        }
        gk_account_profile_cleanup(&profile);
        free(location);
        free(json);
    }
}

static void test_account_profile__changes(void **state)
{
    (void)state;
    struct gk_account_profile profile;
    struct gk_access_keys before;
    make(&profile);
    before = *profile.keys;
    assert_int_equal(gk_account_profile_regenerate(&profile, 1, WALL_MS + 5, NULL), GK_OK);
    assert_memory_equal(profile.keys->key[0], before.key[0], GK_ACCESS_KEY_BYTES);
    assert_memory_not_equal(profile.keys->key[1], before.key[1], GK_ACCESS_KEY_BYTES);
    assert_true(profile.keys->created_wall_ms[0] == WALL_MS);
    assert_true(profile.keys->created_wall_ms[1] == WALL_MS + 5);
    before = *profile.keys;
    assert_int_equal(gk_account_profile_regenerate(&profile, GK_ACCESS_KEYS, WALL_MS, NULL),
                     GK_E_INVALID);
    assert_memory_equal(profile.keys, &before, sizeof before);
    assert_int_equal(gk_account_profile_renew_delegation(&profile, true, NULL), GK_OK);
    assert_memory_not_equal(profile.keys->delegation, before.delegation, GK_DELEGATION_BYTES);
    before = *profile.keys;
    assert_int_equal(gk_account_profile_renew_delegation(&profile, true, NULL), GK_OK);
    assert_memory_equal(profile.keys, &before, sizeof before);
    assert_int_equal(gk_account_profile_renew_delegation(&profile, false, NULL), GK_OK);
    assert_memory_not_equal(profile.keys->delegation, before.delegation, GK_DELEGATION_BYTES);
    assert_int_equal(gk_account_profile_set_arm(&profile, "{}", NULL), GK_OK);
    assert_string_equal(profile.arm_json, "{}");
    gk_account_profile_cleanup(&profile);
}

/* --- stored ------------------------------------------------------------------------------------- */

static void seal(const struct gk_account_profile *profile, struct gk_buf *out)
{
    gk_buf_init(out, 2 * GK_ACCOUNT_PROFILE_BYTES_MAX);
    assert_int_equal(gk_account_profile_seal(&plugin, NULL, "acct", profile, out, NULL), GK_OK);
}

static void test_account_profile__comes_back(void **state)
{
    (void)state;
    struct gk_account_profile profile;
    struct gk_account_profile opened;
    struct gk_buf sealed;
    make(&profile);
    profile.blob_service.delete_retention = (struct gk_retention){.enabled = true, .days = 7};
    profile.blob_service.container_retention = (struct gk_retention){.enabled = true, .days = 9};
    seal(&profile, &sealed);
    assert_int_equal(
        gk_account_profile_open(&plugin, NULL, "acct", gk_buf_span(&sealed), &opened, NULL), GK_OK);
    assert_int_equal(opened.blob_service.delete_retention.days, 7);
    assert_true(opened.blob_service.container_retention.enabled);
    assert_int_equal(opened.blob_service.container_retention.days, 9);
    assert_memory_equal(opened.keys, profile.keys, sizeof *profile.keys);
    assert_true(opened.created_wall_ms == profile.created_wall_ms);
    assert_string_equal(opened.location, profile.location);
    assert_string_equal(opened.arm_json, profile.arm_json);
    gk_account_profile_cleanup(&opened);
    assert_int_equal(
        gk_account_profile_open(&plugin, NULL, "other", gk_buf_span(&sealed), &opened, NULL),
        GK_E_INTEGRITY);
    assert_null(opened.keys);
    gk_buf_cleanup(&sealed);
    gk_account_profile_cleanup(&profile);
}

/* As those before wrote it: what came later is not there. */
static void test_account_profile__versions_before(void **state)
{
    (void)state;
    static const size_t missing[] = {LATER_BYTES, GK_DELEGATION_BYTES + KEPT_BYTES, KEPT_BYTES};
    for (uint8_t version = 1; version <= 3; version++) {
        struct gk_account_profile profile;
        struct gk_account_profile opened;
        struct gk_buf sealed;
        make(&profile);
        seal(&profile, &sealed);
        sealed.data[strlen(BINDING)] = version;
        sealed.len -= missing[version - 1];
        assert_int_equal(
            gk_account_profile_open(&plugin, NULL, "acct", gk_buf_span(&sealed), &opened, NULL),
            GK_OK);
        assert_string_equal(opened.arm_json, profile.arm_json);
        assert_false(opened.blob_service.delete_retention.enabled);
        assert_false(opened.blob_service.container_retention.enabled);
        gk_account_profile_cleanup(&opened);
        gk_buf_cleanup(&sealed);
        gk_account_profile_cleanup(&profile);
    }
}

static void test_account_profile__layout(void **state)
{
    (void)state;
    struct gk_account_profile profile;
    struct gk_buf sealed;
    make(&profile);
    profile.keys->created_wall_ms[1] = INT64_C(0x0102030405060708);
    seal(&profile, &sealed);
    const uint8_t *plain = sealed.data + strlen(BINDING);
    static const uint8_t head[] = {4, 0, 0, 1, 0x9b, 0x76, 0xda, 0xa8, 0x00};
    static const uint8_t second[] = {1, 2, 3, 4, 5, 6, 7, 8};
    assert_memory_equal(sealed.data, BINDING, strlen(BINDING));
    assert_memory_equal(plain, head, sizeof head);
    assert_memory_equal(plain + 9, head + 1, 8);
    assert_memory_equal(plain + 17, profile.keys->key[0], GK_ACCESS_KEY_BYTES);
    assert_memory_equal(plain + 81, second, sizeof second);
    assert_memory_equal(plain + 89, profile.keys->key[1], GK_ACCESS_KEY_BYTES);
    assert_int_equal(LOCATION_AT, 153);
    assert_memory_equal(plain + 153, "\0\12westeurope\0\0\0\7{\"a\":1}", 2 + 10 + 4 + 7);
    static const uint8_t nothing_set[SERVICE_BYTES];
    assert_memory_equal(plain + 153 + 23, nothing_set, sizeof nothing_set);
    assert_memory_equal(plain + 153 + 23 + SERVICE_BYTES, profile.keys->delegation,
                        GK_DELEGATION_BYTES);
    assert_int_equal(sealed.len, strlen(BINDING) + 153 + 23 + LATER_BYTES);
    gk_buf_cleanup(&sealed);
    gk_account_profile_cleanup(&profile);
}

static void assert_not_read(struct gk_span sealed)
{
    struct gk_account_profile opened;
    struct gk_error error = {0};
    assert_int_equal(gk_account_profile_open(&plugin, NULL, "acct", sealed, &opened, &error),
                     GK_E_INTEGRITY);
    assert_int_equal(error.http_status, 500);
    assert_null(opened.keys);
    assert_null(opened.arm_json);
}

static void test_account_profile__not_well_formed(void **state)
{
    (void)state;
    static const struct {
        size_t at; /* in the open part */
        uint8_t value;
    } rows[] = {
        {0, 0}, /* another version */
        {0, 1}, /* an earlier one, which has less */
        {0, 2}, /* likewise */
        {0, 3},
        {0, 5},                   /* a later one */
        {LOCATION_AT, 1},         /* a location longer than the record */
        {LOCATION_AT + 1, 9},     /* shorter: the rest does not fit */
        {LOCATION_AT + 1, 11},    /* longer */
        {LOCATION_AT + 1, 64},    /* longer than any */
        {LOCATION_AT + 2, 0},     /* with a NUL */
        {LOCATION_AT + 12, 0xff}, /* JSON longer than any */
        {LOCATION_AT + 15, 6},
        {LOCATION_AT + 15, 8},
        {LOCATION_AT + 16, 0},
    };
    struct gk_account_profile profile;
    struct gk_buf sealed;
    make(&profile);
    seal(&profile, &sealed);
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *byte = sealed.data + strlen(BINDING) + rows[i].at;
        const uint8_t before = *byte;
        *byte = rows[i].value;
        assert_not_read(gk_buf_span(&sealed));
        *byte = before;
    }
    for (size_t len = strlen(BINDING); len < sealed.len; len++) {
        assert_not_read(gk_span_of(sealed.data, len));
    }
    gk_buf_append_u8(&sealed, 0);
    assert_not_read(gk_buf_span(&sealed));
    gk_buf_cleanup(&sealed);
    gk_account_profile_cleanup(&profile);
}

static void test_account_profile__a_failed_seal_leaves_nothing(void **state)
{
    (void)state;
    struct gk_account_profile profile;
    struct gk_buf out;
    make(&profile);
    gk_buf_init(&out, 2 * GK_ACCOUNT_PROFILE_BYTES_MAX);
    gk_buf_append_str(&out, "before");
    assert_int_equal(gk_account_profile_seal(&failing, NULL, "acct", &profile, &out, NULL),
                     GK_E_UNAVAILABLE);
    assert_int_equal(out.len, 6);
    gk_buf_cleanup(&out);
    gk_buf_init(&out, 16);
    assert_int_equal(gk_account_profile_seal(&plugin, NULL, "acct", &profile, &out, NULL),
                     GK_E_RESOURCE);
    gk_buf_cleanup(&out);
    gk_account_profile_cleanup(&profile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account_profile__new),
        cmocka_unit_test(test_account_profile__limits),
        cmocka_unit_test(test_account_profile__changes),
        cmocka_unit_test(test_account_profile__comes_back),
        cmocka_unit_test(test_account_profile__versions_before),
        cmocka_unit_test(test_account_profile__layout),
        cmocka_unit_test(test_account_profile__not_well_formed),
        cmocka_unit_test(test_account_profile__a_failed_seal_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
