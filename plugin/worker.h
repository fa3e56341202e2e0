/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread with a queue, for work that may block on storage or on the vault and so has no place on
 * the provider's thread. Jobs are part of what they work on: submitting one cannot fail.
 */
#ifndef PLUGIN_WORKER_H
#define PLUGIN_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "gatekey/types.h"

struct gk_job {
    struct gk_job *next;
    bool queued;
    void (*run)(void *ctx);
    void *ctx;
};

struct gk_worker {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct gk_job *first;
    struct gk_job *last;
    bool running;
    bool stopping;
};

void gk_worker_init(struct gk_worker *worker);
enum gk_status gk_worker_start(struct gk_worker *worker, struct gk_error *error) GK_MUST_USE;
/* Runs what is queued, then joins. Idempotent; jobs that come later are refused. */
void gk_worker_stop(struct gk_worker *worker);
void gk_worker_cleanup(struct gk_worker *worker);
/* Any thread. False when the job is queued already or the worker has stopped: run will not be called
 * for this submission. */
bool gk_worker_submit(struct gk_worker *worker, struct gk_job *job) GK_MUST_USE;

#endif
