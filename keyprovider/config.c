/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "keyprovider/request.h"

#define TIMEOUT_MS_DEFAULT 5000u
#define TIMEOUT_MS_MIN     100u
#define TIMEOUT_MS_MAX     60000u
#define GATEWAYS_MAX       100u

#define PIN_PREFIX   "sha256//"
#define SHA256_BYTES 32u

#define MOUNT_SIGNS GK_KV_TENANT_SIGNS "_/"

void gk_kv_config_init(struct gk_kv_config *config)
{
    memset(config, 0, sizeof *config);
    config->request_timeout_ms = TIMEOUT_MS_DEFAULT;
    config->gateways = 1;
}

/* --- one setting ------------------------------------------------------------------------------- */

/* Printable ASCII without blanks: all of it goes into URLs, forms, headers or messages. */
static bool is_plain(const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value <= 0x20 || *value >= 0x7f) {
            return false;
        }
    }
    return true;
}

static enum gk_status set_text(char *out, size_t out_bytes, const char *key, const char *value,
                               struct gk_error *error)
{
    const size_t len = strlen(value);
    if (len == 0 || len >= out_bytes || !is_plain(value)) {
        return gk_fail(error, GK_E_INVALID, "%s: give 1 to %zu printable characters without blanks",
                       key, out_bytes - 1);
    }
    memcpy(out, value, len + 1);
    return GK_OK;
}

static enum gk_status set_path(char *out, const char *key, const char *value,
                               struct gk_error *error)
{
    const size_t len = strlen(value);
    if (value[0] != '/' || len >= GK_KV_PATH_BYTES_MAX) {
        return gk_fail(error, GK_E_INVALID, "%s: give an absolute path", key);
    }
    memcpy(out, value, len + 1);
    return GK_OK;
}

/* An origin that is asked over TLS. */
static enum gk_status set_origin(char *out, const char *key, const char *value,
                                 struct gk_error *error)
{
    struct gk_kv_origin origin;
    const enum gk_status status = set_text(out, GK_KV_URL_BYTES_MAX, key, value, error);
    if (status != GK_OK) {
        return status;
    }
    const size_t len = strlen(out);
    if (out[len - 1] == '/') {
        out[len - 1] = '\0';
    }
    if (gk_kv_origin_parse(gk_span_str(out), &origin, NULL) && origin.https) {
        return GK_OK;
    }
    out[0] = '\0';
    return gk_fail(error, GK_E_INVALID, "%s: give https://host or https://host:port", key);
}

/* Where this machine's token service listens: an origin as above, or one with a path. */
static enum gk_status set_endpoint(char *out, const char *key, const char *value,
                                   struct gk_error *error)
{
    struct gk_kv_origin origin;
    struct gk_span path;
    const enum gk_status status = set_text(out, GK_KV_URL_BYTES_MAX, key, value, error);
    if (status != GK_OK) {
        return status;
    }
    if (gk_kv_origin_parse(gk_span_str(out), &origin, &path) && strpbrk(out, "?#") == NULL &&
        (origin.https || gk_kv_origin_is_local(&origin))) {
        return GK_OK;
    }
    out[0] = '\0';
    return gk_fail(error, GK_E_INVALID,
                   "%s: give https://host/path, or http:// with a loopback or link-local address",
                   key);
}

/* Where an engine or an auth method is mounted, or a namespace: names with slashes between them. */
static enum gk_status set_mount(char *out, const char *key, const char *value,
                                struct gk_error *error)
{
    const size_t len = strlen(value);
    if (len == 0 || len >= GK_KV_TEXT_BYTES_MAX || strspn(value, MOUNT_SIGNS) != len ||
        value[0] == '/' || value[len - 1] == '/' || strstr(value, "//") != NULL ||
        strstr(value, "..") != NULL) {
        return gk_fail(error, GK_E_INVALID,
                       "%s: give names of letters, digits, '-', '_' and '.', with '/' between them",
                       key);
    }
    memcpy(out, value, len + 1);
    return GK_OK;
}

/* SHA-256 of public keys, "sha256//...;sha256//...", as the transport takes them. */
static enum gk_status set_pins(char *out, const char *key, const char *value,
                               struct gk_error *error)
{
    const size_t len = strlen(value);
    const char *at = value;
    bool good = len < GK_KV_PINS_BYTES_MAX;
    while (good) {
        struct gk_buf digest;
        const size_t pin_len = strcspn(at, ";");
        gk_buf_init(&digest, SHA256_BYTES + 1);
        good = pin_len > sizeof PIN_PREFIX - 1 &&
               strncmp(at, PIN_PREFIX, sizeof PIN_PREFIX - 1) == 0 &&
               gk_base64_decode(&digest, gk_span_of(at + sizeof PIN_PREFIX - 1,
                                                    pin_len - (sizeof PIN_PREFIX - 1))) &&
               digest.len == SHA256_BYTES;
        gk_buf_cleanup(&digest);
        at += pin_len;
        if (*at == '\0') {
            break;
        }
        at++;
    }
    if (!good) {
        return gk_fail(
            error, GK_E_INVALID,
            "%s: give sha256// and the base64 of a public key's SHA-256, up to four with "
            "; between them",
            key);
    }
    memcpy(out, value, len + 1);
    return GK_OK;
}

