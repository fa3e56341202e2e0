/* SPDX-License-Identifier: Apache-2.0 */
/* Storage Accounts: Create, Get Properties, Update, Delete. */
#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/account_profile.h"
#include "gateway/blob/removal.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

static enum gk_status check_name(const char *name, struct gk_error *error)
{
    if (gk_account_name_valid(name)) {
        return GK_OK;
    }
    return gk_fail_http(error, GK_E_INVALID, 400, "AccountNameInvalid",
                        "%.40s is not a valid storage account name. Storage account name must be "
                        "between 3 and 24 characters in length and use numbers and lower-case "
                        "letters only.",
                        name);
}

static bool settings_equal(const struct gk_encryption_settings *a,
                           const struct gk_encryption_settings *b)
{
    return a->source == b->source && strcmp(a->key.vault_uri, b->key.vault_uri) == 0 &&
           strcmp(a->key.name, b->key.name) == 0 && strcmp(a->key.version, b->key.version) == 0 &&
           a->identity.kind == b->identity.kind &&
           strcasecmp(a->identity.resource_id, b->identity.resource_id) == 0 &&
           strcmp(a->identity.federated_client_id, b->identity.federated_client_id) == 0;
}

/* --- create ------------------------------------------------------------------------------------*/

static enum gk_status create(struct gk_manage *manage, const struct gk_manage_path *path,
                             const struct gk_call *call, const json_t *body, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_arm_place place = {.subscription = path->subscription,
                                       .resource_group = path->resource_group,
                                       .account = path->account};
    struct gk_arm_account arm;
    struct gk_encryption_settings settings = {0};
    struct gk_buf text;
    bool named = false;
    bool created = false;
    gk_buf_init(&text, GK_ACCOUNT_ARM_JSON_BYTES_MAX);
    enum gk_status status = gk_arm_account_init(&arm, &place, error);
    if (status == GK_OK) {
        status = gk_arm_apply(GK_ARM_CREATE, body, &arm, &settings, &named, error);
    }
    if (status == GK_OK) {
        status = gk_arm_store(&arm, &text, error);
    }
    if (status == GK_OK) {
        status = gk_accounts_create(gateway->accounts, path->account, &settings, arm.location,
                                    gk_buf_str(&text), call, &created, error);
    }
    if (status == GK_OK && !created) {
        status = gk_fail_http(error, GK_E_CONFLICT, 409, "StorageAccountOperationInProgress",
                              "An operation is in progress on the account; try again.");
    }
    gk_buf_cleanup(&text);
    gk_arm_account_cleanup(&arm);
    return status;
}

/* --- update ------------------------------------------------------------------------------------*/

/* The key first, for it can be refused; the rest cannot. */
static enum gk_status update(struct gk_manage *manage, const struct gk_call *call,
                             enum gk_arm_verb verb, struct gk_managed_account *managed,
                             const json_t *body, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const char *name = managed->account->name;
    struct gk_encryption_settings settings = managed->status.settings;
    struct gk_buf text;
    bool named = false;
    gk_buf_init(&text, GK_ACCOUNT_ARM_JSON_BYTES_MAX);
    enum gk_status status = gk_arm_apply(verb, body, &managed->arm, &settings, &named, error);
    if (status == GK_OK) {
        status = gk_arm_store(&managed->arm, &text, error);
    }
    if (status == GK_OK && named && !settings_equal(&settings, &managed->status.settings)) {
        status = gateway->host->plugin->account_set_encryption(gateway->host->instance, name,
                                                               &settings, call, error);
    }
    if (status == GK_OK && strcmp(gk_buf_str(&text), managed->account->arm_json) != 0) {
        status = gk_accounts_set_arm(gateway->accounts, name, gk_buf_str(&text), error);
    }
    gk_buf_cleanup(&text);
    return status;
}

enum gk_status gk_manage_account_put(struct gk_manage *manage, const struct gk_manage_path *path,
                                     const struct gk_manage_request *request,
                                     struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct gk_call call = gk_manage_call(manage, request);
    json_t *body = NULL;
    struct gk_managed_account managed = {0};
    enum gk_status status = check_name(path->account, error);
    if (status == GK_OK) {
        status = gk_json_parse(request->body, &body, error);
    }
    if (status != GK_OK) {
        return status;
    }
    status = gk_managed_account_load(manage, path->account, &managed, error);
    if (status == GK_E_NOT_FOUND) {
        status = create(manage, path, &call, body, error);
    } else if (status == GK_OK && !gk_managed_account_is_at(&managed, path)) {
        status = gk_fail_http(error, GK_E_EXISTS, 409, "StorageAccountAlreadyTaken",
                              "The storage account named %s is already taken.", path->account);
    } else if (status == GK_OK) {
        status = update(manage, &call, GK_ARM_CREATE, &managed, body, error);
    }
    gk_managed_account_cleanup(&managed);
    json_decref(body);
    return status == GK_OK ? gk_managed_account_answer(manage, path->account, answer, error)
                           : status;
}

