/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set Blob Tier (Storage REST reference). It changes neither ETag nor Last-Modified: tiers differ in what
 * may be read, not in how it is kept.
 */
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/blob_change.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"

static enum gk_status read_request(const struct gk_request *request, struct gk_tier_request *asked,
                                   struct gk_error *error)
{
    *asked = (struct gk_tier_request){.standard_s = request->gateway->rehydrate_standard_s,
                                      .high_s = request->gateway->rehydrate_high_s};
    const enum gk_status status = gk_tier_header_read(request, &asked->tier, error);
    if (status != GK_OK) {
        return status;
    }
    if (asked->tier == GK_TIER_INFERRED) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: x-ms-access-tier");
    }
    const char *priority = gk_request_header(request, "x-ms-rehydrate-priority");
    asked->high_priority = priority != NULL && strcasecmp(priority, "High") == 0;
    return priority == NULL || asked->high_priority || strcasecmp(priority, "Standard") == 0
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-rehydrate-priority is High or Standard.");
}

/* The request, and what came of it. */
struct setting {
    struct gk_tier_request asked;
    bool pending;
};

static enum gk_status change_tier(struct gk_request *request, struct gk_blob_target *target,
                                  struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    struct setting *setting = ctx;
    enum gk_status status = gk_blob_check_type(target, GK_BLOB_BLOCK, error);
    if (status == GK_OK) {
        status = gk_blob_lease_check(request, target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) {
        status = gk_blob_pending_check(target, error);
    }
    if (status == GK_OK) {
        status = gk_tier_set(&target->record.tier, &target->record.tier_times, &setting->asked,
                             gk_clock_wall_ms(&request->gateway->clock), &setting->pending, error);
    }
    return status == GK_OK ? gk_blob_write_open_part(write, request, target, &target->record, error)
                           : status;
}

static enum gk_status set_tier(struct gk_request *request, struct gk_error *error)
{
    struct setting setting = {.pending = false};
    enum gk_status status = read_request(request, &setting.asked, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_target target;
    status = gk_blob_change(request, &target, change_tier, &setting, error);
    gk_blob_target_cleanup(&target);
    return status == GK_OK ? gk_respond(request, setting.pending ? 202 : 200) : status;
}

const struct gk_handler gk_set_blob_tier_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = set_tier};
