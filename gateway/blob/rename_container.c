/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rename Container (the vendor's API specification, Container_Rename): the container of
 * x-ms-source-container-name gets the name of the request, which none may have. Blobs that may not be changed
 * keep it where it is, as they keep it from being deleted.
 */
#include "common/error.h"
#include "gateway/blob/container_move.h"
#include "gateway/blob/container_write.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/lease_headers.h"

#define ATTEMPTS_MAX 16u

struct renaming {
    struct gk_request *request;
    struct gk_request source; /* the same, of the container that is renamed */
    struct gk_buf key;        /* of the new name */
    struct gk_container_target target;
};

/* Who renames takes a container away. */
static enum gk_status read_names(struct renaming *renaming, struct gk_error *error)
{
    const struct gk_request *request = renaming->request;
    const char *name = gk_request_header(request, "x-ms-source-container-name");
    if ((request->permissions & GK_PERMIT_DELETE) == 0) {
        return gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    const enum gk_status status = gk_container_name_check(request, error);
    if (status != GK_OK) {
        return status;
    }
    if (name == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader",
                                 "Header: x-ms-source-container-name");
    }
    if (!gk_container_name_valid(name)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "Header: x-ms-source-container-name");
    }
    renaming->source.container = name;
    gk_container_key(&renaming->key, request->container);
    return GK_OK;
}

/* Another came to have the name meanwhile: it is opened where it is. */
static enum gk_status stay(struct renaming *renaming, struct gk_error *error)
{
    const struct gk_container_target *target = &renaming->target;
    struct gk_container_move back = {.container = &renaming->target.container,
                                     .from = gk_buf_span(&target->key),
                                     .to = gk_buf_span(&target->key),
                                     .stored = gk_buf_span(&target->stored)};
    const enum gk_status status = gk_container_move(renaming->request, &back, error);
    return status == GK_OK ? gk_refuse(error, 409, "ContainerAlreadyExists") : status;
}

/* GK_E_CONFLICT: its entry is another by now. */
static enum gk_status rename_once(struct renaming *renaming, struct gk_error *error)
{
    struct gk_container_target *target = &renaming->target;
    enum gk_status status = gk_container_target_load(&renaming->source, target, error);
    const struct gk_container_life life = target->container.life;
    if (status == GK_OK) {
        status =
            gk_lease_check_by(renaming->request, "x-ms-source-lease-id", &target->container.lease,
                              GK_ACCESS_WRITE, GK_LEASE_OF_CONTAINER, error);
    }
    if (status == GK_OK) {
        status = gk_container_absent(renaming->request, gk_buf_span(&renaming->key), error);
    }
    if (status == GK_E_EXISTS) {
        return gk_refuse(error, 409, "ContainerAlreadyExists");
    }
    if (status == GK_OK) {
        status = gk_container_close(renaming->request, &target->container, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const struct gk_container_move move = {.container = &target->container,
                                           .from = gk_buf_span(&target->key),
                                           .to = gk_buf_span(&renaming->key),
                                           .stored = gk_buf_span(&target->stored)};
    status = gk_container_move(renaming->request, &move, error);
    if (status == GK_E_EXISTS) {
        target->container.life = life;
        gk_error_clear(error);
        return stay(renaming, error);
    }
    return status;
}

static enum gk_status rename_container(struct renaming *renaming, struct gk_error *error)
{
    enum gk_status status = rename_once(renaming, error);
    for (unsigned attempt = 1; status == GK_E_CONFLICT && attempt < ATTEMPTS_MAX; attempt++) {
        gk_error_clear(error);
        gk_container_target_cleanup(&renaming->target);
        status = rename_once(renaming, error);
    }
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct renaming renaming = {.request = request, .source = *request};
    gk_buf_init(&renaming.key, GK_MAP_KEY_BYTES_MAX);
    gk_container_target_init(&renaming.target);
    enum gk_status status = read_names(&renaming, error);
    if (status == GK_OK) {
        status = rename_container(&renaming, error);
        gk_container_forget(request, renaming.source.container);
        gk_container_forget(request, request->container);
    }
    gk_container_target_cleanup(&renaming.target);
    gk_buf_cleanup(&renaming.key);
    return status == GK_OK ? gk_respond(request, 200) : status;
}

const struct gk_handler gk_rename_container_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = finish};
