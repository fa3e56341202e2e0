/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Restore Container (Storage REST reference): a container that was deleted and is kept comes back with all
 * that is in it, under the name of the request, which need not be the one that it had.
 */
#include "gateway/blob/container_move.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"

#define VERSION_DIGITS 16u

/* What is asked for, and what is there of it. */
struct restoring {
    struct gk_request *request;
    struct gk_buf kept_key;
    struct gk_container_target
        target; /* under the name of the request; what stands under kept_key */
};

static bool parse_version(const char *text, uint64_t *version)
{
    *version = 0;
    for (const char *at = text; *at != '\0'; at++) {
        const char c = *at;
        const bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
        if (!digit || at - text == VERSION_DIGITS) {
            return false;
        }
        *version = *version << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'A' + 10);
    }
    return strlen(text) == VERSION_DIGITS;
}

static enum gk_status read_headers(struct restoring *restoring, struct gk_error *error)
{
    static const char name_header[] = "x-ms-deleted-container-name";
    static const char version_header[] = "x-ms-deleted-container-version";
    const char *name = gk_request_header(restoring->request, name_header);
    const char *text = gk_request_header(restoring->request, version_header);
    uint64_t version = 0;
    if (name == NULL || text == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader", "Header: %s",
                                 name == NULL ? name_header : version_header);
    }
    if (!gk_container_name_valid(name)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: %s", name_header);
    }
    if (!parse_version(text, &version)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: %s", version_header);
    }
    gk_kept_container_key(&restoring->kept_key, name, version);
    return GK_OK;
}

static enum gk_status load(struct restoring *restoring, struct gk_error *error)
{
    const struct gk_request *request = restoring->request;
    struct gk_container_target *target = &restoring->target;
    enum gk_status status = gk_container_name_check(request, error);
    if (status != GK_OK) {
        return status;
    }
    gk_container_key(&target->key, request->container);
    status = gk_container_target_read(restoring->request, target, gk_buf_span(&restoring->kept_key),
                                      error);
    if (status == GK_OK &&
        target->container.life.kept_until_wall_ms <= gk_clock_wall_ms(&request->gateway->clock)) {
        status = gk_refuse(error, 404, "ContainerNotFound");
    }
    return status;
}

static enum gk_status restore(struct restoring *restoring, struct gk_error *error)
{
    enum gk_status status = read_headers(restoring, error);
    if (status == GK_OK) {
        status = load(restoring, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const struct gk_container_move move = {.container = &restoring->target.container,
                                           .from = gk_buf_span(&restoring->kept_key),
                                           .to = gk_buf_span(&restoring->target.key),
                                           .stored = gk_buf_span(&restoring->target.stored)};
    status = gk_container_move(restoring->request, &move, error);
    if (status == GK_E_EXISTS) {
        return gk_refuse(error, 409, "ContainerAlreadyExists");
    }
    return status == GK_E_CONFLICT || status == GK_E_NOT_FOUND
               ? gk_refuse(error, 404,
                           "ContainerNotFound") /* somebody else did it, or its time came */
               : status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct restoring restoring = {.request = request};
    gk_buf_init(&restoring.kept_key, GK_MAP_KEY_BYTES_MAX);
    gk_container_target_init(&restoring.target);
    const enum gk_status status = restore(&restoring, error);
    gk_container_target_cleanup(&restoring.target);
    gk_buf_cleanup(&restoring.kept_key);
    gk_container_forget(request, request->container);
    return status == GK_OK ? gk_respond(request, 201) : status;
}

const struct gk_handler gk_restore_container_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = finish};
