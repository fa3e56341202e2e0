/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was written and what was cleared of a page blob since a state was made of it, by the rows of both:
 * a page was written since when it was written last in a later era (page_eras.h). Needs no key of the
 * customer's. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_PAGE_DIFF_H
#define GATEWAY_BLOB_PAGE_DIFF_H

#include "gateway/blob/page_rows.h"

#define GK_PAGE_CHANGES_MAX 16u /* that are found at once */

/* Bits as in a page map. No page is in both. */
struct gk_page_change {
    uint32_t index; /* which 4 MiB of the blob */
    uint8_t written[GK_PAGE_OBJECT_PAGES / 8];
    uint8_t cleared[GK_PAGE_OBJECT_PAGES / 8];
};

struct gk_page_diff;

/* now: the blob or a state of it; before: a state of the same space, no later than now. Keeps neither. */
enum gk_status gk_page_diff_new(const struct gk_request *request, const struct gk_blob_target *now,
                                const struct gk_blob_target *before, struct gk_page_diff **out,
                                struct gk_error *error) GK_MUST_USE;
void gk_page_diff_free(struct gk_page_diff *diff); /* NULL is fine */
/*
 * The next pieces that may have changed, from index on and before end, into items, which has room for
 * GK_PAGE_CHANGES_MAX; count 0 after the last. *index is moved behind them.
 */
enum gk_status gk_page_diff_next(struct gk_page_diff *diff, uint32_t *index, uint32_t end,
                                 struct gk_page_change *items, uint32_t *count,
                                 struct gk_error *error) GK_MUST_USE;

#endif
