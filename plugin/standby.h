/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call to the vault brings back many accounts. When a key is refused, the root keys under it are wiped from memory;
 * each of them is wrapped on its own, and would have to be unwrapped on its own when the key is back: ten thousand, at
 * the vault's pace, in fifty seconds. So a copy of each is kept in memory, sealed under the standby key of a batch of
 * accounts, which exists as a wrap by the very version of the customer's key that wraps their root keys:
 *
 *   standby key   32 random bytes, wiped as soon as the vault has been asked to wrap them
 *   copy          gk_root_key_wrap() under it, bound to the account and the generation
 *
 * Neither is stored, and while the key is refused neither opens anything: as with what is stored, it takes the vault's
 * word. A copy is of one record, and goes with it: no wrap that an account has left brings it back.
 *
 * A batch is made of those whose keys are open and who are in none, once there are GK_STANDBY_MIN on one version of a key
 * that ask as one identity. Whoever has no copy, or one that does not open, asks the vault for itself: a batch is never
 * the only way back. That its standby key opens was not proved when it was wrapped, and one that does not is given up with
 * all copies: at once when the vault says that it is about the bytes; when it says that it is about the key, or fails, at
 * the second time in a row, for the first may be of a server that has not heard yet that the key is back. That nothing
 * came, or that the vault was asked for too much, or not at all, says nothing of it.
 *
 * The provider's thread alone, but for what has locked in its name: the account's mutex is held there, on any thread.
 * Lists are linked by next_follower; each account in them is claimed (recheck.h), and has begun.
 */
#ifndef PLUGIN_STANDBY_H
#define PLUGIN_STANDBY_H

#include "plugin/account.h"

#define GK_STANDBY_MIN 8u

/* Takes an account out of its batch, if it is in one. */
void gk_standby_locked_drop(struct gk_account *account);
/* The account's key is refused: out of a batch whose standby key is still on its way to be wrapped, and in memory so long. */
void gk_standby_locked_refused(struct gk_account *account);

/* Whether the account's key is open, and in no batch that can bring it back. */
bool gk_standby_lacks(struct gk_account *account);
/* Makes a batch of accounts on one version of a key that ask as one identity; of fewer than GK_STANDBY_MIN, nothing. */
void gk_standby_make(struct gk_account *accounts);

/* Whether the account is in a batch that can bring it back. */
bool gk_standby_has(struct gk_account *account);
/* *root_key, secret memory, is the account's. */
typedef void gk_standby_opened_fn(struct gk_account *account, struct gk_root_key **root_key);
/* Those, at least one, whom a batch has not brought back, on one version of a key, and asking as one identity. */
typedef void gk_standby_left_fn(struct gk_account *accounts);
/* Asks the vault for the standby keys of accounts that are in batches, one call for each batch; each account is told of
 * by one of the two. */
void gk_standby_open(struct gk_account *accounts, gk_standby_opened_fn *opened,
                     gk_standby_left_fn *left);

#endif
