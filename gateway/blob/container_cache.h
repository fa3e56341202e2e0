/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the index of a container is, by account and name, so that an operation on a blob need not read
 * the account's object. An entry may be out of date when another gateway deleted or renamed the container: then
 * the doors of its shards are others, or they are gone, and who finds that drops the entry and looks again
 * (target.c). Of this
 * gateway's own deletions no entry is left. Bounded; what was not used goes first, roughly.
 *
 * Threads: all functions from any thread.
 */
#ifndef GATEWAY_BLOB_CONTAINER_CACHE_H
#define GATEWAY_BLOB_CONTAINER_CACHE_H

#include "gateway/blob/encryption.h"

struct gk_container_cache;

/* What is asked for: the account's id, and the container's name, which lives as long as the key. */
struct gk_container_cache_key {
    struct gk_id account;
    const char *container;
};

/* What never changes of a container. */
struct gk_container_ref {
    struct gk_id id;
    uint32_t shards;
    uint64_t opening; /* of its index, index.h */
    struct gk_container_encryption encryption;
};

enum gk_status gk_container_cache_new(struct gk_container_cache **out,
                                      struct gk_error *error) GK_MUST_USE;
void gk_container_cache_free(struct gk_container_cache *cache); /* NULL is fine */

/* False when it is not there; then *ticket is for the put of what is read from the store now. */
bool gk_container_cache_find(struct gk_container_cache *cache,
                             const struct gk_container_cache_key *key, struct gk_container_ref *out,
                             uint64_t *ticket);
/* Without effect when something was dropped since the ticket was given: what was read may be out of
 * date by that. */
void gk_container_cache_put(struct gk_container_cache *cache,
                            const struct gk_container_cache_key *key,
                            const struct gk_container_ref *ref, uint64_t ticket);
void gk_container_cache_drop(struct gk_container_cache *cache,
                             const struct gk_container_cache_key *key);

#endif
