/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Incremental Copy Blob (Storage REST reference). A snapshot of a page blob becomes a snapshot of another page
 * blob, which is made by the first such copy and follows its source from then on: of each later snapshot
 * only the pieces are copied that were changed since (incremental_pages.h). Rows, the blob's record and that of
 * its new snapshot come in one write: there is never a snapshot of half a copy, and whoever was first among
 * several copies has made the others' differences void.
 *
 * As all copies it is made before it is answered.
 */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/incremental_pages.h"
#include "gateway/blob/key_floor.h"
#include "gateway/blob/states.h"

/* --- what is copied from and to -----------------------------------------------------------------*/

static enum gk_status open_snapshot(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_copy_source_whole(request, error);
    if (status == GK_OK) {
        status = gk_copy_source_open(request, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const struct gk_blob_target *source = gk_copy_source_target(request->source);
    if (source->kind != GK_STATE_SNAPSHOT) {
        return gk_refuse(error, 409, "IncrementalCopySourceMustBeSnapshot");
    }
    return gk_blob_check_type(source, GK_BLOB_PAGE, error);
}

/* What is there follows this source, and has not come to this snapshot yet: they are copied in the order in
 * which they were made. */
static enum gk_status check_follows(const struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_blob_record *source = gk_copy_source_record(request->source);
    const struct gk_incremental *incremental = &target->record.incremental;
    if (!target->committed) {
        return GK_OK;
    }
    if (!gk_id_equal(&incremental->source, gk_page_lineage(&source->kind))) {
        return gk_refuse(error, 409, "IncrementalCopyBlobMismatch");
    }
    return source->eras.era > incremental->era
               ? GK_OK
               : gk_refuse(error, 409, "IncrementalCopyOfEarlierVersionSnapshotNotAllowed");
}

static enum gk_status check_destination(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = gk_blob_target_read(request, &put->target, error);
    if (status == GK_OK) {
        status = gk_blob_may_replace(request, &put->target, error);
    }
    return status == GK_OK ? check_follows(request, &put->target, error) : status;
}

/* --- what it becomes ----------------------------------------------------------------------------*/

static bool follows(const struct gk_upload *put)
{
    return put->target.committed;
}

/* The record that is written: the one that is there, changed, or a new one. */
static struct gk_blob_record *own_record(struct gk_upload *put)
{
    return follows(put) ? &put->target.record : &put->record;
}

/* The blob with that record, which both go on owning. */
static struct gk_blob_target own_target(struct gk_upload *put)
{
    struct gk_blob_target own = put->target;
    own.record = *own_record(put);
    return own;
}

/* A page blob without pages, which follows nothing yet. */
static enum gk_status begin_blob(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    struct gk_blob_kind *kind = &put->record.kind;
    kind->type = GK_BLOB_PAGE;
    return gk_id_random(&kind->space)
               ? gk_blob_new_data_key(request, &put->target, &put->record, &put->data_key, error)
               : gk_fail(error, GK_E_RESOURCE, "no entropy for a new page blob");
}

/* What the source has beside its pages. */
static enum gk_status take_properties(struct gk_request *request, struct gk_blob_record *record,
                                      struct gk_error *error)
{
    const struct gk_blob_record *source = gk_copy_source_record(request->source);
    record->size = source->size;
    record->kind.sequence = source->kind.sequence;
    record->has_md5 = source->has_md5;
    memcpy(record->md5, source->md5, sizeof record->md5);
    record->odd_md5 = source->odd_md5;
    record->incremental.source = *gk_page_lineage(&source->kind);
    record->incremental.era = source->eras.era;
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        free(record->headers[i]);
        record->headers[i] = NULL;
    }
    const enum gk_status status = gk_copy_source_inherit(request->source, record, error);
    return status == GK_OK ? gk_copy_source_describe(request, &record->copy, error) : status;
}

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = open_snapshot(request, error);
    if (status == GK_OK) {
        status = gk_upload_new(request, sizeof(struct gk_incremental_pages), error);
    }
    struct gk_upload *put = request->state;
    if (status == GK_OK) {
        status = gk_blob_target_locate(request, &put->target, error);
    }
    if (status == GK_OK) {
        status = check_destination(request, error);
    }
    if (status == GK_OK) {
        status = follows(put) ? gk_blob_open_data_key(request, &put->target, &put->data_key, error)
                              : begin_blob(request, error);
    }
    return status == GK_OK ? gk_copy_source_metadata(request->source, &put->metadata, error)
                           : status;
}

