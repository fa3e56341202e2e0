/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes on one store tell each other. librados calls back on threads of its own that must not
 * be held up, so notices are queued, and one thread of ours calls the watchers. It also watches anew
 * when the cluster has dropped a watch.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/store/rados.h"

#define COMPONENT "store"
/* The cluster forgets a watcher that has been silent for so long, and holds a notice for it that long. */
#define WATCH_TIMEOUT_S   10u
#define NOTIFY_TIMEOUT_MS 5000u
/* Notices that are being sent; further ones are dropped, as store.h allows. */
#define NOTIFY_MAX 64u
/* Notices that wait for one watcher; when there are more, it is told that it missed some. */
#define PENDING_MAX   64u
#define WATCH_AGAIN_S 1
#define LOCK_NAME     "gatekey.lease"

struct notice {
    size_t len;
    uint8_t bytes[GK_NOTICE_BYTES_MAX];
};

struct gk_rados_watch {
    struct gk_store_watch base;
    struct gk_rados_watch *next;
    char *object;
    gk_store_notice_fn *notice;
    void *ctx;
    uint64_t handle; /* librados' name for the watch: a pointer of its own, dead once unwatched */
    bool watched;    /* handle is one */
    /* The rest under the mutex of the store's notices. */
    bool lost;
    bool missed;
    bool busy; /* the thread is calling the watcher or watching anew */
    struct timespec again;
    struct notice pending[PENDING_MAX]; /* a ring */
    size_t pending_begin;
    size_t pending_end;
};

static struct gk_rados *store_of(const struct gk_rados_watch *watch)
{
    return gk_rados_own(watch->base.store);
}

/* --- on librados' threads ---------------------------------------------------------------------- */

static void on_notice(void *ctx, uint64_t notify_id, uint64_t handle, uint64_t notifier, void *data,
                      size_t len)
{
    (void)notifier;
    struct gk_rados_watch *watch = ctx;
    struct gk_rados *store = store_of(watch);
    (void)rados_notify_ack(store->io[GK_POOL_META], watch->object, notify_id, handle, NULL, 0);
    pthread_mutex_lock(&store->notices.mutex);
    if (watch->pending_end - watch->pending_begin == PENDING_MAX || len > GK_NOTICE_BYTES_MAX) {
        watch->missed = true;
    } else {
        struct notice *notice = &watch->pending[watch->pending_end++ % PENDING_MAX];
        notice->len = len;
        if (len > 0) {
            memcpy(notice->bytes, data, len);
        }
    }
    pthread_cond_broadcast(&store->notices.changed);
    pthread_mutex_unlock(&store->notices.mutex);
}

static void on_lost(void *ctx, uint64_t handle, int code)
{
    (void)handle;
    struct gk_rados_watch *watch = ctx;
    struct gk_rados *store = store_of(watch);
    gk_log(GK_LOG_WARNING, COMPONENT, "the watch on %s is lost (error %d)", watch->object, -code);
    pthread_mutex_lock(&store->notices.mutex);
    watch->lost = true;
    watch->missed = true;
    clock_gettime(CLOCK_MONOTONIC, &watch->again);
    pthread_cond_broadcast(&store->notices.changed);
    pthread_mutex_unlock(&store->notices.mutex);
}

/* --- on our thread ----------------------------------------------------------------------------- */

static bool is_due(const struct gk_rados_watch *watch, const struct timespec *now)
{
    return watch->again.tv_sec < now->tv_sec ||
           (watch->again.tv_sec == now->tv_sec && watch->again.tv_nsec <= now->tv_nsec);
}

static enum gk_status make_object(struct gk_store *store, const char *object,
                                  struct gk_error *error)
{
    const struct gk_change create = {.kind = GK_CHANGE_CREATE};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .changes = &create, .changes_count = 1};
    return gk_rados_write(store, &op, NULL, error);
}

static int watch_object(struct gk_rados_watch *watch)
{
    const int code = rados_watch3(store_of(watch)->io[GK_POOL_META], watch->object, &watch->handle,
                                  on_notice, on_lost, WATCH_TIMEOUT_S, watch);
    watch->watched = code == 0;
    return code;
}

