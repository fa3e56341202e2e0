/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/lease_headers.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/gateway.h"

#define HEX_DIGITS 32u

static const struct {
    const char *name;
    unsigned status; /* of the answer */
    bool takes_id;
    bool takes_proposed;
} actions[GK_LEASE_ACTIONS] = {[GK_LEASE_ACQUIRE] = {"acquire", 201, false, true},
                               [GK_LEASE_RENEW] = {"renew", 200, true, false},
                               [GK_LEASE_CHANGE] = {"change", 200, true, true},
                               [GK_LEASE_RELEASE] = {"release", 200, true, false},
                               [GK_LEASE_BREAK] = {"break", 202, false, false}};

static int64_t now_ms(const struct gk_request *request)
{
    return gk_clock_wall_ms(&request->gateway->clock);
}

/* --- reading ------------------------------------------------------------------------------------*/

/* The forms that the reference's Guid constructor takes: with dashes or without, bare or in brackets. */
static bool parse_id(const char *text, struct gk_id *id)
{
    char bare[GK_UUID_TEXT_BYTES];
    size_t len = strlen(text);
    const bool bracketed = len > 2 && ((text[0] == '{' && text[len - 1] == '}') ||
                                       (text[0] == '(' && text[len - 1] == ')'));
    if (bracketed) {
        text++;
        len -= 2;
    }
    if (len >= sizeof bare) {
        return false;
    }
    snprintf(bare, sizeof bare, "%.*s", (int)len, text);
    return len == HEX_DIGITS && !bracketed
               ? gk_hex_decode(gk_span_str(bare), id->bytes, sizeof id->bytes)
               : gk_id_parse(bare, id);
}

static enum gk_status read_id(const struct gk_request *request, const char *name, struct gk_id *id,
                              bool *given, struct gk_error *error)
{
    const char *value = gk_request_header(request, name);
    *given = value != NULL;
    return value == NULL || parse_id(value, id)
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue", "%s is no GUID.", name);
}

static enum gk_status read_needed_id(const struct gk_request *request, const char *name,
                                     struct gk_id *id, struct gk_error *error)
{
    bool given;
    const enum gk_status status = read_id(request, name, id, &given, error);
    return status != GK_OK || given
               ? status
               : gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: %s", name);
}

static enum gk_status read_proposed(const struct gk_request *request, struct gk_lease_request *out,
                                    struct gk_error *error)
{
    static const char name[] = "x-ms-proposed-lease-id";
    if (out->action == GK_LEASE_CHANGE) {
        return read_needed_id(request, name, &out->proposed, error);
    }
    bool given;
    const enum gk_status status = read_id(request, name, &out->proposed, &given, error);
    return status != GK_OK || given || gk_id_random(&out->proposed)
               ? status
               : gk_fail(error, GK_E_RESOURCE, "no entropy for a new lease");
}

static enum gk_status read_duration(const struct gk_request *request, uint32_t *duration_s,
                                    struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-lease-duration");
    uint64_t seconds = 0;
    if (value == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader",
                                 "Header: x-ms-lease-duration");
    }
    if (strcmp(value, "-1") == 0) {
        *duration_s = GK_LEASE_INFINITE_S;
        return GK_OK;
    }
    if (!gk_parse_u64(gk_span_str(value), GK_LEASE_DURATION_MAX_S, &seconds) ||
        seconds < GK_LEASE_DURATION_MIN_S) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-ms-lease-duration is -1, or %u to %u.", GK_LEASE_DURATION_MIN_S,
                                 GK_LEASE_DURATION_MAX_S);
    }
    *duration_s = (uint32_t)seconds;
    return GK_OK;
}

static enum gk_status read_break_period(const struct gk_request *request,
                                        struct gk_lease_request *out, struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-lease-break-period");
    uint64_t seconds = 0;
    if (value != NULL && !gk_parse_u64(gk_span_str(value), GK_LEASE_BREAK_MAX_S, &seconds)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-ms-lease-break-period is 0 to %u.", GK_LEASE_BREAK_MAX_S);
    }
    out->has_break_period = value != NULL;
    out->break_period_s = (uint32_t)seconds;
    return GK_OK;
}

enum gk_status gk_lease_request_read(const struct gk_request *request, struct gk_lease_request *out,
                                     struct gk_error *error)
{
    const char *name = gk_request_header(request, "x-ms-lease-action");
    *out = (struct gk_lease_request){.action = GK_LEASE_ACTIONS};
    for (size_t i = 0; name != NULL && i < GK_LEASE_ACTIONS; i++) {
        if (strcasecmp(name, actions[i].name) == 0) {
            out->action = (enum gk_lease_action)i;
        }
    }
    if (out->action == GK_LEASE_ACTIONS) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: x-ms-lease-action");
    }
    enum gk_status status = GK_OK;
    if (actions[out->action].takes_id) {
        status = read_needed_id(request, "x-ms-lease-id", &out->id, error);
    }
    if (status == GK_OK && actions[out->action].takes_proposed) {
        status = read_proposed(request, out, error);
    }
    if (status == GK_OK && out->action == GK_LEASE_ACQUIRE) {
        status = read_duration(request, &out->duration_s, error);
    }
    if (status == GK_OK && out->action == GK_LEASE_BREAK) {
        status = read_break_period(request, out, error);
    }
    return status;
}

enum gk_status gk_lease_check(const struct gk_request *request, const struct gk_lease *lease,
                              enum gk_access access, enum gk_lease_of of, struct gk_error *error)
{
    return gk_lease_check_by(request, "x-ms-lease-id", lease, access, of, error);
}

enum gk_status gk_lease_check_by(const struct gk_request *request, const char *header,
                                 const struct gk_lease *lease, enum gk_access access,
                                 enum gk_lease_of of, struct gk_error *error)
{
    struct gk_id id;
    bool given;
    const enum gk_status status = read_id(request, header, &id, &given, error);
    return status == GK_OK
               ? gk_lease_allows(lease, given ? &id : NULL, access, of, now_ms(request), error)
               : status;
}

/* --- answers ------------------------------------------------------------------------------------*/

enum gk_status gk_lease_request_respond(struct gk_request *request,
                                        const struct gk_lease_request *asked,
                                        const struct gk_lease *lease)
{
    if (asked->action == GK_LEASE_BREAK) {
        gk_respond_headerf(request, "x-ms-lease-time", "%u",
                           gk_lease_break_time_s(lease, now_ms(request)));
    } else if (asked->action != GK_LEASE_RELEASE) {
        char id[GK_UUID_TEXT_BYTES];
        gk_id_format(&lease->id, id);
        gk_respond_header(request, "x-ms-lease-id", id);
    }
    return gk_respond(request, actions[asked->action].status);
}

void gk_respond_lease(struct gk_request *request, const struct gk_lease *lease)
{
    const struct gk_lease_view view = gk_lease_view_of(lease, now_ms(request));
    gk_respond_header(request, "x-ms-lease-status", view.status);
    gk_respond_header(request, "x-ms-lease-state", view.state);
    if (view.duration != NULL) {
        gk_respond_header(request, "x-ms-lease-duration", view.duration);
    }
}
