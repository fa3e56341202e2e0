/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/manage.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/denials.h"
#include "gateway/refusals.h"

void gk_manage_answer_cleanup(struct gk_manage_answer *answer)
{
    gk_buf_cleanup_wipe(&answer->body);
}

enum gk_status gk_manage_answer_json(struct gk_manage_answer *answer, unsigned status, void *json,
                                     struct gk_error *error)
{
    json_t *value = json;
    char *text = value == NULL ? NULL : json_dumps(value, JSON_COMPACT);
    json_decref(value);
    if (text == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_buf_append_str(&answer->body, text);
    gk_wipe(text, strlen(text));
    free(text);
    answer->status = status;
    answer->content_type = "application/json; charset=utf-8";
    return gk_buf_status(&answer->body) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_LIMIT, "the answer is too long");
}

/* --- refusals ----------------------------------------------------------------------------------*/

/* For what comes without an opinion of its own on HTTP. */
static void complete_error(struct gk_error *error, enum gk_status status)
{
    static const struct {
        enum gk_status status;
        uint16_t http_status;
        const char *code;
    } defaults[] = {
        {GK_E_INVALID, 400, "InvalidRequestContent"},
        {GK_E_LIMIT, 400, "InvalidRequestContent"},
        {GK_E_NOT_FOUND, 404, "ResourceNotFound"},
        {GK_E_EXISTS, 409, "Conflict"},
        {GK_E_CONFLICT, 409, "Conflict"},
        {GK_E_DENIED, 403, "KeyVaultEncryptionKeyNotFound"},
        {GK_E_UNAVAILABLE, 503, "ServerBusy"},
        {GK_E_COLD, 503, "ServerBusy"},
        {GK_E_UNSUPPORTED, 501, "NotImplemented"},
        {GK_E_INTEGRITY, 500, "IntegrityCheckFailed"},
    };
    uint16_t http_status = 500;
    const char *code = "InternalServerError";
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++) {
        if (defaults[i].status == status) {
            http_status = defaults[i].http_status;
            code = defaults[i].code;
        }
    }
    if (error->http_status == 0) {
        error->http_status = http_status;
    }
    if (error->code[0] == '\0') {
        memcpy(error->code, code, strlen(code) + 1);
    }
}

void *gk_manage_error_json(struct gk_error *error, enum gk_status status)
{
    complete_error(error, status);
    json_t *message = json_string(error->message);
    return json_pack("{s:s, s:o}", "code", error->code, "message",
                     message == NULL ? json_string("(the reason is not UTF-8)") : message);
}

static void answer_error(struct gk_manage_answer *answer, struct gk_error *error,
                         enum gk_status status)
{
    gk_buf_reset(&answer->body);
    json_t *body = json_pack("{s:o}", "error", gk_manage_error_json(error, status));
    answer->retry_after_s = error->retry_after_s;
    if (gk_manage_answer_json(answer, error->http_status, body, NULL) != GK_OK) {
        gk_buf_reset(&answer->body);
        answer->status = 500;
        answer->content_type = NULL;
    }
}

/* --- routing -----------------------------------------------------------------------------------*/

struct operation {
    enum gk_manage_route route;
    const char *method;
    const char *action; /* NULL: none */
    gk_manage_fn *run;
    bool versioned;           /* demands api-version */
    enum gk_manage_role role; /* who may */
};

