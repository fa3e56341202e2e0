/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/locks.h"

#include <time.h>

#include "common/error.h"
#include "common/hash.h"

#define STRIPES 1024u

static pthread_once_t made = PTHREAD_ONCE_INIT;
static pthread_rwlock_t records[STRIPES];
static pthread_mutex_t blocks[STRIPES];

static void make(void)
{
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    for (size_t i = 0; i < STRIPES; i++) {
        pthread_rwlock_init(&records[i], &attributes);
        pthread_mutex_init(&blocks[i], NULL);
    }
    pthread_rwlockattr_destroy(&attributes);
}

/* By a clock that nobody sets. ThreadSanitizer of gcc 12 and clang 14 does not see that a lock was had by such a wait, and
 * would tell of races that are none: under it, and only there, waits go by the wall clock. */
#ifdef GATEKEY_SANITIZED_THREADS
#define WAIT_CLOCK                     CLOCK_REALTIME
#define lock_write_until(lock, until)  pthread_rwlock_timedwrlock(lock, until)
#define lock_read_until(lock, until)   pthread_rwlock_timedrdlock(lock, until)
#define lock_mutex_until(mutex, until) pthread_mutex_timedlock(mutex, until)
#else
#define WAIT_CLOCK                     CLOCK_MONOTONIC
#define lock_write_until(lock, until)  pthread_rwlock_clockwrlock(lock, WAIT_CLOCK, until)
#define lock_read_until(lock, until)   pthread_rwlock_clockrdlock(lock, WAIT_CLOCK, until)
#define lock_mutex_until(mutex, until) pthread_mutex_clocklock(mutex, WAIT_CLOCK, until)
#endif

static struct timespec wait_until(void)
{
    struct timespec until;
    clock_gettime(WAIT_CLOCK, &until);
    until.tv_sec += GK_LOCK_WAIT_S;
    return until;
}

static enum gk_status locked(int code, struct gk_error *error)
{
    return code == 0 ? GK_OK
                     : gk_fail(error, GK_E_UNAVAILABLE, "other writes of a blob take too long");
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

enum gk_status gk_record_lock_write(const struct gk_blob_target *target, struct gk_error *error)
{
    const struct timespec until = wait_until();
    return locked(lock_write_until(record_lock(target), &until), error);
}

enum gk_status gk_record_lock_read(const struct gk_blob_target *target, struct gk_error *error)
{
    const struct timespec until = wait_until();
    return locked(lock_read_until(record_lock(target), &until), error);
}

void gk_record_unlock(const struct gk_blob_target *target)
{
    pthread_rwlock_unlock(record_lock(target));
}

enum gk_status gk_block_lock(struct gk_span staged_key, struct gk_error *error)
{
    const struct timespec until = wait_until();
    return locked(lock_mutex_until(&blocks[stripe(staged_key, (struct gk_span){0})], &until),
                  error);
}

void gk_block_unlock(struct gk_span staged_key)
{
    pthread_mutex_unlock(&blocks[stripe(staged_key, (struct gk_span){0})]);
}
