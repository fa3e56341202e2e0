/* SPDX-License-Identifier: Apache-2.0 */
/* Which operations need the customer's key: operations.def as a question. Any thread, no state. */
#ifndef PLUGIN_POLICY_H
#define PLUGIN_POLICY_H

#include <stdbool.h>

#include "gatekey/plugin.h"

/*
 * Whether the operation must fail while the customer's key cannot be used: it is documented to, or
 * it cannot be done without the key. flags: GK_REQUEST_*. An operation that the table does not have
 * needs the key.
 */
bool gk_policy_needs_key(enum gk_operation operation, uint32_t flags) GK_MUST_USE;

#endif