/* --- its write ----------------------------------------------------------------------------------*/

/* The snapshot, of what the blob is by the same write. */
static enum gk_status make_snapshot(struct gk_request *request, struct gk_blob_write *write,
                                    struct gk_error *error)
{
    struct gk_upload *put = request->state;
    struct gk_blob_record *record = own_record(put);
    const struct gk_history so_far = {.newest = write->newest};
    const struct gk_history as = {.kind = GK_STATE_SNAPSHOT};
    const uint64_t time = gk_history_next(&so_far, gk_clock_wall_ms(&request->gateway->clock));
    record->incremental.snapshot = time;
    const struct gk_blob_target own = own_target(put);
    const struct gk_place place = gk_blob_place(request, &own);
    struct gk_buf sealed_part;
    struct gk_buf stored;
    gk_buf_init(&sealed_part, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&stored, GK_BLOB_RECORD_BYTES_MAX);
    if (put->metadata.count > 0) {
        gk_metadata_encode(&put->metadata, &sealed_part);
    }
    enum gk_status status =
        gk_value_seal(&place, put->metadata.count > 0 ? put->data_key : NULL, (struct gk_span){0},
                      gk_buf_span(&sealed_part), &stored, error);
    if (status == GK_OK) {
        status = gk_state_make(write, request, &own, gk_buf_span(&stored), &as, time, error);
    }
    gk_buf_cleanup_wipe(&sealed_part);
    gk_buf_cleanup(&stored);
    return status;
}

static enum gk_status fill_write(struct gk_request *request, struct gk_blob_write *write,
                                 struct gk_error *error)
{
    struct gk_upload *put = request->state;
    struct gk_blob_record *record = own_record(put);
    const struct gk_blob_target own = own_target(put);
    enum gk_status status = GK_OK;
    if (!follows(put)) {
        gk_blob_write_beside(write, &put->target, (struct gk_span){0});
        status = gk_blob_write_discard(write, request, &put->target, error);
        gk_state_begin_version(write, request, &record->history);
    }
    if (status == GK_OK) {
        status = gk_incremental_pages_write(request, &own, write, record, error);
    }
    if (status == GK_OK) {
        status = take_properties(request, record, error);
    }
    /* The snapshot has the data key as well, and stands in the shard by the same write. */
    if (status == GK_OK) {
        status = gk_key_floor_keep(write, request, &put->target, put->data_key, record, error);
    }
    if (status == GK_OK) {
        status = make_snapshot(request, write, error);
    }
    return status == GK_OK ? gk_blob_write_record(write, request, &put->target, record,
                                                  put->data_key, &put->metadata, error)
                           : status;
}

static enum gk_status write_copy(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    struct gk_blob_write write;
    if (follows(put)) {
        gk_blob_touch(request, &put->target.record);
    } else {
        gk_upload_fill(request, put);
    }
    gk_blob_write_init(&write, &put->target);
    enum gk_status status = fill_write(request, &write, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, &put->target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* The differences were found to what is still there; another copy that came first has changed that. And they
 * are under the data key that it still has. */
static enum gk_status commit(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    const bool followed = follows(put);
    const uint64_t etag = put->target.record.etag;
    const struct gk_id object = put->target.record.object;
    const enum gk_status status = check_destination(request, error);
    if (status != GK_OK) {
        return status;
    }
    if (followed && follows(put) && !gk_id_equal(&object, &put->target.record.object)) {
        return gk_fail(error, GK_E_UNAVAILABLE, "a copy's destination was encrypted anew");
    }
    return follows(put) == followed && (!followed || put->target.record.etag == etag)
               ? write_copy(request, error)
               : gk_refuse(error, 409, "PendingCopyOperation");
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    const struct gk_blob_target own = own_target(put);
    enum gk_status status = gk_incremental_pages_find(request, &own, error);
    if (status == GK_OK) {
        status = gk_page_copy_pour(request, error);
    }
    if (status == GK_OK) {
        status = gk_upload_locked(request, GK_ACCESS_WRITE, commit, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_respond_copy(request, &own_record(put)->copy);
    put->success = 202;
    return gk_upload_respond(request, own_record(put));
}

static void cleanup(struct gk_request *request)
{
    if (request->state != NULL) {
        gk_incremental_pages_cleanup(request);
    }
    gk_upload_free(request);
}

const struct gk_handler gk_incremental_copy_blob_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin,
    .finish = finish,
    .cleanup = cleanup,
};
