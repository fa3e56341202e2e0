/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the file of a backup reads back as what it was made of, and nothing else is taken for one.
 * Method: a table of what is changed in a good one. */
#include "gateway/manage/backup_json.h"

#include <stdio.h>

#include "unit/cmocka_all.h"

static json_t *good_file(void)
{
    struct gk_account_backup backup;
    gk_account_backup_init(&backup);
    snprintf(backup.account, sizeof backup.account, "acct");
    backup.info.sequence = 7;
    backup.info.generation = 1;
    snprintf(backup.info.current_key_id, sizeof backup.info.current_key_id, "https://v/keys/k/2");
    snprintf(backup.info.previous_key_id, sizeof backup.info.previous_key_id, "https://v/keys/k/1");
    gk_buf_append(&backup.record, "the record\n\0\xff", 13);
    gk_buf_append_str(&backup.profile, "the profile");
    json_t *file = gk_backup_json(&backup, 1700000000000, json_array());
    gk_account_backup_cleanup(&backup);
    assert_non_null(file);
    return file;
}

static void test_backup_json__reads_what_it_writes(void **state)
{
    (void)state;
    struct gk_account_backup backup;
    gk_account_backup_init(&backup);
    json_t *file = good_file();
    assert_int_equal(json_array_size(json_object_get(file, "keyIdentifiers")), 2);
    assert_int_equal(json_integer_value(json_object_get(file, "sequence")), 7);
    assert_int_equal(gk_backup_json_read(file, &backup, NULL), GK_OK);
    assert_string_equal(backup.account, "acct");
    assert_int_equal(backup.record.len, 13);
    assert_memory_equal(backup.record.data, "the record\n\0\xff", 13);
    assert_string_equal(gk_buf_str(&backup.profile), "the profile");
    json_decref(file);
    gk_account_backup_cleanup(&backup);
}

static const struct {
    const char *member;
    const char *value; /* JSON; NULL: it is not there */
    bool good;
} rows[] = {
    /* For people alone. */
    {"about", "\"\"", true},         {"accountId", NULL, true},
    {"sequence", "\"x\"", true},     {"keyIdentifiers", "[]", true},
    {"format", NULL, false},         {"format", "\"gatekey\"", false},
    {"format", "1", false},          {"version", NULL, false},
    {"version", "3", false},         {"version", "\"1\"", false},
    {"version", "0", false},         {"account", NULL, false},
    {"account", "\"ab\"", false},    {"account", "\"../x\"", false},
    {"account", "\"Acct\"", false},  {"record", NULL, false},
    {"record", "\"\"", false},       {"record", "\"AA=\"", false},
    {"record", "\"AA\"", false},     {"record", "\" AAA=\"", false},
    {"record", "[\"AAA=\"]", false}, {"profile", NULL, false},
    {"profile", "7", false},         {"more", "1", false},
    {"version", "1", true},          {"scopes", NULL, true},
    {"scopes", "[{}]", false}, /* they are read one by one */
};

static void test_backup_json__takes_nothing_else_for_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_account_backup backup;
        struct gk_error error = {0};
        gk_account_backup_init(&backup);
        json_t *file = good_file();
        if (rows[i].value == NULL) {
            json_object_del(file, rows[i].member);
        } else {
            json_object_set_new(file, rows[i].member,
                                json_loads(rows[i].value, JSON_DECODE_ANY, NULL));
        }
        const enum gk_status status = gk_backup_json_read(file, &backup, &error);
        if ((status == GK_OK) != rows[i].good || (!rows[i].good && error.http_status != 400)) {
            fail_msg("%s: %s is status %d: %s", rows[i].member,
                     rows[i].value == NULL ? "none" : rows[i].value, (int)status, error.message);
        }
        json_decref(file);
        gk_account_backup_cleanup(&backup);
    }
}

static void test_backup_json__has_scopes_one_by_one(void **state)
{
    (void)state;
    struct gk_scope_backup backup;
    struct gk_scope_backup read;
    gk_scope_backup_init(&backup);
    snprintf(backup.name, sizeof backup.name, "my-scope");
    backup.disabled = true;
    json_t *lost = gk_scope_backup_json(&backup);
    gk_buf_append(&backup.record, "the record\n\0\xff", 13);
    json_t *json = gk_scope_backup_json(&backup);
    gk_scope_backup_cleanup(&backup);
    gk_scope_backup_init(&read);
    assert_int_equal(gk_scope_backup_json_read(json, &read, NULL), GK_OK);
    assert_string_equal(read.name, "my-scope");
    assert_true(read.disabled);
    assert_int_equal(read.record.len, 13);
    assert_memory_equal(read.record.data, "the record\n\0\xff", 13);
    gk_buf_reset(&read.record);
    assert_int_equal(gk_scope_backup_json_read(lost, &read, NULL), GK_E_INVALID);
    static const char *const changes[] = {"name", "disabled", "record"};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        json_t *changed = json_copy(json);
        json_object_set_new(changed, changes[i], json_string("No Name"));
        gk_buf_reset(&read.record);
        assert_int_equal(gk_scope_backup_json_read(changed, &read, NULL), GK_E_INVALID);
        json_decref(changed);
    }
    gk_scope_backup_cleanup(&read);
    json_decref(lost);
    json_decref(json);
}

static void test_backup_json__a_record_has_its_maximum(void **state)
{
    (void)state;
    static char text[4 * GK_ACCOUNT_RECORD_BYTES_MAX];
    memset(text, 'A', sizeof text - 4);
    struct gk_account_backup backup;
    gk_account_backup_init(&backup);
    json_t *file = good_file();
    json_object_set_new(file, "record", json_string(text));
    assert_int_equal(gk_backup_json_read(file, &backup, NULL), GK_E_INVALID);
    json_decref(file);
    gk_account_backup_cleanup(&backup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_json__reads_what_it_writes),
        cmocka_unit_test(test_backup_json__takes_nothing_else_for_one),
        cmocka_unit_test(test_backup_json__has_scopes_one_by_one),
        cmocka_unit_test(test_backup_json__a_record_has_its_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
