/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the rotation policies of keys, where the operator has them read (read_rotation_policy): by when the newest
 * version was to be followed by another one, which a warning goes by (key_warnings.h). Not for the provider's thread.
 *
 * It takes a permission that nobody else here needs, so nothing depends on it: what cannot be read leaves what is known of
 * that version, has a part of the time that the look has, is told in the log once for a key and an identity, and is
 * asked for again after two days, four, and so on to thirty (key_news.h). Who asks for a look has it asked for at once.
 */
#ifndef PLUGIN_ROTATION_POLICY_H
#define PLUGIN_ROTATION_POLICY_H

#include "plugin/vault_call.h"

/* After a get of the key that settings name, which told newest. before: what was told the time before. */
void gk_rotation_policy_look(const struct gk_vault_caller *caller,
                             const struct gk_encryption_settings *settings,
                             const struct gk_key_told *before, struct gk_vault_result *newest);

#endif
