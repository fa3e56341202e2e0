/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs of one account, whose state and order stand in the account's map and go with it: ordered, shown and stopped
 * by the account's name. Any thread. Errors carry what the management API answers.
 */
#ifndef GATEWAY_JOB_ACCOUNT_JOB_H
#define GATEWAY_JOB_ACCOUNT_JOB_H

#include "gateway/job/job.h"

/* The first member of a kind's own run. */
struct gk_account_job_run {
    struct gk_job_run job;
    struct gk_gateway_account *account; /* held */
};

struct gk_account_job_kind {
    struct gk_job_kind job; /* its ended and free are those below */
    size_t run_bytes;       /* of a run, which begins as zeros */
    size_t state_offset;    /* of its struct gk_job_state */
    enum gk_audit_event_id event;
    /* What was done, for the audit. */
    void (*describe)(const struct gk_job_run *run, char *detail, size_t detail_bytes);
    /* Its state as the API shows it; NULL when memory is out. Owned by the caller. */
    json_t *(*show)(const struct gk_job_run *run);
};

/* Of each kind: the audit is told of the end. */
void gk_account_job_tell(struct gk_job_run *run);
void gk_account_job_run_free(struct gk_job_run *run);

struct gk_account_job;

/* kind and gateway must outlive it. */
enum gk_status gk_account_job_new(struct gk_gateway *gateway,
                                  const struct gk_account_job_kind *kind,
                                  struct gk_account_job **out, struct gk_error *error) GK_MUST_USE;
/* Ends what runs here, which may be resumed. NULL is fine. */
void gk_account_job_free(struct gk_account_job *job);

/* rate: turns in a second, of what the job counts as one; 0 for one after the other. GK_E_CONFLICT (409): one is
 * running, of this account or of another. */
enum gk_status gk_account_job_start(struct gk_account_job *job, const char *account, uint32_t rate,
                                    struct gk_error *error) GK_MUST_USE;
/* Goes on with the account's last one, at its rate. GK_E_CONFLICT (409): one is running, or the last one came
 * to its end. GK_E_NOT_FOUND (404): there was none. */
enum gk_status gk_account_job_resume(struct gk_account_job *job, const char *account,
                                     struct gk_error *error) GK_MUST_USE;
/* Orders the one that runs, wherever it does, to pause; it does so within a second. Nothing to pause is
 * fine. */
enum gk_status gk_account_job_pause(struct gk_account_job *job, const char *account,
                                    struct gk_error *error) GK_MUST_USE;
/* The account's last one, or the one that runs, as the API shows it; the caller owns *out. GK_E_NOT_FOUND
 * (404). */
enum gk_status gk_account_job_show(struct gk_account_job *job, const char *account, json_t **out,
                                   struct gk_error *error) GK_MUST_USE;

#endif
