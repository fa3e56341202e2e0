/* SPDX-License-Identifier: Apache-2.0 */
/* Whose deletion has left a mark. */
#include "common/error.h"
#include "gateway/blob/index.h"
#include "gateway/blob/removal.h"
#include "gateway/registry.h"

struct search {
    struct gk_store *store;
    struct gk_span account; /* its name */
    bool found;
    enum gk_status status;
    struct gk_error *error;
};

static bool compare_name(void *ctx, struct gk_span key, struct gk_span value)
{
    struct search *search = ctx;
    search->found = search->found || (gk_span_equal(key, gk_span_str(GK_DELETED_NAME_ATTR)) &&
                                      gk_span_equal(value, search->account));
    return true;
}

static bool look_at_mark(void *ctx, const struct gk_registry_row *row)
{
    struct search *search = ctx;
    struct gk_id id;
    char mark[GK_INDEX_NAME_BYTES];
    uint64_t version = 0;
    if (row->name.len != sizeof id.bytes) {
        return true;
    }
    memcpy(id.bytes, row->name.data, sizeof id.bytes);
    gk_deleted_name(&id, mark);
    search->status = gk_store_attrs(search->store, GK_POOL_META, mark, compare_name, search,
                                    &version, search->error);
    if (search->status == GK_E_NOT_FOUND) { /* it is not written yet, or gone by now */
        gk_error_clear(search->error);
        search->status = GK_OK;
    }
    return search->status == GK_OK && !search->found;
}

enum gk_status gk_removal_marked(struct gk_gateway *gateway, const char *name, bool *marked,
                                 struct gk_error *error)
{
    struct search search = {.store = gateway->store, .account = gk_span_str(name), .error = error};
    const enum gk_status status = gk_registry_list(
        gateway->store, GK_REGISTRY_DELETED, (struct gk_span){0}, look_at_mark, &search, error);
    *marked = search.found;
    return status == GK_OK ? search.status : status;
}
