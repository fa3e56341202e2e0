/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward over the entries of a map, with skips. Entries are copied out of the store a few at a
 * time, so that no walk of the store waits for what is done with them: memory is
 * GK_LIST_WALK_BYTES and one entry more. Each piece is of one state of the map, the whole need not
 * be: what is changed meanwhile may be seen or not, what is not changed is seen once.
 */
#ifndef GATEWAY_BLOB_LIST_WALK_H
#define GATEWAY_BLOB_LIST_WALK_H

#include "gateway/blob/names.h"
#include "gateway/store/store.h"

#define GK_LIST_WALK_ENTRIES 256u
#define GK_LIST_WALK_BYTES   (1u << 20)

struct gk_list_walk {
    struct gk_store *store;
    const char *object; /* in GK_POOL_META */
    struct gk_span prefix;
    struct gk_buf after; /* what comes next is greater than this key */
    struct gk_buf bytes; /* keys and values that were read and not handed on yet */
    size_t ends[2 * GK_LIST_WALK_ENTRIES]; /* of key and value in bytes, by turns */
    uint32_t count;
    uint32_t next;
    uint32_t piece; /* how many entries to read at once; adapts to skips */
    bool more;      /* perhaps, in the store */
};

/* object and prefix (of keys) must outlive the walk; after is copied. */
void gk_list_walk_init(struct gk_list_walk *walk, struct gk_store *store, const char *object,
                       struct gk_span prefix, struct gk_span after);
void gk_list_walk_cleanup(struct gk_list_walk *walk);
/* The spans live until the next call; an empty key after the last entry. GK_E_NOT_FOUND: there is no
 * such object. */
enum gk_status gk_list_walk_next(struct gk_list_walk *walk, struct gk_span *key,
                                 struct gk_span *value, struct gk_error *error) GK_MUST_USE;
/* What comes next is also greater than this key. Costs nothing for what is passed over, but for the
 * few entries that were read already. */
void gk_list_walk_skip(struct gk_list_walk *walk, struct gk_span key);

#endif
