/* SPDX-License-Identifier: Apache-2.0 */
/* Readable output of what the gateway answered. All print to standard output. */
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>

/* The JSON itself, indented, for --json. */
void ctl_show_json(const json_t *value);
/* A member that is a text; "" for any other, and for none. */
const char *ctl_text_of(const json_t *object, const char *name);
/* A text, with blanks up to width. Everything comes from a server: what a terminal would act on is
 * shown as '?'. */
void ctl_print_plain(const char *text, int width);
/* One account: where it is, its key, its state and what to do about it. */
void ctl_show_account(const json_t *account);
/* The key and the state alone. */
void ctl_show_key(const json_t *account);
/* One encryption scope: its key, its state and what to do about it; or a line of it. */
void ctl_show_scope(const json_t *scope);
void ctl_show_scope_line(const json_t *scope);
/* gatekey: properties.gatekey of an account or a scope. What helps against its state; "" for nothing. */
const char *ctl_state_advice(const json_t *gatekey);
/* Its key is not in memory, and calls for others have found its vault silent. */
bool ctl_is_cold_in_silence(const json_t *gatekey);
/* " since 2026-11-24 08:12:13 UTC": how long it is revoked, or its vault silent; "" when it is neither. */
#define CTL_SINCE_BYTES 40u
void ctl_since_in_short(const json_t *gatekey, char text[CTL_SINCE_BYTES]);
/* A table of accounts with their keys and states, or with why one cannot be read; each followed by those of its
 * encryption scopes that ctl_scope_keys_take (scope_keys.h) has told of. */
void ctl_show_list(const json_t *accounts);
/* False for an account, or a scope, whose customer key is revoked, unreachable or degraded, or whose vault is known to
 * be silent. */
bool ctl_key_is_healthy(const json_t *account);
/* False for one of a list that has an error in its place: its record cannot be read. */
bool ctl_is_readable(const json_t *account);
/* For a whole list, and the scopes that ctl_scope_keys_take has told of. */
bool ctl_all_healthy(const json_t *accounts);
bool ctl_all_readable(const json_t *accounts);

#endif
