/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/loop.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"

#define MS_PER_S          1000
#define NS_PER_MS         1000000
#define IDLE_WAIT_MS      1000
#define HOST_WAIT_MS      50 /* the host's clock may jump: nothing but looking tells */
#define TIMERS_A_ROUND    256u
#define LATE_MS           100 /* is more than a round takes */
#define CONNECTIONS_MAX   64L
#define CONNECTIONS_VAULT 16L

struct gk_provider_timer {
    struct gk_kv_timer timer;
    gk_timer_fn *fn;
    void *ctx;
};

int64_t gk_kv_real_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* --- posting ------------------------------------------------------------------------------------ */

bool gk_kv_loop_post(struct gk_kv_loop *loop, struct gk_kv_task *task)
{
    pthread_mutex_lock(&loop->mutex);
    const bool accepted = loop->accepting;
    if (accepted) {
        task->next = NULL;
        *loop->last = task;
        loop->last = &task->next;
        /* Within the lock: stop must not free the handle between the check and the wake-up. */
        curl_multi_wakeup(loop->multi);
    }
    pthread_mutex_unlock(&loop->mutex);
    return accepted;
}

static struct gk_kv_task *take_tasks(struct gk_kv_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    struct gk_kv_task *tasks = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    pthread_mutex_unlock(&loop->mutex);
    return tasks;
}

static void run_tasks(struct gk_kv_task *task)
{
    while (task != NULL) {
        struct gk_kv_task *next = task->next; /* run may free the task */
        task->run(task->ctx);
        task = next;
    }
}

/* --- timers ------------------------------------------------------------------------------------- */

static int64_t host_now_ms(const struct gk_kv_loop *loop)
{
    return loop->host->clock_mono_ms(loop->host->ctx);
}

static void fire_host_timer(void *ctx)
{
    struct gk_provider_timer *timer = ctx;
    timer->fn(timer->ctx);
    free(timer);
}

struct gk_provider_timer *gk_kv_loop_call_at(struct gk_kv_loop *loop, int64_t mono_ms,
                                             gk_timer_fn *fn, void *ctx)
{
    struct gk_provider_timer *timer = calloc(1, sizeof *timer);
    if (timer == NULL) {
        return NULL;
    }
    timer->fn = fn;
    timer->ctx = ctx;
    timer->timer = (struct gk_kv_timer){.at_ms = mono_ms, .fire = fire_host_timer, .ctx = timer};
    pthread_mutex_lock(&loop->mutex);
    gk_kv_timers_add(&loop->host_timers, &timer->timer);
    curl_multi_wakeup(loop->multi);
    pthread_mutex_unlock(&loop->mutex);
    return timer;
}

void gk_kv_loop_cancel(struct gk_kv_loop *loop, struct gk_provider_timer *timer)
{
    pthread_mutex_lock(&loop->mutex);
    struct gk_kv_timer *found = gk_kv_timers_find(&loop->host_timers, (struct gk_kv_timer *)timer);
    if (found != NULL) {
        gk_kv_timers_remove(&loop->host_timers, found);
    }
    pthread_mutex_unlock(&loop->mutex);
    if (found != NULL) {
        free(timer);
    }
}

void gk_kv_loop_arm(struct gk_kv_loop *loop, struct gk_kv_timer *timer, int64_t real_ms,
                    void (*fire)(void *ctx), void *ctx)
{
    gk_kv_loop_disarm(loop, timer);
    *timer = (struct gk_kv_timer){.at_ms = real_ms, .fire = fire, .ctx = ctx};
    gk_kv_timers_add(&loop->real_timers, timer);
}

void gk_kv_loop_disarm(struct gk_kv_loop *loop, struct gk_kv_timer *timer)
{
    if (timer->armed) {
        gk_kv_timers_remove(&loop->real_timers, timer);
    }
}

bool gk_kv_loop_was_late(const struct gk_kv_loop *loop)
{
    return gk_kv_real_now_ms() < loop->late_until_real_ms;
}

/* A timer that arms itself again for now must not keep the network waiting: so many a round. */
static void run_timers(struct gk_kv_loop *loop)
{
    const int64_t host_ms = host_now_ms(loop);
    const int64_t real_ms = gk_kv_real_now_ms();
    for (size_t i = 0; i < TIMERS_A_ROUND; i++) {
        pthread_mutex_lock(&loop->mutex);
        struct gk_kv_timer *timer = gk_kv_timers_take_due(&loop->host_timers, host_ms);
        pthread_mutex_unlock(&loop->mutex);
        if (timer == NULL) {
            timer = gk_kv_timers_take_due(&loop->real_timers, real_ms);
        }
        if (timer == NULL) {
            return;
        }
        timer->fire(timer->ctx);
    }
}

