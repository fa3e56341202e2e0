/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delete Blob (Storage REST reference), of a blob, of its snapshots, or of one snapshot or version. Needs no key. An
 * account that keeps what is deleted gets it marked, for Undelete Blob; else it goes, but for what others
 * of the blob still refer to (history.h).
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
    bool permanent; /* what was deleted before and is kept goes now */
    bool kept;      /* what was deleted is kept for a while */
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

/* deletetype=permanent: documented for what is kept of an account that allows it, by who may do so. */
static enum gk_status read_delete_type(struct deletion *deletion, struct gk_error *error)
{
    const struct gk_request *request = deletion->request;
    const char *type = gk_request_query(request, "deletetype");
    deletion->permanent = type != NULL;
    if (type == NULL) {
        const uint32_t needed = deletion->base.kind == GK_STATE_VERSION
                                    ? (uint32_t)GK_PERMIT_DELETE_VERSION
                                    : (uint32_t)GK_PERMIT_DELETE;
        return (request->permissions & needed) != 0
                   ? GK_OK
                   : gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    if (strcasecmp(type, "permanent") != 0) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                 "deletetype is permanent.");
    }
    if ((request->permissions & GK_PERMIT_PERMANENT_DELETE) == 0) {
        return gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    return deletion->base.kind != GK_STATE_BASE &&
                   request->account->blob_service.delete_retention.permanent_deletes
               ? GK_OK
               : gk_refuse(error, 409, "PermanentDeleteNotAllowed");
}

static enum gk_state_action delete_it(struct deletion *deletion, struct gk_blob_write *write,
                                      struct gk_history *history)
{
    deletion->kept =
        !deletion->permanent && gk_state_mark_deleted(write, deletion->request, history);
    return deletion->kept ? GK_STATE_WRITE : GK_STATE_REMOVE;
}

/* --- one snapshot -------------------------------------------------------------------------------*/

static enum gk_status keep_others(void *ctx, struct gk_blob_write *write,
                                  struct gk_blob_target *state, enum gk_state_action *action,
                                  struct gk_error *error)
{
    (void)error;
    struct deletion *deletion = ctx;
    if (state->time == deletion->base.time) {
        *action = delete_it(deletion, write, &state->record.history);
    }
    return GK_OK;
}

static enum gk_status keep_base(void *ctx, struct gk_blob_write *write, struct gk_blob_target *base,
                                bool remain, struct gk_error *error)
{
    const struct deletion *deletion = ctx;
    return gk_state_settle_base(write, deletion->request, base, remain, error);
}

/* Whether the state is there, and deleted or not, as it must be. */
static enum gk_status check_state(const struct deletion *deletion,
                                  const struct gk_blob_target *state, struct gk_error *error)
{
    if (!state->exists || state->record.history.kind != state->kind ||
        (!state->committed && !deletion->permanent)) {
        return gk_refuse(error, 404, "BlobNotFound");
    }
    return state->committed && deletion->permanent
               ? gk_refuse(error, 409, "PermanentDeleteNotAllowed")
               : gk_blob_conditions(deletion->request, state, GK_ACCESS_WRITE, error);
}

static enum gk_status delete_state(struct deletion *deletion, struct gk_error *error)
{
    const struct gk_states_change change = {
        .ctx = deletion, .state = keep_others, .base = keep_base};
    struct gk_blob_target state;
    if (gk_blob_is_named_version(&deletion->base)) {
        return gk_refuse(error, 403, "OperationNotAllowedOnRootBlob");
    }
    enum gk_status status =
        gk_state_read(deletion->request, &deletion->base, deletion->base.time, &state, error);
    if (status == GK_OK) {
        status = check_state(deletion, &state, error);
    }
    gk_blob_target_cleanup(&state);
    return status == GK_OK ? gk_states_change(deletion->request, &deletion->base, &change, error)
                           : status;
}

/* --- the blob, its snapshots, or both -----------------------------------------------------------*/

static enum gk_status delete_snapshot(void *ctx, struct gk_blob_write *write,
                                      struct gk_blob_target *state, enum gk_state_action *action,
                                      struct gk_error *error)
{
    struct deletion *deletion = ctx;
    struct gk_history *history = &state->record.history;
    if (history->kind != GK_STATE_SNAPSHOT || history->deleted_wall_ms != 0) {
        return GK_OK;
    }
    if (deletion->snapshots == SNAPSHOTS_REFUSE) {
        return gk_refuse(error, 409, "SnapshotsPresent");
    }
    const enum gk_status status = gk_immutability_check(
        &state->record.immutability, gk_clock_wall_ms(&deletion->request->gateway->clock), error);
    if (status == GK_OK) {
        *action = delete_it(deletion, write, history);
    }
    return status;
}

/* A base that is kept keeps its place, and has no lease any more. */
static enum gk_status delete_base_itself(struct deletion *deletion, struct gk_blob_write *write,
                                         struct gk_blob_target *base, bool remain,
                                         struct gk_error *error)
{
    enum gk_status status = gk_blob_write_discard_staged(write, deletion->request, base, error);
    if (status != GK_OK) {
        return status;
    }
    if (deletion->request->account->blob_service.versioning) { /* it is a version before now */
        deletion->kept = true;
        status = gk_state_keep(write, deletion->request, base, error);
        return status == GK_OK ? gk_state_remove_base(write, deletion->request, base, true, error)
                               : status;
    }
    if (delete_it(deletion, write, &base->record.history) == GK_STATE_WRITE) {
        base->record.epoch++;
        base->record.lease = (struct gk_lease){0};
        return gk_blob_write_open_part(write, deletion->request, base, &base->record, error);
    }
    gk_blob_write_drop(write, base);
    return gk_state_remove_base(write, deletion->request, base, remain, error);
}

static enum gk_status delete_or_keep_base(void *ctx, struct gk_blob_write *write,
                                          struct gk_blob_target *base, bool remain,
                                          struct gk_error *error)
{
    struct deletion *deletion = ctx;
    return deletion->snapshots == SNAPSHOTS_ONLY
               ? gk_state_settle_base(write, deletion->request, base, remain, error)
               : delete_base_itself(deletion, write, base, remain, error);
}

static enum gk_status delete_base(struct deletion *deletion, struct gk_error *error)
{
    const struct gk_states_change change = {
        .ctx = deletion, .state = delete_snapshot, .base = delete_or_keep_base};
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
        status = read_delete_type(deletion, error);
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
    gk_respond_header(request, "x-ms-delete-type-permanent", deletion.kept ? "false" : "true");
    return gk_respond(request, 202);
}

const struct gk_handler gk_delete_blob_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_DELETE | GK_PERMIT_PERMANENT_DELETE | GK_PERMIT_DELETE_VERSION,
    .finish = finish,
};
