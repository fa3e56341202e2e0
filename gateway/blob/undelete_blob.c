/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Undelete Blob (Storage REST reference): what was deleted of a blob, itself or states of it, and is still
 * kept, is there again. One of which nothing was deleted stays as it is. Needs no key.
 */
#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states_change.h"

struct undeletion {
    struct gk_request *request;
    bool any; /* there is a state that a client can see */
};

static bool undelete(struct gk_blob_target *target)
{
    struct gk_history *history = &target->record.history;
    const bool deleted = history->deleted_wall_ms != 0;
    history->deleted_wall_ms = 0;
    history->kept_until_wall_ms = 0;
    return deleted;
}

static enum gk_status undelete_state(void *ctx, struct gk_blob_write *write,
                                     struct gk_blob_target *state, enum gk_state_action *action,
                                     struct gk_error *error)
{
    (void)write, (void)error;
    struct undeletion *undeletion = ctx;
    undeletion->any = undeletion->any || state->record.history.kind != GK_STATE_LENT;
    *action = undelete(state) ? GK_STATE_WRITE : GK_STATE_KEEP;
    return GK_OK;
}

static enum gk_status undelete_base(void *ctx, struct gk_blob_write *write,
                                    struct gk_blob_target *base, bool remain,
                                    struct gk_error *error)
{
    const struct undeletion *undeletion = ctx;
    if (base->record.state != GK_BLOB_COMMITTED && !undeletion->any) {
        return gk_refuse(error, 404, "BlobNotFound");
    }
    (void)undelete(base);
    return gk_state_settle_base(write, undeletion->request, base, remain, error);
}

static enum gk_status undelete_locked(struct gk_request *request, struct gk_blob_target *base,
                                      struct gk_error *error)
{
    struct undeletion undeletion = {.request = request};
    const struct gk_states_change change = {
        .ctx = &undeletion, .state = undelete_state, .base = undelete_base};
    const enum gk_status status = gk_blob_target_read(request, base, error);
    if (status != GK_OK) {
        return status;
    }
    const bool itself = base->record.state != GK_BLOB_UNCOMMITTED && !base->ended;
    const bool there = base->stored.len > 0 && (itself || base->record.history.newest > 0);
    return there ? gk_states_change(request, base, &change, error)
                 : gk_refuse(error, 404, "BlobNotFound");
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target base;
    enum gk_status status = gk_blob_target_locate(request, &base, error);
    if (status == GK_OK) {
        status = gk_record_lock_write(&base, error);
    }
    if (status == GK_OK) {
        status = undelete_locked(request, &base, error);
        gk_record_unlock(&base);
    }
    gk_blob_target_cleanup(&base);
    return status == GK_OK ? gk_respond(request, 200) : status;
}

const struct gk_handler gk_undelete_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = finish};
