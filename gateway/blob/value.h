/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A map's value in the store is one of the plugin's records, bound to what it is, its container and
 * its key: it cannot be read, changed or moved there. These seal and open such values.
 */
#ifndef GATEWAY_BLOB_VALUE_H
#define GATEWAY_BLOB_VALUE_H

#include "gateway/accounts.h"
#include "gateway/gateway.h"

/* Kinds, the first part of a binding. */
#define GK_VALUE_CONTAINER "container"
#define GK_VALUE_BLOB      "blob"
#define GK_VALUE_STAGED    "staged block"
#define GK_VALUE_MANIFEST  "manifest page"
#define GK_VALUE_PAGES     "page object"
#define GK_VALUE_GROUP     "page group"
#define GK_VALUE_LOAN      "loan"
#define GK_VALUE_GARBAGE   "garbage"
#define GK_VALUE_SCOPE     "encryption scope"

/* Where a value belongs. For containers and what stands in the account's map, container is the
 * account's id. key lives as long as the place is used. */
struct gk_place {
    const struct gk_plugin *plugin;
    struct gk_account *account;
    const char *kind;
    struct gk_id container;
    struct gk_span key;
};

/* Appends map[key] of an object of the meta pool to value. GK_E_NOT_FOUND; GK_E_INTEGRITY when it is
 * longer than what value has room for, which no such value is. */
enum gk_status gk_value_get(struct gk_store *store, const char *object, struct gk_span key,
                            struct gk_buf *value, struct gk_error *error) GK_MUST_USE;
/* Why a value out of that object did not fit into value: the same. */
enum gk_status gk_value_too_long(const struct gk_buf *value, const char *object,
                                 struct gk_error *error) GK_MUST_USE;
/* Appends the open part to out. GK_E_INTEGRITY. */
enum gk_status gk_value_open(const struct gk_place *place, struct gk_span value, struct gk_buf *out,
                             struct gk_error *error) GK_MUST_USE;
/* Appends the sealed part to out; GK_E_NOT_FOUND when there is none. */
enum gk_status gk_value_open_sealed(const struct gk_place *place, struct gk_data_key *data_key,
                                    struct gk_span value, struct gk_buf *out,
                                    struct gk_error *error) GK_MUST_USE;
/* Appends a value; data_key NULL and sealed_part empty: without a sealed part. */
enum gk_status gk_value_seal(const struct gk_place *place, struct gk_data_key *data_key,
                             struct gk_span open_part, struct gk_span sealed_part,
                             struct gk_buf *out, struct gk_error *error) GK_MUST_USE;
/* Appends value with another open part and the sealed part that it has; needs no key. */
enum gk_status gk_value_reseal_open(const struct gk_place *place, struct gk_span value,
                                    struct gk_span open_part, struct gk_buf *out,
                                    struct gk_error *error) GK_MUST_USE;
/* The same for a value that comes to stand at another place; its sealed part stays bound to this one. */
enum gk_status gk_value_rebind(const struct gk_place *from, const struct gk_place *to,
                               struct gk_span value, struct gk_span open_part, struct gk_buf *out,
                               struct gk_error *error) GK_MUST_USE;

#endif
