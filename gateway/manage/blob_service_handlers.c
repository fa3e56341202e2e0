/* SPDX-License-Identifier: Apache-2.0 */
/* Blob Services: Set and Get Service Properties, of what an account keeps of its blobs. What else there is
 * to set, Set Blob Service Properties of the Blob service sets. */
#include "common/error.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/json_body.h"

static enum gk_status read_days(const json_t *policy, struct gk_retention *retention,
                                struct gk_error *error)
{
    const json_t *days = json_object_get(policy, "days");
    const json_int_t value = json_integer_value(days);
    if (!retention->enabled) {
        retention->days = 0;
        return GK_OK;
    }
    if (!json_is_integer(days) || value < 1 || value > GK_RETENTION_DAYS_MAX) {
        return gk_json_refuse_value(error, "properties.deleteRetentionPolicy.days is 1 to %u.",
                                    GK_RETENTION_DAYS_MAX);
    }
    retention->days = (uint32_t)value;
    return GK_OK;
}

static enum gk_status read_policy(const json_t *properties, struct gk_blob_service *settings,
                                  uint32_t *parts, struct gk_error *error)
{
    static const char where[] = "properties.deleteRetentionPolicy.";
    static const char *const names[] = {"enabled", "days", "allowPermanentDelete", NULL};
    struct gk_retention retention = {.enabled = false};
    json_t *policy = NULL;
    bool present = false;
    enum gk_status status =
        gk_json_object(properties, "properties.", "deleteRetentionPolicy", &policy, error);
    if (status != GK_OK || policy == NULL) {
        return status;
    }
    status = gk_json_only(policy, where, names, error);
    if (status == GK_OK) {
        status = gk_json_bool(policy, where, "enabled", &retention.enabled, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_bool(policy, where, "allowPermanentDelete", &retention.permanent_deletes,
                              &present, error);
    }
    if (status == GK_OK) {
        status = read_days(policy, &retention, error);
    }
    settings->delete_retention = retention;
    *parts |= GK_SERVICE_DELETE_RETENTION;
    return status;
}

/* What is not there stays as it is; what this gateway has not is refused. */
static enum gk_status read_settings(const json_t *body, struct gk_blob_service *settings,
                                    uint32_t *parts, struct gk_error *error)
{
    static const char *const names[] = {"isVersioningEnabled", "deleteRetentionPolicy", NULL};
    json_t *properties = NULL;
    bool present = false;
    enum gk_status status = gk_json_object(body, "", "properties", &properties, error);
    if (status != GK_OK || properties == NULL) {
        return status;
    }
    status = gk_json_only(properties, "properties.", names, error);
    if (status == GK_OK) {
        status = gk_json_bool(properties, "properties.", "isVersioningEnabled",
                              &settings->versioning, &present, error);
        *parts |= present ? (uint32_t)GK_SERVICE_VERSIONING : 0;
    }
    return status == GK_OK ? read_policy(properties, settings, parts, error) : status;
}

enum gk_status gk_manage_blob_service_get(struct gk_manage *manage,
                                          const struct gk_manage_path *path,
                                          const struct gk_manage_request *request,
                                          struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)request;
    struct gk_managed_account managed;
    const enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_blob_service *settings = &managed.account->blob_service;
    const struct gk_retention *retention = &settings->delete_retention;
    json_t *policy = json_pack("{s:b, s:b}", "enabled", retention->enabled, "allowPermanentDelete",
                               retention->permanent_deletes);
    if (policy != NULL && retention->enabled) {
        json_object_set_new(policy, "days", json_integer(retention->days));
    }
    json_t *body =
        json_pack("{s:s, s:s, s:{s:b, s:o}}", "name", "default", "type",
                  "Microsoft.Storage/storageAccounts/blobServices", "properties",
                  "isVersioningEnabled", settings->versioning, "deleteRetentionPolicy", policy);
    gk_managed_account_cleanup(&managed);
    return gk_manage_answer_json(answer, 200, body, error);
}

enum gk_status gk_manage_blob_service_put(struct gk_manage *manage,
                                          const struct gk_manage_path *path,
                                          const struct gk_manage_request *request,
                                          struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_managed_account managed;
    struct gk_blob_service settings = {.versioning = false};
    uint32_t parts = 0;
    json_t *body = NULL;
    enum gk_status status = gk_managed_account_find(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    gk_managed_account_cleanup(&managed);
    status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = read_settings(body, &settings, &parts, error);
    }
    json_decref(body);
    if (status == GK_OK && parts != 0) {
        status = gk_accounts_set_blob_service(manage->gateway->accounts, path->account, &settings,
                                              parts, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_manage_audit(manage, "account.blob-service", path->account, "ok");
    return gk_manage_blob_service_get(manage, path, request, answer, error);
}
