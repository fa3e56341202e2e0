/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: times of states as clients see them, exactly, and never one twice. Method: tables of texts. */
#include "cmocka_all.h"

#include "gateway/blob/history.h"
#include "gateway/blob/names.h"
#include "gateway/store/store.h"

static void test_history__times_as_texts(void **state)
{
    (void)state;
    static const struct {
        uint64_t time;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.0000000Z"},
        {1, "1970-01-01T00:00:00.0000001Z"},
        {UINT64_C(9999999), "1970-01-01T00:00:00.9999999Z"},
        {UINT64_C(17640612123451234), "2025-11-25T09:00:12.3451234Z"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[GK_STATE_TIME_TEXT_BYTES];
        uint64_t time = 7;
        gk_state_time_format(rows[i].time, text);
        assert_int_equal(strlen(text), 28);
        assert_true(gk_state_time_parse(text, &time));
        assert_true(time == rows[i].time);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_history__only_exact_times(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "Z",
                                      "yesterday",
                                      "2026-01-01",
                                      "2026-01-01T00:00:00Z",
                                      "2026-01-01T00:00:00.000000Z",
                                      "2026-01-01T00:00:00.00000000Z",
                                      "2026-01-01T00:00:00.0000000+00:00",
                                      "2026-01-01T00:00:00.0000000z",
                                      "2026-02-30T00:00:00.0000000Z",
                                      " 2026-01-01T00:00:00.0000000Z",
                                      "1969-12-31T23:59:59.0000000Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t time = 0;
        assert_false(gk_state_time_parse(bad[i], &time));
    }
}

static void test_history__no_time_comes_twice(void **state)
{
    (void)state;
    struct gk_history base = {.newest = 0};
    assert_true(gk_history_next(&base, 5) == 50000);
    base.newest = 50000;
    assert_true(gk_history_next(&base, 5) == 50001);
    base.newest = 70000; /* a clock that was put back */
    assert_true(gk_history_next(&base, 5) == 70001);
    assert_true(gk_history_next(&base, 8) == 80000);
}

static void test_history__keys(void **state)
{
    (void)state;
    struct gk_buf base;
    struct gk_buf key;
    struct gk_buf again;
    gk_buf_init(&base, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&again, GK_MAP_KEY_BYTES_MAX);
    gk_blob_key(&base, "a/b");
    gk_state_key(&key, gk_buf_span(&base), UINT64_C(0x0102030405060708));
    assert_true(gk_span_equal(gk_buf_span(&key), gk_span_of("v/a/b\0\1\2\3\4\5\6\7\10", 14)));
    assert_true(gk_is_state_key(gk_buf_span(&key)));
    assert_false(gk_is_state_key(gk_buf_span(&base)));
    assert_true(gk_span_equal(gk_state_key_name(gk_buf_span(&key)), gk_span_str("a/b")));
    assert_true(gk_state_key_time(gk_buf_span(&key)) == UINT64_C(0x0102030405060708));
    gk_base_key(&again, gk_buf_span(&key));
    assert_true(gk_span_equal(gk_buf_span(&again), gk_buf_span(&base)));
    /* The longest name there is has states, too. */
    char name[GK_BLOB_NAME_BYTES_MAX + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    gk_buf_reset(&base);
    gk_buf_reset(&key);
    gk_blob_key(&base, name);
    gk_state_key(&key, gk_buf_span(&base), UINT64_MAX);
    assert_int_equal(gk_buf_status(&key), GK_OK);
    gk_buf_cleanup(&base);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history__times_as_texts),
        cmocka_unit_test(test_history__only_exact_times),
        cmocka_unit_test(test_history__no_time_comes_twice),
        cmocka_unit_test(test_history__keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
