/* SPDX-License-Identifier: Apache-2.0 */
/* An account as an answer shows it. */
#include <stdio.h>
#include <string.h>

#include "common/text.h"
#include "gateway/manage/arm_account.h"

const char *gk_arm_state_name(enum gk_account_state state)
{
    switch (state) {
    case GK_ACCOUNT_SERVICE_MANAGED:
        return "service-managed";
    case GK_ACCOUNT_ACTIVE:
        return "active";
    case GK_ACCOUNT_REVOKED:
        return "revoked";
    case GK_ACCOUNT_UNREACHABLE:
        return "unreachable";
    case GK_ACCOUNT_DEGRADED:
        return "degraded";
    case GK_ACCOUNT_COLD:
        return "cold";
    }
    return "unknown";
}

/* The setters skip what is not there: an absent member says "none" in this API. */
static void set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL && text[0] != '\0') {
        json_t *value = json_string(text);
        json_object_set_new(object, name, value == NULL ? json_string("(not UTF-8)") : value);
    }
}

static void set_time(json_t *object, const char *name, int64_t wall_ms)
{
    if (wall_ms > 0) {
        char text[GK_TIME_TEXT_BYTES];
        gk_time_iso(wall_ms, text);
        json_object_set_new(object, name, json_string(text));
    }
}

static json_t *identity_json(const struct gk_arm_account *arm)
{
    const bool user = arm->user_identity[0] != '\0';
    const char *type = user && arm->system_identity ? "SystemAssigned,UserAssigned"
                       : user                       ? "UserAssigned"
                       : arm->system_identity       ? "SystemAssigned"
                                                    : "None";
    json_t *identity = json_pack("{s:s}", "type", type);
    if (identity != NULL && user) {
        json_object_set_new(identity, "userAssignedIdentities",
                            json_pack("{s:{}}", arm->user_identity));
    }
    return identity;
}

static void set_service(json_t *services, const char *name, bool account_key, int64_t since_ms)
{
    json_t *service =
        json_pack("{s:b, s:s}", "enabled", 1, "keyType", account_key ? "Account" : "Service");
    if (service != NULL) {
        set_time(service, "lastEnabledTime", since_ms);
        json_object_set_new(services, name, service);
    }
}

static json_t *key_json(const struct gk_account_status *status)
{
    const struct gk_key_reference *key = &status->settings.key;
    /* keyversion is there even when it is "": that is how the current version is asked for. */
    json_t *object = json_pack("{s:s, s:s, s:s}", "keyvaulturi", key->vault_uri, "keyname",
                               key->name, "keyversion", key->version);
    if (object != NULL) {
        set_text(object, "currentVersionedKeyIdentifier", status->current_key_id);
        set_time(object, "lastKeyRotationTimestamp", status->last_rotation_wall_ms);
        set_time(object, "currentVersionedKeyExpirationTimestamp", status->key_expires_wall_ms);
    }
    return object;
}

static json_t *encryption_json(const struct gk_arm_view *view)
{
    const struct gk_account_status *status = view->status;
    const struct gk_encryption_settings *settings = &status->settings;
    const bool customer = settings->source == GK_KEY_SOURCE_CUSTOMER;
    json_t *services = json_object();
    json_t *encryption = json_pack("{s:o, s:s}", "services", services, "keySource",
                                   customer ? "Microsoft.Keyvault" : "Microsoft.Storage");
    if (encryption == NULL) {
        return NULL;
    }
    set_service(services, "blob", true, view->created_wall_ms);
    set_service(services, "file", true, view->created_wall_ms);
    if (settings->queue_account_key != 0) {
        set_service(services, "queue", true, view->created_wall_ms);
    }
    if (settings->table_account_key != 0) {
        set_service(services, "table", true, view->created_wall_ms);
    }
    if (customer) {
        json_object_set_new(encryption, "keyvaultproperties", key_json(status));
        json_t *identity = json_object();
        set_text(identity, "userAssignedIdentity", settings->identity.resource_id);
        set_text(identity, "federatedIdentityClientId", settings->identity.federated_client_id);
        json_object_set_new(encryption, "identity", identity);
    }
    return encryption;
}

