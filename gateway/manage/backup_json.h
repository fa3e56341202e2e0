/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that a backup of an account is kept in: a JSON object, docs/format.md. What is read of it
 * are format, version, account, record and profile, and of each of its scopes name, disabled and record; the rest is
 * for people, and authenticated by nothing.
 */
#ifndef GATEWAY_MANAGE_BACKUP_JSON_H
#define GATEWAY_MANAGE_BACKUP_JSON_H

#include <jansson.h>

#include "gateway/account_backup.h"
#include "gateway/scope_backup.h"

/* NULL when memory is out. The caller owns it. scopes, of gk_scope_backup_json, is taken over. */
json_t *gk_backup_json(const struct gk_account_backup *backup, int64_t wall_ms, json_t *scopes);
json_t *gk_scope_backup_json(const struct gk_scope_backup *backup);

/* One member of the file's scopes. As the next. */
enum gk_status gk_scope_backup_json_read(const json_t *json, struct gk_scope_backup *backup,
                                         struct gk_error *error) GK_MUST_USE;
/* The file without its scopes. Fills backup, which was initialised. 400 AccountBackupInvalid names what is wrong. */
enum gk_status gk_backup_json_read(const json_t *json, struct gk_account_backup *backup,
                                   struct gk_error *error) GK_MUST_USE;

#endif