static const struct operation operations[] = {
    {GK_ROUTE_ACCOUNT, "PUT", NULL, gk_manage_account_put, true, GK_MANAGE_OWNER},
    {GK_ROUTE_ACCOUNT, "GET", NULL, gk_manage_account_get, true, GK_MANAGE_READER},
    {GK_ROUTE_ACCOUNT, "PATCH", NULL, gk_manage_account_patch, true, GK_MANAGE_OWNER},
    {GK_ROUTE_ACCOUNT, "DELETE", NULL, gk_manage_account_delete, true, GK_MANAGE_OWNER},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "listKeys", gk_manage_list_keys, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "listAccountSas", gk_manage_list_account_sas, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "listServiceSas", gk_manage_list_service_sas, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "regenerateKey", gk_manage_regenerate_key, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "revokeUserDelegationKeys", gk_manage_revoke_delegation, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "gatekeyCheckKey", gk_manage_check_key, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_ACCOUNT_ACTION, "POST", "gatekeyNewRootKey", gk_manage_new_root_key, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_BLOB_SERVICES, "GET", NULL, gk_manage_blob_service_list, true, GK_MANAGE_READER},
    {GK_ROUTE_BLOB_SERVICE, "PUT", NULL, gk_manage_blob_service_put, true, GK_MANAGE_OWNER},
    {GK_ROUTE_BLOB_SERVICE, "GET", NULL, gk_manage_blob_service_get, true, GK_MANAGE_READER},
    {GK_ROUTE_SCOPES, "GET", NULL, gk_manage_scope_list, true, GK_MANAGE_READER},
    {GK_ROUTE_SCOPE, "PUT", NULL, gk_manage_scope_put, true, GK_MANAGE_OWNER},
    {GK_ROUTE_SCOPE, "PATCH", NULL, gk_manage_scope_patch, true, GK_MANAGE_OWNER},
    {GK_ROUTE_SCOPE, "GET", NULL, gk_manage_scope_get, true, GK_MANAGE_READER},
    {GK_ROUTE_SCOPE_ACTION, "POST", "gatekeyCheckKey", gk_manage_scope_check_key, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_SCOPE_ACTION, "POST", "gatekeyNewRootKey", gk_manage_scope_new_root_key, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_LIST_GROUP, "GET", NULL, gk_manage_account_list, true, GK_MANAGE_READER},
    {GK_ROUTE_LIST_SUBSCRIPTION, "GET", NULL, gk_manage_account_list, true, GK_MANAGE_READER},
    {GK_ROUTE_CHECK_NAME, "POST", NULL, gk_manage_check_name, true, GK_MANAGE_READER},
    {GK_ROUTE_OWN_LIST, "GET", NULL, gk_manage_account_list, true, GK_MANAGE_READER},
    {GK_ROUTE_OWN_ACCOUNT, "GET", NULL, gk_manage_own_account_get, true, GK_MANAGE_READER},
    {GK_ROUTE_OWN_ACTION, "POST", "export", gk_manage_export, true, GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "GET", "reencrypt", gk_manage_account_job_get, true, GK_MANAGE_READER},
    {GK_ROUTE_OWN_ACTION, "POST", "reencrypt", gk_manage_account_job_start, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "POST", "reencryptPause", gk_manage_account_job_pause, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "POST", "reencryptResume", gk_manage_account_job_resume, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "GET", "reseal", gk_manage_account_job_get, true, GK_MANAGE_READER},
    {GK_ROUTE_OWN_ACTION, "POST", "reseal", gk_manage_account_job_start, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "POST", "resealPause", gk_manage_account_job_pause, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "POST", "resealResume", gk_manage_account_job_resume, true,
     GK_MANAGE_KEY_OPERATOR},
    {GK_ROUTE_OWN_ACTION, "POST", "restore", gk_manage_restore, true, GK_MANAGE_OWNER},
    {GK_ROUTE_OWN_ACTION, "POST", "restoreScope", gk_manage_restore_scope, true, GK_MANAGE_OWNER},
    {GK_ROUTE_OWN_ACTION, "POST", "shred", gk_manage_account_shred, true, GK_MANAGE_OWNER},
    {GK_ROUTE_OWN_ACTION, "POST", "shredBlob", gk_manage_blob_shred, true, GK_MANAGE_OWNER},
    {GK_ROUTE_POLICY_REPORT, "GET", NULL, gk_manage_policy_report, true, GK_MANAGE_READER},
    {GK_ROUTE_SCRUB, "GET", NULL, gk_manage_scrub_get, true, GK_MANAGE_READER},
    {GK_ROUTE_SCRUB, "POST", NULL, gk_manage_scrub_start, true, GK_MANAGE_OWNER},
    {GK_ROUTE_SCRUB_ACTION, "POST", "stop", gk_manage_scrub_stop, true, GK_MANAGE_OWNER},
    {GK_ROUTE_SCRUB_ACTION, "POST", "resume", gk_manage_scrub_resume, true, GK_MANAGE_OWNER},
    {GK_ROUTE_SCRUB_ACTION, "POST", "removeDamaged", gk_manage_remove_damaged, true,
     GK_MANAGE_OWNER},
    {GK_ROUTE_METRICS, "GET", NULL, gk_manage_metrics, false, GK_MANAGE_READER},
    {GK_ROUTE_EVENTS, "GET", NULL, gk_manage_events, true, GK_MANAGE_READER},
    {GK_ROUTE_STATUS, "GET", NULL, gk_manage_status_page, false, GK_MANAGE_ANYBODY},
    {GK_ROUTE_HEALTH, "GET", NULL, gk_manage_health, false, GK_MANAGE_ANYBODY},
    {GK_ROUTE_READY, "GET", NULL, gk_manage_ready, false, GK_MANAGE_ANYBODY},
};

static enum gk_status find_operation(const struct gk_manage_path *path, const char *method,
                                     const struct operation **out, struct gk_error *error)
{
    bool route_known = false;
    if (path->route == GK_ROUTE_NOT_SERVED) {
        return gk_fail_http(error, GK_E_UNSUPPORTED, 501, "NotImplemented",
                            "This gateway does not serve %s.", path->action);
    }
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct operation *operation = &operations[i];
        const bool same =
            operation->route == path->route &&
            (operation->action == NULL || strcasecmp(operation->action, path->action) == 0);
        if (same && strcmp(operation->method, method) == 0) {
            *out = operation;
            return GK_OK;
        }
        route_known = route_known || same;
    }
    return route_known ? gk_fail_http(error, GK_E_INVALID, 405, "MethodNotAllowed",
                                      "This resource does not support the method.")
                       : gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                                      "There is no such resource in the management API.");
}

