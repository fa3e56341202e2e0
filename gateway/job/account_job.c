/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/job/account_job.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"

struct gk_account_job {
    struct gk_job job;
    const struct gk_account_job_kind *kind;
};

enum gk_status gk_account_job_new(struct gk_gateway *gateway,
                                  const struct gk_account_job_kind *kind,
                                  struct gk_account_job **out, struct gk_error *error)
{
    struct gk_account_job *job = calloc(1, sizeof *job);
    *out = job;
    if (job == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    job->kind = kind;
    gk_job_init(&job->job, &kind->job, gateway);
    return GK_OK;
}

void gk_account_job_free(struct gk_account_job *job)
{
    if (job != NULL) {
        gk_job_cleanup(&job->job);
        free(job);
    }
}

static enum gk_status make_run(struct gk_account_job *job, const char *name,
                               struct gk_job_run **out, struct gk_error *error)
{
    struct gk_gateway_account *account = NULL;
    const enum gk_status status =
        gk_accounts_get(job->job.gateway->accounts, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    uint8_t *bytes = calloc(1, job->kind->run_bytes);
    if (bytes == NULL) {
        gk_accounts_put(account);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct gk_account_job_run *run = (struct gk_account_job_run *)(void *)bytes;
    run->account = account;
    run->job.object = account->object;
    run->job.state = (struct gk_job_state *)(void *)(bytes + job->kind->state_offset);
    *out = &run->job;
    return GK_OK;
}

void gk_account_job_run_free(struct gk_job_run *run)
{
    gk_accounts_put(((struct gk_account_job_run *)(void *)run)->account);
    free(run);
}

void gk_account_job_tell(struct gk_job_run *run)
{
    const struct gk_account_job_kind *kind =
        (const struct gk_account_job_kind *)(const void *)run->kind;
    const char *failure = run->state->failure;
    char done[160];
    char detail[256];
    kind->describe(run, done, sizeof done);
    snprintf(detail, sizeof detail, "%s%s%.64s", done, failure[0] == '\0' ? "" : "; ", failure);
    const struct gk_audit_event event = {
        .event = kind->event,
        .account = ((const struct gk_account_job_run *)(const void *)run)->account->name,
        .key_id = "",
        .outcome = run->state->status == GK_JOB_DONE ? "ok" : "failed",
        .reason = "",
        .detail = detail,
        .request_id = "",
        .actor = GK_AUDIT_ACTOR_SELF};
    gk_plugin_host_audit(run->gateway->host, &event);
}

enum gk_status gk_account_job_start(struct gk_account_job *job, const char *account, uint32_t rate,
                                    struct gk_error *error)
{
    struct gk_job_run *run = NULL;
    const enum gk_status status = make_run(job, account, &run, error);
    if (status != GK_OK) {
        return status;
    }
    run->state->rate = rate;
    return gk_job_begin(&job->job, run, false, error);
}

enum gk_status gk_account_job_resume(struct gk_account_job *job, const char *account,
                                     struct gk_error *error)
{
    struct gk_job_run *run = NULL;
    const enum gk_status status = make_run(job, account, &run, error);
    return status == GK_OK ? gk_job_begin(&job->job, run, true, error) : status;
}

enum gk_status gk_account_job_pause(struct gk_account_job *job, const char *account,
                                    struct gk_error *error)
{
    struct gk_job_run *run = NULL;
    enum gk_status status = make_run(job, account, &run, error);
    if (status == GK_OK) {
        status = gk_job_stop(&job->job, run, error);
        job->kind->job.free(run);
    }
    return status;
}

enum gk_status gk_account_job_show(struct gk_account_job *job, const char *account, json_t **out,
                                   struct gk_error *error)
{
    struct gk_job_run *run = NULL;
    *out = NULL;
    enum gk_status status = make_run(job, account, &run, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_job_check(&job->job, run, error);
    if (status == GK_OK) {
        *out = job->kind->show(run);
        status = *out == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    }
    job->kind->job.free(run);
    return status;
}
