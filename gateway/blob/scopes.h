/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encryption scopes of an account ("Encryption scopes for Blob storage"; Storage resource provider,
 * "Encryption Scopes"). A scope's key is the plugin's, under the name "account/scope" (plugin.h). What the
 * gateway keeps of it is a record in the account's map, under "e/<scope>":
 *   version, 1 | disabled 1 | created 8 | modified 8
 * It is read anew whenever it is asked for: a scope that was disabled through another gateway is disabled.
 * Scopes are never deleted but with their account. Any thread.
 */
#ifndef GATEWAY_BLOB_SCOPES_H
#define GATEWAY_BLOB_SCOPES_H

#include "gateway/accounts.h"
#include "gateway/gateway.h"
#include "gateway/http/request.h"

#define GK_SCOPE_KEY_KIND "e/"
/* How requests and answers call the account's own key, where a scope could stand. */
#define GK_SCOPE_OF_ACCOUNT "$account-encryption-key"
#define GK_SCOPES_MAX       10000u /* of an account, as documented */

struct gk_scope {
    bool disabled;
    int64_t created_wall_ms;
    int64_t modified_wall_ms;
};

/* "account/scope" */
void gk_scope_path(const char *account, const char *scope, char path[GK_ACCOUNT_PATH_BYTES_MAX]);

/* GK_E_NOT_FOUND: the account has none of that name. */
enum gk_status gk_scope_find(const struct gk_gateway *gateway,
                             const struct gk_gateway_account *account, const char *name,
                             struct gk_scope *scope, struct gk_error *error) GK_MUST_USE;
/* Makes the record or changes it, now, also in place of one that is damaged; the plugin has the scope already. GK_E_NOT_FOUND: the account is
 * gone; GK_E_CONFLICT: it is written all the time. */
enum gk_status gk_scope_put(const struct gk_gateway *gateway,
                            const struct gk_gateway_account *account, const char *name,
                            bool disabled, struct gk_error *error) GK_MUST_USE;
/* All names of an account's, in order, each with its NUL, appended to names. */
enum gk_status gk_scopes_list(const struct gk_gateway *gateway, const char *account,
                              struct gk_buf *names, struct gk_error *error) GK_MUST_USE;
/* What the plugin stores of all of them, as it is now, appended to stored: for who is about to delete the
 * account. */
enum gk_status gk_scopes_stored(const struct gk_gateway *gateway,
                                const struct gk_gateway_account *account, struct gk_buf *stored,
                                struct gk_error *error) GK_MUST_USE;
/* Their account was deleted: removes that, unless it is a later account's by now, and what memory has of them.
 * What cannot be removed scrub finds; no later account of that name can use it. */
void gk_scopes_remove(const struct gk_gateway *gateway, const char *account,
                      const struct gk_buf *stored);
/* The same of the one at this path, whose object has this version; 0: it is gone, and only to be forgotten. */
void gk_scope_remove(const struct gk_gateway *gateway, const char *path, uint64_t version);
#define GK_SCOPES_STORED_BYTES_MAX (GK_SCOPES_MAX * (size_t)(GK_SCOPE_NAME_BYTES_MAX + 10u))

/*
 * The scope of that name for what the request does, by the same table that the account was asked by:
 * *handle is the plugin's, released by the caller. of_new: for a blob that is made, and gets a data key. 404
 * ResourceNotFound, and as gk_key_policy_check_scope.
 */
enum gk_status gk_scope_use(const struct gk_request *request, const char *name, bool of_new,
                            struct gk_account **handle, struct gk_error *error) GK_MUST_USE;

#endif
