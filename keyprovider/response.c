/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyprovider/origin.h"

#define MODULUS_BYTES_MAX 1024u        /* RSA 8192, more than any vault makes */
#define TIME_MAX_S        253402300799 /* the end of the year 9999 */
#define MS_PER_S          1000
#define BITS_PER_BYTE     8u

bool gk_kv_response_error(struct gk_span body, struct gk_vault_answer *answer)
{
    struct gk_kv_json root;
    char code[48];
    char inner[48];
    answer->code[0] = '\0';
    answer->message[0] = '\0';
    if (!gk_kv_json_parse(body, &root)) {
        return false;
    }
    const struct gk_kv_json error = gk_kv_json_get(root, "error");
    const struct gk_kv_json message = gk_kv_json_get(error, "message");
    if (!gk_kv_json_copy(gk_kv_json_get(error, "code"), code, sizeof code) || code[0] == '\0' ||
        message.kind != GK_KV_JSON_STRING) {
        return false;
    }
    const struct gk_kv_json innererror = gk_kv_json_get(error, "innererror");
    const bool has_inner =
        gk_kv_json_copy(gk_kv_json_get(innererror, "code"), inner, sizeof inner) &&
        inner[0] != '\0';
    snprintf(answer->code, sizeof answer->code, "%s%s%s", code, has_inner ? "/" : "", inner);
    gk_kv_json_show(message, answer->message, sizeof answer->message);
    return true;
}

/* The kid in the form that the caller's own vault URI has: a vault may add a port or change case. */
static bool read_kid(struct gk_kv_json kid, const struct gk_key_reference *asked,
                     struct gk_vault_answer *answer)
{
    char text[GK_KEY_ID_BYTES_MAX];
    char version[GK_KEY_VERSION_BYTES_MAX];
    if (!gk_kv_json_copy(kid, text, sizeof text) || !gk_kv_key_id_matches(text, asked, version)) {
        return false;
    }
    snprintf(answer->key_id, sizeof answer->key_id, "%s/keys/%s/%s", asked->vault_uri, asked->name,
             version);
    return true;
}

/* --- a key bundle ------------------------------------------------------------------------------ */

static bool read_modulus(struct gk_kv_json n, uint32_t *bits)
{
    struct gk_buf bytes;
    gk_buf_init(&bytes, MODULUS_BYTES_MAX);
    const bool good = n.kind == GK_KV_JSON_STRING && gk_base64url_decode(&bytes, n.text);
    size_t first = 0;
    while (good && first < bytes.len && bytes.data[first] == 0) {
        first++;
    }
    *bits = 0;
    if (good && first < bytes.len) {
        *bits = (uint32_t)(bytes.len - first) * BITS_PER_BYTE;
        for (uint8_t top = bytes.data[first]; (top & 0x80u) == 0; top = (uint8_t)(top << 1)) {
            (*bits)--;
        }
    }
    gk_buf_cleanup(&bytes);
    return good && *bits > 0;
}

/* Vaults always send the list; without one nothing is known to be allowed. */
static bool read_operations(struct gk_kv_json operations, struct gk_key_info *info)
{
    struct gk_span rest = operations.text;
    struct gk_kv_json item;
    if (operations.kind != GK_KV_JSON_ARRAY) {
        return false;
    }
    while (gk_kv_json_next(&rest, &item)) {
        info->may_wrap |= gk_kv_json_string_is(item, "wrapKey") ? 1 : 0;
        info->may_unwrap |= gk_kv_json_string_is(item, "unwrapKey") ? 1 : 0;
    }
    return true;
}

static bool read_time(struct gk_kv_json value, int64_t *wall_ms)
{
    uint64_t seconds = 0;
    if (value.kind == GK_KV_JSON_MISSING || value.kind == GK_KV_JSON_NULL) {
        *wall_ms = 0;
        return true;
    }
    const bool good = gk_kv_json_u64(value, TIME_MAX_S, &seconds);
    *wall_ms = (int64_t)seconds * MS_PER_S;
    return good;
}

/* "Recoverable+Purgeable" and so on; a level that nobody knows is no protection. */
static bool read_recovery_level(struct gk_kv_json level, struct gk_key_info *info)
{
    if (level.kind == GK_KV_JSON_MISSING) {
        return true;
    }
    if (!gk_kv_json_copy(level, info->recovery_level, sizeof info->recovery_level)) {
        return false;
    }
    info->soft_delete = strstr(info->recovery_level, "Recoverable") != NULL;
    info->purge_protected = info->soft_delete && strstr(info->recovery_level, "Purgeable") == NULL;
    return true;
}

