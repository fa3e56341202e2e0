/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/reseal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/reseal/run.h"

#define PROBE_LEASE_MS 1000u

struct gk_reseal {
    struct gk_gateway *gateway;
    pthread_mutex_t mutex; /* of what follows; held across starting and showing */
    bool started;          /* there is a thread to be joined */
    pthread_t thread;
    atomic_bool running; /* it is not at its end yet */
    atomic_bool
        ending; /* but comes to it without delay: who sees the end written may start another */
    atomic_bool stopping;
    struct gk_reseal_run *run; /* the thread's, from start to join */
};

enum gk_status gk_reseal_new(struct gk_gateway *gateway, struct gk_reseal **out,
                             struct gk_error *error)
{
    struct gk_reseal *reseal = calloc(1, sizeof *reseal);
    *out = reseal;
    if (reseal == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    reseal->gateway = gateway;
    atomic_init(&reseal->running, false);
    atomic_init(&reseal->ending, false);
    atomic_init(&reseal->stopping, false);
    pthread_mutex_init(&reseal->mutex, NULL);
    return GK_OK;
}

/* --- the thread ---------------------------------------------------------------------------------*/

static bool stop_ordered(void *ctx)
{
    return atomic_load(&((struct gk_reseal *)ctx)->stopping);
}

static void tell(const struct gk_reseal_run *run, const char *outcome)
{
    const struct gk_reseal_state *state = &run->state;
    char detail[192];
    snprintf(detail, sizeof detail, "%llu data keys are sealed anew, %llu root keys retired%s%.64s",
             (unsigned long long)state->counts.resealed, (unsigned long long)state->counts.retired,
             state->failure[0] == '\0' ? "" : "; ", state->failure);
    const struct gk_audit_event event = {.event = GK_AUDIT_ACCOUNT_RESEAL,
                                         .account = run->account->name,
                                         .key_id = "",
                                         .outcome = outcome,
                                         .reason = "",
                                         .detail = detail,
                                         .request_id = "",
                                         .actor = GK_AUDIT_ACTOR_SELF};
    gk_plugin_host_audit(run->gateway->host, &event);
}

static void end_state(struct gk_reseal_run *run, enum gk_status status, const struct gk_error *why)
{
    struct gk_reseal_state *state = &run->state;
    const int64_t now_wall_ms = gk_clock_wall_ms(&run->gateway->clock);
    state->updated_wall_ms = now_wall_ms;
    if (status == GK_OK) {
        state->status = GK_RESEAL_DONE;
        state->ended_wall_ms = now_wall_ms;
        tell(run, "ok");
    } else if (run->paused) {
        state->status = GK_RESEAL_PAUSED;
    } else {
        state->status = GK_RESEAL_FAILED;
        snprintf(state->failure, sizeof state->failure, "%.255s", why->message);
        gk_log(GK_LOG_ERROR, "reseal", "account %s: ended before its end: %s", run->account->name,
               why->message);
        tell(run, "failed");
    }
}

static void *run_thread(void *ctx)
{
    struct gk_reseal *reseal = ctx;
    struct gk_reseal_run *run = reseal->run;
    struct gk_store *store = reseal->gateway->store;
    struct gk_error error = {0};
    const enum gk_status status = gk_reseal_run_all(run, &error);
    end_state(run, status, &error);
    atomic_store(&reseal->ending, true);
    /* Not when another gateway has it by now: the state is its own. */
    if (run->status != GK_E_CONFLICT) {
        gk_error_clear(&error);
        if (gk_reseal_state_write(store, run->account->object, &run->state, &error) != GK_OK) {
            gk_log(GK_LOG_WARNING, "reseal", "its end cannot be written down: %s", error.message);
        }
    }
    gk_store_lease_release(store, GK_RESEAL_LEASE);
    atomic_store(&reseal->running, false);
    return NULL;
}

static void free_run(struct gk_reseal_run *run)
{
    if (run != NULL) {
        gk_accounts_put(run->account);
        free(run);
    }
}

static void locked_join(struct gk_reseal *reseal)
{
    if (reseal->started) {
        pthread_join(reseal->thread, NULL);
        reseal->started = false;
        free_run(reseal->run);
        reseal->run = NULL;
    }
}

void gk_reseal_free(struct gk_reseal *reseal)
{
    if (reseal == NULL) {
        return;
    }
    atomic_store(&reseal->stopping, true);
    pthread_mutex_lock(&reseal->mutex);
    locked_join(reseal);
    pthread_mutex_unlock(&reseal->mutex);
    pthread_mutex_destroy(&reseal->mutex);
    free(reseal);
}

/* --- starting -----------------------------------------------------------------------------------*/

static enum gk_status refuse_running(struct gk_error *error)
{
    return gk_fail_http(error, GK_E_CONFLICT, 409, "ResealIsRunning",
                        "A reseal is running, of this account or of another.");
}

static enum gk_status refuse_none(struct gk_error *error)
{
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResealNotFound",
                        "There was no reseal of the account yet.");
}

