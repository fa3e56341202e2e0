/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account's profile, what the gateway itself keeps of it: attribute "gateway.account" of the
 * account's object. The plugin seals it under the service key, bound to the account's name, so that
 * it can neither be read nor changed nor moved in the store, and stays readable after revocation.
 *
 *   open part:  version(1) = 3 | created(8) | 2 x { created(8) | access key(64) }
 *               | location length(2) | location | management JSON length(4) | management JSON
 *               | settings of the Blob service (blob_service.h), not in version 1
 *               | secret of user delegation keys(32), zeros for none, not before version 3
 *   binding:    "account keys/" | account name
 *
 * Integers are big endian, times milliseconds since the epoch.
 */
#ifndef GATEWAY_ACCOUNT_PROFILE_H
#define GATEWAY_ACCOUNT_PROFILE_H

#include "gateway/accounts.h"

#define GK_ACCOUNT_PROFILE_ATTR       "gateway.account"
#define GK_ACCOUNT_LOCATION_BYTES_MAX 64u
#define GK_ACCOUNT_ARM_JSON_BYTES_MAX (64u << 10)
#define GK_ACCOUNT_PROFILE_BYTES_MAX  (128u << 10)

/* Decoded. keys is secret memory, arm_json heap; both owned. */
struct gk_account_profile {
    struct gk_access_keys *keys;
    int64_t created_wall_ms;
    char location[GK_ACCOUNT_LOCATION_BYTES_MAX];
    char *arm_json;
    struct gk_blob_service blob_service;
};

void gk_account_profile_cleanup(struct gk_account_profile *record);
/* A new record with two random access keys. GK_E_LIMIT for a location or JSON that is too long. */
enum gk_status gk_account_profile_new(int64_t wall_ms, const char *location, const char *arm_json,
                                      struct gk_account_profile *out,
                                      struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_profile_set_arm(struct gk_account_profile *record, const char *arm_json,
                                          struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_profile_regenerate(struct gk_account_profile *record, unsigned index,
                                             int64_t wall_ms, struct gk_error *error) GK_MUST_USE;
/* Makes another secret for user delegation keys; with missing, only if there is none. */
enum gk_status gk_account_profile_renew_delegation(struct gk_account_profile *record, bool missing,
                                                   struct gk_error *error) GK_MUST_USE;
/* Appends the sealed record to out. */
enum gk_status gk_account_profile_seal(const struct gk_plugin *plugin, struct gk_account *account,
                                       const char *name, const struct gk_account_profile *record,
                                       struct gk_buf *out, struct gk_error *error) GK_MUST_USE;
/* GK_E_INTEGRITY when it is not authentic or not well-formed. */
enum gk_status gk_account_profile_open(const struct gk_plugin *plugin, struct gk_account *account,
                                       const char *name, struct gk_span sealed,
                                       struct gk_account_profile *out,
                                       struct gk_error *error) GK_MUST_USE;

#endif
