/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account's root key: 32 random bytes, one per account and generation. In the clear it exists
 * in locked memory alone (gk_secret_alloc); the caller keeps it there. Any thread.
 *
 * The commitment is stored in the account record and says which key an unwrap must give. RSA-OAEP
 * does not tell who wrapped, so nothing else would notice another key in its place.
 */
#ifndef PLUGIN_ROOT_KEY_H
#define PLUGIN_ROOT_KEY_H

#include "gatekey/types.h"
#include "plugin/crypto.h"

#define GK_ROOT_COMMITMENT_BYTES 32u
/* nonce 24 | ciphertext 32 | tag 16 */
#define GK_SERVICE_WRAPPED_ROOT_BYTES 72u
/* What gk_provider_ops.service_key_derive is asked for to get a struct gk_root_wrap_key. */
#define GK_ROOT_WRAP_LABEL "gatekey/v1/root-wrap"

struct gk_root_key {
    uint8_t bytes[GK_KEY_BYTES];
};

/* Derived from the operator's service key; wraps the root keys of service-managed accounts. */
struct gk_root_wrap_key {
    uint8_t bytes[GK_KEY_BYTES];
};

/* Which root key. */
struct gk_root_scope {
    struct gk_id account;
    uint32_t generation; /* from 1 */
};

/* A new random root key. GK_E_RESOURCE: no entropy. */
enum gk_status gk_root_key_random(struct gk_root_key *key, struct gk_error *error) GK_MUST_USE;

enum gk_status gk_root_key_commitment(const struct gk_crypto *crypto, const struct gk_root_key *key,
                                      const struct gk_root_scope *scope,
                                      uint8_t commitment[GK_ROOT_COMMITMENT_BYTES],
                                      struct gk_error *error) GK_MUST_USE;
/* GK_E_INTEGRITY when key is not the one that commitment was made for. Constant time. */
enum gk_status gk_root_key_check(const struct gk_crypto *crypto, const struct gk_root_key *key,
                                 const struct gk_root_scope *scope,
                                 const uint8_t commitment[GK_ROOT_COMMITMENT_BYTES],
                                 struct gk_error *error) GK_MUST_USE;

enum gk_status gk_root_key_wrap(const struct gk_crypto *crypto,
                                const struct gk_root_wrap_key *wrap_key,
                                const struct gk_root_scope *scope, const struct gk_root_key *key,
                                uint8_t wrapped[GK_SERVICE_WRAPPED_ROOT_BYTES],
                                struct gk_error *error) GK_MUST_USE;
/* GK_E_INTEGRITY: not the right length, wrapped by another service key, for another account or
 * generation, or changed. The caller goes on with gk_root_key_check(). */
enum gk_status gk_root_key_unwrap(const struct gk_crypto *crypto,
                                  const struct gk_root_wrap_key *wrap_key,
                                  const struct gk_root_scope *scope, struct gk_span wrapped,
                                  struct gk_root_key *key, struct gk_error *error) GK_MUST_USE;

#endif
