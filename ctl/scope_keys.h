/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of encryption scopes beside those of their accounts. The gateway's list of accounts has no scopes, of
 * which an account may have ten thousand; what it knows of their keys stands in /metrics.
 */
#ifndef CTL_SCOPE_KEYS_H
#define CTL_SCOPE_KEYS_H

#include "ctl/options.h"

#include <jansson.h>

/* As old as the alert on it: GatekeyAccountsNotRead. */
#define CTL_SCOPE_KEYS_OLD_S 3600

/* Seconds since the epoch: when the gateway began to read what metrics tells of keys. 0: that tells of none, for the
 * gateway has not read them yet, which says nothing of their health. */
int64_t ctl_scope_keys_read_s(const char *metrics);

/*
 * Gives each account of the array that has such scopes a member "encryptionScopes": an array of those whose key
 * cannot be used, has a warning or a version that is not taken, each with the members of an account that
 * tell of it: "name" (ACCOUNT/SCOPE), properties.gatekey or, when its record cannot be read, "error".
 */
void ctl_scope_keys_take(const char *metrics, json_t *accounts);

/* The same of what the gateway tells now. When it does not tell (*known is false), or of long ago, that is said on
 * standard error. */
enum ctl_exit ctl_scope_keys_add(const struct ctl_options *options, json_t *accounts, bool *known);

#endif
