/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shredding a blob (docs/decisions/0027-shredding.md): its record goes at once, and with it all snapshots, versions
 * and what was deleted and is kept, whatever the account keeps, and so each sealed data key of it. What they
 * referred to is garbage, as ever. Then the records are read again. Needs no key. Any thread. BLOCKS on the store.
 *
 * What was copied within the account without being poured (loan.h) has the data key under a record of its own:
 * such copies stay as they are, and are counted.
 */
#ifndef GATEWAY_BLOB_BLOB_SHRED_H
#define GATEWAY_BLOB_BLOB_SHRED_H

#include "gateway/blob/encryption.h"
#include "gateway/gateway.h"

struct gk_blob_name {
    const char *account;
    const char *container;
    const char *blob;
};

/* Which root key a data key was sealed under. */
struct gk_shredded_root_key {
    char scope[GK_SCOPE_NAME_BYTES_MAX]; /* "": the account's */
    uint32_t generation;
};

/* What was destroyed. Starts zeroed. */
struct gk_shredded_blob {
    uint64_t records; /* each with a sealed data key */
    struct gk_id
        *objects; /* the incarnations that they were of, each once; owned, as is the next */
    size_t objects_count;
    struct gk_shredded_root_key *root_keys; /* each once */
    size_t root_keys_count;
    uint64_t lent;     /* copies that have one of these data keys, and stay */
    uint64_t borrowed; /* of the records, those that had another blob's data key, which stays */
};

/*
 * Fills *out. GK_E_NOT_FOUND: no such account. GK_E_INVALID: 404 ContainerNotFound, BlobNotFound; 409
 * BlobImmutableDueToPolicy, of a snapshot or version as well, PendingCopyOperation; 412 LeaseIdMissing. Nothing was
 * done then. GK_E_UNAVAILABLE, also 503 BlobShredUnverified: it is to be asked for again.
 */
enum gk_status gk_blob_shred(struct gk_gateway *gateway, const struct gk_blob_name *name,
                             struct gk_shredded_blob *out, struct gk_error *error) GK_MUST_USE;
void gk_shredded_blob_cleanup(struct gk_shredded_blob *shredded);

#endif
