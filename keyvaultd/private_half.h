/* SPDX-License-Identifier: Apache-2.0 */
/* The private halves of keys: in software in a vault, in the PKCS#11 token in a Managed HSM. */
#ifndef KEYVAULTD_PRIVATE_HALF_H
#define KEYVAULTD_PRIVATE_HALF_H

#include "keyvaultd/key.h"
#include "keyvaultd/rsa.h"
#include "keyvaultd/server.h"

/* Makes the key of a version: sets rsa, which the caller frees, and hsm_id. False: it cannot be
 * made now. */
bool kv_private_generate(const struct kv_server *server, unsigned bits,
                         struct kv_version *version) GK_MUST_USE;
/* For a key that was made and could not be stored. */
void kv_private_discard(const struct kv_server *server, const struct kv_version *version);

enum kv_private_result {
    KV_PRIVATE_DONE,
    KV_PRIVATE_UNFIT, /* the input is no ciphertext of this key with this padding */
    KV_PRIVATE_AWAY   /* the token does not answer: nothing is known about the input */
};

/* Appends the plaintext to out. rsa and hsm_id are those of the version. */
enum kv_private_result kv_private_decrypt(const struct kv_server *server, EVP_PKEY *rsa,
                                          const char *hsm_id, enum kv_rsa_padding padding,
                                          struct gk_span in, struct gk_buf *out) GK_MUST_USE;

#endif
