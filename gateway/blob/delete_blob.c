/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete Blob (Storage REST reference), of a blob, of its snapshots, or of one snapshot. Needs no key.
 * What others of the blob still refer to stays (history.h).
 */
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states_change.h"

/* x-ms-delete-snapshots */
enum with_snapshots { SNAPSHOTS_REFUSE, SNAPSHOTS_INCLUDE, SNAPSHOTS_ONLY };

struct deletion {
    struct gk_request *request;
    struct gk_blob_target base;
    enum with_snapshots snapshots;
};

static enum gk_status read_snapshots_header(struct deletion *deletion, struct gk_error *error)
{
    const char *value = gk_request_header(deletion->request, "x-ms-delete-snapshots");
    if (value == NULL) {
        return GK_OK;
    }
    if (deletion->base.kind != GK_STATE_BASE) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "A snapshot has no snapshots: x-ms-delete-snapshots");
    }
    deletion->snapshots = strcasecmp(value, "include") == 0 ? SNAPSHOTS_INCLUDE : SNAPSHOTS_ONLY;
    return deletion->snapshots == SNAPSHOTS_INCLUDE || strcasecmp(value, "only") == 0
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-delete-snapshots is include or only.");
}

/* --- one snapshot -------------------------------------------------------------------------------*/

static enum gk_status keep_others(void *ctx, struct gk_blob_target *state,
                                  enum gk_state_action *action, struct gk_error *error)
{
    (void)error;
    const struct deletion *deletion = ctx;
    *action = state->time == deletion->base.time ? GK_STATE_REMOVE : GK_STATE_KEEP;
    return GK_OK;
}

static enum gk_status keep_base(void *ctx, struct gk_blob_write *write, struct gk_blob_target *base,
                                bool remain, struct gk_error *error)
{
    const struct deletion *deletion = ctx;
    return gk_state_settle_base(write, deletion->request, base, remain, error);
}

static enum gk_status delete_state(struct deletion *deletion, struct gk_error *error)
{
    const struct gk_states_change change = {
        .ctx = deletion, .state = keep_others, .base = keep_base};
    struct gk_blob_target state;
    enum gk_status status =
        gk_state_read(deletion->request, &deletion->base, deletion->base.time, &state, error);
    if (status == GK_OK && !state.committed) {
        status = gk_refuse(error, 404, "BlobNotFound");
    }
    if (status == GK_OK) {
        status = gk_blob_conditions(deletion->request, &state, GK_ACCESS_WRITE, error);
    }
    gk_blob_target_cleanup(&state);
    return status == GK_OK ? gk_states_change(deletion->request, &deletion->base, &change, error)
                           : status;
}

/* --- the blob, its snapshots, or both -----------------------------------------------------------*/

static enum gk_status remove_snapshot(void *ctx, struct gk_blob_target *state,
                                      enum gk_state_action *action, struct gk_error *error)
{
    const struct deletion *deletion = ctx;
    if (state->record.history.kind != GK_STATE_SNAPSHOT) {
        return GK_OK;
    }
    *action = GK_STATE_REMOVE;
    return deletion->snapshots == SNAPSHOTS_REFUSE
               ? gk_refuse(error, 409, "SnapshotsPresent")
               : gk_immutability_check(&state->record.immutability,
                                       gk_clock_wall_ms(&deletion->request->gateway->clock), error);
}

static enum gk_status remove_base(void *ctx, struct gk_blob_write *write,
                                  struct gk_blob_target *base, bool remain, struct gk_error *error)
{
    const struct deletion *deletion = ctx;
    if (deletion->snapshots == SNAPSHOTS_ONLY) {
        return gk_state_settle_base(write, deletion->request, base, remain, error);
    }
    const enum gk_status status = gk_blob_write_discard(write, deletion->request, base, error);
    return status == GK_OK ? gk_state_remove_base(write, deletion->request, base, remain, error)
                           : status;
}

static enum gk_status delete_base(struct deletion *deletion, struct gk_error *error)
{
    const struct gk_states_change change = {
        .ctx = deletion, .state = remove_snapshot, .base = remove_base};
    if (!deletion->base.committed) {
        return gk_refuse(error, 404, "BlobNotFound");
    }
    const enum gk_status status =
        gk_blob_conditions(deletion->request, &deletion->base, GK_ACCESS_WRITE, error);
    return status == GK_OK ? gk_states_change(deletion->request, &deletion->base, &change, error)
                           : status;
}

/* --- the operation ------------------------------------------------------------------------------*/

static enum gk_status delete_locked(struct deletion *deletion, struct gk_error *error)
{
    const enum gk_status status = gk_blob_target_read(deletion->request, &deletion->base, error);
    if (status != GK_OK) {
        return status;
    }
    return deletion->base.kind == GK_STATE_BASE ? delete_base(deletion, error)
                                                : delete_state(deletion, error);
}

static enum gk_status delete_located(struct deletion *deletion, struct gk_error *error)
{
    enum gk_status status = gk_blob_target_locate(deletion->request, &deletion->base, error);
    if (status == GK_OK) {
        status = read_snapshots_header(deletion, error);
    }
    if (status == GK_OK) {
        status = gk_record_lock_write(&deletion->base, error);
    }
    if (status == GK_OK) {
        status = delete_locked(deletion, error);
        gk_record_unlock(&deletion->base);
    }
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct deletion deletion = {.request = request, .snapshots = SNAPSHOTS_REFUSE};
    const enum gk_status status = delete_located(&deletion, error);
    gk_blob_target_cleanup(&deletion.base);
    if (status != GK_OK) {
        return status;
    }
    gk_respond_header(request, "x-ms-delete-type-permanent", "true");
    return gk_respond(request, 202);
}

const struct gk_handler gk_delete_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_DELETE, .finish = finish};
