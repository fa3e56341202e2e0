/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a buffer never passes its maximum and a reader never passes its end. */
#include "common/buf.h"

#include "unit/cmocka_all.h"

static void test_buf__keeps_its_maximum(void **state)
{
    (void)state;
    struct gk_buf buf;
    gk_buf_init(&buf, 1000);
    for (int i = 0; i < 100; i++) {
        gk_buf_append(&buf, "0123456789", 10);
    }
    assert_int_equal(gk_buf_status(&buf), GK_OK);
    assert_int_equal(strlen(gk_buf_str(&buf)), 1000);
    gk_buf_append_u8(&buf, 'x');
    assert_int_equal(gk_buf_status(&buf), GK_E_LIMIT);
    assert_int_equal(buf.len, 1000);
    gk_buf_append(&buf, "", 0);
    assert_int_equal(gk_buf_status(&buf), GK_E_LIMIT);
    gk_buf_reset(&buf);
    gk_buf_printf(&buf, "%s-%d", "a", 7);
    assert_string_equal(gk_buf_str(&buf), "a-7");
    gk_buf_cleanup_wipe(&buf);
    assert_string_equal(gk_buf_str(&buf), "");
}

static void test_buf__reader_mirrors_writer(void **state)
{
    (void)state;
    struct gk_buf buf;
    gk_buf_init(&buf, 100);
    gk_buf_append_u8(&buf, 0xfe);
    gk_buf_append_u16(&buf, 0xfedc);
    gk_buf_append_u32(&buf, 0xfedcba98u);
    gk_buf_append_u64(&buf, UINT64_C(0xfedcba9876543210));
    gk_buf_append_str(&buf, "end");
    struct gk_reader reader = gk_reader_of(gk_buf_span(&buf));
    assert_int_equal(gk_read_u8(&reader), 0xfe);
    assert_int_equal(gk_read_u16(&reader), 0xfedc);
    assert_int_equal(gk_read_u32(&reader), 0xfedcba98u);
    assert_true(gk_read_u64(&reader) == UINT64_C(0xfedcba9876543210));
    assert_false(gk_read_done(&reader));
    assert_true(gk_span_equal(gk_read_span(&reader, 3), gk_span_str("end")));
    assert_true(gk_read_done(&reader));
    assert_int_equal(gk_read_u8(&reader), 0);
    assert_false(gk_read_done(&reader));
    /* Every truncation is noticed. */
    for (size_t len = 0; len < buf.len; len++) {
        reader = gk_reader_of(gk_span_of(buf.data, len));
        (void)gk_read_u8(&reader);
        (void)gk_read_u16(&reader);
        (void)gk_read_u32(&reader);
        (void)gk_read_u64(&reader);
        (void)gk_read_span(&reader, 3);
        assert_false(gk_read_done(&reader));
    }
    gk_buf_cleanup(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf__keeps_its_maximum),
        cmocka_unit_test(test_buf__reader_mirrors_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
