/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data keys: 32 random bytes, one per incarnation of a blob or file, sealed under the account's
 * root key. Any thread.
 *
 *   offset  size
 *        0     4  "GKD" 0x01
 *        4     4  generation of the root key, big endian
 *        8    24  salt, random
 *       32    32  ciphertext
 *       64    16  tag
 *       80    32  commitment
 *
 *   key 32 | nonce 12 = HKDF-Expand(root key, "gatekey/v1/data-key" | account | generation | salt)
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

/* A new random data key. GK_E_RESOURCE: no entropy. */
enum gk_status gk_data_key_random(struct gk_data_key_bytes *key,
                                  struct gk_error *error) GK_MUST_USE;

/* root_key is the one of root_scope (account and generation). sealed is zeroed on failure. */
enum gk_status gk_data_key_seal(const struct gk_crypto *crypto, const struct gk_root_key *root_key,
                                const struct gk_root_scope *root_scope,
                                const struct gk_object_scope *scope,
                                const struct gk_data_key_bytes *key,
                                uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                struct gk_error *error) GK_MUST_USE;
/* Which generation of the root key opens it. GK_E_INTEGRITY: not a sealed data key, or generation
 * 0. The answer is not authenticated; gk_data_key_unseal() does that. */
enum gk_status gk_data_key_generation(struct gk_span sealed, uint32_t *generation,
                                      struct gk_error *error) GK_MUST_USE;
/* GK_E_INTEGRITY, the same one for all of it: changed, or sealed for another account, generation,
 * scope or root key. key is zeroed then. */
enum gk_status gk_data_key_unseal(const struct gk_crypto *crypto,
                                  const struct gk_root_key *root_key,
                                  const struct gk_root_scope *root_scope,
                                  const struct gk_object_scope *scope, struct gk_span sealed,
                                  struct gk_data_key_bytes *key,
                                  struct gk_error *error) GK_MUST_USE;

#endif
