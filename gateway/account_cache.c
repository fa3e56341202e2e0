/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/account_cache.h"

#include <stdlib.h>

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
    uint32_t hash = 2166136261u; /* FNV-1a; only names of existing accounts get in */
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    }
    struct gk_account_entry **link = &cache->buckets[hash % GK_ACCOUNT_CACHE_BUCKETS];
    while (*link != NULL && strcmp((*link)->account.name, name) != 0) {
        link = &(*link)->next;
    }
    return link;
}

struct gk_account_entry *gk_account_cache_get(struct gk_account_cache *cache, const char *name,
                                              int64_t mono_ms, bool *fresh, uint64_t *epoch)
{
    pthread_mutex_lock(&cache->lock);
    struct gk_account_entry *entry = *locked_find(cache, name);
    *fresh = false;
    if (entry != NULL) {
        atomic_fetch_add(&entry->references, 1);
        *fresh = !entry->expired && mono_ms - entry->read_mono_ms < entry->interval_ms;
    }
    *epoch = cache->epoch;
    pthread_mutex_unlock(&cache->lock);
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
