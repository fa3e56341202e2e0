/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/expiry.h"

#include "common/error.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states_change.h"

struct expiry {
    struct gk_request request; /* of nobody: the gateway and the account, for what writes blobs */
    struct gk_blob_target base;
    int64_t now_wall_ms;
};

static bool expired(const struct expiry *expiry, const struct gk_blob_target *target)
{
    const struct gk_history *history = &target->record.history;
    return target->ended ||
           (history->deleted_wall_ms != 0 && history->kept_until_wall_ms <= expiry->now_wall_ms);
}

/* Its lifetime is over, and it is there all the same. */
static bool is_held(const struct expiry *expiry)
{
    return expiry->base.committed &&
           gk_lifetime_is_over(&expiry->base.record.lifetime, expiry->now_wall_ms);
}

static enum gk_status end_state(void *ctx, struct gk_blob_write *write,
                                struct gk_blob_target *state, enum gk_state_action *action,
                                struct gk_error *error)
{
    (void)write, (void)error;
    *action = expired(ctx, state) ? GK_STATE_REMOVE : GK_STATE_KEEP;
    return GK_OK;
}

static enum gk_status end_base(void *ctx, struct gk_blob_write *write, struct gk_blob_target *base,
                               bool remain, struct gk_error *error)
{
    struct expiry *expiry = ctx;
    if (!expired(expiry, base)) {
        return gk_state_settle_base(write, &expiry->request, base, remain, error);
    }
    const enum gk_status status =
        gk_blob_write_discard_staged(write, &expiry->request, base, error);
    if (status != GK_OK) {
        return status;
    }
    gk_blob_write_drop(write, base);
    return gk_state_remove_base(write, &expiry->request, base, remain, error);
}

/* Empty when there is none. */
static enum gk_status read_base(struct expiry *expiry, struct gk_error *error)
{
    struct gk_blob_target *base = &expiry->base;
    const enum gk_status status = gk_value_get(expiry->request.gateway->store, base->index,
                                               gk_buf_span(&base->key), &base->stored, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status == GK_OK ? gk_blob_target_open(&expiry->request, base, error) : status;
}

/* With which opening it is open does not matter here: the base is written as who knows its name would. */
static enum gk_status look_at_door(struct expiry *expiry, bool *stays, struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    const enum gk_status status = gk_value_get(expiry->request.gateway->store, expiry->base.index,
                                               gk_span_str(GK_DOOR_KEY), &value, error);
    const struct gk_index_door door = gk_index_door_of(gk_buf_span(&value));
    gk_buf_cleanup(&value);
    *stays = door.closed;
    expiry->base.opening = door.opening;
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static enum gk_status remove_locked(struct expiry *expiry, bool *stays, struct gk_error *error)
{
    const struct gk_states_change change = {.ctx = expiry, .state = end_state, .base = end_base};
    enum gk_status status = look_at_door(expiry, stays, error);
    if (status == GK_OK && !*stays) {
        status = read_base(expiry, error);
        *stays = is_held(expiry);
    }
    return status == GK_OK && expiry->base.stored.len > 0
               ? gk_states_change(&expiry->request, &expiry->base, &change, error)
               : status;
}

enum gk_status gk_expiry_remove(const struct gk_expiry_place *place, struct gk_span blob,
                                bool *stays, struct gk_error *error)
{
    struct expiry expiry = {
        .request = {.gateway = place->gateway, .account = place->account, .container = ""},
        .base = {.container = place->container, .shard = place->shard},
        .now_wall_ms = gk_clock_wall_ms(&place->gateway->clock)};
    struct gk_blob_target *base = &expiry.base;
    gk_index_name(&base->container, base->shard, base->index);
    gk_buf_init(&base->key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&base->stored, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&base->beside, GK_CHUNK_SEALED_BYTES);
    gk_buf_append_str(&base->key, "b/");
    gk_buf_append(&base->key, blob.data, blob.len);
    enum gk_status status = gk_record_lock_write(base, error);
    if (status == GK_OK) {
        status = remove_locked(&expiry, stays, error);
        gk_record_unlock(base);
    }
    gk_blob_target_cleanup(base);
    return status;
}
