/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward over the entries of a map, with skips. Entries are copied out of the store a few at a
 * time, so that no walk of the store waits for what is done with them: memory is what gk_list_piece
 * says and one entry more. Each piece is of one state of the map, the whole need not be: what is
 * changed meanwhile may be seen or not, what is not changed is seen once.
 */
#ifndef GATEWAY_BLOB_LIST_WALK_H
#define GATEWAY_BLOB_LIST_WALK_H

#include "gateway/blob/names.h"
#include "gateway/store/store.h"

#define GK_LIST_WALK_ENTRIES 256u
#define GK_LIST_WALK_BYTES   (1u << 20)

/* How much is read at once: at first, and after skips. */
struct gk_list_piece {
    uint32_t entries; /* up to GK_LIST_WALK_ENTRIES */
    size_t bytes;     /* up to GK_LIST_WALK_BYTES */
};

struct gk_list_walk {
    const char *object; /* in GK_POOL_META */
    struct gk_span prefix;
    struct gk_buf after;                   /* what comes next is greater than this key */
    struct gk_buf bytes;                   /* keys and values that were read and not passed yet */
    size_t ends[2 * GK_LIST_WALK_ENTRIES]; /* of key and value in bytes, by turns */
    uint32_t count;
    uint32_t next;
    struct gk_list_piece first;
    uint32_t entries; /* of the next piece; adapts to skips */
    bool landed;      /* a skip ended within this piece */
    bool more;        /* perhaps, in the store */
};

/* object and prefix (of keys) must outlive the walk; after is copied. */
void gk_list_walk_init(struct gk_list_walk *walk, const char *object, struct gk_span prefix,
                       struct gk_span after, struct gk_list_piece first);
void gk_list_walk_cleanup(struct gk_list_walk *walk);

/* Whether an entry is at hand, which is then given; the spans live until the walk is moved. */
bool gk_list_walk_at(const struct gk_list_walk *walk, struct gk_span *key, struct gk_span *value);
/* Whether none is at hand, but perhaps in the store. */
bool gk_list_walk_dry(const struct gk_list_walk *walk);
/* Moves past the entry at hand. */
void gk_list_walk_pass(struct gk_list_walk *walk);
/* Moves past all that is not greater than this key. Costs nothing for what is passed over, but for the
 * few entries that were read already. */
void gk_list_walk_skip(struct gk_list_walk *walk, struct gk_span key);

/* Reads a piece for each of these walks, which are dry, all together. GK_E_NOT_FOUND: an object is not
 * there. */
enum gk_status gk_list_walk_fill(struct gk_store *store, struct gk_list_walk *const *walks,
                                 size_t count, struct gk_error *error) GK_MUST_USE;

#endif
