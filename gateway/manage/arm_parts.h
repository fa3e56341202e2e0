/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of gk_arm_apply(). */
#ifndef GATEWAY_MANAGE_ARM_PARTS_H
#define GATEWAY_MANAGE_ARM_PARTS_H

#include <stdbool.h>

#include "gateway/manage/arm_account.h"

/* Whether text is one of list's items, which '|' separates; without case, as the original does. */
bool gk_arm_in_list(const char *list, const char *text);

/* properties.encryption. creating: there is no account yet, so that what can be chosen only then is
 * open. arm holds the account's identities already. */
enum gk_status gk_arm_apply_encryption(const json_t *encryption, const struct gk_arm_account *arm,
                                       bool creating, struct gk_encryption_settings *settings,
                                       struct gk_error *error) GK_MUST_USE;
/* Whether settings with a customer key are complete, and the account has the identity they name: a
 * new one a user-assigned identity, since there is no other before the account is made. */
enum gk_status gk_arm_check_customer(const struct gk_arm_account *arm, bool creating,
                                     const struct gk_encryption_settings *settings,
                                     struct gk_error *error) GK_MUST_USE;

#endif
