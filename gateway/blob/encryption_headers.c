/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/encryption_headers.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/scopes.h"
#include "gateway/http/route.h"

#define KEY_HEADER       "x-ms-encryption-key"
#define HASH_HEADER      "x-ms-encryption-key-sha256"
#define ALGORITHM_HEADER "x-ms-encryption-algorithm"
#define SCOPE_HEADER     "x-ms-encryption-scope"
#define DEFAULT_HEADER   "x-ms-default-encryption-scope"
#define DENY_HEADER      "x-ms-deny-encryption-scope-override"

/* The operations that are documented to take a client's key or, but for those that read, a scope. */
static bool takes_either(enum gk_operation operation)
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

static bool takes_scope(enum gk_operation operation)
{
    return operation == GK_OP_BLOB_COPY_BLOB || operation == GK_OP_BLOB_COPY_BLOB_FROM_URL ||
           (takes_either(operation) && !gk_operation_reads(operation));
}

/* --- the request's scope ------------------------------------------------------------------------*/

/* Of the signature that the request came with. */
static const char *signed_scope(const struct gk_request *request)
{
    return gk_request_query(request, "sig") == NULL || !takes_scope(request->operation)
               ? NULL
               : gk_request_query(request, "ses");
}

/* What is asked for; NULL: nothing. */
static const char *asked_scope(const struct gk_request *request)
{
    const char *scope = gk_request_header(request, SCOPE_HEADER);
    return scope != NULL ? scope : signed_scope(request);
}

static enum gk_status check_scope(const struct gk_request *request, struct gk_error *error)
{
    const char *header = gk_request_header(request, SCOPE_HEADER);
    const char *of_signature = signed_scope(request);
    const char *scope = asked_scope(request);
    if (scope == NULL) {
        return GK_OK;
    }
    if (!takes_scope(request->operation)) {
        return gk_refuse_because(error, 400, "UnsupportedHeader", "Header: " SCOPE_HEADER);
    }
    if (header != NULL && of_signature != NULL && strcmp(header, of_signature) != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "The signature is for another scope: " SCOPE_HEADER);
    }
    if (gk_client_key_given(request)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "A customer-provided key and a scope exclude each other.");
    }
    return strcmp(scope, GK_SCOPE_OF_ACCOUNT) == 0 || gk_scope_name_valid(scope)
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: " SCOPE_HEADER);
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

