/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything of the vault that survives a restart: the keys, the secret that signs tokens, the
 * ports. It is one file in the state directory, "vault.json", written whole to a new file, synced
 * and renamed on each change. A vault's file holds private keys in the clear: its mode is 0600, and
 * that is all that protects them. A Managed HSM's holds the public halves, and which private half in
 * the token belongs to each; what is purged here is destroyed there, as soon as the file has it as to be
 * destroyed and no more as a key's: if this process ends in between, when the store is opened the next time.
 *
 * Functions named locked_ are called between kv_store_lock() and kv_store_unlock(); keys and
 * versions found there are valid until the unlock. The others lock for themselves or are for start
 * and end.
 */
#ifndef KEYVAULTD_STORE_H
#define KEYVAULTD_STORE_H

#include <pthread.h>

#include "common/span.h"
#include "keyvaultd/key.h"

#define KV_STORE_KEYS_MAX     2000u
#define KV_TOKEN_SECRET_BYTES 32u

struct kv_store {
    pthread_mutex_t mutex;
    char *path;           /* of the file */
    int dir_fd;           /* locked: two processes on one state would undo each other's changes */
    struct kv_key **keys; /* in the order of their names, in use and deleted ones */
    size_t keys_count;
    struct kv_hsm *hsm; /* where private halves are; NULL: in the file. Not owned */
    /* Private halves of purged keys that the token may have still. */
    char (*to_destroy)[KV_HSM_ID_BYTES];
    size_t to_destroy_count;
    uint8_t *token_secret; /* secret memory, KV_TOKEN_SECRET_BYTES; fixed after opening */
    uint16_t port;         /* 0: not known yet */
    uint16_t imds_port;
    bool file_is_ahead; /* a change that was undone stands there: it could not be synced */
};

/* Reads what is there, or begins anew where there is nothing, and destroys what is to be destroyed. Makes dir (0700)
 * when it is missing.
 * hsm, NULL in a vault, must outlive the store. GK_E_INVALID: the file is not what we wrote, or holds
 * keys of the other kind. GK_E_CONFLICT: another process has it open. */
enum gk_status kv_store_open(const char *dir, struct kv_hsm *hsm, struct kv_store **out,
                             struct gk_error *error) GK_MUST_USE;
void kv_store_close(struct kv_store *store); /* NULL is fine */

/* Keeps the ports; writes only when they changed. */
enum gk_status kv_store_keep_ports(struct kv_store *store, uint16_t port, uint16_t imds_port,
                                   struct gk_error *error) GK_MUST_USE;

/* Also lets go of deleted keys whose time to be purged has come. */
void kv_store_lock(struct kv_store *store, int64_t now_s);
void kv_store_unlock(struct kv_store *store);

/* Names are the same without case. NULL when there is none; look at deleted_s. */
struct kv_key *kv_store_locked_find(const struct kv_store *store, const char *name);
/* Puts key in place of the one with its name, or anew; owns it from then on, also on failure. On
 * failure the store is as it was, with the exception that kv_store_locked_remove has. */
enum gk_status kv_store_locked_put(struct kv_store *store, struct kv_key *key,
                                   struct gk_error *error) GK_MUST_USE;
/* Removes the key with that name for good. GK_E_RESOURCE: that could not be written, and the key is as it was, unless
 * the file cannot be written a second time either after it was written and not synced: then it is gone after a restart,
 * as the log says, or a power cut. GK_E_UNAVAILABLE: the token does not let it go now; it is still there, and some of its
 * versions may open nothing. */
enum gk_status kv_store_locked_remove(struct kv_store *store, const char *name,
                                      struct gk_error *error) GK_MUST_USE;

#endif
