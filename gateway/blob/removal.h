/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking things out of the store: what garbage stands for, whole containers, and the
 * mark that a deleted account leaves. All of it may be repeated: what is gone already is fine.
 */
#ifndef GATEWAY_BLOB_REMOVAL_H
#define GATEWAY_BLOB_REMOVAL_H

#include "gateway/blob/garbage.h"

/* A mark of an account that is there, or a note of its shredding, that is younger may be of a deletion that goes on. */
#define GK_REMOVAL_BROKEN_OFF_MS (60 * 60 * 1000)

/* Whether to break off, which ends in GK_E_UNAVAILABLE; asked every few hundred objects. */
typedef bool gk_removal_stop_fn(void *ctx);

/* What the containers of deleted accounts may take of memory, 20 bytes each: those of one, and of several at once. */
#define GK_REMOVAL_BYTES ((size_t)64 << 20)

struct gk_removal {
    struct gk_store *store;
    const struct gk_plugin *plugin;
    struct gk_account *account;
    struct gk_gateway *gateway;       /* this and the next: NULL for who only looks */
    struct gk_gateway_account *owner; /* whose account it is */
    gk_removal_stop_fn *stop;         /* NULL: never */
    void *stop_ctx;
};

/*
 * Removes what garbage stands for that was queued in the map of the object index, of this container. What
 * damaged rows refer to stays and is scrub's.
 */
enum gk_status gk_removal_items(const struct gk_removal *removal, const struct gk_id *container,
                                const char *index, const struct gk_garbage *garbage,
                                struct gk_error *error) GK_MUST_USE;

/*
 * Removes a container that was deleted: what it has borrowed is given back; then the data that its indexes
 * refer to goes, and the indexes. *stays: some of it is still lent (loan.h), and this is for another day.
 */
enum gk_status gk_removal_container(const struct gk_removal *removal, const struct gk_id *container,
                                    uint32_t shards, bool *stays,
                                    struct gk_error *error) GK_MUST_USE;

/* What has to be done before an account is deleted; another status than GK_OK leaves it as it is. */
typedef enum gk_status gk_removal_before_fn(void *ctx, const struct gk_gateway_account *account,
                                            struct gk_error *error);

/*
 * Deletes an account: writes the mark "deleted/<id>" with its containers and registers it, then removes
 * the account's object, and with it the wrapped root key, and drops it from memory. The containers are
 * the reaper's. before, unless it is NULL, is called in each attempt, ahead of the mark and when nothing that is protected
 * was found, and what it reads of the account's
 * object is what is removed: when somebody changes it meanwhile there is another attempt. An account that gets the name
 * meanwhile stays. GK_E_NOT_FOUND; GK_E_INVALID: 409
 * ContainerHasLegalHold, ContainerImmutabilityPolicyLocked, for the container that the message names; GK_E_UNAVAILABLE: it
 * is to be asked for again. What is protected in the very moment of the deletion is not seen.
 */
enum gk_status gk_removal_account(struct gk_gateway *gateway, const char *name,
                                  gk_removal_before_fn *before, void *before_ctx,
                                  struct gk_error *error) GK_MUST_USE;
/* The same for a shredding, which notes in each attempt what is to be destroyed. The other one withdraws such a note. */
enum gk_status gk_removal_noted(struct gk_gateway *gateway, const char *name,
                                gk_removal_before_fn *note, void *note_ctx,
                                struct gk_error *error) GK_MUST_USE;
/* Whether an account of that name has left a mark that is still there: its deletion has begun, and where the account is
 * gone, it has come to that. BLOCKS on the store for each mark. */
enum gk_status gk_removal_marked(struct gk_gateway *gateway, const char *name, bool *marked,
                                 struct gk_error *error) GK_MUST_USE;
/* The account's object was removed: the registry and memory forget the account, and other gateways are told. */
void gk_removal_forget(struct gk_gateway *gateway, const char *name);
/*
 * Removes what the marks of deleted accounts list, and the marks: their records can be opened no more, so
 * the whole data pool is gone through, once for all of them. Nothing of an account that is there, or may be: the
 * deletion has not come to its end, or never did. Of one that is there the mark goes in an hour, alone. bytes_max bounds
 * the memory, as GK_REMOVAL_BYTES does: those that do not fit together are gone through one after the other, and one that
 * does not fit at all stays, with a warning.
 */
enum gk_status gk_removal_deleted(struct gk_gateway *gateway, size_t bytes_max,
                                  gk_removal_stop_fn *stop, void *stop_ctx,
                                  struct gk_error *error) GK_MUST_USE;
/*
 * Looks at the notes of shreddings (shredded.h). One that broke off an hour ago before it destroyed anything, whose
 * account is there, is withdrawn. Where one is proved and the account is there, which a restore that broke off has
 * brought back, that is deleted as ever, and told. What cannot be read now is for the next time.
 */
enum gk_status gk_removal_shredded(struct gk_gateway *gateway, gk_removal_stop_fn *stop,
                                   void *stop_ctx, struct gk_error *error) GK_MUST_USE;

#endif
