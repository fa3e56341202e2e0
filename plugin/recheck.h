/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the vault whether an account's key may still be used, by an unwrap and nothing else: a
 * disabled key still answers get. One check at a time for an account; all who wait share it.
 *
 *   claim (mutex held) -> run -> unwrap of the current wrap -> opened: take it, done
 *                                 refused -> refresher: is there a newer record? -> run again
 *                                                       no: revoked
 *                                 silent -> the previous wrap, while a rotation settles
 *                                           opened: take it; else silent
 *   the account has another record by then -> run again
 */
#ifndef PLUGIN_RECHECK_H
#define PLUGIN_RECHECK_H

#include "plugin/account.h"

/* Marks a check as under way; the mutex is held, and none may be. */
void gk_recheck_locked_claim(struct gk_account *account);
/* Starts what was claimed; returns at once. No lock held. */
void gk_recheck_run_claimed(struct gk_account *account);
/* Starts a check of a customer's key unless one is under way. Any thread, no lock held. */
void gk_recheck_soon(struct gk_account *account);
/* The refresher's part. */
void gk_recheck_refused(struct gk_account *account);
/* A whole check that began after the call did. GK_E_UNAVAILABLE: it did not end in time. */
enum gk_status gk_recheck_now(struct gk_account *account, const struct gk_deadline *deadline,
                              struct gk_error *error) GK_MUST_USE;
/* The ticker: finds in all accounts what is due, and starts it. On the provider's thread. */
void gk_recheck_tick(struct gk_instance *instance);

#endif
