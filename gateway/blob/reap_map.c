/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/reap.h"

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/container_expiry.h"
#include "gateway/blob/expiry.h"
#include "gateway/blob/garbage.h"
#include "gateway/blob/shared.h"

#define BATCH_ENTRIES 256u /* removed in one write */
#define BATCH_BYTES   (1u << 20)

/* Some entries of garbage, in the order they were freed, copied out of a walk. */
struct batch {
    struct gk_buf entries; /* key length 2 | key | value length 4 | value ... */
    size_t count;
    struct gk_buf last; /* key */
};

static bool collect(void *ctx, struct gk_span key, struct gk_span value)
{
    struct batch *batch = ctx;
    gk_buf_append_u16(&batch->entries, (uint16_t)key.len);
    gk_buf_append(&batch->entries, key.data, key.len);
    gk_buf_append_u32(&batch->entries, (uint32_t)value.len);
    gk_buf_append(&batch->entries, value.data, value.len);
    gk_buf_reset(&batch->last);
    gk_buf_append(&batch->last, key.data, key.len);
    batch->count++;
    return batch->count < BATCH_ENTRIES && batch->entries.len < BATCH_BYTES;
}

static enum gk_status next_batch(const struct gk_reap *reap, const char *object,
                                 struct batch *batch, struct gk_error *error)
{
    struct gk_buf after;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&after, batch->last.data, batch->last.len);
    const struct gk_map_range range = {.prefix = gk_span_str("g/"), .after = gk_buf_span(&after)};
    gk_buf_reset(&batch->entries);
    batch->count = 0;
    const enum gk_status status = gk_store_map_walk(reap->gateway->store, GK_POOL_META, object,
                                                    &range, collect, batch, error);
    gk_buf_cleanup(&after);
    return status == GK_OK ? gk_buf_status(&batch->entries) : status;
}

/* Of which map. */
struct reaping {
    const struct gk_reap *reap;
    struct gk_expiry_place where; /* of a container's index */
    const struct gk_removal *removal;
    const char *object;
};

/* What is due of a batch: all that it stands for, and the entries themselves. */
struct due {
    struct gk_garbage garbage;
    struct gk_change removals[BATCH_ENTRIES];
    size_t removals_count;
};

static bool is_of_kind(const struct gk_garbage *garbage, enum gk_garbage_kind kind)
{
    return garbage->count == 1 && garbage->items[0].kind == kind;
}

/* What may be freed in the future, and then is. */
static bool has_its_time(const struct gk_garbage *garbage)
{
    return is_of_kind(garbage, GK_GARBAGE_EXPIRED) ||
           is_of_kind(garbage, GK_GARBAGE_KEPT_CONTAINER) ||
           (garbage->count > 0 && garbage->items[0].kind == GK_GARBAGE_LOAN);
}

/* What an entry that is due stands for: to due, or, when a blob may still refer to some of it, removed as
 * far as none does. *stays: it is for another day. */
static enum gk_status take_garbage(const struct reaping *reaping, const struct gk_place *place,
                                   const struct gk_garbage *garbage, struct due *due, bool *stays,
                                   struct gk_error *error)
{
    if (is_of_kind(garbage, GK_GARBAGE_EXPIRED)) {
        return gk_expiry_remove(&reaping->where, gk_buf_span(&garbage->blob), stays, error);
    }
    if (is_of_kind(garbage, GK_GARBAGE_KEPT_CONTAINER)) {
        return gk_container_expire(reaping->where.gateway, reaping->where.account,
                                   gk_buf_span(&garbage->blob), error);
    }
    if (garbage->blob.len > 0) {
        return gk_shared_remove(reaping->removal, &place->container, reaping->object, garbage,
                                error);
    }
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < garbage->count && status == GK_OK; i++) {
        const struct gk_garbage_item *item = &garbage->items[i];
        if (item->kind == GK_GARBAGE_CONTAINER) {
            bool lent = false;
            status = gk_removal_container(reaping->removal, &item->id, gk_garbage_shards(item),
                                          &lent, error);
            *stays = *stays || lent;
        } else {
            gk_garbage_add(&due->garbage, item->kind, &item->id, item->number);
        }
    }
    return status;
}

static enum gk_status take_entry(const struct reaping *reaping, const struct gk_place *place,
                                 const struct gk_garbage *garbage, struct due *due,
                                 struct gk_error *error)
{
    bool stays = false;
    const enum gk_status status = take_garbage(reaping, place, garbage, due, &stays, error);
    if (status == GK_OK && !stays) {
        due->removals[due->removals_count++] =
            (struct gk_change){.kind = GK_CHANGE_MAP_REMOVE, .key = place->key};
    }
    return status;
}

