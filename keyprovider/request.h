/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of requests to vaults: where they go and what they say. Pure functions. */
#ifndef KEYPROVIDER_REQUEST_H
#define KEYPROVIDER_REQUEST_H

#include "common/buf.h"
#include "keyprovider/verdict.h"

#define GK_KV_WRAP_ALGORITHM      "RSA-OAEP-256"
#define GK_KV_WRAP_ALGORITHM_SHA1 "RSA-OAEP" /* of vaults that have no other */

/* The URL of an operation; out must have room for GK_KEY_ID_BYTES_MAX and some 40 more. */
void gk_kv_request_url(struct gk_buf *out, enum gk_kv_operation operation,
                       const struct gk_key_reference *key);

/* {"alg":..., "value":base64url}. Buffer over secret memory: the value may be a key. */
void gk_kv_request_body(struct gk_buf *out, const char *algorithm, struct gk_span value);

/* Whether an algorithm is one that an RSA key unwraps with. It goes into the JSON as it is. */
bool gk_kv_algorithm_is_known(const char *algorithm);

#endif
