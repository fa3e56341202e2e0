/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which generations of a root key no data key may come into an index under: those that are about to be retired. So
 * it is certain that nothing new comes to stand under them, whatever a gateway knows that stood still meanwhile
 * (docs/decisions/0021-resealing.md).
 *
 *   in a shard's map        "y/"<scope>"/"<generation 4>   0x01: barred; <scope> is "" for the account's own
 *                           "y/"<scope>                    generation 4: all below are barred, or retired
 *   in the account's map    the same: what every index has that is given a name from then on
 *                           "y"                            8 random bytes, others with each change of the above,
 *                                                          and with each container that is moved
 *
 * Generations are big endian. What is barred stays so. Who gives a container a name (Create, Rename and Restore
 * Container) gives its shards the account's rows, and writes the entry under the guard that "y" is still the same.
 * Who moves an entry (the latter two) changes "y" by that, so that whoever lists containers can tell whether one may
 * have gone past him.
 * Who writes a record with a data key that did not stand there before does so under the guard that its generation
 * is not barred; the second row tells before that when it will be, so that the data key is sealed anew in time.
 * Any thread.
 */
#ifndef GATEWAY_BLOB_KEY_FLOOR_H
#define GATEWAY_BLOB_KEY_FLOOR_H

#include "gateway/blob/blob_write.h"

/* Generations from oldest on, below active. */
struct gk_key_bar {
    const char *scope; /* "": the account's own root keys */
    uint32_t oldest;
    uint32_t active;
};

/* GK_OK while the account of that name is still the one that is meant, by the store; GK_E_NOT_FOUND: no longer. */
typedef enum gk_status gk_key_floor_still_fn(void *ctx, struct gk_error *error);

/* In the account's map; still is asked before each write, and holds for it. GK_E_NOT_FOUND: the account is gone. */
enum gk_status gk_key_bar_account(struct gk_store *store, const char *account_object,
                                  const struct gk_key_bar *bar, gk_key_floor_still_fn *still,
                                  void *still_ctx, struct gk_error *error) GK_MUST_USE;
/* In one shard of an index. One that is not there is fine. */
enum gk_status gk_key_bar_shard(struct gk_store *store, const struct gk_id *container,
                                uint32_t shard, const struct gk_key_bar *bar,
                                struct gk_error *error) GK_MUST_USE;

#define GK_FLOORS_MARK_BYTES 8u

/* The change that gives the account's map another "y"; mark, its value, must live until the write. */
bool gk_key_floors_mark(uint8_t mark[GK_FLOORS_MARK_BYTES], struct gk_change *change) GK_MUST_USE;

/* What an account has barred. */
struct gk_key_floors {
    struct gk_buf rows; /* key length 2 | key | value length 2 | value ... */
    struct gk_buf mark; /* "y"; empty when there is none */
};

void gk_key_floors_init(struct gk_key_floors *floors);
void gk_key_floors_cleanup(struct gk_key_floors *floors);
enum gk_status gk_key_floors_read(struct gk_store *store, const char *account_object,
                                  struct gk_key_floors *floors, struct gk_error *error) GK_MUST_USE;
/* That it still is that; floors must live until the write. */
struct gk_guard gk_key_floors_guard(const struct gk_key_floors *floors);
/* Gives it to all shards of an index. Shards that are not there are fine. */
enum gk_status gk_key_floors_apply(struct gk_store *store, const struct gk_key_floors *floors,
                                   const struct gk_id *container, uint32_t shards,
                                   struct gk_error *error) GK_MUST_USE;

/*
 * To be called for a record that is written with data_key, its own: when that did not stand in target's place
 * before, record->sealed_data_key is sealed anew if its generation is barred, and write gets the guard. For each
 * record of a write that brings the data key; a second time for the same one changes nothing.
 */
enum gk_status gk_key_floor_keep(struct gk_blob_write *write, const struct gk_request *request,
                                 const struct gk_blob_target *target, struct gk_data_key *data_key,
                                 struct gk_blob_record *record, struct gk_error *error) GK_MUST_USE;

#endif
