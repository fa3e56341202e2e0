/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lease Blob (Storage REST reference): acquire, renew, change, release and break. A lease stands in the
 * open part of the blob's record: none of it needs the customer's key, nor changes ETag or Last-Modified.
 */
#include "gateway/blob/blob_change.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/lease_headers.h"

static enum gk_status change_lease(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    const struct gk_lease_request *asked = ctx;
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    enum gk_status status = gk_blob_conditions_but_lease(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK) {
        status = gk_lease_act(&target->record.lease, asked, now, error);
    }
    return status == GK_OK ? gk_blob_write_open_part(write, request, target, &target->record, error)
                           : status;
}

static enum gk_status lease_blob(struct gk_request *request, struct gk_error *error)
{
    struct gk_lease_request asked;
    enum gk_status status = gk_lease_request_read(request, &asked, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_target target;
    status = gk_blob_change(request, &target, change_lease, &asked, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        status = gk_lease_request_respond(request, &asked, &target.record.lease);
    }
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_lease_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = lease_blob};
const struct gk_handler gk_break_blob_lease_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE | GK_PERMIT_DELETE, .finish = lease_blob};
