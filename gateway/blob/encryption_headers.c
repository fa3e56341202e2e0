/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/encryption_headers.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/headers.h"
#include "gateway/http/route.h"

#define KEY_HEADER       "x-ms-encryption-key"
#define HASH_HEADER      "x-ms-encryption-key-sha256"
#define ALGORITHM_HEADER "x-ms-encryption-algorithm"

/* The operations that are documented to take a client's key. */
static bool takes_client_key(enum gk_operation operation)
{
    static const enum gk_operation operations[] = {GK_OP_BLOB_GET_BLOB,
                                                   GK_OP_BLOB_GET_BLOB_PROPERTIES,
                                                   GK_OP_BLOB_GET_BLOB_METADATA,
                                                   GK_OP_BLOB_QUERY_BLOB_CONTENTS,
                                                   GK_OP_BLOB_PUT_BLOB_BLOCKBLOB,
                                                   GK_OP_BLOB_PUT_BLOB_PAGEBLOB,
                                                   GK_OP_BLOB_PUT_BLOB_APPENDBLOB,
                                                   GK_OP_BLOB_PUT_BLOB_FROM_URL,
                                                   GK_OP_BLOB_PUT_BLOCK,
                                                   GK_OP_BLOB_PUT_BLOCK_FROM_URL,
                                                   GK_OP_BLOB_PUT_BLOCK_LIST,
                                                   GK_OP_BLOB_PUT_PAGE_UPDATE,
                                                   GK_OP_BLOB_PUT_PAGE_CLEAR,
                                                   GK_OP_BLOB_PUT_PAGE_FROM_URL,
                                                   GK_OP_BLOB_APPEND_BLOCK,
                                                   GK_OP_BLOB_APPEND_BLOCK_FROM_URL,
                                                   GK_OP_BLOB_SET_BLOB_PROPERTIES,
                                                   GK_OP_BLOB_SET_BLOB_METADATA,
                                                   GK_OP_BLOB_SNAPSHOT_BLOB,
                                                   GK_OP_BLOB_SNAPSHOT_BLOB_WITH_METADATA};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (operations[i] == operation) {
            return true;
        }
    }
    return false;
}

/* --- the request's key --------------------------------------------------------------------------*/

static enum gk_status read_hash(const struct gk_request *request,
                                uint8_t hash[GK_CLIENT_KEY_HASH_BYTES], struct gk_error *error)
{
    bool present = false;
    return gk_header_bytes(request, HASH_HEADER, hash, GK_CLIENT_KEY_HASH_BYTES, &present,
                           "InvalidHeaderValue", error);
}

bool gk_client_key_given(const struct gk_request *request)
{
    return gk_request_header(request, KEY_HEADER) != NULL;
}

enum gk_status gk_client_key_read(const struct gk_request *request, struct gk_client_key **key,
                                  struct gk_error *error)
{
    bool present = false;
    *key = gk_secret_alloc(sizeof **key);
    if (*key == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for a client's key");
    }
    const enum gk_status status =
        gk_header_bytes(request, KEY_HEADER, (*key)->bytes, sizeof(*key)->bytes, &present,
                        "InvalidHeaderValue", error);
    if (status != GK_OK) {
        gk_secret_free(key);
    }
    return status;
}

static enum gk_status check_hash(const struct gk_request *request, struct gk_error *error)
{
    uint8_t told[GK_CLIENT_KEY_HASH_BYTES];
    uint8_t computed[GK_CLIENT_KEY_HASH_BYTES] = {0};
    struct gk_client_key *key = NULL;
    enum gk_status status = read_hash(request, told, error);
    if (status == GK_OK) {
        status = gk_client_key_read(request, &key, error);
    }
    if (status == GK_OK &&
        EVP_Digest(key->bytes, sizeof key->bytes, computed, NULL, EVP_sha256(), NULL) != 1) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_secret_free(&key);
    return status == GK_OK && memcmp(told, computed, sizeof told) != 0
               ? gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "It is not the hash of the key: " HASH_HEADER)
               : status;
}

static enum gk_status check_present(const struct gk_request *request, struct gk_error *error)
{
    static const char *const names[] = {KEY_HEADER, HASH_HEADER, ALGORITHM_HEADER};
    /* A read knows the algorithm. */
    const size_t needed = gk_operation_reads(request->operation) ? 2 : 3;
    for (size_t i = 0; i < needed; i++) {
        if (gk_request_header(request, names[i]) == NULL) {
            return gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: %s", names[i]);
        }
    }
    const char *algorithm = gk_request_header(request, ALGORITHM_HEADER);
    return algorithm == NULL || strcmp(algorithm, "AES256") == 0
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "It is AES256: " ALGORITHM_HEADER);
}

enum gk_status gk_encryption_headers_check(const struct gk_request *request, struct gk_error *error)
{
    if (!gk_client_key_given(request) && gk_request_header(request, HASH_HEADER) == NULL &&
        gk_request_header(request, ALGORITHM_HEADER) == NULL) {
        return GK_OK;
    }
    if (!takes_client_key(request->operation)) {
        return gk_refuse_because(error, 400, "UnsupportedHeader",
                                 "It takes no customer-provided key: " KEY_HEADER);
    }
    if (!request->tls) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "It is taken over HTTPS alone: " KEY_HEADER);
    }
    const enum gk_status status = check_present(request, error);
    return status == GK_OK ? check_hash(request, error) : status;
}

/* --- the request and a blob ---------------------------------------------------------------------*/

enum gk_status gk_encryption_of_request(const struct gk_request *request,
                                        struct gk_encryption *encryption, struct gk_error *error)
{
    *encryption = (struct gk_encryption){.kind = GK_ENCRYPTION_ACCOUNT};
    if (!gk_client_key_given(request)) {
        return GK_OK;
    }
    encryption->kind = GK_ENCRYPTION_CLIENT_KEY;
    return read_hash(request, encryption->client_key_hash, error);
}

enum gk_status gk_encryption_match(const struct gk_request *request,
                                   const struct gk_encryption *of_blob, struct gk_error *error)
{
    struct gk_encryption asked;
    const enum gk_status status = gk_encryption_of_request(request, &asked, error);
    if (status != GK_OK) {
        return status;
    }
    if (asked.kind != of_blob->kind) {
        return gk_refuse(error, 409,
                         of_blob->kind == GK_ENCRYPTION_CLIENT_KEY
                             ? "BlobUsesCustomerSpecifiedEncryption"
                             : "BlobDoesNotUseCustomerSpecifiedEncryption");
    }
    return memcmp(asked.client_key_hash, of_blob->client_key_hash, sizeof asked.client_key_hash) ==
                   0
               ? GK_OK
               : gk_refuse(error, 409, "BlobCustomerSpecifiedEncryptionMismatch");
}

void gk_respond_encryption(struct gk_request *request, const struct gk_encryption *of_blob)
{
    struct gk_buf text;
    if (of_blob->kind != GK_ENCRYPTION_CLIENT_KEY) {
        return;
    }
    gk_buf_init(&text, 2 * GK_CLIENT_KEY_HASH_BYTES);
    gk_base64_encode(&text, gk_span_of(of_blob->client_key_hash, GK_CLIENT_KEY_HASH_BYTES));
    gk_respond_header(request, HASH_HEADER, gk_buf_str(&text));
    gk_buf_cleanup(&text);
}
