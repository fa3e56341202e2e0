/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's index: the objects of its shards (names.h). They are made before the container's
 * record and removed by the reaper after it is gone.
 *
 * A gateway finds a container's shards in a cache and reads its record no more. What tells it that the
 * container went, or has another name by now, stands in the shards: each has a door, which Delete Container
 * and Rename Container close before they take the container's entry away. An entry under a name, be it
 * another or the same, gets an opening that is greater than the one before, and then the doors are opened
 * with it. Every write to a shard is guarded by its door's being open with the opening that the gateway
 * knows (gk_index_guards), every read of a blob's record looks whether it is.
 *
 *   map "x"    absent            open, of opening 0
 *              0x01              closed, of opening 0
 *              0x01 | opening 8  closed
 *              0x02 | opening 8  open
 *
 * A door only ever goes on: from open to closed of the same opening, and to a greater one. So who comes late
 * changes nothing, and who finds a door behind the container's entry may bring it up to that.
 */
#ifndef GATEWAY_BLOB_INDEX_H
#define GATEWAY_BLOB_INDEX_H

#include "gateway/blob/names.h"
#include "gateway/store/store.h"

struct gk_index_door {
    bool closed;
    uint64_t opening;
};

/* What "x" says, "" when it is absent. What is not well-formed is closed, and nothing comes after it. */
struct gk_index_door gk_index_door_of(struct gk_span value);
/* Less than 0 when a comes before b, greater than 0 when it comes after. */
int gk_index_door_compare(const struct gk_index_door *a, const struct gk_index_door *b);

/* The guards of a write to a shard, GK_E_NOT_FOUND, and GK_E_EXISTS or GK_E_CONFLICT, when they do not hold.
 * door is where what they compare with stands: it must live until the write. */
#define GK_INDEX_GUARDS     2u
#define GK_INDEX_DOOR_BYTES 9u
void gk_index_guards(struct gk_guard guards[GK_INDEX_GUARDS], uint64_t opening,
                     uint8_t door[GK_INDEX_DOOR_BYTES]);

/* Of a container that nobody knows yet. */
enum gk_status gk_index_create(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error) GK_MUST_USE;
/* Closes all that are open with this opening. Closed ones may be closed again; one that is not there needs no
 * closing. GK_E_EXISTS: one has a blob that may not be deleted (protection.h), others may be closed. */
enum gk_status gk_index_close(struct gk_store *store, const struct gk_id *container,
                              uint32_t shards, uint64_t opening,
                              struct gk_error *error) GK_MUST_USE;
/* Opens all with another opening, when they were closed with the one before and the container's entry says
 * the new one. */
struct gk_index_openings {
    uint64_t before;
    uint64_t now;
};
enum gk_status gk_index_open(struct gk_store *store, const struct gk_id *container, uint32_t shards,
                             const struct gk_index_openings *openings,
                             struct gk_error *error) GK_MUST_USE;
/* Brings the door of one shard up to this one, unless it is there or beyond. GK_E_NOT_FOUND; GK_E_EXISTS as
 * gk_index_close. */
enum gk_status gk_index_raise(struct gk_store *store, const char *shard,
                              const struct gk_index_door *to, struct gk_error *error) GK_MUST_USE;
/* Absent ones are fine. */
enum gk_status gk_index_remove(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error) GK_MUST_USE;

#endif
