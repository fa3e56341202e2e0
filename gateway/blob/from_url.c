/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What takes its bytes from another blob and not from the client: Put Blob From URL, Put Block From URL,
 * Append Block From URL, Put Page From URL (Storage REST reference). Each is the operation that takes a
 * body, with the source for it: the bytes are opened under the source's keys and sealed under the new
 * blob's own.
 */
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/upload.h"

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

/* Its body is a range of pages, in memory. */
static enum gk_status begin_page(struct gk_request *request, struct gk_error *error)
{
    if (gk_request_header(request, "x-ms-source-range") == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader", "It is x-ms-source-range.");
    }
    gk_buf_init(&request->body, gk_put_page_update_handler.body_max);
    return begin_with_source(request, &gk_put_page_update_handler,
                             gk_put_page_update_handler.body_max, error);
}

static enum gk_status take_page_bytes(struct gk_request *request, struct gk_span bytes,
                                      struct gk_error *error)
{
    gk_buf_append(&request->body, bytes.data, bytes.len);
    return gk_buf_status(&request->body) == GK_OK ? GK_OK
                                                  : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

static enum gk_status finish_page(struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = gk_copy_source_pour(request, take_page_bytes, error);
    return status == GK_OK ? gk_put_page_update_handler.finish(request, error) : status;
}

const struct gk_handler gk_put_page_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_WRITE,
    .begin = begin_page,
    .finish = finish_page,
    .cleanup = gk_upload_free,
};

/* --- a whole blob -------------------------------------------------------------------------------*/

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
    enum gk_status status = gk_copy_source_whole(request, error);
    if (status == GK_OK) {
        status = begin_with_source(request, &gk_put_blob_handler, GK_WRITER_BYTES_MAX, error);
    }
    struct gk_upload *put = request->state;
    if (status == GK_OK) {
        status = gk_copy_source_tags(request, &put->record.tags, error);
    }
    if (status == GK_OK && !no) {
        status = gk_copy_source_inherit(request->source, &put->record, error);
    }
    return status == GK_OK ? gk_upload_default_type(&put->record, error) : status;
}

static enum gk_status finish_put(struct gk_request *request, struct gk_error *error)
{
    return finish_with_source(request, &gk_put_blob_handler, error);
}

const struct gk_handler gk_put_blob_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_put,
    .finish = finish_put,
    .cleanup = gk_upload_free,
};
