/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rows of a container's index refer to: segments, whose data objects stand in the data pool. What
 * is borrowed from another container is referred to there, by the state that is lent (loan.h).
 * Staged blocks, manifest pages and page objects are rows of the same index and refer to their data
 * themselves; a page object counts as a segment of one data object.
 * No store.
 */
#ifndef GATEWAY_BLOB_REFS_H
#define GATEWAY_BLOB_REFS_H

#include "gateway/blob/loan.h"
#include "gateway/blob/value.h"

struct gk_segment_ref {
    struct gk_id segment;
    uint64_t length;
};

/* Grows; a failure sticks. */
struct gk_refs {
    struct gk_segment_ref *items;
    size_t count;
    size_t cap;
    bool failed;
    /* Of the last row, a blob's: its segments stand in the pages of this manifest; it borrows by this loan;
     * it is there to be lent. */
    bool paged;
    struct gk_id manifest;
    bool borrows;
    bool lent;
    struct gk_loan loan;
};

void gk_refs_init(struct gk_refs *refs);
void gk_refs_cleanup(struct gk_refs *refs);
/* Forgets what is in it and keeps the memory. */
void gk_refs_reset(struct gk_refs *refs);

/*
 * Appends what one row refers to; nothing for a row of a kind that refers to nothing. place says plugin,
 * account and container. GK_E_INTEGRITY: the row is not what was written, and nobody knows what it refers
 * to. GK_E_RESOURCE.
 */
enum gk_status gk_refs_of_row(struct gk_place place, struct gk_span key, struct gk_span value,
                              struct gk_refs *refs, struct gk_error *error) GK_MUST_USE;

#endif
