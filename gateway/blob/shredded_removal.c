/* SPDX-License-Identifier: Apache-2.0 */
/* What is noted of shreddings whose accounts are there. */
#include <stdio.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/blob/removal.h"
#include "gateway/shredded.h"

struct review {
    struct gk_gateway *gateway;
    gk_removal_stop_fn *stop;
    void *stop_ctx;
};

/* --- accounts that have come back ---------------------------------------------------------------*/

struct taking_back {
    const struct review *review;
    const struct gk_shredded *note;
    bool told; /* that it begins */
};

static struct gk_audit_event event_of(enum gk_audit_event_id event, const char *account,
                                      const char *detail)
{
    return (struct gk_audit_event){.event = event,
                                   .account = account,
                                   .key_id = "",
                                   .outcome = "ok",
                                   .reason = "",
                                   .detail = detail,
                                   .request_id = "",
                                   .actor = ""};
}

/* What has the name by now may be a later account. */
static enum gk_status begin(void *ctx, const struct gk_gateway_account *account,
                            struct gk_error *error)
{
    struct taking_back *taking = ctx;
    if (!gk_id_equal(&account->id, &taking->note->id)) {
        return gk_fail(error, GK_E_NOT_FOUND, "it is another account");
    }
    if (!taking->told) {
        char id[GK_UUID_TEXT_BYTES];
        char detail[GK_UUID_TEXT_BYTES + 64];
        gk_id_format(&account->id, id);
        snprintf(detail, sizeof detail, "account %s: it was shredded, and has come back", id);
        const struct gk_audit_event told =
            event_of(GK_AUDIT_ACCOUNT_DELETE_BEGIN, account->name, detail);
        gk_plugin_host_audit(taking->review->gateway->host, &told);
        taking->told = true;
    }
    return GK_OK;
}

/* Of a restore that ended between its write and its second look at the note. It may have got containers since. */
static void take_back(const struct review *review, const struct gk_shredded *note,
                      const char *account)
{
    struct gk_plugin_host *host = review->gateway->host;
    struct taking_back taking = {.review = review, .note = note};
    struct gk_error error = {0};
    const enum gk_status status =
        gk_removal_account(review->gateway, account, begin, &taking, &error);
    const struct gk_audit_event told =
        event_of(GK_AUDIT_ACCOUNT_DELETE, account, "the root key is destroyed");
    if (status == GK_OK) {
        gk_plugin_host_audit(host, &told);
        gk_log(
            GK_LOG_ERROR, "reaper",
            "account %s, which was shredded, had come back and is deleted: a restore of it broke "
            "off, or somebody has written to the store",
            account);
    } else if (status != GK_E_NOT_FOUND) {
        gk_plugin_host_audit_failure(host, &told, status, &error);
        gk_log(GK_LOG_ERROR, "reaper",
               "account %s, which was shredded, has come back and cannot be deleted: %s", account,
               error.message);
    }
}

/* --- all notes ----------------------------------------------------------------------------------*/

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
    if (json_is_string(json_object_get(note->about, "verified"))) {
        take_back(review, note, account);
        return GK_OK;
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
