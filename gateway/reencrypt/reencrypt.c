/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reencrypt/reencrypt.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/reencrypt/run.h"

/* The job's run is the first member. */
static struct gk_reencrypt_run *run_of(struct gk_job_run *run)
{
    return (struct gk_reencrypt_run *)(void *)run;
}

static enum gk_status read_last(struct gk_job_run *run, struct gk_error *error)
{
    return gk_reencrypt_state_read(run->gateway->store, run->object, &run_of(run)->state, error);
}

static enum gk_status save(struct gk_job_run *run, struct gk_error *error)
{
    return gk_reencrypt_state_write(run->gateway->store, run->object, &run_of(run)->state, error);
}

static enum gk_status work(struct gk_job_run *run, struct gk_error *error)
{
    return gk_reencrypt_run_all(run_of(run), error);
}

static void tell(struct gk_job_run *job)
{
    const struct gk_reencrypt_run *run = run_of(job);
    const struct gk_reencrypt_counts *counts = &run->state.counts;
    char detail[256];
    snprintf(detail, sizeof detail,
             "%" PRIu64 " records with %" PRIu64 " bytes are encrypted anew, %" PRIu64
             " are left%s%.64s",
             counts->reencrypted, counts->bytes, gk_reencrypt_left_sum(&counts->left),
             job->state->failure[0] == '\0' ? "" : "; ", job->state->failure);
    const struct gk_audit_event event = {.event = GK_AUDIT_ACCOUNT_REENCRYPT,
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
    struct gk_reencrypt_run *run = calloc(1, sizeof *run);
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
    return gk_reencrypt_state_json(&((const struct gk_reencrypt_run *)(const void *)run)->state);
}

const struct gk_account_job_kind gk_reencrypt_kind = {
    .job = {.name = "reencrypt",
            .lease = "lease/gateway.reencrypt",
            .order_key = "n/pause",
            .is_running = {"ReencryptionIsRunning",
                           "A re-encryption is running, of this account or of another."},
            .is_done = {"ReencryptionIsDone",
                        "The last re-encryption came to its end; there is nothing to resume."},
            .not_found = {"ReencryptionNotFound", "There was no re-encryption of the account yet."},
            .read = read_last,
            .save = save,
            .work = work,
            .ended = tell,
            .free = free_run},
    .make = make_run,
    .show = show,
};
