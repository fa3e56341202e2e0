/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The seam to OpenSSL: a library context of our own and the algorithms fetched from it once, so
 * that nothing that another part of the process configures changes ours, and no call looks an
 * algorithm up by name. Only plugin's cryptographic modules look inside.
 *
 * Made once per instance; read-only afterwards, so any number of threads may use it at once.
 */
#ifndef PLUGIN_CRYPTO_H
#define PLUGIN_CRYPTO_H

#include <openssl/types.h>

#include "common/span.h"

#define GK_KEY_BYTES       32u
#define GK_SHA256_BYTES    32u
#define GK_GCM_NONCE_BYTES 12u
#define GK_GCM_TAG_BYTES   16u

struct gk_crypto {
    OSSL_LIB_CTX *lib;
    EVP_CIPHER *aes_256_gcm;
    /* Keyed with zeros, to be duplicated and keyed: setting the digest or the cipher by its name
     * costs more than a short message does. */
    EVP_MAC_CTX *hmac_sha256;
    EVP_MAC_CTX *cmac_aes_256;
};

/* GK_E_RESOURCE: memory is out, or libcrypto lacks one of the algorithms. */
enum gk_status gk_crypto_new(struct gk_crypto **out, struct gk_error *error) GK_MUST_USE;
/* Sets *crypto to NULL; NULL inside is fine. Everything made with it must be gone. */
void gk_crypto_free(struct gk_crypto **crypto);

/* GK_E_RESOURCE: memory is out. */
enum gk_status gk_sha256(const struct gk_crypto *crypto, struct gk_span data,
                         uint8_t digest[GK_SHA256_BYTES]) GK_MUST_USE;

/*
 * AES-256-GCM with a 96-bit nonce and a 128-bit tag, in one call. The additional data is the
 * concatenation of aad[0, aad_count). The caller answers for the nonce: never twice under one key.
 *
 * seal writes plain.len bytes at ciphertext, which may be plain's own memory, and the tag.
 * open writes ciphertext.len bytes at plain, which may be ciphertext's own memory; GK_E_INTEGRITY
 * when the tag does not fit. verify answers like open and keeps no plaintext.
 * On failure the output is zeroed. GK_E_RESOURCE: memory is out; GK_E_LIMIT: a part is over 1 GiB.
 */
struct gk_gcm_input {
    const uint8_t *key;   /* GK_KEY_BYTES */
    const uint8_t *nonce; /* GK_GCM_NONCE_BYTES */
    const struct gk_span *aad;
    size_t aad_count;
};

enum gk_status gk_gcm_seal(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                           struct gk_span plain, uint8_t *ciphertext,
                           uint8_t tag[GK_GCM_TAG_BYTES]) GK_MUST_USE;
enum gk_status gk_gcm_open(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                           struct gk_span ciphertext, const uint8_t tag[GK_GCM_TAG_BYTES],
                           uint8_t *plain) GK_MUST_USE;
enum gk_status gk_gcm_verify(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                             struct gk_span ciphertext,
                             const uint8_t tag[GK_GCM_TAG_BYTES]) GK_MUST_USE;

#endif
