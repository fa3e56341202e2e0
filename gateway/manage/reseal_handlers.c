/* SPDX-License-Identifier: Apache-2.0 */
/* /gatekey/accounts/{name}/reseal, resealPause, resealResume (ours). */
#include <jansson.h>

#include "common/error.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"
#include "gateway/reseal/reseal.h"

static enum gk_status answer_with_state(struct gk_manage *manage, const char *account,
                                        unsigned status_code, struct gk_manage_answer *answer,
                                        struct gk_error *error)
{
    json_t *state = NULL;
    const enum gk_status status = gk_reseal_show(manage->gateway->reseal, account, &state, error);
    return status == GK_OK ? gk_manage_answer_json(answer, status_code, state, error) : status;
}

/* 404 for an account that is not there, before anything is asked of a reseal. */
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

enum gk_status gk_manage_reseal_get(struct gk_manage *manage, const struct gk_manage_path *path,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)request;
    const enum gk_status status = check_account(manage, path->account, error);
    return status == GK_OK ? answer_with_state(manage, path->account, 200, answer, error) : status;
}

enum gk_status gk_manage_reseal_start(struct gk_manage *manage, const struct gk_manage_path *path,
                                      const struct gk_manage_request *request,
                                      struct gk_manage_answer *answer, struct gk_error *error)
{
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
        status = gk_reseal_start(manage->gateway->reseal, path->account, rate, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_RESEAL, path->account, "it begins");
    return answer_with_state(manage, path->account, 202, answer, error);
}

enum gk_status gk_manage_reseal_resume(struct gk_manage *manage, const struct gk_manage_path *path,
                                       const struct gk_manage_request *request,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    enum gk_status status = check_account(manage, path->account, error);
    if (status == GK_OK) {
        status = gk_reseal_resume(manage->gateway->reseal, path->account, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_RESEAL, path->account, "it goes on");
    return answer_with_state(manage, path->account, 202, answer, error);
}

enum gk_status gk_manage_reseal_pause(struct gk_manage *manage, const struct gk_manage_path *path,
                                      const struct gk_manage_request *request,
                                      struct gk_manage_answer *answer, struct gk_error *error)
{
    enum gk_status status = check_account(manage, path->account, error);
    if (status == GK_OK) {
        status = gk_reseal_pause(manage->gateway->reseal, path->account, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_RESEAL, path->account, "it is to pause");
    return answer_with_state(manage, path->account, 202, answer, error);
}
