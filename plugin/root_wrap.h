/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making and opening wraps of a root key, whoever wraps: the customer's key or the service key.
 * Blocks on the vault; no lock may be held.
 */
#ifndef PLUGIN_ROOT_WRAP_H
#define PLUGIN_ROOT_WRAP_H

#include "plugin/vault_call.h"

/* Which root key, and what proves that it is that one. */
struct gk_root_identity {
    struct gk_root_scope scope;
    const uint8_t *commitment; /* GK_ROOT_COMMITMENT_BYTES */
};

/*
 * Wraps root_key with one key version, asks the vault to unwrap that again, and checks what comes
 * against the commitment: only then is *wrap filled. One wrap call. key_id is the full identifier
 * that a get has answered. GK_E_INVALID (400): refused, with how to mend it; GK_E_UNAVAILABLE.
 */
enum gk_status gk_root_wrap_by_vault(const struct gk_vault_caller *caller,
                                     const struct gk_root_identity *identity,
                                     const struct gk_root_key *root_key, const char *key_id,
                                     struct gk_root_wrap *wrap, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_root_wrap_by_service(const struct gk_instance *instance,
                                       const struct gk_root_identity *identity,
                                       const struct gk_root_key *root_key,
                                       struct gk_root_wrap *wrap,
                                       struct gk_error *error) GK_MUST_USE;

/* Opens and checks a wrap by the service key. GK_E_INTEGRITY: by another service key, or changed. */
enum gk_status gk_root_unwrap_by_service(const struct gk_instance *instance,
                                         const struct gk_id *account,
                                         const struct gk_root_generation *generation,
                                         struct gk_root_key *root_key,
                                         struct gk_error *error) GK_MUST_USE;
/*
 * Opens the generation with its wrap by the version in use, and checks the commitment. The wrap by the
 * version before, while that is kept, stands in for nothing: with it somebody would get away from a key
 * that its owner has disabled (docs/decisions/0005). root_key is secret memory, zeroed on failure.
 * GK_E_DENIED, GK_E_UNAVAILABLE as the vault says; GK_E_INTEGRITY.
 */
enum gk_status gk_root_unwrap(const struct gk_vault_caller *caller, const struct gk_id *account,
                              const struct gk_root_generation *generation,
                              struct gk_root_key *root_key, struct gk_error *error) GK_MUST_USE;

/* Whether the service key made the wrap. */
bool gk_root_wrap_is_by_service(const struct gk_root_wrap *wrap);

/* 503 ServerBusy, with what the vault asked for or the check interval as Retry-After. */
enum gk_status gk_vault_silent_error(const struct gk_instance *instance,
                                     const struct gk_vault_result *result,
                                     struct gk_error *error) GK_MUST_USE;

#endif
