/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: JSON web tokens bound to an identity, an audience and a time, authenticated with
 * HMAC-SHA-256 under the store's secret. Clients take them as opaque; we alone read them.
 */
#ifndef KEYVAULTD_TOKEN_H
#define KEYVAULTD_TOKEN_H

#include "common/buf.h"

#define KV_TOKEN_BYTES_MAX 4096u
#define KV_TOKEN_TEXT_MAX  300u

struct kv_token {
    const char *issuer;
    const char *audience;
    const char *tenant_id;
    const char *client_id;
    const char *object_id;
    int64_t not_before_s;
    int64_t expires_s;
};

/* Appends the token's text. */
bool kv_token_make(const struct kv_token *token, struct gk_span secret,
                   struct gk_buf *out) GK_MUST_USE;

/* What a token that is good now says. */
struct kv_token_claims {
    char audience[KV_TOKEN_TEXT_MAX];
    char tenant_id[KV_TOKEN_TEXT_MAX];
    char client_id[KV_TOKEN_TEXT_MAX];
};

/* False for anything but a token of ours, unchanged, within its time. */
bool kv_token_read(const char *text, struct gk_span secret, int64_t now_s,
                   struct kv_token_claims *claims) GK_MUST_USE;

#endif
