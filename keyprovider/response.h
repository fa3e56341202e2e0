/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading what vaults and token endpoints answer. Pure functions over hostile text: false means that
 * it is not what was asked for, and then it is nobody's refusal either.
 */
#ifndef KEYPROVIDER_RESPONSE_H
#define KEYPROVIDER_RESPONSE_H

#include "common/buf.h"
#include "common/secret.h"
#include "keyprovider/json_view.h"
#include "keyprovider/verdict.h"

/* A vault's error: {"error":{"code","message","innererror":{"code"}}}; code joins both with '/'. */
bool gk_kv_response_error(struct gk_span body, struct gk_vault_answer *answer) GK_MUST_USE;

/* A key bundle of the key that was asked for: answer->key_id and answer->info. */
bool gk_kv_response_key(struct gk_span body, const struct gk_key_reference *asked,
                        struct gk_vault_answer *answer) GK_MUST_USE;

/*
 * The result of a wrap or an unwrap with that key: answer->key_id and the bytes, appended to value,
 * which is a buffer over secret memory for an unwrap. The bytes are not NUL-terminated text; their
 * number is the caller's to judge.
 */
bool gk_kv_response_value(struct gk_span body, const struct gk_key_reference *asked,
                          struct gk_vault_answer *answer, struct gk_buf *value) GK_MUST_USE;

/* With the words of its header, a token fits into one piece of secret memory. */
#define GK_KV_TOKEN_BYTES_MAX (GK_SECRET_BYTES_MAX - 64u)

struct gk_kv_token_response {
    struct gk_span access_token; /* a view into body; only characters that a header may carry */
    uint64_t expires_in_s;       /* 0: not told */
    uint64_t expires_on_s;       /* 0: not told */
    struct gk_span client_id; /* of whom a token service of the host says it is; views into body */
    struct gk_span resource_id;
};

/* Whether it is a string that may go into a header as a bearer token (RFC 6750). */
bool gk_kv_response_token_is_good(struct gk_kv_json token);
bool gk_kv_response_token(struct gk_span body, struct gk_kv_token_response *token) GK_MUST_USE;

/* An OAuth error: {"error", "error_description"}, into code and message. */
bool gk_kv_response_oauth_error(struct gk_span body, char *code, size_t code_bytes, char *message,
                                size_t message_bytes) GK_MUST_USE;

#endif