/* "2023-05-01" or "2023-05-01-preview"; later ones than ours are taken, as clients are newer. */
static bool version_is_well_formed(const char *version)
{
    static const char shape[] = "dddd-dd-dd";
    for (size_t i = 0; shape[i] != '\0'; i++) {
        const bool digit = version[i] >= '0' && version[i] <= '9';
        if (shape[i] == 'd' ? !digit : version[i] != shape[i]) {
            return false;
        }
    }
    const char *rest = version + sizeof shape - 1;
    return rest[0] == '\0' || strcmp(rest, "-preview") == 0;
}

static enum gk_status check_version(const char *version, struct gk_error *error)
{
    if (version == NULL || version[0] == '\0') {
        return gk_fail_http(error, GK_E_INVALID, 400, "MissingApiVersionParameter",
                            "The api-version query parameter (?api-version=) is required for all "
                            "requests.");
    }
    if (!version_is_well_formed(version)) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidApiVersionParameter",
                            "The api-version is invalid. The supported version is '2023-05-01'.");
    }
    return GK_OK;
}

/* As the vendor's resource manager says it. */
static enum gk_status deny(const struct gk_manage *manage, const struct gk_manage_path *path,
                           const struct gk_manage_request *request, struct gk_error *error)
{
    char what[160];
    snprintf(what, sizeof what, "%s %.*s", request->method, (int)sizeof what - 16, request->path);
    gk_denials_note(manage->denials, request->actor, path->account, what);
    return gk_fail_http(error, GK_E_DENIED, 403, "AuthorizationFailed",
                        "The client '%s' does not have authorization to perform this action over "
                        "this scope; its role in management.callers does not allow it.",
                        request->actor);
}

/* By the token, where there is one, else by the certificate. NULL: by neither, and why. */
static const struct gk_caller *find_caller(const struct gk_manage_request *request,
                                           struct gk_error *error)
{
    char sha256[GK_SHA256_HEX_BYTES];
    const struct gk_caller *caller = NULL;
    if (request->authorization != NULL || request->client_certificate.len == 0) {
        caller = gk_callers_find(request->callers, request->authorization);
        (void)gk_fail_http(error, GK_E_INVALID, 401, "InvalidAuthenticationToken",
                           "The bearer token is missing or is not this gateway's.");
    } else {
        caller = gk_callers_find_certificate(request->callers, request->client_certificate, sha256);
        (void)gk_fail_http(error, GK_E_INVALID, 401, "AuthenticationFailed",
                           "The client certificate sha256:%s is none that management.callers "
                           "names.",
                           sha256);
    }
    return caller;
}

static enum gk_status handle(struct gk_manage *manage, const struct gk_manage_request *request,
                             struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_manage_path path;
    const struct operation *operation = NULL;
    /* Who has no token learns nothing, not even which paths exist; hence the order. */
    const bool known = gk_manage_path_parse(request->path, &path);
    const enum gk_status found = find_operation(&path, request->method, &operation, error);
    const bool open = known && found == GK_OK && operation->role == GK_MANAGE_ANYBODY;
    struct gk_error stranger = {0};
    const struct gk_caller *caller = find_caller(request, &stranger);
    struct gk_manage_request known_request = *request;
    known_request.actor = caller == NULL ? NULL : caller->name;
    if (!open && caller == NULL) {
        answer->challenge = true;
        *error = stranger;
        return GK_E_INVALID;
    }
    if (found != GK_OK) {
        return found;
    }
    if (!open && caller->role < operation->role) {
        return deny(manage, &path, &known_request, error);
    }
    if (operation->versioned) {
        const enum gk_status status = check_version(request->api_version, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return operation->run(manage, &path, &known_request, answer, error);
}

static void log_refusal(const struct gk_manage *manage, const struct gk_manage_request *request,
                        const struct gk_error *error)
{
    const bool ours = error->http_status >= 500;
    if (ours || gk_refusals_take(gk_clock_mono_ms(&manage->gateway->clock))) {
        gk_log_request(ours ? GK_LOG_ERROR : GK_LOG_INFO, "manage", request->id,
                       "%s %.256s answered %u %s: %s", request->method, request->path,
                       error->http_status, error->code, error->message);
    }
}

void gk_manage_handle(struct gk_manage *manage, const struct gk_manage_request *request,
                      struct gk_manage_answer *answer)
{
    *answer = (struct gk_manage_answer){0};
    gk_buf_init(&answer->body, GK_MANAGE_ANSWER_BYTES_MAX);
    struct gk_error error = {0};
    gk_denials_tell_over(manage->denials);
    const enum gk_status status = handle(manage, request, answer, &error);
    if (status == GK_OK) {
        return;
    }
    complete_error(&error, status);
    log_refusal(manage, request, &error);
    answer_error(answer, &error, status);
}
