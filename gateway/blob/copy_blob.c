/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copy Blob, Copy Blob From URL (Storage REST reference). A copy is of its source's type and
 * has what that has: content, content headers, and metadata if the client sends none. Within an account it
 * shares its source's data where it can (copy_share.h); else what it is made of is opened under the source's
 * keys and sealed under its own: before the answer, or, where that would take long, behind it (copy_pend.h).
 */
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/copier.h"
#include "gateway/blob/copy_pages.h"
#include "gateway/blob/copy_pend.h"
#include "gateway/blob/copy_share.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"

#define COPY_FROM_URL_BYTES_MAX (UINT64_C(256) << 20) /* documented */

/* Of a copy under way; of pages and share one is used at most. */
struct copying {
    struct gk_page_copy pages; /* begins with the upload */
    struct gk_copy_share share;
    bool pends; /* none of them is made before the answer */
};

/* --- what a copy is -----------------------------------------------------------------------------*/

static enum gk_status inherit(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = gk_copy_source_inherit(request->source, &put->record, error);
    if (status == GK_OK && put->metadata.count == 0) {
        status = gk_copy_source_metadata(request->source, &put->metadata, error);
    }
    return status == GK_OK ? gk_copy_source_describe(request, &put->record.copy, error) : status;
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

/* --- the kinds of copies ------------------------------------------------------------------------*/

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
    record->odd_md5 = source->odd_md5;
    memset(record->kind.groups, 0, sizeof record->kind.groups);
    record->kind.lineage = (struct gk_id){{0}};
    if (record->kind.type == GK_BLOB_PAGE && !gk_id_random(&record->kind.space)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new page blob");
    }
    return read_sealed(request, &record->kind, error);
}

/* Only block blobs have a tier. */
static enum gk_status read_tier(const struct gk_request *request, struct gk_blob_record *record,
                                struct gk_error *error)
{
    if (record->kind.type == GK_BLOB_BLOCK) {
        return gk_tier_header_read(request, &record->tier, error);
    }
    return gk_request_header(request, "x-ms-access-tier") == NULL
               ? GK_OK
               : gk_refuse_because(error, 400, "UnsupportedHeader",
                                   "Only a block blob has an x-ms-access-tier here.");
}

/* What the headers say, before anything is copied. */
static enum gk_status read_headers(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = gk_upload_read_headers(request, false, error);
    if (status == GK_OK && request->operation == GK_OP_BLOB_COPY_BLOB_FROM_URL) {
        status = gk_copy_source_tags(request, &put->record.tags, error);
    }
    if (status == GK_OK) {
        status = take_kind(request, &put->record, error);
    }
    if (status == GK_OK) {
        status = read_tier(request, &put->record, error);
    }
    if (status == GK_OK) {
        status = gk_body_sums_read(request, false, &put->sums, error);
    }
    put->sums.crc64_wanted = put->sums.crc64_sent;
    return status;
}

/* A copy that is poured now has a writer; a small block blob's one chunk is kept beside the record. */
static enum gk_status expect(struct gk_request *request, struct gk_error *error)
{
    struct copying *copying = request->state;
    struct gk_upload *put = &copying->pages.upload;
    enum gk_status status =
        gk_blob_new_data_key(request, &put->target, &put->record, &put->data_key, error);
    if (status != GK_OK || put->record.kind.type == GK_BLOB_PAGE) {
        return status;
    }
    copying->pends = gk_copy_pends(request, put);
    if (copying->pends) {
        return GK_OK;
    }
    if (request->content_length > GK_WRITER_BYTES_MAX) {
        return gk_refuse_because(error, 413, "RequestBodyTooLarge",
                                 "It takes %llu bytes of what cannot be shared.",
                                 (unsigned long long)GK_WRITER_BYTES_MAX);
    }
    const bool keep = put->record.kind.type == GK_BLOB_BLOCK &&
                      request->content_length <= request->gateway->inline_bytes;
    return gk_upload_expect(request, keep, error);
}

