/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider's thread: it runs tasks that other threads post, timers, and the network.
 *
 * Two kinds of time: timers of the host's go by the host's monotonic clock, which a test may move
 * forward by days at once; whatever has to do with the network (deadlines, back-off) goes by the
 * system's, because packets do not travel faster in a test.
 *
 * A thread that got no turn, in a process that was stopped or on a machine that has too much to do, finds deadlines over
 * for which it has read and sent nothing meanwhile. The network comes before the timers, for what has arrived; and
 * what still has no answer is told apart by gk_kv_loop_was_late().
 */
#ifndef KEYPROVIDER_LOOP_H
#define KEYPROVIDER_LOOP_H

#include <curl/curl.h>
#include <pthread.h>

#include "gatekey/provider.h"
#include "keyprovider/timers.h"

/* Part of what is posted. run gets the ctx on the provider's thread. */
struct gk_kv_task {
    struct gk_kv_task *next;
    void (*run)(void *ctx);
    void *ctx;
};

struct gk_kv_loop {
    const struct gk_provider_host *host;
    CURLM *multi;
    pthread_t thread;
    bool running; /* start and stop alone */
    void *owner;
    void (*on_transfer)(void *owner, CURL *easy, CURLcode result);
    void (*on_stop)(void *owner); /* on the provider's thread: end whatever is under way */

    pthread_mutex_t mutex; /* guards what follows */
    struct gk_kv_task *first;
    struct gk_kv_task **last;
    struct gk_kv_timers host_timers;
    bool accepting;
    bool stopping;

    /* The provider's thread alone. */
    struct gk_kv_timers real_timers;
    int64_t late_until_real_ms;
};

/* host and owner must outlive the loop. */
enum gk_status gk_kv_loop_init(struct gk_kv_loop *loop, const struct gk_provider_host *host,
                               struct gk_error *error) GK_MUST_USE;
enum gk_status gk_kv_loop_start(struct gk_kv_loop *loop, struct gk_error *error) GK_MUST_USE;
/* Runs on_stop and whatever that posts, then ends the thread. Idempotent. */
void gk_kv_loop_stop(struct gk_kv_loop *loop);
/* After stop. Frees timers that never ran. */
void gk_kv_loop_cleanup(struct gk_kv_loop *loop);

/* Any thread. False, and the task will not run, before start and after stop. */
bool gk_kv_loop_post(struct gk_kv_loop *loop, struct gk_kv_task *task) GK_MUST_USE;
/* As in provider.h. Any thread. */
struct gk_provider_timer *gk_kv_loop_call_at(struct gk_kv_loop *loop, int64_t mono_ms,
                                             gk_timer_fn *fn, void *ctx);
void gk_kv_loop_cancel(struct gk_kv_loop *loop, struct gk_provider_timer *timer);

/* The provider's thread alone, in real time. disarm takes a timer that is not armed, too. */
int64_t gk_kv_real_now_ms(void);
void gk_kv_loop_arm(struct gk_kv_loop *loop, struct gk_kv_timer *timer, int64_t real_ms,
                    void (*fire)(void *ctx), void *ctx);
void gk_kv_loop_disarm(struct gk_kv_loop *loop, struct gk_kv_timer *timer);
/* Whether the thread has stood still just now, and for as long again after it: what ends without an answer then says
 * nothing of whoever was to give it. */
bool gk_kv_loop_was_late(const struct gk_kv_loop *loop);

#endif
