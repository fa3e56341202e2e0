/* SPDX-License-Identifier: Apache-2.0 */
/* What Shared Key and SAS have in common. */
#ifndef GATEWAY_AUTH_SIGNATURE_H
#define GATEWAY_AUTH_SIGNATURE_H

#include "gateway/accounts.h"

/* Whether signature (base64) is the HMAC-SHA256 of text under either key. Constant time in the
 * content. Source: "Authorize with Shared Key". */
bool gk_signature_matches(const struct gk_access_keys *keys, struct gk_span text,
                          const char *signature) GK_MUST_USE;
#define GK_SIGNATURE_BYTES 32u
/* The HMAC-SHA256 of text under a key. False when libcrypto fails. */
bool gk_signature_make(struct gk_span key, struct gk_span text,
                       uint8_t made[GK_SIGNATURE_BYTES]) GK_MUST_USE;
/* Whether signature (base64) is that. Constant time in the content. */
bool gk_signature_is(struct gk_span key, struct gk_span text, const char *signature) GK_MUST_USE;
/* 2021-12-02 as 20211202; 0 when it is no such date. */
int64_t gk_service_version(const char *text);

#endif
