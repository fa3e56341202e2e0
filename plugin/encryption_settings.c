/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/encryption_settings.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "plugin/key_id.h"
#include "plugin/root_wrap.h"

#define POLICY "KeyVaultPolicyError"
#define AUTH   "KeyVaultAuthenticationFailure"

static enum gk_status refuse(struct gk_error *error, const char *code, const char *message)
{
    return gk_fail_http(error, GK_E_INVALID, 400, code, "%s", message);
}

enum gk_status gk_encryption_settings_check(const struct gk_instance *instance,
                                            const struct gk_encryption_settings *settings,
                                            struct gk_error *error)
{
    const struct gk_key_reference *key = &settings->key;
    const struct gk_identity_reference *identity = &settings->identity;
    if (!gk_text_is_plain(key->vault_uri, sizeof key->vault_uri) ||
        !gk_text_is_plain(key->name, sizeof key->name) ||
        !gk_text_is_plain(key->version, sizeof key->version) ||
        !gk_text_is_plain(identity->resource_id, sizeof identity->resource_id) ||
        !gk_text_is_plain(identity->federated_client_id, sizeof identity->federated_client_id) ||
        settings->source > GK_KEY_SOURCE_CUSTOMER || identity->kind > GK_IDENTITY_USER_ASSIGNED ||
        settings->queue_account_key > 1 || settings->table_account_key > 1) {
        return refuse(error, "InvalidRequestPropertyValue",
                      "An encryption setting is out of range or holds control characters.");
    }
    if (settings->source == GK_KEY_SOURCE_SERVICE) {
        return GK_OK;
    }
    if (key->vault_uri[0] == '\0' || key->name[0] == '\0') {
        return refuse(error, "InvalidRequestPropertyValue",
                      "A customer's key needs the vault's URI and the key's name.");
    }
    const enum gk_status status =
        instance->ops->check_reference(instance->provider, identity, key, error);
    if (status != GK_OK && error != NULL && error->http_status == 0) {
        error->http_status = 400;
    }
    return status;
}

bool gk_identity_reference_equal(const struct gk_identity_reference *a,
                                 const struct gk_identity_reference *b)
{
    return a->kind == b->kind && strcmp(a->resource_id, b->resource_id) == 0 &&
           strcmp(a->federated_client_id, b->federated_client_id) == 0;
}

bool gk_encryption_settings_equal(const struct gk_encryption_settings *a,
                                  const struct gk_encryption_settings *b)
{
    return a->source == b->source && strcmp(a->key.vault_uri, b->key.vault_uri) == 0 &&
           strcmp(a->key.name, b->key.name) == 0 && strcmp(a->key.version, b->key.version) == 0 &&
           gk_identity_reference_equal(&a->identity, &b->identity);
}

/* --- a key ------------------------------------------------------------------------------------ */

static bool is_strong(const struct gk_key_info *info)
{
    const bool rsa = strcmp(info->key_type, "RSA") == 0 || strcmp(info->key_type, "RSA-HSM") == 0;
    const bool size =
        info->modulus_bits == 2048 || info->modulus_bits == 3072 || info->modulus_bits == 4096;
    return (rsa && size) || strcmp(info->key_type, GK_KEY_TYPE_AES256_GCM96) == 0;
}

enum gk_status gk_key_accept(const struct gk_vault_result *result, int64_t wall_ms,
                             struct gk_error *error)
{
    const struct gk_key_info *info = &result->info;
    if (!is_strong(info)) {
        return gk_fail_http(
            error, GK_E_INVALID, 400, POLICY,
            "The key is of type %s with %u bits; make one of type RSA or RSA-HSM "
            "with 2048, 3072 or 4096 bits, or in a transit engine of type " GK_KEY_TYPE_AES256_GCM96
            ".",
            info->key_type[0] == '\0' ? "unknown" : info->key_type, info->modulus_bits);
    }
    if (info->enabled == 0) {
        return refuse(error, POLICY, "The key version is disabled; enable it in the vault.");
    }
    if (info->may_wrap == 0 || info->may_unwrap == 0) {
        return refuse(error, POLICY,
                      "The key does not allow wrapKey and unwrapKey; add both to its permitted "
                      "operations (of a transit engine: make a key that is not derived).");
    }
    if (info->soft_delete == 0) {
        return refuse(error, POLICY,
                      "Keyvault policy recoverable is not set: the vault has no soft delete; turn "
                      "on soft delete and purge protection for the vault (of a transit key: set "
                      "deletion_allowed to false).");
    }
    if (info->purge_protected == 0) {
        return refuse(error, POLICY,
                      "Keyvault policy recoverable is not set: the vault has no purge protection; "
                      "turn it on for the vault.");
    }
    if (info->expires_wall_ms != 0 && wall_ms >= info->expires_wall_ms) {
        return refuse(error, AUTH,
                      "The key version has expired: it unwraps but takes no new wraps; "
                      "make a new version or move its expiry.");
    }
    if (info->not_before_wall_ms != 0 && wall_ms < info->not_before_wall_ms) {
        return refuse(error, AUTH,
                      "The key version is not valid yet: it takes no new wraps; wait "
                      "for its activation time or move that.");
    }
    return GK_OK;
}

