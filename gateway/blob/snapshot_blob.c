/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshot Blob (Storage REST reference). The snapshot shares the blob's data and data key, so that none
 * is copied and none is opened: without metadata of its own it needs the service key alone.
 */
#include "common/error.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states.h"

struct snapshot {
    struct gk_blob_target target;
    struct gk_metadata metadata; /* empty: the blob's own */
    struct gk_buf value;         /* the blob's with that metadata */
    uint64_t time;
};

/* The blob's record with the snapshot's own metadata, as if the blob had it. */
static enum gk_status seal_metadata(struct gk_request *request, struct snapshot *snapshot,
                                    struct gk_error *error)
{
    const struct gk_place place = gk_blob_place(request, &snapshot->target);
    struct gk_data_key *data_key = NULL;
    struct gk_buf sealed_part;
    gk_buf_init(&sealed_part, GK_BLOB_RECORD_BYTES_MAX);
    gk_metadata_encode(&snapshot->metadata, &sealed_part);
    enum gk_status status = gk_blob_open_data_key(request, &snapshot->target, &data_key, error);
    if (status == GK_OK) {
        status = gk_value_seal(&place, data_key, (struct gk_span){0}, gk_buf_span(&sealed_part),
                               &snapshot->value, error);
    }
    request->gateway->host->plugin->data_key_free(data_key);
    gk_buf_cleanup_wipe(&sealed_part);
    return status;
}

static enum gk_status write_snapshot(struct gk_request *request, struct snapshot *snapshot,
                                     struct gk_error *error)
{
    struct gk_blob_target *target = &snapshot->target;
    const struct gk_history as = {.kind = GK_STATE_SNAPSHOT};
    const struct gk_buf *stored = snapshot->metadata.count > 0 ? &snapshot->value : &target->stored;
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    snapshot->time =
        gk_history_next(&target->record.history, gk_clock_wall_ms(&request->gateway->clock));
    enum gk_status status =
        gk_state_make(&write, request, target, gk_buf_span(stored), &as, snapshot->time, error);
    /* As documented: where there are versions, what the blob was is one, and what it is is the next. */
    if (status == GK_OK && request->account->blob_service.versioning) {
        status = gk_state_keep(&write, request, target, error);
        gk_state_begin_version(&write, request, &target->record.history);
    }
    if (status == GK_OK) {
        status = gk_blob_write_open_part(&write, request, target, &target->record, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

static enum gk_status snapshot_locked(struct gk_request *request, struct snapshot *snapshot,
                                      struct gk_error *error)
{
    enum gk_status status = gk_blob_target_read(request, &snapshot->target, error);
    if (status == GK_OK && !snapshot->target.committed) {
        status = gk_refuse(error, 404, "BlobNotFound");
    }
    if (status == GK_OK) {
        status = gk_blob_conditions_but_lease(request, &snapshot->target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) { /* it writes nothing that a lease keeps */
        status = gk_blob_lease_check(request, &snapshot->target, GK_ACCESS_READ, error);
    }
    if (status == GK_OK) {
        status = gk_blob_pending_check(&snapshot->target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_online_check(request, &snapshot->target, error);
    }
    if (status == GK_OK) {
        status = gk_encryption_match(request, &snapshot->target.record.encryption, error);
    }
    if (status == GK_OK && snapshot->metadata.count > 0) {
        status = seal_metadata(request, snapshot, error);
    }
    return status == GK_OK ? write_snapshot(request, snapshot, error) : status;
}

static enum gk_status make_snapshot(struct gk_request *request, struct snapshot *snapshot,
                                    struct gk_error *error)
{
    enum gk_status status = gk_blob_target_locate(request, &snapshot->target, error);
    if (status == GK_OK) {
        status = gk_metadata_from_headers(request, &snapshot->metadata, error);
    }
    if (status == GK_OK) {
        status = gk_record_lock_write(&snapshot->target, error);
    }
    if (status == GK_OK) {
        status = snapshot_locked(request, snapshot, error);
        gk_record_unlock(&snapshot->target);
    }
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct snapshot snapshot = {.time = 0};
    gk_metadata_init(&snapshot.metadata);
    gk_buf_init(&snapshot.value, GK_BLOB_RECORD_BYTES_MAX);
    enum gk_status status = make_snapshot(request, &snapshot, error);
    if (status == GK_OK) {
        const struct gk_blob_record *record = &snapshot.target.record;
        char time[GK_STATE_TIME_TEXT_BYTES];
        gk_state_time_format(snapshot.time, time);
        gk_respond_header(request, "x-ms-snapshot", time);
        gk_respond_version(request, record->etag, record->modified_wall_ms);
        gk_respond_version_id(request, &record->history);
        gk_respond_header(request, "x-ms-request-server-encrypted",
                          snapshot.metadata.count > 0 ? "true" : "false");
        status = gk_respond(request, 201);
    }
    gk_buf_cleanup(&snapshot.value);
    gk_metadata_cleanup(&snapshot.metadata);
    gk_blob_target_cleanup(&snapshot.target);
    return status;
}

const struct gk_handler gk_snapshot_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE, .finish = finish};
