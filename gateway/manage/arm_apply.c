/* SPDX-License-Identifier: Apache-2.0 */
/* A request body onto an account: gk_arm_apply() and the tables it reads. */
#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/manage/arm_account.h"
#include "gateway/manage/arm_parts.h"
#include "gateway/manage/json_body.h"

/* --- properties without a function of their own ------------------------------------------------*/

/* Which value of a known property is true of this gateway; values are separated by '|'. */
struct fixed_property {
    const char *name;
    const char *values;
    const char *why;
};

static const struct fixed_property fixed_properties[] = {
    {"allowSharedKeyAccess", "true", "access keys cannot be switched off"},
    {"allowCrossTenantReplication", "false", "replication is not served"},
    {"defaultToOAuthAuthentication", "false", "there is no portal that it could concern"},
    {"dnsEndpointType", "Standard", "other endpoints are not served"},
    {"enableExtendedGroups", "false", "it is not served"},
    {"isHnsEnabled", "false", "hierarchical namespaces are not served"},
    {"isLocalUserEnabled", "false", "local users are not served"},
    {"isNfsV3Enabled", "false", "NFS is not served"},
    {"isSftpEnabled", "false", "SFTP is not served"},
    {"largeFileSharesState", "Disabled", "large file shares are not served"},
    {"minimumTlsVersion", "TLS1_0|TLS1_1|TLS1_2", "TLS 1.2 is the listeners' minimum"},
    {"publicNetworkAccess", "Enabled", "network rules are the host firewall's"},
};

/* What an account answers and a client may send back unread. */
static const char *const echoed_properties[] = {
    "accountMigrationInProgress",
    "creationTime",
    "failoverInProgress",
    "gatekey",
    "keyCreationTime",
    "lastGeoFailoverTime",
    "primaryEndpoints",
    "primaryLocation",
    "privateEndpointConnections",
    "provisioningState",
    "secondaryEndpoints",
    "secondaryLocation",
    "statusOfPrimary",
    "statusOfSecondary",
    "geoReplicationStats",
    "blobRestoreStatus",
    "isSkuConversionBlocked",
};

static enum gk_status check_fixed(const struct fixed_property *rule, const json_t *value,
                                  struct gk_error *error)
{
    const char *text = json_is_string(value)    ? json_string_value(value)
                       : json_is_true(value)    ? "true"
                       : json_is_boolean(value) ? "false"
                                                : NULL;
    if (json_is_null(value) || (text != NULL && gk_arm_in_list(rule->values, text))) {
        return GK_OK;
    }
    return gk_json_refuse_value(error, "properties.%s can only be %s here: %s.", rule->name,
                                rule->values, rule->why);
}

