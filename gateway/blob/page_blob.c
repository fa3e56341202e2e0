/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put Blob, of a page blob, and Set Blob Properties where it is about size and sequence number (Storage
 * REST reference, "Put Blob", "Set Blob Properties"). A new page blob is all zeros and has no rows.
 */
#include "gateway/blob/page_blob.h"

#include "common/error.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/page_clear.h"
#include "gateway/blob/page_headers.h"
#include "gateway/blob/upload.h"

/* --- Put Blob -----------------------------------------------------------------------------------*/

static enum gk_status read_kind(const struct gk_request *request, struct gk_blob_record *record,
                                struct gk_error *error)
{
    bool given = false;
    record->kind.type = GK_BLOB_PAGE;
    if (gk_request_header(request, "x-ms-access-tier") != NULL) {
        return gk_refuse_because(error, 400, "UnsupportedHeader",
                                 "A page blob has no x-ms-access-tier here.");
    }
    enum gk_status status = gk_page_size_read(request, &record->size, &given, error);
    if (status == GK_OK && !given) {
        status = gk_refuse_because(error, 400, "MissingRequiredHeader",
                                   "It is x-ms-blob-content-length.");
    }
    if (status == GK_OK) {
        status = gk_header_u64(request, "x-ms-blob-sequence-number", &record->kind.sequence, &given,
                               error);
    }
    return status == GK_OK && !gk_id_random(&record->kind.space)
               ? gk_fail(error, GK_E_RESOURCE, "no entropy for a new page blob")
               : status;
}

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_upload_new(request, sizeof(struct gk_upload), error);
    struct gk_upload *put = request->state;
    if (status == GK_OK) {
        status = gk_blob_target_locate(request, &put->target, error);
    }
    if (status == GK_OK) {
        status = read_kind(request, &put->record, error);
    }
    if (status == GK_OK) {
        status = gk_upload_read_headers(request, true, error);
    }
    return status == GK_OK
               ? gk_blob_new_data_key(request, &put->target, &put->record, &put->data_key, error)
               : status;
}

const struct gk_handler gk_put_page_blob_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin,
    .finish = gk_upload_finish_empty,
    .cleanup = gk_upload_free,
};

/* --- Set Blob Properties ------------------------------------------------------------------------*/

bool gk_page_properties_given(const struct gk_request *request)
{
    static const char *const names[] = {"x-ms-blob-content-length", "x-ms-sequence-number-action",
                                        "x-ms-blob-sequence-number"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (gk_request_header(request, names[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static enum gk_status read_checked(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error)
{
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK && !target->committed) {
        status = gk_refuse(error, 404, "BlobNotFound");
    }
    if (status == GK_OK) {
        status = gk_blob_check_type(target, GK_BLOB_PAGE, error);
    }
    return status == GK_OK ? gk_blob_conditions(request, target, GK_ACCESS_WRITE, error) : status;
}

static enum gk_status write_properties(struct gk_request *request, struct gk_blob_target *target,
                                       uint64_t size, struct gk_error *error)
{
    struct gk_blob_record *record = &target->record;
    enum gk_status status = gk_sequence_change(request, &record->kind.sequence, error);
    if (status == GK_OK && gk_content_headers_given(request)) {
        gk_content_headers_clear(record);
        status = gk_content_headers_read(request, false, record, error);
    }
    if (status != GK_OK) {
        return status;
    }
    record->size = size;
    gk_blob_touch(request, record);
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    status = gk_blob_write_open_part(&write, request, target, record, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* What is behind a blob's end must not come back with a later size: it is cleared once it was cut off,
 * and again, since that may not have come to its end, before the blob grows. */
static enum gk_status clear_behind(struct gk_request *request, struct gk_blob_target *target,
                                   struct gk_error *error)
{
    return gk_pages_clear(request, target, target->record.size, GK_PAGE_BLOB_BYTES_MAX, error);
}

static enum gk_status set_locked(struct gk_request *request, struct gk_blob_target *target,
                                 struct gk_error *error)
{
    bool given = false;
    enum gk_status status = read_checked(request, target, error);
    const uint64_t before = target->record.size;
    uint64_t size = before;
    if (status == GK_OK) {
        status = gk_page_size_read(request, &size, &given, error);
    }
    if (status == GK_OK && (given || gk_encryption_given(request))) {
        status = gk_encryption_match(request, &target->record.encryption, error);
    }
    if (status == GK_OK && size > before) {
        status = clear_behind(request, target, error);
        if (status == GK_OK) {
            status = gk_blob_target_read(request, target, error);
        }
    }
    if (status == GK_OK) {
        status = write_properties(request, target, size, error);
    }
    if (status == GK_OK && size < before) {
        status = gk_blob_target_read(request, target, error);
        if (status == GK_OK) {
            status = clear_behind(request, target, error);
        }
    }
    return status;
}

enum gk_status gk_page_properties_set(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    enum gk_status status = gk_blob_target_locate(request, &target, error);
    if (status == GK_OK) {
        status = gk_record_lock_write(&target, error);
    }
    if (status == GK_OK) {
        status = set_locked(request, &target, error);
        gk_record_unlock(&target);
    }
    if (status == GK_OK) {
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        gk_respond_sequence(request, &target.record);
        status = gk_respond(request, 200);
    }
    gk_blob_target_cleanup(&target);
    return status;
}
