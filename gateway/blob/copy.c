/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"

static bool given(const void *value)
{
    const struct gk_copy *copy = value;
    return copy->source != NULL;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_copy *copy = value;
    gk_append_id(out, &copy->id);
    gk_buf_append_u64(out, copy->bytes);
    gk_buf_append_u64(out, (uint64_t)copy->completed_wall_ms);
    gk_append_text(out, gk_span_str(copy->source));
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_copy *copy = value;
    gk_read_id(in, &copy->id);
    copy->bytes = gk_read_u64(in);
    copy->completed_wall_ms = (int64_t)gk_read_u64(in);
    const struct gk_span source = gk_read_text(in);
    if (in->failed || source.len == 0 || memchr(source.data, '\0', source.len) != NULL) {
        return gk_fail(error, GK_E_INTEGRITY, "a record's copy is not well-formed");
    }
    copy->source = strndup((const char *)source.data, source.len);
    return copy->source == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
}

void gk_copy_clear(struct gk_copy *copy)
{
    free(copy->source);
    *copy = (struct gk_copy){0};
}

static void cleanup(void *value)
{
    gk_copy_clear(value);
}

const struct gk_field_kind gk_copy_field = {
    .given = given, .encode = encode, .decode = decode, .cleanup = cleanup};
