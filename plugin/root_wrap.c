/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/root_wrap.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "plugin/audit.h"
#include "plugin/key_id.h"

bool gk_root_wrap_is_by_service(const struct gk_root_wrap *wrap)
{
    const size_t prefix_len = sizeof GK_WRAP_SERVICE_KEY_ID_PREFIX - 1;
    return strcmp(wrap->algorithm, GK_WRAP_ALGORITHM_SERVICE) == 0 &&
           strncmp(wrap->key_id, GK_WRAP_SERVICE_KEY_ID_PREFIX, prefix_len) == 0;
}

enum gk_status gk_vault_silent_error(const struct gk_instance *instance,
                                     const struct gk_vault_result *result, struct gk_error *error)
{
    const char *what =
        result->ours ? "The key vault was not heard" : "The key vault gives no answer";
    const enum gk_status status =
        gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy", "%s%s%s%s", what,
                     result->code[0] == '\0' ? "." : " (", result->code,
                     result->code[0] == '\0' ? "" : "). Try again.");
    if (error != NULL) {
        const uint32_t asked_s =
            result->retry_after_ms / 1000 + (result->retry_after_ms % 1000 > 0);
        error->retry_after_s = asked_s > 0 ? asked_s : gk_instance_retry_after_s(instance);
    }
    return status;
}

/* --- making ----------------------------------------------------------------------------------- */

static enum gk_status refuse_wrap(const struct gk_vault_caller *caller, const char *operation,
                                  const struct gk_vault_result *result, struct gk_error *error)
{
    if (result->verdict == GK_VAULT_UNAVAILABLE) {
        return gk_vault_silent_error(caller->instance, result, error);
    }
    if (strncmp(result->code, "BadParameter", strlen("BadParameter")) == 0) {
        return gk_fail_http(error, GK_E_INVALID, 400, "KeyVaultAuthenticationFailure",
                            "The vault does not take %s with this key (%s). If it has no "
                            "RSA-OAEP-256, set wrap_algorithm of the vault in the gateway's "
                            "configuration.",
                            operation, result->code);
    }
    return gk_fail_http(error, GK_E_INVALID, 400, "KeyVaultAuthenticationFailure",
                        "The vault refuses %s with this key (%s): give the account's identity the "
                        "permission %s on it, enable the key version, and keep it within its "
                        "dates.",
                        operation, result->code[0] == '\0' ? "no reason given" : result->code,
                        operation);
}

static bool wrap_answer_fits(const struct gk_vault_result *result, const char *key_id)
{
    return strcasecmp(result->key_id, key_id) == 0 &&
           gk_vault_wrap_is_shaped(result->algorithm,
                                   gk_span_of(result->wrapped, result->wrapped_len));
}

static void fill_wrap(const struct gk_vault_caller *caller, const struct gk_vault_result *result,
                      struct gk_root_wrap *wrap)
{
    memset(wrap, 0, sizeof *wrap);
    snprintf(wrap->key_id, sizeof wrap->key_id, "%s", result->key_id);
    snprintf(wrap->algorithm, sizeof wrap->algorithm, "%s", result->algorithm);
    memcpy(wrap->value, result->wrapped, result->wrapped_len);
    wrap->value_len = result->wrapped_len;
    wrap->created_wall_ms = gk_instance_now(caller->instance).wall_ms;
}

/* A wrap that the vault cannot open again, or that opens to another key, is never stored. */
static enum gk_status prove(const struct gk_vault_caller *caller,
                            const struct gk_root_identity *identity,
                            const struct gk_root_wrap *wrap, struct gk_error *error)
{
    struct gk_vault_result result;
    struct gk_root_key *back = gk_secret_alloc(sizeof *back);
    if (back == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for a key");
    }
    gk_vault_call_unwrap(caller, wrap, back, &result);
    enum gk_status status = result.verdict == GK_VAULT_OK
                                ? gk_root_key_check(caller->instance->crypto, back,
                                                    &identity->scope, identity->commitment, error)
                                : refuse_wrap(caller, "unwrapKey", &result, error);
    gk_secret_free(&back);
    return status;
}

static enum gk_status wrap_and_prove(const struct gk_vault_caller *caller,
                                     const struct gk_root_identity *identity,
                                     const struct gk_root_key *root_key, const char *key_id,
                                     struct gk_vault_result *result, struct gk_root_wrap *wrap,
                                     struct gk_error *error)
{
    struct gk_key_reference key;
    if (!gk_key_identifier_parse(key_id, &key)) {
        return gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                            "The key vault named a key version that cannot be.");
    }
    gk_vault_call_wrap(caller, &key, root_key, result);
    if (result->verdict != GK_VAULT_OK) {
        return refuse_wrap(caller, "wrapKey", result, error);
    }
    if (!wrap_answer_fits(result, key_id)) {
        snprintf(result->code, sizeof result->code, "UnexpectedAnswer");
        return gk_vault_silent_error(caller->instance, result, error);
    }
    fill_wrap(caller, result, wrap);
    return prove(caller, identity, wrap, error);
}

