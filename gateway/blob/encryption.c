/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/encryption.h"

#include <string.h>

#include "common/error.h"

static bool given(const void *value)
{
    const struct gk_encryption *encryption = value;
    return encryption->kind != GK_ENCRYPTION_ACCOUNT;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_encryption *encryption = value;
    gk_buf_append_u8(out, (uint8_t)encryption->kind);
    gk_buf_append(out, encryption->client_key_hash, sizeof encryption->client_key_hash);
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_encryption *encryption = value;
    const uint8_t kind = gk_read_u8(in);
    const struct gk_span hash = gk_read_span(in, sizeof encryption->client_key_hash);
    if (in->failed || kind != GK_ENCRYPTION_CLIENT_KEY) {
        return gk_fail(error, GK_E_INTEGRITY, "a record's encryption is not well-formed");
    }
    encryption->kind = GK_ENCRYPTION_CLIENT_KEY;
    memcpy(encryption->client_key_hash, hash.data, hash.len);
    return GK_OK;
}

const struct gk_field_kind gk_encryption_field = {
    .given = given, .encode = encode, .decode = decode};
