/* SPDX-License-Identifier: Apache-2.0 */
/* Put Blob, of a block blob (Storage REST reference, "Put Blob"). */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/blob_write.h"
#include "gateway/blob/body.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/immutability_headers.h"
#include "gateway/blob/lease_action.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/tags.h"

struct put_blob {
    struct gk_blob_target target;
    struct gk_blob_record record; /* of the new blob */
    struct gk_metadata metadata;
    struct gk_data_key *data_key;
    struct gk_body_sums sums;
    struct gk_writer *writer; /* NULL for an empty blob */
};

/* Refuses before the body comes what would be refused after it; most writes need no such look. */
static enum gk_status check_early(struct gk_request *request, struct put_blob *put,
                                  struct gk_error *error)
{
    if (!gk_conditions_given(request) && (request->permissions & GK_PERMIT_WRITE) != 0) {
        return GK_OK;
    }
    const enum gk_status status = gk_blob_target_read(request, &put->target, error);
    return status == GK_OK ? gk_blob_may_replace(request, &put->target, error) : status;
}

/* What the headers say of the new blob, before any of its bytes are there. */
static enum gk_status read_headers(struct gk_request *request, struct put_blob *put,
                                   struct gk_error *error)
{
    enum gk_status status = gk_content_headers_read(request, true, &put->record, error);
    if (status == GK_OK) {
        status = gk_tier_header_read(request, &put->record.tier, error);
    }
    if (status == GK_OK) {
        status = gk_immutability_read(request, &put->record.immutability, error);
    }
    if (status == GK_OK) {
        status = gk_metadata_from_headers(request, &put->metadata, error);
    }
    if (status == GK_OK) {
        status = gk_tags_from_header(request, &put->record.tags, error);
    }
    if (status == GK_OK) {
        /* The service tells the MD5 of every blob that came in one piece. */
        status = gk_body_sums_read(request, true, &put->sums, error);
    }
    return status;
}

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    struct put_blob *put = calloc(1, sizeof *put);
    if (put == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    request->state = put;
    gk_metadata_init(&put->metadata);
    enum gk_status status = gk_blob_target_locate(request, &put->target, error);
    if (status == GK_OK) {
        status = check_early(request, put, error);
    }
    if (status == GK_OK) {
        status = read_headers(request, put, error);
    }
    if (status == GK_OK) {
        status = gk_blob_new_data_key(request, &put->target.container, &put->record, &put->data_key,
                                      error);
    }
    if (status == GK_OK && request->content_length > 0) {
        status = gk_writer_new(request->gateway, put->data_key, &put->target.container,
                               request->content_length, gk_body_sums_wanted(&put->sums),
                               request->content_length <= request->gateway->inline_bytes,
                               &put->writer, error);
    }
    return status;
}

static enum gk_status chunk(struct gk_request *request, struct gk_span bytes,
                            struct gk_error *error)
{
    const struct put_blob *put = request->state;
    return gk_writer_append(put->writer, bytes, error);
}

static enum gk_status fill_record(const struct gk_request *request, struct put_blob *put,
                                  struct gk_error *error)
{
    struct gk_blob_record *record = &put->record;
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    record->state = GK_BLOB_COMMITTED;
    record->etag = gk_etag_new(now);
    record->modified_wall_ms = now;
    record->created_wall_ms = put->target.committed ? put->target.record.created_wall_ms : now;
    gk_tier_begin(record->tier, &record->tier_times, now);
    record->lease = gk_lease_after_write(&put->target.record.lease, now);
    record->size = request->content_length;
    record->has_md5 = true;
    memcpy(record->md5, put->sums.md5, sizeof record->md5);
    if (put->writer == NULL) {
        return GK_OK;
    }
    record->manifest.entries = calloc(GK_WRITER_SEGMENTS_MAX, sizeof *record->manifest.entries);
    if (record->manifest.entries == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    record->manifest.entries_count = gk_writer_segments(put->writer, record->manifest.entries);
    record->manifest.beside = gk_writer_kept(put->writer).len > 0;
    return GK_OK;
}

static enum gk_status write_locked(struct gk_request *request, struct put_blob *put,
                                   struct gk_error *error)
{
    enum gk_status status = gk_blob_target_read(request, &put->target, error);
    if (status == GK_OK) {
        status = gk_blob_may_replace(request, &put->target, error);
    }
    if (status == GK_OK) {
        status = fill_record(request, put, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_write write;
    gk_blob_write_init(&write, &put->target);
    status = gk_blob_write_discard(&write, request, &put->target, error);
    if (status == GK_OK) {
        status = gk_blob_write_record(&write, request, &put->target, &put->record, put->data_key,
                                      &put->metadata, error);
    }
    if (status == GK_OK) {
        gk_blob_write_beside(&write, &put->target, gk_writer_kept(put->writer));
        status = gk_blob_write_commit(&write, request, &put->target, put->writer, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct put_blob *put = request->state;
    enum gk_status status = gk_body_sums_check(&put->sums, put->writer, error);
    if (status == GK_OK) {
        status = gk_record_lock_write(&put->target, error);
    }
    if (status != GK_OK) {
        return status;
    }
    status = write_locked(request, put, error);
    gk_record_unlock(&put->target);
    if (status != GK_OK) {
        return status;
    }
    gk_respond_version(request, put->record.etag, put->record.modified_wall_ms);
    gk_body_sums_respond(request, &put->sums);
    gk_respond_header(request, "x-ms-request-server-encrypted", "true");
    return gk_respond(request, 201);
}

static void cleanup(struct gk_request *request)
{
    struct put_blob *put = request->state;
    if (put == NULL) {
        return;
    }
    gk_writer_free(put->writer);
    request->gateway->host->plugin->data_key_free(put->data_key);
    gk_metadata_cleanup(&put->metadata);
    gk_blob_record_cleanup(&put->record);
    gk_blob_target_cleanup(&put->target);
    free(put);
}

const struct gk_handler gk_put_blob_handler = {
    .body = GK_BODY_STREAM,
    .body_max = GK_WRITER_BYTES_MAX,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin,
    .chunk = chunk,
    .finish = finish,
    .cleanup = cleanup,
};
