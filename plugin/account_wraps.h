/* SPDX-License-Identifier: Apache-2.0 */
/* The vtable's call that tells which wraps of an account's root keys are stored; see plugin.h. */
#ifndef PLUGIN_ACCOUNT_WRAPS_H
#define PLUGIN_ACCOUNT_WRAPS_H

#include "plugin/account.h"

enum gk_status gk_account_wraps(struct gk_instance *instance, const char *account,
                                gk_wrap_visit_fn *visit, void *visit_ctx,
                                struct gk_error *error) GK_MUST_USE;

#endif
