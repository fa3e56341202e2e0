/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encryption scope as the Storage resource provider's JSON describes it (stable API, 2023-05-01), with the
 * gateway's additions under properties.gatekey. A request changes it member by member: what is absent stays
 * as it is, or, of a new scope, is the default. Pure functions, any thread.
 */
#ifndef GATEWAY_MANAGE_ARM_SCOPE_H
#define GATEWAY_MANAGE_ARM_SCOPE_H

#include "gateway/blob/scopes.h"
#include "gateway/manage/arm_account.h"

/* As whom the vaults of an account's scopes are asked: what reaches the account's own key, or else an
 * identity of its. False: it has none. */
bool gk_arm_scope_identity(const struct gk_arm_account *arm,
                           const struct gk_account_status *account,
                           struct gk_identity_reference *identity);
/* Applies a request body to what the scope is. 400 with the documented codes. has_identity: identity is in
 * settings already. */
enum gk_status gk_arm_scope_apply(const json_t *body, bool has_identity, bool *disabled,
                                  struct gk_encryption_settings *settings,
                                  struct gk_error *error) GK_MUST_USE;

/* Everything an answer shows. */
struct gk_arm_scope_view {
    const char *account;
    const char *name;
    const struct gk_arm_account *arm; /* where the account is filed */
    const struct gk_scope *scope;
    const struct gk_account_status *status; /* of the scope's key */
};

/* NULL when memory is out. The caller owns it. */
json_t *gk_arm_scope_json(const struct gk_arm_scope_view *view);

#endif
