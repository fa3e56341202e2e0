/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/job/job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"

#define PROBE_LEASE_MS 1000u
#define TAKE_TRIES     10u
#define TAKE_PAUSE_NS  50000000L

void gk_job_init(struct gk_job *job, const struct gk_job_kind *kind, struct gk_gateway *gateway)
{
    *job = (struct gk_job){.kind = kind, .gateway = gateway};
    atomic_init(&job->running, false);
    atomic_init(&job->ending, false);
    atomic_init(&job->stopping, false);
    pthread_mutex_init(&job->mutex, NULL);
}

/* --- the thread ---------------------------------------------------------------------------------*/

static void end_state(struct gk_job_run *run, enum gk_status status, const struct gk_error *why)
{
    struct gk_job_state *state = run->state;
    state->updated_wall_ms = gk_clock_wall_ms(&run->gateway->clock);
    if (status == GK_OK) {
        state->status = GK_JOB_DONE;
        state->ended_wall_ms = state->updated_wall_ms;
    } else if (run->stopped) {
        state->status = GK_JOB_STOPPED;
    } else {
        state->status = GK_JOB_FAILED;
        snprintf(state->failure, sizeof state->failure, "%.255s", why->message);
        gk_log(GK_LOG_ERROR, run->kind->name, "%s: ended before its end: %s", run->object,
               why->message);
    }
    if (run->kind->ended != NULL && state->status != GK_JOB_STOPPED) {
        run->kind->ended(run);
    }
}

/* Not when another gateway has it by now: the state is its own. */
static enum gk_status write_end(struct gk_job_run *run, struct gk_error *error)
{
    struct gk_store *store = run->gateway->store;
    enum gk_status status = run->status;
    if (status != GK_E_CONFLICT) {
        status = gk_store_lease_take(store, run->kind->lease, GK_JOB_LEASE_MS, error);
    }
    if (status == GK_E_CONFLICT) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status == GK_OK ? run->kind->save(run, error) : status;
}

static void *run_thread(void *ctx)
{
    struct gk_job *job = ctx;
    struct gk_job_run *run = job->run;
    struct gk_error error = {0};
    const enum gk_status status = run->kind->work(run, &error);
    end_state(run, status, &error);
    atomic_store(&job->ending, true);
    gk_error_clear(&error);
    if (write_end(run, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, run->kind->name, "its end cannot be written down: %s",
               error.message);
    }
    gk_store_lease_release(job->gateway->store, job->kind->lease);
    atomic_store(&job->running, false);
    return NULL;
}

static void locked_join(struct gk_job *job)
{
    if (job->started) {
        pthread_join(job->thread, NULL);
        job->started = false;
        job->kind->free(job->run);
        job->run = NULL;
    }
}

void gk_job_cleanup(struct gk_job *job)
{
    atomic_store(&job->stopping, true);
    pthread_mutex_lock(&job->mutex);
    locked_join(job);
    pthread_mutex_unlock(&job->mutex);
    pthread_mutex_destroy(&job->mutex);
}

/* --- beginning ----------------------------------------------------------------------------------*/

static enum gk_status refuse(enum gk_status status, const struct gk_job_refusal *refusal,
                             struct gk_error *error)
{
    return gk_fail_http(error, status, status == GK_E_NOT_FOUND ? 404 : 409, refusal->code, "%s",
                        refusal->text);
}

