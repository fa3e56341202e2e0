/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes its bytes from another blob and not from the client: Put Blob From URL, Put Block From URL,
 * Append Block From URL, Copy Blob From URL, Copy Blob, Abort Copy Blob (Storage REST reference). Each
 * is the operation that takes a body, with the source for it: the bytes are opened under the source's keys
 * and sealed under the new blob's own.
 *
 * Copies are made before they are answered: none is ever pending.
 */
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/upload.h"

#define COPY_FROM_URL_BYTES_MAX (UINT64_C(256) << 20) /* documented */
#define SOURCE_NAME_BYTES_MAX   16384u

/* --- a body from a source -----------------------------------------------------------------------*/

static enum gk_status begin_with_source(struct gk_request *request,
                                        const struct gk_handler *handler, uint64_t bytes_max,
                                        struct gk_error *error)
{
    const enum gk_status status = gk_copy_source_open(request, error);
    if (status == GK_OK && request->content_length > bytes_max) {
        return gk_refuse_because(error, 413, "RequestBodyTooLarge", "It takes %llu bytes.",
                                 (unsigned long long)bytes_max);
    }
    return status == GK_OK ? handler->begin(request, error) : status;
}

static enum gk_status finish_with_source(struct gk_request *request,
                                         const struct gk_handler *handler, struct gk_error *error)
{
    const enum gk_status status = gk_copy_source_pour(request, handler->chunk, error);
    return status == GK_OK ? handler->finish(request, error) : status;
}

static enum gk_status begin_block(struct gk_request *request, struct gk_error *error)
{
    return begin_with_source(request, &gk_put_block_handler, gk_put_block_handler.body_max, error);
}

static enum gk_status finish_block(struct gk_request *request, struct gk_error *error)
{
    return finish_with_source(request, &gk_put_block_handler, error);
}

static void cleanup_block(struct gk_request *request)
{
    gk_put_block_handler.cleanup(request);
}

const struct gk_handler gk_put_block_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_block,
    .finish = finish_block,
    .cleanup = cleanup_block,
};

static enum gk_status begin_append(struct gk_request *request, struct gk_error *error)
{
    return begin_with_source(request, &gk_append_block_handler, gk_append_block_handler.body_max,
                             error);
}

static enum gk_status finish_append(struct gk_request *request, struct gk_error *error)
{
    return finish_with_source(request, &gk_append_block_handler, error);
}

static void cleanup_append(struct gk_request *request)
{
    gk_append_block_handler.cleanup(request);
}

const struct gk_handler gk_append_block_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_ADD | GK_PERMIT_WRITE,
    .begin = begin_append,
    .finish = finish_append,
    .cleanup = cleanup_append,
};

/* --- whole blobs --------------------------------------------------------------------------------*/

/* None of these operations has a source's range in its documentation: a part would pass for the whole. */
static enum gk_status begin_whole(struct gk_request *request, uint64_t bytes_max,
                                  struct gk_error *error)
{
    return gk_request_header(request, "x-ms-source-range") != NULL
               ? gk_refuse_because(error, 400, "UnsupportedHeader", "Header: x-ms-source-range")
               : begin_with_source(request, &gk_put_blob_handler, bytes_max, error);
}

/* The content headers that the client did not set. */
static enum gk_status inherit_headers(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    const struct gk_blob_record *from = gk_copy_source_record(request->source);
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        if (put->record.headers[i] != NULL || from->headers[i] == NULL) {
            continue;
        }
        put->record.headers[i] = strdup(from->headers[i]);
        if (put->record.headers[i] == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    return GK_OK;
}

static enum gk_status finish_blob(struct gk_request *request, struct gk_error *error)
{
    return finish_with_source(request, &gk_put_blob_handler, error);
}

/* Put Blob From URL. Metadata is what the client sends; the content headers are the source's, if not told
 * otherwise. */
static enum gk_status begin_put(struct gk_request *request, struct gk_error *error)
{
    const char *inherits = gk_request_header(request, "x-ms-copy-source-blob-properties");
    const bool no = inherits != NULL && strcasecmp(inherits, "false") == 0;
    if (inherits != NULL && !no && strcasecmp(inherits, "true") != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-ms-copy-source-blob-properties is true or false.");
    }
    const enum gk_status status = begin_whole(request, GK_WRITER_BYTES_MAX, error);
    return status == GK_OK && !no ? inherit_headers(request, error) : status;
}

const struct gk_handler gk_put_blob_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_put,
    .finish = finish_blob,
    .cleanup = gk_upload_free,
};

/* --- copies -------------------------------------------------------------------------------------*/

/* The new blob says what it is a copy of. */
static enum gk_status describe_copy(struct gk_request *request, struct gk_error *error)
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

/* A copy has what its source has: the content headers, and the metadata if the client sends none. */
static enum gk_status begin_copy_of(struct gk_request *request, uint64_t bytes_max,
                                    struct gk_error *error)
{
    enum gk_status status = begin_whole(request, bytes_max, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_upload *put = request->state;
    status = inherit_headers(request, error);
    if (status == GK_OK && put->metadata.count == 0) {
        status = gk_copy_source_metadata(request->source, &put->metadata, error);
    }
    return status == GK_OK ? describe_copy(request, error) : status;
}

static enum gk_status begin_copy_from_url(struct gk_request *request, struct gk_error *error)
{
    return begin_copy_of(request, COPY_FROM_URL_BYTES_MAX, error);
}

const struct gk_handler gk_copy_blob_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_copy_from_url,
    .finish = finish_blob,
    .cleanup = gk_upload_free,
};

static enum gk_status begin_copy(struct gk_request *request, struct gk_error *error)
{
    return begin_copy_of(request, GK_WRITER_BYTES_MAX, error);
}

const struct gk_handler gk_copy_blob_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_copy,
    .finish = finish_blob,
    .cleanup = gk_upload_free,
};

/* Abort Copy Blob: whatever it names has come to its end. */
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
