/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XAES-256-GCM as C2SP specifies it (https://c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce of
 * 192 bits, long enough to be drawn at random for every message of a key's life (2^80 messages at
 * a collision chance of 2^-32). The first half of the nonce selects a key of its own through
 * CMAC-AES-256 (NIST SP 800-108 in counter mode), the second half is that key's GCM nonce.
 *
 * Sealed form, wherever we store it:   nonce 24 | ciphertext (length of the plaintext) | tag 16
 *
 * It does not commit to its key: where several keys could be tried on one ciphertext, the key must
 * be committed to elsewhere (data keys and root keys are).
 */
#ifndef PLUGIN_XAES_H
#define PLUGIN_XAES_H

#include "plugin/crypto.h"

#define GK_XAES_NONCE_BYTES    24u
#define GK_XAES_OVERHEAD_BYTES (GK_XAES_NONCE_BYTES + GK_GCM_TAG_BYTES)

/*
 * Seals under a fresh random nonce into plain.len + GK_XAES_OVERHEAD_BYTES bytes at sealed, which
 * must not overlap plain. The additional data is the concatenation of aad[0, aad_count).
 * GK_E_RESOURCE: no memory or no entropy. On failure the output is zeroed.
 */
enum gk_status gk_xaes_seal(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                            const struct gk_span *aad, size_t aad_count, struct gk_span plain,
                            uint8_t *sealed) GK_MUST_USE;
/* The same with a given nonce: for published vectors, and for nothing else. */
enum gk_status gk_xaes_seal_with_nonce(const struct gk_crypto *crypto,
                                       const uint8_t key[GK_KEY_BYTES],
                                       const uint8_t nonce[GK_XAES_NONCE_BYTES],
                                       const struct gk_span *aad, size_t aad_count,
                                       struct gk_span plain, uint8_t *sealed) GK_MUST_USE;
/*
 * Opens into sealed.len - GK_XAES_OVERHEAD_BYTES bytes at plain, which must not overlap sealed.
 * GK_E_INTEGRITY: shorter than the overhead, or the tag does not fit; plain is zeroed then.
 */
enum gk_status gk_xaes_open(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                            const struct gk_span *aad, size_t aad_count, struct gk_span sealed,
                            uint8_t *plain) GK_MUST_USE;
/*
 * The same with nonce and tag apart from the ciphertext, which is as long as the plaintext and may be
 * its memory: seal is nonce 24 | tag 16. Seals under a fresh random nonce. On failure the output is
 * zeroed.
 */
struct gk_xaes_key {
    const struct gk_crypto *crypto;
    const uint8_t *key; /* GK_KEY_BYTES */
    const struct gk_span *aad;
    size_t aad_count;
};
enum gk_status gk_xaes_seal_apart(const struct gk_xaes_key *key, struct gk_span plain,
                                  uint8_t *ciphertext,
                                  uint8_t seal[GK_XAES_OVERHEAD_BYTES]) GK_MUST_USE;
enum gk_status gk_xaes_open_apart(const struct gk_xaes_key *key, struct gk_span ciphertext,
                                  const uint8_t seal[GK_XAES_OVERHEAD_BYTES],
                                  uint8_t *plain) GK_MUST_USE;
/* Answers as gk_xaes_open() would, without keeping the plaintext. */
enum gk_status gk_xaes_verify(const struct gk_crypto *crypto, const uint8_t key[GK_KEY_BYTES],
                              const struct gk_span *aad, size_t aad_count,
                              struct gk_span sealed) GK_MUST_USE;

#endif
