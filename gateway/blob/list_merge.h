/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward over the entries of several maps as if they were one: a container's index is in shards, and
 * its blobs are listed in the order of their names. No key is in two of the maps.
 */
#ifndef GATEWAY_BLOB_LIST_MERGE_H
#define GATEWAY_BLOB_LIST_MERGE_H

#include "gateway/blob/list_walk.h"

/* What the pieces of all walks together are bounded by: this, or 16 KiB each when they are many. */
#define GK_LIST_MERGE_BYTES (8u << 20)

struct gk_list_merge {
    struct gk_store *store;
    uint32_t count;
    struct gk_list_walk *walks;
    struct gk_list_walk **heap; /* those with an entry at hand, the one with the least key first */
    uint32_t heap_count;
    struct gk_list_walk **dry; /* those that must be read for */
    uint32_t dry_count;
    bool given; /* the first of the heap has given its entry */
};

/* Which maps: count objects with these names, which must outlive the merge. */
struct gk_list_maps {
    const char *const *objects;
    uint32_t count;
};

/* prefix (of keys) must outlive the merge; after is copied. expected: how many entries may be wanted
 * in all; few when there will be skips. cleanup is always fine afterwards. */
enum gk_status gk_list_merge_init(struct gk_list_merge *merge, struct gk_store *store,
                                  struct gk_list_maps maps, struct gk_span prefix,
                                  struct gk_span after, uint32_t expected,
                                  struct gk_error *error) GK_MUST_USE;
void gk_list_merge_cleanup(struct gk_list_merge *merge);
/* The spans live until the next call; an empty key after the last entry. GK_E_NOT_FOUND: one of the
 * objects is not there. */
enum gk_status gk_list_merge_next(struct gk_list_merge *merge, struct gk_span *key,
                                  struct gk_span *value, struct gk_error *error) GK_MUST_USE;
/* What comes next is also greater than this key, and than the one that was given last. */
void gk_list_merge_skip(struct gk_list_merge *merge, struct gk_span key);

#endif
