/* SPDX-License-Identifier: Apache-2.0 */
/* An account's management text: what is kept between requests. */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/manage/arm_account.h"

enum gk_status gk_arm_account_init(struct gk_arm_account *arm, const struct gk_arm_place *place,
                                   struct gk_error *error)
{
    *arm = (struct gk_arm_account){.sku = "Standard_LRS", .access_tier = "Hot"};
    snprintf(arm->subscription, sizeof arm->subscription, "%s", place->subscription);
    snprintf(arm->resource_group, sizeof arm->resource_group, "%s", place->resource_group);
    arm->tags = json_object();
    return arm->tags == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
}

void gk_arm_account_cleanup(struct gk_arm_account *arm)
{
    json_decref(arm->tags);
    *arm = (struct gk_arm_account){0};
}

enum gk_status gk_arm_store(const struct gk_arm_account *arm, struct gk_buf *out,
                            struct gk_error *error)
{
    json_t *object = json_pack(
        "{s:i, s:s, s:s, s:s, s:b, s:s, s:O, s:b, s:b, s:s}", "version", 1, "subscription",
        arm->subscription, "resourceGroup", arm->resource_group, "sku", arm->sku, "systemIdentity",
        arm->system_identity, "userIdentity", arm->user_identity, "tags", arm->tags, "httpsOnly",
        arm->https_only, "publicAccess", arm->public_access, "accessTier", arm->access_tier);
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    if (text == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_buf_append_str(out, text);
    free(text);
    return gk_buf_status(out) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_LIMIT, "the account's tags are too long");
}

static bool copy_text(const json_t *object, const char *name, char *out, size_t out_bytes)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL || strlen(text) >= out_bytes) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_object(const json_t *object, struct gk_arm_account *out)
{
    json_t *tags = json_object_get(object, "tags");
    out->system_identity = json_is_true(json_object_get(object, "systemIdentity"));
    out->https_only = json_is_true(json_object_get(object, "httpsOnly"));
    out->public_access = json_is_true(json_object_get(object, "publicAccess"));
    out->tags = json_is_object(tags) ? json_incref(tags) : NULL;
    return out->tags != NULL && json_integer_value(json_object_get(object, "version")) == 1 &&
           copy_text(object, "subscription", out->subscription, sizeof out->subscription) &&
           copy_text(object, "resourceGroup", out->resource_group, sizeof out->resource_group) &&
           copy_text(object, "sku", out->sku, sizeof out->sku) &&
           copy_text(object, "userIdentity", out->user_identity, sizeof out->user_identity) &&
           copy_text(object, "accessTier", out->access_tier, sizeof out->access_tier);
}

enum gk_status gk_arm_load(const char *text, const char *location, struct gk_arm_account *out,
                           struct gk_error *error)
{
    *out = (struct gk_arm_account){0};
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const bool good = object != NULL && read_object(object, out);
    json_decref(object);
    if (!good) {
        gk_arm_account_cleanup(out);
        return gk_fail_http(error, GK_E_INTEGRITY, 500, "InternalServerError",
                            "the account's stored description is not well-formed");
    }
    snprintf(out->location, sizeof out->location, "%s", location);
    return GK_OK;
}
