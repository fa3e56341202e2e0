/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copy Blob, Copy Blob From URL, Abort Copy Blob (Storage REST reference). A copy is of its source's type and
 * has what that has: content, content headers, and metadata if the client sends none. What it is made of is
 * opened under the source's keys and sealed under its own.
 *
 * Copies are made before they are answered: none is ever pending.
 */
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/copy_pages.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/handlers.h"

#define COPY_FROM_URL_BYTES_MAX (UINT64_C(256) << 20) /* documented */
#define SOURCE_NAME_BYTES_MAX   16384u

/* --- what a copy is -----------------------------------------------------------------------------*/

/* The new blob says what it is a copy of. */
static enum gk_status describe(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    struct gk_copy *copy = &put->record.copy;
    struct gk_buf name;
    gk_buf_init(&name, SOURCE_NAME_BYTES_MAX);
    gk_copy_source_name(request->source, &name);
    copy->source = gk_buf_status(&name) == GK_OK ? strdup(gk_buf_str(&name)) : NULL;
    gk_buf_cleanup(&name);
    if (copy->source == NULL || !gk_id_random(&copy->id)) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    copy->bytes = request->content_length;
    copy->completed_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    put->success = 202;
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&copy->id, id);
    gk_respond_header(request, "x-ms-copy-id", id);
    gk_respond_header(request, "x-ms-copy-status", "success");
    return GK_OK;
}

static enum gk_status inherit(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = gk_copy_source_inherit(request->source, &put->record, error);
    if (status == GK_OK && put->metadata.count == 0) {
        status = gk_copy_source_metadata(request->source, &put->metadata, error);
    }
    return status == GK_OK ? describe(request, error) : status;
}

/* What is there already is of the same type, and may be replaced; so that a copy that will be refused is
 * not made first. */
static enum gk_status check_early(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    const enum gk_blob_type type = gk_copy_source_record(request->source)->kind.type;
    enum gk_status status = gk_blob_target_read(request, &put->target, error);
    if (status == GK_OK) {
        status = gk_blob_check_type(&put->target, type, error);
    }
    return status == GK_OK ? gk_blob_may_replace(request, &put->target, error) : status;
}

static enum gk_status open_whole(struct gk_request *request, uint64_t bytes_max,
                                 struct gk_error *error)
{
    enum gk_status status = gk_copy_source_whole(request, error);
    if (status == GK_OK) {
        status = gk_copy_source_open(request, error);
    }
    return status == GK_OK && request->content_length > bytes_max
               ? gk_refuse_because(error, 413, "RequestBodyTooLarge", "It takes %llu bytes.",
                                   (unsigned long long)bytes_max)
               : status;
}

/* --- block blobs: as a Put Blob -----------------------------------------------------------------*/

static enum gk_status begin_block_blob(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_put_blob_handler.begin(request, error);
    if (status == GK_OK) {
        status = check_early(request, error);
    }
    return status == GK_OK ? inherit(request, error) : status;
}

static enum gk_status finish_block_blob(struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = gk_copy_source_pour(request, gk_put_blob_handler.chunk, error);
    return status == GK_OK ? gk_put_blob_handler.finish(request, error) : status;
}

/* --- append and page blobs ----------------------------------------------------------------------*/

/* x-ms-seal-blob, where the copy is not to be as the source is. */
static enum gk_status read_sealed(const struct gk_request *request, struct gk_blob_kind *kind,
                                  struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-seal-blob");
    if (value == NULL || kind->type != GK_BLOB_APPEND) {
        return GK_OK;
    }
    kind->sealed = strcasecmp(value, "true") == 0;
    return kind->sealed || strcasecmp(value, "false") == 0
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-seal-blob is true or false.");
}

/* The type's own properties, size and MD5 are the source's; a page blob's rows come later. */
static enum gk_status take_kind(const struct gk_request *request, struct gk_blob_record *record,
                                struct gk_error *error)
{
    const struct gk_blob_record *source = gk_copy_source_record(request->source);
    record->kind = source->kind;
    record->size = source->size;
    record->has_md5 = source->has_md5;
    memcpy(record->md5, source->md5, sizeof record->md5);
    memset(record->kind.groups, 0, sizeof record->kind.groups);
    if (record->kind.type == GK_BLOB_PAGE && !gk_id_random(&record->kind.space)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new page blob");
    }
    return read_sealed(request, &record->kind, error);
}

static enum gk_status begin_other(struct gk_request *request, struct gk_error *error)
{
    if (gk_request_header(request, "x-ms-access-tier") != NULL) {
        return gk_refuse_because(error, 400, "UnsupportedHeader",
                                 "Only a block blob has an x-ms-access-tier here.");
    }
    enum gk_status status = gk_upload_new(request, sizeof(struct gk_page_copy), error);
    struct gk_upload *put = request->state;
    if (status == GK_OK) {
        status = gk_blob_target_locate(request, &put->target, error);
    }
    if (status == GK_OK) {
        status = check_early(request, error);
    }
    if (status == GK_OK) {
        status = gk_upload_read_headers(request, false, error);
    }
    if (status == GK_OK) {
        status = take_kind(request, &put->record, error);
    }
    if (status == GK_OK) {
        status = gk_blob_new_data_key(request, &put->target, &put->record, &put->data_key, error);
    }
    if (status == GK_OK && put->record.kind.type == GK_BLOB_APPEND) {
        status = gk_upload_expect(request, false, error);
    }
    return status == GK_OK ? inherit(request, error) : status;
}

