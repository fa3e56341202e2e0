/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC-SHA256 and HKDF-SHA256 (RFC 5869). Any thread. On failure outputs are zeroed; GK_E_RESOURCE
 * is the only failure beside GK_E_LIMIT for lengths that the functions do not take.
 *
 * Within Gatekey every derivation from a 32-byte key goes through gk_hkdf_expand_sha256(), whose
 * info is   label | 0x00 | part | part ...   The NUL ends the label, and all parts of one label
 * have fixed lengths, so two derivations that differ in anything differ in info.
 */
#ifndef PLUGIN_KDF_H
#define PLUGIN_KDF_H

#include "plugin/crypto.h"

#define GK_HKDF_BYTES_MAX       (255u * GK_SHA256_BYTES)
#define GK_HMAC_KEY_BYTES_MAX   65536u
#define GK_HKDF_LABEL_PARTS_MAX 8u

/* HMAC over the concatenation of parts[0, parts_count). */
enum gk_status gk_hmac_sha256(const struct gk_crypto *crypto, struct gk_span key,
                              const struct gk_span *parts, size_t parts_count,
                              uint8_t mac[GK_SHA256_BYTES]) GK_MUST_USE;

/* Extract and expand, as RFC 5869 has it; an empty salt stands for 32 zero bytes. */
enum gk_status gk_hkdf_sha256(const struct gk_crypto *crypto, struct gk_span key,
                              struct gk_span salt, struct gk_span info, uint8_t *out,
                              size_t out_len) GK_MUST_USE;

/* Expand alone, from a key that is uniformly random already. label is a string constant. */
enum gk_status gk_hkdf_expand_sha256(const struct gk_crypto *crypto,
                                     const uint8_t key[GK_KEY_BYTES], const char *label,
                                     const struct gk_span *parts, size_t parts_count, uint8_t *out,
                                     size_t out_len) GK_MUST_USE;

#endif
