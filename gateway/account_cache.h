/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accounts that requests use, by name, each as it was read from the store at some time. Others may
 * have changed an account since: an entry is good for an interval and until a notice comes, and is
 * compared with the store then (accounts.c).
 *
 * The epoch grows with each change that is heard of. What was read before that is not kept, nor taken
 * for a confirmation. Any thread; the lock is never held across a call to store or plugin.
 *
 * An entry that nobody has asked for in a while goes, and with it the plugin's handle: those who come for
 * accounts look for such entries as they do, so many buckets as time has passed since the last did.
 */
#ifndef GATEWAY_ACCOUNT_CACHE_H
#define GATEWAY_ACCOUNT_CACHE_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/accounts.h"

#define GK_ACCOUNT_CACHE_BUCKETS 1024u
#define GK_ACCOUNT_CACHE_IDLE_MS 600000

struct gk_account_entry {
    struct gk_gateway_account account; /* first: the public pointer is ours */
    const struct gk_plugin *plugin;
    struct gk_access_keys *keys;
    uint64_t version; /* of the account's object, as it was read */
    uint32_t interval_ms;
    atomic_uint references;
    int64_t read_mono_ms;          /* under the lock; when the store was asked last */
    int64_t used_mono_ms;          /* under the lock; when somebody came for it last */
    bool expired;                  /* under the lock; a notice came since */
    struct gk_account_entry *next; /* in its bucket, under the lock */
};

struct gk_account_cache {
    pthread_mutex_t lock; /* of what follows */
    struct gk_account_entry *buckets[GK_ACCOUNT_CACHE_BUCKETS];
    uint64_t epoch;
    int64_t swept; /* how many buckets have been looked through for idle entries */
};

void gk_account_cache_init(struct gk_account_cache *cache);
void gk_account_cache_cleanup(struct gk_account_cache *cache);

void gk_account_entry_put(struct gk_account_entry *entry);

/* With a reference of the caller's, or NULL. uses: the caller does not only look at it. *fresh: it need not be
 * compared with the store. */
struct gk_account_entry *gk_account_cache_get(struct gk_account_cache *cache, const char *name,
                                              bool uses, int64_t mono_ms, bool *fresh,
                                              uint64_t *epoch);
/* Keeps the entry, with a reference of its own, unless something changed since epoch. */
void gk_account_cache_add(struct gk_account_cache *cache, struct gk_account_entry *entry,
                          uint64_t epoch);
/* The store has it as entry has; asked at mono_ms. */
void gk_account_cache_confirm(struct gk_account_cache *cache, struct gk_account_entry *entry,
                              int64_t mono_ms, uint64_t epoch);
void gk_account_cache_drop(struct gk_account_cache *cache, const char *name);
/* NULL: all. */
void gk_account_cache_expire(struct gk_account_cache *cache, const char *name);

#endif
