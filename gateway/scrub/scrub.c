/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/scrub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/scrub/run.h"

#define STOP_KEY       "stop"
#define MEMORY_BYTES   ((size_t)64 << 20)
#define PROBE_LEASE_MS 1000u

struct gk_scrub {
    struct gk_gateway *gateway;
    pthread_mutex_t mutex; /* of what follows; held across starting and showing */
    bool started;          /* there is a thread to be joined */
    pthread_t thread;
    atomic_bool running; /* it is not at its end yet */
    atomic_bool
        ending; /* but comes to it without delay: who sees the end written may start another */
    atomic_bool stopping;
    struct gk_scrub_run *run; /* the thread's, from start to join */
};

enum gk_status gk_scrub_new(struct gk_gateway *gateway, struct gk_scrub **out,
                            struct gk_error *error)
{
    struct gk_scrub *scrub = calloc(1, sizeof *scrub);
    *out = scrub;
    if (scrub == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    scrub->gateway = gateway;
    atomic_init(&scrub->running, false);
    atomic_init(&scrub->ending, false);
    atomic_init(&scrub->stopping, false);
    pthread_mutex_init(&scrub->mutex, NULL);
    return GK_OK;
}

/* --- the thread ---------------------------------------------------------------------------------*/

static bool stop_ordered(void *ctx)
{
    return atomic_load(&((struct gk_scrub *)ctx)->stopping);
}

static void end_state(struct gk_scrub_run *run, enum gk_status status, const struct gk_error *why)
{
    struct gk_scrub_state *state = &run->state;
    const int64_t now_wall_ms = gk_clock_wall_ms(&run->gateway->clock);
    state->updated_wall_ms = now_wall_ms;
    if (status == GK_OK) {
        state->status = GK_SCRUB_DONE;
        state->ended_wall_ms = now_wall_ms;
    } else if (run->stopped) {
        state->status = GK_SCRUB_STOPPED;
    } else {
        state->status = GK_SCRUB_FAILED;
        snprintf(state->failure, sizeof state->failure, "%.255s", why->message);
        gk_log(GK_LOG_ERROR, "scrub", "ended before its end: %s", why->message);
    }
}

static void *run_thread(void *ctx)
{
    struct gk_scrub *scrub = ctx;
    struct gk_scrub_run *run = scrub->run;
    struct gk_store *store = scrub->gateway->store;
    struct gk_error error = {0};
    const enum gk_status status = gk_scrub_run_all(run, &error);
    end_state(run, status, &error);
    atomic_store(&scrub->ending, true);
    /* Not when another gateway has it by now: the state is its own. */
    if (run->status != GK_E_CONFLICT) {
        gk_error_clear(&error);
        if (gk_scrub_state_write(store, &run->state, &error) != GK_OK) {
            gk_log(GK_LOG_WARNING, "scrub", "its end cannot be written down: %s", error.message);
        }
    }
    gk_store_lease_release(store, GK_SCRUB_LEASE);
    atomic_store(&scrub->running, false);
    return NULL;
}

static void free_run(struct gk_scrub_run *run)
{
    if (run != NULL) {
        gk_refset_cleanup(&run->refs);
        gk_known_cleanup(&run->known);
        gk_scrub_state_cleanup(&run->state);
        free(run);
    }
}

static void locked_join(struct gk_scrub *scrub)
{
    if (scrub->started) {
        pthread_join(scrub->thread, NULL);
        scrub->started = false;
        free_run(scrub->run);
        scrub->run = NULL;
    }
}

void gk_scrub_free(struct gk_scrub *scrub)
{
    if (scrub == NULL) {
        return;
    }
    atomic_store(&scrub->stopping, true);
    pthread_mutex_lock(&scrub->mutex);
    locked_join(scrub);
    pthread_mutex_unlock(&scrub->mutex);
    pthread_mutex_destroy(&scrub->mutex);
    free(scrub);
}

/* --- starting -----------------------------------------------------------------------------------*/

static enum gk_status refuse_running(struct gk_error *error)
{
    return gk_fail_http(error, GK_E_CONFLICT, 409, "ScrubIsRunning", "A scrub is running.");
}

/* Takes run over, whatever the result. The lease is held. */
static enum gk_status locked_launch(struct gk_scrub *scrub, struct gk_scrub_run *run,
                                    struct gk_error *error)
{
    run->gateway = scrub->gateway;
    run->stop = stop_ordered;
    run->stop_ctx = scrub;
    gk_refset_init(&run->refs, MEMORY_BYTES);
    gk_known_init(&run->known);
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(run->state.gateway, sizeof run->state.gateway, "%s:%ld", host, (long)getpid());
    run->state.status = GK_SCRUB_RUNNING;
    run->state.failure[0] = '\0';
    run->state.updated_wall_ms = gk_clock_wall_ms(&scrub->gateway->clock);
    enum gk_status status = gk_scrub_state_write(scrub->gateway->store, &run->state, error);
    if (status == GK_OK) {
        atomic_store(&scrub->stopping, false);
        atomic_store(&scrub->ending, false);
        atomic_store(&scrub->running, true);
        scrub->run = run;
        if (pthread_create(&scrub->thread, NULL, run_thread, scrub) == 0) {
            scrub->started = true;
            return GK_OK;
        }
        atomic_store(&scrub->running, false);
        scrub->run = NULL;
        status = gk_fail(error, GK_E_RESOURCE, "a scrub's thread cannot be started");
    }
    free_run(run);
    return status;
}

static struct gk_scrub_run *new_run(struct gk_error *error)
{
    struct gk_scrub_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        (void)gk_fail(error, GK_E_RESOURCE, "out of memory");
        return NULL;
    }
    gk_scrub_state_init(&run->state);
    return run;
}