static void unwatch_object(struct gk_rados_watch *watch)
{
    if (watch->watched) {
        (void)rados_unwatch2(store_of(watch)->io[GK_POOL_META], watch->handle);
        watch->watched = false;
    }
}

static void watch_again(struct gk_rados_watch *watch)
{
    unwatch_object(watch);
    if (make_object(watch->base.store, watch->object, NULL) == GK_OK && watch_object(watch) == 0) {
        gk_log(GK_LOG_INFO, COMPONENT, "%s is watched again", watch->object);
        pthread_mutex_lock(&store_of(watch)->notices.mutex);
        watch->lost = false;
        watch->missed = true; /* whatever came since it was lost */
        pthread_mutex_unlock(&store_of(watch)->notices.mutex);
    }
}

/* Does what there is to do for one watch, with the mutex released meanwhile; false: nothing. */
static bool serve(struct gk_rados_notices *notices, struct gk_rados_watch *watch)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const bool again = watch->lost && !watch->missed && is_due(watch, &now);
    const bool tell = watch->missed || watch->pending_begin != watch->pending_end;
    struct notice notice = {.len = 0};
    if (!again && !tell) {
        return false;
    }
    if (watch->missed) {
        watch->missed = false;
    } else if (tell) {
        notice = watch->pending[watch->pending_begin++ % PENDING_MAX];
    }
    watch->again = now;
    watch->again.tv_sec += WATCH_AGAIN_S;
    watch->busy = true;
    pthread_mutex_unlock(&notices->mutex);
    if (again) {
        watch_again(watch);
    } else {
        watch->notice(watch->ctx, gk_span_of(notice.bytes, notice.len));
    }
    pthread_mutex_lock(&notices->mutex);
    watch->busy = false;
    pthread_cond_broadcast(&notices->changed);
    return true;
}

static bool serve_all(struct gk_rados_notices *notices)
{
    for (struct gk_rados_watch *watch = notices->watches; watch != NULL; watch = watch->next) {
        if (serve(notices, watch)) {
            return true; /* the list may be another by now */
        }
    }
    return false;
}

static void *notices_thread(void *ctx)
{
    struct gk_rados_notices *notices = ctx;
    pthread_mutex_lock(&notices->mutex);
    while (!notices->closing) {
        if (!serve_all(notices)) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            until.tv_sec += WATCH_AGAIN_S;
            pthread_cond_timedwait(&notices->changed, &notices->mutex, &until);
        }
    }
    pthread_mutex_unlock(&notices->mutex);
    return NULL;
}

enum gk_status gk_rados_notices_init(struct gk_rados *store, struct gk_error *error)
{
    struct gk_rados_notices *notices = &store->notices;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&notices->mutex, NULL);
    pthread_cond_init(&notices->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&notices->thread, NULL, notices_thread, notices) != 0) {
        pthread_cond_destroy(&notices->changed);
        pthread_mutex_destroy(&notices->mutex);
        return gk_fail(error, GK_E_RESOURCE, "no thread for the store");
    }
    notices->running = true;
    return GK_OK;
}

void gk_rados_notices_cleanup(struct gk_rados *store)
{
    struct gk_rados_notices *notices = &store->notices;
    if (!notices->running) {
        return;
    }
    pthread_mutex_lock(&notices->mutex);
    notices->closing = true;
    pthread_cond_broadcast(&notices->changed);
    while (notices->under_way > 0) {
        pthread_cond_wait(&notices->changed, &notices->mutex);
    }
    pthread_mutex_unlock(&notices->mutex);
    pthread_join(notices->thread, NULL);
    pthread_cond_destroy(&notices->changed);
    pthread_mutex_destroy(&notices->mutex);
}

/* --- watching ---------------------------------------------------------------------------------- */

static void watch_free(struct gk_rados_watch *watch)
{
    free(watch->object);
    free(watch);
}