enum gk_status gk_manage_account_patch(struct gk_manage *manage, const struct gk_manage_path *path,
                                       const struct gk_manage_request *request,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct gk_call call = gk_manage_call(manage, request);
    json_t *body = NULL;
    struct gk_managed_account managed = {0};
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status == GK_OK) {
        status = gk_json_parse(request->body, &body, error);
    }
    if (status == GK_OK) {
        status = update(manage, &call, GK_ARM_UPDATE, &managed, body, error);
    }
    gk_managed_account_cleanup(&managed);
    json_decref(body);
    return status == GK_OK ? gk_managed_account_answer(manage, path->account, answer, error)
                           : status;
}

/* --- get, delete -------------------------------------------------------------------------------*/

enum gk_status gk_manage_account_get(struct gk_manage *manage, const struct gk_manage_path *path,
                                     const struct gk_manage_request *request,
                                     struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)request;
    struct gk_managed_account managed;
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status == GK_OK) {
        status =
            gk_manage_answer_json(answer, 200, gk_managed_account_json(manage, &managed), error);
        gk_managed_account_cleanup(&managed);
    }
    return status;
}

enum gk_status gk_manage_own_account_get(struct gk_manage *manage,
                                         const struct gk_manage_path *path,
                                         const struct gk_manage_request *request,
                                         struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)request;
    return gk_managed_account_answer(manage, path->account, answer, error);
}

struct deletion {
    struct gk_manage *manage;
    const struct gk_manage_request *request;
    struct gk_id id; /* of the account that was found under the name */
    bool told;       /* that it begins */
};

static void tell(const struct deletion *deletion, enum gk_audit_event_id event, const char *account,
                 const char *what)
{
    char id[GK_UUID_TEXT_BYTES];
    char detail[GK_UUID_TEXT_BYTES + 80];
    gk_id_format(&deletion->id, id);
    snprintf(detail, sizeof detail, "account %s%s", id, what);
    gk_manage_audit(deletion->manage, deletion->request, event, account, detail);
}

/* What comes now may be done by a store that does not answer, or be the last that this process does. */
static enum gk_status tell_begin(void *ctx, const struct gk_gateway_account *account,
                                 struct gk_error *error)
{
    (void)error;
    struct deletion *deletion = ctx;
    if (!deletion->told) {
        deletion->id = account->id;
        tell(deletion, GK_AUDIT_ACCOUNT_DELETE_BEGIN, account->name, "");
        deletion->told = true;
    }
    return GK_OK;
}

/* An attempt of before may have come to its end, and nobody was there to tell it. */
static enum gk_status answer_absent(struct gk_manage *manage,
                                    const struct gk_manage_request *request, const char *account,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    bool marked = false;
    gk_error_clear(error);
    const enum gk_status status = gk_removal_marked(manage->gateway, account, &marked, error);
    if (status != GK_OK) {
        return status;
    }
    if (marked) {
        gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_DELETE, account,
                        "it was deleted before: the root key is destroyed");
    }
    answer->status = 204;
    return GK_OK;
}

/* It was there at the look. What this gateway has begun gets its end, also when another one has done it meanwhile. */
static enum gk_status answer_not_found(const struct deletion *deletion, const char *account,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    enum gk_account_presence presence = GK_PRESENCE_UNKNOWN;
    struct gk_error why = {0};
    const enum gk_status status = gk_accounts_presence(deletion->manage->gateway->accounts, account,
                                                       &deletion->id, &presence, &why);
    if (status != GK_OK && error != NULL) {
        *error = why;
    }
    if (status != GK_OK || presence != GK_PRESENCE_GONE) {
        return status == GK_OK ? GK_E_NOT_FOUND : status;
    }
    if (!deletion->told) {
        return answer_absent(deletion->manage, deletion->request, account, answer, error);
    }
    gk_error_clear(error);
    tell(deletion, GK_AUDIT_ACCOUNT_DELETE, account,
         ": it was deleted meanwhile: the root key is destroyed");
    answer->status = 204;
    return GK_OK;
}

enum gk_status gk_manage_account_delete(struct gk_manage *manage, const struct gk_manage_path *path,
                                        const struct gk_manage_request *request,
                                        struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed;
    /* Not what memory has: who asks once more may do so since the store has done it and did not answer. */
    gk_accounts_expire(manage->gateway->accounts, path->account);
    enum gk_status status = gk_managed_account_look(manage, path->account, &managed, error);
    if (status == GK_E_NOT_FOUND) {
        return answer_absent(manage, request, path->account, answer, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct deletion deletion = {.manage = manage, .request = request, .id = managed.account->id};
    const bool elsewhere = !gk_managed_account_is_at(&managed, path);
    gk_managed_account_cleanup(&managed);
    if (elsewhere) {
        answer->status = 204;
        return GK_OK;
    }
    status = gk_removal_account(manage->gateway, path->account, tell_begin, &deletion, error);
    if (status == GK_OK) {
        tell(&deletion, GK_AUDIT_ACCOUNT_DELETE, path->account, ": the root key is destroyed");
        answer->status = 200;
        return GK_OK;
    }
    if (status == GK_E_NOT_FOUND) {
        status = answer_not_found(&deletion, path->account, answer, error);
    }
    if (status != GK_OK) {
        gk_manage_audit_failure(manage, request, GK_AUDIT_ACCOUNT_DELETE, path->account, status,
                                error);
    }
    return status;
}
