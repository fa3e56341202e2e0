/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/container_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/hash.h"
#include "common/text.h"
#include "gateway/blob/names.h"

#define SETS 1024u
#define WAYS 4u

/* used_at 0: empty. */
struct entry {
    uint64_t used_at;
    struct gk_id account;
    char container[GK_CONTAINER_NAME_BYTES_MAX + 1];
    struct gk_container_ref ref;
};

struct gk_container_cache {
    pthread_mutex_t mutex;
    uint64_t uses;
    uint64_t drops;
    struct entry entries[SETS][WAYS];
};

enum gk_status gk_container_cache_new(struct gk_container_cache **out, struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    pthread_mutex_init(&(*out)->mutex, NULL);
    return GK_OK;
}

void gk_container_cache_free(struct gk_container_cache *cache)
{
    if (cache != NULL) {
        pthread_mutex_destroy(&cache->mutex);
        free(cache);
    }
}

static struct entry *set_of(struct gk_container_cache *cache,
                            const struct gk_container_cache_key *key)
{
    uint64_t hash = gk_hash(GK_HASH_START, gk_span_of(key->account.bytes, sizeof key->account));
    hash = gk_hash(hash, gk_span_str(key->container));
    return cache->entries[(hash ^ hash >> 32) % SETS];
}

static bool is_of(const struct entry *entry, const struct gk_container_cache_key *key)
{
    return entry->used_at > 0 && gk_id_equal(&entry->account, &key->account) &&
           strcmp(entry->container, key->container) == 0;
}

static struct entry *locked_find(struct gk_container_cache *cache,
                                 const struct gk_container_cache_key *key)
{
    struct entry *set = set_of(cache, key);
    for (size_t i = 0; i < WAYS; i++) {
        if (is_of(&set[i], key)) {
            return &set[i];
        }
    }
    return NULL;
}

static struct entry *locked_oldest(struct gk_container_cache *cache,
                                   const struct gk_container_cache_key *key)
{
    struct entry *set = set_of(cache, key);
    struct entry *oldest = &set[0];
    for (size_t i = 1; i < WAYS; i++) {
        oldest = set[i].used_at < oldest->used_at ? &set[i] : oldest;
    }
    return oldest;
}

bool gk_container_cache_find(struct gk_container_cache *cache,
                             const struct gk_container_cache_key *key, struct gk_container_ref *out,
                             uint64_t *ticket)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = locked_find(cache, key);
    if (entry != NULL) {
        entry->used_at = ++cache->uses;
        *out = entry->ref;
    }
    *ticket = cache->drops;
    pthread_mutex_unlock(&cache->mutex);
    return entry != NULL;
}

void gk_container_cache_put(struct gk_container_cache *cache,
                            const struct gk_container_cache_key *key,
                            const struct gk_container_ref *ref, uint64_t ticket)
{
    if (strlen(key->container) > GK_CONTAINER_NAME_BYTES_MAX) {
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    if (cache->drops == ticket) {
        struct entry *entry = locked_find(cache, key);
        entry = entry == NULL ? locked_oldest(cache, key) : entry;
        *entry = (struct entry){.used_at = ++cache->uses, .account = key->account, .ref = *ref};
        snprintf(entry->container, sizeof entry->container, "%s", key->container);
    }
    pthread_mutex_unlock(&cache->mutex);
}

void gk_container_cache_drop(struct gk_container_cache *cache,
                             const struct gk_container_cache_key *key)
{
    pthread_mutex_lock(&cache->mutex);
    struct entry *entry = locked_find(cache, key);
    if (entry != NULL) {
        *entry = (struct entry){.used_at = 0};
    }
    cache->drops++;
    pthread_mutex_unlock(&cache->mutex);
}
