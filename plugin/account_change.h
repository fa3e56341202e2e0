/* SPDX-License-Identifier: Apache-2.0 */
/* The vtable's calls that manage accounts; see plugin.h. */
#ifndef PLUGIN_ACCOUNT_CHANGE_H
#define PLUGIN_ACCOUNT_CHANGE_H

#include "plugin/account.h"

enum gk_status gk_account_create(struct gk_instance *instance, const char *account,
                                 const struct gk_encryption_settings *settings,
                                 const struct gk_call *call, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_set_encryption(struct gk_instance *instance, const char *account,
                                         const struct gk_encryption_settings *settings,
                                         const struct gk_call *call,
                                         struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_new_root_key(struct gk_instance *instance, const char *account,
                                       const struct gk_call *call,
                                       struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_retire_root_keys(struct gk_account *account,
                                           const struct gk_retirement *retirement,
                                           uint32_t *retired, const struct gk_call *call,
                                           struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_check_now(struct gk_instance *instance, const char *account,
                                    const struct gk_call *call, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_get_status(struct gk_instance *instance, const char *account,
                                     struct gk_account_status *out,
                                     struct gk_error *error) GK_MUST_USE;

#endif
