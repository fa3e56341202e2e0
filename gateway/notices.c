/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/notices.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"

struct gk_notices {
    struct gk_accounts *accounts;
    struct gk_plugin_host *host;
    struct gk_store_watch *watch;
};

void gk_notices_tell(struct gk_store *store, const char *account)
{
    gk_store_notify(store, GK_NOTICES_OBJECT, gk_span_str(account));
}

/* The profile first: who asks for the account from now on compares it with the store. */
static void look_again(struct gk_accounts *accounts, struct gk_plugin_host *host, const char *name)
{
    gk_accounts_expire(accounts, name);
    host->plugin->account_changed(host->instance, name);
}

void gk_notices_obey(struct gk_accounts *accounts, struct gk_plugin_host *host,
                     struct gk_span notice)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    char name[GK_ACCOUNT_PATH_BYTES_MAX] = "";
    if (notice.len == 0) {
        gk_log(GK_LOG_INFO, "notices", "some may have been missed: all accounts are read again");
        look_again(accounts, host, NULL);
        return;
    }
    if (notice.len < sizeof name) {
        memcpy(name, notice.data, notice.len);
    }
    if (strlen(name) == notice.len && gk_account_object(name, object, NULL) == GK_OK) {
        look_again(accounts, host, name);
    } /* else it is a later version's, and we know nothing of what it tells */
}

static void hear(void *ctx, struct gk_span bytes)
{
    const struct gk_notices *notices = ctx;
    gk_notices_obey(notices->accounts, notices->host, bytes);
}

enum gk_status gk_notices_start(struct gk_store *store, struct gk_accounts *accounts,
                                struct gk_plugin_host *host, struct gk_notices **out,
                                struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    **out = (struct gk_notices){.accounts = accounts, .host = host};
    const enum gk_status status =
        gk_store_watch(store, GK_NOTICES_OBJECT, hear, *out, &(*out)->watch, error);
    if (status != GK_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

void gk_notices_stop(struct gk_notices *notices)
{
    if (notices != NULL) {
        gk_store_unwatch(notices->watch);
        free(notices);
    }
}
