/* SPDX-License-Identifier: Apache-2.0 */
/* Full key identifiers, https://host[:port]/keys/name/version, as vaults answer them. */
#ifndef PLUGIN_KEY_ID_H
#define PLUGIN_KEY_ID_H

#include <stdbool.h>

#include "gatekey/provider.h"

/* Takes a versioned identifier apart; false on any other form. */
bool gk_key_identifier_parse(const char *key_id, struct gk_key_reference *key) GK_MUST_USE;
/* Whether key_id names a version of key; the one that key asks for, if it asks for one. */
bool gk_key_identifier_is_of(const char *key_id, const struct gk_key_reference *key) GK_MUST_USE;
/* Whether both are versions of one key of one vault. */
bool gk_key_identifier_same_key(const char *a, const char *b) GK_MUST_USE;

#endif
