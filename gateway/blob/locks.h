/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who changes a blob's record within this process takes turns: a streamed body cannot be sent to the
 * store a second time when its guard did not hold. The guards are what makes it correct, with other
 * gateways too; the locks make a conflict within one gateway rare. Striped by hash: two blobs may
 * share one.
 *
 * Order: a record's lock before a block's; one of each at most.
 */
#ifndef GATEWAY_BLOB_LOCKS_H
#define GATEWAY_BLOB_LOCKS_H

#include <pthread.h>

#include "gateway/blob/target.h"

/* Held for the commit alone, never while a body streams. */
void gk_record_lock_write(const struct gk_blob_target *target);
/* Staging a block leaves the record as it is: any number at once. */
void gk_record_lock_read(const struct gk_blob_target *target);
void gk_record_unlock(const struct gk_blob_target *target);

/* Of a staged block of that key. */
void gk_block_lock(struct gk_span staged_key);
void gk_block_unlock(struct gk_span staged_key);

#endif
