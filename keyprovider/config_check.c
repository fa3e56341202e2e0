/* SPDX-License-Identifier: Apache-2.0 */
/* Whether settings fit together, and what they allow. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "keyprovider/config.h"

#define AUTHORITY_DEFAULT "https://login.microsoftonline.com"
#define ENDPOINT_DEFAULT  "http://169.254.169.254"
#define RESOURCE_DEFAULT  "https://vault.azure.net"

static void default_text(char *out, size_t out_bytes, const char *value)
{
    if (out[0] == '\0') {
        snprintf(out, out_bytes, "%s", value);
    }
}

static enum gk_status check_identity(struct gk_kv_identity *identity, size_t number,
                                     struct gk_error *error)
{
    if (identity->source == GK_KV_SOURCE_NONE) {
        return gk_fail(error, GK_E_INVALID,
                       "identity.%zu.kind: is missing; give client-secret or managed", number);
    }
    if (identity->source == GK_KV_SOURCE_MANAGED) {
        default_text(identity->endpoint, sizeof identity->endpoint, ENDPOINT_DEFAULT);
        return GK_OK;
    }
    default_text(identity->authority, sizeof identity->authority, AUTHORITY_DEFAULT);
    const char *missing = identity->client_id[0] == '\0'            ? "client_id"
                          : identity->tenant_id[0] == '\0'          ? "tenant_id"
                          : identity->client_secret_file[0] == '\0' ? "client_secret_file"
                                                                    : NULL;
    return missing == NULL
               ? GK_OK
               : gk_fail(error, GK_E_INVALID,
                         "identity.%zu.%s: is missing; a client-secret identity needs it", number,
                         missing);
}

/* Both the system-assigned one, or both of one resource id: which is meant could not be told. */
static enum gk_status check_distinct(const struct gk_kv_config *config, size_t number,
                                     struct gk_error *error)
{
    const struct gk_kv_identity *identity = &config->identities[number];
    for (size_t i = 0; i < number; i++) {
        if (config->identities[i].mentioned &&
            strcasecmp(config->identities[i].resource_id, identity->resource_id) == 0) {
            return gk_fail(error, GK_E_INVALID,
                           "identity.%zu.resource_id: is that of identity.%zu too%s", number, i,
                           identity->resource_id[0] == '\0'
                               ? " (none: there is one system-assigned identity at most)"
                               : "");
        }
    }
    return GK_OK;
}

static enum gk_status check_vault(struct gk_kv_vault *vault, size_t number, struct gk_error *error)
{
    if (vault->uri[0] == '\0') {
        return vault->resource[0] == '\0'
                   ? GK_OK
                   : gk_fail(error, GK_E_INVALID, "vault.%zu.uri: is missing", number);
    }
    if (!gk_kv_origin_parse(gk_span_str(vault->uri), &vault->origin, NULL)) {
        return gk_fail(error, GK_E_INVALID, "vault.%zu.uri: give https://host", number);
    }
    const char *known = gk_kv_origin_known_resource(&vault->origin);
    default_text(vault->resource, sizeof vault->resource, known == NULL ? RESOURCE_DEFAULT : known);
    return GK_OK;
}

enum gk_status gk_kv_config_check(struct gk_kv_config *config, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    if (config->service_key_file[0] == '\0') {
        return gk_fail(
            error, GK_E_INVALID,
            "service_key_file: is missing; make a key with gatekeyctl service-key create");
    }
    for (size_t i = 0; status == GK_OK && i < GK_KV_IDENTITIES_MAX; i++) {
        if (config->identities[i].mentioned) {
            status = check_identity(&config->identities[i], i, error);
            status = status == GK_OK ? check_distinct(config, i, error) : status;
        }
    }
    for (size_t i = 0; status == GK_OK && i < GK_KV_VAULTS_MAX; i++) {
        status = check_vault(&config->vaults[i], i, error);
    }
    return status;
}

/* --- what the settings allow ------------------------------------------------------------------- */

const struct gk_kv_identity *gk_kv_config_identity(const struct gk_kv_config *config,
                                                   const struct gk_identity_reference *reference,
                                                   struct gk_error *error)
{
    const bool system = reference->kind == GK_IDENTITY_SYSTEM_ASSIGNED;
    if (reference->federated_client_id[0] != '\0') {
        (void)gk_fail(error, GK_E_UNSUPPORTED,
                      "federatedIdentityClientId: a vault in another tenant is not served; use a "
                      "vault in the tenant of the identity");
        return NULL;
    }
    if (!system && reference->resource_id[0] == '\0') {
        (void)gk_fail(error, GK_E_INVALID, "a user-assigned identity needs its resource id");
        return NULL;
    }
    for (size_t i = 0; i < GK_KV_IDENTITIES_MAX; i++) {
        const struct gk_kv_identity *identity = &config->identities[i];
        if (identity->mentioned &&
            strcasecmp(identity->resource_id, system ? "" : reference->resource_id) == 0) {
            return identity;
        }
    }
    (void)gk_fail(error, GK_E_INVALID,
                  "%s%.200s is not configured here; add it to provider.identities of the gateway's "
                  "configuration",
                  system ? "the system-assigned identity" : "identity ",
                  system ? "" : reference->resource_id);
    return NULL;
}

const char *gk_kv_config_resource(const struct gk_kv_config *config, const char *vault_uri,
                                  struct gk_error *error)
{
    struct gk_kv_origin origin;
    if (!gk_kv_origin_parse(gk_span_str(vault_uri), &origin, NULL) || !origin.https) {
        (void)gk_fail(error, GK_E_INVALID,
                      "%.200s is no vault's URI; give https://host without a path, user, query or "
                      "fragment",
                      vault_uri);
        return NULL;
    }
    for (size_t i = 0; i < GK_KV_VAULTS_MAX; i++) {
        if (config->vaults[i].uri[0] != '\0' &&
            gk_kv_origin_equal(&config->vaults[i].origin, &origin)) {
            return config->vaults[i].resource;
        }
    }
    const char *known = gk_kv_origin_known_resource(&origin);
    if (known == NULL) {
        (void)gk_fail(error, GK_E_INVALID,
                      "%.200s is under no known vault domain; add it to provider.vaults of the "
                      "gateway's configuration if it is to be trusted",
                      vault_uri);
    }
    return known;
}

enum gk_status gk_kv_config_check_key(const struct gk_key_reference *key, struct gk_error *error)
{
    if (!gk_kv_key_name_is_good(key->name)) {
        return gk_fail(error, GK_E_INVALID, "a key's name is 1 to %u letters, digits and hyphens",
                       GK_KEY_NAME_BYTES_MAX - 1);
    }
    if (key->version[0] != '\0' && !gk_kv_key_version_is_good(key->version)) {
        return gk_fail(error, GK_E_INVALID,
                       "a key's version is %u hexadecimal digits, or none for the current one",
                       GK_KEY_VERSION_BYTES_MAX - 1);
    }
    return GK_OK;
}