static void tell_wrap(const struct gk_vault_caller *caller, const char *key_id,
                      const struct gk_vault_result *result, enum gk_status status,
                      const struct gk_error *why)
{
    gk_audit(caller->instance, &(const struct gk_audit_event){
                                   .event = GK_AUDIT_KEY_WRAP,
                                   .account = caller->account,
                                   .key_id = key_id,
                                   .outcome = gk_audit_outcome(status),
                                   .reason = result->code,
                                   .detail = status == GK_OK ? "" : why->message,
                                   .request_id = result->request_id,
                                   .actor = caller->actor,
                               });
}

enum gk_status gk_root_wrap_by_vault(const struct gk_vault_caller *caller,
                                     const struct gk_root_identity *identity,
                                     const struct gk_root_key *root_key, const char *key_id,
                                     struct gk_root_wrap *wrap, struct gk_error *error)
{
    struct gk_error why = {0};
    struct gk_vault_result result = {0};
    memset(wrap, 0, sizeof *wrap);
    const enum gk_status status =
        wrap_and_prove(caller, identity, root_key, key_id, &result, wrap, &why);
    tell_wrap(caller, key_id, &result, status, &why);
    if (status != GK_OK) {
        memset(wrap, 0, sizeof *wrap);
        if (error != NULL) {
            *error = why;
        }
    }
    return status;
}

enum gk_status gk_root_wrap_by_service(const struct gk_instance *instance,
                                       const struct gk_root_identity *identity,
                                       const struct gk_root_key *root_key,
                                       struct gk_root_wrap *wrap, struct gk_error *error)
{
    memset(wrap, 0, sizeof *wrap);
    const enum gk_status status = gk_root_key_wrap(instance->crypto, &instance->keys->wrap,
                                                   &identity->scope, root_key, wrap->value, error);
    if (status != GK_OK) {
        return status;
    }
    snprintf(wrap->key_id, sizeof wrap->key_id, GK_WRAP_SERVICE_KEY_ID_PREFIX "%s",
             instance->service_key_id);
    snprintf(wrap->algorithm, sizeof wrap->algorithm, "%s", GK_WRAP_ALGORITHM_SERVICE);
    wrap->value_len = GK_SERVICE_WRAPPED_ROOT_BYTES;
    wrap->created_wall_ms = gk_instance_now(instance).wall_ms;
    return GK_OK;
}

/* --- opening ---------------------------------------------------------------------------------- */

enum gk_status gk_root_unwrap_by_service(const struct gk_instance *instance,
                                         const struct gk_id *account,
                                         const struct gk_root_generation *generation,
                                         struct gk_root_key *root_key, struct gk_error *error)
{
    const struct gk_root_scope scope = {.account = *account, .generation = generation->generation};
    const struct gk_root_wrap *wrap = &generation->wraps[0];
    enum gk_status status =
        gk_root_key_unwrap(instance->crypto, &instance->keys->wrap, &scope,
                           gk_span_of(wrap->value, wrap->value_len), root_key, error);
    if (status == GK_OK) {
        status =
            gk_root_key_check(instance->crypto, root_key, &scope, generation->commitment, error);
    }
    if (status != GK_OK) {
        gk_wipe(root_key, sizeof *root_key);
    }
    return status;
}

static enum gk_status unwrap_by_vault(const struct gk_vault_caller *caller,
                                      const struct gk_root_identity *identity,
                                      const struct gk_root_wrap *wrap, struct gk_root_key *root_key,
                                      struct gk_error *error)
{
    struct gk_vault_result result;
    gk_vault_call_unwrap(caller, wrap, root_key, &result);
    if (result.verdict == GK_VAULT_UNAVAILABLE) {
        return gk_vault_silent_error(caller->instance, &result, error);
    }
    if (result.verdict != GK_VAULT_OK) {
        return gk_key_refusal_error(result.verdict, error);
    }
    const enum gk_status status = gk_root_key_check(caller->instance->crypto, root_key,
                                                    &identity->scope, identity->commitment, error);
    if (status != GK_OK) {
        gk_wipe(root_key, sizeof *root_key);
    }
    return status;
}

enum gk_status gk_root_unwrap(const struct gk_vault_caller *caller, const struct gk_id *account,
                              const struct gk_root_generation *generation,
                              struct gk_root_key *root_key, struct gk_error *error)
{
    if (gk_root_wrap_is_by_service(&generation->wraps[0])) {
        return gk_root_unwrap_by_service(caller->instance, account, generation, root_key, error);
    }
    const struct gk_root_identity identity = {
        .scope = {.account = *account, .generation = generation->generation},
        .commitment = generation->commitment,
    };
    return unwrap_by_vault(caller, &identity, &generation->wraps[0], root_key, error);
}
