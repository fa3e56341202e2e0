/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set and Delete Blob Immutability Policy, Set Blob Legal Hold (Storage REST reference). They change
 * neither ETag nor Last-Modified, and need no key: what may not be destroyed stays so while the customer's
 * key is revoked.
 */
#include "common/error.h"
#include "gateway/blob/blob_change.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/immutability_headers.h"

/* --- Set Blob Immutability Policy ---------------------------------------------------------------*/

static enum gk_status change_policy(struct gk_request *request, struct gk_blob_target *target,
                                    struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    const struct gk_immutability *asked = ctx;
    enum gk_status status = gk_blob_conditions_but_lease(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK) {
        status = gk_immutability_set_policy(&target->record.immutability, asked->mode,
                                            asked->until_wall_ms, error);
    }
    return status == GK_OK ? gk_blob_write_open_part(write, request, target, &target->record, error)
                           : status;
}

static enum gk_status set_policy(struct gk_request *request, struct gk_error *error)
{
    struct gk_immutability asked = {.mode = GK_POLICY_NONE};
    enum gk_status status = gk_policy_read(request, &asked, error);
    if (status == GK_OK && asked.mode == GK_POLICY_NONE) {
        status = gk_refuse_because(error, 400, "MissingRequiredHeader",
                                   "Header: x-ms-immutability-policy-until-date");
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_target target;
    status = gk_blob_change(request, &target, change_policy, &asked, error);
    if (status == GK_OK) {
        gk_respond_policy(request, &target.record.immutability);
        status = gk_respond(request, 200);
    }
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_set_blob_immutability_policy_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_IMMUTABILITY, .finish = set_policy};

/* --- Delete Blob Immutability Policy ------------------------------------------------------------*/

static enum gk_status drop_policy(struct gk_request *request, struct gk_blob_target *target,
                                  struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    (void)ctx;
    const enum gk_status status =
        gk_immutability_delete_policy(&target->record.immutability, error);
    return status == GK_OK ? gk_blob_write_open_part(write, request, target, &target->record, error)
                           : status;
}

static enum gk_status delete_policy(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    const enum gk_status status = gk_blob_change(request, &target, drop_policy, NULL, error);
    gk_blob_target_cleanup(&target);
    return status == GK_OK ? gk_respond(request, 200) : status;
}

const struct gk_handler gk_delete_blob_immutability_policy_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_IMMUTABILITY, .finish = delete_policy};

/* --- Set Blob Legal Hold ------------------------------------------------------------------------*/

static enum gk_status change_hold(struct gk_request *request, struct gk_blob_target *target,
                                  struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    const bool *hold = ctx;
    target->record.immutability.legal_hold = *hold;
    return gk_blob_write_open_part(write, request, target, &target->record, error);
}

static enum gk_status set_hold(struct gk_request *request, struct gk_error *error)
{
    bool hold = false;
    bool given = false;
    enum gk_status status = gk_legal_hold_read(request, &hold, &given, error);
    if (status == GK_OK && !given) {
        status = gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: x-ms-legal-hold");
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_target target;
    status = gk_blob_change(request, &target, change_hold, &hold, error);
    gk_blob_target_cleanup(&target);
    if (status != GK_OK) {
        return status;
    }
    gk_respond_header(request, "x-ms-legal-hold", hold ? "true" : "false");
    return gk_respond(request, 200);
}

const struct gk_handler gk_set_blob_legal_hold_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_IMMUTABILITY, .finish = set_hold};
