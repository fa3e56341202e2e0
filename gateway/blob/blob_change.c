/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/blob_change.h"

#include "common/error.h"
#include "gateway/blob/locks.h"

static enum gk_status change_locked(struct gk_request *request, struct gk_blob_target *target,
                                    gk_blob_change_fn *change, void *ctx, struct gk_error *error)
{
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK && !target->committed) {
        status = gk_refuse(error, 404, "BlobNotFound");
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    status = change(request, target, &write, ctx, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

enum gk_status gk_blob_change(struct gk_request *request, struct gk_blob_target *target,
                              gk_blob_change_fn *change, void *ctx, struct gk_error *error)
{
    enum gk_status status = gk_blob_target_locate(request, target, error);
    if (status == GK_OK) {
        status = gk_record_lock_write(target, error);
    }
    if (status == GK_OK) {
        status = change_locked(request, target, change, ctx, error);
        gk_record_unlock(target);
    }
    return status;
}
