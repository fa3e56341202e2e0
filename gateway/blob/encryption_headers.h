/* SPDX-License-Identifier: Apache-2.0 */
/*
 * x-ms-encryption-key and its sisters: a key of the client's; and x-ms-encryption-scope (Storage REST
 * reference, "Provide an encryption key on a request to Blob storage", "Encryption scopes for Blob storage"),
 * which a shared access signature may settle as well (ses). A key is in locked memory while a data key is opened with it; where
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

/* Whether the request brings a key, or names a scope. */
bool gk_encryption_given(const struct gk_request *request);
/* Whether it brings a key. */
bool gk_client_key_given(const struct gk_request *request);
/* The key; *key is the caller's, freed with gk_secret_free. */
enum gk_status gk_client_key_read(const struct gk_request *request, struct gk_client_key **key,
                                  struct gk_error *error) GK_MUST_USE;

/* What a blob is sealed under that the request makes in such a container: what it asks for, or else what the
 * container has. 403 RequestForbiddenByContainerEncryptionPolicy. */
enum gk_status gk_encryption_of_new(const struct gk_request *request,
                                    const struct gk_container_encryption *container,
                                    struct gk_encryption *encryption,
                                    struct gk_error *error) GK_MUST_USE;
/* Whether the request brings the client's key that the blob is sealed under, or none, and names no other
 * scope than the blob's: 409 BlobUsesCustomerSpecifiedEncryption,
 * BlobDoesNotUseCustomerSpecifiedEncryption, BlobCustomerSpecifiedEncryptionMismatch. */
enum gk_status gk_encryption_match(const struct gk_request *request,
                                   const struct gk_encryption *of_blob,
                                   struct gk_error *error) GK_MUST_USE;
/* x-ms-encryption-key-sha256 or x-ms-encryption-scope. */
void gk_respond_encryption(struct gk_request *request, const struct gk_encryption *of_blob);

/* x-ms-default-encryption-scope and x-ms-deny-encryption-scope-override, of a new container. 400
 * InvalidHeaderValue, MissingRequiredHeader; whether there is such a scope is asked by the caller. */
enum gk_status gk_container_encryption_read(const struct gk_request *request,
                                            struct gk_container_encryption *encryption,
                                            struct gk_error *error) GK_MUST_USE;
void gk_respond_container_encryption(struct gk_request *request,
                                     const struct gk_container_encryption *encryption);
/* The scope's name as answers have it: that of the account's key for none. */
const char *gk_container_scope_name(const struct gk_container_encryption *encryption);

#endif
