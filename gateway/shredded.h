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
 * a shredding that breaks off has its rows, and comes to its end when it is asked for again; until then the account's
 * object tells whether anything was destroyed. Where it lives on they are withdrawn, for it may get other wraps, or be lost
 * in another way: by the reaper (blob/removal.h), and by who deletes it without evidence. Nothing is
 * authenticated, as in the registry: who writes to the store can take rows away, and then a backup, with the key
 * and with the containers as they were, restores the account. Any thread, several processes.
 */
#ifndef GATEWAY_SHREDDED_H
#define GATEWAY_SHREDDED_H

#include <jansson.h>

#include "gateway/gateway.h"

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
/* Takes away the rows of one without its proof that began before that time; GK_E_CONFLICT: it was noted anew meanwhile. For
 * an account that is there, or that is about to be deleted without evidence. */
enum gk_status gk_shredded_withdraw(struct gk_store *store, const struct gk_id *id,
                                    int64_t before_wall_ms, struct gk_error *error) GK_MUST_USE;

/* note has no wraps. Return false to end. */
typedef bool gk_shredded_visit_fn(void *ctx, const struct gk_shredded *note);
/* All that can be read, some at a time: a visitor may use the store. BLOCKS for long, where there are many. */
enum gk_status gk_shredded_list(struct gk_store *store, gk_shredded_visit_fn *visit, void *ctx,
                                struct gk_error *error) GK_MUST_USE;

/* How far the shredding of an account has come. */
enum gk_shredded_state {
    GK_SHREDDED_NOT,
    GK_SHREDDED_BEGUN,   /* noted; whether the account was destroyed its object tells */
    GK_SHREDDED_VERIFIED /* destroyed, or the row cannot be read */
};
/* Of the account with that id. */
enum gk_status gk_shredded_look(struct gk_store *store, const struct gk_id *id,
                                enum gk_shredded_state *state, struct gk_error *error) GK_MUST_USE;
/* For a restore of that account, or of a scope of it: GK_E_INVALID, 409 AccountShredded, of one that was shredded, which
 * nothing undoes. One that began and broke off before it destroyed anything keeps nothing from coming back. made: the
 * account's object is the restore's own, and no sign of that. */
enum gk_status gk_shredded_refuse(const struct gk_gateway *gateway, const char *account,
                                  const struct gk_id *id, bool made,
                                  struct gk_error *error) GK_MUST_USE;

#endif