static enum gk_status fill_new(struct gk_scrub *scrub, struct gk_scrub_run *run,
                               const struct gk_scrub_options *options, struct gk_error *error)
{
    struct gk_id id;
    if (!gk_id_random(&id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    gk_id_format(&id, run->state.id);
    run->state.options = *options;
    run->state.started_wall_ms = gk_clock_wall_ms(&scrub->gateway->clock);
    return GK_OK;
}

static enum gk_status fill_last(struct gk_scrub *scrub, struct gk_scrub_run *run,
                                struct gk_error *error)
{
    const enum gk_status status = gk_scrub_state_read(scrub->gateway->store, &run->state, error);
    if (status == GK_E_NOT_FOUND) {
        return gk_fail_http(error, status, 404, "ScrubNotFound", "There was no scrub yet.");
    }
    if (status == GK_OK && run->state.status == GK_SCRUB_DONE) {
        return gk_fail_http(error, GK_E_CONFLICT, 409, "ScrubIsDone",
                            "The last scrub came to its end; there is nothing to resume.");
    }
    return status;
}

/* An order to stop is of the scrub that it names: one that is resumed has to be rid of it. */
static enum gk_status drop_order(struct gk_scrub *scrub, struct gk_error *error)
{
    const struct gk_change change = {.kind = GK_CHANGE_MAP_REMOVE, .key = gk_span_str(STOP_KEY)};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = GK_SCRUB_OBJECT, .changes = &change, .changes_count = 1};
    return gk_store_write(scrub->gateway->store, &op, NULL, error);
}

/* options NULL: the last one goes on. */
static enum gk_status locked_begin(struct gk_scrub *scrub, const struct gk_scrub_options *options,
                                   struct gk_error *error)
{
    struct gk_store *store = scrub->gateway->store;
    if (atomic_load(&scrub->running) && !atomic_load(&scrub->ending)) {
        return refuse_running(error);
    }
    locked_join(scrub);
    enum gk_status status = gk_store_lease_take(store, GK_SCRUB_LEASE, GK_SCRUB_LEASE_MS, error);
    if (status != GK_OK) {
        return status == GK_E_CONFLICT ? refuse_running(error) : status;
    }
    struct gk_scrub_run *run = new_run(error);
    status = run == NULL       ? GK_E_RESOURCE
             : options == NULL ? fill_last(scrub, run, error)
                               : fill_new(scrub, run, options, error);
    if (status == GK_OK) {
        status = drop_order(scrub, error);
    }
    if (status == GK_OK) {
        status = locked_launch(scrub, run, error);
    } else {
        free_run(run);
    }
    if (status != GK_OK) {
        gk_store_lease_release(store, GK_SCRUB_LEASE);
    }
    return status;
}

enum gk_status gk_scrub_start(struct gk_scrub *scrub, const struct gk_scrub_options *options,
                              struct gk_error *error)
{
    pthread_mutex_lock(&scrub->mutex);
    const enum gk_status status = locked_begin(scrub, options, error);
    pthread_mutex_unlock(&scrub->mutex);
    return status;
}

enum gk_status gk_scrub_resume(struct gk_scrub *scrub, struct gk_error *error)
{
    return gk_scrub_start(scrub, NULL, error);
}

/* --- looking and stopping -----------------------------------------------------------------------*/

/* The state in the store; one that says that it runs and does not was interrupted. */
static enum gk_status locked_state(struct gk_scrub *scrub, struct gk_scrub_state *state,
                                   struct gk_error *error)
{
    struct gk_store *store = scrub->gateway->store;
    const bool here = atomic_load(&scrub->running);
    const enum gk_status status = gk_scrub_state_read(store, state, error);
    if (status == GK_E_NOT_FOUND) {
        return gk_fail_http(error, status, 404, "ScrubNotFound", "There was no scrub yet.");
    }
    if (status == GK_OK && state->status == GK_SCRUB_RUNNING && !here &&
        gk_store_lease_take(store, GK_SCRUB_LEASE, PROBE_LEASE_MS, NULL) == GK_OK) {
        gk_store_lease_release(store, GK_SCRUB_LEASE);
        state->status = GK_SCRUB_INTERRUPTED;
    }
    return status;
}

enum gk_status gk_scrub_show(struct gk_scrub *scrub, json_t **out, struct gk_error *error)
{
    struct gk_scrub_state state;
    *out = NULL;
    gk_scrub_state_init(&state);
    pthread_mutex_lock(&scrub->mutex);
    enum gk_status status = locked_state(scrub, &state, error);
    pthread_mutex_unlock(&scrub->mutex);
    if (status == GK_OK) {
        *out = gk_scrub_state_json(&state);
        status = *out == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    }
    gk_scrub_state_cleanup(&state);
    return status;
}

static enum gk_status write_order(struct gk_scrub *scrub, const char *id, struct gk_error *error)
{
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(STOP_KEY), .value = gk_span_str(id)};
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = GK_SCRUB_OBJECT, .changes = &change, .changes_count = 1};
    return gk_store_write(scrub->gateway->store, &op, NULL, error);
}

enum gk_status gk_scrub_order_stop(struct gk_scrub *scrub, struct gk_error *error)
{
    struct gk_scrub_state state;
    gk_scrub_state_init(&state);
    pthread_mutex_lock(&scrub->mutex);
    enum gk_status status = locked_state(scrub, &state, error);
    if (atomic_load(&scrub->running)) {
        atomic_store(&scrub->stopping, true);
    } else if (status == GK_OK && state.status == GK_SCRUB_RUNNING) {
        status = write_order(scrub, state.id, error);
    }
    pthread_mutex_unlock(&scrub->mutex);
    gk_scrub_state_cleanup(&state);
    return status;
}
