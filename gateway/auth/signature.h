/* SPDX-License-Identifier: Apache-2.0 */
/* What Shared Key and SAS have in common. */
#ifndef GATEWAY_AUTH_SIGNATURE_H
#define GATEWAY_AUTH_SIGNATURE_H

#include "gateway/accounts.h"

/* Whether signature (base64) is the HMAC-SHA256 of text under either key. Constant time in the
 * content. Source: "Authorize with Shared Key". */
bool gk_signature_matches(const struct gk_access_keys *keys, struct gk_span text,
                          const char *signature) GK_MUST_USE;
/* 2021-12-02 as 20211202; 0 when it is no such date. */
int64_t gk_service_version(const char *text);

#endif
