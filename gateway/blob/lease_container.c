/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lease Container (Storage REST reference): acquire, renew, change, release and break. It keeps others
 * from deleting the container, and from nothing else.
 */
#include "gateway/blob/container_write.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/lease_headers.h"

static enum gk_status change_lease(const struct gk_request *request, struct gk_container *container,
                                   const void *ctx, struct gk_error *error)
{
    const struct gk_lease_request *asked = ctx;
    const enum gk_status status = gk_container_conditions(request, container, error);
    return status == GK_OK ? gk_lease_act(&container->lease, asked,
                                          gk_clock_wall_ms(&request->gateway->clock), error)
                           : status;
}

static enum gk_status lease_container(struct gk_request *request, struct gk_error *error)
{
    struct gk_lease_request asked;
    enum gk_status status = gk_lease_request_read(request, &asked, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_container_target target;
    status = gk_container_change(request, &target, change_lease, &asked, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.container.etag, target.container.modified_wall_ms);
        status = gk_lease_request_respond(request, &asked, &target.container.lease);
    }
    gk_container_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_lease_container_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_WRITE, .finish = lease_container};
const struct gk_handler gk_break_container_lease_handler = {.body = GK_BODY_NONE,
                                                            .permissions =
                                                                GK_PERMIT_WRITE | GK_PERMIT_DELETE,
                                                            .finish = lease_container};
