/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stored record of an account in memory, read again because another gateway may have changed it:
 * when the host has heard so, and as often as keys are checked, whatever it has heard.
 *
 *   another record              taken over, and the vault is asked for its key at once
 *   gone, or another account's  the account is forgotten
 *   an older one, put back      as everywhere: it is not used
 *   no answer                   what is known stands, open or shut; the vault is asked on as before
 */
#ifndef PLUGIN_REREAD_H
#define PLUGIN_REREAD_H

#include "plugin/account.h"

/* The vtable's account_changed. */
void gk_reread_changed(struct gk_instance *instance, const char *name);

/* Has the reader do it. Any thread, never blocks; the caller has a reference. */
void gk_reread_soon(struct gk_account *account);
/* The reader's job; gives back one reference. */
void gk_reread_run(struct gk_account *account);
/* Does it now, but leaves it to the caller to ask the vault. GK_E_NOT_FOUND: forgotten. Blocks on
 * storage; no lock may be held. */
enum gk_status gk_reread_now(struct gk_account *account, struct gk_error *error) GK_MUST_USE;

/*
 * Reads it now, and waits until the root key that it has as active is in memory, for whom what is there does
 * not open. Of all who come at once, one asks the vault. GK_E_UNAVAILABLE: there was no answer; GK_E_DENIED,
 * GK_E_COLD as the key's state has it. Blocks on storage, and on the vault when the active root key is
 * another; no lock may be held.
 */
enum gk_status gk_reread_for_key(struct gk_account *account, struct gk_error *error) GK_MUST_USE;

/* Whether an interval is over since the last one; begins the next. The mutex is held. */
bool gk_reread_locked_claim_due(struct gk_account *account, struct gk_moment now);
/* It was read just now. */
void gk_reread_locked_put_off(struct gk_account *account);

#endif
