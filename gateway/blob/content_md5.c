/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/content_md5.h"

#include <string.h>

#include "common/error.h"

static bool given(const void *value)
{
    const struct gk_content_md5 *md5 = value;
    return md5->len > 0;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_content_md5 *md5 = value;
    gk_buf_append(out, md5->bytes, md5->len);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_content_md5 *md5 = value;
    if (in->rest.len == 0 || in->rest.len > sizeof md5->bytes) {
        return gk_fail(error, GK_E_INTEGRITY, "a record's MD5 is not well-formed");
    }
    const struct gk_span bytes = gk_read_span(in, in->rest.len);
    md5->len = (uint8_t)bytes.len;
    memcpy(md5->bytes, bytes.data, bytes.len);
    return GK_OK;
}

const struct gk_field_kind gk_content_md5_field = {
    .given = given, .encode = encode, .decode = decode};
