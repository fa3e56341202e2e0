/* SPDX-License-Identifier: Apache-2.0 */
/* Ours: destroying accounts, with evidence, wherever they are filed. */
#include "common/error.h"
#include "gateway/account_shred.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

/* There is no way back: the name stands in the path and in the body. */
static enum gk_status check_confirmed(const char *account, const json_t *body,
                                      struct gk_error *error)
{
    static const char *const names[] = {"confirm", NULL};
    const char *confirmed = NULL;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_text(body, "", "confirm", &confirmed, error);
    }
    if (status == GK_OK && (confirmed == NULL || strcmp(confirmed, account) != 0)) {
        status = gk_json_refuse_value(error, "confirm is not the account's name.");
    }
    return status;
}

enum gk_status gk_manage_account_shred(struct gk_manage *manage, const struct gk_manage_path *path,
                                       const struct gk_manage_request *request,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    json_t *body = NULL;
    json_t *evidence = NULL;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = check_confirmed(path->account, body, error);
    }
    json_decref(body);
    if (status == GK_OK) {
        status = gk_account_shred(manage->gateway, path->account, request->actor, &evidence, error);
    }
    return status == GK_OK ? gk_manage_answer_json(answer, 200, evidence, error) : status;
}