static enum gk_status take_segments(struct gk_upload *put, struct gk_error *error)
{
    struct gk_manifest *manifest = &put->record.manifest;
    if (put->writer == NULL) {
        return GK_OK;
    }
    manifest->entries = calloc(GK_WRITER_SEGMENTS_MAX, sizeof *manifest->entries);
    if (manifest->entries == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    manifest->entries_count = gk_writer_segments(put->writer, manifest->entries);
    return GK_OK;
}

static enum gk_status commit_other(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = check_early(request, error);
    if (status == GK_OK) {
        status = take_segments(put, error);
    }
    if (status == GK_OK) {
        gk_upload_fill(request, put);
        status = gk_upload_replace(request, put, error);
    }
    return status;
}

static enum gk_status finish_other(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = GK_OK;
    if (put->record.kind.type == GK_BLOB_PAGE) {
        put->more = gk_page_copy_write;
        status = gk_page_copy_pour(request, error);
    } else {
        status = gk_copy_source_pour(request, gk_upload_chunk, error);
    }
    if (status == GK_OK) {
        status = gk_upload_locked(request, GK_ACCESS_WRITE, commit_other, error);
    }
    return status == GK_OK ? gk_upload_respond(request, &put->record) : status;
}

/* --- Copy Blob ----------------------------------------------------------------------------------*/

static bool is_block_blob(const struct gk_request *request)
{
    return request->source == NULL ||
           gk_copy_source_record(request->source)->kind.type == GK_BLOB_BLOCK;
}

static enum gk_status begin_copy(struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = open_whole(request, UINT64_MAX, error);
    if (status != GK_OK) {
        return status;
    }
    if (gk_copy_source_record(request->source)->kind.type != GK_BLOB_PAGE &&
        request->content_length > GK_WRITER_BYTES_MAX) {
        return gk_refuse_because(error, 413, "RequestBodyTooLarge", "It takes %llu bytes.",
                                 (unsigned long long)GK_WRITER_BYTES_MAX);
    }
    return is_block_blob(request) ? begin_block_blob(request, error) : begin_other(request, error);
}

static enum gk_status finish_copy(struct gk_request *request, struct gk_error *error)
{
    return is_block_blob(request) ? finish_block_blob(request, error)
                                  : finish_other(request, error);
}

static void cleanup_copy(struct gk_request *request)
{
    if (!is_block_blob(request) && request->state != NULL) {
        gk_page_copy_cleanup(request);
    }
    gk_upload_free(request);
}

const struct gk_handler gk_copy_blob_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_copy,
    .finish = finish_copy,
    .cleanup = cleanup_copy,
};

/* --- Copy Blob From URL -------------------------------------------------------------------------*/

static enum gk_status begin_copy_from_url(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = open_whole(request, COPY_FROM_URL_BYTES_MAX, error);
    if (status == GK_OK) {
        status = gk_copy_source_check_type(request->source, GK_BLOB_BLOCK, error);
    }
    return status == GK_OK ? begin_block_blob(request, error) : status;
}

const struct gk_handler gk_copy_blob_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_copy_from_url,
    .finish = finish_block_blob,
    .cleanup = gk_upload_free,
};

/* --- Abort Copy Blob ----------------------------------------------------------------------------*/

/* Whatever it names has come to its end. */
static enum gk_status abort_copy(struct gk_request *request, struct gk_error *error)
{
    const char *action = gk_request_header(request, "x-ms-copy-action");
    const char *id = gk_request_query(request, "copyid");
    if (action == NULL || strcasecmp(action, "abort") != 0) {
        return gk_refuse_because(error, 400,
                                 action == NULL ? "MissingRequiredHeader" : "InvalidHeaderValue",
                                 "x-ms-copy-action is abort.");
    }
    if (id == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredQueryParameter", "copyid");
    }
    struct gk_blob_target target;
    enum gk_status status = gk_blob_target_load_existing(request, &target, error);
    if (status == GK_OK) {
        status = gk_blob_conditions(request, &target, GK_ACCESS_WRITE, error);
    }
    char last[GK_UUID_TEXT_BYTES];
    gk_id_format(&target.record.copy.id, last);
    const bool other = target.record.copy.source != NULL && strcasecmp(id, last) != 0;
    gk_blob_target_cleanup(&target);
    return status != GK_OK ? status
           : other         ? gk_refuse(error, 409, "CopyIdMismatch")
                           : gk_refuse(error, 409, "NoPendingCopyOperation");
}

const struct gk_handler gk_abort_copy_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = abort_copy};
