/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a blob's data key is sealed under: the account's root key, that and a key of the client's, or the
 * root key of an encryption scope of the account. Snapshots and versions have their blob's data key, and what
 * it is sealed under. And what a container says of blobs that are made in it. Pure.
 *   blob       kind 1 | SHA-256 of the client's key 32, or the scope's name
 *   container  deny 1 | the scope's name, empty for none
 *
 * A client's key is what the documentation calls a customer-provided key: it comes with each request that
 * needs it, and nothing of it is kept but its hash. (The customer's key is another: it is in a vault.)
 */
#ifndef GATEWAY_BLOB_ENCRYPTION_H
#define GATEWAY_BLOB_ENCRYPTION_H

#include "gatekey/plugin.h"
#include "gateway/blob/fields.h"

#define GK_CLIENT_KEY_HASH_BYTES 32u

/* The numbers are part of the format. */
enum gk_encryption_kind {
    GK_ENCRYPTION_ACCOUNT = 0,
    GK_ENCRYPTION_CLIENT_KEY = 1, /* under the account's root key and the client's */
    GK_ENCRYPTION_SCOPE = 2
};

struct gk_encryption {
    enum gk_encryption_kind kind;
    uint8_t client_key_hash[GK_CLIENT_KEY_HASH_BYTES];
    char scope[GK_SCOPE_NAME_BYTES_MAX]; /* "" unless it is a scope's */
};

extern const struct gk_field_kind gk_encryption_field;

/* What a container has for new blobs; settled when it is made. */
struct gk_container_encryption {
    char scope[GK_SCOPE_NAME_BYTES_MAX]; /* "": the account's key */
    bool deny_override;                  /* whether a blob may have nothing else */
};

extern const struct gk_field_kind gk_container_encryption_field;

#endif