/* Milliseconds as seconds: a whole number where it is one. */
static json_t *seconds_json(uint32_t milliseconds)
{
    return milliseconds % 1000u == 0 ? json_integer(milliseconds / 1000u)
                                     : json_real((double)milliseconds / 1000.0);
}

static json_t *warnings_json(uint32_t warnings)
{
    static const char *const names[] = GK_KEY_WARNING_NAMES;
    json_t *list = json_array();
    for (size_t i = 0; i < GK_KEY_WARNINGS_COUNT; i++) {
        if ((warnings >> i & 1u) != 0) {
            json_array_append_new(list, json_string(names[i]));
        }
    }
    return list;
}

json_t *gk_arm_key_state_json(const struct gk_account_status *status)
{
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&status->id, id);
    json_t *object =
        json_pack("{s:s, s:s, s:I, s:I, s:b, s:b}", "state", gk_arm_state_name(status->state),
                  "accountId", id, "generation", (json_int_t)status->generation, "oldestGeneration",
                  (json_int_t)status->oldest_generation, "rotationPending",
                  status->rotation_pending != 0, "keyOutsideDates", status->key_outside_dates != 0);
    if (object == NULL) {
        return NULL;
    }
    set_text(object, "reasonCode", status->reason_code);
    set_text(object, "reason", status->reason);
    set_text(object, "requestId", status->reason_request_id);
    set_text(object, "previousKeyIdentifier", status->previous_key_id);
    set_time(object, "oldVersionMayBeDisabledAfter", status->previous_wrap_until_wall_ms);
    set_time(object, "lastCheck", status->last_check_wall_ms);
    set_time(object, "lastVersionCheck", status->last_version_check_wall_ms);
    set_time(object, "nextVersionCheck", status->next_version_check_wall_ms);
    set_time(object, "revokedSince", status->revoked_since_wall_ms);
    set_time(object, "unreachableSince", status->unreachable_since_wall_ms);
    set_time(object, "graceUntil", status->grace_until_wall_ms);
    if (status->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        json_object_set_new(object, "checkIntervalSeconds",
                            seconds_json(status->check_interval_ms));
        json_object_set_new(object, "keyWarnings", warnings_json(status->key_warnings));
        set_time(object, "keyCreated", status->key_created_wall_ms);
        set_time(object, "keyExpires", status->key_expires_wall_ms);
        set_time(object, "keyRotationDue", status->key_rotation_due_wall_ms);
    }
    return object;
}

static json_t *properties_json(const struct gk_arm_view *view)
{
    const struct gk_arm_account *arm = view->arm;
    json_t *keys = json_object();
    json_t *properties =
        json_pack("{s:s, s:s, s:s, s:{s:s}, s:o, s:o, s:o, s:b, s:s, s:b, s:s, s:s}",
                  "provisioningState", "Succeeded", "statusOfPrimary", "available",
                  "primaryLocation", arm->location, "primaryEndpoints", "blob", view->blob_endpoint,
                  "keyCreationTime", keys, "encryption", encryption_json(view), "gatekey",
                  gk_arm_key_state_json(view->status), "supportsHttpsTrafficOnly", arm->https_only,
                  "accessTier", arm->access_tier, "allowBlobPublicAccess", arm->public_access,
                  "minimumTlsVersion", "TLS1_2", "publicNetworkAccess", "Enabled");
    if (properties != NULL) {
        set_time(keys, "key1", view->key_created_wall_ms[0]);
        set_time(keys, "key2", view->key_created_wall_ms[1]);
        set_time(properties, "creationTime", view->created_wall_ms);
    }
    return properties;
}

json_t *gk_arm_view_json(const struct gk_arm_view *view)
{
    const struct gk_arm_account *arm = view->arm;
    char id[400];
    snprintf(id, sizeof id,
             "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Storage/storageAccounts/%s",
             arm->subscription, arm->resource_group, view->name);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:{s:s, s:s}, s:o, s:o}", "id", id, "name",
                     view->name, "type", "Microsoft.Storage/storageAccounts", "location",
                     arm->location, "kind", "StorageV2", "tags", arm->tags, "sku", "name", arm->sku,
                     "tier", "Standard", "identity", identity_json(arm), "properties",
                     properties_json(view));
}