static enum gk_status begin_copy_of(struct gk_request *request, uint64_t bytes_max,
                                    struct gk_error *error)
{
    enum gk_status status = open_whole(request, bytes_max, error);
    if (status == GK_OK) {
        status = gk_upload_new(request, sizeof(struct copying), error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct copying *copying = request->state;
    struct gk_upload *put = &copying->pages.upload;
    status = gk_blob_target_locate(request, &put->target, error);
    if (status == GK_OK) {
        status = check_early(request, error);
    }
    if (status == GK_OK) {
        status = read_headers(request, error);
    }
    if (status == GK_OK) {
        status = gk_copy_share_begin(request, put, &copying->share, error);
    }
    if (status == GK_OK) {
        status =
            copying->share.shares ? gk_copy_share_key(request, put, error) : expect(request, error);
    }
    if (status == GK_OK) {
        status = inherit(request, error);
    }
    return status == GK_OK && copying->pends ? gk_copy_pend(request, put, error) : status;
}

/* --- their end ----------------------------------------------------------------------------------*/

/* The write of a copy that is shared, or of a page blob. */
static enum gk_status write_more(struct gk_request *request, struct gk_blob_write *write,
                                 struct gk_error *error)
{
    struct copying *copying = request->state;
    struct gk_upload *put = &copying->pages.upload;
    if (copying->share.shares) {
        return gk_copy_share_write(request, put, &copying->share, write, error);
    }
    return put->record.kind.type == GK_BLOB_PAGE ? gk_page_copy_write(request, write, error)
                                                 : GK_OK;
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
    manifest->beside = gk_writer_kept(put->writer).len > 0;
    return GK_OK;
}

static enum gk_status commit(struct gk_request *request, struct gk_error *error)
{
    struct gk_upload *put = request->state;
    enum gk_status status = check_early(request, error);
    if (status == GK_OK) {
        status = take_segments(put, error);
    }
    if (status == GK_OK) {
        gk_upload_fill(request, put);
        put->more = write_more;
        status = gk_upload_replace(request, put, error);
    }
    return status;
}

static enum gk_status copy_content(struct gk_request *request, struct gk_error *error)
{
    struct copying *copying = request->state;
    struct gk_upload *put = &copying->pages.upload;
    if (copying->pends) { /* it is found before it is there, lest it is there and never found */
        return gk_copy_pend_list(request, put, error);
    }
    if (copying->share.shares) {
        return gk_copy_share_borrow(request, put, &copying->share, error);
    }
    if (put->record.kind.type == GK_BLOB_PAGE) {
        return gk_page_copy_whole(request, error);
    }
    const enum gk_status status = gk_copy_source_pour(request, gk_upload_chunk, error);
    return status == GK_OK ? gk_body_sums_check(&put->sums, put->writer, error) : status;
}

static enum gk_status finish_copy(struct gk_request *request, struct gk_error *error)
{
    struct copying *copying = request->state;
    struct gk_upload *put = &copying->pages.upload;
    enum gk_status status = copy_content(request, error);
    if (status == GK_OK) {
        status = gk_upload_locked(request, GK_ACCESS_WRITE, commit, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (copying->pends) {
        gk_copier_note(request->gateway->copier);
    }
    gk_respond_copy(request, &put->record.copy);
    put->success = 202;
    return gk_upload_respond(request, &put->record);
}

static void cleanup_copy(struct gk_request *request)
{
    struct copying *copying = request->state;
    if (copying != NULL) {
        gk_page_copy_cleanup(request);
        gk_copy_share_cleanup(&copying->share);
    }
    gk_upload_free(request);
}

/* --- Copy Blob ----------------------------------------------------------------------------------*/

static enum gk_status begin_copy(struct gk_request *request, struct gk_error *error)
{
    return begin_copy_of(request, UINT64_MAX, error);
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
    return begin_copy_of(request, COPY_FROM_URL_BYTES_MAX, error);
}

const struct gk_handler gk_copy_blob_from_url_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_copy_from_url,
    .finish = finish_copy,
    .cleanup = cleanup_copy,
};
