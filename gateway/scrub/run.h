/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a scrub: one run of it, on its thread. */
#ifndef GATEWAY_SCRUB_RUN_H
#define GATEWAY_SCRUB_RUN_H

#include "gateway/scrub/refset.h"
#include "gateway/scrub/state.h"
#include "gateway/scrub/walk.h"

/* Not an account's name, whose leases have this prefix too. */
#define GK_SCRUB_LEASE    "lease/gateway.scrub"
#define GK_SCRUB_LEASE_MS 30000u

struct gk_scrub_run {
    struct gk_gateway *gateway;
    struct gk_scrub_state state;
    bool (*stop)(void *ctx); /* whether to end, asked all the time */
    void *stop_ctx;
    struct gk_refset refs;
    struct gk_known known;
    bool stopped;  /* stop said so, or somebody wrote so into the store */
    bool counting; /* what is walked is counted, and what is damaged told */
    uint64_t expected_objects;
    void *sweep;           /* the data phase's own */
    enum gk_status status; /* of what go_on did, with its reason */
    struct gk_error why;
    int64_t save_mono_ms;
    int64_t renew_mono_ms;
    int64_t read_mono_ms; /* not earlier than this, by the rate */
};

/* From where the state says to the end, or to where it is stopped. */
enum gk_status gk_scrub_run_all(struct gk_scrub_run *run, struct gk_error *error) GK_MUST_USE;

/* Saves the state, renews the lease and looks for an order to stop when it is time for that. False: to
 * be ended, with run->status saying why. */
bool gk_scrub_go_on(struct gk_scrub_run *run);
/* go_on as a status. */
enum gk_status gk_scrub_check(struct gk_scrub_run *run, struct gk_error *error) GK_MUST_USE;
/* Waits until the next read is allowed, but not for long once the run is to end. */
void gk_scrub_take_turn(struct gk_scrub_run *run);

/* A visitor that counts, and tells what is damaged, as run->counting says; segment is NULL. */
struct gk_scrub_visitor gk_scrub_run_visitor(struct gk_scrub_run *run);
/* Log, audit event, and the state's list. */
void gk_scrub_tell_damaged(struct gk_scrub_run *run, const char *account, const char *container,
                           struct gk_span blob, const char *what);

/* The phases, each in its own file. */
enum gk_status gk_scrub_data(struct gk_scrub_run *run, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_scrub_meta(struct gk_scrub_run *run, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_scrub_verify(struct gk_scrub_run *run, struct gk_error *error) GK_MUST_USE;

#endif
