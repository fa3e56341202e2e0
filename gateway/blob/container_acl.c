/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get and Set Container ACL (Storage REST reference). They are the account owner's: no signature reaches
 * them. Whoever decides by an ACL reads the container's record, so a change holds at once, whichever
 * gateway made it.
 */
#include "common/error.h"
#include "gateway/blob/container_write.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/lease_headers.h"

#define BODY_BYTES_MAX (64u << 10)

/* --- Get Container ACL --------------------------------------------------------------------------*/

static enum gk_status respond_acl(struct gk_request *request, const struct gk_container *container,
                                  struct gk_error *error)
{
    struct gk_buf body;
    gk_buf_init(&body, BODY_BYTES_MAX);
    enum gk_status status = gk_acl_xml_write(&container->acl, &body, error);
    if (status == GK_OK) {
        gk_respond_version(request, container->etag, container->modified_wall_ms);
        gk_respond_public_access(request, container->acl.level);
        status = strcmp(request->method, "HEAD") == 0
                     ? gk_respond_head(request, 200, body.len)
                     : gk_respond_buf(request, 200, "application/xml", &body);
    }
    gk_buf_cleanup(&body);
    return status;
}

static enum gk_status get_acl(struct gk_request *request, struct gk_error *error)
{
    struct gk_container_target target;
    enum gk_status status = gk_container_target_load(request, &target, error);
    if (status == GK_OK) {
        status = gk_lease_check(request, &target.container.lease, GK_ACCESS_READ,
                                GK_LEASE_OF_CONTAINER, error);
    }
    if (status == GK_OK) {
        status = respond_acl(request, &target.container, error);
    }
    gk_container_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_get_container_acl_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_OWNER, .finish = get_acl};

/* --- Set Container ACL --------------------------------------------------------------------------*/

static enum gk_status change_acl(const struct gk_request *request, struct gk_container *container,
                                 const void *ctx, struct gk_error *error)
{
    const struct gk_acl *acl = ctx;
    enum gk_status status = gk_container_conditions(request, container, error);
    if (status == GK_OK) {
        status = gk_lease_check(request, &container->lease, GK_ACCESS_READ, GK_LEASE_OF_CONTAINER,
                                error);
    }
    if (status == GK_OK) {
        container->acl = *acl;
        gk_container_touch(request, container);
    }
    return status;
}

/* What is not sent is no more: policies without a body, public access without its header. */
static enum gk_status set_acl(struct gk_request *request, struct gk_error *error)
{
    struct gk_acl acl = {.level = GK_PUBLIC_NONE};
    enum gk_status status = gk_public_access_read(request, &acl.level, error);
    if (status == GK_OK && request->body.len > 0) {
        status = gk_acl_xml_read(gk_buf_span(&request->body), &acl, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct gk_container_target target;
    status = gk_container_change(request, &target, change_acl, &acl, error);
    if (status == GK_OK) {
        gk_respond_version(request, target.container.etag, target.container.modified_wall_ms);
        status = gk_respond(request, 200);
    }
    gk_container_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_set_container_acl_handler = {.body = GK_BODY_BUFFERED,
                                                        .body_max = BODY_BYTES_MAX,
                                                        .permissions = GK_PERMIT_OWNER,
                                                        .finish = set_acl};
