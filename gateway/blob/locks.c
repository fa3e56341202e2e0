/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/locks.h"

#include "common/hash.h"

#define STRIPES 1024u

static pthread_once_t made = PTHREAD_ONCE_INIT;
static pthread_rwlock_t records[STRIPES];
static pthread_mutex_t blocks[STRIPES];

static void make(void)
{
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_rwlock_init(&records[i], NULL);
        pthread_mutex_init(&blocks[i], NULL);
    }
}

static size_t stripe(struct gk_span a, struct gk_span b)
{
    pthread_once(&made, make);
    const uint64_t hash = gk_hash(gk_hash(GK_HASH_START, a), b);
    return (size_t)((hash ^ hash >> 32) % STRIPES);
}

static pthread_rwlock_t *record_lock(const struct gk_blob_target *target)
{
    return &records[stripe(gk_span_of(target->container.bytes, sizeof target->container.bytes),
                           gk_buf_span(&target->key))];
}

void gk_record_lock_write(const struct gk_blob_target *target)
{
    pthread_rwlock_wrlock(record_lock(target));
}

void gk_record_lock_read(const struct gk_blob_target *target)
{
    pthread_rwlock_rdlock(record_lock(target));
}

void gk_record_unlock(const struct gk_blob_target *target)
{
    pthread_rwlock_unlock(record_lock(target));
}

void gk_block_lock(struct gk_span staged_key)
{
    pthread_mutex_lock(&blocks[stripe(staged_key, (struct gk_span){0})]);
}

void gk_block_unlock(struct gk_span staged_key)
{
    pthread_mutex_unlock(&blocks[stripe(staged_key, (struct gk_span){0})]);
}
