/* SPDX-License-Identifier: Apache-2.0 */
/* What is in one blob, opened to the last chunk. */
#ifndef GATEWAY_SCRUB_VERIFY_H
#define GATEWAY_SCRUB_VERIFY_H

#include "gateway/scrub/run.h"

/* Where a blob's record was found. */
struct gk_scrub_place {
    struct gk_gateway_account *account;
    const struct gk_scrub_container *container;
    uint32_t shard;
};

/*
 * Opens the data key, the sealed part, all chunks, and those of the blocks that are staged. What is damaged
 * is told; a record that cannot be opened at all the walk has told already. A blob that is written
 * meanwhile is looked at again. GK_E_DENIED, GK_E_COLD: the account's key cannot be had.
 * GK_E_UNSUPPORTED: it is under a client's key, which nobody else has, or that of a scope, which cannot be had.
 */
enum gk_status gk_scrub_verify_blob(struct gk_scrub_run *run, const struct gk_scrub_place *place,
                                    struct gk_span key, struct gk_span value,
                                    struct gk_error *error) GK_MUST_USE;

#endif
