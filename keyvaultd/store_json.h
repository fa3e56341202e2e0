/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file as JSON. Inside of the store. */
#ifndef KEYVAULTD_STORE_JSON_H
#define KEYVAULTD_STORE_JSON_H

#include "keyvaultd/store.h"

/* A new object, or NULL when memory is out. */
json_t *kv_store_to_json(const struct kv_store *store) GK_MUST_USE;
/* Fills an empty store. False when root is not what kv_store_to_json() makes. */
bool kv_store_from_json(struct kv_store *store, const json_t *root) GK_MUST_USE;
/* Appends to store->to_destroy. False: memory is out. */
bool kv_store_list_to_destroy(struct kv_store *store, const char *hsm_id) GK_MUST_USE;

#endif
