/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: a sealed part under the data key and an open part under the service key in one value.
 *
 *   offset  size
 *        0     4  "GKR" 0x01
 *        4     1  flags: 0x01 there is a sealed part; all others 0
 *        5     4  length S of the sealed part as stored, big endian; 0 without one
 *        9     S  sealed part:  nonce 24 | ciphertext | tag 16
 *      9+S  rest  open part:    nonce 24 | ciphertext | tag 16
 *
 *   sealed  XAES-256-GCM, key = HKDF-Expand(data key, "gatekey/v1/record-sealed")
 *           AAD = "gatekey/v1/record-sealed" 0x00 | binding
 *   open    XAES-256-GCM, key = HKDF-Expand(K, "gatekey/v1/record-open" | account id), where K is
 *           derived from the service key for "gatekey/v1/record-open"
 *           AAD = "gatekey/v1/record-open" 0x00 | be32(length of binding) | binding
 *                 | bytes [0, 9 + S) of the record
 *
 * The open part's tag so covers the sealed part as it is stored: parts of two records do not fit
 * together. Any thread. Outputs must not overlap inputs, and are zeroed on failure.
 */
#ifndef PLUGIN_RECORD_CIPHER_H
#define PLUGIN_RECORD_CIPHER_H

#include "plugin/data_key_seal.h"

#define GK_RECORD_HEADER_BYTES      9u
#define GK_RECORD_BINDING_BYTES_MAX 65536u
/* What gk_provider_ops.service_key_derive is asked for to get a struct gk_record_service_key. */
#define GK_RECORD_OPEN_LABEL "gatekey/v1/record-open"

/* Derived from the operator's service key. */
struct gk_record_service_key {
    uint8_t bytes[GK_KEY_BYTES];
};

/* One account's key for the open parts of its records. */
struct gk_record_open_key {
    uint8_t bytes[GK_KEY_BYTES];
};

enum gk_status gk_record_open_key_derive(const struct gk_crypto *crypto,
                                         const struct gk_record_service_key *service_key,
                                         const struct gk_id *account,
                                         struct gk_record_open_key *key,
                                         struct gk_error *error) GK_MUST_USE;

/*
 * Where a call writes. On success *len tells how much of [data, data + max) is the result; on
 * failure *len is 0. GK_E_LIMIT when max is too small (nothing is written).
 */
struct gk_record_out {
    uint8_t *data;
    size_t max;
    size_t *len;
};

/*
 * A whole record. data_key NULL makes one without a sealed part, and sealed_part must be empty
 * then (GK_E_INVALID). GK_E_LIMIT: longer than GK_RECORD_BYTES_MAX, binding over its maximum.
 */
enum gk_status gk_record_seal(const struct gk_crypto *crypto,
                              const struct gk_record_open_key *open_key,
                              const struct gk_data_key_bytes *data_key, struct gk_span binding,
                              struct gk_span open_part, struct gk_span sealed_part,
                              const struct gk_record_out *out, struct gk_error *error) GK_MUST_USE;
/* Checks record as gk_record_open() does, then makes one with its sealed part, byte for byte, and
 * another open part. */
enum gk_status gk_record_reseal_open(const struct gk_crypto *crypto,
                                     const struct gk_record_open_key *open_key,
                                     struct gk_span binding, struct gk_span record,
                                     struct gk_span open_part, const struct gk_record_out *out,
                                     struct gk_error *error) GK_MUST_USE;
/* The same, for another place: the new open part is bound to new_binding, the sealed part stays bound to
 * what it was sealed with. */
enum gk_status gk_record_rebind(const struct gk_crypto *crypto,
                                const struct gk_record_open_key *open_key, struct gk_span binding,
                                struct gk_span new_binding, struct gk_span record,
                                struct gk_span open_part, const struct gk_record_out *out,
                                struct gk_error *error) GK_MUST_USE;
/* The open part. GK_E_INTEGRITY: changed, of another account or binding, or not a record. */
enum gk_status gk_record_open(const struct gk_crypto *crypto,
                              const struct gk_record_open_key *open_key, struct gk_span binding,
                              struct gk_span record, const struct gk_record_out *out,
                              struct gk_error *error) GK_MUST_USE;
/*
 * The sealed part. Authenticates that part alone: gk_record_open() tells whether the record as a
 * whole is what was written. GK_E_NOT_FOUND: the record has no sealed part. GK_E_INTEGRITY as above.
 */
enum gk_status gk_record_open_sealed(const struct gk_crypto *crypto,
                                     const struct gk_data_key_bytes *data_key,
                                     struct gk_span binding, struct gk_span record,
                                     const struct gk_record_out *out,
                                     struct gk_error *error) GK_MUST_USE;

#endif
