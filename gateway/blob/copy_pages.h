/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page blob as a copy of another: what was written of the source is opened and sealed again, piece by
 * piece, into page objects that nothing refers to yet; the blob and all its rows then come in one write.
 * What was never written of the source is not written here either. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_COPY_PAGES_H
#define GATEWAY_BLOB_COPY_PAGES_H

#include "gateway/blob/page_rows.h"
#include "gateway/blob/upload.h"

/* All in one write, and in memory until then: 1.2 KiB of the store for each row. */
#define GK_PAGE_COPY_ROWS_MAX 16384u

/* An upload with rows, which are those of the source's space; its record's kind is that of a new, empty
 * page blob of the source's size. All zero otherwise. */
struct gk_page_copy {
    struct gk_upload upload;
    struct gk_page_row *rows;
    uint32_t rows_count;
    uint32_t rows_cap;
    uint32_t written_count; /* of rows: their objects may be there */
    bool offered;           /* a write was made that names them */
};

/* Takes away from the pages of a piece what lies behind the end of a blob of that size. */
void gk_page_copy_cut(uint32_t index, uint64_t size, uint8_t *written);
/* Adds a row for a piece of the source of which these pages were written, at least one. 413
 * RequestBodyTooLarge: more than a copy takes. */
enum gk_status gk_page_copy_add(struct gk_page_copy *copy, uint32_t index, const uint8_t *written,
                                struct gk_error *error) GK_MUST_USE;
/* Writes what request->source has in the pieces of these rows into page objects. 412
 * SourceConditionNotMet: it was changed meanwhile. */
enum gk_status gk_page_copy_pour(struct gk_request *request, struct gk_error *error) GK_MUST_USE;
/* Both, for all that was written of the source. */
enum gk_status gk_page_copy_whole(struct gk_request *request, struct gk_error *error) GK_MUST_USE;
/* The upload's more: the rows. */
enum gk_status gk_page_copy_write(struct gk_request *request, struct gk_blob_write *write,
                                  struct gk_error *error) GK_MUST_USE;
/* Removes objects that were never to be named, as far as that can be done: scrub finds the others. */
void gk_page_copy_cleanup(struct gk_request *request);

#endif