enum gk_status gk_rados_watch(struct gk_store *base, const char *object, gk_store_notice_fn *notice,
                              void *ctx, struct gk_store_watch **out, struct gk_error *error)
{
    struct gk_rados_notices *notices = &gk_rados_own(base)->notices;
    struct gk_rados_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    watch->base.store = base;
    watch->notice = notice;
    watch->ctx = ctx;
    watch->object = strdup(object);
    enum gk_status status = watch->object == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                  : make_object(base, object, error);
    if (status == GK_OK) {
        const int code = gk_rados_code(gk_rados_own(base), GK_POOL_META, watch_object(watch));
        status = code < 0 ? gk_rados_fail(error, code, "watching") : GK_OK;
    }
    if (status != GK_OK) {
        watch_free(watch);
        return status;
    }
    pthread_mutex_lock(&notices->mutex);
    watch->next = notices->watches;
    notices->watches = watch;
    pthread_cond_broadcast(&notices->changed);
    pthread_mutex_unlock(&notices->mutex);
    *out = &watch->base;
    return GK_OK;
}

void gk_rados_unwatch(struct gk_store_watch *base)
{
    struct gk_rados_watch *watch = (struct gk_rados_watch *)base;
    struct gk_rados *store = store_of(watch);
    struct gk_rados_notices *notices = &store->notices;
    pthread_mutex_lock(&notices->mutex);
    struct gk_rados_watch **link = &notices->watches;
    while (*link != watch) {
        link = &(*link)->next;
    }
    *link = watch->next;
    while (watch->busy) {
        pthread_cond_wait(&notices->changed, &notices->mutex);
    }
    pthread_mutex_unlock(&notices->mutex);
    unwatch_object(watch);
    (void)rados_watch_flush(store->cluster); /* no callback knows the watch after this */
    watch_free(watch);
}

/* --- notices ----------------------------------------------------------------------------------- */

static void count_sent(struct gk_rados_notices *notices)
{
    pthread_mutex_lock(&notices->mutex);
    notices->under_way--;
    pthread_cond_broadcast(&notices->changed);
    pthread_mutex_unlock(&notices->mutex);
}

static void on_sent(rados_completion_t completion, void *ctx)
{
    (void)completion;
    count_sent(ctx);
}

void gk_rados_notify(struct gk_store *base, const char *object, struct gk_span bytes)
{
    struct gk_rados *store = gk_rados_own(base);
    struct gk_rados_notices *notices = &store->notices;
    pthread_mutex_lock(&notices->mutex);
    const bool room = notices->under_way < NOTIFY_MAX;
    notices->under_way += room;
    pthread_mutex_unlock(&notices->mutex);
    rados_completion_t completion;
    if (!room) {
        return;
    }
    if (rados_aio_create_completion2(notices, on_sent, &completion) != 0) {
        count_sent(notices);
        return;
    }
    if (rados_aio_notify(store->io[GK_POOL_META], object, completion, (const char *)bytes.data,
                         (int)bytes.len, NOTIFY_TIMEOUT_MS, NULL, NULL) != 0) {
        count_sent(notices);
    }
    rados_aio_release(completion);
}

/* --- leases ------------------------------------------------------------------------------------ */

enum gk_status gk_rados_lease_take(struct gk_store *base, const char *object, uint32_t duration_ms,
                                   struct gk_error *error)
{
    struct gk_rados *store = gk_rados_own(base);
    struct timeval duration = {.tv_sec = duration_ms / 1000,
                               .tv_usec = (suseconds_t)(duration_ms % 1000) * 1000};
    char who[64]; /* for people: rados lock info shows it */
    snprintf(who, sizeof who, "process %ld", (long)getpid());
    const int code = gk_rados_code(store, GK_POOL_META,
                                   rados_lock_exclusive(store->io[GK_POOL_META], object, LOCK_NAME,
                                                        store->cookie, who, &duration,
                                                        LIBRADOS_LOCK_FLAG_MAY_RENEW));
    return code == -EBUSY || code == -EEXIST
               ? gk_fail(error, GK_E_CONFLICT, "another process has the lease")
           : code < 0 ? gk_rados_fail(error, code, "taking a lease")
                      : GK_OK;
}

void gk_rados_lease_release(struct gk_store *base, const char *object)
{
    struct gk_rados *store = gk_rados_own(base);
    (void)rados_unlock(store->io[GK_POOL_META], object, LOCK_NAME, store->cookie);
}
