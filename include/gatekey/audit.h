/* SPDX-License-Identifier: Apache-2.0 */
/* The names of audit events: audit_events.def as a question. Any thread, no state. */
#ifndef GATEKEY_AUDIT_H
#define GATEKEY_AUDIT_H

#include "gatekey/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "unknown" for an event of a later table. */
static inline const char *gk_audit_event_name(enum gk_audit_event_id event)
{
    static const char *const names[GK_AUDIT_EVENTS_COUNT] = {
#define GK_AUDIT_EVENT(id, name, meaning) name,
#include "gatekey/audit_events.def"
#undef GK_AUDIT_EVENT
    };
    return (unsigned)event < GK_AUDIT_EVENTS_COUNT ? names[event] : "unknown";
}

#ifdef __cplusplus
}
#endif
#endif
