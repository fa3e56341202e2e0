/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work in the background: in a thread of one gateway, of each kind one at a time on a store, which a lease says.
 * Its state stands in the store, so that any gateway can show it, stop it, and go on with one that was stopped
 * or whose gateway ended.
 *
 *   who orders it   gk_job_begin, gk_job_stop, gk_job_check         any thread
 *   who does it     gk_job_go_on, gk_job_take_turn                  the run's thread
 */
#ifndef GATEWAY_JOB_JOB_H
#define GATEWAY_JOB_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/gateway.h"
#include "gateway/job/state.h"

#define GK_JOB_LEASE_MS 30000u

/* What somebody is told who asks for what cannot be. */
struct gk_job_refusal {
    const char *code;
    const char *text;
};

struct gk_job_run;

struct gk_job_kind {
    const char *name;  /* in the log */
    const char *lease; /* of the store; no account's name may come to be the same */
    const char *order_key;
    struct gk_job_refusal is_running; /* 409 */
    struct gk_job_refusal is_done;    /* 409 */
    struct gk_job_refusal not_found;  /* 404 */
    /* The last one's state, of the run's object. GK_E_NOT_FOUND: there was none. */
    enum gk_status (*read)(struct gk_job_run *run, struct gk_error *error);
    enum gk_status (*save)(struct gk_job_run *run, struct gk_error *error);
    /* From where the state says to the end, or to where it is stopped. */
    enum gk_status (*work)(struct gk_job_run *run, struct gk_error *error);
    /* It is done, or has failed: what there is to be told. NULL: nothing. */
    void (*ended)(struct gk_job_run *run);
    void (*free)(struct gk_job_run *run);
};

/* The first member of a kind's own run. Its maker fills the upper part, from zeros. */
struct gk_job_run {
    const char *object;         /* that has the state and the order; lives as long as the run */
    struct gk_job_state *state; /* the same */

    struct gk_gateway *gateway;
    const struct gk_job_kind *kind;
    const atomic_bool *stopping;
    bool stopped;          /* it was to, by this process or by an order in the store */
    enum gk_status status; /* of what go_on did, with its reason */
    struct gk_error why;
    int64_t save_mono_ms;
    int64_t renew_mono_ms;
    int64_t
        turn; /* the rate's thousandth parts of a turn since the clock's zero: none before this */
};

struct gk_job {
    const struct gk_job_kind *kind;
    struct gk_gateway *gateway;
    pthread_mutex_t mutex; /* of what follows; held across beginning and showing */
    bool started;          /* there is a thread to be joined */
    pthread_t thread;
    atomic_bool running; /* it is not at its end yet */
    atomic_bool
        ending; /* but comes to it without delay: who sees the end written may begin another */
    atomic_bool stopping;
    struct gk_job_run *run; /* the thread's, from begin to join */
};

/* kind and gateway must outlive it. */
void gk_job_init(struct gk_job *job, const struct gk_job_kind *kind, struct gk_gateway *gateway);
/* Ends what runs here, which may be resumed. */
void gk_job_cleanup(struct gk_job *job);

/* Takes run over, whatever the result. resume: the last one of the run's object goes on, whose state is read;
 * else a new one begins. GK_E_CONFLICT (409), GK_E_NOT_FOUND (404) as the kind says; that one runs, after half a
 * second of trying, for the gateway whose run has ended may have the lease a moment longer than its state says. */
enum gk_status gk_job_begin(struct gk_job *job, struct gk_job_run *run, bool resume,
                            struct gk_error *error) GK_MUST_USE;

/* The last one of the object of run, which never runs, into its state: one that says that it runs and does not was
 * interrupted, and the state says so. GK_E_NOT_FOUND (404). */
enum gk_status gk_job_check(struct gk_job *job, struct gk_job_run *run,
                            struct gk_error *error) GK_MUST_USE;
/* The same, and what runs, wherever it does, is ordered to stop; it does so within a second. Nothing to stop is
 * fine. */
enum gk_status gk_job_stop(struct gk_job *job, struct gk_job_run *run,
                           struct gk_error *error) GK_MUST_USE;

/* Saves the state, renews the lease and looks for an order to stop when it is time for that. Not GK_OK: to be
 * ended, as run says. */
enum gk_status gk_job_go_on(struct gk_job_run *run, struct gk_error *error) GK_MUST_USE;
/* Waits until the next turn is allowed, but not for long once the run is to end. */
void gk_job_take_turn(struct gk_job_run *run);

#endif
