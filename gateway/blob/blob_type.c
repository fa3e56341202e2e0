/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/blob_type.h"

#include <string.h>

#include "common/error.h"
#include "common/text.h"

const char *const gk_blob_type_names[GK_BLOB_TYPES] = {"BlockBlob", "AppendBlob", "PageBlob"};

static bool given(const void *value)
{
    const struct gk_blob_kind *kind = value;
    return kind->type != GK_BLOB_BLOCK;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_blob_kind *kind = value;
    gk_buf_append_u8(out, (uint8_t)kind->type);
    if (kind->type == GK_BLOB_APPEND) {
        gk_buf_append_u32(out, kind->blocks_count);
        gk_buf_append_u8(out, kind->sealed);
    } else {
        gk_buf_append_u64(out, kind->sequence);
        gk_append_id(out, &kind->space);
        gk_buf_append(out, kind->groups, sizeof kind->groups);
    }
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_blob_kind *kind = value;
    const uint8_t type = gk_read_u8(in);
    if (type != GK_BLOB_APPEND && type != GK_BLOB_PAGE) {
        return gk_fail(error, GK_E_INTEGRITY, "a blob's type is not well-formed");
    }
    kind->type = (enum gk_blob_type)type;
    if (type == GK_BLOB_APPEND) {
        kind->blocks_count = gk_read_u32(in);
        kind->sealed = gk_read_u8(in) != 0;
        return GK_OK;
    }
    kind->sequence = gk_read_u64(in);
    gk_read_id(in, &kind->space);
    const struct gk_span groups = gk_read_span(in, sizeof kind->groups);
    if (groups.len == sizeof kind->groups) {
        memcpy(kind->groups, groups.data, groups.len);
    }
    return GK_OK;
}

const struct gk_field_kind gk_blob_kind_field = {
    .given = given, .encode = encode, .decode = decode};

static const struct gk_id none;

static bool lineage_given(const void *value)
{
    return !gk_id_equal(value, &none);
}

static void lineage_encode(const void *value, struct gk_buf *out)
{
    gk_append_id(out, value);
}

static enum gk_status lineage_decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    gk_read_id(in, value);
    return lineage_given(value)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a page blob's lineage is not well-formed");
}

const struct gk_field_kind gk_page_lineage_field = {
    .given = lineage_given, .encode = lineage_encode, .decode = lineage_decode};

const struct gk_id *gk_page_lineage(const struct gk_blob_kind *kind)
{
    return lineage_given(&kind->lineage) ? &kind->lineage : &kind->space;
}
