/* SPDX-License-Identifier: Apache-2.0 */
/* Put Blob, of a block blob (Storage REST reference, "Put Blob"). */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/upload.h"

/* Refuses before the body comes what would be refused after it; most writes need no such look. */
static enum gk_status check_early(struct gk_request *request, struct gk_upload *put,
                                  struct gk_error *error)
{
    if (!gk_conditions_given(request) && (request->permissions & GK_PERMIT_WRITE) != 0) {
        return GK_OK;
    }
    const enum gk_status status = gk_blob_target_read(request, &put->target, error);
    return status == GK_OK ? gk_blob_may_replace(request, &put->target, error) : status;
}

/* What the headers say of the new blob, before any of its bytes are there. */
static enum gk_status read_headers(struct gk_request *request, struct gk_upload *put,
                                   struct gk_error *error)
{
    enum gk_status status = gk_upload_read_headers(request, request->source == NULL, error);
    if (status == GK_OK) {
        status = gk_tier_header_read(request, &put->record.tier, error);
    }
    if (status == GK_OK) {
        /* The service tells the MD5 of every blob that came in one piece. */
        status = gk_body_sums_read(request, true, &put->sums, error);
    }
    return status;
}

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_upload_new(request, sizeof(struct gk_upload), error);
    struct gk_upload *put = request->state;
    if (status == GK_OK) {
        status = gk_blob_target_locate(request, &put->target, error);
    }
    if (status == GK_OK) {
        status = check_early(request, put, error);
    }
    if (status == GK_OK) {
        status = read_headers(request, put, error);
    }
    if (status == GK_OK) {
        status = gk_blob_new_data_key(request, &put->target, &put->record, &put->data_key, error);
    }
    return status == GK_OK
               ? gk_upload_expect(request,
                                  request->content_length <= request->gateway->inline_bytes, error)
               : status;
}

static enum gk_status fill_record(const struct gk_request *request, struct gk_upload *put,
                                  struct gk_error *error)
{
    struct gk_blob_record *record = &put->record;
    gk_upload_fill(request, put);
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

static enum gk_status commit(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = gk_blob_target_read(request, &put->target, error);
    if (status == GK_OK) {
        status = gk_blob_may_replace(request, &put->target, error);
    }
    if (status == GK_OK) {
        status = fill_record(request, put, error);
    }
    return status == GK_OK ? gk_upload_replace(request, put, error) : status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    const struct gk_upload *put = request->state;
    const enum gk_status status = gk_upload_commit(request, GK_ACCESS_WRITE, commit, error);
    return status == GK_OK ? gk_upload_respond(request, &put->record) : status;
}

const struct gk_handler gk_put_blob_handler = {
    .body = GK_BODY_STREAM,
    .body_max = GK_WRITER_BYTES_MAX,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin,
    .chunk = gk_upload_chunk,
    .finish = finish,
    .cleanup = gk_upload_free,
};
