/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/rotation_policy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/duration.h"
#include "keyprovider/json_view.h"

#define MS_PER_S 1000

/* Its parts, none of which need be there; of several actions Rotate, the last. */
struct policy {
    struct gk_duration rotate_after_create;
    struct gk_duration rotate_before_expiry;
    struct gk_duration life;
};

/* --- reading ------------------------------------------------------------------------------------ */

static bool is_absent(struct gk_kv_json value)
{
    return value.kind == GK_KV_JSON_MISSING || value.kind == GK_KV_JSON_NULL;
}

/* Absent, null and "" are none. */
static bool read_duration(struct gk_kv_json holder, const char *name, struct gk_duration *out)
{
    const struct gk_kv_json value = gk_kv_json_get(holder, name);
    char text[GK_DURATION_BYTES];
    *out = (struct gk_duration){0};
    if (is_absent(value)) {
        return true;
    }
    return gk_kv_json_copy(value, text, sizeof text) &&
           (text[0] == '\0' || gk_duration_parse(text, out));
}

static bool read_action(struct gk_kv_json action, struct policy *policy)
{
    char type[16];
    const struct gk_kv_json trigger = gk_kv_json_get(action, "trigger");
    const struct gk_kv_json named = gk_kv_json_get(gk_kv_json_get(action, "action"), "type");
    if (named.kind != GK_KV_JSON_STRING) {
        return false;
    }
    if (!gk_kv_json_copy(named, type, sizeof type) || strcasecmp(type, "Rotate") != 0) {
        return true; /* Notify, or what there will be */
    }
    return read_duration(trigger, "timeAfterCreate", &policy->rotate_after_create) &&
           read_duration(trigger, "timeBeforeExpiry", &policy->rotate_before_expiry);
}

static bool read_actions(struct gk_kv_json actions, struct policy *policy)
{
    struct gk_span rest = actions.text;
    struct gk_kv_json action;
    if (is_absent(actions)) {
        return true;
    }
    bool good = actions.kind == GK_KV_JSON_ARRAY;
    while (good && gk_kv_json_next(&rest, &action)) {
        good = read_action(action, policy);
    }
    return good;
}

/* Hosts may come with a port or in other case: the end of the id tells. */
static bool is_of_key(struct gk_kv_json id, const char *key_name)
{
    char text[GK_KEY_ID_BYTES_MAX];
    char end[GK_KEY_NAME_BYTES_MAX + 32];
    snprintf(end, sizeof end, "/keys/%s/rotationpolicy", key_name);
    const size_t end_len = strlen(end);
    if (is_absent(id)) {
        return true;
    }
    return gk_kv_json_copy(id, text, sizeof text) && strlen(text) >= end_len &&
           strcasecmp(text + strlen(text) - end_len, end) == 0;
}

static bool read_policy(struct gk_span body, const char *key_name, struct policy *policy)
{
    struct gk_kv_json root;
    *policy = (struct policy){0};
    return gk_kv_json_parse(body, &root) && root.kind == GK_KV_JSON_OBJECT &&
           is_of_key(gk_kv_json_get(root, "id"), key_name) &&
           read_actions(gk_kv_json_get(root, "lifetimeActions"), policy) &&
           read_duration(gk_kv_json_get(root, "attributes"), "expiryTime", &policy->life);
}

/* --- what it comes to --------------------------------------------------------------------------- */

/* 0 is none, of both. */
static int64_t sooner_of(int64_t a_s, int64_t b_s)
{
    return a_s == 0 || (b_s != 0 && b_s < a_s) ? b_s : a_s;
}

/* 0 where there is no such duration, or nothing that it counts from. */
static int64_t after_s(const struct gk_duration *duration, int64_t from_s)
{
    return gk_duration_is_set(duration) && from_s != 0 ? gk_duration_after_s(duration, from_s) : 0;
}

/* The same; no version is due before it was made. */
static int64_t before_s(const struct gk_duration *duration, int64_t end_s, int64_t created_s)
{
    if (!gk_duration_is_set(duration) || end_s == 0) {
        return 0;
    }
    const int64_t due_s = gk_duration_before_s(duration, end_s);
    const int64_t first_s = created_s == 0 ? 1 : created_s;
    return due_s < first_s ? first_s : due_s;
}

bool gk_kv_rotation_due(struct gk_span body, const char *key_name,
                        const struct gk_key_info *version, int64_t *due_wall_ms)
{
    struct policy policy;
    *due_wall_ms = 0;
    if (!read_policy(body, key_name, &policy)) {
        return false;
    }
    const int64_t created_s = version->created_wall_ms / MS_PER_S;
    const int64_t lived_s = after_s(&policy.life, created_s);
    const int64_t end_s =
        version->expires_wall_ms != 0 ? version->expires_wall_ms / MS_PER_S : lived_s;
    const int64_t aged_s = after_s(&policy.rotate_after_create, created_s);
    const int64_t ending_s = before_s(&policy.rotate_before_expiry, end_s, created_s);
    *due_wall_ms = sooner_of(sooner_of(aged_s, ending_s), lived_s) * MS_PER_S;
    return true;
}
