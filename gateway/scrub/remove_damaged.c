/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"
#include "gateway/blob/value.h"
#include "gateway/scrub/scrub.h"

struct lookup {
    struct gk_gateway *gateway;
    struct gk_gateway_account *account;
    struct gk_id container;
    char index[GK_INDEX_NAME_BYTES];
    struct gk_buf key;
    struct gk_buf value;
};

static enum gk_status refuse_missing(struct gk_error *error)
{
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "BlobNotFound",
                        "There is no record of a blob of that name.");
}

static enum gk_status find_container(struct lookup *lookup, const char *name, uint32_t *shards,
                                     struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    struct gk_container container;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_container_key(&key, name);
    const struct gk_place place = {.plugin = lookup->gateway->host->plugin,
                                   .account = lookup->account->handle,
                                   .kind = GK_VALUE_CONTAINER,
                                   .container = lookup->account->id,
                                   .key = gk_buf_span(&key)};
    enum gk_status status = gk_store_map_get(lookup->gateway->store, GK_POOL_META,
                                             lookup->account->object, place.key, &value, error);
    if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&value), &open, error);
    }
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &container, error);
    }
    if (status == GK_OK) {
        lookup->container = container.id;
        *shards = container.shards;
        gk_container_cleanup(&container);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    return status == GK_E_NOT_FOUND ? refuse_missing(error) : status;
}

static enum gk_status find_row(struct lookup *lookup, uint32_t shards, struct gk_error *error)
{
    for (uint32_t shard = 0; shard < shards; shard++) {
        gk_index_name(&lookup->container, shard, lookup->index);
        gk_error_clear(error);
        const enum gk_status status =
            gk_store_map_get(lookup->gateway->store, GK_POOL_META, lookup->index,
                             gk_buf_span(&lookup->key), &lookup->value, error);
        if (status != GK_E_NOT_FOUND) {
            return status;
        }
    }
    return refuse_missing(error);
}

static bool can_be_opened(const struct lookup *lookup)
{
    const struct gk_place place = {.plugin = lookup->gateway->host->plugin,
                                   .account = lookup->account->handle,
                                   .kind = GK_VALUE_BLOB,
                                   .container = lookup->container,
                                   .key = gk_buf_span(&lookup->key)};
    struct gk_blob_record record;
    struct gk_buf open;
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, gk_buf_span(&lookup->value), &open, NULL);
    if (status == GK_OK) {
        status = gk_blob_record_decode(gk_buf_span(&open), &record, NULL);
    }
    if (status == GK_OK) {
        gk_blob_record_cleanup(&record);
    }
    gk_buf_cleanup(&open);
    return status != GK_E_INTEGRITY;
}

/* The record, and what may stand beside it. */
static enum gk_status remove_rows(const struct lookup *lookup, struct gk_error *error)
{
    struct gk_buf beside;
    gk_buf_init(&beside, GK_MAP_KEY_BYTES_MAX);
    gk_blob_data_key(&beside, gk_buf_span(&lookup->key));
    const struct gk_guard same = {.kind = GK_GUARD_MAP_EQUAL,
                                  .key = gk_buf_span(&lookup->key),
                                  .value = gk_buf_span(&lookup->value)};
    const struct gk_change changes[] = {
        {.kind = GK_CHANGE_MAP_REMOVE, .key = same.key},
        {.kind = GK_CHANGE_MAP_REMOVE, .key = gk_buf_span(&beside)}};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = lookup->index,
                                   .guards = &same,
                                   .guards_count = 1,
                                   .changes = changes,
                                   .changes_count = 2};
    const enum gk_status status = gk_store_write(lookup->gateway->store, &op, NULL, error);
    gk_buf_cleanup(&beside);
    return status;
}

/* The next state of the blob behind lookup->key, into key and value: GK_E_NOT_FOUND after the last. */
static bool take_state(void *ctx, struct gk_span key, struct gk_span value)
{
    struct lookup *lookup = ctx;
    gk_buf_reset(&lookup->key);
    gk_buf_append(&lookup->key, key.data, key.len);
    gk_buf_append(&lookup->value, value.data, value.len);
    return false;
}

static enum gk_status next_state(struct lookup *lookup, struct gk_span prefix,
                                 struct gk_error *error)
{
    struct gk_buf after;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&after, lookup->key.data, lookup->key.len);
    const struct gk_map_range range = {.prefix = prefix, .after = gk_buf_span(&after), .limit = 1};
    gk_buf_reset(&lookup->value);
    const enum gk_status status = gk_store_map_walk(
        lookup->gateway->store, GK_POOL_META, lookup->index, &range, take_state, lookup, error);
    gk_buf_cleanup(&after);
    return status == GK_OK && lookup->value.len == 0 ? GK_E_NOT_FOUND : status;
}

/* States of the blob whose records cannot be opened; *any: there were some. */
static enum gk_status remove_states(struct lookup *lookup, bool *any, struct gk_error *error)
{
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_state_prefix(&prefix, gk_buf_span(&lookup->key));
    enum gk_status status = GK_OK;
    while (status == GK_OK) {
        status = next_state(lookup, gk_buf_span(&prefix), error);
        if (status == GK_OK && !can_be_opened(lookup)) {
            status = remove_rows(lookup, error);
            *any = true;
        }
    }
    gk_buf_cleanup(&prefix);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

static enum gk_status find_and_remove(struct lookup *lookup, const char *container,
                                      const char *blob, struct gk_error *error)
{
    uint32_t shards = 0;
    gk_blob_key(&lookup->key, blob);
    enum gk_status status = gk_buf_status(&lookup->key);
    if (status == GK_OK) {
        status = find_container(lookup, container, &shards, error);
    }
    if (status == GK_OK) {
        status = find_row(lookup, shards, error);
    }
    if (status != GK_OK || !can_be_opened(lookup)) {
        return status == GK_OK ? remove_rows(lookup, error) : status;
    }
    bool any = false;
    status = remove_states(lookup, &any, error);
    return status != GK_OK || any
               ? status
               : gk_fail_http(error, GK_E_CONFLICT, 409, "BlobIsNotDamaged",
                              "The blob's record can be opened; a client can delete the blob.");
}

enum gk_status gk_scrub_remove_damaged(struct gk_gateway *gateway, const char *account,
                                       const char *container, const char *blob,
                                       struct gk_error *error)
{
    struct lookup lookup = {.gateway = gateway};
    enum gk_status status = gk_accounts_get(gateway->accounts, account, &lookup.account, error);
    if (status != GK_OK) {
        return status;
    }
    gk_buf_init(&lookup.key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&lookup.value, GK_MAP_VALUE_BYTES_MAX);
    status = find_and_remove(&lookup, container, blob, error);
    gk_buf_cleanup(&lookup.key);
    gk_buf_cleanup(&lookup.value);
    gk_accounts_put(lookup.account);
    return status;
}
