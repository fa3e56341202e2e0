/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put Blob, of an append blob, and Append Block (Storage REST reference, "Put Blob", "Append Block"). An
 * appended block is a segment of its own under the blob's data key: its data first, then one guarded
 * write of the record, whose manifest grows by an entry.
 */
#include <assert.h>

#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/manifest.h"
#include "gateway/blob/upload.h"

#define BLOCK_BYTES_MAX        (UINT64_C(100) << 20)
#define BLOCK_BYTES_MAX_BEFORE (UINT64_C(4) << 20) /* in versions before VERSION_LARGE */
#define VERSION_LARGE          20221102
#define BLOCKS_MAX             50000u
static_assert(BLOCK_BYTES_MAX <= GK_SEGMENT_BYTES_MAX, "a block is one segment");
static_assert(BLOCKS_MAX <= GK_MANIFEST_PAGES_MAX * GK_MANIFEST_INLINE_MAX, "pages for all blocks");

/* --- Put Blob -----------------------------------------------------------------------------------*/

static enum gk_status begin_put(struct gk_request *request, struct gk_error *error)
{
    if (gk_request_header(request, "x-ms-access-tier") != NULL) {
        return gk_refuse_because(error, 400, "UnsupportedHeader",
                                 "An append blob has no x-ms-access-tier.");
    }
    enum gk_status status = gk_upload_new(request, sizeof(struct gk_upload), error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_upload *put = request->state;
    put->record.kind.type = GK_BLOB_APPEND;
    status = gk_blob_target_locate(request, &put->target, error);
    if (status == GK_OK) {
        status = gk_upload_read_headers(request, true, error);
    }
    return status == GK_OK
               ? gk_blob_new_data_key(request, &put->target, &put->record, &put->data_key, error)
               : status;
}

const struct gk_handler gk_put_append_blob_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin_put,
    .finish = gk_upload_finish_empty,
    .cleanup = gk_upload_free,
};

/* --- Append Block -------------------------------------------------------------------------------*/

struct append_block {
    struct gk_upload upload;
    uint64_t offset;        /* where the block begins in the blob */
    struct gk_buf page_key; /* of the manifest's page that it makes, if it makes one */
};

static enum gk_status check_length(const struct gk_request *request, struct gk_error *error)
{
    if (request->content_length == 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "A block has one byte at least: Content-Length");
    }
    const bool before = request->version != 0 && request->version < VERSION_LARGE;
    return before && request->content_length > BLOCK_BYTES_MAX_BEFORE
               ? gk_refuse_because(error, 413, "RequestBodyTooLarge",
                                   "It takes 4 MiB in this version.")
               : GK_OK;
}

static enum gk_status check_max_size(const struct gk_request *request, uint64_t size,
                                     struct gk_error *error)
{
    uint64_t max = 0;
    bool given = false;
    const enum gk_status status =
        gk_header_u64(request, "x-ms-blob-condition-maxsize", &max, &given, error);
    return status == GK_OK && given && (size > max || request->content_length > max - size)
               ? gk_refuse(error, 412, "MaxBlobSizeConditionNotMet")
               : status;
}

/* Whether the block may be appended to what target shows. */
static enum gk_status check_blob(const struct gk_request *request,
                                 const struct gk_blob_target *target, struct gk_error *error)
{
    if (!target->committed) {
        return gk_refuse(error, 404, "BlobNotFound");
    }
    enum gk_status status = gk_blob_check_type(target, GK_BLOB_APPEND, error);
    if (status == GK_OK) {
        status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK && target->record.kind.sealed) {
        status = gk_refuse(error, 409, "BlobIsSealed");
    }
    if (status == GK_OK) {
        status = gk_append_position_check(request, target->record.size, error);
    }
    if (status == GK_OK) {
        status = check_max_size(request, target->record.size, error);
    }
    return status == GK_OK && target->record.kind.blocks_count >= BLOCKS_MAX
               ? gk_refuse_because(error, 409, "BlockCountExceedsLimit",
                                   "The committed block count cannot exceed the maximum limit of "
                                   "50,000 blocks.")
               : status;
}

