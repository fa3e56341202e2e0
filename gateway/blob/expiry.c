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

/* With which opening its shard is open does not matter: the base is written as who knows its name would. */
static enum gk_status remove_locked(struct expiry *expiry, bool *stays, struct gk_error *error)
{
    const struct gk_states_change change = {.ctx = expiry, .state = end_state, .base = end_base};
    bool closed = false;
    enum gk_status status = gk_blob_target_fetch(&expiry->request, &expiry->base, &closed, error);
    *stays = closed || (status == GK_OK && is_held(expiry));
    if (status == GK_OK && closed) {
        return GK_OK;
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
        .now_wall_ms = gk_clock_wall_ms(&place->gateway->clock)};
    struct gk_blob_target *base = &expiry.base;
    gk_blob_target_name(base, &place->container, place->shard, blob);
    enum gk_status status = gk_record_lock_write(base, error);
    if (status == GK_OK) {
        status = remove_locked(&expiry, stays, error);
        gk_record_unlock(base);
    }
    gk_blob_target_cleanup(base);
    return status;
}
