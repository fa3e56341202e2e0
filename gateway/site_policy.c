/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/site_policy.h"

#include <string.h>
#include <strings.h>

#include "common/error.h"

#define DAY_MS INT64_C(86400000)

static const struct gk_policy_text texts[GK_RULES_COUNT] = {
    [GK_RULE_CUSTOMER_KEYS] = {"customer_keys",
                               "Storage accounts should use customer-managed key for encryption",
                               "6fac406b-40ca-413b-bf8e-0bf964659c25",
                               "give the account a key in a vault: keySource Microsoft.Keyvault"},
    [GK_RULE_QUEUE_CUSTOMER_KEYS] =
        {"queue_customer_keys", "Queue Storage should use customer-managed key for encryption",
         "f0e5abd0-2554-4736-b7c0-4ffef23475ef",
         "make the account with services.queue.keyType Account; it cannot be changed later"},
    [GK_RULE_TABLE_CUSTOMER_KEYS] =
        {"table_customer_keys", "Table Storage should use customer-managed key for encryption",
         "7c322315-e26d-4174-a99e-f49d351b4688",
         "make the account with services.table.keyType Account; it cannot be changed later"},
    [GK_RULE_SCOPE_CUSTOMER_KEYS] =
        {"scope_customer_keys",
         "Storage account encryption scopes should use customer-managed keys to encrypt data at "
         "rest",
         "b5ec538c-daa0-4006-8596-35468b9148e8",
         "give the scope a key in a vault: source Microsoft.KeyVault"},
    [GK_RULE_VAULTS] = {"vaults", "Customer-managed keys should be in an allowed vault", "",
                        "use a key of one of policy.allowed_vaults"},
    [GK_RULE_KEY_SIZE] =
        {"key_size", "Keys using RSA cryptography should have a specified minimum key size",
         "82067dbb-e53b-4e06-b631-546d197452d9",
         "use a key of policy.minimum_key_bits at least, from an identity that may get it"},
    [GK_RULE_KEY_AGE] =
        {"key_age", "Keys should not be active for longer than the specified number of days",
         "c26e4b24-cf98-4c67-b48b-5a25c4c69eb9",
         "rotate the key in its vault: no version may be older than policy.maximum_key_age_days"},
    [GK_RULE_HSM_KEYS] = {"hsm_keys", "Keys should be backed by a hardware security module (HSM)",
                          "587c79fe-dd04-4a5e-9d0b-f89598c7261b",
                          "use a key of type RSA-HSM, from an identity that may get it"},
    [GK_RULE_PURGE_PROTECTION] = {"purge_protection",
                                  "Key vaults should have deletion protection enabled",
                                  "0b60c0b2-2dc2-4e1c-b5c9-abbed971de53",
                                  "turn on soft delete and purge protection for the vault"},
};

const struct gk_policy_text *gk_policy_text(enum gk_policy_rule rule)
{
    return &texts[rule];
}

const struct gk_policy_text *gk_policy_text_for(enum gk_policy_rule rule,
                                                const struct gk_policy_subject *subject)
{
    static const struct gk_policy_text purge_protection_of_hsm = {
        "purge_protection", "Azure Key Vault Managed HSM should have purge protection enabled",
        "c39ba22d-4428-4149-b981-70acb31fc383",
        "turn on soft delete and purge protection for the Managed HSM"};
    const bool in_hsm = subject->settings->source == GK_KEY_SOURCE_CUSTOMER &&
                        strcasestr(subject->settings->key.vault_uri, ".managedhsm.") != NULL;
    return in_hsm && rule == GK_RULE_PURGE_PROTECTION ? &purge_protection_of_hsm
                                                      : gk_policy_text(rule);
}

const char *gk_policy_effect_name(enum gk_policy_effect effect)
{
    static const char *const names[] = {
        [GK_POLICY_DISABLED] = "disabled", [GK_POLICY_AUDIT] = "audit", [GK_POLICY_DENY] = "deny"};
    return names[effect];
}

