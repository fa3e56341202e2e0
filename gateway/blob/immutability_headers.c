/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/immutability_headers.h"

#include <strings.h>

#include "common/error.h"
#include "common/text.h"

#define UNTIL "x-ms-immutability-policy-until-date"
#define MODE  "x-ms-immutability-policy-mode"
#define HOLD  "x-ms-legal-hold"

enum gk_status gk_policy_read(const struct gk_request *request, struct gk_immutability *out,
                              struct gk_error *error)
{
    const char *until = gk_request_header(request, UNTIL);
    const char *mode = gk_request_header(request, MODE);
    if (until == NULL) {
        return mode == NULL
                   ? GK_OK
                   : gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: " UNTIL);
    }
    if (!gk_time_http_parse(until, &out->until_wall_ms) ||
        out->until_wall_ms <= request->received_wall_ms) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 UNTIL " is no HTTP date, or a past one.");
    }
    const bool locked = mode != NULL && strcasecmp(mode, "Locked") == 0;
    if (mode != NULL && !locked && strcasecmp(mode, "Unlocked") != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue", MODE " is Unlocked or Locked.");
    }
    out->mode = locked ? GK_POLICY_LOCKED : GK_POLICY_UNLOCKED;
    return GK_OK;
}

enum gk_status gk_legal_hold_read(const struct gk_request *request, bool *hold, bool *given,
                                  struct gk_error *error)
{
    const char *value = gk_request_header(request, HOLD);
    *given = value != NULL;
    *hold = value != NULL && strcasecmp(value, "true") == 0;
    return value == NULL || *hold || strcasecmp(value, "false") == 0
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue", HOLD " is true or false.");
}

enum gk_status gk_immutability_read(const struct gk_request *request, struct gk_immutability *out,
                                    struct gk_error *error)
{
    bool given = false;
    *out = (struct gk_immutability){.mode = GK_POLICY_NONE};
    enum gk_status status = gk_policy_read(request, out, error);
    if (status == GK_OK) {
        status = gk_legal_hold_read(request, &out->legal_hold, &given, error);
    }
    if (status == GK_OK && (given || out->mode != GK_POLICY_NONE) &&
        (request->permissions & GK_PERMIT_IMMUTABILITY) == 0) {
        status = gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    return status;
}

void gk_respond_policy(struct gk_request *request, const struct gk_immutability *immutability)
{
    if (immutability->mode != GK_POLICY_NONE) {
        char until[GK_TIME_TEXT_BYTES];
        gk_time_http(immutability->until_wall_ms, until);
        gk_respond_header(request, UNTIL, until);
        gk_respond_header(request, MODE, gk_policy_mode_names[immutability->mode]);
    }
}

void gk_respond_immutability(struct gk_request *request, const struct gk_immutability *immutability)
{
    gk_respond_policy(request, immutability);
    if (immutability->legal_hold) {
        gk_respond_header(request, HOLD, "true");
    }
}
