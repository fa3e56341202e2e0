/* SPDX-License-Identifier: Apache-2.0 */
/* Storage Accounts: List Keys, Regenerate Key, Revoke User Delegation Keys, Check Name Availability; our
 * own key check and new root keys. */
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

/* Written by hand into a buffer that is wiped: a JSON library's copies would stay in the heap.
 * base64 and times need no escaping. */
static enum gk_status answer_keys(const struct gk_gateway_account *account,
                                  struct gk_manage_answer *answer, struct gk_error *error)
{
    gk_buf_append_str(&answer->body, "{\"keys\":[");
    for (unsigned i = 0; i < GK_ACCESS_KEYS; i++) {
        char when[GK_TIME_TEXT_BYTES];
        gk_time_iso(account->keys->created_wall_ms[i], when);
        gk_buf_printf(&answer->body,
                      "%s{\"keyName\":\"key%u\",\"permissions\":\"FULL\","
                      "\"creationTime\":\"%s\",\"value\":\"",
                      i == 0 ? "" : ",", i + 1, when);
        gk_base64_encode(&answer->body, gk_span_of(account->keys->key[i], GK_ACCESS_KEY_BYTES));
        gk_buf_append_str(&answer->body, "\"}");
    }
    gk_buf_append_str(&answer->body, "]}");
    answer->status = 200;
    answer->content_type = "application/json; charset=utf-8";
    return gk_buf_status(&answer->body) == GK_OK ? GK_OK
                                                 : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

enum gk_status gk_manage_list_keys(struct gk_manage *manage, const struct gk_manage_path *path,
                                   const struct gk_manage_request *request,
                                   struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed;
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status == GK_OK) {
        status = answer_keys(managed.account, answer, error);
        gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_KEYS_LIST, path->account, "");
        gk_managed_account_cleanup(&managed);
    }
    return status;
}

static enum gk_status key_index(const json_t *body, unsigned *index, struct gk_error *error)
{
    static const char *const names[] = {"keyName", NULL};
    const char *name = NULL;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_text(body, "", "keyName", &name, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (name == NULL || (strcasecmp(name, "key1") != 0 && strcasecmp(name, "key2") != 0)) {
        return gk_json_refuse_value(error, "keyName is neither key1 nor key2.");
    }
    *index = name[3] == '1' ? 0 : 1;
    return GK_OK;
}

enum gk_status gk_manage_regenerate_key(struct gk_manage *manage, const struct gk_manage_path *path,
                                        const struct gk_manage_request *request,
                                        struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed = {0};
    json_t *body = NULL;
    unsigned index = 0;
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    gk_managed_account_cleanup(&managed);
    if (status == GK_OK) {
        status = gk_json_parse(request->body, &body, error);
    }
    if (status == GK_OK) {
        status = key_index(body, &index, error);
    }
    json_decref(body);
    if (status == GK_OK) {
        status = gk_accounts_regenerate_key(manage->gateway->accounts, path->account, index, error);
        if (status != GK_OK) {
            gk_manage_audit_failure(manage, request, GK_AUDIT_ACCOUNT_KEYS_REGENERATE,
                                    path->account, status, error);
        }
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_KEYS_REGENERATE, path->account,
                    index == 0 ? "key1" : "key2");
    return gk_manage_list_keys(manage, path, request, answer, error);
}

enum gk_status gk_manage_revoke_delegation(struct gk_manage *manage,
                                           const struct gk_manage_path *path,
                                           const struct gk_manage_request *request,
                                           struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed = {0};
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    gk_managed_account_cleanup(&managed);
    if (status == GK_OK) {
        status =
            gk_accounts_renew_delegation(manage->gateway->accounts, path->account, false, error);
        if (status != GK_OK) {
            gk_manage_audit_failure(manage, request, GK_AUDIT_ACCOUNT_DELEGATION_REVOKE,
                                    path->account, status, error);
        }
    }
    if (status == GK_OK) {
        gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_DELEGATION_REVOKE, path->account, "");
        answer->status = 200;
    }
    return status;
}

enum gk_status gk_manage_check_key(struct gk_manage *manage, const struct gk_manage_path *path,
                                   const struct gk_manage_request *request,
                                   struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_call call = gk_manage_check_call(manage, request);
    struct gk_managed_account managed = {0};
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    const bool customer = managed.status.settings.source == GK_KEY_SOURCE_CUSTOMER;
    gk_managed_account_cleanup(&managed);
    if (!customer) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidOperation",
                            "The account has no customer key; there is no vault to ask.");
    }
    status = gateway->host->plugin->account_check_now(gateway->host->instance, path->account, &call,
                                                      error);
    return status == GK_OK ? gk_managed_account_answer(manage, path->account, answer, error)
                           : status;
}

enum gk_status gk_manage_new_root_key(struct gk_manage *manage, const struct gk_manage_path *path,
                                      const struct gk_manage_request *request,
                                      struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_call call = gk_manage_call(manage, request);
    struct gk_managed_account managed;
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    gk_managed_account_cleanup(&managed);
    status = gateway->host->plugin->account_new_root_key(gateway->host->instance, path->account,
                                                         &call, error);
    return status == GK_OK ? gk_managed_account_answer(manage, path->account, answer, error)
                           : status;
}

enum gk_status gk_manage_check_name(struct gk_manage *manage, const struct gk_manage_path *path,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)path;
    json_t *body = NULL;
    const char *name = NULL;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = gk_json_text(body, "", "name", &name, error);
    }
    if (status == GK_OK && name == NULL) {
        status = gk_json_refuse(error, "The required member name is missing.");
    }
    if (status != GK_OK) {
        json_decref(body);
        return status;
    }
    json_t *result = NULL;
    struct gk_gateway_account *account = NULL;
    if (!gk_account_name_valid(name)) {
        result =
            json_pack("{s:b, s:s, s:s}", "nameAvailable", 0, "reason", "AccountNameInvalid",
                      "message", "An account's name has 3 to 24 lower-case letters and digits.");
    } else if (gk_accounts_get(manage->gateway->accounts, name, &account, error) ==
               GK_E_NOT_FOUND) {
        result = json_pack("{s:b}", "nameAvailable", 1);
    } else {
        result = json_pack("{s:b, s:s, s:s}", "nameAvailable", 0, "reason", "AlreadyExists",
                           "message", "The storage account's name is already taken.");
    }
    if (account != NULL) {
        gk_accounts_put(account);
    }
    json_decref(body);
    return gk_manage_answer_json(answer, 200, result, error);
}
