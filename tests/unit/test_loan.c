/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a loan, as records and rows have it, is read as it was written, and nothing else is one. Method: round
 * trips; every length cut short; every field that says what no writer does.
 */
#include "gateway/blob/loan.h"

#include "unit/cmocka_all.h"

static struct gk_id id_of(uint8_t last)
{
    struct gk_id id = {{0}};
    id.bytes[15] = last;
    return id;
}

static enum gk_status decode_field(struct gk_span in, struct gk_loan *out)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    return gk_loan_field.decode(&reader, out, NULL);
}

static void test_loan__of_a_record(void **state)
{
    (void)state;
    const struct gk_loan loan = {
        .id = id_of(1), .container = id_of(2), .shard = GK_INDEX_SHARDS_MAX - 1};
    struct gk_loan back;
    struct gk_buf bytes;
    gk_buf_init(&bytes, 256);
    gk_loan_field.encode(&loan, &bytes);
    assert_int_equal(decode_field(gk_buf_span(&bytes), &back), GK_OK);
    assert_memory_equal(&back, &loan, sizeof loan);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(decode_field(gk_span_of(bytes.data, len), &back), GK_E_INTEGRITY);
    }
    bytes.data[34] = 4; /* a shard that no container has */
    assert_int_equal(decode_field(gk_buf_span(&bytes), &back), GK_E_INTEGRITY);
    bytes.data[34] = 0;
    bytes.data[15] = 0; /* no id */
    assert_int_equal(decode_field(gk_buf_span(&bytes), &back), GK_E_INTEGRITY);
    gk_buf_cleanup(&bytes);
}

/* A state that is lent has a loan, and borrows nothing by it. */
static void test_loan__who_borrows(void **state)
{
    (void)state;
    const struct gk_loan none = {.shard = 0};
    const struct gk_loan loan = {.id = id_of(1)};
    static const struct {
        enum gk_state_kind kind;
        bool borrows;
    } rows[] = {{GK_STATE_BASE, true},
                {GK_STATE_SNAPSHOT, true},
                {GK_STATE_VERSION, true},
                {GK_STATE_LENT, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gk_history history = {.kind = rows[i].kind};
        assert_int_equal(gk_loan_borrows(&loan, &history), rows[i].borrows);
        assert_false(gk_loan_borrows(&none, &history));
    }
    assert_true(gk_loan_field.given(&loan));
    assert_false(gk_loan_field.given(&none));
}

static void test_loan__rows(void **state)
{
    (void)state;
    struct gk_loan_row row = {
        .closed = true, .container = id_of(3), .shard = 5, .time = UINT64_MAX};
    struct gk_loan_row back;
    struct gk_buf bytes;
    const size_t lengths[] = {1, 7, GK_BLOB_NAME_BYTES_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        row.name_len = lengths[i];
        row.closed = !row.closed;
        memset(row.name, 'n', row.name_len);
        gk_buf_init(&bytes, GK_LOAN_ROW_BYTES_MAX);
        gk_loan_row_encode(&row, &bytes);
        assert_int_equal(gk_loan_row_decode(gk_buf_span(&bytes), &back, NULL), GK_OK);
        assert_int_equal(back.closed, row.closed);
        assert_memory_equal(&back.container, &row.container, sizeof row.container);
        assert_int_equal(back.shard, 5);
        assert_true(back.time == UINT64_MAX);
        assert_int_equal(back.name_len, row.name_len);
        assert_memory_equal(back.name, row.name, row.name_len);
        for (size_t len = 0; len < bytes.len; len++) {
            assert_int_equal(gk_loan_row_decode(gk_span_of(bytes.data, len), &back, NULL),
                             GK_E_INTEGRITY);
        }
        gk_buf_append_u8(&bytes, 0); /* more than a row has */
        assert_int_equal(gk_loan_row_decode(gk_buf_span(&bytes), &back, NULL), GK_E_INTEGRITY);
        gk_buf_cleanup(&bytes);
    }
}

static void test_loan__refuses_what_no_writer_makes(void **state)
{
    (void)state;
    const struct gk_loan_row row = {.container = id_of(3), .shard = 5, .name_len = 1, .name = "n"};
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {{0, 2}, {1, 2}, {20, 4}, {31, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_loan_row back;
        struct gk_buf bytes;
        gk_buf_init(&bytes, GK_LOAN_ROW_BYTES_MAX);
        gk_loan_row_encode(&row, &bytes);
        bytes.data[rows[i].at] = rows[i].byte;
        assert_int_equal(gk_loan_row_decode(gk_buf_span(&bytes), &back, NULL), GK_E_INTEGRITY);
        gk_buf_cleanup(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loan__of_a_record),
        cmocka_unit_test(test_loan__who_borrows),
        cmocka_unit_test(test_loan__rows),
        cmocka_unit_test(test_loan__refuses_what_no_writer_makes),
    };
    return cmocka_run_group_tests_name("loan", tests, NULL, NULL);
}
