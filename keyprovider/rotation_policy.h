/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rotation policy of a key in a Key Vault or a Managed HSM (KeyRotationPolicy of the Key Vault REST reference):
 * {"id", "lifetimeActions": [{"trigger": {"timeAfterCreate" or "timeBeforeExpiry"}, "action": {"type"}}],
 * "attributes": {"expiryTime"}}, with durations of ISO 8601. Of its actions Rotate alone counts; expiryTime is how long
 * versions live that rotation makes. Pure functions over hostile text.
 */
#ifndef KEYPROVIDER_ROTATION_POLICY_H
#define KEYPROVIDER_ROTATION_POLICY_H

#include <stdbool.h>

#include "common/span.h"
#include "gatekey/provider.h"

/*
 * When the policy has a version with these dates, of which those of its making and its end count, followed by another
 * one: the earliest of its times, 0 for never. What the making or the end would be needed for, and is not told, does not
 * count. False: the text is no policy, or one of another key.
 */
bool gk_kv_rotation_due(struct gk_span body, const char *key_name,
                        const struct gk_key_info *version, int64_t *due_wall_ms) GK_MUST_USE;

#endif
