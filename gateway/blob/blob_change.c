/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/blob_change.h"

#include "common/error.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states.h"

/* A change under way: of the base, or of the state of it that the request names. */
struct changing {
    struct gk_request *request;
    struct gk_blob_target *base;
    struct gk_blob_target *state; /* NULL: the base is changed */
    gk_blob_change_fn *change;
    void *ctx;
};

static enum gk_status fill_write(const struct changing *changing, struct gk_blob_write *write,
                                 struct gk_error *error)
{
    struct gk_blob_target *base = changing->base;
    struct gk_blob_target *changed = changing->state == NULL ? base : changing->state;
    if (!changed->committed) {
        return gk_refuse(error, 404, "BlobNotFound");
    }
    const enum gk_status status =
        changing->change(changing->request, changed, write, changing->ctx, error);
    return status == GK_OK && changing->state != NULL
               ? gk_state_settle_base(write, changing->request, base, true, error)
               : status;
}

static enum gk_status change_locked(struct changing *changing, struct gk_error *error)
{
    struct gk_request *request = changing->request;
    struct gk_blob_target *base = changing->base;
    enum gk_status status = gk_blob_target_read(request, base, error);
    if (status == GK_OK && gk_blob_is_named_version(base)) {
        changing->state = NULL;
    }
    if (status == GK_OK && changing->state != NULL) {
        status = gk_state_read(request, base, base->time, changing->state, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_write write;
    gk_blob_write_init(&write, base);
    status = fill_write(changing, &write, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, base, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

enum gk_status gk_blob_change(struct gk_request *request, struct gk_blob_target *target,
                              gk_blob_change_fn *change, void *ctx, struct gk_error *error)
{
    struct gk_blob_target state = {.exists = false};
    enum gk_status status = gk_blob_target_locate(request, target, error);
    if (status == GK_OK) {
        status = gk_record_lock_write(target, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct changing changing = {.request = request,
                                .base = target,
                                .state = target->kind == GK_STATE_BASE ? NULL : &state,
                                .change = change,
                                .ctx = ctx};
    status = change_locked(&changing, error);
    gk_record_unlock(target);
    if (changing.state != NULL) {
        gk_blob_target_cleanup(target);
        *target = state;
    }
    return status;
}
