/* SPDX-License-Identifier: Apache-2.0 */
/* /gatekey/scrub (ours). */
#include <jansson.h>
#include <stdio.h>

#include "common/error.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"
#include "gateway/manage/manage.h"
#include "gateway/scrub/scrub.h"

#define OLDER_THAN_S_DEFAULT (UINT64_C(24) * 60 * 60)
#define OLDER_THAN_S_MAX     (UINT64_C(10) * 365 * 24 * 60 * 60)

static enum gk_status answer_with_state(struct gk_manage *manage, unsigned status_code,
                                        struct gk_manage_answer *answer, struct gk_error *error)
{
    json_t *state = NULL;
    const enum gk_status status = gk_scrub_show(manage->gateway->scrub, &state, error);
    return status == GK_OK ? gk_manage_answer_json(answer, status_code, state, error) : status;
}

enum gk_status gk_manage_scrub_get(struct gk_manage *manage, const struct gk_manage_path *path,
                                   const struct gk_manage_request *request,
                                   struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    return answer_with_state(manage, 200, answer, error);
}

static enum gk_status read_options(const json_t *body, struct gk_scrub_options *options,
                                   uint32_t *rate, struct gk_error *error)
{
    static const char *const names[] = {"verify", "remove", "olderThanSeconds", "rate", NULL};
    uint64_t number = 0;
    bool present = false;
    *options = (struct gk_scrub_options){.older_than_s = OLDER_THAN_S_DEFAULT};
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_bool(body, "", "verify", &options->verify, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_bool(body, "", "remove", &options->remove, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_number(body, "olderThanSeconds", OLDER_THAN_S_MAX, &options->older_than_s,
                                error);
    }
    if (status == GK_OK) {
        status = gk_json_number(body, "rate", GK_JOB_RATE_MAX, &number, error);
    }
    *rate = (uint32_t)number;
    return status;
}

enum gk_status gk_manage_scrub_start(struct gk_manage *manage, const struct gk_manage_path *path,
                                     const struct gk_manage_request *request,
                                     struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path;
    json_t *body = NULL;
    struct gk_scrub_options options;
    uint32_t rate = 0;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = read_options(body, &options, &rate, error);
    }
    json_decref(body);
    if (status == GK_OK) {
        status = gk_scrub_start(manage->gateway->scrub, &options, rate, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, GK_AUDIT_SCRUB_START, "",
                    options.remove ? "removes" : "reports");
    return answer_with_state(manage, 202, answer, error);
}

enum gk_status gk_manage_scrub_resume(struct gk_manage *manage, const struct gk_manage_path *path,
                                      const struct gk_manage_request *request,
                                      struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path;
    const enum gk_status status = gk_scrub_resume(manage->gateway->scrub, error);
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, GK_AUDIT_SCRUB_START, "", "resumed");
    return answer_with_state(manage, 202, answer, error);
}

enum gk_status gk_manage_scrub_stop(struct gk_manage *manage, const struct gk_manage_path *path,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path, (void)request;
    const enum gk_status status = gk_scrub_order_stop(manage->gateway->scrub, error);
    return status == GK_OK ? answer_with_state(manage, 202, answer, error) : status;
}

static enum gk_status read_blob_name(const json_t *body, const char **account,
                                     const char **container, const char **blob,
                                     struct gk_error *error)
{
    static const char *const names[] = {"account", "container", "blob", NULL};
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_text(body, "", "account", account, error);
    }
    if (status == GK_OK) {
        status = gk_json_text(body, "", "container", container, error);
    }
    if (status == GK_OK) {
        status = gk_json_text(body, "", "blob", blob, error);
    }
    if (status == GK_OK && (*account == NULL || *container == NULL || *blob == NULL)) {
        status = gk_json_refuse(error, "account, container and blob are required.");
    }
    return status;
}

enum gk_status gk_manage_remove_damaged(struct gk_manage *manage, const struct gk_manage_path *path,
                                        const struct gk_manage_request *request,
                                        struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path;
    json_t *body = NULL;
    const char *account = NULL;
    const char *container = NULL;
    const char *blob = NULL;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = read_blob_name(body, &account, &container, &blob, error);
    }
    if (status == GK_OK) {
        status = gk_scrub_remove_damaged(manage->gateway, account, container, blob, error);
    }
    if (status == GK_OK) {
        char detail[512];
        snprintf(detail, sizeof detail, "%.64s/%.400s", container, blob);
        gk_manage_audit(manage, request, GK_AUDIT_BLOB_REMOVE_DAMAGED, account, detail);
        status = gk_manage_answer_json(answer, 200, json_object(), error);
    }
    json_decref(body);
    return status;
}
