/* SPDX-License-Identifier: Apache-2.0 */
/* Walking a blob's manifest, making one, and adding to one. */
#ifndef GATEWAY_BLOB_MANIFEST_H
#define GATEWAY_BLOB_MANIFEST_H

#include "gateway/blob/target.h"

/* Forward over the entries of one blob. Holds one page at most. Does not keep target. */
struct gk_manifest_walk;

enum gk_status gk_manifest_walk_new(struct gk_store *store, const struct gk_plugin *plugin,
                                    struct gk_account *account, const struct gk_blob_target *target,
                                    struct gk_manifest_walk **out,
                                    struct gk_error *error) GK_MUST_USE;
void gk_manifest_walk_free(struct gk_manifest_walk *walk); /* NULL is fine */
/* GK_E_NOT_FOUND after the last one. GK_E_INTEGRITY: a page is missing or not what it was. */
enum gk_status gk_manifest_walk_next(struct gk_manifest_walk *walk, struct gk_manifest_entry *entry,
                                     struct gk_error *error) GK_MUST_USE;
/* The entry that holds byte offset, and where in it; next goes on after it. Once, at the start. */
enum gk_status gk_manifest_walk_seek(struct gk_manifest_walk *walk, uint64_t offset,
                                     struct gk_manifest_entry *entry, uint64_t *within,
                                     struct gk_error *error) GK_MUST_USE;

struct gk_change_list;
/*
 * Fills manifest from entries, and appends to changes what must be written with the record that it
 * is for. Few entries are copied into manifest itself; many become sealed pages.
 */
enum gk_status gk_manifest_make(const struct gk_request *request, const struct gk_id *container,
                                const struct gk_manifest_entry *entries, uint32_t count,
                                struct gk_manifest *manifest, struct gk_change_list *changes,
                                struct gk_error *error) GK_MUST_USE;
/*
 * Adds an entry to manifest, which is the one that is stored and becomes the next record's. Entries that
 * fill the record become a page first, which is appended to changes; its key is appended to page_key:
 * guard that there is nothing under it. A blob of many entries so costs one row with each entry, and a
 * page with some; no page is written twice.
 */
enum gk_status gk_manifest_append(const struct gk_request *request, const struct gk_id *container,
                                  const struct gk_manifest_entry *entry,
                                  struct gk_manifest *manifest, struct gk_change_list *changes,
                                  struct gk_buf *page_key, struct gk_error *error) GK_MUST_USE;

#endif
