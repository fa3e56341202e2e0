/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals and opens the blocks of one page object, which are written in any order and any number of times.
 *
 *   key of an object  = HKDF-Expand(data key, "gatekey/v1/pages" | object id)
 *   a block           = XAES-256-GCM under it, with a nonce that is drawn for each write
 *   AAD               = object id 16 | be64(index) | log2 of the block size (12)
 *   stored            = ciphertext 4096, and apart from it its seal: nonce 24 | tag 16
 *
 * A cipher belongs to one thread at a time and keeps neither crypto's caller nor the data key; it lives
 * in locked memory. It has no memory of what was sealed, and needs none: 2^80 writes under one key give
 * two equal nonces with a chance of 2^-32.
 */
#ifndef PLUGIN_PAGE_CIPHER_H
#define PLUGIN_PAGE_CIPHER_H

#include "plugin/data_key_seal.h"

#define GK_PAGE_BLOCK_SIZE_LOG2 12u

struct gk_page_cipher;

/* crypto must outlive it. */
enum gk_status gk_page_cipher_new(const struct gk_crypto *crypto,
                                  const struct gk_data_key_bytes *data_key,
                                  const struct gk_id *object, struct gk_page_cipher **out,
                                  struct gk_error *error) GK_MUST_USE;
/* Wipes; sets *cipher to NULL; NULL inside is fine. */
void gk_page_cipher_free(struct gk_page_cipher **cipher);

/* plain and ciphertext have GK_PAGE_BLOCK_BYTES and may be the same memory. On failure the output is
 * zeroed. */
enum gk_status gk_page_cipher_seal(struct gk_page_cipher *cipher, uint64_t index,
                                   const uint8_t *plain, uint8_t *ciphertext,
                                   uint8_t seal[GK_PAGE_SEAL_BYTES],
                                   struct gk_error *error) GK_MUST_USE;
/* The same back; GK_E_INTEGRITY: it is not what was written there, of the same write. */
enum gk_status gk_page_cipher_open(struct gk_page_cipher *cipher, uint64_t index,
                                   const uint8_t *ciphertext,
                                   const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                                   struct gk_error *error) GK_MUST_USE;

#endif
