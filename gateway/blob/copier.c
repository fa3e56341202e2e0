/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copier.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/copy_work.h"

#define SLOTS       16u
#define LEASE       "lease/gateway.copies.%u" /* not an account's name, whose leases begin so too */
#define LEASE_BYTES 40u
#define LEASE_MS    15000
#define TURNS       16u  /* parts of a copy before others have their turn */
#define LOOK_MS     2000 /* at the list, for what others have left, and for keys that are back */

struct gk_copier {
    struct gk_gateway *gateway;
    pthread_t threads[GK_COPIER_THREADS_MAX];
    uint32_t threads_count;
    /* Under the mutex, which is never held across a call to store or plugin: */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;
    uint64_t noted;    /* how often something has changed that is worth a look */
    bool taken[SLOTS]; /* by a thread of this gateway: a lease is the process's */
};

static bool stop(void *ctx)
{
    struct gk_copier *copier = ctx;
    pthread_mutex_lock(&copier->mutex);
    const bool stopping = copier->stopping;
    pthread_mutex_unlock(&copier->mutex);
    return stopping;
}

void gk_copier_note(struct gk_copier *copier)
{
    pthread_mutex_lock(&copier->mutex);
    copier->noted++;
    pthread_cond_broadcast(&copier->changed);
    pthread_mutex_unlock(&copier->mutex);
}

/* --- slots --------------------------------------------------------------------------------------*/

static bool take_slot(struct gk_copier *copier, uint32_t slot)
{
    pthread_mutex_lock(&copier->mutex);
    const bool taken = copier->taken[slot];
    copier->taken[slot] = true;
    pthread_mutex_unlock(&copier->mutex);
    return !taken;
}

static void leave_slot(struct gk_copier *copier, uint32_t slot)
{
    pthread_mutex_lock(&copier->mutex);
    copier->taken[slot] = false;
    pthread_mutex_unlock(&copier->mutex);
}

/* --- a copy -------------------------------------------------------------------------------------*/

/* Its row goes. One that stays, because the store is away, is looked at again. */
static void strike(struct gk_copier *copier, const struct gk_copy_row *row)
{
    struct gk_error error = {0};
    if (gk_copy_list_remove(copier->gateway->store, &row->id, &error) != GK_OK) {
        gk_log(GK_LOG_DEBUG, "copier", "a copy that has ended is still listed: %s", error.message);
    }
}

/* Some parts, while the lease is held. Whether there is more to do at once. */
static bool work_on(struct gk_copier *copier, const struct gk_copy_row *row, const char *lease)
{
    struct gk_store *store = copier->gateway->store;
    const struct gk_copy_work work = {.gateway = copier->gateway, .stop = stop, .stop_ctx = copier};
    enum gk_copy_turn turn = GK_COPY_TURN_MORE;
    for (uint32_t i = 0; i < TURNS && turn == GK_COPY_TURN_MORE && !stop(copier); i++) {
        turn = gk_store_lease_take(store, lease, LEASE_MS, NULL) == GK_OK
                   ? gk_copy_work_step(&work, row)
                   : GK_COPY_TURN_WAIT;
    }
    if (turn == GK_COPY_TURN_OVER) {
        strike(copier, row);
    }
    gk_store_lease_release(store, lease);
    return turn == GK_COPY_TURN_MORE;
}

static bool work_in_slot(struct gk_copier *copier, const struct gk_copy_row *row)
{
    const uint32_t slot = row->id.bytes[0] % SLOTS;
    char lease[LEASE_BYTES];
    if (!take_slot(copier, slot)) {
        return false;
    }
    snprintf(lease, sizeof lease, LEASE, slot);
    const bool more = work_on(copier, row, lease);
    leave_slot(copier, slot);
    return more;
}

/* All that is listed has its turn. Whether some of it has more to do. */
static bool work_through(struct gk_copier *copier, struct gk_copy_row rows[GK_COPY_LIST_STEP])
{
    struct gk_error error = {0};
    struct gk_id last = {{0}};
    size_t count = 0;
    bool from_start = true;
    bool more_rows = true;
    bool more_work = false;
    while (more_rows && !stop(copier)) {
        if (gk_copy_list_read(copier->gateway->store, from_start ? NULL : &last, rows, &count,
                              &more_rows, &last, &error) != GK_OK) {
            gk_log(GK_LOG_WARNING, "copier", "pending copies cannot be listed: %s", error.message);
            return false;
        }
        from_start = false;
        for (size_t i = 0; i < count && !stop(copier); i++) {
            more_work = work_in_slot(copier, &rows[i]) || more_work;
        }
    }
    return more_work;
}

/* --- the threads --------------------------------------------------------------------------------*/

static void locked_wait(struct gk_copier *copier)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_cond_timedwait(&copier->changed, &copier->mutex, &until);
}

static void *run(void *ctx)
{
    struct gk_copier *copier = ctx;
    struct gk_copy_row *rows = calloc(GK_COPY_LIST_STEP, sizeof *rows);
    if (rows == NULL) {
        gk_log(GK_LOG_ERROR, "copier", "no memory for pending copies: a thread of theirs ends");
        return NULL;
    }
    pthread_mutex_lock(&copier->mutex);
    while (!copier->stopping) {
        const uint64_t noted = copier->noted;
        pthread_mutex_unlock(&copier->mutex);
        const bool more = work_through(copier, rows);
        pthread_mutex_lock(&copier->mutex);
        if (!more && noted == copier->noted && !copier->stopping) {
            locked_wait(copier);
        }
    }
    pthread_mutex_unlock(&copier->mutex);
    free(rows);
    return NULL;
}

enum gk_status gk_copier_start(struct gk_gateway *gateway, uint32_t threads, struct gk_copier **out,
                               struct gk_error *error)
{
    *out = NULL;
    struct gk_copier *copier = calloc(1, sizeof *copier);
    if (copier == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    copier->gateway = gateway;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&copier->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&copier->mutex, NULL);
    *out = copier;
    while (copier->threads_count < threads) {
        if (pthread_create(&copier->threads[copier->threads_count], NULL, run, copier) != 0) {
            return gk_fail(error, GK_E_RESOURCE, "a thread for copies cannot be started");
        }
        copier->threads_count++;
    }
    return GK_OK;
}

void gk_copier_stop(struct gk_copier *copier)
{
    if (copier == NULL) {
        return;
    }
    pthread_mutex_lock(&copier->mutex);
    copier->stopping = true;
    pthread_cond_broadcast(&copier->changed);
    pthread_mutex_unlock(&copier->mutex);
    for (uint32_t i = 0; i < copier->threads_count; i++) {
        pthread_join(copier->threads[i], NULL);
    }
    pthread_cond_destroy(&copier->changed);
    pthread_mutex_destroy(&copier->mutex);
    free(copier);
}
