/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/anonymous.h"

#include <strings.h>

#include "common/error.h"
#include "gateway/blob/target.h"

static const struct {
    enum gk_operation operation;
    enum gk_public_access level; /* that it needs at least */
    uint32_t permissions;
} public_operations[] = {
    {GK_OP_BLOB_GET_BLOB, GK_PUBLIC_BLOB, GK_PERMIT_READ},
    {GK_OP_BLOB_GET_BLOB_PROPERTIES, GK_PUBLIC_BLOB, GK_PERMIT_READ},
    {GK_OP_BLOB_GET_BLOB_METADATA, GK_PUBLIC_BLOB, GK_PERMIT_READ},
    {GK_OP_BLOB_GET_BLOCK_LIST, GK_PUBLIC_BLOB, GK_PERMIT_READ},
    {GK_OP_BLOB_GET_PAGE_RANGES, GK_PUBLIC_BLOB, GK_PERMIT_READ},
    {GK_OP_BLOB_LIST_BLOBS, GK_PUBLIC_CONTAINER, GK_PERMIT_LIST},
    {GK_OP_BLOB_LIST_BLOBS_WITH_METADATA, GK_PUBLIC_CONTAINER, GK_PERMIT_LIST},
    {GK_OP_BLOB_GET_CONTAINER_PROPERTIES, GK_PUBLIC_CONTAINER, GK_PERMIT_READ},
    {GK_OP_BLOB_GET_CONTAINER_METADATA, GK_PUBLIC_CONTAINER, GK_PERMIT_READ},
};

/* The public reads what was committed. */
static bool asks_for_more(const struct gk_request *request)
{
    const char *blocks = gk_request_query(request, "blocklisttype");
    return request->operation == GK_OP_BLOB_GET_BLOCK_LIST && blocks != NULL &&
           strcasecmp(blocks, "committed") != 0;
}

static enum gk_status refuse(struct gk_error *error)
{
    return gk_refuse(error, 401, "NoAuthenticationInformation");
}

/* The container's level; none for one that is not there. */
static enum gk_status read_level(struct gk_request *request, enum gk_public_access *level,
                                 struct gk_error *error)
{
    struct gk_container_target target;
    enum gk_status status = gk_container_target_load(request, &target, error);
    *level = status == GK_OK ? target.container.acl.level : GK_PUBLIC_NONE;
    gk_container_target_cleanup(&target);
    if (status == GK_E_INVALID) {
        gk_error_clear(error);
        status = GK_OK;
    }
    return status;
}

enum gk_status gk_anonymous_check(struct gk_request *request, struct gk_error *error)
{
    size_t i = 0;
    const size_t count = sizeof public_operations / sizeof *public_operations;
    while (i < count && public_operations[i].operation != request->operation) {
        i++;
    }
    if (i == count || !request->account->public_access || asks_for_more(request)) {
        return refuse(error);
    }
    enum gk_public_access level;
    const enum gk_status status = read_level(request, &level, error);
    if (status == GK_OK && level < public_operations[i].level) {
        return refuse(error);
    }
    request->permissions = public_operations[i].permissions;
    return status;
}
