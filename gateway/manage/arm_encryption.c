/* SPDX-License-Identifier: Apache-2.0 */
/* properties.encryption of a request body. */
#include "gateway/manage/arm_parts.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/manage/json_body.h"

bool gk_arm_in_list(const char *list, const char *text)
{
    const size_t len = strlen(text);
    for (const char *at = list; *at != '\0';) {
        const size_t span = strcspn(at, "|");
        if (span == len && strncasecmp(at, text, len) == 0) {
            return true;
        }
        at += span + (at[span] == '|' ? 1 : 0);
    }
    return false;
}

static enum gk_status apply_service(const json_t *services, const char *name, bool choosable,
                                    bool creating, uint8_t *account_key, struct gk_error *error)
{
    static const char *const names[] = {"enabled", "keyType", "lastEnabledTime", NULL};
    char where[64];
    snprintf(where, sizeof where, "properties.encryption.services.%s.", name);
    json_t *service = NULL;
    bool enabled = true;
    bool present = false;
    const char *type = NULL;
    enum gk_status status =
        gk_json_object(services, "properties.encryption.services.", name, &service, error);
    if (status != GK_OK || service == NULL) {
        return status;
    }
    status = gk_json_only(service, where, names, error);
    if (status == GK_OK) {
        status = gk_json_bool(service, where, "enabled", &enabled, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_text(service, where, "keyType", &type, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (!enabled) {
        return gk_json_refuse_value(error, "%senabled: encryption cannot be switched off.", where);
    }
    if (type == NULL) {
        return GK_OK;
    }
    if (!gk_arm_in_list(choosable ? "Service|Account" : "Account", type)) {
        return gk_json_refuse_value(error, "%skeyType can be %s.", where,
                                    choosable ? "Service or Account" : "Account alone");
    }
    const uint8_t wanted = strcasecmp(type, "Account") == 0;
    if (choosable && !creating && wanted != *account_key) {
        return gk_json_refuse_value(error, "%skeyType is chosen when the account is created.",
                                    where);
    }
    *account_key = wanted;
    return GK_OK;
}

static enum gk_status apply_services(const json_t *encryption, bool creating,
                                     struct gk_encryption_settings *settings,
                                     struct gk_error *error)
{
    static const char *const names[] = {"blob", "file", "queue", "table", NULL};
    json_t *services = NULL;
    uint8_t always = 1;
    enum gk_status status =
        gk_json_object(encryption, "properties.encryption.", "services", &services, error);
    if (status != GK_OK || services == NULL) {
        return status;
    }
    status = gk_json_only(services, "properties.encryption.services.", names, error);
    if (status == GK_OK) {
        status = apply_service(services, "blob", false, creating, &always, error);
    }
    if (status == GK_OK) {
        status = apply_service(services, "file", false, creating, &always, error);
    }
    if (status == GK_OK) {
        status =
            apply_service(services, "queue", true, creating, &settings->queue_account_key, error);
    }
    if (status == GK_OK) {
        status =
            apply_service(services, "table", true, creating, &settings->table_account_key, error);
    }
    return status;
}

static void trim_slash(char *uri)
{
    const size_t len = strlen(uri);
    if (len > 0 && uri[len - 1] == '/') {
        uri[len - 1] = '\0';
    }
}

/* A version belongs to its key: with another key or vault and no version named, the wanted one is
 * the current one. "" asks for the current one explicitly. */
static enum gk_status apply_key(const json_t *encryption, struct gk_encryption_settings *settings,
                                struct gk_error *error)
{
    static const char *const names[] = {"keyname",
                                        "keyversion",
                                        "keyvaulturi",
                                        "currentVersionedKeyIdentifier",
                                        "lastKeyRotationTimestamp",
                                        "currentVersionedKeyExpirationTimestamp",
                                        NULL};
    static const char where[] = "properties.encryption.keyvaultproperties.";
    json_t *key = NULL;
    struct gk_key_reference wanted = settings->key;
    bool named = false;
    bool present = false;
    enum gk_status status =
        gk_json_object(encryption, "properties.encryption.", "keyvaultproperties", &key, error);
    if (status != GK_OK || key == NULL) {
        return status;
    }
    status = gk_json_only(key, where, names, error);
    if (status == GK_OK) {
        status = gk_json_copy(key, where, "keyvaulturi", wanted.vault_uri, sizeof wanted.vault_uri,
                              &present, error);
    }
    if (status == GK_OK) {
        status =
            gk_json_copy(key, where, "keyname", wanted.name, sizeof wanted.name, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_copy(key, where, "keyversion", wanted.version, sizeof wanted.version,
                              &named, error);
    }
    trim_slash(wanted.vault_uri);
    if (!named && (strcmp(wanted.vault_uri, settings->key.vault_uri) != 0 ||
                   strcmp(wanted.name, settings->key.name) != 0)) {
        wanted.version[0] = '\0';
    }
    settings->key = wanted;
    return status;
}

static enum gk_status refuse_missing_identity(struct gk_error *error, const char *text)
{
    return gk_fail_http(error, GK_E_INVALID, 400, "ManagedServiceIdentityNotFound", "%s", text);
}

/* The multi-tenant application for a vault in another tenant. "" and "None" mean none. */
static enum gk_status apply_application(const json_t *identity, const char *where,
                                        struct gk_identity_reference *wanted,
                                        struct gk_error *error)
{
    static const char name[] = "federatedIdentityClientId";
    struct gk_id id;
    bool present = false;
    const enum gk_status status = gk_json_copy(identity, where, name, wanted->federated_client_id,
                                               sizeof wanted->federated_client_id, &present, error);
    if (status != GK_OK || !present) {
        return status;
    }
    if (strcasecmp(wanted->federated_client_id, "None") == 0) {
        wanted->federated_client_id[0] = '\0';
    }
    if (wanted->federated_client_id[0] != '\0' && !gk_id_parse(wanted->federated_client_id, &id)) {
        return gk_json_refuse_value(error, "%s%s is not the client id of an application.", where,
                                    name);
    }
    return GK_OK;
}

/* As whom to ask the vault. A named user-assigned identity must be the account's own. */
static enum gk_status apply_encryption_identity(const json_t *encryption,
                                                const struct gk_arm_account *arm,
                                                struct gk_encryption_settings *settings,
                                                struct gk_error *error)
{
    static const char *const names[] = {"userAssignedIdentity", "federatedIdentityClientId", NULL};
    static const char where[] = "properties.encryption.identity.";
    json_t *identity = NULL;
    bool named = false;
    struct gk_identity_reference *wanted = &settings->identity;
    enum gk_status status =
        gk_json_object(encryption, "properties.encryption.", "identity", &identity, error);
    if (status != GK_OK || identity == NULL) {
        return status;
    }
    status = gk_json_only(identity, where, names, error);
    if (status == GK_OK) {
        status = gk_json_copy(identity, where, "userAssignedIdentity", wanted->resource_id,
                              sizeof wanted->resource_id, &named, error);
    }
    if (status == GK_OK) {
        status = apply_application(identity, where, wanted, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (named && wanted->resource_id[0] != '\0' &&
        strcasecmp(wanted->resource_id, arm->user_identity) != 0) {
        return refuse_missing_identity(
            error, "The identity that properties.encryption.identity names is not one of the "
                   "account's: name it in identity.userAssignedIdentities as well.");
    }
    if (named) {
        wanted->kind = wanted->resource_id[0] == '\0' ? GK_IDENTITY_SYSTEM_ASSIGNED
                                                      : GK_IDENTITY_USER_ASSIGNED;
    }
    return GK_OK;
}

enum gk_status gk_arm_check_customer(const struct gk_arm_account *arm, bool creating,
                                     const struct gk_encryption_settings *settings,
                                     struct gk_error *error)
{
    const struct gk_identity_reference *identity = &settings->identity;
    if (settings->key.vault_uri[0] == '\0' || settings->key.name[0] == '\0') {
        return gk_json_refuse_value(error, "keySource Microsoft.Keyvault needs "
                                           "keyvaultproperties.keyvaulturi and keyname.");
    }
    if (identity->kind == GK_IDENTITY_USER_ASSIGNED &&
        strcasecmp(identity->resource_id, arm->user_identity) != 0) {
        return refuse_missing_identity(
            error, "The account's key is reached with a user-assigned identity that the account "
                   "would no longer have; change properties.encryption.identity as well.");
    }
    if (identity->kind == GK_IDENTITY_SYSTEM_ASSIGNED && (creating || !arm->system_identity)) {
        return refuse_missing_identity(
            error, "keySource Microsoft.Keyvault needs an identity: name a user-assigned one in "
                   "identity and properties.encryption.identity, or give an existing account a "
                   "system-assigned one.");
    }
    if (identity->kind == GK_IDENTITY_SYSTEM_ASSIGNED && identity->federated_client_id[0] != '\0') {
        return refuse_missing_identity(
            error, "federatedIdentityClientId goes with a user-assigned identity, which the "
                   "application trusts: name one in identity and properties.encryption.identity, "
                   "or clear federatedIdentityClientId with \"None\".");
    }
    return GK_OK;
}

static enum gk_status apply_source(const json_t *encryption,
                                   struct gk_encryption_settings *settings, struct gk_error *error)
{
    const char *source = NULL;
    const enum gk_status status =
        gk_json_text(encryption, "properties.encryption.", "keySource", &source, error);
    if (status != GK_OK || source == NULL) {
        return status;
    }
    if (!gk_arm_in_list("Microsoft.Storage|Microsoft.Keyvault", source)) {
        return gk_json_refuse_value(error, "properties.encryption.keySource is neither "
                                           "Microsoft.Storage nor Microsoft.Keyvault.");
    }
    settings->source = strcasecmp(source, "Microsoft.Keyvault") == 0 ? GK_KEY_SOURCE_CUSTOMER
                                                                     : GK_KEY_SOURCE_SERVICE;
    return GK_OK;
}

enum gk_status gk_arm_apply_encryption(const json_t *encryption, const struct gk_arm_account *arm,
                                       bool creating, struct gk_encryption_settings *settings,
                                       struct gk_error *error)
{
    static const char *const names[] = {
        "services",           "keySource", "requireInfrastructureEncryption",
        "keyvaultproperties", "identity",  NULL};
    bool twice = false;
    bool present = false;
    enum gk_status status = gk_json_only(encryption, "properties.encryption.", names, error);
    if (status == GK_OK) {
        status = gk_json_bool(encryption, "properties.encryption.",
                              "requireInfrastructureEncryption", &twice, &present, error);
    }
    if (status == GK_OK && twice) {
        return gk_json_refuse_value(error, "requireInfrastructureEncryption is not served.");
    }
    if (status == GK_OK) {
        status = apply_services(encryption, creating, settings, error);
    }
    if (status == GK_OK) {
        status = apply_source(encryption, settings, error);
    }
    if (status == GK_OK && settings->source == GK_KEY_SOURCE_SERVICE &&
        json_is_object(json_object_get(encryption, "keyvaultproperties"))) {
        return gk_json_refuse_value(error, "properties.encryption.keyvaultproperties needs "
                                           "keySource Microsoft.Keyvault beside it.");
    }
    if (status == GK_OK) {
        status = apply_key(encryption, settings, error);
    }
    if (status == GK_OK) {
        status = apply_encryption_identity(encryption, arm, settings, error);
    }
    return status;
}
