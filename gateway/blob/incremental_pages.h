/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a page blob's pieces when it follows another to a later snapshot (incremental_copy.c). Which
 * pages those are follows from the rows of both: the source's tell in which era each page was written last, and
 * the blob's own which pages the copy before has left. So the snapshot that was copied before need not be there
 * any more. Pieces with pages to be written are poured whole, as in any copy; where pages were cleared alone, a
 * row changes. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_INCREMENTAL_PAGES_H
#define GATEWAY_BLOB_INCREMENTAL_PAGES_H

#include "gateway/blob/copy_pages.h"
#include "gateway/blob/page_diff.h"

/* A copy of those pieces of the source that have pages to be written. All zero otherwise. */
struct gk_incremental_pages {
    struct gk_page_copy copy; /* begins with the upload */
    struct gk_page_change *changes;
    uint32_t changes_count; /* as many as a copy has rows, at most */
    uint32_t changes_cap;
};

/* Finds what differs between own, which is what the last copy has made or, where there was none, a blob that
 * has no rows yet, and request->source. 413 RequestBodyTooLarge: in more pieces than a copy takes. */
enum gk_status gk_incremental_pages_find(struct gk_request *request,
                                         const struct gk_blob_target *own,
                                         struct gk_error *error) GK_MUST_USE;
/*
 * The changed rows, whose pieces were poured, as a part of the write of own's new record, and their groups into
 * that. own is as it was found, with its record or the new one's. 413 RequestBodyTooLarge: the rows are more
 * than one write takes.
 */
enum gk_status gk_incremental_pages_write(struct gk_request *request,
                                          const struct gk_blob_target *own,
                                          struct gk_blob_write *write,
                                          struct gk_blob_record *record,
                                          struct gk_error *error) GK_MUST_USE;
/* What request->state has beside the upload. */
void gk_incremental_pages_cleanup(struct gk_request *request);

#endif
