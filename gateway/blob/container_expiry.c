/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/container_expiry.h"

#include "common/error.h"
#include "gateway/blob/container_write.h"
#include "gateway/blob/garbage.h"

#define KIND_BYTES 2u

/* --- keeping ------------------------------------------------------------------------------------*/

static enum gk_status queue_end(const struct gk_request *request, const struct gk_container *kept,
                                struct gk_span key, struct gk_change_list *changes,
                                struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(request, &request->account->id, GK_VALUE_GARBAGE, (struct gk_span){0});
    struct gk_garbage end;
    gk_garbage_init(&end);
    gk_buf_append(&end.blob, key.data + KIND_BYTES, key.len - KIND_BYTES);
    gk_garbage_add(&end, GK_GARBAGE_KEPT_CONTAINER, &kept->id, kept->shards);
    const enum gk_status status =
        gk_garbage_queue(&end, &place, kept->life.kept_until_wall_ms, changes, error);
    gk_garbage_cleanup(&end);
    return status;
}

enum gk_status gk_container_keep(const struct gk_request *request, const struct gk_container *kept,
                                 uint64_t version, struct gk_buf *key,
                                 struct gk_change_list *changes, struct gk_error *error)
{
    struct gk_buf row_key;
    struct gk_buf value;
    gk_buf_init(&row_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_kept_container_key(key, request->container, version);
    gk_buf_append(&row_key, key->data, key->len);
    enum gk_status status = gk_container_seal(request, kept, gk_buf_span(key), &value, error);
    if (status == GK_OK) {
        gk_changes_set(changes, &row_key, &value);
        status = queue_end(request, kept, gk_buf_span(key), changes, error);
    }
    gk_buf_cleanup(&row_key);
    gk_buf_cleanup(&value);
    return status;
}

/* --- the end ------------------------------------------------------------------------------------*/

struct ending {
    struct gk_gateway *gateway;
    struct gk_gateway_account *account;
    struct gk_buf key;
    struct gk_buf stored;
    struct gk_container container;
};

static struct gk_place place_of(const struct ending *ending, const char *kind)
{
    return (struct gk_place){.plugin = ending->gateway->host->plugin,
                             .account = ending->account->handle,
                             .kind = kind,
                             .container = ending->account->id,
                             .key = gk_buf_span(&ending->key)};
}

static enum gk_status read_row(struct ending *ending, struct gk_error *error)
{
    const struct gk_place place = place_of(ending, GK_VALUE_CONTAINER);
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    enum gk_status status = gk_value_get(ending->gateway->store, ending->account->object, place.key,
                                         &ending->stored, error);
    if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&ending->stored), &open, error);
    }
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &ending->container, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

/* The row goes, and the container becomes garbage, in one write. */
static enum gk_status make_garbage(struct ending *ending, int64_t wall_ms, struct gk_error *error)
{
    const struct gk_place place = place_of(ending, GK_VALUE_GARBAGE);
    const struct gk_guard guard = {.kind = GK_GUARD_MAP_EQUAL,
                                   .key = gk_buf_span(&ending->key),
                                   .value = gk_buf_span(&ending->stored)};
    struct gk_garbage garbage;
    struct gk_change_list changes;
    struct gk_buf key;
    gk_garbage_init(&garbage);
    gk_changes_init(&changes);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&key, ending->key.data, ending->key.len);
    gk_changes_remove(&changes, &key);
    gk_garbage_add(&garbage, GK_GARBAGE_CONTAINER, &ending->container.id, ending->container.shards);
    enum gk_status status = gk_garbage_queue(&garbage, &place, wall_ms, &changes, error);
    if (status == GK_OK) {
        status = gk_changes_status(&changes);
    }
    if (status == GK_OK) {
        const struct gk_write_op op = {.pool = GK_POOL_META,
                                       .object = ending->account->object,
                                       .guards = &guard,
                                       .guards_count = 1,
                                       .changes = changes.items,
                                       .changes_count = changes.count};
        status = gk_store_write(ending->gateway->store, &op, NULL, error);
    }
    gk_changes_cleanup(&changes);
    gk_garbage_cleanup(&garbage);
    return status;
}

enum gk_status gk_container_expire(struct gk_gateway *gateway, struct gk_gateway_account *account,
                                   struct gk_span named, struct gk_error *error)
{
    struct ending ending = {.gateway = gateway, .account = account};
    const int64_t now = gk_clock_wall_ms(&gateway->clock);
    gk_buf_init(&ending.key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&ending.stored, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_metadata_init(&ending.container.metadata);
    gk_buf_append_str(&ending.key, GK_KEPT_CONTAINER_KIND);
    gk_buf_append(&ending.key, named.data, named.len);
    enum gk_status status = read_row(&ending, error);
    if (status == GK_OK) {
        status = make_garbage(&ending, now, error);
    }
    if (status == GK_E_NOT_FOUND || status == GK_E_CONFLICT) { /* it was restored */
        gk_error_clear(error);
        status = GK_OK;
    }
    gk_container_cleanup(&ending.container);
    gk_buf_cleanup(&ending.key);
    gk_buf_cleanup(&ending.stored);
    return status;
}