static int wait_ms(struct gk_kv_loop *loop)
{
    const int real = gk_kv_timers_wait_ms(&loop->real_timers, gk_kv_real_now_ms(), IDLE_WAIT_MS);
    const int64_t host_ms = host_now_ms(loop);
    pthread_mutex_lock(&loop->mutex);
    const int host = loop->host_timers.first == NULL
                         ? IDLE_WAIT_MS
                         : gk_kv_timers_wait_ms(&loop->host_timers, host_ms, HOST_WAIT_MS);
    pthread_mutex_unlock(&loop->mutex);
    return real < host ? real : host;
}

/* --- the thread --------------------------------------------------------------------------------- */

static void run_network(struct gk_kv_loop *loop)
{
    int running = 0;
    int left = 0;
    (void)curl_multi_perform(loop->multi, &running);
    for (CURLMsg *message; (message = curl_multi_info_read(loop->multi, &left)) != NULL;) {
        if (message->msg == CURLMSG_DONE) {
            loop->on_transfer(loop->owner, message->easy_handle, message->data.result);
        }
    }
}

static bool is_stopping(struct gk_kv_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    const bool stopping = loop->stopping;
    pthread_mutex_unlock(&loop->mutex);
    return stopping;
}

/* Nothing more is accepted once nothing is left, and both are seen in one look. */
static bool close_when_empty(struct gk_kv_loop *loop)
{
    pthread_mutex_lock(&loop->mutex);
    loop->accepting = loop->first != NULL;
    const bool closed = !loop->accepting;
    pthread_mutex_unlock(&loop->mutex);
    return closed;
}

/* Now, which should be due_ms, or before that. */
static int64_t note_late(struct gk_kv_loop *loop, int64_t due_ms)
{
    const int64_t now_ms = gk_kv_real_now_ms();
    const int64_t late_ms = now_ms - due_ms;
    if (late_ms > LATE_MS) {
        loop->late_until_real_ms = now_ms + late_ms;
        loop->host->count(loop->host->ctx, "gatekey_provider_late_seconds_total", "",
                          (double)late_ms / MS_PER_S);
    }
    return now_ms;
}

/* Begun at begun_ms; when the next one begins. Each part of it should take no time, but for the wait. */
static int64_t run_round(struct gk_kv_loop *loop, int64_t begun_ms)
{
    run_tasks(take_tasks(loop));
    run_network(loop);
    const int64_t heard_ms = note_late(loop, begun_ms);
    run_timers(loop);
    const int timeout_ms = wait_ms(loop);
    const int64_t done_ms = note_late(loop, heard_ms);
    (void)curl_multi_poll(loop->multi, NULL, 0, timeout_ms, NULL);
    return note_late(loop, done_ms + timeout_ms);
}

static void *run(void *ctx)
{
    struct gk_kv_loop *loop = ctx;
    int64_t begun_ms = gk_kv_real_now_ms();
    while (!is_stopping(loop)) {
        begun_ms = run_round(loop, begun_ms);
    }
    do {
        loop->on_stop(loop->owner);
        run_tasks(take_tasks(loop));
    } while (!close_when_empty(loop));
    return NULL;
}

/* --- life --------------------------------------------------------------------------------------- */

enum gk_status gk_kv_loop_init(struct gk_kv_loop *loop, const struct gk_provider_host *host,
                               struct gk_error *error)
{
    *loop = (struct gk_kv_loop){.host = host};
    loop->last = &loop->first;
    loop->multi = curl_multi_init();
    if (loop->multi == NULL || pthread_mutex_init(&loop->mutex, NULL) != 0) {
        (void)curl_multi_cleanup(loop->multi);
        loop->multi = NULL;
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    (void)curl_multi_setopt(loop->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX);
    (void)curl_multi_setopt(loop->multi, CURLMOPT_MAX_HOST_CONNECTIONS, CONNECTIONS_VAULT);
    return GK_OK;
}

enum gk_status gk_kv_loop_start(struct gk_kv_loop *loop, struct gk_error *error)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    /* The host's signals are for its own threads; and a vault that hangs up must not end the process
     * with SIGPIPE. What the thread starts with, it keeps. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&loop->mutex);
    loop->running = pthread_create(&loop->thread, NULL, run, loop) == 0;
    loop->accepting = loop->running;
    pthread_mutex_unlock(&loop->mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return loop->running ? GK_OK : gk_fail(error, GK_E_RESOURCE, "no thread can be made");
}

void gk_kv_loop_stop(struct gk_kv_loop *loop)
{
    if (!loop->running) {
        return;
    }
    pthread_mutex_lock(&loop->mutex);
    loop->stopping = true;
    curl_multi_wakeup(loop->multi);
    pthread_mutex_unlock(&loop->mutex);
    pthread_join(loop->thread, NULL);
    loop->running = false;
}

void gk_kv_loop_cleanup(struct gk_kv_loop *loop)
{
    if (loop->multi == NULL) {
        return;
    }
    while (loop->host_timers.first != NULL) {
        gk_kv_loop_cancel(loop, (struct gk_provider_timer *)loop->host_timers.first);
    }
    (void)curl_multi_cleanup(loop->multi);
    pthread_mutex_destroy(&loop->mutex);
    loop->multi = NULL;
}
