/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the vault whether an account's key may still be used, by an unwrap and nothing else: a
 * disabled key still answers get. One check at a time for an account; all who wait share it.
 *
 *   claim (mutex held) -> run -> unwrap of the current wrap -> opened: take it, done
 *                                 refused -> a refresher: is there a newer record? -> run again
 *                                                       no: revoked
 *                                 silent
 *   the account has another record by then -> run again
 *
 * Accounts that are wrapped by the same version of a key, and ask as the same identity, share an answer: one of
 * them asks, the others follow. Those without a root key in memory are given theirs from standby (standby.h) once the
 * vault has opened the one's; who has none there, or is not brought back by that, asks for itself in the same check.
 */
#ifndef PLUGIN_RECHECK_H
#define PLUGIN_RECHECK_H

#include "plugin/account.h"

/* However long a vault asks us to stay away, a restored key is noticed within this. */
#define GK_RECHECK_PUT_OFF_MS_MAX 600000u

/* Marks a check as under way, and the next as due within the interval, up to a quarter of it early; the mutex is held,
 * and none may be under way. */
void gk_recheck_locked_claim(struct gk_account *account);
/* Starts what was claimed, for this account alone; returns at once. No lock held. */
void gk_recheck_run_claimed(struct gk_account *account);
/* The same in steps. begin: false when there is nothing to ask, and the check has ended; else account->recheck
 * says by what key it is wrapped, until asked. follow: both have begun, are wrapped by the same version and are the
 * same to the vault; the follower has its answer with the leader. ask: for the leader and all who follow. */
bool gk_recheck_begin(struct gk_account *account) GK_MUST_USE;
void gk_recheck_follow(struct gk_account *leader, struct gk_account *follower);
void gk_recheck_ask(struct gk_account *leader);
/* Starts a check of a customer's key unless one is under way. Any thread, no lock held. */
void gk_recheck_soon(struct gk_account *account);
/* A refresher's part. */
void gk_recheck_refused(struct gk_account *account);
/* A whole check that began after the call did. GK_E_UNAVAILABLE: it did not end in time. */
enum gk_status gk_recheck_now(struct gk_account *account, const struct gk_deadline *deadline,
                              struct gk_error *error) GK_MUST_USE;

#endif
