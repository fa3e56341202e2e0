/* SPDX-License-Identifier: Apache-2.0 */
/* Whether settings fit together, and what they allow. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "keyprovider/config.h"

#define AUTHORITY_DEFAULT      "https://login.microsoftonline.com"
#define METADATA_DEFAULT       "http://169.254.169.254"
#define METADATA_PATH          "/metadata/identity/oauth2/token"
#define ARC_DEFAULT            "http://127.0.0.1:40342"
#define ARC_CHALLENGES_DEFAULT "/var/opt/azcmagent/tokens"
#define RESOURCE_DEFAULT       "https://vault.azure.net"
#define MOUNT_DEFAULT          "transit"

static void default_text(char *out, size_t out_bytes, const char *value)
{
    if (out[0] == '\0') {
        snprintf(out, out_bytes, "%s", value);
    }
}

/* What an identity of each kind cannot do without. */
#define NEEDS(source, member)                                                                      \
    {                                                                                              \
        (source), #member, offsetof(struct gk_kv_identity, member)                                 \
    }
static const struct {
    enum gk_kv_identity_source source;
    const char *member;
    size_t offset;
} needs[] = {
    NEEDS(GK_KV_SOURCE_CLIENT_SECRET, client_id),
    NEEDS(GK_KV_SOURCE_CLIENT_SECRET, tenant_id),
    NEEDS(GK_KV_SOURCE_CLIENT_SECRET, client_secret_file),
    NEEDS(GK_KV_SOURCE_CLIENT_CERTIFICATE, client_id),
    NEEDS(GK_KV_SOURCE_CLIENT_CERTIFICATE, tenant_id),
    NEEDS(GK_KV_SOURCE_CLIENT_CERTIFICATE, client_certificate_file),
    NEEDS(GK_KV_SOURCE_WORKLOAD, client_id),
    NEEDS(GK_KV_SOURCE_WORKLOAD, tenant_id),
    NEEDS(GK_KV_SOURCE_WORKLOAD, federated_token_file),
    NEEDS(GK_KV_SOURCE_APP_SERVICE, endpoint),
    NEEDS(GK_KV_SOURCE_APP_SERVICE, identity_header_file),
    NEEDS(GK_KV_SOURCE_APPROLE, role),
    NEEDS(GK_KV_SOURCE_APPROLE, secret_id_file),
    NEEDS(GK_KV_SOURCE_JWT, role),
    NEEDS(GK_KV_SOURCE_JWT, federated_token_file),
    NEEDS(GK_KV_SOURCE_TLS, client_certificate_file),
};

static enum gk_status check_members(const struct gk_kv_identity *identity, size_t number,
                                    struct gk_error *error)
{
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (needs[i].source == identity->source &&
            ((const char *)identity)[needs[i].offset] == '\0') {
            return gk_fail(error, GK_E_INVALID, "identity.%zu.%s: is missing; kind %s needs it",
                           number, needs[i].member, gk_kv_source_name(identity->source));
        }
    }
    return GK_OK;
}

/* Instance metadata and the agent of Azure Arc have one path, which need not be given. */
static enum gk_status complete_endpoint(struct gk_kv_identity *identity, size_t number,
                                        struct gk_error *error)
{
    struct gk_kv_origin origin;
    struct gk_span path;
    if (!gk_kv_origin_parse(gk_span_str(identity->endpoint), &origin, &path)) {
        return gk_fail(error, GK_E_INVALID, "identity.%zu.endpoint: give http://host", number);
    }
    if (path.len > 1 || identity->source == GK_KV_SOURCE_APP_SERVICE) {
        return GK_OK;
    }
    const size_t len = strlen(identity->endpoint) - path.len;
    if (len + sizeof METADATA_PATH > sizeof identity->endpoint) {
        return gk_fail(error, GK_E_INVALID, "identity.%zu.endpoint: is too long", number);
    }
    memcpy(identity->endpoint + len, METADATA_PATH, sizeof METADATA_PATH);
    return GK_OK;
}

