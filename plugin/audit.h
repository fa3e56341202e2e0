/* SPDX-License-Identifier: Apache-2.0 */
/* Audit events: what the security officer wants to know, from the host's point of view one call. */
#ifndef PLUGIN_AUDIT_H
#define PLUGIN_AUDIT_H

#include "plugin/instance.h"

/* Fills the time, stands "" in for NULL, and the product itself for no actor, hands the event to the host and logs a line. Any thread,
 * no lock held. */
void gk_audit(const struct gk_instance *instance, const struct gk_audit_event *event);

/* An account's key changed state. before and after hold copies; nothing happens when they agree. */
void gk_audit_state(const struct gk_instance *instance, const char *account, const char *key_id,
                    const struct gk_key_state *before, const struct gk_key_state *after);

/* "ok", "refused", "unavailable" or "failed". */
const char *gk_audit_outcome(enum gk_status status);
const char *gk_audit_verdict_outcome(enum gk_vault_verdict verdict);
/* The actor of a struct gk_call, or GK_AUDIT_ACTOR_SELF for none. */
const char *gk_audit_actor(const char *actor);

#endif
