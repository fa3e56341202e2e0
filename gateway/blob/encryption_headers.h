/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x-ms-encryption-key and its sisters: a key of the client's (Storage REST reference, "Provide an encryption
 * key on a request to Blob storage"). A key is in locked memory while a data key is opened with it; where
 * it stood in the request is overwritten when the request ends (http/dispatch.c).
 */
#ifndef GATEWAY_BLOB_ENCRYPTION_HEADERS_H
#define GATEWAY_BLOB_ENCRYPTION_HEADERS_H

#include "gateway/blob/encryption.h"
#include "gateway/http/request.h"

struct gk_client_key {
    uint8_t bytes[GK_CLIENT_KEY_BYTES];
};

/*
 * Whether the headers are whole and right, come over TLS, and belong to an operation that takes them. 400
 * InvalidHeaderValue, MissingRequiredHeader, UnsupportedHeader. The functions below want them checked.
 */
enum gk_status gk_encryption_headers_check(const struct gk_request *request,
                                           struct gk_error *error) GK_MUST_USE;

/* Whether the request brings a key. */
bool gk_client_key_given(const struct gk_request *request);
/* The key; *key is the caller's, freed with gk_secret_free. */
enum gk_status gk_client_key_read(const struct gk_request *request, struct gk_client_key **key,
                                  struct gk_error *error) GK_MUST_USE;

/* What a blob that the request makes is sealed under. */
enum gk_status gk_encryption_of_request(const struct gk_request *request,
                                        struct gk_encryption *encryption,
                                        struct gk_error *error) GK_MUST_USE;
/* Whether the request brings what the blob is sealed under: 409 BlobUsesCustomerSpecifiedEncryption,
 * BlobDoesNotUseCustomerSpecifiedEncryption, BlobCustomerSpecifiedEncryptionMismatch. */
enum gk_status gk_encryption_match(const struct gk_request *request,
                                   const struct gk_encryption *of_blob,
                                   struct gk_error *error) GK_MUST_USE;
/* x-ms-encryption-key-sha256, of a blob under a client's key. */
void gk_respond_encryption(struct gk_request *request, const struct gk_encryption *of_blob);

#endif
