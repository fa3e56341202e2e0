/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account's older root keys, wrapped by its active one: whoever may open that opens all, and nobody
 * else any. So a vault is asked for one key however many generations an account has, and a change of the
 * customer's key concerns the active generation alone.
 *
 *   key       = HKDF-Expand(active root key, "gatekey/v1/older-root-key" | account | be32(active))
 *   wrap      = gk_root_key_wrap() under it, bound to the account and the older generation
 *   keyId     = "root-key/" and the number of the active generation, in decimal
 *
 * What comes out is checked against the older generation's commitment. Root keys are secret memory of the
 * caller's. Any thread.
 */
#ifndef PLUGIN_OLDER_KEY_H
#define PLUGIN_OLDER_KEY_H

#include "plugin/account_record.h"

/* The root key that wraps: an account's, of its active generation. */
struct gk_active_key {
    const struct gk_root_key *key;
    struct gk_root_scope scope;
};

/* older's one wrap from now on, made at wall_ms; it becomes decrypt-only. */
enum gk_status gk_older_key_wrap(const struct gk_crypto *crypto, const struct gk_active_key *active,
                                 const struct gk_root_key *key, int64_t wall_ms,
                                 struct gk_root_generation *older,
                                 struct gk_error *error) GK_MUST_USE;
/* GK_E_INTEGRITY: wrapped by another root key, or changed; *key is zeroed then. */
enum gk_status gk_older_key_open(const struct gk_crypto *crypto, const struct gk_active_key *active,
                                 const struct gk_root_generation *older, struct gk_root_key *key,
                                 struct gk_error *error) GK_MUST_USE;
/* Whether older has one wrap, which is by the root key of that generation. */
bool gk_older_key_is_under(const struct gk_root_generation *older, uint32_t active);

#endif