static bool is_echoed(const char *name)
{
    for (size_t i = 0; i < sizeof echoed_properties / sizeof echoed_properties[0]; i++) {
        if (strcmp(echoed_properties[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static enum gk_status check_network_acls(const json_t *value, struct gk_error *error)
{
    const char *action = json_string_value(json_object_get(value, "defaultAction"));
    const bool open = action == NULL || strcasecmp(action, "Allow") == 0;
    if (json_is_object(value) && open && json_array_size(json_object_get(value, "ipRules")) == 0 &&
        json_array_size(json_object_get(value, "virtualNetworkRules")) == 0 &&
        json_array_size(json_object_get(value, "resourceAccessRules")) == 0) {
        return GK_OK;
    }
    return gk_json_refuse_value(error,
                                "properties.networkAcls is not served: network rules are the "
                                "host firewall's. Only defaultAction Allow is accepted.");
}

/* Everything in properties that has no function below must be known and harmless. */
static enum gk_status check_other_property(const char *name, const json_t *value,
                                           struct gk_error *error)
{
    if (is_echoed(name)) {
        return GK_OK;
    }
    if (strcmp(name, "networkAcls") == 0) {
        return json_is_null(value) ? GK_OK : check_network_acls(value, error);
    }
    for (size_t i = 0; i < sizeof fixed_properties / sizeof fixed_properties[0]; i++) {
        if (strcmp(fixed_properties[i].name, name) == 0) {
            return check_fixed(&fixed_properties[i], value, error);
        }
    }
    if (json_is_null(value)) {
        return GK_OK;
    }
    return gk_json_refuse_value(error, "properties.%.64s is not served by this gateway.", name);
}

/* --- identity, tags, sku -----------------------------------------------------------------------*/

static enum gk_status refuse_identity(struct gk_error *error, const char *text)
{
    return gk_fail_http(error, GK_E_INVALID, 400, "InvalidRequestPropertyValue", "%s", text);
}

static enum gk_status apply_user_identity(const json_t *identity, struct gk_arm_account *arm,
                                          struct gk_error *error)
{
    json_t *map = NULL;
    const enum gk_status status =
        gk_json_object(identity, "identity.", "userAssignedIdentities", &map, error);
    if (status != GK_OK) {
        return status;
    }
    if (json_object_size(map) == 0 && arm->user_identity[0] != '\0') {
        return GK_OK; /* the type is repeated, the map left out */
    }
    if (json_object_size(map) == 0) {
        return gk_fail_http(error, GK_E_INVALID, 400, "MissingUserAssignedIdentity",
                            "identity.type is UserAssigned, and identity.userAssignedIdentities "
                            "names no identity; name one.");
    }
    if (json_object_size(map) != 1) {
        return refuse_identity(error, "identity.userAssignedIdentities names more than one "
                                      "identity; an account has one at most.");
    }
    const char *id = json_object_iter_key(json_object_iter(map));
    if (id[0] != '/' || strlen(id) >= sizeof arm->user_identity) {
        return refuse_identity(error, "identity.userAssignedIdentities does not hold a resource id "
                                      "(/subscriptions/.../userAssignedIdentities/name).");
    }
    snprintf(arm->user_identity, sizeof arm->user_identity, "%s", id);
    return GK_OK;
}

static enum gk_status apply_identity(const json_t *body, struct gk_arm_account *arm,
                                     struct gk_error *error)
{
    static const char *const names[] = {"type", "userAssignedIdentities", "principalId", "tenantId",
                                        NULL};
    json_t *identity = NULL;
    const char *type = NULL;
    enum gk_status status = gk_json_object(body, "", "identity", &identity, error);
    if (status != GK_OK || identity == NULL) {
        return status;
    }
    status = gk_json_only(identity, "identity.", names, error);
    if (status == GK_OK) {
        status = gk_json_text(identity, "identity.", "type", &type, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (type == NULL ||
        !gk_arm_in_list("None|SystemAssigned|UserAssigned|SystemAssigned,UserAssigned|"
                        "SystemAssigned, UserAssigned",
                        type)) {
        return refuse_identity(error, "identity.type is not one of None, SystemAssigned, "
                                      "UserAssigned and SystemAssigned,UserAssigned.");
    }
    arm->system_identity = strncasecmp(type, "SystemAssigned", 14) == 0;
    if (strcasestr(type, "UserAssigned") == NULL) {
        arm->user_identity[0] = '\0';
        return GK_OK;
    }
    return apply_user_identity(identity, arm, error);
}

static enum gk_status apply_tags(const json_t *body, struct gk_arm_account *arm,
                                 struct gk_error *error)
{
    json_t *tags = NULL;
    const enum gk_status status = gk_json_object(body, "", "tags", &tags, error);
    if (status != GK_OK || tags == NULL) {
        return status;
    }
    if (json_object_size(tags) > GK_ARM_TAGS_MAX) {
        return gk_json_refuse_value(error, "An account has at most %u tags.", GK_ARM_TAGS_MAX);
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(tags, name, value)
    {
        const char *text = json_string_value(value);
        if (text == NULL || strlen(text) > 256 || name[0] == '\0' || strlen(name) > 128) {
            return gk_json_refuse_value(error, "A tag's name has 1 to 128 bytes and its value is a "
                                               "text of up to 256.");
        }
    }
    json_t *copy = json_deep_copy(tags);
    if (copy == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    json_decref(arm->tags);
    arm->tags = copy;
    return GK_OK;
}

static enum gk_status apply_sku_and_kind(enum gk_arm_verb verb, const json_t *body,
                                         struct gk_arm_account *arm, struct gk_error *error)
{
    static const char *const sku_names[] = {"name", "tier", NULL};
    json_t *sku = NULL;
    const char *kind = NULL;
    bool present = false;
    enum gk_status status = gk_json_object(body, "", "sku", &sku, error);
    if (status == GK_OK && sku != NULL) {
        status = gk_json_only(sku, "sku.", sku_names, error);
        if (status == GK_OK) {
            status = gk_json_copy(sku, "sku.", "name", arm->sku, sizeof arm->sku, &present, error);
        }
    }
    if (status == GK_OK) {
        status = gk_json_text(body, "", "kind", &kind, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (verb == GK_ARM_CREATE && (!present || kind == NULL)) {
        return gk_json_refuse(error, "The required members sku.name, kind and location are not all "
                                     "there.");
    }
    if (!gk_arm_in_list("Standard_LRS|Standard_GRS|Standard_RAGRS|Standard_ZRS|Standard_GZRS|"
                        "Standard_RAGZRS",
                        arm->sku)) {
        return gk_json_refuse_value(error, "sku.name is not one that is served; use Standard_LRS.");
    }
    /* The original turns the old kind into the new one when a customer key is asked for; here every
     * account is a StorageV2 one. */
    if (kind != NULL && !gk_arm_in_list("Storage|StorageV2", kind)) {
        return gk_json_refuse_value(error, "kind is not one that is served; use StorageV2.");
    }
    return GK_OK;
}

static enum gk_status apply_location(enum gk_arm_verb verb, const json_t *body,
                                     struct gk_arm_account *arm, struct gk_error *error)
{
    char location[sizeof arm->location] = "";
    bool present = false;
    const enum gk_status status =
        gk_json_copy(body, "", "location", location, sizeof location, &present, error);
    if (status != GK_OK) {
        return status;
    }
    if (verb == GK_ARM_CREATE && (!present || location[0] == '\0')) {
        return gk_fail_http(error, GK_E_INVALID, 400, "LocationRequired",
                            "The location property is required for this definition.");
    }
    if (present && arm->location[0] != '\0' && strcasecmp(arm->location, location) != 0) {
        return gk_fail_http(error, GK_E_INVALID, 409, "InvalidResourceLocation",
                            "The account exists in location '%s'; it cannot be moved.",
                            arm->location);
    }
    if (present) {
        memcpy(arm->location, location, sizeof location);
    }
    return GK_OK;
}

/* --- all of it ---------------------------------------------------------------------------------*/

static enum gk_status apply_access_tier(const json_t *properties, struct gk_arm_account *arm,
                                        struct gk_error *error)
{
    bool present = false;
    const enum gk_status status =
        gk_json_copy(properties, "properties.", "accessTier", arm->access_tier,
                     sizeof arm->access_tier, &present, error);
    if (status == GK_OK && !gk_arm_in_list("Hot|Cool|Cold", arm->access_tier)) {
        return gk_json_refuse_value(error, "properties.accessTier is not one of Hot, Cool, Cold.");
    }
    return status;
}

static enum gk_status apply_properties(const json_t *body, struct gk_arm_account *arm,
                                       bool creating, struct gk_encryption_settings *settings,
                                       bool *encryption_named, struct gk_error *error)
{
    json_t *properties = NULL;
    json_t *encryption = NULL;
    bool present = false;
    enum gk_status status = gk_json_object(body, "", "properties", &properties, error);
    if (status != GK_OK || properties == NULL) {
        return status;
    }
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach(properties, name, value)
    {
        const bool own = gk_arm_in_list(
            "encryption|accessTier|supportsHttpsTrafficOnly|allowBlobPublicAccess", name);
        status = own ? GK_OK : check_other_property(name, value, error);
        if (status != GK_OK) {
            return status;
        }
    }
    status = apply_access_tier(properties, arm, error);
    if (status == GK_OK) {
        status = gk_json_bool(properties, "properties.", "supportsHttpsTrafficOnly",
                              &arm->https_only, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_bool(properties, "properties.", "allowBlobPublicAccess",
                              &arm->public_access, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_object(properties, "properties.", "encryption", &encryption, error);
    }
    if (status != GK_OK || encryption == NULL) {
        return status;
    }
    *encryption_named = true;
    return gk_arm_apply_encryption(encryption, arm, creating, settings, error);
}

enum gk_status gk_arm_apply(enum gk_arm_verb verb, const json_t *body, struct gk_arm_account *arm,
                            struct gk_encryption_settings *settings, bool *encryption_named,
                            struct gk_error *error)
{
    static const char *const names[] = {"sku",        "kind", "location", "tags", "identity",
                                        "properties", "id",   "name",     "type", NULL};
    const bool creating = arm->location[0] == '\0';
    *encryption_named = false;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = apply_location(verb, body, arm, error);
    }
    if (status == GK_OK) {
        status = apply_sku_and_kind(verb, body, arm, error);
    }
    if (status == GK_OK) {
        status = apply_tags(body, arm, error);
    }
    if (status == GK_OK) {
        status = apply_identity(body, arm, error);
    }
    if (status == GK_OK) {
        status = apply_properties(body, arm, creating, settings, encryption_named, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (settings->source == GK_KEY_SOURCE_CUSTOMER) {
        return gk_arm_check_customer(arm, creating, settings, error);
    }
    settings->key = (struct gk_key_reference){0};
    settings->identity = (struct gk_identity_reference){0};
    return GK_OK;
}
