/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/account_load.h"

#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/account_attrs.h"

static enum gk_status refuse_missing(const char *name, struct gk_error *error)
{
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                        "The Resource 'Microsoft.Storage/storageAccounts/%s' was not found.", name);
}

void gk_managed_account_cleanup(struct gk_managed_account *managed)
{
    if (managed->account != NULL) {
        gk_accounts_put(managed->account);
    }
    gk_arm_account_cleanup(&managed->arm);
    managed->account = NULL;
}

enum gk_status gk_managed_account_load(struct gk_manage *manage, const char *name,
                                       struct gk_managed_account *out, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    *out = (struct gk_managed_account){0};
    enum gk_status status = gk_accounts_get(gateway->accounts, name, &out->account, error);
    if (status == GK_E_NOT_FOUND) {
        return refuse_missing(name, error);
    }
    if (status == GK_OK) {
        status = gk_arm_load(out->account->arm_json, out->account->location, &out->arm, error);
    }
    if (status == GK_OK) {
        status = gateway->host->plugin->account_status(gateway->host->instance, name, &out->status,
                                                       error);
    }
    if (status != GK_OK) {
        gk_managed_account_cleanup(out);
    }
    return status;
}

enum gk_status gk_managed_account_look(struct gk_manage *manage, const char *name,
                                       struct gk_managed_account *out, struct gk_error *error)
{
    enum gk_status status = gk_managed_account_load(manage, name, out, error);
    if (status != GK_E_NOT_FOUND || !gk_account_name_valid(name)) {
        return status;
    }
    bool remains = false;
    status = gk_account_has_remains(manage->gateway->store, name, &remains, error);
    if (status != GK_OK || !remains) {
        return status == GK_OK ? GK_E_NOT_FOUND : status;
    }
    /* Or it was made in between. */
    status = gk_managed_account_load(manage, name, out, error);
    return status == GK_E_NOT_FOUND
               ? gk_fail_http(
                     error, GK_E_CONFLICT, 409, "AccountRecordLost",
                     "account %s is there, and the record of its key or of its access keys is "
                     "not; restore it from a backup",
                     name)
               : status;
}

bool gk_managed_account_is_at(const struct gk_managed_account *managed,
                              const struct gk_manage_path *path)
{
    return strcasecmp(managed->arm.subscription, path->subscription) == 0 &&
           strcasecmp(managed->arm.resource_group, path->resource_group) == 0;
}

enum gk_status gk_managed_account_find(struct gk_manage *manage, const struct gk_manage_path *path,
                                       struct gk_managed_account *out, struct gk_error *error)
{
    const enum gk_status status = gk_managed_account_load(manage, path->account, out, error);
    if (status == GK_OK && !gk_managed_account_is_at(out, path)) {
        gk_managed_account_cleanup(out);
        return refuse_missing(path->account, error);
    }
    return status;
}

/* "http://127.0.0.1:10000/name/", or with a domain "https://name.blob.example:10443/". */
static void blob_endpoint(const struct gk_manage *manage, const char *name, char *out,
                          size_t out_bytes)
{
    const char *domain = manage->gateway->blob_domain;
    const char *base = manage->blob_base_url;
    const char *host = strstr(base, "://");
    const char *port = strrchr(base, ':');
    if (domain == NULL || host == NULL || port == NULL || port <= host) {
        snprintf(out, out_bytes, "%s/%s/", base, name);
        return;
    }
    snprintf(out, out_bytes, "%.*s://%s.%s%s/", (int)(host - base), base, name, domain, port);
}

json_t *gk_managed_account_json(const struct gk_manage *manage,
                                const struct gk_managed_account *managed)
{
    const struct gk_gateway_account *account = managed->account;
    char endpoint[400];
    blob_endpoint(manage, account->name, endpoint, sizeof endpoint);
    const struct gk_arm_view view = {
        .name = account->name,
        .arm = &managed->arm,
        .status = &managed->status,
        .created_wall_ms = account->created_wall_ms,
        .key_created_wall_ms = {account->keys->created_wall_ms[0],
                                account->keys->created_wall_ms[1]},
        .blob_endpoint = endpoint,
    };
    return gk_arm_view_json(&view);
}

struct gk_call gk_manage_call(const struct gk_manage *manage,
                              const struct gk_manage_request *request)
{
    return (struct gk_call){.deadline_ms = manage->gateway->vault_deadline_ms,
                            .actor = request->actor};
}

struct gk_call gk_manage_check_call(const struct gk_manage *manage,
                                    const struct gk_manage_request *request)
{
    struct gk_call call = gk_manage_call(manage, request);
    call.deadline_ms *= 4;
    return call;
}

enum gk_status gk_managed_account_answer(struct gk_manage *manage, const char *name,
                                         struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed;
    enum gk_status status = gk_managed_account_load(manage, name, &managed, error);
    if (status == GK_OK) {
        status =
            gk_manage_answer_json(answer, 200, gk_managed_account_json(manage, &managed), error);
        gk_managed_account_cleanup(&managed);
    }
    return status;
}

void gk_manage_audit(struct gk_manage *manage, const struct gk_manage_request *request,
                     enum gk_audit_event_id event, const char *account, const char *detail)
{
    gk_plugin_host_audit(manage->gateway->host, &(const struct gk_audit_event){
                                                    .event = event,
                                                    .account = account,
                                                    .key_id = "",
                                                    .outcome = "ok",
                                                    .reason = "",
                                                    .detail = detail,
                                                    .request_id = "",
                                                    .actor = request->actor,
                                                });
}

void gk_manage_audit_failure(struct gk_manage *manage, const struct gk_manage_request *request,
                             enum gk_audit_event_id event, const char *account,
                             enum gk_status status, const struct gk_error *why)
{
    const struct gk_audit_event told = {.event = event,
                                        .account = account,
                                        .key_id = "",
                                        .request_id = "",
                                        .actor = request->actor};
    gk_plugin_host_audit_failure(manage->gateway->host, &told, status, why);
}