void gk_key_get(const struct gk_vault_caller *caller, const struct gk_key_reference *key,
                struct gk_vault_result *result)
{
    gk_vault_call_get(caller, key, result);
    if (caller->instance->settings.pinned_key_without_get && key->version[0] != '\0' &&
        result->verdict == GK_VAULT_KEY_REFUSED && result->http_status == 403) {
        memset(result, 0, sizeof *result);
        result->verdict = GK_VAULT_OK;
        result->info_unknown = true;
        snprintf(result->key_id, sizeof result->key_id, "%s/keys/%s/%s", key->vault_uri, key->name,
                 key->version);
    }
}

/* Who sets a key is told all that is known, for it may be the settings that are wrong. */
static enum gk_status refuse_silence(const struct gk_vault_caller *caller,
                                     const struct gk_vault_result *result, struct gk_error *error)
{
    const enum gk_status status = gk_vault_silent_error(caller->instance, result, error);
    if (error != NULL && result->message[0] != '\0') {
        snprintf(error->message, sizeof error->message,
                 "The key vault gives no answer that counts (%s: %s). Try again.", result->code,
                 result->message);
    }
    return status;
}

enum gk_status gk_key_get_refusal(const struct gk_vault_result *result, struct gk_error *error)
{
    if (result->verdict == GK_VAULT_GONE) {
        return refuse(error, AUTH, "There is no vault of that name; check the vault's URI.");
    }
    if (result->verdict == GK_VAULT_IDENTITY_GONE) {
        return gk_fail_http(error, GK_E_INVALID, 400, AUTH,
                            "No token can be had for the identity (%s); check that the identity "
                            "exists and that its credential is valid.",
                            result->code);
    }
    return result->http_status == 404
               ? refuse(error, AUTH,
                        "The vault has no such key or key version; check name and version, or "
                        "recover the key.")
               : gk_fail_http(error, GK_E_INVALID, 400, AUTH,
                              "The vault refuses get with this key (%s); give the identity the "
                              "permission get on it, and let the gateway through the vault's "
                              "firewall.",
                              result->code);
}

enum gk_status gk_key_get_accepted(const struct gk_vault_caller *caller,
                                   const struct gk_key_reference *key,
                                   struct gk_vault_result *result, struct gk_error *error)
{
    gk_key_get(caller, key, result);
    switch (result->verdict) {
    case GK_VAULT_OK:
        return result->info_unknown
                   ? GK_OK
                   : gk_key_accept(result, gk_instance_now(caller->instance).wall_ms, error);
    case GK_VAULT_KEY_REFUSED:
    case GK_VAULT_GONE:
    case GK_VAULT_IDENTITY_GONE:
        return gk_key_get_refusal(result, error);
    case GK_VAULT_UNAVAILABLE:
        break;
    }
    return refuse_silence(caller, result, error);
}

void gk_encryption_put_wrap(const struct gk_instance *instance, struct gk_root_generation *active,
                            const struct gk_root_wrap *wrap, struct gk_account_record *record,
                            int64_t wall_ms)
{
    const struct gk_root_wrap *before = &active->wraps[0];
    const bool same_version = strcasecmp(before->key_id, wrap->key_id) == 0;
    const bool same_key = gk_key_identifier_same_key(before->key_id, wrap->key_id);
    const int64_t keep_ms = instance->settings.previous_wrap_keep_ms;
    if (!same_key || (!same_version && keep_ms == 0)) {
        active->wraps_count = 1;
        memset(&active->wraps[1], 0, sizeof active->wraps[1]);
        record->previous_wrap_until_wall_ms = 0;
    } else if (!same_version) {
        active->wraps[1] = active->wraps[0];
        active->wraps_count = 2;
        record->previous_wrap_until_wall_ms = wall_ms + keep_ms;
    }
    if (!same_version) {
        record->last_rotation_wall_ms = wall_ms;
    }
    active->wraps[0] = *wrap;
}
