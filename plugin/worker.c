/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/worker.h"

#include <string.h>

#include "common/error.h"

void gk_worker_init(struct gk_worker *worker)
{
    memset(worker, 0, sizeof *worker);
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->changed, NULL);
}

static struct gk_job *locked_take(struct gk_worker *worker)
{
    while (worker->first == NULL && !worker->stopping) {
        pthread_cond_wait(&worker->changed, &worker->mutex);
    }
    struct gk_job *job = worker->first;
    if (job != NULL) {
        worker->first = job->next;
        worker->last = worker->first == NULL ? NULL : worker->last;
        job->queued = false;
    }
    return job;
}

static void *run_jobs(void *ctx)
{
    struct gk_worker *worker = ctx;
    for (;;) {
        pthread_mutex_lock(&worker->mutex);
        struct gk_job *job = locked_take(worker);
        pthread_mutex_unlock(&worker->mutex);
        if (job == NULL) {
            return NULL;
        }
        job->run(job->ctx);
    }
}

enum gk_status gk_worker_start(struct gk_worker *worker, struct gk_error *error)
{
    if (pthread_create(&worker->thread, NULL, run_jobs, worker) != 0) {
        return gk_fail(error, GK_E_RESOURCE, "a thread cannot be started");
    }
    worker->running = true;
    return GK_OK;
}

void gk_worker_stop(struct gk_worker *worker)
{
    pthread_mutex_lock(&worker->mutex);
    worker->stopping = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    if (worker->running) {
        pthread_join(worker->thread, NULL);
        worker->running = false;
    }
}

void gk_worker_cleanup(struct gk_worker *worker)
{
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
}

bool gk_worker_submit(struct gk_worker *worker, struct gk_job *job)
{
    pthread_mutex_lock(&worker->mutex);
    const bool taken = !job->queued && !worker->stopping;
    if (taken) {
        job->queued = true;
        job->next = NULL;
        if (worker->last == NULL) {
            worker->first = job;
        } else {
            worker->last->next = job;
        }
        worker->last = job;
        pthread_cond_signal(&worker->changed);
    }
    pthread_mutex_unlock(&worker->mutex);
    return taken;
}
