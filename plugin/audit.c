/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/audit.h"

#include <stdio.h>

#include "gatekey/audit.h"

static const char *text_or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

const char *gk_audit_outcome(enum gk_status status)
{
    switch (status) {
    case GK_OK:
        return "ok";
    case GK_E_DENIED:
    case GK_E_INVALID:
        return "refused";
    case GK_E_UNAVAILABLE:
        return "unavailable";
    default:
        return "failed";
    }
}

const char *gk_audit_verdict_outcome(enum gk_vault_verdict verdict)
{
    switch (verdict) {
    case GK_VAULT_OK:
        return "ok";
    case GK_VAULT_UNAVAILABLE:
        return "unavailable";
    default:
        return "refused";
    }
}

const char *gk_audit_actor(const char *actor)
{
    return actor == NULL || actor[0] == '\0' ? GK_AUDIT_ACTOR_SELF : actor;
}

void gk_audit(const struct gk_instance *instance, const struct gk_audit_event *event)
{
    const struct gk_audit_event whole = {
        .wall_ms = instance->host.clock_wall_ms(instance->host.ctx),
        .event = event->event,
        .account = text_or_empty(event->account),
        .key_id = text_or_empty(event->key_id),
        .outcome = text_or_empty(event->outcome),
        .reason = text_or_empty(event->reason),
        .detail = text_or_empty(event->detail),
        .request_id = text_or_empty(event->request_id),
        .actor = gk_audit_actor(event->actor),
        .count = event->count,
        .since_wall_ms = event->since_wall_ms,
    };
    instance->host.audit(instance->host.ctx, &whole);
    gk_instance_log(instance, GK_LOG_INFO, "%s: account %s: %s%s%s%s%s",
                    gk_audit_event_name(whole.event), whole.account, whole.outcome,
                    whole.reason[0] == '\0' ? "" : " ", whole.reason,
                    whole.detail[0] == '\0' ? "" : ": ", whole.detail);
}

/* False for a change that nobody needs to hear of. */
static bool state_event(enum gk_account_state before, enum gk_account_state after,
                        enum gk_audit_event_id *event)
{
    switch (after) {
    case GK_ACCOUNT_ACTIVE:
        *event = GK_AUDIT_KEY_RESTORED;
        return before != GK_ACCOUNT_COLD && before != GK_ACCOUNT_SERVICE_MANAGED;
    case GK_ACCOUNT_REVOKED:
        *event = GK_AUDIT_KEY_REVOKED;
        return true;
    case GK_ACCOUNT_UNREACHABLE:
        *event = GK_AUDIT_KEY_UNREACHABLE;
        return true;
    case GK_ACCOUNT_DEGRADED:
        *event = GK_AUDIT_KEY_DEGRADED;
        return true;
    case GK_ACCOUNT_SERVICE_MANAGED:
    case GK_ACCOUNT_COLD:
        break;
    }
    return false;
}

static const char *state_outcome(enum gk_account_state state)
{
    switch (state) {
    case GK_ACCOUNT_REVOKED:
        return "refused";
    case GK_ACCOUNT_UNREACHABLE:
    case GK_ACCOUNT_DEGRADED:
        return "unavailable";
    default:
        return "ok";
    }
}

void gk_audit_state(const struct gk_instance *instance, const char *account, const char *key_id,
                    const struct gk_key_state *before, const struct gk_key_state *after)
{
    enum gk_audit_event_id event;
    if (before->state == after->state || !state_event(before->state, after->state, &event)) {
        return;
    }
    char labels[64];
    snprintf(labels, sizeof labels, "event=\"%s\"", gk_audit_event_name(event));
    instance->host.count(instance->host.ctx, "gatekey_key_state_changes_total", labels, 1);
    gk_audit(instance, &(const struct gk_audit_event){
                           .event = event,
                           .account = account,
                           .key_id = key_id,
                           .outcome = state_outcome(after->state),
                           .reason = after->reason_code,
                           .detail = after->reason,
                           .request_id = after->reason_request_id,
                       });
}
