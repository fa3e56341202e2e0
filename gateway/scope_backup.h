/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of encryption scopes: of each the plugin's record, as it is stored, with the scope's wrapped root key, and
 * whether the scope was disabled. A scope is restored into the account that it is of, which is there already; where that
 * knows the scope still, whether it is disabled stays as it is. Any thread. BLOCKS as account_backup.h.
 */
#ifndef GATEWAY_SCOPE_BACKUP_H
#define GATEWAY_SCOPE_BACKUP_H

#include "common/buf.h"
#include "gateway/gateway.h"

struct gk_scope_backup {
    char name[GK_SCOPE_NAME_BYTES_MAX];
    bool disabled; /* also when the account's row of it is damaged, which a restore writes anew */
    struct gk_account_record_info info; /* what the record says; a restore does not need it */
    struct gk_buf record; /* the plugin's, owned; empty: there is none that is whole */
};

void gk_scope_backup_init(struct gk_scope_backup *backup);
void gk_scope_backup_cleanup(struct gk_scope_backup *backup);

/* False: there is no memory. The backup is good until it returns. */
typedef bool gk_scope_backup_visit_fn(void *ctx, const struct gk_scope_backup *backup);
/* All scopes of the account, in the order of their names. There is no event of it: who hands them out tells how many they
 * are. One whose record is lost or damaged comes without it, and is no reason for the others to go without a backup.
 * GK_E_RESOURCE: visit had no memory. */
enum gk_status gk_scope_backups_take(struct gk_gateway *gateway, const char *account,
                                     gk_scope_backup_visit_fn *visit, void *visit_ctx,
                                     struct gk_error *error) GK_MUST_USE;

/* backup->info is what is stored then. GK_E_NOT_FOUND: there is no such account. GK_E_INVALID as struct gk_plugin describes
 * it for an account, and 409 AccountShredded of an account that was shredded, also while the vault was asked:
 * nothing is left of it then, or the log says that it could not be removed. */
enum gk_status gk_scope_backup_restore(struct gk_gateway *gateway, const char *account,
                                       struct gk_scope_backup *backup, bool replace_settings,
                                       const struct gk_call *call,
                                       struct gk_error *error) GK_MUST_USE;

#endif
