/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the operator demands of the keys of accounts and encryption scopes: the rules of the configuration's
 * group "policy", named by the vendor's built-in policies that they stand for, each with an effect. It is asked
 * when an account or a scope gets a key (deny refuses), and by the compliance report (manage/policy_report.c).
 *
 * Immutable once read. Any thread, no state, no network.
 */
#ifndef GATEWAY_SITE_POLICY_H
#define GATEWAY_SITE_POLICY_H

#include <stdbool.h>

#include "gatekey/plugin.h"

#define GK_POLICY_VAULTS_MAX 64u

enum gk_policy_effect {
    GK_POLICY_DISABLED,
    GK_POLICY_AUDIT, /* reported, and an audit event */
    GK_POLICY_DENY   /* refused as well */
};

enum gk_policy_rule {
    GK_RULE_CUSTOMER_KEYS,
    GK_RULE_QUEUE_CUSTOMER_KEYS,
    GK_RULE_TABLE_CUSTOMER_KEYS,
    GK_RULE_SCOPE_CUSTOMER_KEYS,
    GK_RULE_VAULTS,
    GK_RULE_KEY_SIZE,
    GK_RULE_KEY_AGE,
    GK_RULE_HSM_KEYS,
    GK_RULE_PURGE_PROTECTION,
    GK_RULES_COUNT
};

/* Zeroed: no rule is in force. */
struct gk_site_policy {
    enum gk_policy_effect effects[GK_RULES_COUNT];
    const char *vaults[GK_POLICY_VAULTS_MAX]; /* of GK_RULE_VAULTS; not owned */
    size_t vaults_count;
    uint32_t minimum_key_bits;
    uint32_t maximum_key_age_days;
};

/* How a rule is called. All static. */
struct gk_policy_text {
    const char *setting; /* in the group "policy" */
    const char *name;    /* of the built-in policy */
    const char *id;      /* its GUID; "" for a rule that the vendor has none for */
    const char *remedy;
};

const struct gk_policy_text *gk_policy_text(enum gk_policy_rule rule);
const char *gk_policy_effect_name(enum gk_policy_effect effect);

/* An account or a scope with its key. */
struct gk_policy_subject {
    const char *name; /* "account" or "account/scope" */
    const struct gk_encryption_settings *settings;
    const struct gk_key_info *key; /* what its vault told; a member that is 0 or "" is not known */
    int64_t now_wall_ms;
};

/* As gk_policy_text(), of a key that is in a Managed HSM by the name of that one's built-in policy, where it has one of its
 * own. A Managed HSM is known by its domain; what is listed in the configuration is a vault. */
const struct gk_policy_text *gk_policy_text_for(enum gk_policy_rule rule,
                                                const struct gk_policy_subject *subject);

enum gk_policy_finding { GK_POLICY_KEPT, GK_POLICY_BROKEN, GK_POLICY_UNKNOWN };

/* Whatever the rule's effect is. A rule that is not for such a subject is kept. */
enum gk_policy_finding gk_policy_judge(const struct gk_site_policy *policy,
                                       enum gk_policy_rule rule,
                                       const struct gk_policy_subject *subject);

/* GK_E_INVALID, 403 RequestDisallowedByPolicy: names the rule and what would be right. */
enum gk_status gk_policy_refuse(enum gk_policy_rule rule, const char *name,
                                struct gk_error *error) GK_MUST_USE;

#endif
