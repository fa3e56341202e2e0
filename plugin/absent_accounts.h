/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of accounts that memory has held and holds no more: those that were forgotten, because they
 * were deleted or made anew, and those that were closed, because nobody used them. A few hundred bytes each,
 * however many there are: the witness of the newest record that was seen, when the account must be looked at
 * again though nobody uses it (its daily version check, a wrap whose time is over), and its settings, which
 * accounts on one key with one identity share.
 *
 * Nothing of this is ever needed to open an account: that reads the store.
 */
#ifndef PLUGIN_ABSENT_ACCOUNTS_H
#define PLUGIN_ABSENT_ACCOUNTS_H

#include "plugin/account.h"

struct gk_absents;

/* NULL when memory is out. free sets *absents to NULL; NULL inside is fine. No worker runs by then. */
struct gk_absents *gk_absents_new(void) GK_MUST_USE;
void gk_absents_free(struct gk_absents **absents);

/* Both with accounts_lock and the account's mutex held. closed: false when memory is out; then the account has
 * to stay. forgotten: then its witness is lost. */
bool gk_absents_locked_note_closed(struct gk_account *account, struct gk_moment now) GK_MUST_USE;
void gk_absents_locked_note_forgotten(struct gk_account *account);

/* All zeros when no account of that name was seen. */
struct gk_record_witness gk_absents_seen(struct gk_instance *instance, const char *name);
/* The settings of the newest record that was seen of the account with that id; false when none was. */
bool gk_absents_settings(struct gk_instance *instance, const char *name, const struct gk_id *id,
                         struct gk_encryption_settings *settings);
/* Judges what was read after gk_absents_seen() gave seen. */
enum gk_status gk_absents_check(struct gk_instance *instance, const struct gk_record_witness *seen,
                                const struct gk_stored_account *stored,
                                struct gk_error *error) GK_MUST_USE;

/* Has the reader open those closed accounts whose time has come; the ticker does what is due then. Looks at a
 * part of them, so that all are looked at once in a check interval. The provider's thread. */
void gk_absents_wake_due(struct gk_instance *instance, struct gk_moment now);

#endif