/* Takes an entry; or *wait_ms tells how long it must still rest. */
static enum gk_status open_entry(const struct reaping *reaping, const struct gk_place *place,
                                 struct gk_span value, struct due *due, int64_t *wait_ms,
                                 struct gk_error *error)
{
    const struct gk_reap *reap = reaping->reap;
    struct gk_garbage garbage;
    int64_t freed_wall_ms = 0;
    struct gk_buf open;
    gk_garbage_init(&garbage);
    gk_buf_init(&open, GK_GARBAGE_BYTES_MAX);
    enum gk_status status = gk_value_open(place, value, &open, error);
    if (status == GK_OK) {
        status = gk_garbage_decode(gk_buf_span(&open), &garbage, &freed_wall_ms, error);
    }
    gk_buf_cleanup(&open);
    const int64_t rested = gk_clock_wall_ms(&reap->gateway->clock) - freed_wall_ms;
    /* What was freed in the future was freed by a clock that was wrong; what expires then is early. */
    if (status == GK_OK && (rested >= 0 || has_its_time(&garbage)) &&
        rested < (int64_t)reap->delay_ms) {
        *wait_ms = (int64_t)reap->delay_ms - rested;
    } else if (status == GK_OK) {
        status = take_entry(reaping, place, &garbage, due, error);
    }
    gk_garbage_cleanup(&garbage);
    return status;
}

/* Opens the batch's entries up to the first that still rests: those after it were freed later. One
 * that is not what was written stays, and does not keep the others: the next search looks at it again. */
static enum gk_status open_batch(const struct reaping *reaping, struct gk_place place,
                                 const struct batch *batch, struct due *due, int64_t *wait_ms,
                                 struct gk_error *error)
{
    struct gk_reader in = gk_reader_of(gk_buf_span(&batch->entries));
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < batch->count && status == GK_OK && *wait_ms < 0; i++) {
        place.key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
        status = open_entry(reaping, &place, value, due, wait_ms, error);
        if (status == GK_E_INTEGRITY) {
            gk_log(GK_LOG_WARNING, "reaper", "an entry of what is to be removed stays: %s",
                   error->message);
            gk_error_clear(error);
            status = GK_OK;
        }
    }
    return status == GK_OK && due->garbage.failed ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                  : status;
}

static enum gk_status drop_entries(const struct reaping *reaping, const struct due *due,
                                   struct gk_error *error)
{
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = reaping->object,
                                   .guards = &exists,
                                   .guards_count = 1,
                                   .changes = due->removals,
                                   .changes_count = due->removals_count};
    return due->removals_count == 0 ? GK_OK
                                    : gk_store_write(reaping->removal->store, &op, NULL, error);
}

static enum gk_status reap_batch(const struct reaping *reaping, const struct gk_place *place,
                                 const struct batch *batch, int64_t *wait_ms,
                                 struct gk_error *error)
{
    struct due due = {.removals_count = 0};
    gk_garbage_init(&due.garbage);
    enum gk_status status = open_batch(reaping, *place, batch, &due, wait_ms, error);
    if (status == GK_OK) {
        status = gk_removal_items(reaping->removal, &place->container, reaping->object,
                                  &due.garbage, error);
    }
    if (status == GK_OK) {
        status = drop_entries(reaping, &due, error);
    }
    gk_garbage_cleanup(&due.garbage);
    return status;
}

/* Goes through a map; *wait_ms tells when to come again, -1 for not at all. */
static enum gk_status reap_map(const struct reaping *reaping, int64_t *wait_ms,
                               struct gk_error *error)
{
    const struct gk_reap *reap = reaping->reap;
    const struct gk_place place = {.plugin = reaping->removal->plugin,
                                   .account = reaping->removal->account,
                                   .kind = GK_VALUE_GARBAGE,
                                   .container = reaping->where.container};
    struct batch batch = {.count = 0};
    gk_buf_init(&batch.entries, BATCH_BYTES + GK_MAP_VALUE_BYTES_MAX + GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&batch.last, GK_MAP_KEY_BYTES_MAX);
    *wait_ms = -1;
    enum gk_status status = next_batch(reap, reaping->object, &batch, error);
    while (status == GK_OK && batch.count > 0 && *wait_ms < 0 && !reap->stop(reap->stop_ctx)) {
        status = reap_batch(reaping, &place, &batch, wait_ms, error);
        if (status == GK_OK && *wait_ms < 0) {
            status = next_batch(reap, reaping->object, &batch, error);
        }
    }
    gk_buf_cleanup(&batch.entries);
    gk_buf_cleanup(&batch.last);
    return status == GK_E_NOT_FOUND ? GK_OK : status; /* the map went as a whole */
}

enum gk_status gk_reap_place(const struct gk_reap *reap, const struct gk_reap_place *place,
                             int64_t *wait_ms, struct gk_error *error)
{
    struct gk_gateway *gateway = reap->gateway;
    struct gk_gateway_account *account = NULL;
    *wait_ms = -1;
    enum gk_status status = gk_accounts_get(gateway->accounts, place->account, &account, error);
    if (status == GK_E_NOT_FOUND) { /* deleted: its mark tells what to remove */
        gk_error_clear(error);
        return GK_OK;
    }
    if (status != GK_OK) {
        return status;
    }
    const struct gk_removal removal = {.store = gateway->store,
                                       .plugin = gateway->host->plugin,
                                       .account = account->handle,
                                       .gateway = gateway,
                                       .owner = account,
                                       .stop = reap->stop,
                                       .stop_ctx = reap->stop_ctx};
    char index[GK_INDEX_NAME_BYTES];
    gk_index_name(&place->container, place->shard, index);
    const struct reaping reaping = {
        .reap = reap,
        .where = {.gateway = gateway,
                  .account = account,
                  .container = place->of_account ? account->id : place->container,
                  .shard = place->shard},
        .removal = &removal,
        .object = place->of_account ? account->object : index};
    status = reap_map(&reaping, wait_ms, error);
    gk_accounts_put(account);
    return status;
}
