/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a handle keeps of the gates that it came through: that of its account and, where this is an encryption scope, that
 * of the account which the scope is in. The handle works while both stand as they did: a scope's content is not to be
 * had while the scope's key is away, nor while the account's is.
 *
 * An account that has a key which nobody has asked for yet (GK_E_COLD) takes nothing back by that, and is not waited for:
 * requests have passed its gate before, so only what runs in the background meets it.
 */
#ifndef PLUGIN_PASS_H
#define PLUGIN_PASS_H

#include "plugin/account.h"

struct gk_pass {
    struct gk_account *account; /* a reference */
    uint64_t gate;
    struct gk_account *parent; /* of a scope: a reference; NULL: there is none to go by */
    uint64_t parent_gate;
};

/* GK_OK while the gates stand open, and out is to be released. Else what clients get, and out is empty. Takes
 * accounts_lock. */
enum gk_status gk_pass_take(struct gk_account *account, struct gk_pass *out,
                            struct gk_error *error) GK_MUST_USE;
/* Another handle's, with references of its own. */
struct gk_pass gk_pass_copy(const struct gk_pass *pass);
void gk_pass_release(struct gk_pass *pass);
/* GK_OK while the gates still stand as they did, by an atomic load of each. Else what clients get. */
enum gk_status gk_pass_still(const struct gk_pass *pass, struct gk_error *error) GK_MUST_USE;

#endif
