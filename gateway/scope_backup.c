/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scope_backup.h"

#include <stdio.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/account_backup.h"
#include "gateway/blob/scopes.h"
#include "gateway/shredded.h"

void gk_scope_backup_init(struct gk_scope_backup *backup)
{
    *backup = (struct gk_scope_backup){0};
    gk_buf_init(&backup->record, GK_ACCOUNT_RECORD_BYTES_MAX);
}

void gk_scope_backup_cleanup(struct gk_scope_backup *backup)
{
    gk_buf_cleanup(&backup->record);
}

/* --- taking --------------------------------------------------------------------------------------*/

/* Without an event; who hands scopes out tells of all. */
static enum gk_status take_record(const struct gk_gateway *gateway, const char *path,
                                  struct gk_scope_backup *backup, struct gk_error *error)
{
    const enum gk_status status =
        gk_account_record_take(gateway, path, "", &backup->record, &backup->info, error);
    if (status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static enum gk_status take(const struct gk_gateway *gateway,
                           const struct gk_gateway_account *account, const char *name,
                           struct gk_scope_backup *backup, struct gk_error *error)
{
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_scope scope;
    snprintf(backup->name, sizeof backup->name, "%s", name);
    gk_scope_path(account->name, name, path);
    const enum gk_status status = gk_scope_find(gateway, account, name, &scope, error);
    if (status == GK_E_INTEGRITY) {
        gk_error_clear(error);
    } else if (status != GK_OK) {
        return status;
    }
    /* Of a row that is damaged nobody knows: nothing new is to be written under the scope by that. */
    backup->disabled = status == GK_E_INTEGRITY || scope.disabled;
    return take_record(gateway, path, backup, error);
}

static enum gk_status take_all(const struct gk_gateway *gateway,
                               const struct gk_gateway_account *account, const struct gk_buf *names,
                               gk_scope_backup_visit_fn *visit, void *visit_ctx,
                               struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t at = 0; status == GK_OK && at < names->len;) {
        const char *name = (const char *)names->data + at;
        struct gk_scope_backup backup;
        at += strlen(name) + 1;
        gk_scope_backup_init(&backup);
        status = take(gateway, account, name, &backup, error);
        if (status == GK_OK && !visit(visit_ctx, &backup)) {
            status = gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        gk_scope_backup_cleanup(&backup);
    }
    return status;
}

enum gk_status gk_scope_backups_take(struct gk_gateway *gateway, const char *account,
                                     gk_scope_backup_visit_fn *visit, void *visit_ctx,
                                     struct gk_error *error)
{
    struct gk_gateway_account *of = NULL;
    struct gk_buf names;
    enum gk_status status = gk_accounts_get(gateway->accounts, account, &of, error);
    if (status != GK_OK) {
        return status;
    }
    gk_buf_init(&names, GK_SCOPES_STORED_BYTES_MAX);
    status = gk_scopes_list(gateway, of->name, &names, error);
    if (status == GK_OK) {
        status = take_all(gateway, of, &names, visit, visit_ctx, error);
    }
    gk_buf_cleanup(&names);
    gk_accounts_put(of);
    return status;
}

/* --- restoring -----------------------------------------------------------------------------------*/

struct restoring {
    const struct gk_gateway *gateway;
    const struct gk_gateway_account *account;
};

static enum gk_status refuse_shredded(const struct restoring *restoring, struct gk_error *error)
{
    return gk_shredded_refuse(restoring->gateway, restoring->account->name, &restoring->account->id,
                              false, error);
}

static enum gk_status check(void *ctx, struct gk_account *candidate, const struct gk_id *id,
                            struct gk_attr *beside, struct gk_error *error)
{
    (void)candidate, (void)id, (void)beside;
    const struct restoring *restoring = ctx;
    return refuse_shredded(restoring, error);
}

static void take_back(const struct restoring *restoring, const char *path, const struct gk_id *id)
{
    struct gk_error error = {0};
    bool removed = false;
    if (gk_account_record_take_back(restoring->gateway, path, id, &removed, &error) != GK_OK) {
        gk_log(GK_LOG_ERROR, "accounts",
               "the scope %s of an account that is shredded was restored meanwhile, and cannot be "
               "taken back: gatekeyctl scrub --remove does so: %s",
               path, error.message);
    }
    if (removed) {
        gk_scope_remove(restoring->gateway, path, 0);
    }
}

/* That the account has it: its row may have been lost or damaged as well. Written in any case, for a shredding that has
 * noted the account without this scope begins anew when the account is changed. */
static enum gk_status keep_row(const struct restoring *restoring,
                               const struct gk_scope_backup *backup, struct gk_error *error)
{
    struct gk_scope scope = {.disabled = backup->disabled};
    const enum gk_status status =
        gk_scope_find(restoring->gateway, restoring->account, backup->name, &scope, error);
    if (status != GK_OK && status != GK_E_NOT_FOUND && status != GK_E_INTEGRITY) {
        return status;
    }
    gk_error_clear(error);
    return gk_scope_put(restoring->gateway, restoring->account, backup->name,
                        status == GK_OK ? scope.disabled : backup->disabled, error);
}

/* The vault was waited for since check(), and a shredding that began meanwhile may have passed the scope: its evidence
 * tells of wraps that are gone. */
static enum gk_status settle(const struct restoring *restoring,
                             const struct gk_scope_backup *backup, const char *path,
                             struct gk_error *error)
{
    enum gk_status status = refuse_shredded(restoring, error);
    if (status == GK_OK) {
        status = keep_row(restoring, backup, error);
    }
    if (status == GK_E_INVALID || status == GK_E_NOT_FOUND) { /* shredded, or gone since */
        take_back(restoring, path, &backup->info.id);
    }
    return status;
}

enum gk_status gk_scope_backup_restore(struct gk_gateway *gateway, const char *account,
                                       struct gk_scope_backup *backup, bool replace_settings,
                                       const struct gk_call *call, struct gk_error *error)
{
    const struct gk_plugin_host *host = gateway->host;
    struct gk_gateway_account *of = NULL;
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    enum gk_status status = gk_accounts_get(gateway->accounts, account, &of, error);
    if (status != GK_OK) {
        return status;
    }
    struct restoring restoring = {.gateway = gateway, .account = of};
    const struct gk_account_restore asked = {.record = gk_buf_span(&backup->record),
                                             .replace_settings = replace_settings,
                                             .check = check,
                                             .check_ctx = &restoring};
    gk_scope_path(of->name, backup->name, path);
    status = host->plugin->account_record_restore(host->instance, path, &asked, call, &backup->info,
                                                  error);
    if (status == GK_OK) {
        status = settle(&restoring, backup, path, error);
    }
    gk_accounts_put(of);
    return status;
}
