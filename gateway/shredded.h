/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of accounts that were shredded, for good: the map of the object "shredded" in GK_POOL_META, so
 * that no backup brings one back, and that what was destroyed can be told again.
 *
 *   "<account id>"             JSON: account, accountId, began, actor; verified, once a second read of the store
 *                              has found nothing of what was destroyed
 *   "<account id>/<SHA-256>"   JSON: a wrap of one of its root keys (gk_wrap_info): of, generation, keyId,
 *                              algorithm, byVault
 *
 * Identifiers and hashes are lower-case hexadecimal digits. All of it is written before anything is destroyed:
 * a shredding that breaks off has its rows, and comes to its end when it is asked for again. Nothing is
 * authenticated, as in the registry: who writes to the store can take rows away, and then a backup, with the key
 * and with the containers as they were, restores the account. Any thread, several processes.
 */
#ifndef GATEWAY_SHREDDED_H
#define GATEWAY_SHREDDED_H

#include <jansson.h>

#include "gateway/store/store.h"

#define GK_SHREDDED_OBJECT "shredded"

/* The rows of one account. */
struct gk_shredded {
    struct gk_id id;
    json_t *about; /* owned, as is the next */
    json_t *wraps; /* an object: by the hashes */
};

/* On zeros it is fine. */
void gk_shredded_cleanup(struct gk_shredded *shredded);

/* Writes all rows in one step, beside those of its account that are there. */
enum gk_status gk_shredded_write(struct gk_store *store, const struct gk_shredded *shredded,
                                 struct gk_error *error) GK_MUST_USE;
/* Of the account that had that name, the last one of several. GK_E_NOT_FOUND: none was shredded. The caller
 * cleans *out up, always. */
enum gk_status gk_shredded_find(struct gk_store *store, const char *account,
                                struct gk_shredded *out, struct gk_error *error) GK_MUST_USE;
/* Whether a shredding of the account with that id has begun. */
enum gk_status gk_shredded_has(struct gk_store *store, const struct gk_id *id, bool *has,
                               struct gk_error *error) GK_MUST_USE;
/* For a restore: GK_E_INVALID, 409 AccountShredded, once one has begun: nothing undoes it. */
enum gk_status gk_shredded_refuse(struct gk_store *store, const struct gk_id *id,
                                  struct gk_error *error) GK_MUST_USE;

#endif