static bool read_attributes(struct gk_kv_json attributes, struct gk_key_info *info)
{
    const struct gk_kv_json enabled = gk_kv_json_get(attributes, "enabled");
    info->enabled = enabled.kind == GK_KV_JSON_TRUE;
    return (enabled.kind == GK_KV_JSON_TRUE || enabled.kind == GK_KV_JSON_FALSE) &&
           read_time(gk_kv_json_get(attributes, "nbf"), &info->not_before_wall_ms) &&
           read_time(gk_kv_json_get(attributes, "exp"), &info->expires_wall_ms) &&
           read_time(gk_kv_json_get(attributes, "created"), &info->created_wall_ms) &&
           read_recovery_level(gk_kv_json_get(attributes, "recoveryLevel"), info);
}

bool gk_kv_response_key(struct gk_span body, const struct gk_key_reference *asked,
                        struct gk_vault_answer *answer)
{
    struct gk_kv_json root;
    struct gk_key_info *info = &answer->info;
    if (!gk_kv_json_parse(body, &root)) {
        return false;
    }
    const struct gk_kv_json key = gk_kv_json_get(root, "key");
    if (!read_kid(gk_kv_json_get(key, "kid"), asked, answer) ||
        !gk_kv_json_copy(gk_kv_json_get(key, "kty"), info->key_type, sizeof info->key_type) ||
        !read_operations(gk_kv_json_get(key, "key_ops"), info) ||
        !read_attributes(gk_kv_json_get(root, "attributes"), info)) {
        return false;
    }
    const bool rsa = strcmp(info->key_type, "RSA") == 0 || strcmp(info->key_type, "RSA-HSM") == 0;
    return !rsa || read_modulus(gk_kv_json_get(key, "n"), &info->modulus_bits);
}

/* --- the result of a wrap or an unwrap ---------------------------------------------------------- */

bool gk_kv_response_value(struct gk_span body, const struct gk_key_reference *asked,
                          struct gk_vault_answer *answer, struct gk_buf *value)
{
    struct gk_kv_json root;
    if (!gk_kv_json_parse(body, &root)) {
        return false;
    }
    const struct gk_kv_json bytes = gk_kv_json_get(root, "value");
    return read_kid(gk_kv_json_get(root, "kid"), asked, answer) &&
           bytes.kind == GK_KV_JSON_STRING && gk_base64url_decode(value, bytes.text);
}

/* --- tokens ------------------------------------------------------------------------------------- */

/* Anything else could end the header it goes into. */
bool gk_kv_response_token_is_good(struct gk_kv_json token)
{
    static const char signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~+/=";
    if (token.kind != GK_KV_JSON_STRING || token.text.len == 0 ||
        token.text.len > GK_KV_TOKEN_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < token.text.len; i++) {
        if (memchr(signs, token.text.data[i], sizeof signs - 1) == NULL) {
            return false;
        }
    }
    return true;
}

static struct gk_span text_of(struct gk_kv_json object, const char *name)
{
    const struct gk_kv_json text = gk_kv_json_get(object, name);
    return text.kind == GK_KV_JSON_STRING ? text.text : gk_span_of(NULL, 0);
}

bool gk_kv_response_token(struct gk_span body, struct gk_kv_token_response *token)
{
    struct gk_kv_json root;
    char type[16];
    *token = (struct gk_kv_token_response){0};
    if (!gk_kv_json_parse(body, &root)) {
        return false;
    }
    const struct gk_kv_json value = gk_kv_json_get(root, "access_token");
    const bool in =
        gk_kv_json_u64(gk_kv_json_get(root, "expires_in"), TIME_MAX_S, &token->expires_in_s);
    const bool on =
        gk_kv_json_u64(gk_kv_json_get(root, "expires_on"), TIME_MAX_S, &token->expires_on_s);
    if (!gk_kv_response_token_is_good(value) || (!in && !on) ||
        !gk_kv_json_copy(gk_kv_json_get(root, "token_type"), type, sizeof type) ||
        strcasecmp(type, "Bearer") != 0) {
        return false;
    }
    token->access_token = value.text;
    token->client_id = text_of(root, "client_id");
    token->resource_id = text_of(root, "msi_res_id");
    return true;
}

bool gk_kv_response_oauth_error(struct gk_span body, char *code, size_t code_bytes, char *message,
                                size_t message_bytes)
{
    struct gk_kv_json root;
    code[0] = '\0';
    message[0] = '\0';
    if (!gk_kv_json_parse(body, &root) ||
        !gk_kv_json_copy(gk_kv_json_get(root, "error"), code, code_bytes) || code[0] == '\0') {
        return false;
    }
    gk_kv_json_show(gk_kv_json_get(root, "error_description"), message, message_bytes);
    return true;
}
