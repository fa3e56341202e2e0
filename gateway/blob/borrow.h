/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The borrower's side of a loan (loan.h), in the shard of the copy:
 *
 *   gk_borrow_begin    the loan's row, and with it garbage that ends the loan when its time has come and no
 *                      record of the copy names it: whatever becomes of who makes the copy, nothing leaks
 *   gk_borrow_settle   part of the write of the first record that names the loan: while the row is open
 *   gk_borrow_close    nothing can come to name it any more
 *   gk_borrow_end      the state that is lent goes, then the row
 *
 * Needs no key. Any thread.
 */
#ifndef GATEWAY_BLOB_BORROW_H
#define GATEWAY_BLOB_BORROW_H

#include "gateway/blob/blob_write.h"
#include "gateway/blob/removal.h"

/* How long making a copy may take, from its loan's row to its record. */
#define GK_BORROW_MS INT64_C(600000)

struct gk_borrow {
    struct gk_id id; /* the loan's, drawn by begin */
    struct gk_buf row_key;
    struct gk_buf row_value;   /* as it is stored */
    struct gk_buf garbage_key; /* of what ends the loan if nobody takes it */
};

/* cleanup is always fine afterwards. */
enum gk_status gk_borrow_begin(struct gk_request *request, const struct gk_blob_target *copy,
                               const struct gk_loan_row *row, struct gk_borrow *out,
                               struct gk_error *error) GK_MUST_USE;
void gk_borrow_cleanup(struct gk_borrow *borrow);
/* borrow must stay until the write's commit. */
void gk_borrow_settle(const struct gk_borrow *borrow, struct gk_blob_write *write);

/* One more guard: of the base of the blob whose records were looked at. GK_E_CONFLICT. A loan that is closed,
 * or gone, is fine. */
enum gk_status gk_borrow_close(const struct gk_removal *removal, const struct gk_id *container,
                               const char *index, const struct gk_id *loan,
                               const struct gk_guard *base, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_borrow_end(const struct gk_removal *removal, const struct gk_id *container,
                             const char *index, const struct gk_id *loan,
                             struct gk_error *error) GK_MUST_USE;
/* All of a shard, whose container is gone. */
enum gk_status gk_borrow_end_all(const struct gk_removal *removal, const struct gk_id *container,
                                 const char *index, struct gk_error *error) GK_MUST_USE;

/* Whether a loan by which something is lent is there, in the borrower's shard. */
enum gk_status gk_borrow_is_there(struct gk_store *store, const struct gk_loan *lent, bool *there,
                                  struct gk_error *error) GK_MUST_USE;
/* GK_E_NOT_FOUND. place: of the shard's container. */
enum gk_status gk_borrow_read(struct gk_store *store, struct gk_place place, const char *index,
                              const struct gk_id *loan, struct gk_loan_row *row,
                              struct gk_error *error) GK_MUST_USE;

#endif
