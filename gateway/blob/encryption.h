/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a blob's data key is sealed under beside the account's root key, which every one is. Snapshots
 * and versions have their blob's data key, and what it is sealed under. Pure.
 *   kind 1 | SHA-256 of the client's key 32
 *
 * A client's key is what the documentation calls a customer-provided key: it comes with each request that
 * needs it, and nothing of it is kept but its hash. (The customer's key is another: it is in a vault.)
 */
#ifndef GATEWAY_BLOB_ENCRYPTION_H
#define GATEWAY_BLOB_ENCRYPTION_H

#include "gateway/blob/fields.h"

#define GK_CLIENT_KEY_HASH_BYTES 32u

/* The numbers are part of the format. */
enum gk_encryption_kind {
    GK_ENCRYPTION_ACCOUNT = 0,    /* under nothing else */
    GK_ENCRYPTION_CLIENT_KEY = 1, /* under a key that the client has, too */
};

struct gk_encryption {
    enum gk_encryption_kind kind;
    uint8_t client_key_hash[GK_CLIENT_KEY_HASH_BYTES];
};

extern const struct gk_field_kind gk_encryption_field;

#endif
