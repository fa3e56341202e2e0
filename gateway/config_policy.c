/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gateway/config_value.h"

#define VAULT_SCHEME "https://"

static enum gk_status read_effect(struct gk_config *config, const config_setting_t *setting,
                                  enum gk_policy_effect *effect, struct gk_error *error)
{
    const char *text = NULL;
    const enum gk_status status = gk_config_text(config, setting, &text, error);
    if (status != GK_OK) {
        return status;
    }
    for (int i = GK_POLICY_DISABLED; i <= GK_POLICY_DENY; i++) {
        if (strcmp(text, gk_policy_effect_name((enum gk_policy_effect)i)) == 0) {
            *effect = (enum gk_policy_effect)i;
            return GK_OK;
        }
    }
    return gk_config_refuse(config, setting, error, "%s: give audit, deny or disabled",
                            config_setting_name(setting));
}

static enum gk_status read_vaults(struct gk_config *config, const config_setting_t *list,
                                  struct gk_error *error)
{
    struct gk_site_policy *policy = &config->policy;
    const int count = config_setting_length(list);
    if (!config_setting_is_aggregate(list) || count > (int)GK_POLICY_VAULTS_MAX) {
        return gk_config_refuse(config, list, error,
                                "allowed_vaults: is no list of %u at most; write allowed_vaults = "
                                "[ \"https://...\" ];",
                                GK_POLICY_VAULTS_MAX);
    }
    for (int i = 0; i < count; i++) {
        const config_setting_t *entry = config_setting_get_elem(list, (unsigned)i);
        const char *uri = NULL;
        const enum gk_status status = gk_config_text(config, entry, &uri, error);
        if (status != GK_OK) {
            return status;
        }
        if (strncmp(uri, VAULT_SCHEME, sizeof VAULT_SCHEME - 1) != 0 ||
            strchr(uri + sizeof VAULT_SCHEME - 1, '/') != NULL) {
            return gk_config_refuse(config, list, error,
                                    "allowed_vaults: %.64s is no vault's URI; write https://HOST "
                                    "without a path",
                                    uri);
        }
        policy->vaults[policy->vaults_count++] = uri;
    }
    return GK_OK;
}

static enum gk_status read_setting(struct gk_config *config, const config_setting_t *setting,
                                   struct gk_error *error)
{
    struct gk_site_policy *policy = &config->policy;
    const char *name = config_setting_name(setting);
    if (strcmp(name, "allowed_vaults") == 0) {
        return read_vaults(config, setting, error);
    }
    if (strcmp(name, "minimum_key_bits") == 0) {
        return gk_config_number(config, setting, 2048, 4096, &policy->minimum_key_bits, error);
    }
    if (strcmp(name, "maximum_key_age_days") == 0) {
        return gk_config_number(config, setting, 1, 36500, &policy->maximum_key_age_days, error);
    }
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        if (strcmp(name, gk_policy_text((enum gk_policy_rule)i)->setting) == 0) {
            return read_effect(config, setting, &policy->effects[i], error);
        }
    }
    const char *names[GK_RULES_COUNT + 3] = {"allowed_vaults", "minimum_key_bits",
                                             "maximum_key_age_days"};
    for (size_t i = 0; i < GK_RULES_COUNT; i++) {
        names[i + 3] = gk_policy_text((enum gk_policy_rule)i)->setting;
    }
    return gk_config_refuse_unknown(config, setting, names, GK_RULES_COUNT + 3, error);
}

/* A rule that compares needs what it compares with; there is no value that would be right for all. */
static enum gk_status check_needed(const struct gk_config *config, const config_setting_t *group,
                                   struct gk_error *error)
{
    const struct gk_site_policy *policy = &config->policy;
    const struct {
        enum gk_policy_rule rule;
        bool given;
        const char *setting;
    } needs[] = {
        {GK_RULE_VAULTS, policy->vaults_count > 0, "allowed_vaults"},
        {GK_RULE_KEY_SIZE, policy->minimum_key_bits > 0, "minimum_key_bits"},
        {GK_RULE_KEY_AGE, policy->maximum_key_age_days > 0, "maximum_key_age_days"},
    };
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        const char *rule = gk_policy_text(needs[i].rule)->setting;
        const bool on = policy->effects[needs[i].rule] != GK_POLICY_DISABLED;
        if (on && !needs[i].given) {
            return gk_config_refuse(config, group, error, "policy.%s: needs %s; add it", rule,
                                    needs[i].setting);
        }
        if (!on && needs[i].given) {
            return gk_config_refuse(config, group, error,
                                    "policy.%s: nothing uses it; set %s to audit or deny, or "
                                    "remove it",
                                    needs[i].setting, rule);
        }
    }
    return GK_OK;
}

enum gk_status gk_config_read_policy(struct gk_config *config, const config_setting_t *group,
                                     struct gk_error *error)
{
    enum gk_status status = GK_OK;
    const int count = group == NULL ? 0 : config_setting_length(group);
    for (int i = 0; status == GK_OK && i < count; i++) {
        status = read_setting(config, config_setting_get_elem(group, (unsigned)i), error);
    }
    return status == GK_OK && group != NULL ? check_needed(config, group, error) : status;
}
