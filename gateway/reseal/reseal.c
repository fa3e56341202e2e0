/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/reseal.h"

#include <stdio.h>
#include <stdlib.h>

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

static void tell(struct gk_job_run *job)
{
    const struct gk_reseal_run *run = run_of(job);
    const struct gk_reseal_state *state = &run->state;
    char detail[192];
    snprintf(detail, sizeof detail, "%llu data keys are sealed anew, %llu root keys retired%s%.64s",
             (unsigned long long)state->counts.resealed, (unsigned long long)state->counts.retired,
             job->state->failure[0] == '\0' ? "" : "; ", job->state->failure);
    const struct gk_audit_event event = {.event = GK_AUDIT_ACCOUNT_RESEAL,
                                         .account = run->account->name,
                                         .key_id = "",
                                         .outcome =
                                             job->state->status == GK_JOB_DONE ? "ok" : "failed",
                                         .reason = "",
                                         .detail = detail,
                                         .request_id = "",
                                         .actor = GK_AUDIT_ACTOR_SELF};
    gk_plugin_host_audit(job->gateway->host, &event);
}

static void free_run(struct gk_job_run *run)
{
    gk_accounts_put(run_of(run)->account);
    free(run_of(run));
}

static struct gk_job_run *make_run(struct gk_gateway_account *account)
{
    struct gk_reseal_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        gk_accounts_put(account);
        return NULL;
    }
    run->account = account;
    run->job.state = &run->state.job;
    return &run->job;
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
            .ended = tell,
            .free = free_run},
    .make = make_run,
    .show = show,
};
