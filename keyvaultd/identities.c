/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/identities.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "gateway/pem_file.h"
#include "keyvaultd/token.h"

#define SETTING_BYTES 64u

bool kv_identity_object_id(const struct kv_identity *identity, const char *tenant_id,
                           char text[GK_UUID_TEXT_BYTES])
{
    struct gk_buf input;
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct gk_id id;
    gk_buf_init(&input, 4096);
    gk_buf_printf(&input, "object id\n%s\n%s", tenant_id, identity->config->client_id);
    const bool good = gk_buf_status(&input) == GK_OK &&
                      EVP_Digest(input.data, input.len, digest, NULL, EVP_sha256(), NULL) == 1;
    gk_buf_cleanup(&input);
    if (good) {
        memcpy(id.bytes, digest, sizeof id.bytes);
        gk_id_format(&id, text);
    }
    return good;
}

static enum gk_status read_certificate(struct kv_identity *identity, struct gk_error *error)
{
    char *pem = NULL;
    if (identity->config->client_certificate_file == NULL) {
        return GK_OK;
    }
    enum gk_status status =
        gk_pem_file_read(identity->config->client_certificate_file, &pem, error);
    if (status == GK_OK) {
        status = gk_jwks_of_certificate(pem, &identity->certificate, error);
    }
    gk_pem_file_free(&pem);
    return status;
}

static enum gk_status read_secret(struct kv_identity *identity, struct gk_error *error)
{
    const char *path = identity->config->client_secret_file;
    return path == NULL
               ? GK_OK
               : gk_secret_file_read(path, &identity->secret, &identity->secret_len, error);
}

static enum gk_status read_key_set(struct kv_identity *identity, struct gk_error *error)
{
    const char *path = identity->config->federated.jwks_file;
    return path == NULL ? GK_OK : gk_jwks_read(path, &identity->jwks, error);
}

/* What is wrong with one of the files is told at the setting that names it. */
static enum gk_status read_files(struct kv_identity *identity, const struct kv_config *config,
                                 size_t number, struct gk_error *error)
{
    static const struct {
        const char *setting;
        enum gk_status (*read)(struct kv_identity *identity, struct gk_error *error);
    } files[] = {{"client_secret_file", read_secret},
                 {"federated.jwks_file", read_key_set},
                 {"client_certificate_file", read_certificate}};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].read(identity, error) != GK_OK) {
            char setting[SETTING_BYTES];
            snprintf(setting, sizeof setting, "identities.[%zu].%s", number, files[i].setting);
            return kv_config_blame(config, setting, error);
        }
    }
    return GK_OK;
}

