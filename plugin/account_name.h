/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of accounts, and of encryption scopes: a scope is an account of its own kind, within another one,
 * and is called "account/scope". Any thread, no state.
 */
#ifndef PLUGIN_ACCOUNT_NAME_H
#define PLUGIN_ACCOUNT_NAME_H

#include <stdbool.h>

#include "gatekey/plugin.h"

/* An account's name (3 to 24 of a to z and 0 to 9), or a scope's: that, a slash, and 3 to 63 of a to z, 0
 * to 9 and dashes, which begin and end none and do not follow one another. */
bool gk_account_name_is_valid(const char *name) GK_MUST_USE;
/* Of a valid name. */
bool gk_account_name_is_scope(const char *name) GK_MUST_USE;
/* The name of the account that the scope of that name is in. */
void gk_account_name_parent(const char *scope, char name[GK_ACCOUNT_NAME_BYTES_MAX]);

#endif