/* Takes run over, whatever the result. The lease is held. */
static enum gk_status locked_launch(struct gk_reseal *reseal, struct gk_reseal_run *run,
                                    struct gk_error *error)
{
    run->gateway = reseal->gateway;
    run->stop = stop_ordered;
    run->stop_ctx = reseal;
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    snprintf(run->state.gateway, sizeof run->state.gateway, "%s:%ld", host, (long)getpid());
    run->state.status = GK_RESEAL_RUNNING;
    run->state.failure[0] = '\0';
    run->state.updated_wall_ms = gk_clock_wall_ms(&reseal->gateway->clock);
    enum gk_status status =
        gk_reseal_state_write(reseal->gateway->store, run->account->object, &run->state, error);
    if (status == GK_OK) {
        atomic_store(&reseal->stopping, false);
        atomic_store(&reseal->ending, false);
        atomic_store(&reseal->running, true);
        reseal->run = run;
        if (pthread_create(&reseal->thread, NULL, run_thread, reseal) == 0) {
            reseal->started = true;
            return GK_OK;
        }
        atomic_store(&reseal->running, false);
        reseal->run = NULL;
        status = gk_fail(error, GK_E_RESOURCE, "a reseal's thread cannot be started");
    }
    free_run(run);
    return status;
}

static enum gk_status fill_new(struct gk_reseal *reseal, struct gk_reseal_run *run, uint32_t rate,
                               struct gk_error *error)
{
    struct gk_id id;
    if (!gk_id_random(&id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    gk_id_format(&id, run->state.id);
    run->state.rate = rate;
    run->state.started_wall_ms = gk_clock_wall_ms(&reseal->gateway->clock);
    return GK_OK;
}

static enum gk_status fill_last(struct gk_reseal *reseal, struct gk_reseal_run *run,
                                struct gk_error *error)
{
    const enum gk_status status =
        gk_reseal_state_read(reseal->gateway->store, run->account->object, &run->state, error);
    if (status == GK_E_NOT_FOUND) {
        return refuse_none(error);
    }
    if (status == GK_OK && run->state.status == GK_RESEAL_DONE) {
        return gk_fail_http(error, GK_E_CONFLICT, 409, "ResealIsDone",
                            "The last reseal came to its end; there is nothing to resume.");
    }
    /* An order to pause is of the one that it names, which has to be rid of it. */
    return status == GK_OK
               ? gk_reseal_order_write(reseal->gateway->store, run->account->object, "", error)
               : status;
}

/* rate NULL: the last one goes on. The lease is held. */
static enum gk_status locked_begin(struct gk_reseal *reseal, const char *account,
                                   const uint32_t *rate, struct gk_error *error)
{
    struct gk_reseal_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status =
        gk_accounts_get(reseal->gateway->accounts, account, &run->account, error);
    if (status != GK_OK) {
        free(run);
        return status;
    }
    status = rate == NULL ? fill_last(reseal, run, error) : fill_new(reseal, run, *rate, error);
    if (status != GK_OK) {
        free_run(run);
        return status;
    }
    return locked_launch(reseal, run, error);
}

static enum gk_status begin(struct gk_reseal *reseal, const char *account, const uint32_t *rate,
                            struct gk_error *error)
{
    struct gk_store *store = reseal->gateway->store;
    enum gk_status status = GK_E_CONFLICT;
    pthread_mutex_lock(&reseal->mutex);
    if (!atomic_load(&reseal->running) || atomic_load(&reseal->ending)) {
        locked_join(reseal);
        status = gk_store_lease_take(store, GK_RESEAL_LEASE, GK_RESEAL_LEASE_MS, error);
    }
    if (status == GK_OK) {
        status = locked_begin(reseal, account, rate, error);
        if (status != GK_OK) {
            gk_store_lease_release(store, GK_RESEAL_LEASE);
        }
    } else if (status == GK_E_CONFLICT) {
        status = refuse_running(error);
    }
    pthread_mutex_unlock(&reseal->mutex);
    return status;
}

enum gk_status gk_reseal_start(struct gk_reseal *reseal, const char *account, uint32_t rate,
                               struct gk_error *error)
{
    return begin(reseal, account, &rate, error);
}

enum gk_status gk_reseal_resume(struct gk_reseal *reseal, const char *account,
                                struct gk_error *error)
{
    return begin(reseal, account, NULL, error);
}

/* --- looking and pausing ------------------------------------------------------------------------*/

static bool locked_runs_here(const struct gk_reseal *reseal, const char *account)
{
    return atomic_load(&reseal->running) && strcmp(reseal->run->account->name, account) == 0;
}

/* The state in the store; one that says that it runs and does not was interrupted. */
static enum gk_status locked_state(struct gk_reseal *reseal,
                                   const struct gk_gateway_account *account,
                                   struct gk_reseal_state *state, struct gk_error *error)
{
    struct gk_store *store = reseal->gateway->store;
    const bool here = atomic_load(&reseal->running);
    const enum gk_status status = gk_reseal_state_read(store, account->object, state, error);
    if (status == GK_E_NOT_FOUND) {
        return refuse_none(error);
    }
    if (status == GK_OK && state->status == GK_RESEAL_RUNNING &&
        !locked_runs_here(reseal, account->name) &&
        (here || gk_store_lease_take(store, GK_RESEAL_LEASE, PROBE_LEASE_MS, NULL) == GK_OK)) {
        if (!here) {
            gk_store_lease_release(store, GK_RESEAL_LEASE);
        }
        state->status = GK_RESEAL_INTERRUPTED;
    }
    return status;
}

enum gk_status gk_reseal_show(struct gk_reseal *reseal, const char *name, json_t **out,
                              struct gk_error *error)
{
    struct gk_reseal_state state;
    struct gk_gateway_account *account = NULL;
    *out = NULL;
    enum gk_status status = gk_accounts_get(reseal->gateway->accounts, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    pthread_mutex_lock(&reseal->mutex);
    status = locked_state(reseal, account, &state, error);
    pthread_mutex_unlock(&reseal->mutex);
    gk_accounts_put(account);
    if (status == GK_OK) {
        *out = gk_reseal_state_json(&state);
        status = *out == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    }
    return status;
}

enum gk_status gk_reseal_pause(struct gk_reseal *reseal, const char *name, struct gk_error *error)
{
    struct gk_reseal_state state;
    struct gk_gateway_account *account = NULL;
    enum gk_status status = gk_accounts_get(reseal->gateway->accounts, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    pthread_mutex_lock(&reseal->mutex);
    status = locked_state(reseal, account, &state, error);
    if (locked_runs_here(reseal, name)) {
        atomic_store(&reseal->stopping, true);
    } else if (status == GK_OK && state.status == GK_RESEAL_RUNNING) {
        status = gk_reseal_order_write(reseal->gateway->store, account->object, state.id, error);
    }
    pthread_mutex_unlock(&reseal->mutex);
    gk_accounts_put(account);
    return status;
}
