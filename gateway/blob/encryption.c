/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/encryption.h"

#include <string.h>

#include "common/error.h"

static bool read_scope(struct gk_reader *in, char scope[GK_SCOPE_NAME_BYTES_MAX])
{
    const struct gk_span text = gk_read_text(in);
    if (in->failed || text.len >= GK_SCOPE_NAME_BYTES_MAX) {
        return false;
    }
    memset(scope, 0, GK_SCOPE_NAME_BYTES_MAX);
    if (text.len > 0) {
        memcpy(scope, text.data, text.len);
    }
    return strlen(scope) == text.len;
}

/* --- of a blob ----------------------------------------------------------------------------------*/

static bool given(const void *value)
{
    const struct gk_encryption *encryption = value;
    return encryption->kind != GK_ENCRYPTION_ACCOUNT;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_encryption *encryption = value;
    gk_buf_append_u8(out, (uint8_t)encryption->kind);
    if (encryption->kind == GK_ENCRYPTION_CLIENT_KEY) {
        gk_buf_append(out, encryption->client_key_hash, sizeof encryption->client_key_hash);
    } else {
        gk_append_text(out, gk_span_str(encryption->scope));
    }
}

static bool read_hash(struct gk_reader *in, uint8_t hash[GK_CLIENT_KEY_HASH_BYTES])
{
    const struct gk_span bytes = gk_read_span(in, GK_CLIENT_KEY_HASH_BYTES);
    if (!in->failed) {
        memcpy(hash, bytes.data, bytes.len);
    }
    return !in->failed;
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_encryption *encryption = value;
    const uint8_t kind = gk_read_u8(in);
    bool good = false;
    if (kind == GK_ENCRYPTION_CLIENT_KEY) {
        good = read_hash(in, encryption->client_key_hash);
        encryption->kind = GK_ENCRYPTION_CLIENT_KEY;
    } else if (kind == GK_ENCRYPTION_SCOPE) {
        good = read_scope(in, encryption->scope) && encryption->scope[0] != '\0';
        encryption->kind = GK_ENCRYPTION_SCOPE;
    }
    return good ? GK_OK
                : gk_fail(error, GK_E_INTEGRITY, "a record's encryption is not well-formed");
}

const struct gk_field_kind gk_encryption_field = {
    .given = given, .encode = encode, .decode = decode};

/* --- of a container -----------------------------------------------------------------------------*/

static bool container_given(const void *value)
{
    const struct gk_container_encryption *encryption = value;
    return encryption->deny_override || encryption->scope[0] != '\0';
}

static void container_encode(const void *value, struct gk_buf *out)
{
    const struct gk_container_encryption *encryption = value;
    gk_buf_append_u8(out, encryption->deny_override);
    gk_append_text(out, gk_span_str(encryption->scope));
}

static enum gk_status container_decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_container_encryption *encryption = value;
    const uint8_t deny = gk_read_u8(in);
    encryption->deny_override = deny != 0;
    return read_scope(in, encryption->scope) && deny <= 1 && container_given(encryption)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a container's encryption is not well-formed");
}

const struct gk_field_kind gk_container_encryption_field = {
    .given = container_given, .encode = container_encode, .decode = container_decode};