static enum gk_status fill_new(struct gk_job_run *run, struct gk_error *error)
{
    struct gk_id id;
    if (!gk_id_random(&id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    gk_id_format(&id, run->state->id);
    run->state->started_wall_ms = gk_clock_wall_ms(&run->gateway->clock);
    return GK_OK;
}

static enum gk_status fill_last(struct gk_job_run *run, struct gk_error *error)
{
    const enum gk_status status = run->kind->read(run, error);
    if (status == GK_E_NOT_FOUND) {
        return refuse(status, &run->kind->not_found, error);
    }
    if (status == GK_OK && run->state->status == GK_JOB_DONE) {
        return refuse(GK_E_CONFLICT, &run->kind->is_done, error);
    }
    /* An order to stop is of the one that it names, which has to be rid of it. */
    return status == GK_OK ? gk_job_order_write(run->gateway->store, run->object,
                                                run->kind->order_key, "", error)
                           : status;
}

static enum gk_status locked_launch(struct gk_job *job, struct gk_job_run *run,
                                    struct gk_error *error)
{
    struct gk_job_state *state = run->state;
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(state->gateway, sizeof state->gateway, "%s:%ld", host, (long)getpid());
    state->status = GK_JOB_RUNNING;
    state->failure[0] = '\0';
    state->updated_wall_ms = gk_clock_wall_ms(&job->gateway->clock);
    const enum gk_status status = run->kind->save(run, error);
    if (status != GK_OK) {
        return status;
    }
    atomic_store(&job->stopping, false);
    atomic_store(&job->ending, false);
    atomic_store(&job->running, true);
    job->run = run;
    if (pthread_create(&job->thread, NULL, run_thread, job) != 0) {
        atomic_store(&job->running, false);
        job->run = NULL;
        return gk_fail(error, GK_E_RESOURCE, "a thread for the %s cannot be started",
                       job->kind->name);
    }
    job->started = true;
    return GK_OK;
}

/* The lease is held. */
static enum gk_status locked_begin(struct gk_job *job, struct gk_job_run *run, bool resume,
                                   struct gk_error *error)
{
    run->gateway = job->gateway;
    run->kind = job->kind;
    run->stopping = &job->stopping;
    enum gk_status status = resume ? fill_last(run, error) : fill_new(run, error);
    if (status == GK_OK) {
        status = locked_launch(job, run, error);
    }
    if (status != GK_OK) {
        gk_store_lease_release(job->gateway->store, job->kind->lease);
    }
    return status;
}

/* Whoever has told that a run is over has the lease for a moment yet, and so has who looks whether one runs. */
static enum gk_status locked_take(struct gk_job *job, struct gk_error *error)
{
    const struct timespec nap = {.tv_nsec = TAKE_PAUSE_NS};
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; i < TAKE_TRIES && status == GK_E_CONFLICT; i++) {
        if (i > 0) {
            gk_error_clear(error);
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
        }
        status = gk_store_lease_take(job->gateway->store, job->kind->lease, GK_JOB_LEASE_MS, error);
    }
    return status;
}

enum gk_status gk_job_begin(struct gk_job *job, struct gk_job_run *run, bool resume,
                            struct gk_error *error)
{
    enum gk_status status = GK_E_CONFLICT;
    pthread_mutex_lock(&job->mutex);
    if (!atomic_load(&job->running) || atomic_load(&job->ending)) {
        locked_join(job);
        status = locked_take(job, error);
    }
    if (status == GK_OK) {
        status = locked_begin(job, run, resume, error);
    } else if (status == GK_E_CONFLICT) {
        status = refuse(status, &job->kind->is_running, error);
    }
    pthread_mutex_unlock(&job->mutex);
    if (status != GK_OK) {
        job->kind->free(run);
    }
    return status;
}

/* --- showing and stopping -----------------------------------------------------------------------*/

static bool locked_runs_here(const struct gk_job *job, const char *object)
{
    return atomic_load(&job->running) && strcmp(job->run->object, object) == 0;
}

/* Whether one of the kind runs, in whichever gateway. */
static bool locked_runs(struct gk_job *job)
{
    struct gk_store *store = job->gateway->store;
    if (gk_store_lease_take(store, job->kind->lease, PROBE_LEASE_MS, NULL) != GK_OK) {
        return true;
    }
    gk_store_lease_release(store, job->kind->lease);
    return false;
}

static enum gk_status locked_check(struct gk_job *job, struct gk_job_run *run,
                                   struct gk_error *error)
{
    const bool runs_here = locked_runs_here(job, run->object);
    const bool another_here = !runs_here && atomic_load(&job->running);
    run->gateway = job->gateway;
    const enum gk_status status = job->kind->read(run, error);
    if (status == GK_E_NOT_FOUND) {
        return refuse(status, &job->kind->not_found, error);
    }
    if (status == GK_OK && run->state->status == GK_JOB_RUNNING && !runs_here &&
        (another_here || !locked_runs(job))) {
        run->state->status = GK_JOB_INTERRUPTED;
    }
    return status;
}

enum gk_status gk_job_check(struct gk_job *job, struct gk_job_run *run, struct gk_error *error)
{
    pthread_mutex_lock(&job->mutex);
    const enum gk_status status = locked_check(job, run, error);
    pthread_mutex_unlock(&job->mutex);
    return status;
}

enum gk_status gk_job_stop(struct gk_job *job, struct gk_job_run *run, struct gk_error *error)
{
    pthread_mutex_lock(&job->mutex);
    enum gk_status status = locked_check(job, run, error);
    if (locked_runs_here(job, run->object)) {
        atomic_store(&job->stopping, true);
    } else if (status == GK_OK && run->state->status == GK_JOB_RUNNING) {
        status = gk_job_order_write(job->gateway->store, run->object, job->kind->order_key,
                                    run->state->id, error);
    }
    pthread_mutex_unlock(&job->mutex);
    return status;
}
