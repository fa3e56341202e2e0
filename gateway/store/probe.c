/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store/probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"

#define GOOD_FOR_MS 1000
/* Whether there is such an object does not matter. */
#define OBJECT "gatekey"

struct gk_store_probe {
    struct gk_store *store;
    pthread_t thread;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    bool stopping;
    bool wanted;
    bool looked; /* the next two say something */
    bool answered;
    int64_t looked_ms; /* when the last look came to its end */
};

/* Of the clock that the condition waits by, which no test moves. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool pool_answers(struct gk_store *store, enum gk_store_pool pool)
{
    struct gk_store_stat stat;
    const enum gk_status status = gk_store_stat(store, pool, OBJECT, &stat, NULL);
    return status == GK_OK || status == GK_E_NOT_FOUND;
}

static void *run(void *ctx)
{
    struct gk_store_probe *probe = ctx;
    pthread_mutex_lock(&probe->mutex);
    while (!probe->stopping) {
        if (!probe->wanted) {
            pthread_cond_wait(&probe->changed, &probe->mutex);
            continue;
        }
        pthread_mutex_unlock(&probe->mutex);
        const bool answered =
            pool_answers(probe->store, GK_POOL_META) && pool_answers(probe->store, GK_POOL_DATA);
        pthread_mutex_lock(&probe->mutex);
        probe->wanted = false;
        probe->looked = true;
        probe->answered = answered;
        probe->looked_ms = now_ms();
        pthread_cond_broadcast(&probe->changed);
    }
    pthread_mutex_unlock(&probe->mutex);
    return NULL;
}

static bool locked_is_fresh(const struct gk_store_probe *probe)
{
    return probe->looked && !probe->wanted && now_ms() - probe->looked_ms < GOOD_FOR_MS;
}

bool gk_store_probe_answers(struct gk_store_probe *probe)
{
    const int64_t until_ms = now_ms() + GK_STORE_PROBE_WAIT_MS;
    const struct timespec until = {.tv_sec = until_ms / 1000,
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000L};
    int code = 0;
    pthread_mutex_lock(&probe->mutex);
    if (!locked_is_fresh(probe) && !probe->wanted) {
        probe->wanted = true;
        pthread_cond_broadcast(&probe->changed);
    }
    while (!locked_is_fresh(probe) && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&probe->changed, &probe->mutex, &until);
    }
    const bool answers = locked_is_fresh(probe) && probe->answered;
    pthread_mutex_unlock(&probe->mutex);
    return answers;
}

static void free_probe(struct gk_store_probe *probe)
{
    pthread_cond_destroy(&probe->changed);
    pthread_mutex_destroy(&probe->mutex);
    free(probe);
}

enum gk_status gk_store_probe_start(struct gk_store *store, struct gk_store_probe **out,
                                    struct gk_error *error)
{
    *out = NULL;
    struct gk_store_probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    probe->store = store;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&probe->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&probe->mutex, NULL);
    if (pthread_create(&probe->thread, NULL, run, probe) != 0) {
        free_probe(probe);
        return gk_fail(error, GK_E_RESOURCE, "the probe's thread cannot be started");
    }
    *out = probe;
    return GK_OK;
}

void gk_store_probe_stop(struct gk_store_probe *probe)
{
    if (probe == NULL) {
        return;
    }
    pthread_mutex_lock(&probe->mutex);
    probe->stopping = true;
    pthread_cond_broadcast(&probe->changed);
    pthread_mutex_unlock(&probe->mutex);
    pthread_join(probe->thread, NULL);
    free_probe(probe);
}