static enum gk_status begin_append(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_upload_new(request, sizeof(struct append_block), error);
    if (status != GK_OK) {
        return status;
    }
    struct append_block *append = request->state;
    struct gk_upload *upload = &append->upload;
    gk_buf_init(&append->page_key, GK_MAP_KEY_BYTES_MAX);
    status = check_length(request, error);
    if (status == GK_OK) {
        status = gk_body_sums_read(request, false, &upload->sums, error);
    }
    if (status == GK_OK) {
        status = gk_blob_target_load(request, &upload->target, error);
    }
    if (status == GK_OK) {
        status = check_blob(request, &upload->target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_open_data_key(request, &upload->target, &upload->data_key, error);
    }
    return status == GK_OK ? gk_upload_expect(request, false, error) : status;
}

/* The record with another block. A full manifest's page is a row that nobody may have written before. */
static enum gk_status add_block(const struct gk_request *request, struct append_block *append,
                                struct gk_blob_write *write, struct gk_error *error)
{
    struct gk_blob_target *target = &append->upload.target;
    struct gk_blob_record *record = &target->record;
    struct gk_manifest_entry entries[GK_WRITER_SEGMENTS_MAX];
    (void)gk_writer_segments(append->upload.writer, entries); /* a block is one segment */
    const enum gk_status status =
        gk_manifest_append(request, &target->container, &entries[0], &record->manifest,
                           &write->changes, &append->page_key, error);
    if (status != GK_OK) {
        return status;
    }
    if (append->page_key.len > 0) {
        gk_blob_write_guard(write, (struct gk_guard){.kind = GK_GUARD_MAP_ABSENT,
                                                     .key = gk_buf_span(&append->page_key)});
    }
    append->offset = record->size;
    record->size += entries[0].length;
    record->kind.blocks_count++;
    gk_blob_md5_clear(record); /* what it was of is no longer all */
    gk_blob_touch(request, record);
    return gk_blob_write_open_part(write, request, target, record, error);
}

static enum gk_status commit_append(struct gk_request *request, struct gk_error *error)
{
    struct append_block *append = request->state;
    struct gk_blob_target *target = &append->upload.target;
    const struct gk_id object = target->record.object;
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK) {
        status = check_blob(request, target, error);
    }
    if (status == GK_OK && !gk_id_equal(&object, &target->record.object)) {
        status = gk_fail(error, GK_E_CONFLICT, "a blob was replaced while a block came for it");
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    status = add_block(request, append, &write, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, append->upload.writer, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

static enum gk_status finish_append(struct gk_request *request, struct gk_error *error)
{
    const struct append_block *append = request->state;
    const struct gk_blob_record *record = &append->upload.target.record;
    const enum gk_status status = gk_upload_commit(request, GK_ACCESS_WRITE, commit_append, error);
    if (status != GK_OK) {
        return status;
    }
    gk_respond_headerf(request, "x-ms-blob-append-offset", "%llu",
                       (unsigned long long)append->offset);
    gk_respond_blocks_count(request, record);
    return gk_upload_respond(request, record);
}

static void cleanup_append(struct gk_request *request)
{
    struct append_block *append = request->state;
    if (append != NULL) {
        gk_buf_cleanup(&append->page_key);
    }
    gk_upload_free(request);
}

const struct gk_handler gk_append_block_handler = {
    .body = GK_BODY_STREAM,
    .body_max = BLOCK_BYTES_MAX,
    .permissions = GK_PERMIT_ADD | GK_PERMIT_WRITE,
    .begin = begin_append,
    .chunk = gk_upload_chunk,
    .finish = finish_append,
    .cleanup = cleanup_append,
};
