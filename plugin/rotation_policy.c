/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/rotation_policy.h"

#include <strings.h>

#include "plugin/key_news.h"

#define TIME_PART 4u /* of what is left: a wrap by the newest version may have to follow */

static void tell(const struct gk_vault_caller *caller,
                 const struct gk_encryption_settings *settings,
                 const struct gk_vault_result *policy)
{
    const struct gk_key_reference *key = &settings->key;
    if (policy->verdict == GK_VAULT_OK) {
        gk_instance_log(caller->instance, GK_LOG_INFO,
                        "key %s/keys/%s: its rotation policy can be read again", key->vault_uri,
                        key->name);
        return;
    }
    gk_instance_log(
        caller->instance, GK_LOG_WARNING,
        "key %s/keys/%s: its rotation policy cannot be read, and it is not warned of by "
        "that (%s: %s); give the identity the permission to get it, or set "
        "provider.read_rotation_policy to false",
        key->vault_uri, key->name, policy->code, policy->message);
}

static void ask(const struct gk_vault_caller *caller, const struct gk_encryption_settings *settings,
                struct gk_key_info *info)
{
    const struct gk_deadline deadline =
        gk_vault_deadline_in(gk_vault_deadline_left_ms(caller->deadline) / TIME_PART);
    struct gk_vault_caller hasty = *caller;
    struct gk_vault_result policy;
    hasty.deadline = &deadline;
    gk_vault_call_rotation_due(&hasty, &settings->key, info, &policy);
    const bool read = policy.verdict == GK_VAULT_OK;
    if (read) {
        info->rotation_due_wall_ms = policy.info.rotation_due_wall_ms;
    }
    if (gk_key_news_note_policy(caller->instance->news, settings, read,
                                gk_instance_now(caller->instance).mono_ms)) {
        tell(caller, settings, &policy);
    }
}

void gk_rotation_policy_look(const struct gk_vault_caller *caller,
                             const struct gk_encryption_settings *settings,
                             const struct gk_key_told *before, struct gk_vault_result *newest)
{
    const struct gk_instance *instance = caller->instance;
    struct gk_key_info *info = &newest->info;
    if (!instance->settings.read_rotation_policy || newest->info_unknown ||
        info->rotation_told != 0) {
        return;
    }
    if (strcasecmp(before->key_id, newest->key_id) == 0) {
        info->rotation_due_wall_ms = before->info.rotation_due_wall_ms;
    }
    if (caller->actor != NULL ||
        gk_key_news_may_ask_policy(instance->news, settings, gk_instance_now(instance).mono_ms)) {
        ask(caller, settings, info);
    }
}
