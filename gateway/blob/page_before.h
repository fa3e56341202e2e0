/* SPDX-License-Identifier: Apache-2.0 */
/* The earlier snapshot that Get Page Ranges compares with (Storage REST reference, "Get Page Ranges"). */
#ifndef GATEWAY_BLOB_PAGE_BEFORE_H
#define GATEWAY_BLOB_PAGE_BEFORE_H

#include "gateway/blob/target.h"

/*
 * Loads what prevsnapshot or x-ms-previous-snapshot-url names, a snapshot of the page blob that target
 * shows; *given: one of them was sent. 400 InvalidQueryParameterValue, InvalidHeaderValue,
 * PreviousSnapshotCannotBeNewer, 409 PreviousSnapshotNotFound, BlobOverwritten. before is all zero, and
 * cleaned up by the caller.
 */
enum gk_status gk_page_before_load(struct gk_request *request, const struct gk_blob_target *target,
                                   struct gk_blob_target *before, bool *given,
                                   struct gk_error *error) GK_MUST_USE;

#endif
