/* SPDX-License-Identifier: Apache-2.0 */
/* Notes of shreddings whose accounts are there. */
#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/removal.h"
#include "gateway/shredded.h"

struct review {
    struct gk_gateway *gateway;
    gk_removal_stop_fn *stop;
    void *stop_ctx;
};

/* What is noted of one that lives on may be wrong by the time that it goes, and is no evidence of how it goes. */
static enum gk_status review_note(const struct review *review, const struct gk_shredded *note,
                                  const char *account, struct gk_error *error)
{
    struct gk_gateway *gateway = review->gateway;
    enum gk_account_presence presence = GK_PRESENCE_UNKNOWN;
    const enum gk_status status =
        gk_accounts_presence(gateway->accounts, account, &note->id, &presence, error);
    if (status != GK_OK || presence != GK_PRESENCE_THERE) {
        return status;
    }
    const int64_t broken_off_wall_ms = gk_clock_wall_ms(&gateway->clock) - GK_REMOVAL_BROKEN_OFF_MS;
    return gk_shredded_withdraw(gateway->store, &note->id, broken_off_wall_ms, error);
}

/* One that cannot be looked at now does not keep the others. */
static bool visit_note(void *ctx, const struct gk_shredded *note)
{
    const struct review *review = ctx;
    const char *account = json_string_value(json_object_get(note->about, "account"));
    struct gk_error error = {0};
    if (account != NULL && review_note(review, note, account, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "reaper", "the shredding of account %s is looked at later: %s",
               account, error.message);
    }
    return review->stop == NULL || !review->stop(review->stop_ctx);
}

enum gk_status gk_removal_shredded(struct gk_gateway *gateway, gk_removal_stop_fn *stop,
                                   void *stop_ctx, struct gk_error *error)
{
    struct review review = {.gateway = gateway, .stop = stop, .stop_ctx = stop_ctx};
    return gk_shredded_list(gateway->store, visit_note, &review, error);
}
