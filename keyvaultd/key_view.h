/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in the vault's JSON. All return a new value, or NULL when memory is out. Call them while the
 * store is locked.
 */
#ifndef KEYVAULTD_KEY_VIEW_H
#define KEYVAULTD_KEY_VIEW_H

#include "keyvaultd/request.h"

/* KeyBundle: the public part and the attributes. */
json_t *kv_view_bundle(const struct kv_server *server, const struct kv_key *key,
                       const struct kv_version *version) GK_MUST_USE;
/* DeletedKeyBundle of the current version. */
json_t *kv_view_deleted(const struct kv_server *server, const struct kv_key *key) GK_MUST_USE;
/* An item of a list: no key material. with_version: the kid names the version. */
json_t *kv_view_item(const struct kv_server *server, const struct kv_key *key,
                     const struct kv_version *version, bool with_version) GK_MUST_USE;
/* The same of a deleted key, with its dates. */
json_t *kv_view_deleted_item(const struct kv_server *server, const struct kv_key *key) GK_MUST_USE;
/* The versioned identifier. */
json_t *kv_view_kid(const struct kv_server *server, const struct kv_key *key,
                    const struct kv_version *version) GK_MUST_USE;

#endif
