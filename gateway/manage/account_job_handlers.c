/* SPDX-License-Identifier: Apache-2.0 */
/* /gatekey/accounts/{name}/reseal, resealPause, resealResume, and the same of reencrypt (ours). */
#include <jansson.h>
#include <string.h>

#include "common/error.h"
#include "gateway/job/account_job.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

/* The job that a path's action is of. */
struct named_job {
    struct gk_account_job *job;
    enum gk_audit_event_id event;
};

static struct named_job job_of(const struct gk_manage *manage, const struct gk_manage_path *path)
{
    const struct gk_gateway *gateway = manage->gateway;
    return strncmp(path->action, "reencrypt", strlen("reencrypt")) == 0
               ? (struct named_job){gateway->reencrypt, GK_AUDIT_ACCOUNT_REENCRYPT}
               : (struct named_job){gateway->reseal, GK_AUDIT_ACCOUNT_RESEAL};
}

static enum gk_status answer_with_state(struct gk_manage *manage, const struct gk_manage_path *path,
                                        unsigned status_code, struct gk_manage_answer *answer,
                                        struct gk_error *error)
{
    json_t *state = NULL;
    const enum gk_status status =
        gk_account_job_show(job_of(manage, path).job, path->account, &state, error);
    return status == GK_OK ? gk_manage_answer_json(answer, status_code, state, error) : status;
}

/* 404 for an account that is not there, before anything is asked of a job. */
static enum gk_status check_account(struct gk_manage *manage, const char *name,
                                    struct gk_error *error)
{
    struct gk_managed_account managed;
    const enum gk_status status = gk_managed_account_load(manage, name, &managed, error);
    if (status == GK_OK) {
        gk_managed_account_cleanup(&managed);
    }
    return status;
}

static enum gk_status read_rate(const json_t *body, uint32_t *rate, struct gk_error *error)
{
    static const char *const names[] = {"rate", NULL};
    uint64_t number = 0;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_number(body, "rate", GK_JOB_RATE_MAX, &number, error);
    }
    *rate = (uint32_t)number;
    return status;
}

enum gk_status gk_manage_account_job_get(struct gk_manage *manage,
                                         const struct gk_manage_path *path,
                                         const struct gk_manage_request *request,
                                         struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)request;
    const enum gk_status status = check_account(manage, path->account, error);
    return status == GK_OK ? answer_with_state(manage, path, 200, answer, error) : status;
}

enum gk_status gk_manage_account_job_start(struct gk_manage *manage,
                                           const struct gk_manage_path *path,
                                           const struct gk_manage_request *request,
                                           struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct named_job named = job_of(manage, path);
    json_t *body = NULL;
    uint32_t rate = 0;
    enum gk_status status = check_account(manage, path->account, error);
    if (status == GK_OK) {
        status = gk_json_parse(request->body, &body, error);
    }
    if (status == GK_OK) {
        status = read_rate(body, &rate, error);
    }
    json_decref(body);
    if (status == GK_OK) {
        status = gk_account_job_start(named.job, path->account, rate, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, named.event, path->account, "it begins");
    return answer_with_state(manage, path, 202, answer, error);
}

/* Of the account's last one. */
typedef enum gk_status order_fn(struct gk_account_job *job, const char *account,
                                struct gk_error *error);

static enum gk_status order(struct gk_manage *manage, const struct gk_manage_path *path,
                            const struct gk_manage_request *request, order_fn *fn, const char *what,
                            struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct named_job named = job_of(manage, path);
    enum gk_status status = check_account(manage, path->account, error);
    if (status == GK_OK) {
        status = fn(named.job, path->account, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, named.event, path->account, what);
    return answer_with_state(manage, path, 202, answer, error);
}

enum gk_status gk_manage_account_job_resume(struct gk_manage *manage,
                                            const struct gk_manage_path *path,
                                            const struct gk_manage_request *request,
                                            struct gk_manage_answer *answer, struct gk_error *error)
{
    return order(manage, path, request, gk_account_job_resume, "it goes on", answer, error);
}

enum gk_status gk_manage_account_job_pause(struct gk_manage *manage,
                                           const struct gk_manage_path *path,
                                           const struct gk_manage_request *request,
                                           struct gk_manage_answer *answer, struct gk_error *error)
{
    return order(manage, path, request, gk_account_job_pause, "it is to pause", answer, error);
}
