/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/loan.h"

#include <string.h>

#include "common/error.h"
#include "common/text.h"

#define VERSION 1u

static bool given(const void *value)
{
    const struct gk_loan *loan = value;
    const struct gk_id none = {{0}};
    return !gk_id_equal(&loan->id, &none);
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_loan *loan = value;
    gk_append_id(out, &loan->id);
    gk_append_id(out, &loan->container);
    gk_buf_append_u32(out, loan->shard);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_loan *loan = value;
    gk_read_id(in, &loan->id);
    gk_read_id(in, &loan->container);
    loan->shard = gk_read_u32(in);
    return !in->failed && given(loan) && loan->shard < GK_INDEX_SHARDS_MAX
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a record's loan is not well-formed");
}

const struct gk_field_kind gk_loan_field = {.given = given, .encode = encode, .decode = decode};

bool gk_loan_borrows(const struct gk_loan *loan, const struct gk_history *history)
{
    return given(loan) && history->kind != GK_STATE_LENT;
}

void gk_loan_row_encode(const struct gk_loan_row *row, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_buf_append_u8(out, row->closed);
    gk_append_id(out, &row->container);
    gk_buf_append_u32(out, row->shard);
    gk_buf_append_u64(out, row->time);
    gk_append_text(out, gk_span_of(row->name, row->name_len));
}

enum gk_status gk_loan_row_decode(struct gk_span in, struct gk_loan_row *out,
                                  struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    const uint8_t version = gk_read_u8(&reader);
    const uint8_t closed = gk_read_u8(&reader);
    gk_read_id(&reader, &out->container);
    out->shard = gk_read_u32(&reader);
    out->time = gk_read_u64(&reader);
    const struct gk_span name = gk_read_text(&reader);
    if (version != VERSION || closed > 1 || out->shard >= GK_INDEX_SHARDS_MAX || name.len == 0 ||
        name.len > sizeof out->name || !gk_read_done(&reader)) {
        return gk_fail(error, GK_E_INTEGRITY, "a loan is not well-formed");
    }
    out->closed = closed != 0;
    out->name_len = name.len;
    memcpy(out->name, name.data, name.len);
    return GK_OK;
}
