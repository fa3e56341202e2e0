/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which accounts there are, and which deleted ones are not yet gone, without listing a pool: the map of
 * the object "registry" in GK_POOL_META.
 *
 *   "v"                          0x01: the registry is complete
 *   "a/<account>"                time 8   an account, written before its object is made and removed
 *                                         when that is gone
 *   "d/<account id 16>"          time 8   a deleted account's mark "deleted/<account id>", written before
 *                                         that is, and once more when it is there, and removed when it is gone
 *   "s"                          time 8   when the last search of all containers for what waits to be
 *                                         removed began
 *
 * A time says when the row was written. A crash in between leaves a row without its object, never an
 * object without its row: readers pass over such rows, and the reaper removes them. Nothing is
 * authenticated here: whoever writes to the store can keep an account from being listed, as they can
 * remove it; no account opens by being listed.
 *
 * Any thread, several processes.
 */
#ifndef GATEWAY_REGISTRY_H
#define GATEWAY_REGISTRY_H

#include "gateway/store/store.h"

#define GK_REGISTRY_OBJECT "registry"

enum gk_registry_kind { GK_REGISTRY_ACCOUNT, GK_REGISTRY_DELETED };

/* name: an account's, or the 16 bytes of a deleted one's id. */
struct gk_registry_row {
    enum gk_registry_kind kind;
    struct gk_span name;
    int64_t written_wall_ms;
};

/* Makes the registry of a store that has none yet, from a list of all objects: of a new one, or of one
 * that an earlier version wrote. Once, at the start. */
enum gk_status gk_registry_open(struct gk_store *store, int64_t wall_ms,
                                struct gk_error *error) GK_MUST_USE;

/* Writes the row, or writes it again with another time. */
enum gk_status gk_registry_set(struct gk_store *store, const struct gk_registry_row *row,
                               struct gk_error *error) GK_MUST_USE;
/* Removes the row, whatever its time. */
enum gk_status gk_registry_remove(struct gk_store *store, enum gk_registry_kind kind,
                                  struct gk_span name, struct gk_error *error) GK_MUST_USE;
/* Removes the row as it was visited; GK_E_CONFLICT when it was written again since. */
enum gk_status gk_registry_remove_row(struct gk_store *store, const struct gk_registry_row *row,
                                      struct gk_error *error) GK_MUST_USE;

enum gk_status gk_registry_has(struct gk_store *store, enum gk_registry_kind kind,
                               struct gk_span name, bool *has, struct gk_error *error) GK_MUST_USE;

/* Return false to end. */
typedef bool gk_registry_visit_fn(void *ctx, const struct gk_registry_row *row);
/* In order of their names, those behind the name after, which may be empty. All rows are collected first, so that a
 * visitor may use the store. */
enum gk_status gk_registry_list(struct gk_store *store, enum gk_registry_kind kind,
                                struct gk_span after, gk_registry_visit_fn *visit, void *ctx,
                                struct gk_error *error) GK_MUST_USE;

/* 0 when there was none. */
enum gk_status gk_registry_last_search(struct gk_store *store, int64_t *began_wall_ms,
                                       struct gk_error *error) GK_MUST_USE;
enum gk_status gk_registry_set_last_search(struct gk_store *store, int64_t began_wall_ms,
                                           struct gk_error *error) GK_MUST_USE;

#endif
