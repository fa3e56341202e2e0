/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/account_cache.h"

#include <stdlib.h>

#include "common/hash.h"
#include "common/secret.h"

void gk_account_cache_init(struct gk_account_cache *cache)
{
    pthread_mutex_init(&cache->lock, NULL);
}

void gk_account_cache_cleanup(struct gk_account_cache *cache)
{
    for (unsigned i = 0; i < GK_ACCOUNT_CACHE_BUCKETS; i++) {
        while (cache->buckets[i] != NULL) {
            struct gk_account_entry *entry = cache->buckets[i];
            cache->buckets[i] = entry->next;
            gk_account_entry_put(entry);
        }
    }
    pthread_mutex_destroy(&cache->lock);
}

void gk_account_entry_put(struct gk_account_entry *entry)
{
    if (entry == NULL || atomic_fetch_sub(&entry->references, 1) != 1) {
        return;
    }
    entry->plugin->account_release(entry->account.handle);
    gk_secret_free(&entry->keys);
    free(entry->account.arm_json);
    free(entry);
}

static struct gk_account_entry **locked_find(struct gk_account_cache *cache, const char *name)
{
    const uint64_t hash =
        gk_hash(GK_HASH_START, gk_span_str(name)); /* of existing accounts alone */
    struct gk_account_entry **link = &cache->buckets[hash % GK_ACCOUNT_CACHE_BUCKETS];
    while (*link != NULL && strcmp((*link)->account.name, name) != 0) {
        link = &(*link)->next;
    }
    return link;
}

/* Takes the idle ones out of a bucket, to the head of list. */
static void locked_take_idle(struct gk_account_entry **link, int64_t mono_ms,
                             struct gk_account_entry **list)
{
    while (*link != NULL) {
        struct gk_account_entry *entry = *link;
        if (mono_ms - entry->used_mono_ms >= GK_ACCOUNT_CACHE_IDLE_MS) {
            *link = entry->next;
            entry->next = *list;
            *list = entry;
        } else {
            link = &entry->next;
        }
    }
}

/* The idle ones of those buckets whose time has come, to be put outside the lock. Each has its time once in
 * GK_ACCOUNT_CACHE_IDLE_MS. */
static struct gk_account_entry *locked_sweep(struct gk_account_cache *cache, int64_t mono_ms)
{
    struct gk_account_entry *list = NULL;
    const int64_t due = mono_ms * (int64_t)GK_ACCOUNT_CACHE_BUCKETS / GK_ACCOUNT_CACHE_IDLE_MS;
    const int64_t all = due - (int64_t)GK_ACCOUNT_CACHE_BUCKETS;
    for (int64_t at = cache->swept > all ? cache->swept : all; at < due; at++) {
        locked_take_idle(&cache->buckets[(uint64_t)at % GK_ACCOUNT_CACHE_BUCKETS], mono_ms, &list);
    }
    cache->swept = due > cache->swept ? due : cache->swept;
    return list;
}

struct gk_account_entry *gk_account_cache_get(struct gk_account_cache *cache, const char *name,
                                              bool uses, int64_t mono_ms, bool *fresh,
                                              uint64_t *epoch)
{
    pthread_mutex_lock(&cache->lock);
    struct gk_account_entry *entry = *locked_find(cache, name);
    *fresh = false;
    if (entry != NULL) {
        atomic_fetch_add(&entry->references, 1);
        entry->used_mono_ms = uses ? mono_ms : entry->used_mono_ms;
        *fresh = !entry->expired && mono_ms - entry->read_mono_ms < entry->interval_ms;
    }
    *epoch = cache->epoch;
    struct gk_account_entry *idle = locked_sweep(cache, mono_ms);
    pthread_mutex_unlock(&cache->lock);
    while (idle != NULL) {
        struct gk_account_entry *next = idle->next;
        idle->next = NULL;
        gk_account_entry_put(idle);
        idle = next;
    }
    return entry;
}

/* Unlinks the name's entry and returns it to be put outside the lock. */
static struct gk_account_entry *locked_unlink(struct gk_account_cache *cache, const char *name)
{
    struct gk_account_entry **link = locked_find(cache, name);
    struct gk_account_entry *entry = *link;
    if (entry != NULL) {
        *link = entry->next;
        entry->next = NULL;
    }
    return entry;
}

void gk_account_cache_add(struct gk_account_cache *cache, struct gk_account_entry *entry,
                          uint64_t epoch)
{
    struct gk_account_entry *old = NULL;
    pthread_mutex_lock(&cache->lock);
    if (cache->epoch == epoch) {
        old = locked_unlink(cache, entry->account.name);
        *locked_find(cache, entry->account.name) = entry; /* the end of its bucket */
        atomic_fetch_add(&entry->references, 1);
    }
    pthread_mutex_unlock(&cache->lock);
    gk_account_entry_put(old);
}

void gk_account_cache_confirm(struct gk_account_cache *cache, struct gk_account_entry *entry,
                              int64_t mono_ms, uint64_t epoch)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->epoch == epoch) {
        entry->read_mono_ms = mono_ms;
        entry->expired = false;
    }
    pthread_mutex_unlock(&cache->lock);
}

void gk_account_cache_drop(struct gk_account_cache *cache, const char *name)
{
    pthread_mutex_lock(&cache->lock);
    cache->epoch++;
    struct gk_account_entry *old = locked_unlink(cache, name);
    pthread_mutex_unlock(&cache->lock);
    gk_account_entry_put(old);
}

void gk_account_cache_expire(struct gk_account_cache *cache, const char *name)
{
    pthread_mutex_lock(&cache->lock);
    cache->epoch++;
    if (name != NULL) {
        struct gk_account_entry *entry = *locked_find(cache, name);
        if (entry != NULL) {
            entry->expired = true;
        }
    }
    for (unsigned i = 0; name == NULL && i < GK_ACCOUNT_CACHE_BUCKETS; i++) {
        for (struct gk_account_entry *at = cache->buckets[i]; at != NULL; at = at->next) {
            at->expired = true;
        }
    }
    pthread_mutex_unlock(&cache->lock);
}
