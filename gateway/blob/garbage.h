/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a write replaced is queued for removal by the very write that replaced it: an entry "g/<freed><id>"
 * in the same map, sealed like every value. The reaper removes it later; a crash in between loses
 * nothing and leaks nothing.
 *
 *   version 1 | freed 8 | items 4 | item ...
 *   version 2 | freed 8 | blob's name, a text | items 4 | item ...
 *   item      kind 1 | id 16 | number 8
 *
 * In an entry of version 2 stands what a base or a state of that blob had (history.h): what others of
 * the same blob still refer to stays. Nothing that none of them refers to is ever referred to again, for a
 * new state is made out of a base that is there, and a base out of new data or what it had.
 *
 *   kind  id         number
 *   1     segment    length   a segment's data
 *   2     object     epoch    staged blocks, their data and their entries
 *   3     object     epoch    staged blocks' entries alone
 *   4     manifest   0        a manifest's pages and all its segments
 *   5     manifest   0        a manifest's pages alone
 *   6     container  shards   a container with all that is in it; 0 shards are 1
 *   7     none       0        what of the blob has come to its end (expiry.h); freed is the time of that
 *   8     space      0        a page blob's rows and its page objects
 *   9     container  shards   that the account's map names by what stands where else a blob's name does,
 *                             deleted and not kept any more (container_expiry.h); freed as in kind 7
 *   10    loan       0        what another blob lends to the one that had it (loan.h); first in an entry
 *                             with a time to come: perhaps, and not before that time, as all that
 *                             comes after it in that entry
 */
#ifndef GATEWAY_BLOB_GARBAGE_H
#define GATEWAY_BLOB_GARBAGE_H

#include "gateway/blob/changes.h"
#include "gateway/blob/target.h"

enum gk_garbage_kind {
    GK_GARBAGE_SEGMENT = 1,
    GK_GARBAGE_STAGED = 2,
    GK_GARBAGE_STAGED_ENTRIES = 3,
    GK_GARBAGE_MANIFEST = 4,
    GK_GARBAGE_MANIFEST_ENTRIES = 5,
    GK_GARBAGE_CONTAINER = 6,
    GK_GARBAGE_EXPIRED = 7,
    GK_GARBAGE_PAGES = 8,
    GK_GARBAGE_KEPT_CONTAINER = 9,
    GK_GARBAGE_LOAN = 10
};

struct gk_garbage_item {
    enum gk_garbage_kind kind;
    struct gk_id id;
    uint64_t number; /* length, epoch or shards */
};

/* Items in one entry at most; more make further entries. */
#define GK_GARBAGE_ITEMS_MAX 16384u
#define GK_GARBAGE_BYTES_MAX                                                                       \
    (GK_GARBAGE_ITEMS_MAX * 25u + GK_BLOB_NAME_BYTES_MAX + 256u + GK_RECORD_OVERHEAD_BYTES)

/* Collects items, then becomes changes. A failure sticks. */
struct gk_garbage {
    struct gk_garbage_item *items;
    size_t count;
    size_t cap;
    bool failed;
    /* Name of the blob that may still refer to the items; empty: nothing does. Of a kept container name,
     * 0x00 and version. */
    struct gk_buf blob;
};

void gk_garbage_init(struct gk_garbage *garbage);
void gk_garbage_cleanup(struct gk_garbage *garbage);
void gk_garbage_add(struct gk_garbage *garbage, enum gk_garbage_kind kind, const struct gk_id *id,
                    uint64_t number);
/* All that a blob's record refers to; not what stands beside it, which goes with it. */
void gk_garbage_add_blob(struct gk_garbage *garbage, const struct gk_blob_target *target);
/* Appends the entries to changes; nothing for no items. place: kind GK_VALUE_GARBAGE, any key. */
enum gk_status gk_garbage_queue(const struct gk_garbage *garbage, const struct gk_place *place,
                                int64_t wall_ms, struct gk_change_list *changes,
                                struct gk_error *error) GK_MUST_USE;

/* How many index objects the container of an item has. */
uint32_t gk_garbage_shards(const struct gk_garbage_item *item);

/* An entry's items, owned by the caller. GK_E_INTEGRITY. */
enum gk_status gk_garbage_decode(struct gk_span open, struct gk_garbage *out,
                                 int64_t *freed_wall_ms, struct gk_error *error) GK_MUST_USE;

#endif
