/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/incremental.h"

#include "common/error.h"
#include "common/text.h"

bool gk_incremental_given(const struct gk_incremental *incremental)
{
    const struct gk_id none = {{0}};
    return !gk_id_equal(&incremental->source, &none);
}

static bool given(const void *value)
{
    return gk_incremental_given(value);
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_incremental *incremental = value;
    gk_append_id(out, &incremental->source);
    gk_buf_append_u32(out, incremental->era);
    gk_buf_append_u64(out, incremental->snapshot);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_incremental *incremental = value;
    gk_read_id(in, &incremental->source);
    incremental->era = gk_read_u32(in);
    incremental->snapshot = gk_read_u64(in);
    return !in->failed && given(incremental) && incremental->snapshot != 0
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a record's incremental copy is not well-formed");
}

const struct gk_field_kind gk_incremental_field = {
    .given = given, .encode = encode, .decode = decode};

bool gk_incremental_allows(const struct gk_incremental *incremental,
                           const struct gk_history *history, enum gk_operation operation)
{
    static const enum gk_operation operations[] = {
        GK_OP_BLOB_INCREMENTAL_COPY_BLOB, GK_OP_BLOB_ABORT_COPY_BLOB,
        GK_OP_BLOB_GET_BLOB_PROPERTIES,   GK_OP_BLOB_DELETE_BLOB,
        GK_OP_BLOB_UNDELETE_BLOB,         GK_OP_BLOB_LEASE_BLOB_ACQUIRE,
        GK_OP_BLOB_LEASE_BLOB_RENEW,      GK_OP_BLOB_LEASE_BLOB_CHANGE,
        GK_OP_BLOB_LEASE_BLOB_RELEASE,    GK_OP_BLOB_LEASE_BLOB_BREAK};
    if (!gk_incremental_given(incremental) || history->kind == GK_STATE_SNAPSHOT) {
        return true;
    }
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (operations[i] == operation) {
            return true;
        }
    }
    return false;
}
