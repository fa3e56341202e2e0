/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rotation policy of a key (Key Vault 7.5, KeyRotationPolicy): when it gets its next version and
 * when that one expires. Notify is kept and shown; there is nobody here to notify.
 *
 * Limits as documented: versions live 28 days at least, and are rotated after 7 days at least, after
 * 28 in a Managed HSM, which knows no Notify.
 */
#ifndef KEYVAULTD_ROTATION_POLICY_H
#define KEYVAULTD_ROTATION_POLICY_H

#include <jansson.h>

#include "common/duration.h"
#include "gatekey/types.h"

struct kv_attributes;

/* All of it absent, as in a new key: a policy that rotates nothing. */
struct kv_rotation_policy {
    struct gk_duration rotate_after_create; /* one of these two at most */
    struct gk_duration rotate_before_expiry;
    struct gk_duration notify_before_expiry;
    struct gk_duration expiry_time; /* of versions that rotation makes */
    int64_t created_s;              /* 0: none was ever set */
    int64_t updated_s;
};

/* What a body of UpdateKeyRotationPolicy says, without the times. NULL, or what is wrong with it. */
const char *kv_rotation_policy_read(const json_t *body, bool managed_hsm,
                                    struct kv_rotation_policy *out) GK_MUST_USE;
/* A new object without an id; NULL when memory is out. A vault shows the notification that it has by
 * default, 30 days ahead, where none is set. */
json_t *kv_rotation_policy_view(const struct kv_rotation_policy *policy,
                                bool managed_hsm) GK_MUST_USE;

/* True when a current version with these attributes is to be followed by another one. A disabled
 * one is not. */
bool kv_rotation_policy_due(const struct kv_rotation_policy *policy,
                            const struct kv_attributes *current, int64_t now_s);
/* When a version that rotation makes now expires; 0: never. */
int64_t kv_rotation_policy_exp_s(const struct kv_rotation_policy *policy, int64_t now_s);

#endif
