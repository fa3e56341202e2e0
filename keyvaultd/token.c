/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/token.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "common/text.h"

#define HEADER        "{\"typ\":\"JWT\",\"alg\":\"HS256\"}"
#define CLOCK_SLACK_S 300 /* a token may be this much too early: clocks differ */

static bool append_mac(struct gk_span signed_part, struct gk_span secret, struct gk_buf *out)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (HMAC(EVP_sha256(), secret.data, (int)secret.len, signed_part.data, signed_part.len, mac,
             &len) == NULL) {
        return false;
    }
    gk_base64url_encode(out, gk_span_of(mac, len));
    return true;
}

bool kv_token_make(const struct kv_token *token, struct gk_span secret, struct gk_buf *out)
{
    json_t *claims =
        json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "aud",
                  token->audience, "iss", token->issuer, "iat", (json_int_t)token->not_before_s,
                  "nbf", (json_int_t)token->not_before_s, "exp", (json_int_t)token->expires_s,
                  "appid", token->client_id, "azp", token->client_id, "oid", token->object_id,
                  "sub", token->object_id, "tid", token->tenant_id, "idtyp", "app", "ver", "1.0");
    char *text = claims == NULL ? NULL : json_dumps(claims, JSON_COMPACT);
    json_decref(claims);
    if (text == NULL) {
        return false;
    }
    const size_t start = out->len;
    gk_base64url_encode(out, gk_span_str(HEADER));
    gk_buf_append_str(out, ".");
    gk_base64url_encode(out, gk_span_str(text));
    free(text);
    if (gk_buf_status(out) != GK_OK) {
        return false;
    }
    struct gk_buf mac;
    gk_buf_init(&mac, 128);
    const bool good = append_mac(gk_span_of(out->data + start, out->len - start), secret, &mac);
    gk_buf_append_str(out, ".");
    gk_buf_append_str(out, gk_buf_str(&mac));
    gk_buf_cleanup(&mac);
    return good && gk_buf_status(out) == GK_OK;
}

/* The MAC over everything before the last dot, as text: canonical, so texts may be compared. */
static bool mac_good(struct gk_span text, size_t dot, struct gk_span secret)
{
    struct gk_buf mac;
    gk_buf_init(&mac, 128);
    const bool good =
        append_mac(gk_span_of(text.data, dot), secret, &mac) && gk_buf_status(&mac) == GK_OK &&
        gk_secret_equal(gk_buf_span(&mac), gk_span_of(text.data + dot + 1, text.len - dot - 1));
    gk_buf_cleanup(&mac);
    return good;
}

static bool copy_claim(const json_t *claims, const char *name, char out[KV_TOKEN_TEXT_MAX])
{
    const char *value = json_string_value(json_object_get(claims, name));
    if (value == NULL || strlen(value) >= KV_TOKEN_TEXT_MAX) {
        return false;
    }
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static bool read_claims(struct gk_span payload, int64_t now_s, struct kv_token_claims *claims)
{
    struct gk_buf json;
    gk_buf_init(&json, KV_TOKEN_BYTES_MAX);
    json_t *root = NULL;
    if (gk_base64url_decode(&json, payload)) {
        root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
    }
    gk_buf_cleanup(&json);
    const bool good = now_s < json_integer_value(json_object_get(root, "exp")) &&
                      now_s + CLOCK_SLACK_S >= json_integer_value(json_object_get(root, "nbf")) &&
                      copy_claim(root, "aud", claims->audience) &&
                      copy_claim(root, "tid", claims->tenant_id) &&
                      copy_claim(root, "appid", claims->client_id);
    json_decref(root);
    return good;
}

bool kv_token_read(const char *text, struct gk_span secret, int64_t now_s,
                   struct kv_token_claims *claims)
{
    memset(claims, 0, sizeof *claims);
    const char *first = strchr(text, '.');
    const char *last = strrchr(text, '.');
    const size_t len = strnlen(text, KV_TOKEN_BYTES_MAX + 1);
    if (len > KV_TOKEN_BYTES_MAX || first == NULL || first == last) {
        return false;
    }
    return mac_good(gk_span_of(text, len), (size_t)(last - text), secret) &&
           read_claims(gk_span_of(first + 1, (size_t)(last - first) - 1), now_s, claims);
}
