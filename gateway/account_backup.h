/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of accounts: the two attributes that nothing else can replace, as they are stored. The
 * plugin's record has the wrapped root key, the profile the access keys; both are sealed or
 * authenticated under the service key, and neither has a key in the clear. Containers and blobs are
 * not in it.
 *
 * Encryption scopes (scope_backup.h) are backed up and restored one by one: each has an object of its own.
 *
 * A restore is the plugin's (account_record_restore); it asks here whether the store's containers
 * are of the account that would come back. Both attributes are written in one step.
 *
 * Any thread. BLOCKS on the store, and a restore on the vault.
 */
#ifndef GATEWAY_ACCOUNT_BACKUP_H
#define GATEWAY_ACCOUNT_BACKUP_H

#include "common/buf.h"
#include "gateway/gateway.h"

struct gk_account_backup {
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    struct gk_account_record_info info; /* what the record says; a restore does not need it */
    struct gk_buf record;               /* the plugin's, owned */
    struct gk_buf profile;              /* ours, owned */
};

void gk_account_backup_init(struct gk_account_backup *backup);
void gk_account_backup_cleanup(struct gk_account_backup *backup);

/* Fills backup, which was initialised, for actor (struct gk_call). GK_E_NOT_FOUND; GK_E_INTEGRITY: one of the two is damaged,
 * and is no backup. */
enum gk_status gk_account_backup_take(struct gk_gateway *gateway, const char *name,
                                      const char *actor, struct gk_account_backup *backup,
                                      struct gk_error *error) GK_MUST_USE;

/* The record alone, of an account or of a scope's path, into record (GK_ACCOUNT_RECORD_BYTES_MAX), as account_record_export of
 * struct gk_plugin: empty when it fails. */
enum gk_status gk_account_record_take(const struct gk_gateway *gateway, const char *path,
                                      const char *actor, struct gk_buf *record,
                                      struct gk_account_record_info *info,
                                      struct gk_error *error) GK_MUST_USE;

/* Removes the object of an account, or of a scope's path, that a restore wrote, whoever changes it meanwhile. One that has the
 * name by now with another id stays, and none is fine. *removed: it is, and is still to be forgotten. */
enum gk_status gk_account_record_take_back(const struct gk_gateway *gateway, const char *path,
                                           const struct gk_id *id, bool *removed,
                                           struct gk_error *error) GK_MUST_USE;

struct gk_account_backup_wish {
    bool replace_settings; /* the backup's key settings, though the present ones are others */
    bool replace_profile;  /* the backup's access keys, though the present ones can be read */
};

/* backup->info is what is stored then; *profile_restored tells whether the profile is the backup's.
 * GK_E_INVALID as struct gk_plugin describes it, 409 AccountBackupOfAnotherAccount for
 * containers that the account would not open, and 409 AccountShredded of one that was shredded, also while the vault was
 * asked: nothing is left of it then, or the log says that it could not be removed. */
enum gk_status gk_account_backup_restore(struct gk_gateway *gateway,
                                         struct gk_account_backup *backup,
                                         const struct gk_account_backup_wish *wish,
                                         const struct gk_call *call, bool *profile_restored,
                                         struct gk_error *error) GK_MUST_USE;

#endif
