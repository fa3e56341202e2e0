/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/index.h"

#include <stdlib.h>

#include "common/error.h"

#define STEP 64u /* shards that are under way together */

static const uint8_t closed_value[] = {1};

void gk_index_guards(struct gk_guard guards[GK_INDEX_GUARDS])
{
    guards[0] = (struct gk_guard){.kind = GK_GUARD_EXISTS};
    guards[1] = (struct gk_guard){.kind = GK_GUARD_MAP_ABSENT, .key = gk_span_str(GK_CLOSED_KEY)};
}

/* What is written to each shard. */
struct shard_write {
    const struct gk_guard *guards;
    size_t guards_count;
    struct gk_change change;
};

static enum gk_status write_some(struct gk_store *store, const struct gk_id *container,
                                 uint32_t first, uint32_t count, const struct shard_write *write,
                                 struct gk_error *error)
{
    char names[STEP][GK_INDEX_NAME_BYTES];
    struct gk_write_op ops[STEP];
    for (uint32_t i = 0; i < count; i++) {
        gk_index_name(container, first + i, names[i]);
        ops[i] = (struct gk_write_op){.pool = GK_POOL_META,
                                      .object = names[i],
                                      .guards = write->guards,
                                      .guards_count = write->guards_count,
                                      .changes = &write->change,
                                      .changes_count = 1};
    }
    return gk_store_write_many(store, ops, count, error);
}

enum gk_status gk_index_create(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error)
{
    const struct shard_write write = {.change = {.kind = GK_CHANGE_CREATE}};
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < shards && status == GK_OK; at += STEP) {
        const uint32_t left = shards - at;
        status = write_some(store, container, at, left < STEP ? left : STEP, &write, error);
    }
    return status;
}

/* Where one of several is missing the others' errors are not told: each by itself then. */
static enum gk_status close_some(struct gk_store *store, const struct gk_id *container,
                                 uint32_t first, uint32_t count, const struct shard_write *write,
                                 struct gk_error *error)
{
    enum gk_status status = write_some(store, container, first, count, write, error);
    if (status != GK_E_NOT_FOUND) {
        return status;
    }
    status = GK_OK;
    for (uint32_t i = 0; i < count && status == GK_OK; i++) {
        status = write_some(store, container, first + i, 1, write, error);
        if (status == GK_E_NOT_FOUND) {
            status = GK_OK;
        }
    }
    return status;
}

enum gk_status gk_index_close(struct gk_store *store, const struct gk_id *container,
                              uint32_t shards, struct gk_error *error)
{
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_EXISTS},
        {.kind = GK_GUARD_MAP_ABSENT, .key = gk_span_str(GK_PROTECTED_KEY)}};
    const struct shard_write write = {
        .guards = guards,
        .guards_count = 2,
        .change = {.kind = GK_CHANGE_MAP_SET,
                   .key = gk_span_str(GK_CLOSED_KEY),
                   .value = gk_span_of(closed_value, sizeof closed_value)}};
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < shards && status == GK_OK; at += STEP) {
        const uint32_t left = shards - at;
        status = close_some(store, container, at, left < STEP ? left : STEP, &write, error);
    }
    if (status == GK_OK) {
        gk_error_clear(error);
    }
    return status;
}

enum gk_status gk_index_remove(struct gk_store *store, const struct gk_id *container,
                               uint32_t shards, struct gk_error *error)
{
    char names[STEP][GK_INDEX_NAME_BYTES];
    const char *pointers[STEP];
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < shards && status == GK_OK; at += STEP) {
        const uint32_t count = shards - at < STEP ? shards - at : STEP;
        for (uint32_t i = 0; i < count; i++) {
            gk_index_name(container, at + i, names[i]);
            pointers[i] = names[i];
        }
        status = gk_store_remove(store, GK_POOL_META, pointers, count, error);
    }
    return status;
}
