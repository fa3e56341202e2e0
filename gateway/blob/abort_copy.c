/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Abort Copy Blob (Storage REST reference). Needs no key: what has been copied is given up, and a blob without
 * length, with its metadata, stays.
 */
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/blob_change.h"
#include "gateway/blob/copy_pend.h"
#include "gateway/blob/handlers.h"

static enum gk_status read_request(const struct gk_request *request, const char **id,
                                   struct gk_error *error)
{
    const char *action = gk_request_header(request, "x-ms-copy-action");
    *id = gk_request_query(request, "copyid");
    if (action == NULL || strcasecmp(action, "abort") != 0) {
        return gk_refuse_because(error, 400,
                                 action == NULL ? "MissingRequiredHeader" : "InvalidHeaderValue",
                                 "x-ms-copy-action is abort.");
    }
    return *id != NULL ? GK_OK
                       : gk_refuse_because(error, 400, "MissingRequiredQueryParameter", "copyid");
}

/* Whether the blob's copy is that one, and has not come to its end. */
static enum gk_status check_copy(const struct gk_blob_target *target, const char *id,
                                 struct gk_error *error)
{
    char last[GK_UUID_TEXT_BYTES];
    gk_id_format(&target->record.copy.id, last);
    if (target->record.copy.source != NULL && strcasecmp(id, last) != 0) {
        return gk_refuse(error, 409, "CopyIdMismatch");
    }
    return gk_copy_is_pending(target) ? GK_OK : gk_refuse(error, 409, "NoPendingCopyOperation");
}

static enum gk_status abort_it(struct gk_request *request, struct gk_blob_target *target,
                               struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    const char *const *id = ctx;
    enum gk_status status = gk_blob_conditions_but_lease(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK) {
        status = gk_blob_lease_check(request, target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) {
        status = check_copy(target, *id, error);
    }
    return status == GK_OK ? gk_copy_end(write, request, target, GK_COPY_ABORTED, "", error)
                           : status;
}

static enum gk_status abort_copy(struct gk_request *request, struct gk_error *error)
{
    const char *id = NULL;
    enum gk_status status = read_request(request, &id, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_target target;
    status = gk_blob_change(request, &target, abort_it, &id, error);
    gk_blob_target_cleanup(&target);
    return status == GK_OK ? gk_respond(request, 204) : status;
}

const struct gk_handler gk_abort_copy_blob_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = abort_copy};
