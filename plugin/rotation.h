/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Version checks and rotation: get the key that the settings name; when the vault knows a newer
 * version than the one that wraps the root key, open the root key, wrap it with the newer version,
 * prove that by an unwrap, and swap the record. The wrap before stays beside it for a while, for
 * gateways that have not seen the new record; dropping it takes no vault and waits for none. Touches
 * no data; requests go on meanwhile.
 *
 * What a vault has told of a key counts for all accounts on it, and so does its silence or refusal (key_news.h):
 * one thread makes all the looks that are due, and a vault that is silent must not keep it from the others.
 *
 * Of several gateways the one that holds the account's lease does it, and reads the record first, so
 * that all of them together wrap once. The others come again a check interval later, when they have
 * its record; when it has died, its lease has run out or will soon.
 */
#ifndef PLUGIN_ROTATION_H
#define PLUGIN_ROTATION_H

#include "plugin/account.h"

/* Whether the daily check, or dropping an old wrap, is due. The mutex is held. */
bool gk_rotation_locked_due(const struct gk_account *account, struct gk_moment now);
/* When it will be due for one of which nothing is now, should nobody have done it by then; INT64_MAX: never. At most
 * a version-check interval from now for a customer's key. The mutex is held. */
int64_t gk_rotation_locked_next_due_wall_ms(const struct gk_account *account, struct gk_moment now);
/* The rotator's job; gives back one reference. */
void gk_rotation_run_due(struct gk_account *account);
/* Does it now, for actor, when whoever else is at it has ended. GK_OK also when there is a newer version
 * that cannot be taken: status says so. An error means that the vault could not be asked, or that the swap
 * failed. */
enum gk_status gk_rotation_check(struct gk_account *account, const struct gk_deadline *deadline,
                                 const char *actor, struct gk_error *error) GK_MUST_USE;

#endif
