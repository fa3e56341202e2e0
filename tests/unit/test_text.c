/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: text forms are canonical in both directions; anything else is refused. Method: tables. */
#include "common/text.h"

#include "unit/cmocka_all.h"

static void test_text__base64(void **state)
{
    (void)state;
    static const struct {
        const char *plain;
        const char *padded;
        const char *url;
    } rows[] = {
        {"", "", ""},
        {"f", "Zg==", "Zg"},
        {"fo", "Zm8=", "Zm8"},
        {"foo", "Zm9v", "Zm9v"},
        {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
        {"\xfb\xff", "+/8=", "-_8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_buf buf;
        gk_buf_init(&buf, 100);
        gk_base64_encode(&buf, gk_span_str(rows[i].plain));
        assert_string_equal(gk_buf_str(&buf), rows[i].padded);
        gk_buf_reset(&buf);
        gk_base64url_encode(&buf, gk_span_str(rows[i].plain));
        assert_string_equal(gk_buf_str(&buf), rows[i].url);
        gk_buf_reset(&buf);
        assert_true(gk_base64_decode(&buf, gk_span_str(rows[i].padded)));
        assert_string_equal(gk_buf_str(&buf), rows[i].plain);
        gk_buf_reset(&buf);
        assert_true(gk_base64url_decode(&buf, gk_span_str(rows[i].url)));
        assert_string_equal(gk_buf_str(&buf), rows[i].plain);
        gk_buf_cleanup(&buf);
    }
}

static void test_text__base64_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",     "Zg",   "Zg=",  "Zh==", "Zm9=",    "Zg==\n",
                                      " Zg==", "Zm-v", "====", "Z===", "Zg==Zg=="};
    static const char *const bad_url[] = {"Z", "Zg==", "Zh", "Zm9", "Zm+v", "Zm 9v"};
    struct gk_buf buf;
    gk_buf_init(&buf, 100);
    gk_buf_append_str(&buf, "kept");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(gk_base64_decode(&buf, gk_span_str(bad[i])));
        assert_int_equal(buf.len, 4);
    }
    for (size_t i = 0; i < sizeof bad_url / sizeof *bad_url; i++) {
        assert_false(gk_base64url_decode(&buf, gk_span_str(bad_url[i])));
        assert_int_equal(buf.len, 4);
    }
    gk_buf_cleanup(&buf);
}

static void test_text__percent(void **state)
{
    (void)state;
    struct gk_buf buf;
    gk_buf_init(&buf, 100);
    gk_percent_encode(&buf, gk_span_str("a b/\xc3\xa4~"), "/");
    assert_string_equal(gk_buf_str(&buf), "a%20b/%C3%A4~");
    gk_buf_reset(&buf);
    assert_true(gk_percent_decode(&buf, gk_span_str("a%20b%2f+%C3%a4")));
    assert_string_equal(gk_buf_str(&buf), "a b/+\xc3\xa4");
    static const char *const bad[] = {"%", "%1", "%zz", "a%00b", "%2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gk_buf_reset(&buf);
        assert_false(gk_percent_decode(&buf, gk_span_str(bad[i])));
    }
    gk_buf_cleanup(&buf);
}

static void test_text__times(void **state)
{
    (void)state;
    const int64_t noon = INT64_C(1795435200123);
    char text[GK_TIME_TEXT_BYTES];
    gk_time_http(noon, text);
    assert_string_equal(text, "Mon, 23 Nov 2026 12:00:00 GMT");
    gk_time_iso(noon, text);
    assert_string_equal(text, "2026-11-23T12:00:00.1230000Z");
    gk_time_iso_second(noon, text);
    assert_string_equal(text, "2026-11-23T12:00:00Z");
    static const struct {
        const char *text;
        int64_t wall_ms;
    } iso[] = {
        {"2026-11-23", INT64_C(1795392000000)},
        {"2026-11-23T12:00Z", INT64_C(1795435200000)},
        {"2026-11-23T12:00:00Z", INT64_C(1795435200000)},
        {"2026-11-23T12:00:00.1230000Z", INT64_C(1795435200123)},
        {"2026-11-23T13:30:00+01:30", INT64_C(1795435200000)},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000)},
    };
    int64_t wall_ms;
    for (size_t i = 0; i < sizeof iso / sizeof *iso; i++) {
        assert_true(gk_time_iso_parse(iso[i].text, &wall_ms));
        assert_int_equal(wall_ms, iso[i].wall_ms);
    }
    static const char *const bad_iso[] = {"",
                                          "2026",
                                          "2026-11-23T",
                                          "2026-13-01",
                                          "2026-02-30",
                                          "2026-11-23T12:00",
                                          "2026-11-23T12:00:61Z",
                                          "2026-11-23T25:00:00Z",
                                          "2026-11-23T12:00:00.Z",
                                          "2026-11-23T12:00:00ZZ",
                                          "26-11-23",
                                          "2026-1-1"};
    for (size_t i = 0; i < sizeof bad_iso / sizeof *bad_iso; i++) {
        assert_false(gk_time_iso_parse(bad_iso[i], &wall_ms));
    }
    assert_true(gk_time_http_parse("Mon, 23 Nov 2026 12:00:00 GMT", &wall_ms));
    assert_int_equal(wall_ms, INT64_C(1795435200000));
    static const char *const bad_http[] = {"", "Mon, 23 Nov 2026 12:00:00 UTC",
                                           "Mon, 23 Nox 2026 12:00:00 GMT",
                                           "Mon, 31 Feb 2026 12:00:00 GMT", "2026-11-23T12:00:00Z"};
    for (size_t i = 0; i < sizeof bad_http / sizeof *bad_http; i++) {
        assert_false(gk_time_http_parse(bad_http[i], &wall_ms));
    }
}

static void test_text__ids(void **state)
{
    (void)state;
    struct gk_id id;
    struct gk_id back;
    char text[GK_UUID_TEXT_BYTES];
    assert_true(gk_id_random(&id));
    gk_id_format(&id, text);
    assert_int_equal(strlen(text), 36);
    assert_int_equal(text[14], '4');
    assert_true(gk_id_parse(text, &back));
    assert_true(gk_id_equal(&id, &back));
    text[8] = '_';
    assert_false(gk_id_parse(text, &back));
    assert_false(gk_id_parse("short", &back));
}

static void test_text__numbers(void **state)
{
    (void)state;
    uint64_t value;
    assert_true(gk_parse_u64(gk_span_str("18446744073709551615"), UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(gk_parse_u64(gk_span_str("007"), 10, &value));
    assert_int_equal(value, 7);
    static const char *const bad[] = {"",   "-1",  "+1", " 1",
                                      "1 ", "0x1", "11", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(gk_parse_u64(gk_span_str(bad[i]), 10, &value));
    }
    assert_false(gk_parse_u64(gk_span_str("7"), 5, &value));
}

static void test_text__plain(void **state)
{
    (void)state;
    assert_true(gk_text_is_plain("", 1));
    assert_true(gk_text_is_plain("a \xc3\xa9~", 6));
    assert_false(gk_text_is_plain("abc", 3)); /* no end */
    static const char *const bad[] = {"a\nb", "\x1b[2J", "\x7f", "tab\t"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(gk_text_is_plain(bad[i], 8));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text__base64),  cmocka_unit_test(test_text__base64_refuses),
        cmocka_unit_test(test_text__percent), cmocka_unit_test(test_text__times),
        cmocka_unit_test(test_text__ids),     cmocka_unit_test(test_text__numbers),
        cmocka_unit_test(test_text__plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