static enum gk_status check_identity(struct gk_kv_identity *identity, size_t number,
                                     struct gk_error *error)
{
    if (identity->source == GK_KV_SOURCE_NONE) {
        return gk_fail(error, GK_E_INVALID,
                       "identity.%zu.kind: is missing; give " GK_KV_SOURCE_NAMES, number);
    }
    const enum gk_status status = check_members(identity, number, error);
    if (status != GK_OK) {
        return status;
    }
    if (gk_kv_source_is_login(identity->source)) {
        default_text(identity->auth_mount, sizeof identity->auth_mount,
                     identity->source == GK_KV_SOURCE_TLS ? "cert"
                                                          : gk_kv_source_name(identity->source));
        return GK_OK;
    }
    if (!gk_kv_source_is_host(identity->source)) {
        default_text(identity->authority, sizeof identity->authority, AUTHORITY_DEFAULT);
        return GK_OK;
    }
    const bool arc = identity->source == GK_KV_SOURCE_ARC;
    default_text(identity->endpoint, sizeof identity->endpoint,
                 arc ? ARC_DEFAULT : METADATA_DEFAULT);
    default_text(identity->challenge_directory, sizeof identity->challenge_directory,
                 ARC_CHALLENGES_DEFAULT);
    return complete_endpoint(identity, number, error);
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

/* Its tokens are of its own making: they are for it and for no other. */
static enum gk_status check_transit(struct gk_kv_vault *vault, size_t number,
                                    struct gk_error *error)
{
    if (vault->resource[0] != '\0' || vault->authority[0] != '\0' ||
        vault->wrap_algorithm[0] != '\0') {
        return gk_fail(error, GK_E_INVALID, "vault.%zu.%s: is not for kind transit", number,
                       vault->resource[0] != '\0'    ? "resource"
                       : vault->authority[0] != '\0' ? "authority"
                                                     : "wrap_algorithm");
    }
    default_text(vault->resource, sizeof vault->resource, vault->uri);
    default_text(vault->mount, sizeof vault->mount, MOUNT_DEFAULT);
    return GK_OK;
}

static enum gk_status check_vault(struct gk_kv_vault *vault, size_t number, struct gk_error *error)
{
    if (vault->uri[0] == '\0') {
        return vault->mentioned ? gk_fail(error, GK_E_INVALID, "vault.%zu.uri: is missing", number)
                                : GK_OK;
    }
    if (!gk_kv_origin_parse(gk_span_str(vault->uri), &vault->origin, NULL)) {
        return gk_fail(error, GK_E_INVALID, "vault.%zu.uri: give https://host", number);
    }
    if (vault->kind == GK_KV_VAULT_TRANSIT) {
        return check_transit(vault, number, error);
    }
    if (vault->mount[0] != '\0' || vault->name_space[0] != '\0') {
        return gk_fail(error, GK_E_INVALID, "vault.%zu: mount and namespace are for kind transit",
                       number);
    }
    const char *resource = gk_kv_origin_known_resource(&vault->origin);
    const char *authority = gk_kv_origin_known_authority(&vault->origin);
    default_text(vault->resource, sizeof vault->resource,
                 resource == NULL ? RESOURCE_DEFAULT : resource);
    default_text(vault->authority, sizeof vault->authority,
                 authority == NULL ? AUTHORITY_DEFAULT : authority);
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

/* Authorities take the token of a user-assigned managed identity for that of an application which
 * trusts it, and of no other identity of theirs. */
static bool may_vouch(const struct gk_kv_identity *identity,
                      const struct gk_identity_reference *reference, struct gk_error *error)
{
    if (reference->federated_client_id[0] == '\0' ||
        (identity->resource_id[0] != '\0' && gk_kv_source_is_host(identity->source))) {
        return true;
    }
    (void)gk_fail(
        error, GK_E_INVALID,
        "federatedIdentityClientId goes with a user-assigned managed identity, and %s%.200s "
        "is configured here as %s; name one of kind managed, arc or app-service",
        identity->resource_id[0] == '\0' ? "the system-assigned identity" : "identity ",
        identity->resource_id, gk_kv_source_name(identity->source));
    return false;
}

const struct gk_kv_identity *gk_kv_config_identity(const struct gk_kv_config *config,
                                                   const struct gk_identity_reference *reference,
                                                   struct gk_error *error)
{
    const bool system = reference->kind == GK_IDENTITY_SYSTEM_ASSIGNED;
    if (!system && reference->resource_id[0] == '\0') {
        (void)gk_fail(error, GK_E_INVALID, "a user-assigned identity needs its resource id");
        return NULL;
    }
    for (size_t i = 0; i < GK_KV_IDENTITIES_MAX; i++) {
        const struct gk_kv_identity *identity = &config->identities[i];
        if (identity->mentioned &&
            strcasecmp(identity->resource_id, system ? "" : reference->resource_id) == 0) {
            return may_vouch(identity, reference, error) ? identity : NULL;
        }
    }
    (void)gk_fail(error, GK_E_INVALID,
                  "%s%.200s is not configured here; add it to provider.identities of the gateway's "
                  "configuration",
                  system ? "the system-assigned identity" : "identity ",
                  system ? "" : reference->resource_id);
    return NULL;
}

const char *gk_kv_config_pins(const struct gk_kv_config *config, const char *url)
{
    struct gk_kv_origin origin;
    struct gk_span rest;
    if (!gk_kv_origin_parse(gk_span_str(url), &origin, &rest)) {
        return "";
    }
    for (size_t i = 0; i < GK_KV_VAULTS_MAX; i++) {
        if (config->vaults[i].uri[0] != '\0' &&
            gk_kv_origin_equal(&config->vaults[i].origin, &origin)) {
            return config->vaults[i].public_key_pins;
        }
    }
    return "";
}

enum gk_status gk_kv_config_vault(const struct gk_kv_config *config, const char *vault_uri,
                                  struct gk_kv_vault *out, struct gk_error *error)
{
    *out = (struct gk_kv_vault){0};
    if (!gk_kv_origin_parse(gk_span_str(vault_uri), &out->origin, NULL) || !out->origin.https) {
        return gk_fail(error, GK_E_INVALID,
                       "%.200s is no vault's URI; give https://host without a path, user, query or "
                       "fragment",
                       vault_uri);
    }
    for (size_t i = 0; i < GK_KV_VAULTS_MAX; i++) {
        if (config->vaults[i].uri[0] != '\0' &&
            gk_kv_origin_equal(&config->vaults[i].origin, &out->origin)) {
            *out = config->vaults[i];
            return GK_OK;
        }
    }
    const char *known = gk_kv_origin_known_resource(&out->origin);
    if (known == NULL) {
        return gk_fail(error, GK_E_INVALID,
                       "%.200s is under no known vault domain; add it to provider.vaults of the "
                       "gateway's configuration if it is to be trusted",
                       vault_uri);
    }
    snprintf(out->uri, sizeof out->uri, "%s", vault_uri);
    snprintf(out->resource, sizeof out->resource, "%s", known);
    snprintf(out->authority, sizeof out->authority, "%s",
             gk_kv_origin_known_authority(&out->origin));
    return GK_OK;
}
