/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/reseal.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/reseal/run.h"

struct gk_reseal {
    struct gk_gateway *gateway;
    struct gk_job job;
};

/* --- the run ------------------------------------------------------------------------------------*/

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

static const struct gk_job_kind kind = {
    .name = "reseal",
    .lease = "lease/gateway.reseal",
    .order_key = GK_RESEAL_ORDER_KEY,
    .is_running = {"ResealIsRunning", "A reseal is running, of this account or of another."},
    .is_done = {"ResealIsDone", "The last reseal came to its end; there is nothing to resume."},
    .not_found = {"ResealNotFound", "There was no reseal of the account yet."},
    .read = read_last,
    .save = save,
    .work = work,
    .ended = tell,
    .free = free_run,
};

/* --- orders -------------------------------------------------------------------------------------*/

enum gk_status gk_reseal_new(struct gk_gateway *gateway, struct gk_reseal **out,
                             struct gk_error *error)
{
    struct gk_reseal *reseal = calloc(1, sizeof *reseal);
    *out = reseal;
    if (reseal == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    reseal->gateway = gateway;
    gk_job_init(&reseal->job, &kind, gateway);
    return GK_OK;
}

void gk_reseal_free(struct gk_reseal *reseal)
{
    if (reseal != NULL) {
        gk_job_cleanup(&reseal->job);
        free(reseal);
    }
}

static enum gk_status begin(struct gk_reseal *reseal, const char *account, bool resume,
                            uint32_t rate, struct gk_error *error)
{
    struct gk_reseal_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status =
        gk_accounts_get(reseal->gateway->accounts, account, &run->account, error);
    if (status != GK_OK) {
        free(run);
        return status;
    }
    run->job.object = run->account->object;
    run->job.state = &run->state.job;
    run->state.job.rate = rate;
    return gk_job_begin(&reseal->job, &run->job, resume, error);
}

enum gk_status gk_reseal_start(struct gk_reseal *reseal, const char *account, uint32_t rate,
                               struct gk_error *error)
{
    return begin(reseal, account, false, rate, error);
}

enum gk_status gk_reseal_resume(struct gk_reseal *reseal, const char *account,
                                struct gk_error *error)
{
    return begin(reseal, account, true, 0, error);
}

/* What is shown, or is to pause. */
struct looked {
    struct gk_store *store;
    struct gk_gateway_account *account;
    struct gk_reseal_state state;
};

static enum gk_status read_looked(void *ctx, struct gk_error *error)
{
    struct looked *looked = ctx;
    return gk_reseal_state_read(looked->store, looked->account->object, &looked->state, error);
}

enum gk_status gk_reseal_show(struct gk_reseal *reseal, const char *name, json_t **out,
                              struct gk_error *error)
{
    struct looked looked = {.store = reseal->gateway->store};
    *out = NULL;
    enum gk_status status =
        gk_accounts_get(reseal->gateway->accounts, name, &looked.account, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_job_check(&reseal->job, looked.account->object, &looked.state.job, read_looked,
                          &looked, error);
    gk_accounts_put(looked.account);
    if (status == GK_OK) {
        *out = gk_reseal_state_json(&looked.state);
        status = *out == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    }
    return status;
}

enum gk_status gk_reseal_pause(struct gk_reseal *reseal, const char *name, struct gk_error *error)
{
    struct looked looked = {.store = reseal->gateway->store};
    enum gk_status status =
        gk_accounts_get(reseal->gateway->accounts, name, &looked.account, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_job_stop(&reseal->job, looked.account->object, &looked.state.job, read_looked,
                         &looked, error);
    gk_accounts_put(looked.account);
    return status;
}
