/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which operations need an account's key: operations.def as a question. The plugin's authorize answers by
 * it; a host that keeps an account, or an encryption scope of one, from its clients asks the same. Any
 * thread, no state.
 */
#ifndef GATEKEY_POLICY_H
#define GATEKEY_POLICY_H

#include <stdbool.h>

#include "gatekey/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum gk_policy_need { GK_NEED_NEVER, GK_NEED_IF_METADATA, GK_NEED_ALWAYS };

/* The columns revoked and key of a row, joined. What is documented to fail does so whether it needs
 * the key or not; what is not fails all the same when it cannot be done without. */
#define GK_NEED_PROCEED_NONE        GK_NEED_NEVER
#define GK_NEED_PROCEED_IF_METADATA GK_NEED_IF_METADATA
#define GK_NEED_PROCEED_METADATA    GK_NEED_ALWAYS
#define GK_NEED_PROCEED_DATA        GK_NEED_ALWAYS
#define GK_NEED_DENY_NONE           GK_NEED_ALWAYS
#define GK_NEED_DENY_IF_METADATA    GK_NEED_ALWAYS
#define GK_NEED_DENY_METADATA       GK_NEED_ALWAYS
#define GK_NEED_DENY_DATA           GK_NEED_ALWAYS

/*
 * Whether the operation must fail while the customer's key cannot be used: it is documented to, or
 * it cannot be done without the key. flags: GK_REQUEST_*. An operation that the table does not have
 * needs the key.
 */
static inline bool gk_policy_needs_key(enum gk_operation operation, uint32_t flags)
{
    static const uint8_t needs[GK_OPERATIONS_COUNT] = {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    GK_NEED_##revoked##_##key,
#include "gatekey/operations.def"
#undef GK_OPERATION
    };
    if ((unsigned)operation >= (unsigned)GK_OPERATIONS_COUNT) {
        return true;
    }
    const uint8_t need = needs[operation];
    return need == GK_NEED_ALWAYS ||
           (need == GK_NEED_IF_METADATA && (flags & GK_REQUEST_HAS_METADATA) != 0);
}

#ifdef __cplusplus
}
#endif
#endif
