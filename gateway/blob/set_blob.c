/* SPDX-License-Identifier: Apache-2.0 */
/* Set Blob Properties, Set Blob Metadata and Append Blob Seal (Storage REST reference). */
#include "common/error.h"
#include "gateway/blob/blob_change.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/page_blob.h"
#include "gateway/blob/states.h"

static enum gk_status answer_changed(struct gk_request *request, gk_blob_change_fn *change,
                                     struct gk_error *error)
{
    struct gk_blob_target target;
    enum gk_status status = gk_blob_change(request, &target, change, NULL, error);
    if (status == GK_OK) {
        gk_respond_version_id(request, &target.record.history);
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        status = gk_respond(request, 200);
    }
    gk_blob_target_cleanup(&target);
    return status;
}

/* --- Set Blob Properties ------------------------------------------------------------------------*/

/* Documented: a content header that is not sent is cleared. */
static enum gk_status change_properties(struct gk_request *request, struct gk_blob_target *target,
                                        struct gk_blob_write *write, void *ctx,
                                        struct gk_error *error)
{
    (void)ctx;
    enum gk_status status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK) {
        status = gk_blob_online_check(request, target, error);
    }
    if (status == GK_OK && gk_encryption_given(request)) { /* no need of it, but no wrong one */
        status = gk_encryption_match(request, &target->record.encryption, error);
    }
    if (status == GK_OK) {
        gk_content_headers_clear(&target->record);
        gk_copy_clear(&target->record.copy); /* no longer told of a blob that was changed */
        status = gk_content_headers_read(request, false, &target->record, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_blob_touch(request, &target->record);
    return gk_blob_write_open_part(write, request, target, &target->record, error);
}

static enum gk_status set_properties(struct gk_request *request, struct gk_error *error)
{
    if (gk_page_properties_given(request)) {
        return gk_page_properties_set(request, error);
    }
    return answer_changed(request, change_properties, error);
}

const struct gk_handler gk_set_blob_properties_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = set_properties};

/* --- Set Blob Metadata --------------------------------------------------------------------------*/

static enum gk_status change_metadata(struct gk_request *request, struct gk_blob_target *target,
                                      struct gk_blob_write *write, void *ctx,
                                      struct gk_error *error)
{
    (void)ctx;
    struct gk_data_key *data_key = NULL;
    struct gk_metadata metadata;
    gk_metadata_init(&metadata);
    enum gk_status status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK) {
        status = gk_blob_online_check(request, target, error);
    }
    if (status == GK_OK) {
        status = gk_metadata_from_headers(request, &metadata, error);
    }
    if (status == GK_OK) {
        status = gk_blob_open_data_key(request, target, &data_key, error);
    }
    if (status == GK_OK && request->account->blob_service.versioning) {
        status = gk_state_keep(write, request, target, error);
        gk_state_begin_version(write, request, &target->record.history);
    }
    if (status == GK_OK) {
        gk_blob_touch(request, &target->record);
        status = gk_blob_write_record(write, request, target, &target->record, data_key, &metadata,
                                      error);
        gk_respond_encryption(request, &target->record.encryption);
    }
    request->gateway->host->plugin->data_key_free(data_key);
    gk_metadata_cleanup(&metadata);
    return status;
}

static enum gk_status set_metadata(struct gk_request *request, struct gk_error *error)
{
    gk_respond_header(request, "x-ms-request-server-encrypted", "true");
    return answer_changed(request, change_metadata, error);
}

const struct gk_handler gk_set_blob_metadata_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = set_metadata};

/* --- Append Blob Seal ---------------------------------------------------------------------------*/

/* One that is sealed may be sealed again. */
static enum gk_status change_to_sealed(struct gk_request *request, struct gk_blob_target *target,
                                       struct gk_blob_write *write, void *ctx,
                                       struct gk_error *error)
{
    (void)ctx;
    enum gk_status status = gk_blob_check_type(target, GK_BLOB_APPEND, error);
    if (status == GK_OK) {
        status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) {
        status = gk_append_position_check(request, target->record.size, error);
    }
    if (status != GK_OK) {
        return status;
    }
    target->record.kind.sealed = true;
    gk_blob_touch(request, &target->record);
    return gk_blob_write_open_part(write, request, target, &target->record, error);
}

static enum gk_status seal_blob(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    enum gk_status status = gk_blob_change(request, &target, change_to_sealed, NULL, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        gk_respond_header(request, "x-ms-blob-sealed", "true");
        status = gk_respond(request, 200);
    }
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_append_blob_seal_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = seal_blob};
