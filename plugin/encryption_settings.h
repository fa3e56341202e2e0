/* SPDX-License-Identifier: Apache-2.0 */
/* Whether settings and a customer's key can be accepted. Every refusal names what is wrong and how
 * to mend it. */
#ifndef PLUGIN_ENCRYPTION_SETTINGS_H
#define PLUGIN_ENCRYPTION_SETTINGS_H

#include "plugin/vault_call.h"

/* Form, and what the provider says to vault and identity. No network. GK_E_INVALID, 400. */
enum gk_status gk_encryption_settings_check(const struct gk_instance *instance,
                                            const struct gk_encryption_settings *settings,
                                            struct gk_error *error) GK_MUST_USE;
bool gk_identity_reference_equal(const struct gk_identity_reference *a,
                                 const struct gk_identity_reference *b);
bool gk_encryption_settings_equal(const struct gk_encryption_settings *a,
                                  const struct gk_encryption_settings *b);

/*
 * As gk_vault_call_get(). A pinned version that the identity may not get is answered by its name
 * alone where the instance's settings have it so: result->info_unknown.
 */
void gk_key_get(const struct gk_vault_caller *caller, const struct gk_key_reference *key,
                struct gk_vault_result *result);
/*
 * Asks the vault for the key that settings name and accepts it or not: RSA of 2048, 3072 or 4096
 * bits, enabled, within its dates, wrapKey and unwrapKey allowed, soft delete and purge protection
 * on. result->key_id names the version. Of one whose info is not known, wrapping and unwrapping with
 * it are the proof that is left. GK_E_INVALID, 400; GK_E_UNAVAILABLE.
 */
enum gk_status gk_key_get_accepted(const struct gk_vault_caller *caller,
                                   const struct gk_key_reference *key,
                                   struct gk_vault_result *result,
                                   struct gk_error *error) GK_MUST_USE;
/* Why a get was refused, and how to mend it: GK_E_INVALID, 400. The verdict is a refusal. */
enum gk_status gk_key_get_refusal(const struct gk_vault_result *result,
                                  struct gk_error *error) GK_MUST_USE;
/* The same as gk_key_get_accepted() for what a get has answered. */
enum gk_status gk_key_accept(const struct gk_vault_result *result, int64_t wall_ms,
                             struct gk_error *error) GK_MUST_USE;

/*
 * Makes wrap the current one of the active generation of record. The one before stays for as long
 * as the settings of the instance say when it is another version of the same key; of another key,
 * or the service key's, nothing stays: whoever takes the new key away has taken away all.
 */
void gk_encryption_put_wrap(const struct gk_instance *instance, struct gk_root_generation *active,
                            const struct gk_root_wrap *wrap, struct gk_account_record *record,
                            int64_t wall_ms);

#endif