enum gk_status kv_identities_init(struct kv_identities *identities, const struct kv_config *config,
                                  struct gk_error *error)
{
    *identities = (struct kv_identities){0};
    identities->list = calloc(config->identities_count + 1, sizeof *identities->list);
    if (identities->list == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (size_t i = 0; i < config->identities_count; i++) {
        struct kv_identity *identity = &identities->list[i];
        identity->config = &config->identities[i];
        identities->count = i + 1;
        atomic_init(&identity->enabled, true);
        atomic_init(&identity->federated, true);
        atomic_init(&identity->installed, true);
        atomic_init(&identity->permissions, identity->config->permissions);
        const bool known =
            kv_identity_object_id(identity, identity->config->tenant_id, identity->object_id);
        const enum gk_status status = known ? read_files(identity, config, i, error)
                                            : gk_fail(error, GK_E_RESOURCE, "no digest");
        if (status != GK_OK) {
            kv_identities_cleanup(identities);
            return status;
        }
    }
    for (size_t i = 0; i < config->identities_count; i++) {
        const char *voucher = config->identities[i].federated.identity;
        identities->list[i].voucher =
            voucher == NULL ? NULL : kv_identity_by_name(identities, voucher);
    }
    return GK_OK;
}

void kv_identities_cleanup(struct kv_identities *identities)
{
    for (size_t i = 0; i < identities->count; i++) {
        gk_secret_free(&identities->list[i].secret);
        gk_jwks_free(identities->list[i].certificate);
        gk_jwks_free(identities->list[i].jwks);
    }
    free(identities->list);
    *identities = (struct kv_identities){0};
}

struct kv_identity *kv_identity_by_client_id(const struct kv_identities *identities,
                                             const char *client_id)
{
    for (size_t i = 0; i < identities->count; i++) {
        if (strcasecmp(identities->list[i].config->client_id, client_id) == 0) {
            return &identities->list[i];
        }
    }
    return NULL;
}

struct kv_identity *kv_identity_by_name(const struct kv_identities *identities, const char *name)
{
    for (size_t i = 0; i < identities->count; i++) {
        if (strcmp(identities->list[i].config->name, name) == 0) {
            return &identities->list[i];
        }
    }
    return NULL;
}

bool kv_identity_has_credential(const struct kv_identity *identity)
{
    return identity->secret != NULL || identity->certificate != NULL || identity->jwks != NULL ||
           identity->voucher != NULL;
}

bool kv_identity_is_in(const struct kv_identity *identity, const char *tenant_id)
{
    const struct kv_config_identity *config = identity->config;
    const bool installed = atomic_load(&identity->installed);
    for (size_t i = 0; installed && i < config->installed_in_count; i++) {
        if (strcasecmp(config->installed_in[i], tenant_id) == 0) {
            return true;
        }
    }
    return strcasecmp(config->tenant_id, tenant_id) == 0;
}

static bool is_chosen(const struct kv_identity *identity, const struct kv_identity_choice *choice)
{
    if (choice->client_id != NULL) {
        return strcasecmp(identity->config->client_id, choice->client_id) == 0;
    }
    if (choice->object_id != NULL) {
        return strcasecmp(identity->object_id, choice->object_id) == 0;
    }
    if (choice->resource_id != NULL) {
        return identity->config->resource_id != NULL &&
               strcasecmp(identity->config->resource_id, choice->resource_id) == 0;
    }
    return true;
}

struct kv_identity *kv_identity_managed(const struct kv_identities *identities,
                                        const struct kv_identity_choice *choice)
{
    const bool any =
        choice->client_id == NULL && choice->object_id == NULL && choice->resource_id == NULL;
    struct kv_identity *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < identities->count; i++) {
        struct kv_identity *identity = &identities->list[i];
        const bool managed =
            identity->config->system_assigned || identity->config->resource_id != NULL;
        if (!managed || !is_chosen(identity, choice)) {
            continue;
        }
        if (any && identity->config->system_assigned) {
            return identity;
        }
        found = identity;
        count++;
    }
    return count == 1 ? found : NULL;
}

bool kv_identity_secret_is(const struct kv_identity *identity, struct gk_span secret)
{
    return identity->secret != NULL &&
           gk_secret_equal(gk_span_of(identity->secret, identity->secret_len), secret);
}

bool kv_identity_signed(const struct kv_identity *identity, const char *assertion,
                        const char *audience, int64_t now_s, struct gk_error *why)
{
    const char *client_id = identity->config->client_id;
    const struct gk_jwt_wanted wanted = {
        .issuer = client_id, .audience = audience, .subject = client_id, .now_s = now_s};
    struct gk_jwt_claims claims;
    return identity->certificate != NULL &&
           gk_jwt_verify(identity->certificate, assertion, &wanted, &claims, why) == GK_OK;
}

/* A token of ours, whose issuer is the voucher's tenant and whose subject is the voucher. */
static bool is_vouched_for(const struct kv_identity *identity, const char *assertion,
                           struct gk_span token_secret, int64_t now_s, struct gk_error *why)
{
    const struct kv_config_identity *voucher = identity->voucher->config;
    struct kv_token_claims claims;
    if (kv_token_read(assertion, token_secret, now_s, &claims) &&
        strcmp(claims.audience, identity->config->federated.audience) == 0 &&
        strcasecmp(claims.tenant_id, voucher->tenant_id) == 0 &&
        strcasecmp(claims.client_id, voucher->client_id) == 0) {
        return true;
    }
    (void)gk_fail(why, GK_E_DENIED, "it is no token of %s for %s that is good now", voucher->name,
                  identity->config->federated.audience);
    return false;
}

bool kv_identity_is_asserted(const struct kv_identity *identity, const char *assertion,
                             struct gk_span token_secret, int64_t now_s, struct gk_error *why)
{
    const struct kv_config_federated *federated = &identity->config->federated;
    if (!atomic_load(&identity->federated)) {
        return false;
    }
    if (identity->voucher != NULL) {
        return is_vouched_for(identity, assertion, token_secret, now_s, why);
    }
    const struct gk_jwt_wanted wanted = {.issuer = federated->issuer,
                                         .audience = federated->audience,
                                         .subject = federated->subject,
                                         .now_s = now_s};
    struct gk_jwt_claims claims;
    return identity->jwks != NULL &&
           gk_jwt_verify(identity->jwks, assertion, &wanted, &claims, why) == GK_OK;
}
