/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a scrub: one run of it, on its thread. */
#ifndef GATEWAY_SCRUB_RUN_H
#define GATEWAY_SCRUB_RUN_H

#include "gateway/job/job.h"
#include "gateway/scrub/refset.h"
#include "gateway/scrub/state.h"
#include "gateway/scrub/walk.h"

struct gk_scrub_run {
    struct gk_job_run job;
    struct gk_scrub_state state;
    struct gk_refset refs;
    struct gk_known known;
    bool counting; /* what is walked is counted, and what is damaged told */
    uint64_t expected_objects;
    void *sweep; /* the data phase's own */
};

/* From where the state says to the end, or to where it is stopped. */
enum gk_status gk_scrub_run_all(struct gk_scrub_run *run, struct gk_error *error) GK_MUST_USE;

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
