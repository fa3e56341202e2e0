/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shredding an account (docs/decisions/0027-shredding.md): it is deleted, as ever (blob/removal.h), and there is
 * evidence of that: which wraps of its root keys were destroyed, by their hashes, who asked for it, and
 * that a second read of the store has found none of them. A backup of it is refused from then on.
 *
 *   1. what is to be destroyed is read and noted (shredded.h)
 *   2. the account's object goes, with the wraps, in one write, guarded by its being as it was read; then
 *      those of its scopes
 *   3. the store is read again; what is left of a scope goes
 *   4. that is told to the audit, each wrap and the account, and noted
 *
 * Needs no key. Broken off anywhere it is whole when it is asked for again, also when the account is gone by
 * then. Any thread. BLOCKS on the store.
 */
#ifndef GATEWAY_ACCOUNT_SHRED_H
#define GATEWAY_ACCOUNT_SHRED_H

#include <jansson.h>

#include "gateway/gateway.h"

/*
 * *evidence, owned by the caller, is what shredded.h keeps, with the array "wraps" and the key versions that
 * have made them, "keyVersions". Of an account that was shredded before and is gone: that evidence again.
 * GK_E_NOT_FOUND: there is none, and was none; GK_E_INVALID: 409 ContainerHasLegalHold,
 * ContainerImmutabilityPolicyLocked; GK_E_INTEGRITY: a record of it is damaged, and nothing was done;
 * GK_E_UNAVAILABLE, also 503 AccountShredUnverified: it is to be asked for again.
 */
enum gk_status gk_account_shred(struct gk_gateway *gateway, const char *name, const char *actor,
                                json_t **evidence, struct gk_error *error) GK_MUST_USE;

#endif
