/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only a JSON object of sane depth gets past the door, and its members are what they should be.
 * Method: tables of texts, and of members read with each function. */
#include "gateway/manage/json_body.h"

#include "common/buf.h"
#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Refused with a word of the reason, or not (NULL). */
static void check_text(struct gk_span text, const char *word)
{
    json_t *json = NULL;
    struct gk_error error = {0};
    const enum gk_status status = gk_json_parse(text, &json, &error);
    if (word == NULL) {
        assert_int_equal(status, GK_OK);
        assert_true(json_is_object(json));
        json_decref(json);
        return;
    }
    if (status == GK_OK || strstr(error.message, word) == NULL) {
        fail_msg("%.*s: %s", (int)text.len, (const char *)text.data, error.message);
    }
    assert_int_equal(status, GK_E_INVALID);
    assert_int_equal(error.http_status, 400);
    assert_string_equal(error.code, "InvalidRequestContent");
    assert_null(json);
}

static void test_json_body__texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *word;
    } rows[] = {
        {"{}", NULL},
        {" {\"a\": [1, 2.5, null, true, \"\\u00e4\"]}\r\n", NULL},
        {"{\"a\":\"{[{[{[{[{[{[{[{[{[{[\"}", NULL},
        {"{\"a\":\"\\\"{[{[{[{[{[{[{[{[{[{[\"}", NULL},
        {"{\"a\":\"\xc3\xa4\"}", NULL},
        {"", "no body"},
        {"[]", "not an object"},
        {"1", "not valid"},
        {"null", "not valid"},
        {"{", "not valid"},
        {"{}{}", "not valid"},
        {"{} x", "not valid"},
        {"{a:1}", "not valid"},
        {"{'a':1}", "not valid"},
        {"{\"a\":1,}", "not valid"},
        {"{\"a\":NaN}", "not valid"},
        {"{\"a\":1e999}", "not valid"},
        {"{\"a\":1,\"a\":2}", "not valid"},
        {"{\"a\":\"\xff\"}", "not valid"},
        {"{\"a\":\"\\ud800\"}", "not valid"},
        {"{\"a\":\"\\u0000\"}", "not valid"},
        {"{\"a\":\"\n\"}", "not valid"},
        {"{\n\"a\": }", "line 2"},
        {"\xef\xbb\xbf{}", "not valid"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_text(gk_span_str(rows[i].text), rows[i].word);
    }
    check_text(gk_span_of("{}\0", 3), "not valid");
}

static void test_json_body__depth(void **state)
{
    (void)state;
    static const char *const open[] = {"{\"a\":", "["};
    static const char *const close[] = {"}", "]"};
    for (unsigned kind = 0; kind < 2; kind++) {
        for (unsigned depth = GK_JSON_DEPTH_MAX; depth <= GK_JSON_DEPTH_MAX + 1; depth++) {
            struct gk_buf text;
            gk_buf_init(&text, 4096);
            gk_buf_append_str(&text, "{\"a\":");
            for (unsigned i = 1; i < depth; i++) {
                gk_buf_append_str(&text, open[kind]);
            }
            gk_buf_append_str(&text, "1");
            for (unsigned i = 1; i < depth; i++) {
                gk_buf_append_str(&text, close[kind]);
            }
            gk_buf_append_str(&text, "}");
            check_text(gk_buf_span(&text), depth <= GK_JSON_DEPTH_MAX ? NULL : "deeper");
            gk_buf_cleanup(&text);
        }
    }
    /* The library is not asked how deep a hundred thousand are. */
    struct gk_buf text;
    gk_buf_init(&text, 200000);
    memset(gk_buf_extend(&text, 100000), '[', 100000);
    check_text(gk_buf_span(&text), "deeper");
    gk_buf_cleanup(&text);
}

static const struct {
    const char *name;
    bool is_object;
    bool is_text;
    bool is_short_text; /* fits four bytes, without control characters */
    bool is_bool;
} members[] = {
    {"absent", true, true, true, true},     {"null", true, true, true, true},
    {"object", true, false, false, false},  {"array", false, false, false, false},
    {"number", false, false, false, false}, {"true", false, false, false, true},
    {"text", false, true, true, false},     {"empty", false, true, true, false},
    {"long", false, true, false, false},    {"control", false, true, false, false},
    {"delete", false, true, false, false},
};

static void test_json_body__members(void **state)
{
    (void)state;
    static const char text[] =
        "{\"null\":null,\"object\":{},\"array\":[],\"number\":1,\"true\":true,"
        "\"text\":\"abc\",\"empty\":\"\",\"long\":\"abcd\","
        "\"control\":\"a\\nb\",\"delete\":\"a\\u007f\"}";
    json_t *json = NULL;
    assert_int_equal(gk_json_parse(gk_span_str(text), &json, NULL), GK_OK);
    for (size_t i = 0; i < COUNT(members); i++) {
        const char *name = members[i].name;
        json_t *object = NULL;
        const char *read = NULL;
        char copy[4] = "xyz";
        bool value = false;
        bool present = false;
        assert_int_equal(gk_json_object(json, "w.", name, &object, NULL),
                         members[i].is_object ? GK_OK : GK_E_INVALID);
        assert_int_equal(gk_json_text(json, "w.", name, &read, NULL),
                         members[i].is_text ? GK_OK : GK_E_INVALID);
        assert_int_equal(gk_json_copy(json, "w.", name, copy, sizeof copy, &present, NULL),
                         members[i].is_short_text ? GK_OK : GK_E_INVALID);
        assert_string_equal(copy, strcmp(name, "text") == 0    ? "abc"
                                  : strcmp(name, "empty") == 0 ? ""
                                                               : "xyz");
        assert_int_equal(gk_json_bool(json, "w.", name, &value, &present, NULL),
                         members[i].is_bool ? GK_OK : GK_E_INVALID);
        assert_int_equal(value, strcmp(name, "true") == 0);
        const bool there = i >= 2;
        assert_int_equal(present, there);
    }
    json_decref(json);
}

static void test_json_body__only(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", NULL};
    static const struct {
        const char *text;
        const char *unknown;
    } rows[] = {{"{}", NULL},
                {"{\"a\":1,\"b\":2}", NULL},
                {"{\"a\":1,\"c\":2}", "w.c"},
                {"{\"A\":1}", "w.A"},
                {"{\"\":1}", "w."}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *json = NULL;
        struct gk_error error = {0};
        assert_int_equal(gk_json_parse(gk_span_str(rows[i].text), &json, NULL), GK_OK);
        assert_int_equal(gk_json_only(json, "w.", names, &error),
                         rows[i].unknown == NULL ? GK_OK : GK_E_INVALID);
        assert_true(rows[i].unknown == NULL || strstr(error.message, rows[i].unknown) != NULL);
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_body__texts),
        cmocka_unit_test(test_json_body__depth),
        cmocka_unit_test(test_json_body__members),
        cmocka_unit_test(test_json_body__only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
