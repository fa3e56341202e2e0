/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/rotation_policy.h"

#include <strings.h>

#include "keyvaultd/key.h"

#define ACTIONS_MAX             2u
#define EXPIRY_MIN_S            (28 * GK_DAY_S)
#define ROTATE_MIN_S            (7 * GK_DAY_S)
#define ROTATE_MIN_S_HSM        (28 * GK_DAY_S)
#define NOTIFY_DEFAULT          "P30D"
#define MEMBER_AFTER_CREATE     "timeAfterCreate"
#define MEMBER_BEFORE_EXPIRY    "timeBeforeExpiry"
#define MEMBER_LIFETIME_ACTIONS "lifetimeActions"

/* --- reading ------------------------------------------------------------------------------------ */

/* Absent, null and "" are none. False: it is something else than a duration. */
static bool read_duration(const json_t *holder, const char *name, struct gk_duration *out)
{
    const json_t *value = json_object_get(holder, name);
    if (value == NULL || json_is_null(value) ||
        (json_is_string(value) && json_string_length(value) == 0)) {
        return true;
    }
    return json_is_string(value) && gk_duration_parse(json_string_value(value), out);
}

static const char *read_action(const json_t *action, bool managed_hsm,
                               struct kv_rotation_policy *policy)
{
    const json_t *trigger = json_object_get(action, "trigger");
    const char *type =
        json_string_value(json_object_get(json_object_get(action, "action"), "type"));
    struct gk_duration after = {0};
    struct gk_duration before = {0};
    if (type == NULL || !read_duration(trigger, MEMBER_AFTER_CREATE, &after) ||
        !read_duration(trigger, MEMBER_BEFORE_EXPIRY, &before) ||
        gk_duration_is_set(&after) == gk_duration_is_set(&before)) {
        return "an action has a type and one trigger, timeAfterCreate or timeBeforeExpiry, which "
               "is "
               "an ISO 8601 duration";
    }
    if (strcasecmp(type, "Rotate") == 0) {
        const bool second = gk_duration_is_set(&policy->rotate_after_create) ||
                            gk_duration_is_set(&policy->rotate_before_expiry);
        policy->rotate_after_create = after;
        policy->rotate_before_expiry = before;
        return second ? "there can be one action of the type Rotate" : NULL;
    }
    if (strcasecmp(type, "Notify") != 0) {
        return "the type of an action is Rotate or Notify";
    }
    const bool second = gk_duration_is_set(&policy->notify_before_expiry);
    policy->notify_before_expiry = before;
    return managed_hsm                  ? "a Managed HSM has no action of the type Notify"
           : gk_duration_is_set(&after) ? "timeAfterCreate only applies to Rotate"
           : second                     ? "there can be one action of the type Notify"
                                        : NULL;
}

static const char *read_actions(const json_t *body, bool managed_hsm,
                                struct kv_rotation_policy *policy)
{
    const json_t *actions = json_object_get(body, MEMBER_LIFETIME_ACTIONS);
    if (actions == NULL || json_is_null(actions)) {
        return NULL;
    }
    if (!json_is_array(actions) || json_array_size(actions) > ACTIONS_MAX) {
        return "lifetimeActions has at most one Rotate and one Notify";
    }
    const char *wrong = NULL;
    for (size_t i = 0; wrong == NULL && i < json_array_size(actions); i++) {
        wrong = read_action(json_array_get(actions, i), managed_hsm, policy);
    }
    return wrong;
}

/* What the parts say of each other. A version must not be due from its first moment on. */
static const char *check(const struct kv_rotation_policy *policy, bool managed_hsm)
{
    const int64_t rotate_min_s = managed_hsm ? ROTATE_MIN_S_HSM : ROTATE_MIN_S;
    const int64_t expiry_s = gk_duration_nominal_s(&policy->expiry_time);
    const int64_t after_s = gk_duration_nominal_s(&policy->rotate_after_create);
    const int64_t before_s = gk_duration_nominal_s(&policy->rotate_before_expiry);
    const bool expires = gk_duration_is_set(&policy->expiry_time);
    if (expires && expiry_s < EXPIRY_MIN_S) {
        return "expiryTime must be at least 28 days";
    }
    if (gk_duration_is_set(&policy->rotate_after_create) &&
        (after_s < rotate_min_s || (expires && after_s >= expiry_s))) {
        return "timeAfterCreate of Rotate must be at least 7 days, 28 in a Managed HSM, and less "
               "than "
               "expiryTime";
    }
    if (gk_duration_is_set(&policy->rotate_before_expiry) &&
        (!expires || before_s < rotate_min_s || before_s > expiry_s - rotate_min_s)) {
        return "timeBeforeExpiry of Rotate needs an expiryTime, must be at least 7 days, 28 in a "
               "Managed HSM, and leave as many";
    }
    return NULL;
}

