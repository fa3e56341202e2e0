/* SPDX-License-Identifier: Apache-2.0 */
/* Blob Services: Set and Get Service Properties. What Set Blob Service Properties of the Blob service has as well is
 * the same there. */
#include <stdio.h>

#include "common/error.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/cors_json.h"
#include "gateway/manage/json_body.h"

/* A retention policy of the API. */
struct policy {
    const char *name;
    const char *where; /* its members begin with this */
};

static enum gk_status read_days(const json_t *json, const struct policy *policy,
                                struct gk_retention *retention, struct gk_error *error)
{
    const json_t *days = json_object_get(json, "days");
    const json_int_t value = json_integer_value(days);
    if (!retention->enabled) {
        retention->days = 0;
        return GK_OK;
    }
    if (!json_is_integer(days) || value < 1 || value > GK_RETENTION_DAYS_MAX) {
        return gk_json_refuse_value(error, "%sdays is 1 to %u.", policy->where,
                                    GK_RETENTION_DAYS_MAX);
    }
    retention->days = (uint32_t)value;
    return GK_OK;
}

/* *given: it is there. */
static enum gk_status read_policy(const json_t *properties, const struct policy *policy,
                                  struct gk_retention *retention, bool *given,
                                  struct gk_error *error)
{
    static const char *const members[] = {"enabled", "days", "allowPermanentDelete", NULL};
    json_t *json = NULL;
    bool present = false;
    *retention = (struct gk_retention){.enabled = false};
    enum gk_status status = gk_json_object(properties, "properties.", policy->name, &json, error);
    *given = json != NULL;
    if (status != GK_OK || json == NULL) {
        return status;
    }
    status = gk_json_only(json, policy->where, members, error);
    if (status == GK_OK) {
        status = gk_json_bool(json, policy->where, "enabled", &retention->enabled, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_bool(json, policy->where, "allowPermanentDelete",
                              &retention->permanent_deletes, &present, error);
    }
    return status == GK_OK ? read_days(json, policy, retention, error) : status;
}

static enum gk_status read_policies(const json_t *properties, struct gk_blob_service *settings,
                                    uint32_t *parts, struct gk_error *error)
{
    static const struct policy of_blobs = {.name = "deleteRetentionPolicy",
                                           .where = "properties.deleteRetentionPolicy."};
    static const struct policy of_containers = {.name = "containerDeleteRetentionPolicy",
                                                .where =
                                                    "properties.containerDeleteRetentionPolicy."};
    bool given = false;
    enum gk_status status =
        read_policy(properties, &of_blobs, &settings->delete_retention, &given, error);
    *parts |= given ? (uint32_t)GK_SERVICE_DELETE_RETENTION : 0;
    if (status == GK_OK) {
        status =
            read_policy(properties, &of_containers, &settings->container_retention, &given, error);
        *parts |= given ? (uint32_t)GK_SERVICE_CONTAINER_RETENTION : 0;
    }
    if (status == GK_OK && settings->container_retention.permanent_deletes) {
        status =
            gk_json_refuse_value(error, "%sallowPermanentDelete is of blobs.", of_containers.where);
    }
    return status;
}

static enum gk_status read_default_version(const json_t *properties,
                                           struct gk_blob_service *settings, uint32_t *parts,
                                           struct gk_error *error)
{
    const char *version = NULL;
    const enum gk_status status =
        gk_json_text(properties, "properties.", "defaultServiceVersion", &version, error);
    if (status != GK_OK || version == NULL) {
        return status;
    }
    if (!gk_is_default_version(version)) {
        return gk_json_refuse_value(error,
                                    "properties.defaultServiceVersion is a version of the Blob "
                                    "service, 2008-10-27 or later.");
    }
    snprintf(settings->default_version, sizeof settings->default_version, "%s", version);
    *parts |= (uint32_t)GK_SERVICE_DEFAULT_VERSION;
    return GK_OK;
}

/* What is not there stays as it is; what this gateway has not is refused. */
static enum gk_status read_settings(const json_t *body, struct gk_blob_service *settings,
                                    uint32_t *parts, struct gk_error *error)
{
    static const char *const names[] = {"cors",
                                        "defaultServiceVersion",
                                        "isVersioningEnabled",
                                        "deleteRetentionPolicy",
                                        "containerDeleteRetentionPolicy",
                                        NULL};
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
    if (status == GK_OK) {
        status = gk_cors_json_read(properties, &settings->cors, &present, error);
        *parts |= present ? (uint32_t)GK_SERVICE_CORS : 0;
    }
    if (status == GK_OK) {
        status = read_default_version(properties, settings, parts, error);
    }
    return status == GK_OK ? read_policies(properties, settings, parts, error) : status;
}

static json_t *policy_json(const struct gk_retention *retention)
{
    json_t *policy = json_pack("{s:b}", "enabled", retention->enabled);
    if (policy != NULL && retention->enabled) {
        json_object_set_new(policy, "days", json_integer(retention->days));
    }
    return policy;
}

static json_t *service_json(const struct gk_managed_account *managed)
{
    const struct gk_blob_service *settings = &managed->account->blob_service;
    json_t *of_blobs = policy_json(&settings->delete_retention);
    if (of_blobs != NULL) {
        json_object_set_new(of_blobs, "allowPermanentDelete",
                            json_boolean(settings->delete_retention.permanent_deletes));
    }
    char id[400];
    snprintf(id, sizeof id,
             "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Storage/storageAccounts/%s/"
             "blobServices/default",
             managed->arm.subscription, managed->arm.resource_group, managed->account->name);
    const char *version = settings->default_version;
    return json_pack("{s:s, s:s, s:s, s:{s:o, s:s*, s:b, s:o, s:o}}", "id", id, "name", "default",
                     "type", "Microsoft.Storage/storageAccounts/blobServices", "properties", "cors",
                     gk_cors_json_write(&settings->cors), "defaultServiceVersion",
                     version[0] == '\0' ? NULL : version, "isVersioningEnabled",
                     settings->versioning, "deleteRetentionPolicy", of_blobs,
                     "containerDeleteRetentionPolicy", policy_json(&settings->container_retention));
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
    json_t *body = service_json(&managed);
    gk_managed_account_cleanup(&managed);
    return gk_manage_answer_json(answer, 200, body, error);
}

/* Of one, the default. */
enum gk_status gk_manage_blob_service_list(struct gk_manage *manage,
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
    json_t *body = json_pack("{s:[o]}", "value", service_json(&managed));
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
    gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_BLOB_SERVICE, path->account, "ok");
    return gk_manage_blob_service_get(manage, path, request, answer, error);
}
