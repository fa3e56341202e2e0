/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which blobs have a pending copy, so that every gateway finds them without a search: the map of the
 * object "copies" in GK_POOL_META.
 *
 *   copy's id 16    version 1 | written 8 | account, a text | its id 16 | container 16 | shard 4
 *                   | blob's name, a text
 *
 * A row is there before the blob's record says that the copy is pending, and goes after it says so no more. It
 * only tells where to look: whether there is a copy, and of what, stands in the record. Nothing is authenticated
 * here: whoever writes to the store can keep a copy pending, as they can remove the blob.
 *
 * Any thread, several processes.
 */
#ifndef GATEWAY_BLOB_COPY_LIST_H
#define GATEWAY_BLOB_COPY_LIST_H

#include "gatekey/plugin.h"
#include "gateway/blob/names.h"
#include "gateway/store/store.h"

#define GK_COPIES_OBJECT "copies"
/* Rows in one step of a list. */
#define GK_COPY_LIST_STEP 64u

struct gk_copy_row {
    struct gk_id id; /* the copy's */
    int64_t written_wall_ms;
    char account[GK_ACCOUNT_NAME_BYTES_MAX]; /* the blob's, by name and by id */
    struct gk_id account_id;
    struct gk_id container;
    uint32_t shard;
    uint8_t blob[GK_BLOB_NAME_BYTES_MAX];
    size_t blob_len;
};

enum gk_status gk_copy_list_add(struct gk_store *store, const struct gk_copy_row *row,
                                struct gk_error *error) GK_MUST_USE;
/* One that is gone already is fine. */
enum gk_status gk_copy_list_remove(struct gk_store *store, const struct gk_id *id,
                                   struct gk_error *error) GK_MUST_USE;
/* Rows by their ids, those after one (NULL: from the first), GK_COPY_LIST_STEP at most: fewer are the last. Rows
 * that are not well-formed are passed over. *last: the id to go on after. No list is no error. */
enum gk_status gk_copy_list_read(struct gk_store *store, const struct gk_id *after,
                                 struct gk_copy_row rows[GK_COPY_LIST_STEP], size_t *count,
                                 bool *more, struct gk_id *last,
                                 struct gk_error *error) GK_MUST_USE;

/* A row's value. GK_E_INTEGRITY. */
void gk_copy_row_encode(const struct gk_copy_row *row, struct gk_buf *out);
enum gk_status gk_copy_row_decode(struct gk_span key, struct gk_span value, struct gk_copy_row *out,
                                  struct gk_error *error) GK_MUST_USE;

#endif