static enum gk_status set_number(uint32_t *out, uint32_t min, uint32_t max, const char *key,
                                 const char *value, struct gk_error *error)
{
    uint64_t number = 0;
    if (!gk_parse_u64(gk_span_str(value), max, &number) || number < min) {
        return gk_fail(error, GK_E_INVALID, "%s: give a whole number from %u to %u", key, min, max);
    }
    *out = (uint32_t)number;
    return GK_OK;
}

static enum gk_status set_proxy(char *out, const char *key, const char *value,
                                struct gk_error *error)
{
    struct gk_kv_origin origin;
    const char *port = strrchr(value, ':');
    const size_t len = strlen(value);
    if (len >= GK_KV_URL_BYTES_MAX || !gk_kv_origin_parse(gk_span_str(value), &origin, NULL) ||
        origin.https || port[1] == '\0' || strspn(port + 1, "0123456789") != strlen(port + 1)) {
        return gk_fail(error, GK_E_INVALID, "%s: give http://host:port", key);
    }
    memcpy(out, value, len + 1);
    return GK_OK;
}

static const char *const source_names[] = {
    [GK_KV_SOURCE_NONE] = "",
    [GK_KV_SOURCE_CLIENT_SECRET] = "client-secret",
    [GK_KV_SOURCE_CLIENT_CERTIFICATE] = "client-certificate",
    [GK_KV_SOURCE_WORKLOAD] = "workload",
    [GK_KV_SOURCE_MANAGED] = "managed",
    [GK_KV_SOURCE_ARC] = "arc",
    [GK_KV_SOURCE_APP_SERVICE] = "app-service",
    [GK_KV_SOURCE_APPROLE] = "approle",
    [GK_KV_SOURCE_JWT] = "jwt",
    [GK_KV_SOURCE_TLS] = "tls",
};

const char *gk_kv_source_name(enum gk_kv_identity_source source)
{
    return source_names[source];
}

static enum gk_status set_source(struct gk_kv_identity *identity, const char *key,
                                 const char *value, struct gk_error *error)
{
    for (size_t i = GK_KV_SOURCE_NONE + 1; i < sizeof source_names / sizeof source_names[0]; i++) {
        if (strcmp(value, source_names[i]) == 0) {
            identity->source = (enum gk_kv_identity_source)i;
            return GK_OK;
        }
    }
    return gk_fail(error, GK_E_INVALID, "%s: is one of " GK_KV_SOURCE_NAMES, key);
}

static enum gk_status set_identity(struct gk_kv_identity *identity, const char *field,
                                   const char *key, const char *value, struct gk_error *error)
{
    identity->mentioned = true;
    if (strcmp(field, "kind") == 0) {
        return set_source(identity, key, value, error);
    }
    if (strcmp(field, "resource_id") == 0) {
        return set_text(identity->resource_id, sizeof identity->resource_id, key, value, error);
    }
    if (strcmp(field, "client_id") == 0) {
        return set_text(identity->client_id, sizeof identity->client_id, key, value, error);
    }
    if (strcmp(field, "tenant_id") == 0) {
        return strspn(value, GK_KV_TENANT_SIGNS) != strlen(value)
                   ? gk_fail(error, GK_E_INVALID, "%s: is no tenant's id or domain", key)
                   : set_text(identity->tenant_id, sizeof identity->tenant_id, key, value, error);
    }
    if (strcmp(field, "client_secret_file") == 0) {
        return set_path(identity->client_secret_file, key, value, error);
    }
    if (strcmp(field, "client_certificate_file") == 0) {
        return set_path(identity->client_certificate_file, key, value, error);
    }
    if (strcmp(field, "federated_token_file") == 0) {
        return set_path(identity->federated_token_file, key, value, error);
    }
    if (strcmp(field, "authority") == 0) {
        return set_origin(identity->authority, key, value, error);
    }
    if (strcmp(field, "endpoint") == 0) {
        return set_endpoint(identity->endpoint, key, value, error);
    }
    if (strcmp(field, "challenge_directory") == 0) {
        return set_path(identity->challenge_directory, key, value, error);
    }
    if (strcmp(field, "identity_header_file") == 0) {
        return set_path(identity->identity_header_file, key, value, error);
    }
    if (strcmp(field, "role") == 0) {
        return set_text(identity->role, sizeof identity->role, key, value, error);
    }
    if (strcmp(field, "secret_id_file") == 0) {
        return set_path(identity->secret_id_file, key, value, error);
    }
    if (strcmp(field, "auth_mount") == 0) {
        return set_mount(identity->auth_mount, key, value, error);
    }
    if (strcmp(field, "namespace") == 0) {
        return set_mount(identity->name_space, key, value, error);
    }
    return gk_fail(error, GK_E_NOT_FOUND, "%s: there is no such setting", key);
}

