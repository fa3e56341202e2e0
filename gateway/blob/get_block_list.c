/* SPDX-License-Identifier: Apache-2.0 */
/* Get Block List (Storage REST reference, "Get Block List"). */
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/block_list_xml.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/manifest.h"

struct wanted {
    bool committed;
    bool uncommitted;
};

static enum gk_status read_type(const struct gk_request *request, struct wanted *wanted,
                                struct gk_error *error)
{
    const char *type = gk_request_query(request, "blocklisttype");
    const bool all = type != NULL && strcasecmp(type, "all") == 0;
    wanted->committed = all || type == NULL || strcasecmp(type, "committed") == 0;
    wanted->uncommitted = all || (type != NULL && strcasecmp(type, "uncommitted") == 0);
    return wanted->committed || wanted->uncommitted
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                   "blocklisttype is committed, uncommitted or all.");
}

/* owned by the caller, who frees it */
static enum gk_status add(struct gk_block_size **items, uint32_t *count, uint32_t *max,
                          const struct gk_manifest_entry *entry, struct gk_error *error)
{
    if (*items == NULL || *count == *max) {
        *max = *max == 0 ? GK_MANIFEST_INLINE_MAX : 2 * *max;
        struct gk_block_size *more = reallocarray(*items, *max, sizeof *more);
        if (more == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        *items = more;
    }
    struct gk_block_size *item = &(*items)[(*count)++];
    item->size = entry->length;
    item->name_len = entry->name_len;
    memcpy(item->name, entry->name, sizeof item->name);
    return GK_OK;
}

static enum gk_status list_committed(const struct gk_request *request,
                                     const struct gk_blob_target *target,
                                     struct gk_block_size **items, uint32_t *count,
                                     struct gk_error *error)
{
    struct gk_manifest_walk *walk = NULL;
    uint32_t max = 0;
    enum gk_status status =
        gk_manifest_walk_new(request->gateway->store, request->gateway->host->plugin,
                             request->account->handle, target, &walk, error);
    while (status == GK_OK) {
        struct gk_manifest_entry entry;
        status = gk_manifest_walk_next(walk, &entry, error);
        if (status == GK_OK && entry.name_len > 0) { /* Put Blob's content is no block */
            status = add(items, count, &max, &entry, error);
        }
    }
    gk_manifest_walk_free(walk);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

static enum gk_status list_uncommitted(const struct gk_request *request,
                                       const struct gk_blob_target *target,
                                       struct gk_block_size **items, uint32_t *count,
                                       struct gk_error *error)
{
    struct gk_staged_block *blocks = NULL;
    uint32_t staged = 0;
    enum gk_status status = gk_staged_blocks(request, target, &blocks, &staged, NULL, error);
    if (status == GK_OK && staged > 0) {
        *items = calloc(staged, sizeof **items);
        status = *items == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    }
    for (; status == GK_OK && *items != NULL && *count < staged; (*count)++) {
        struct gk_block_size *item = &(*items)[*count];
        item->size = blocks[*count].staged.length;
        item->name_len = blocks[*count].id.len;
        memcpy(item->name, blocks[*count].id.bytes, sizeof item->name);
    }
    free(blocks);
    return status;
}

static void respond_headers(struct gk_request *request, const struct gk_blob_target *target)
{
    if (target->committed) {
        gk_respond_version(request, target->record.etag, target->record.modified_wall_ms);
    }
    gk_respond_headerf(request, "x-ms-blob-content-length", "%llu",
                       (unsigned long long)(target->committed ? target->record.size : 0));
}

static enum gk_status respond_list(struct gk_request *request, const struct gk_blob_target *target,
                                   struct wanted wanted, struct gk_error *error)
{
    struct gk_block_size *committed = NULL;
    struct gk_block_size *uncommitted = NULL;
    struct gk_block_sizes committed_sizes = {0};
    struct gk_block_sizes uncommitted_sizes = {0};
    enum gk_status status = GK_OK;
    if (wanted.committed && target->committed) {
        status = list_committed(request, target, &committed, &committed_sizes.count, error);
        committed_sizes.items = committed;
    }
    if (status == GK_OK && wanted.uncommitted && target->kind == GK_STATE_BASE) {
        status = list_uncommitted(request, target, &uncommitted, &uncommitted_sizes.count, error);
        uncommitted_sizes.items = uncommitted;
    }
    struct gk_buf body;
    gk_buf_init(&body, GK_BLOCK_LIST_ANSWER_BYTES_MAX);
    if (status == GK_OK) {
        status = gk_block_list_write(wanted.committed ? &committed_sizes : NULL,
                                     wanted.uncommitted ? &uncommitted_sizes : NULL, &body, error);
    }
    if (status == GK_OK) {
        respond_headers(request, target);
        status = gk_respond_buf(request, 200, "application/xml", &body);
    }
    gk_buf_cleanup(&body);
    free(committed);
    free(uncommitted);
    return status;
}

/* Without a blob there is a list when blocks are staged for one; what was deleted is none. */
static enum gk_status check_staged(const struct gk_request *request,
                                   const struct gk_blob_target *target, struct gk_error *error)
{
    struct gk_buf mark;
    bool any = false;
    enum gk_status status = GK_OK;
    gk_buf_init(&mark, GK_STAGED_BYTES_MAX);
    if (target->exists && target->kind == GK_STATE_BASE) {
        any = target->record.state == GK_BLOB_UNCOMMITTED;
        status = any ? GK_OK : gk_staging_mark_read(request, target, &any, &mark, error);
    }
    gk_buf_cleanup(&mark);
    return status == GK_OK && !any ? gk_refuse(error, 404, "BlobNotFound") : status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct wanted wanted;
    enum gk_status status = read_type(request, &wanted, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_target target;
    status = gk_blob_target_load(request, &target, error);
    if (status == GK_OK && !target.committed) {
        status = check_staged(request, &target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_check_type(&target, GK_BLOB_BLOCK, error);
    }
    if (status == GK_OK) {
        status = gk_blob_conditions(request, &target, GK_ACCESS_READ, error);
    }
    if (status == GK_OK) {
        status = respond_list(request, &target, wanted, error);
    }
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_get_block_list_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = finish};
