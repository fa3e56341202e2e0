/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set Blob Expiry (Storage REST reference): when the blob ends by itself. Documented for accounts with a
 * hierarchical namespace, served for all. Needs no key. From its end on the blob is not there, for nobody; the
 * reaper removes it, for which the write queues an entry (expiry.h). It cannot be undeleted, also where the
 * account keeps what is deleted.
 */
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/blob_change.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"

/* x-ms-expiry-option */
enum option { NEVER_EXPIRE, RELATIVE_TO_CREATION, RELATIVE_TO_NOW, ABSOLUTE_TIME, OPTIONS };

/* What is asked for. */
struct asked {
    enum option option;
    int64_t ms; /* the time, or how much later */
};

static enum gk_status read_time(const struct gk_request *request, struct asked *asked,
                                struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-expiry-time");
    uint64_t ms = 0;
    bool good = false;
    if (value == NULL) {
        return asked->option == NEVER_EXPIRE
                   ? GK_OK
                   : gk_refuse_because(error, 400, "MissingRequiredHeader",
                                       "Header: x-ms-expiry-time");
    }
    switch (asked->option) {
    case ABSOLUTE_TIME:
        good = gk_time_http_parse(value, &asked->ms) && asked->ms <= GK_LIFETIME_MAX_WALL_MS;
        break;
    case RELATIVE_TO_CREATION:
    case RELATIVE_TO_NOW:
        good = gk_parse_u64(gk_span_str(value), (uint64_t)GK_LIFETIME_MAX_WALL_MS, &ms);
        asked->ms = (int64_t)ms;
        break;
    case NEVER_EXPIRE: /* documented to have none */
    case OPTIONS:
        break;
    }
    return good ? GK_OK
                : gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: x-ms-expiry-time");
}

static enum gk_status read_headers(const struct gk_request *request, struct asked *asked,
                                   struct gk_error *error)
{
    static const char *const names[OPTIONS] = {"NeverExpire", "RelativeToCreation", "RelativeToNow",
                                               "Absolute"};
    const char *value = gk_request_header(request, "x-ms-expiry-option");
    if (value == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: x-ms-expiry-option");
    }
    *asked = (struct asked){.option = NEVER_EXPIRE};
    while (asked->option < OPTIONS && strcasecmp(value, names[asked->option]) != 0) {
        asked->option++;
    }
    return asked->option < OPTIONS
               ? read_time(request, asked, error)
               : gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: x-ms-expiry-option");
}

/* 0: never. */
static int64_t end_of(const struct asked *asked, const struct gk_blob_record *record, int64_t now)
{
    switch (asked->option) {
    case RELATIVE_TO_CREATION:
        return record->created_wall_ms + asked->ms;
    case RELATIVE_TO_NOW:
        return now + asked->ms;
    case ABSOLUTE_TIME:
        return asked->ms;
    case NEVER_EXPIRE:
    case OPTIONS:
        break;
    }
    return 0;
}

static enum gk_status change(struct gk_request *request, struct gk_blob_target *target,
                             struct gk_blob_write *write, void *ctx, struct gk_error *error)
{
    const struct asked *asked = ctx;
    struct gk_blob_record *record = &target->record;
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    const int64_t ends = end_of(asked, record, now);
    enum gk_status status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
    if (status == GK_OK && asked->option != NEVER_EXPIRE &&
        (ends <= now || ends > GK_LIFETIME_MAX_WALL_MS)) {
        status = gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-expiry-time is not in the future.");
    }
    if (status != GK_OK) {
        return status;
    }
    record->lifetime.ends_wall_ms = ends;
    write->ends_wall_ms = ends;
    gk_blob_touch(request, record);
    return gk_blob_write_open_part(write, request, target, record, error);
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target = {.exists = false};
    struct asked asked;
    enum gk_status status = read_headers(request, &asked, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_blob_change(request, &target, change, &asked, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.record.etag, target.record.modified_wall_ms);
        status = gk_respond(request, 200);
    }
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_set_blob_expiry_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = finish};
