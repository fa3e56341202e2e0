/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all operations do that change a blob that is there: find it, lock its record, read it, check, and
 * write in one guarded write.
 */
#ifndef GATEWAY_BLOB_BLOB_CHANGE_H
#define GATEWAY_BLOB_BLOB_CHANGE_H

#include "gateway/blob/blob_write.h"

/*
 * What an operation does to a committed blob that was read under its lock: its conditions first, then
 * the changes of target->record, into write. Holds the record's lock.
 */
typedef enum gk_status gk_blob_change_fn(struct gk_request *request, struct gk_blob_target *target,
                                         struct gk_blob_write *write, void *ctx,
                                         struct gk_error *error);

/* As gk_blob_target_load_existing, then change, whatever that refuses, and as gk_blob_write_commit. Of a
 * state that the request names it is the state that is changed, and target shows it afterwards. target is
 * cleaned up by the caller, always. */
enum gk_status gk_blob_change(struct gk_request *request, struct gk_blob_target *target,
                              gk_blob_change_fn *change, void *ctx,
                              struct gk_error *error) GK_MUST_USE;

#endif