bool gk_encryption_given(const struct gk_request *request)
{
    return gk_client_key_given(request) || asked_scope(request) != NULL;
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

static enum gk_status check_client_key(const struct gk_request *request, struct gk_error *error)
{
    if (!gk_client_key_given(request) && gk_request_header(request, HASH_HEADER) == NULL &&
        gk_request_header(request, ALGORITHM_HEADER) == NULL) {
        return GK_OK;
    }
    if (!takes_either(request->operation)) {
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

enum gk_status gk_encryption_headers_check(const struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = check_client_key(request, error);
    return status == GK_OK ? check_scope(request, error) : status;
}

/* --- the request and a blob ---------------------------------------------------------------------*/

/* "" for the account's own key. */
static void take_scope(struct gk_encryption *encryption, const char *name)
{
    if (name[0] != '\0' && strcmp(name, GK_SCOPE_OF_ACCOUNT) != 0) {
        encryption->kind = GK_ENCRYPTION_SCOPE;
        snprintf(encryption->scope, sizeof encryption->scope, "%s", name);
    }
}

enum gk_status gk_encryption_of_new(const struct gk_request *request,
                                    const struct gk_container_encryption *container,
                                    struct gk_encryption *encryption, struct gk_error *error)
{
    const char *asked = asked_scope(request);
    enum gk_status status = GK_OK;
    *encryption = (struct gk_encryption){.kind = GK_ENCRYPTION_ACCOUNT};
    if (gk_client_key_given(request)) {
        encryption->kind = GK_ENCRYPTION_CLIENT_KEY;
        status = read_hash(request, encryption->client_key_hash, error);
    } else {
        take_scope(encryption, asked != NULL ? asked : container->scope);
    }
    const bool other = encryption->kind == GK_ENCRYPTION_CLIENT_KEY ||
                       strcmp(encryption->scope, container->scope) != 0;
    return status == GK_OK && container->deny_override && other
               ? gk_refuse(error, 403, "RequestForbiddenByContainerEncryptionPolicy")
               : status;
}

static enum gk_status match_client_key(const struct gk_request *request,
                                       const struct gk_encryption *of_blob, struct gk_error *error)
{
    uint8_t hash[GK_CLIENT_KEY_HASH_BYTES];
    const bool given = gk_client_key_given(request);
    const bool wanted = of_blob->kind == GK_ENCRYPTION_CLIENT_KEY;
    if (given != wanted) {
        return gk_refuse(error, 409,
                         wanted ? "BlobUsesCustomerSpecifiedEncryption"
                                : "BlobDoesNotUseCustomerSpecifiedEncryption");
    }
    const enum gk_status status = given ? read_hash(request, hash, error) : GK_OK;
    return status == GK_OK && given && memcmp(hash, of_blob->client_key_hash, sizeof hash) != 0
               ? gk_refuse(error, 409, "BlobCustomerSpecifiedEncryptionMismatch")
               : status;
}

enum gk_status gk_encryption_match(const struct gk_request *request,
                                   const struct gk_encryption *of_blob, struct gk_error *error)
{
    struct gk_encryption asked = {.kind = GK_ENCRYPTION_ACCOUNT};
    const char *scope = asked_scope(request);
    const enum gk_status status = match_client_key(request, of_blob, error);
    if (status != GK_OK || scope == NULL) {
        return status;
    }
    take_scope(&asked, scope);
    return strcmp(asked.scope, of_blob->scope) == 0
               ? GK_OK
               : gk_refuse(error, 409, "BlobCustomerSpecifiedEncryptionMismatch");
}

static void respond_hash(struct gk_request *request, const struct gk_encryption *of_blob)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * GK_CLIENT_KEY_HASH_BYTES);
    gk_base64_encode(&text, gk_span_of(of_blob->client_key_hash, GK_CLIENT_KEY_HASH_BYTES));
    gk_respond_header(request, HASH_HEADER, gk_buf_str(&text));
    gk_buf_cleanup(&text);
}

void gk_respond_encryption(struct gk_request *request, const struct gk_encryption *of_blob)
{
    if (of_blob->kind == GK_ENCRYPTION_CLIENT_KEY) {
        respond_hash(request, of_blob);
    } else if (of_blob->kind == GK_ENCRYPTION_SCOPE) {
        gk_respond_header(request, SCOPE_HEADER, of_blob->scope);
    }
}

/* --- containers ---------------------------------------------------------------------------------*/

enum gk_status gk_container_encryption_read(const struct gk_request *request,
                                            struct gk_container_encryption *encryption,
                                            struct gk_error *error)
{
    const char *scope = gk_request_header(request, DEFAULT_HEADER);
    const char *deny = gk_request_header(request, DENY_HEADER);
    *encryption = (struct gk_container_encryption){.deny_override = false};
    if (deny != NULL && strcasecmp(deny, "true") != 0 && strcasecmp(deny, "false") != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "It is true or false: " DENY_HEADER);
    }
    encryption->deny_override = deny != NULL && strcasecmp(deny, "true") == 0;
    if (scope == NULL) {
        return encryption->deny_override ? gk_refuse_because(error, 400, "MissingRequiredHeader",
                                                             "Header: " DEFAULT_HEADER)
                                         : GK_OK;
    }
    if (strcmp(scope, GK_SCOPE_OF_ACCOUNT) == 0) {
        return GK_OK;
    }
    if (!gk_scope_name_valid(scope)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: " DEFAULT_HEADER);
    }
    snprintf(encryption->scope, sizeof encryption->scope, "%s", scope);
    return GK_OK;
}

const char *gk_container_scope_name(const struct gk_container_encryption *encryption)
{
    return encryption->scope[0] == '\0' ? GK_SCOPE_OF_ACCOUNT : encryption->scope;
}

void gk_respond_container_encryption(struct gk_request *request,
                                     const struct gk_container_encryption *encryption)
{
    gk_respond_header(request, DEFAULT_HEADER, gk_container_scope_name(encryption));
    gk_respond_header(request, DENY_HEADER, encryption->deny_override ? "true" : "false");
}
