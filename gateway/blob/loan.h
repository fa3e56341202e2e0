/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy within an account borrows what its source consists of (docs/decisions/0013-copies-that-share.md):
 *
 *   in the source's shard, the lender's       v/<source> 0 <time>   a state that is lent: it names the data,
 *                                                                   so that it stays, and is seen by nobody
 *   in the copy's shard, the borrower's       l/<loan>              where that state is
 *                                             b/<copy>, v/<copy>    records that name the loan, whose
 *                                                                   manifests have entries that are lent
 *
 * The loan's row comes first and goes last. While it is there and open, records of the borrower may name the
 * loan; once none does, it is closed, the state that is lent goes, and then the row. What lends owns all of
 * its data: a copy of a copy borrows from the same lender, by a state of its own.
 *
 *   field       loan 16 | container 16 | shard 4      of a record that borrows: the lender's shard; of a state
 *                                                     that is lent: the borrower's
 *   row         version 1 | closed 1 | container 16 | shard 4 | time 8 | lender's name, a text
 *
 * Pure.
 */
#ifndef GATEWAY_BLOB_LOAN_H
#define GATEWAY_BLOB_LOAN_H

#include "gateway/blob/fields.h"
#include "gateway/blob/history.h"
#include "gateway/blob/names.h"

/* All zero: it borrows nothing. */
struct gk_loan {
    struct gk_id id;
    struct gk_id container;
    uint32_t shard;
};

extern const struct gk_field_kind gk_loan_field;

/* Whether a record with this loan and this history borrows; a state that is lent does not. */
bool gk_loan_borrows(const struct gk_loan *loan, const struct gk_history *history);

#define GK_LOAN_ROW_BYTES_MAX 4096u /* sealed */

struct gk_loan_row {
    bool closed; /* nothing may come to name it any more */
    struct gk_id container;
    uint32_t shard;
    uint64_t time;
    size_t name_len;
    uint8_t name[GK_BLOB_NAME_BYTES_MAX]; /* the lender's */
};

void gk_loan_row_encode(const struct gk_loan_row *row, struct gk_buf *out);
enum gk_status gk_loan_row_decode(struct gk_span in, struct gk_loan_row *out,
                                  struct gk_error *error) GK_MUST_USE;

#endif
