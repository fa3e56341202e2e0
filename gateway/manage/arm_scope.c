/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/arm_scope.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/manage/arm_parts.h"
#include "gateway/manage/json_body.h"

bool gk_arm_scope_identity(const struct gk_arm_account *arm,
                           const struct gk_account_status *account,
                           struct gk_identity_reference *identity)
{
    *identity = (struct gk_identity_reference){.kind = GK_IDENTITY_SYSTEM_ASSIGNED};
    if (account->settings.source == GK_KEY_SOURCE_CUSTOMER) {
        *identity = account->settings.identity;
        return true;
    }
    if (arm->user_identity[0] != '\0') {
        identity->kind = GK_IDENTITY_USER_ASSIGNED;
        snprintf(identity->resource_id, sizeof identity->resource_id, "%s", arm->user_identity);
        return true;
    }
    return arm->system_identity;
}

/* --- what a request says ------------------------------------------------------------------------*/

static enum gk_status refuse_uri(struct gk_error *error)
{
    return gk_json_refuse_value(error, "properties.keyVaultProperties.keyUri is "
                                       "https://{vault}/keys/{name} or that with a version.");
}

static bool copy_part(const char *from, size_t len, char *out, size_t out_bytes)
{
    if (len >= out_bytes) {
        return false;
    }
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

/* "https://vault/keys/name" or "https://vault/keys/name/version". */
static enum gk_status read_uri(const char *uri, struct gk_key_reference *key,
                               struct gk_error *error)
{
    static const char keys[] = "/keys/";
    const char *path = strstr(uri, keys);
    if (path == NULL) {
        return refuse_uri(error);
    }
    const char *name = path + strlen(keys);
    const size_t name_len = strcspn(name, "/");
    const char *version = name[name_len] == '/' ? name + name_len + 1 : "";
    const size_t version_len = strcspn(version, "/");
    const bool whole = version[version_len] == '\0' || strcmp(version + version_len, "/") == 0;
    return name_len > 0 && whole &&
                   copy_part(uri, (size_t)(path - uri), key->vault_uri, sizeof key->vault_uri) &&
                   copy_part(name, name_len, key->name, sizeof key->name) &&
                   copy_part(version, version_len, key->version, sizeof key->version)
               ? GK_OK
               : refuse_uri(error);
}

static enum gk_status apply_key(const json_t *properties, struct gk_encryption_settings *settings,
                                struct gk_error *error)
{
    static const char *const names[] = {"keyUri", "currentVersionedKeyIdentifier",
                                        "lastKeyRotationTimestamp", NULL};
    static const char where[] = "properties.keyVaultProperties.";
    json_t *key = NULL;
    const char *uri = NULL;
    enum gk_status status =
        gk_json_object(properties, "properties.", "keyVaultProperties", &key, error);
    if (status != GK_OK || key == NULL) {
        return status;
    }
    status = gk_json_only(key, where, names, error);
    if (status == GK_OK) {
        status = gk_json_text(key, where, "keyUri", &uri, error);
    }
    return status == GK_OK && uri != NULL ? read_uri(uri, &settings->key, error) : status;
}

static enum gk_status apply_source(const json_t *properties,
                                   struct gk_encryption_settings *settings, struct gk_error *error)
{
    const char *source = NULL;
    const enum gk_status status = gk_json_text(properties, "properties.", "source", &source, error);
    if (status != GK_OK || source == NULL) {
        return status;
    }
    if (!gk_arm_in_list("Microsoft.Storage|Microsoft.KeyVault", source)) {
        return gk_json_refuse_value(error, "properties.source is neither Microsoft.Storage nor "
                                           "Microsoft.KeyVault.");
    }
    settings->source = strcasecmp(source, "Microsoft.KeyVault") == 0 ? GK_KEY_SOURCE_CUSTOMER
                                                                     : GK_KEY_SOURCE_SERVICE;
    return GK_OK;
}

static enum gk_status apply_state(const json_t *properties, bool *disabled, struct gk_error *error)
{
    const char *state = NULL;
    const enum gk_status status = gk_json_text(properties, "properties.", "state", &state, error);
    if (status != GK_OK || state == NULL) {
        return status;
    }
    if (!gk_arm_in_list("Enabled|Disabled", state)) {
        return gk_json_refuse_value(error, "properties.state is neither Enabled nor Disabled.");
    }
    *disabled = strcasecmp(state, "Disabled") == 0;
    return GK_OK;
}

static enum gk_status check_settings(const struct gk_encryption_settings *settings,
                                     bool has_identity, bool names_key, struct gk_error *error)
{
    if (settings->source == GK_KEY_SOURCE_SERVICE) {
        return names_key ? gk_json_refuse_value(error, "properties.keyVaultProperties needs "
                                                       "source Microsoft.KeyVault beside it.")
                         : GK_OK;
    }
    if (settings->key.name[0] == '\0') {
        return gk_json_refuse_value(error, "source Microsoft.KeyVault needs "
                                           "properties.keyVaultProperties.keyUri.");
    }
    return has_identity ? GK_OK
                        : gk_fail_http(error, GK_E_INVALID, 400, "ManagedServiceIdentityNotFound",
                                       "An encryption scope with a customer key needs an identity "
                                       "of the storage account: give the account one.");
}

enum gk_status gk_arm_scope_apply(const json_t *body, bool has_identity, bool *disabled,
                                  struct gk_encryption_settings *settings, struct gk_error *error)
{
    static const char *const names[] = {"source",
                                        "state",
                                        "keyVaultProperties",
                                        "requireInfrastructureEncryption",
                                        "creationTime",
                                        "lastModifiedTime",
                                        "gatekey",
                                        NULL};
    json_t *properties = NULL;
    bool twice = false;
    bool present = false;
    enum gk_status status = gk_json_object(body, "", "properties", &properties, error);
    if (status == GK_OK && properties != NULL) {
        status = gk_json_only(properties, "properties.", names, error);
    }
    if (status != GK_OK || properties == NULL) {
        return status;
    }
    status = gk_json_bool(properties, "properties.", "requireInfrastructureEncryption", &twice,
                          &present, error);
    if (status == GK_OK && twice) {
        return gk_json_refuse_value(error, "requireInfrastructureEncryption is not served.");
    }
    if (status == GK_OK) {
        status = apply_source(properties, settings, error);
    }
    if (status == GK_OK) {
        status = apply_key(properties, settings, error);
    }
    if (status == GK_OK) {
        status = apply_state(properties, disabled, error);
    }
    return status == GK_OK
               ? check_settings(settings, has_identity,
                                json_is_object(json_object_get(properties, "keyVaultProperties")),
                                error)
               : status;
}

/* --- what an answer shows -----------------------------------------------------------------------*/

static void set_time(json_t *object, const char *name, int64_t wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    if (wall_ms > 0) {
        gk_time_iso(wall_ms, text);
        json_object_set_new(object, name, json_string(text));
    }
}

static json_t *key_json(const struct gk_account_status *status)
{
    const struct gk_key_reference *key = &status->settings.key;
    char uri[GK_KEY_ID_BYTES_MAX];
    snprintf(uri, sizeof uri, "%s/keys/%s%s%s", key->vault_uri, key->name,
             key->version[0] == '\0' ? "" : "/", key->version);
    json_t *object = json_pack("{s:s, s:s}", "keyUri", uri, "currentVersionedKeyIdentifier",
                               status->current_key_id);
    set_time(object, "lastKeyRotationTimestamp", status->last_rotation_wall_ms);
    return object;
}

json_t *gk_arm_scope_json(const struct gk_arm_scope_view *view)
{
    const struct gk_arm_account *arm = view->arm;
    const bool customer = view->status->settings.source == GK_KEY_SOURCE_CUSTOMER;
    char id[512];
    snprintf(id, sizeof id,
             "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Storage/storageAccounts/%s/"
             "encryptionScopes/%s",
             arm->subscription, arm->resource_group, view->account, view->name);
    json_t *properties = json_pack(
        "{s:s, s:s, s:b, s:o}", "source", customer ? "Microsoft.KeyVault" : "Microsoft.Storage",
        "state", view->scope->disabled ? "Disabled" : "Enabled", "requireInfrastructureEncryption",
        0, "gatekey", gk_arm_key_state_json(view->status));
    if (properties != NULL && customer) {
        json_object_set_new(properties, "keyVaultProperties", key_json(view->status));
    }
    set_time(properties, "creationTime", view->scope->created_wall_ms);
    set_time(properties, "lastModifiedTime", view->scope->modified_wall_ms);
    return json_pack("{s:s, s:s, s:s, s:o}", "id", id, "name", view->name, "type",
                     "Microsoft.Storage/storageAccounts/encryptionScopes", "properties",
                     properties);
}
