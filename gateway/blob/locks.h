/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who changes a blob's record within this process takes turns: a streamed body cannot be sent to the
 * store a second time when its guard did not hold. The guards are what makes it correct, with other
 * gateways too; the locks make a conflict within one gateway rare. Striped by hash: two blobs may
 * share one.
 *
 * A turn comes within GK_LOCK_WAIT_S or not at all, GK_E_UNAVAILABLE: while the store is away each of
 * those who wait would else wait for the time-outs of all before it.
 *
 * Order: a record's lock before a block's; one of each at most.
 */
#ifndef GATEWAY_BLOB_LOCKS_H
#define GATEWAY_BLOB_LOCKS_H

#include <pthread.h>

#include "gateway/blob/target.h"

#define GK_LOCK_WAIT_S 5

/* Held for the commit alone, never while a body streams. */
enum gk_status gk_record_lock_write(const struct gk_blob_target *target,
                                    struct gk_error *error) GK_MUST_USE;
/* Staging a block leaves the record as it is: any number at once. A writer that waits goes first. */
enum gk_status gk_record_lock_read(const struct gk_blob_target *target,
                                   struct gk_error *error) GK_MUST_USE;
void gk_record_unlock(const struct gk_blob_target *target);

/* Of a staged block of that key. */
enum gk_status gk_block_lock(struct gk_span staged_key, struct gk_error *error) GK_MUST_USE;
void gk_block_unlock(struct gk_span staged_key);

#endif
