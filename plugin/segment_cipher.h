/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seals and opens the chunks of one segment.
 *
 *   key 32 | base nonce 12 = HKDF-Expand(data key, "gatekey/v1/segment" | segment id)
 *   nonce of a chunk       = base nonce, its last 8 bytes XOR be64(last << 63 | index)
 *   AAD                    = segment id 16 | be64(index) | log2 of the chunk size (16) | last
 *   stored                 = ciphertext | tag 16
 *
 * A cipher belongs to one thread at a time and keeps neither crypto's caller nor the data key. It
 * lives in locked memory; libcrypto's key schedules beside it live in ordinary memory until free.
 * It has no memory of what was sealed: the caller seals each index once, under a segment id that
 * was never used before, or a nonce repeats.
 */
#ifndef PLUGIN_SEGMENT_CIPHER_H
#define PLUGIN_SEGMENT_CIPHER_H

#include "plugin/data_key_seal.h"

#define GK_CHUNK_SIZE_LOG2 16u

struct gk_segment_cipher;

/* crypto must outlive it. */
enum gk_status gk_segment_cipher_new(const struct gk_crypto *crypto,
                                     const struct gk_data_key_bytes *data_key,
                                     const struct gk_id *segment, struct gk_segment_cipher **out,
                                     struct gk_error *error) GK_MUST_USE;
/* Wipes; sets *cipher to NULL; NULL inside is fine. */
void gk_segment_cipher_free(struct gk_segment_cipher **cipher);

/*
 * plain.len is GK_CHUNK_PLAIN_BYTES, or less when last (1 for the last chunk, else 0). Writes
 * plain.len + GK_TAG_BYTES bytes at sealed, which may be plain's own memory.
 * GK_E_INVALID: length, index or last is none of these.
 */
enum gk_status gk_segment_cipher_seal(struct gk_segment_cipher *cipher, uint64_t index,
                                      uint8_t last, struct gk_span plain, uint8_t *sealed,
                                      struct gk_error *error) GK_MUST_USE;
/*
 * Writes sealed.len - GK_TAG_BYTES bytes at plain, which may be sealed's own memory; on any failure
 * they are zeroed. GK_E_INTEGRITY: the tag does not fit, or no chunk is that long. GK_E_INVALID:
 * index or last out of range.
 */
enum gk_status gk_segment_cipher_open(struct gk_segment_cipher *cipher, uint64_t index,
                                      uint8_t last, struct gk_span sealed, uint8_t *plain,
                                      struct gk_error *error) GK_MUST_USE;

#endif
