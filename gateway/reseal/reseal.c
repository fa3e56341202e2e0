/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/reseal.h"

#include <stdio.h>

#include "gateway/reseal/run.h"

/* The job's run is the first member. */
static struct gk_reseal_run *run_of(struct gk_job_run *run)
{
    return (struct gk_reseal_run *)(void *)run;
}

static enum gk_status read_last(struct gk_job_run *run, struct gk_error *error)
{
    return gk_reseal_state_read(run->gateway->store, run->object, &run_of(run)->state, error);
}

static enum gk_status save(struct gk_job_run *run, struct gk_error *error)
{
    return gk_reseal_state_write(run->gateway->store, run->object, &run_of(run)->state, error);
}

static enum gk_status work(struct gk_job_run *run, struct gk_error *error)
{
    return gk_reseal_run_all(run_of(run), error);
}

static void describe(const struct gk_job_run *run, char *detail, size_t detail_bytes)
{
    const struct gk_reseal_counts *counts =
        &((const struct gk_reseal_run *)(const void *)run)->state.counts;
    snprintf(detail, detail_bytes, "%llu data keys are sealed anew, %llu root keys retired",
             (unsigned long long)counts->resealed, (unsigned long long)counts->retired);
}

static json_t *show(const struct gk_job_run *run)
{
    return gk_reseal_state_json(&((const struct gk_reseal_run *)(const void *)run)->state);
}

const struct gk_account_job_kind gk_reseal_kind = {
    .job = {.name = "reseal",
            .lease = "lease/gateway.reseal",
            .order_key = "r/pause",
            .is_running = {"ResealIsRunning",
                           "A reseal is running, of this account or of another."},
            .is_done = {"ResealIsDone",
                        "The last reseal came to its end; there is nothing to resume."},
            .not_found = {"ResealNotFound", "There was no reseal of the account yet."},
            .read = read_last,
            .save = save,
            .work = work,
            .ended = gk_account_job_tell,
            .free = gk_account_job_run_free},
    .run_bytes = sizeof(struct gk_reseal_run),
    .state_offset = offsetof(struct gk_reseal_run, state.job),
    .event = GK_AUDIT_ACCOUNT_RESEAL,
    .describe = describe,
    .show = show,
};