const char *kv_rotation_policy_read(const json_t *body, bool managed_hsm,
                                    struct kv_rotation_policy *out)
{
    struct kv_rotation_policy policy = {0};
    const char *wrong = read_actions(body, managed_hsm, &policy);
    if (wrong == NULL &&
        !read_duration(json_object_get(body, "attributes"), "expiryTime", &policy.expiry_time)) {
        wrong = "expiryTime is no ISO 8601 duration";
    }
    if (wrong == NULL) {
        wrong = check(&policy, managed_hsm);
    }
    if (wrong == NULL) {
        *out = policy;
    }
    return wrong;
}

/* --- showing ------------------------------------------------------------------------------------ */

/* False: memory is out. An action without its duration is not there. */
static bool add_action(json_t *actions, const char *type, const char *trigger, const char *duration)
{
    return duration[0] == '\0' ||
           json_array_append_new(actions, json_pack("{s:{s:s}, s:{s:s}}", "trigger", trigger,
                                                    duration, "action", "type", type)) == 0;
}

static json_t *view_actions(const struct kv_rotation_policy *policy, bool managed_hsm)
{
    const char *notify = policy->notify_before_expiry.text;
    json_t *actions = json_array();
    if (notify[0] == '\0' && !managed_hsm) {
        notify = NOTIFY_DEFAULT;
    }
    if (!add_action(actions, "Rotate", MEMBER_AFTER_CREATE, policy->rotate_after_create.text) ||
        !add_action(actions, "Rotate", MEMBER_BEFORE_EXPIRY, policy->rotate_before_expiry.text) ||
        !add_action(actions, "Notify", MEMBER_BEFORE_EXPIRY, notify)) {
        json_decref(actions);
        return NULL;
    }
    return actions;
}

static json_t *view_attributes(const struct kv_rotation_policy *policy)
{
    const char *expiry = policy->expiry_time.text;
    json_t *attributes = json_pack("{s:s*}", "expiryTime", expiry[0] == '\0' ? NULL : expiry);
    if (policy->created_s != 0 &&
        (json_object_set_new(attributes, "created", json_integer(policy->created_s)) != 0 ||
         json_object_set_new(attributes, "updated", json_integer(policy->updated_s)) != 0)) {
        json_decref(attributes);
        return NULL;
    }
    return attributes;
}

json_t *kv_rotation_policy_view(const struct kv_rotation_policy *policy, bool managed_hsm)
{
    return json_pack("{s:o, s:o}", MEMBER_LIFETIME_ACTIONS, view_actions(policy, managed_hsm),
                     "attributes", view_attributes(policy));
}

/* --- what it brings about ----------------------------------------------------------------------- */

bool kv_rotation_policy_due(const struct kv_rotation_policy *policy,
                            const struct kv_attributes *current, int64_t now_s)
{
    const bool old = gk_duration_is_set(&policy->rotate_after_create) &&
                     now_s >= gk_duration_after_s(&policy->rotate_after_create, current->created_s);
    const bool ending =
        gk_duration_is_set(&policy->rotate_before_expiry) && current->exp_s != 0 &&
        now_s >= gk_duration_before_s(&policy->rotate_before_expiry, current->exp_s);
    return current->enabled && (old || ending);
}

int64_t kv_rotation_policy_exp_s(const struct kv_rotation_policy *policy, int64_t now_s)
{
    return gk_duration_is_set(&policy->expiry_time)
               ? gk_duration_after_s(&policy->expiry_time, now_s)
               : 0;
}