/* --- the rules ----------------------------------------------------------------------------------*/

static enum gk_policy_finding kept_if(bool kept)
{
    return kept ? GK_POLICY_KEPT : GK_POLICY_BROKEN;
}

static enum gk_policy_finding kept_if_known(bool known, bool kept)
{
    return known ? kept_if(kept) : GK_POLICY_UNKNOWN;
}

static bool is_allowed(const struct gk_site_policy *policy, const char *vault_uri)
{
    for (size_t i = 0; i < policy->vaults_count; i++) {
        if (strcasecmp(policy->vaults[i], vault_uri) == 0) {
            return true;
        }
    }
    return false;
}

/* Since when a key version is active: its start, or when it was made. 0: not known. */
static int64_t active_since(const struct gk_key_info *key)
{
    return key->not_before_wall_ms != 0 ? key->not_before_wall_ms : key->created_wall_ms;
}

/* The rules that only a customer's key can break. */
static enum gk_policy_finding judge_customer_key(const struct gk_site_policy *policy,
                                                 enum gk_policy_rule rule,
                                                 const struct gk_policy_subject *subject)
{
    const struct gk_key_info *key = subject->key;
    const bool told = key->key_type[0] != '\0';
    const int64_t since_ms = active_since(key);
    switch (rule) {
    case GK_RULE_VAULTS:
        return kept_if(is_allowed(policy, subject->settings->key.vault_uri));
    case GK_RULE_KEY_SIZE:
        /* An AES key of 256 bits is stronger than the longest RSA key that can be demanded. */
        return kept_if_known(key->modulus_bits != 0 || told,
                             key->modulus_bits >= policy->minimum_key_bits ||
                                 strcmp(key->key_type, GK_KEY_TYPE_AES256_GCM96) == 0);
    case GK_RULE_KEY_AGE:
        return kept_if_known(since_ms != 0, subject->now_wall_ms - since_ms <=
                                                policy->maximum_key_age_days * DAY_MS);
    case GK_RULE_HSM_KEYS:
        return kept_if_known(told, strcmp(key->key_type, "RSA-HSM") == 0);
    case GK_RULE_PURGE_PROTECTION:
        return kept_if_known(told, key->soft_delete != 0 && key->purge_protected != 0);
    default:
        return GK_POLICY_KEPT;
    }
}

enum gk_policy_finding gk_policy_judge(const struct gk_site_policy *policy,
                                       enum gk_policy_rule rule,
                                       const struct gk_policy_subject *subject)
{
    const struct gk_encryption_settings *settings = subject->settings;
    const bool customer = settings->source == GK_KEY_SOURCE_CUSTOMER;
    const bool scope = strchr(subject->name, '/') != NULL;
    switch (rule) {
    case GK_RULE_CUSTOMER_KEYS:
        return kept_if(customer || scope);
    case GK_RULE_SCOPE_CUSTOMER_KEYS:
        return kept_if(customer || !scope);
    case GK_RULE_QUEUE_CUSTOMER_KEYS:
        return kept_if(!customer || scope || settings->queue_account_key != 0);
    case GK_RULE_TABLE_CUSTOMER_KEYS:
        return kept_if(!customer || scope || settings->table_account_key != 0);
    default:
        return customer ? judge_customer_key(policy, rule, subject) : GK_POLICY_KEPT;
    }
}

enum gk_status gk_policy_refuse(enum gk_policy_rule rule, const char *name, struct gk_error *error)
{
    const struct gk_policy_text *text = &texts[rule];
    return gk_fail_http(error, GK_E_INVALID, 403, "RequestDisallowedByPolicy",
                        "Resource '%s' was disallowed by policy '%s' (%s%spolicy.%s): %s.", name,
                        text->name, text->id, text->id[0] == '\0' ? "" : ", ", text->setting,
                        text->remedy);
}
