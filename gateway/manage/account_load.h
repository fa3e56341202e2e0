/* SPDX-License-Identifier: Apache-2.0 */
/* What the account operations share. */
#ifndef GATEWAY_MANAGE_ACCOUNT_LOAD_H
#define GATEWAY_MANAGE_ACCOUNT_LOAD_H

#include "gateway/manage/arm_account.h"
#include "gateway/manage/manage.h"

/* An account as this API sees it: the gateway's part, the management part, the plugin's part. */
struct gk_managed_account {
    struct gk_gateway_account *account;
    struct gk_arm_account arm;
    struct gk_account_status status;
};

/* GK_E_NOT_FOUND (404 ResourceNotFound) when there is none of that name. */
enum gk_status gk_managed_account_load(struct gk_manage *manage, const char *name,
                                       struct gk_managed_account *out,
                                       struct gk_error *error) GK_MUST_USE;
/* The same, where one that has lost its record is told from one that is not there, or is half made: GK_E_CONFLICT, 409
 * AccountRecordLost. */
enum gk_status gk_managed_account_look(struct gk_manage *manage, const char *name,
                                       struct gk_managed_account *out,
                                       struct gk_error *error) GK_MUST_USE;
/* As gk_managed_account_load() for a path: the account must be filed under its subscription and resource group. */
enum gk_status gk_managed_account_find(struct gk_manage *manage, const struct gk_manage_path *path,
                                       struct gk_managed_account *out,
                                       struct gk_error *error) GK_MUST_USE;
void gk_managed_account_cleanup(struct gk_managed_account *managed);
bool gk_managed_account_is_at(const struct gk_managed_account *managed,
                              const struct gk_manage_path *path);
/* NULL when memory is out. */
json_t *gk_managed_account_json(const struct gk_manage *manage,
                                const struct gk_managed_account *managed);
/* For calls of the plugin that may wait for the vault. */
struct gk_call gk_manage_call(const struct gk_manage *manage,
                              const struct gk_manage_request *request);
/* The same for a check of a key: it may find one under way, and a look for a new version may follow. It
 * outlasts them, so that it can tell what came of asking a silent vault. */
struct gk_call gk_manage_check_call(const struct gk_manage *manage,
                                    const struct gk_manage_request *request);
/* Loads the account again, after a change, and answers 200 with it. */
enum gk_status gk_managed_account_answer(struct gk_manage *manage, const char *name,
                                         struct gk_manage_answer *answer,
                                         struct gk_error *error) GK_MUST_USE;

/* An audit event of the management API itself: of what was done. */
void gk_manage_audit(struct gk_manage *manage, const struct gk_manage_request *request,
                     enum gk_audit_event_id event, const char *account, const char *detail);
/* Of what was refused, or may not have been done: a store that gives no answer may have done it all the same. */
void gk_manage_audit_failure(struct gk_manage *manage, const struct gk_manage_request *request,
                             enum gk_audit_event_id event, const char *account,
                             enum gk_status status, const struct gk_error *why);

#endif
