/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reencrypt/reencrypt.h"

#include <inttypes.h>
#include <stdio.h>

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

static void describe(const struct gk_job_run *run, char *detail, size_t detail_bytes)
{
    const struct gk_reencrypt_counts *counts =
        &((const struct gk_reencrypt_run *)(const void *)run)->state.counts;
    snprintf(detail, detail_bytes,
             "%" PRIu64 " records with %" PRIu64 " bytes are encrypted anew, %" PRIu64 " are left",
             counts->reencrypted, counts->bytes, gk_reencrypt_left_sum(&counts->left));
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
            .ended = gk_account_job_tell,
            .free = gk_account_job_run_free},
    .run_bytes = sizeof(struct gk_reencrypt_run),
    .state_offset = offsetof(struct gk_reencrypt_run, state.job),
    .event = GK_AUDIT_ACCOUNT_REENCRYPT,
    .describe = describe,
    .show = show,
};
