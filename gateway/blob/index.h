/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's index: the objects of its shards (names.h). They are made before the container's
 * record and removed by the reaper after it is gone.
 *
 * A gateway finds a container's shards in a cache and reads its record no more. What tells it that the
 * container is being deleted stands in the shards: Delete Container closes each of them first. Every
 * write to a shard is guarded by its being there and open (gk_index_guards), every read of a blob's
 * record looks whether it is. A closed shard is never opened again.
 */
#ifndef GATEWAY_BLOB_INDEX_H
#define GATEWAY_BLOB_INDEX_H

#include "gateway/blob/names.h"
#include "gateway/store/store.h"

/* The guards of a write to a shard, GK_E_NOT_FOUND and GK_E_EXISTS when they do not hold. */
#define GK_INDEX_GUARDS 2u
void gk_index_guards(struct gk_guard guards[GK_INDEX_GUARDS]);

/* Of a container that nobody knows yet. */
enum gk_status gk_index_create(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error) GK_MUST_USE;
/* Closed ones may be closed again; one that is not there needs no closing. GK_E_EXISTS: one has a blob that
 * may not be deleted (protection.h), others may be closed. */
enum gk_status gk_index_close(struct gk_store *store, const struct gk_id *container,
                              uint32_t shards, struct gk_error *error) GK_MUST_USE;
/* Absent ones are fine. */
enum gk_status gk_index_remove(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error) GK_MUST_USE;

#endif
