/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data keys: 32 random bytes, one per incarnation of a blob or file, sealed under the account's
 * root key, or under that and a client's key together: then neither opens it alone. Any thread.
 *
 *   offset  size
 *        0     4  "GKD" 0x01, with a client's key "GKD" 0x02
 *        4     4  generation of the root key, big endian
 *        8    24  salt, random
 *       32    32  ciphertext
 *       64    16  tag
 *       80    32  commitment
 *
 *   key 32 | nonce 12 = HKDF-Expand(root key, "gatekey/v1/data-key" | account | generation | salt)
 *          with 0x02  = HKDF(root key | client's key, salt, "gatekey/v1/data-key-client" | account |
 *                            generation)
 *   AES-256-GCM, AAD  = bytes [0, 8) | account | container | object
 *   commitment        = HKDF-Expand(data key, "gatekey/v1/data-key-commitment" | object)
 */
#ifndef PLUGIN_DATA_KEY_SEAL_H
#define PLUGIN_DATA_KEY_SEAL_H

#include "gatekey/plugin.h"
#include "plugin/root_key.h"

struct gk_data_key_bytes {
    uint8_t bytes[GK_KEY_BYTES];
};

/* What seals a data key: the root key of a scope (account and generation) and, unless it is empty,
 * GK_CLIENT_KEY_BYTES of a client's. */
struct gk_sealing_keys {
    const struct gk_root_key *root;
    struct gk_root_scope root_scope;
    struct gk_span client;
};

/* A new random data key. GK_E_RESOURCE: no entropy. */
enum gk_status gk_data_key_random(struct gk_data_key_bytes *key,
                                  struct gk_error *error) GK_MUST_USE;

/* sealed is zeroed on failure. GK_E_INVALID: the client's key has another length. */
enum gk_status gk_data_key_seal(const struct gk_crypto *crypto, const struct gk_sealing_keys *keys,
                                const struct gk_object_scope *scope,
                                const struct gk_data_key_bytes *key,
                                uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                struct gk_error *error) GK_MUST_USE;
/* Which generation of the root key opens it. GK_E_INTEGRITY: not a sealed data key, or generation
 * 0. The answer is not authenticated; gk_data_key_unseal() does that. */
enum gk_status gk_data_key_generation(struct gk_span sealed, uint32_t *generation,
                                      struct gk_error *error) GK_MUST_USE;
/* GK_E_INTEGRITY, the same one for all of it: changed, or sealed for another account, generation or
 * scope, under another root key or client's key, with one or without. key is zeroed then. */
enum gk_status gk_data_key_unseal(const struct gk_crypto *crypto,
                                  const struct gk_sealing_keys *keys,
                                  const struct gk_object_scope *scope, struct gk_span sealed,
                                  struct gk_data_key_bytes *key,
                                  struct gk_error *error) GK_MUST_USE;

#endif
