/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/policy.h"

enum need { NEED_NEVER, NEED_IF_METADATA, NEED_ALWAYS };

/* The columns revoked and key of a row, joined. What is documented to fail does so whether it needs
 * the key or not; what is not fails all the same when it cannot be done without. */
enum {
    NEED_PROCEED_NONE = NEED_NEVER,
    NEED_PROCEED_IF_METADATA = NEED_IF_METADATA,
    NEED_PROCEED_METADATA = NEED_ALWAYS,
    NEED_PROCEED_DATA = NEED_ALWAYS,
    NEED_DENY_NONE = NEED_ALWAYS,
    NEED_DENY_IF_METADATA = NEED_ALWAYS,
    NEED_DENY_METADATA = NEED_ALWAYS,
    NEED_DENY_DATA = NEED_ALWAYS
};

static const uint8_t needs[GK_OPERATIONS_COUNT] = {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    [GK_OP_##id] = NEED_##revoked##_##key,
#include "gatekey/operations.def"
#undef GK_OPERATION
};

bool gk_policy_needs_key(enum gk_operation operation, uint32_t flags)
{
    if ((unsigned)operation >= (unsigned)GK_OPERATIONS_COUNT) {
        return true;
    }
    const uint8_t need = needs[operation];
    return need == NEED_ALWAYS ||
           (need == NEED_IF_METADATA && (flags & GK_REQUEST_HAS_METADATA) != 0);
}
