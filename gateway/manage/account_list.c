/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage Accounts: List, List By Resource Group, and the operator's own list of all.
 *
 * An account that cannot be read does not keep the others from being listed. The operator's list shows
 * it with what is wrong. Where it is filed stands in the part that cannot be read, so the lists of a
 * subscription leave it out; while the store is silent they fail, for a client must not take an account
 * for deleted that will be there in a minute.
 *
 * A page is of so many accounts that were looked at, wherever they are filed: what a request costs is bounded.
 */
#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/list_page.h"

/* Each account that a silent store is asked for costs the store's time-out: after so many, the rest are
 * shown without being asked for. */
#define SILENT_MAX 3u
#define PAGE_MAX   1000u

struct listing {
    struct gk_manage *manage;
    const struct gk_manage_path *path;
    json_t *values;
    uint32_t page_size;
    uint32_t looked_at;
    char last[GK_ACCOUNT_NAME_BYTES_MAX]; /* of those */
    bool more;
    unsigned silent; /* accounts that the store has not answered for */
    enum gk_status status;
    struct gk_error *error;
};

/* --- the list -----------------------------------------------------------------------------------*/

static bool is_wanted(const struct listing *listing, const struct gk_managed_account *managed)
{
    const struct gk_manage_path *path = listing->path;
    if (path->route == GK_ROUTE_OWN_LIST) {
        return true;
    }
    if (path->route == GK_ROUTE_LIST_SUBSCRIPTION) {
        return strcasecmp(managed->arm.subscription, path->subscription) == 0;
    }
    return gk_managed_account_is_at(managed, path);
}

/* Takes value over. */
static void append(struct listing *listing, json_t *value)
{
    if (json_array_append_new(listing->values, value) != 0) {
        listing->status = gk_fail(listing->error, GK_E_RESOURCE, "out of memory");
    }
}

static void append_unreadable(struct listing *listing, const char *name, enum gk_status status,
                              struct gk_error *why)
{
    const bool ours = listing->path->route == GK_ROUTE_OWN_LIST;
    listing->silent += status == GK_E_UNAVAILABLE ? 1 : 0;
    if (status == GK_E_RESOURCE || (status == GK_E_UNAVAILABLE && !ours)) {
        listing->status = status;
        *listing->error = *why;
    } else if (ours) {
        append(listing,
               json_pack("{s:s, s:o}", "name", name, "error", gk_manage_error_json(why, status)));
    }
}

static bool list_one(void *ctx, const char *name)
{
    struct listing *listing = ctx;
    struct gk_managed_account managed = {0};
    struct gk_error why = {0};
    if (listing->looked_at == listing->page_size) {
        listing->more = true;
        return false;
    }
    listing->looked_at++;
    snprintf(listing->last, sizeof listing->last, "%s", name);
    const enum gk_status status =
        listing->silent < SILENT_MAX
            ? gk_managed_account_look(listing->manage, name, &managed, &why)
            : gk_fail(&why, GK_E_UNAVAILABLE,
                      "not asked for: the store has not answered for others");
    if (status == GK_OK && is_wanted(listing, &managed)) {
        append(listing, gk_managed_account_json(listing->manage, &managed));
    } else if (status != GK_OK && status != GK_E_NOT_FOUND) {
        append_unreadable(listing, name, status, &why);
    }
    gk_managed_account_cleanup(&managed);
    return listing->status == GK_OK;
}

enum gk_status gk_manage_account_list(struct gk_manage *manage, const struct gk_manage_path *path,
                                      const struct gk_manage_request *request,
                                      struct gk_manage_answer *answer, struct gk_error *error)
{
    struct listing listing = {.manage = manage, .path = path, .status = GK_OK, .error = error};
    enum gk_status status = gk_list_page_size(request, PAGE_MAX, &listing.page_size, error);
    if (status != GK_OK) {
        return status;
    }
    listing.values = json_array();
    status =
        gk_accounts_list(manage->gateway->accounts, request->skip_token, list_one, &listing, error);
    status = status == GK_OK ? listing.status : status;
    if (status != GK_OK) {
        json_decref(listing.values);
        return status;
    }
    json_t *list = json_pack("{s:o}", "value", listing.values);
    if (listing.more) {
        gk_list_page_next(list, request, listing.last);
    }
    return gk_manage_answer_json(answer, 200, list, error);
}
