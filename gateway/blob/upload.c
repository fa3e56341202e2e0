/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/upload.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/immutability_headers.h"
#include "gateway/blob/lease_action.h"
#include "gateway/blob/states.h"
#include "gateway/blob/tags.h"

enum gk_status gk_upload_new(struct gk_request *request, size_t bytes, struct gk_error *error)
{
    struct gk_upload *upload = calloc(1, bytes);
    if (upload == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_metadata_init(&upload->metadata);
    request->state = upload;
    return GK_OK;
}

void gk_upload_free(struct gk_request *request)
{
    struct gk_upload *upload = request->state;
    gk_copy_source_close(request);
    if (upload == NULL) {
        return;
    }
    gk_writer_free(upload->writer);
    request->gateway->host->plugin->data_key_free(upload->data_key);
    gk_metadata_cleanup(&upload->metadata);
    gk_blob_record_cleanup(&upload->record);
    gk_blob_target_cleanup(&upload->target);
    free(upload);
}

enum gk_status gk_upload_expect(struct gk_request *request, bool keep, struct gk_error *error)
{
    struct gk_upload *upload = request->state;
    return request->content_length == 0
               ? GK_OK
               : gk_writer_new(request->gateway, upload->data_key, &upload->target.container,
                               request->content_length, gk_body_sums_wanted(&upload->sums), keep,
                               &upload->writer, error);
}

enum gk_status gk_upload_chunk(struct gk_request *request, struct gk_span bytes,
                               struct gk_error *error)
{
    const struct gk_upload *upload = request->state;
    return gk_writer_append(upload->writer, bytes, error);
}

enum gk_status gk_upload_locked(struct gk_request *request, enum gk_access access,
                                gk_upload_commit_fn *commit, struct gk_error *error)
{
    const struct gk_upload *upload = request->state;
    enum gk_status status = access == GK_ACCESS_READ ? gk_record_lock_read(&upload->target, error)
                                                     : gk_record_lock_write(&upload->target, error);
    if (status == GK_OK) {
        status = commit(request, error);
        gk_record_unlock(&upload->target);
    }
    return status;
}

enum gk_status gk_upload_commit(struct gk_request *request, enum gk_access access,
                                gk_upload_commit_fn *commit, struct gk_error *error)
{
    struct gk_upload *upload = request->state;
    const enum gk_status status = gk_body_sums_check(&upload->sums, upload->writer, error);
    return status == GK_OK ? gk_upload_locked(request, access, commit, error) : status;
}

enum gk_status gk_upload_default_type(struct gk_blob_record *record, struct gk_error *error)
{
    char **type = &record->headers[GK_CONTENT_TYPE];
    if (*type == NULL) {
        *type = strdup("application/octet-stream");
    }
    return *type == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
}

enum gk_status gk_upload_read_headers(struct gk_request *request, bool fallback,
                                      struct gk_error *error)
{
    struct gk_upload *upload = request->state;
    struct gk_blob_record *record = &upload->record;
    enum gk_status status = gk_content_headers_read(request, fallback, record, error);
    if (status == GK_OK && request->source == NULL) {
        status = gk_upload_default_type(record, error);
    }
    if (status == GK_OK) {
        status = gk_immutability_read(request, &record->immutability, error);
    }
    if (status == GK_OK) {
        status = gk_metadata_from_headers(request, &upload->metadata, error);
    }
    return status == GK_OK ? gk_tags_from_header(request, &record->tags, error) : status;
}

void gk_upload_fill(const struct gk_request *request, struct gk_upload *upload)
{
    struct gk_blob_record *record = &upload->record;
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    record->state = GK_BLOB_COMMITTED;
    record->etag = gk_etag_new(now);
    record->modified_wall_ms = now;
    record->created_wall_ms =
        upload->target.committed ? upload->target.record.created_wall_ms : now;
    gk_tier_begin(record->tier, &record->tier_times, now);
    record->lease = gk_lease_after_write(&upload->target.record.lease, now);
}

enum gk_status gk_upload_replace(struct gk_request *request, struct gk_upload *upload,
                                 struct gk_error *error)
{
    const struct gk_blob_target *target = &upload->target;
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    enum gk_status status = gk_blob_write_discard(&write, request, target, error);
    if (status == GK_OK && upload->more != NULL) {
        status = upload->more(request, &write, error);
    }
    if (status == GK_OK) {
        gk_state_begin_version(&write, request, &upload->record.history);
        status = gk_blob_write_record(&write, request, target, &upload->record, upload->data_key,
                                      &upload->metadata, error);
    }
    if (status == GK_OK) {
        gk_blob_write_beside(&write, target, gk_writer_kept(upload->writer));
        status = gk_blob_write_commit(&write, request, target, upload->writer, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

static enum gk_status commit_empty(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *upload = request->state;
    enum gk_status status = gk_blob_target_read(request, &upload->target, error);
    if (status == GK_OK) {
        status = gk_blob_may_replace(request, &upload->target, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_upload_fill(request, upload);
    return gk_upload_replace(request, upload, error);
}

enum gk_status gk_upload_finish_empty(struct gk_request *request, struct gk_error *error)
{
    const struct gk_upload *upload = request->state;
    const enum gk_status status = gk_upload_locked(request, GK_ACCESS_WRITE, commit_empty, error);
    return status == GK_OK ? gk_upload_respond(request, &upload->record) : status;
}

enum gk_status gk_upload_respond(struct gk_request *request, const struct gk_blob_record *version)
{
    const struct gk_upload *upload = request->state;
    gk_respond_encryption(request, version != NULL ? &version->encryption
                                                   : &upload->target.record.encryption);
    if (version != NULL) {
        gk_respond_version(request, version->etag, version->modified_wall_ms);
        gk_respond_version_id(request, &version->history);
    }
    gk_body_sums_respond(request, &upload->sums);
    gk_respond_header(request, "x-ms-request-server-encrypted", "true");
    return gk_respond(request, upload->success == 0 ? 201 : upload->success);
}
