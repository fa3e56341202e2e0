/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lender's side of a loan (loan.h): making the state that is lent, and taking it away, each in one guarded
 * write of the source's shard, in which its base is written anew as for every state (states.h). Needs no key.
 * Any thread; takes the record's lock.
 */
#ifndef GATEWAY_BLOB_LEND_H
#define GATEWAY_BLOB_LEND_H

#include "gateway/blob/states.h"

/* What is to be lent: a base, or a state of it. */
struct gk_lender {
    struct gk_id container;
    uint32_t shard;
    struct gk_span name; /* the blob's; lives as long as the lender is used */
    uint64_t time;       /* of the state; 0: the base */
    /* That it is what was read: */
    struct gk_id object;
    uint64_t etag;
    struct gk_id
        loan; /* of one that is lent already, whose object and ETag are not asked; else zero */
};

/* The time that a state would get now. */
enum gk_status gk_lend_time(struct gk_gateway *gateway, struct gk_gateway_account *account,
                            const struct gk_lender *lender, uint64_t *time,
                            struct gk_error *error) GK_MUST_USE;
/*
 * Makes the state of that time. to: the loan, with the borrower's container and shard. GK_E_CONFLICT: the blob
 * was written meanwhile, or the time is not to come any more. GK_E_UNAVAILABLE: it is not what was read, or its
 * container is being deleted.
 */
enum gk_status gk_lend(struct gk_gateway *gateway, struct gk_gateway_account *account,
                       const struct gk_lender *lender, uint64_t time, const struct gk_loan *to,
                       struct gk_error *error) GK_MUST_USE;
/* Takes the state that row names away, which was lent by that loan; what nothing else of its blob refers to
 * becomes garbage. One that is gone, or was never made, is fine. In a container that is being deleted, too. */
enum gk_status gk_lend_end(struct gk_gateway *gateway, struct gk_gateway_account *account,
                           const struct gk_loan_row *row, const struct gk_id *loan,
                           struct gk_error *error) GK_MUST_USE;

#endif
