/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scope_backup.h"

#include <stdio.h>

#include "common/error.h"
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

static enum gk_status take_record(const struct gk_gateway *gateway, const char *path,
                                  const char *actor, struct gk_scope_backup *backup,
                                  struct gk_error *error)
{
    const struct gk_plugin_host *host = gateway->host;
    uint8_t *room = gk_buf_extend(&backup->record, GK_ACCOUNT_RECORD_BYTES_MAX);
    size_t len = 0;
    if (room == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = host->plugin->account_record_export(
        host->instance, path, actor, room, GK_ACCOUNT_RECORD_BYTES_MAX, &len, &backup->info, error);
    backup->record.len = len;
    if (status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static enum gk_status take(const struct gk_gateway *gateway,
                           const struct gk_gateway_account *account, const char *name,
                           const char *actor, struct gk_scope_backup *backup,
                           struct gk_error *error)
{
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_scope scope;
    snprintf(backup->name, sizeof backup->name, "%s", name);
    gk_scope_path(account->name, name, path);
    const enum gk_status status = gk_scope_find(gateway, account, name, &scope, error);
    if (status != GK_OK) {
        return status;
    }
    backup->disabled = scope.disabled;
    return take_record(gateway, path, actor, backup, error);
}

static enum gk_status take_all(const struct gk_gateway *gateway,
                               const struct gk_gateway_account *account, const struct gk_buf *names,
                               const char *actor, gk_scope_backup_visit_fn *visit, void *visit_ctx,
                               struct gk_error *error)
{
    enum gk_status status = GK_OK;
    bool more = true;
    for (size_t at = 0; status == GK_OK && more && at < names->len;) {
        const char *name = (const char *)names->data + at;
        struct gk_scope_backup backup;
        at += strlen(name) + 1;
        gk_scope_backup_init(&backup);
        status = take(gateway, account, name, actor, &backup, error);
        more = status == GK_OK && visit(visit_ctx, &backup);
        gk_scope_backup_cleanup(&backup);
    }
    return status;
}

enum gk_status gk_scope_backups_take(struct gk_gateway *gateway, const char *account,
                                     const char *actor, gk_scope_backup_visit_fn *visit,
                                     void *visit_ctx, struct gk_error *error)
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
        status = take_all(gateway, of, &names, actor, visit, visit_ctx, error);
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

/* Nothing undoes a shredding, nor one that has only begun. */
static enum gk_status check(void *ctx, struct gk_account *candidate, const struct gk_id *id,
                            struct gk_attr *beside, struct gk_error *error)
{
    (void)candidate, (void)id, (void)beside;
    const struct restoring *restoring = ctx;
    bool shredded = false;
    const enum gk_status status =
        gk_shredded_has(restoring->gateway->store, &restoring->account->id, &shredded, error);
    return status == GK_OK && shredded
               ? gk_fail_http(error, GK_E_INVALID, 409, "AccountShredded",
                              "The account of this backup was shredded, which nothing undoes; "
                              "destroy the backup.")
               : status;
}

/* That the account has it: its row may have been lost as well. */
static enum gk_status keep_row(const struct restoring *restoring,
                               const struct gk_scope_backup *backup, struct gk_error *error)
{
    struct gk_scope scope;
    const enum gk_status status =
        gk_scope_find(restoring->gateway, restoring->account, backup->name, &scope, error);
    if (status != GK_E_NOT_FOUND) {
        return status;
    }
    gk_error_clear(error);
    return gk_scope_put(restoring->gateway, restoring->account, backup->name, backup->disabled,
                        error);
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
        status = keep_row(&restoring, backup, error);
    }
    gk_accounts_put(of);
    return status;
}