static enum gk_status set_vault_kind(struct gk_kv_vault *vault, const char *key, const char *value,
                                     struct gk_error *error)
{
    const bool transit = strcmp(value, "transit") == 0;
    if (!transit && strcmp(value, "keyvault") != 0) {
        return gk_fail(error, GK_E_INVALID, "%s: is keyvault or transit", key);
    }
    vault->kind = transit ? GK_KV_VAULT_TRANSIT : GK_KV_VAULT_KEYVAULT;
    return GK_OK;
}

static enum gk_status set_vault(struct gk_kv_vault *vault, const char *field, const char *key,
                                const char *value, struct gk_error *error)
{
    vault->mentioned = true;
    if (strcmp(field, "uri") == 0) {
        return set_origin(vault->uri, key, value, error);
    }
    if (strcmp(field, "kind") == 0) {
        return set_vault_kind(vault, key, value, error);
    }
    if (strcmp(field, "mount") == 0) {
        return set_mount(vault->mount, key, value, error);
    }
    if (strcmp(field, "namespace") == 0) {
        return set_mount(vault->name_space, key, value, error);
    }
    if (strcmp(field, "resource") == 0) {
        return set_text(vault->resource, sizeof vault->resource, key, value, error);
    }
    if (strcmp(field, "authority") == 0) {
        return set_origin(vault->authority, key, value, error);
    }
    if (strcmp(field, "wrap_algorithm") == 0) {
        return strcmp(value, GK_KV_WRAP_ALGORITHM) != 0 &&
                       strcmp(value, GK_KV_WRAP_ALGORITHM_SHA1) != 0
                   ? gk_fail(error, GK_E_INVALID,
                             "%s: is " GK_KV_WRAP_ALGORITHM " or " GK_KV_WRAP_ALGORITHM_SHA1, key)
                   : set_text(vault->wrap_algorithm, sizeof vault->wrap_algorithm, key, value,
                              error);
    }
    if (strcmp(field, "public_key_pins") == 0) {
        return set_pins(vault->public_key_pins, key, value, error);
    }
    return gk_fail(error, GK_E_NOT_FOUND, "%s: there is no such setting", key);
}

/* "identity.3.kind" is field "kind" of number 3. */
static bool split_key(const char *key, const char *prefix, uint64_t max, uint64_t *number,
                      const char **field)
{
    const size_t prefix_len = strlen(prefix);
    if (strncmp(key, prefix, prefix_len) != 0) {
        return false;
    }
    const char *digits = key + prefix_len;
    const size_t digits_len = strspn(digits, "0123456789");
    *field = digits + digits_len + 1;
    return digits[digits_len] == '.' && gk_parse_u64(gk_span_of(digits, digits_len), max, number);
}

enum gk_status gk_kv_config_set(struct gk_kv_config *config, const char *key, const char *value,
                                struct gk_error *error)
{
    uint64_t number = 0;
    const char *field = NULL;
    if (strcmp(key, "service_key_file") == 0) {
        return set_path(config->service_key_file, key, value, error);
    }
    if (strcmp(key, "ca_file") == 0) {
        return set_path(config->ca_file, key, value, error);
    }
    if (strcmp(key, "proxy") == 0) {
        return set_proxy(config->proxy, key, value, error);
    }
    if (strcmp(key, "request_timeout_ms") == 0) {
        return set_number(&config->request_timeout_ms, TIMEOUT_MS_MIN, TIMEOUT_MS_MAX, key, value,
                          error);
    }
    if (strcmp(key, "gateways") == 0) {
        return set_number(&config->gateways, 1, GATEWAYS_MAX, key, value, error);
    }
    if (split_key(key, "identity.", GK_KV_IDENTITIES_MAX - 1, &number, &field)) {
        return set_identity(&config->identities[number], field, key, value, error);
    }
    if (split_key(key, "vault.", GK_KV_VAULTS_MAX - 1, &number, &field)) {
        return set_vault(&config->vaults[number], field, key, value, error);
    }
    return gk_fail(error, GK_E_NOT_FOUND, "%.64s: there is no such setting", key);
}
