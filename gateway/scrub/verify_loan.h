/* SPDX-License-Identifier: Apache-2.0 */
/* That what a record borrows is lent to it, and that what is lent is borrowed (gateway/blob/loan.h). */
#ifndef GATEWAY_SCRUB_VERIFY_LOAN_H
#define GATEWAY_SCRUB_VERIFY_LOAN_H

#include "gateway/blob/target.h"
#include "gateway/scrub/run.h"

/*
 * Of a record that was opened; nothing for one without a loan. GK_E_INTEGRITY: what it borrows is not lent to it.
 * A state that is lent by no loan, of which nothing can come to be, is given up where the run removes things.
 */
enum gk_status gk_scrub_verify_loan(struct gk_scrub_run *run, const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    struct gk_error *error) GK_MUST_USE;

#endif
