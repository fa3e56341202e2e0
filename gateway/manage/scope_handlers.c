/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption Scopes: Put, Patch, Get, List; our own key check. */
#include <strings.h>

#include "common/error.h"
#include "gateway/account_attrs.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/arm_scope.h"
#include "gateway/manage/json_body.h"
#include "gateway/manage/list_page.h"

#define PAGE_MAX 5000u /* as documented */

/* A scope as this API sees it: its account, the gateway's part, the plugin's part. */
struct managed_scope {
    struct gk_managed_account account;
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_scope scope;
    struct gk_account_status status;
};

static enum gk_status refuse_missing(const char *name, struct gk_error *error)
{
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "EncryptionScopeNotFound",
                        "The account has no encryption scope named %.63s.", name);
}

static enum gk_status check_name(const char *name, struct gk_error *error)
{
    return gk_scope_name_valid(name)
               ? GK_OK
               : gk_fail_http(error, GK_E_INVALID, 400, "InvalidEncryptionScopeName",
                              "An encryption scope's name has 3 to 63 lower-case letters, digits "
                              "and single dashes between them.");
}

static void cleanup(struct managed_scope *managed)
{
    gk_managed_account_cleanup(&managed->account);
}

/* The account, and the scope's names. cleanup is fine afterwards when it succeeds, and only then. */
static enum gk_status find_account(struct gk_manage *manage, const struct gk_manage_path *path,
                                   struct managed_scope *managed, struct gk_error *error)
{
    enum gk_status status = gk_managed_account_find(manage, path, &managed->account, error);
    if (status != GK_OK) {
        return status;
    }
    status = check_name(path->scope, error);
    if (status != GK_OK) {
        cleanup(managed);
        return status;
    }
    gk_scope_path(managed->account.account->name, path->scope, managed->path);
    return GK_OK;
}

/* GK_E_NOT_FOUND, without an answer: there is no such scope. */
static enum gk_status load_scope(struct gk_manage *manage, const char *name,
                                 struct managed_scope *managed, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_plugin_host *host = gateway->host;
    enum gk_status status =
        gk_scope_find(gateway, managed->account.account, name, &managed->scope, error);
    if (status != GK_OK) {
        return status;
    }
    gk_scope_path(managed->account.account->name, name, managed->path);
    status = host->plugin->account_status(host->instance, managed->path, &managed->status, error);
    return status == GK_E_NOT_FOUND
               ? gk_fail(error, GK_E_INTEGRITY, "%s has lost its encryption record", managed->path)
               : status;
}

static enum gk_status find_scope(struct gk_manage *manage, const struct gk_manage_path *path,
                                 struct managed_scope *managed, struct gk_error *error)
{
    enum gk_status status = find_account(manage, path, managed, error);
    if (status != GK_OK) {
        return status;
    }
    status = load_scope(manage, path->scope, managed, error);
    if (status != GK_OK) {
        cleanup(managed);
    }
    return status == GK_E_NOT_FOUND ? refuse_missing(path->scope, error) : status;
}

static json_t *scope_json(const struct managed_scope *managed, const char *name)
{
    const struct gk_arm_scope_view view = {.account = managed->account.account->name,
                                           .name = name,
                                           .arm = &managed->account.arm,
                                           .scope = &managed->scope,
                                           .status = &managed->status};
    return gk_arm_scope_json(&view);
}

/* Loads the scope again, after a change. */
static enum gk_status answer_scope(struct gk_manage *manage, const struct gk_manage_path *path,
                                   struct managed_scope *managed, unsigned http_status,
                                   struct gk_manage_answer *answer, struct gk_error *error)
{
    const enum gk_status status = load_scope(manage, path->scope, managed, error);
    return status == GK_OK
               ? gk_manage_answer_json(answer, http_status, scope_json(managed, path->scope), error)
               : status;
}

/* --- put, patch ---------------------------------------------------------------------------------*/

/* One whose creation came to no end is there for the plugin, and has the settings of then. */
static enum gk_status create_key(struct gk_manage *manage, const char *scope,
                                 const struct gk_encryption_settings *settings,
                                 const struct gk_call *call, struct gk_error *error)
{
    const struct gk_plugin_host *host = manage->gateway->host;
    const enum gk_status status =
        host->plugin->account_create(host->instance, scope, settings, call, error);
    if (status != GK_E_EXISTS) {
        return status;
    }
    gk_error_clear(error);
    return host->plugin->account_set_encryption(host->instance, scope, settings, call, error);
}

static enum gk_status check_count(struct gk_manage *manage, const struct managed_scope *managed,
                                  struct gk_error *error)
{
    struct gk_buf names;
    gk_buf_init(&names, (GK_SCOPES_MAX + 1) * (size_t)GK_SCOPE_NAME_BYTES_MAX);
    const enum gk_status status =
        gk_scopes_list(manage->gateway, managed->account.account->name, &names, error);
    size_t count = 0;
    for (size_t at = 0; at < names.len; at++) {
        count += names.data[at] == 0;
    }
    gk_buf_cleanup(&names);
    return status == GK_OK && count >= GK_SCOPES_MAX
               ? gk_fail_http(error, GK_E_LIMIT, 409, "EncryptionScopeCountExceeded",
                              "An account has at most %u encryption scopes.", GK_SCOPES_MAX)
               : status;
}

/* The key first, for it can be refused; the rest cannot. */
static enum gk_status apply(struct gk_manage *manage, const struct gk_manage_path *path,
                            const struct gk_call *call, const json_t *body, bool exists,
                            struct managed_scope *managed, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_plugin_host *host = gateway->host;
    struct gk_encryption_settings settings = managed->status.settings;
    bool disabled = exists && managed->scope.disabled;
    const bool has_identity =
        gk_arm_scope_identity(&managed->account.arm, &managed->account.status, &settings.identity);
    enum gk_status status = gk_arm_scope_apply(body, has_identity, &disabled, &settings, error);
    if (status == GK_OK && settings.source == GK_KEY_SOURCE_SERVICE) {
        settings = (struct gk_encryption_settings){.source = GK_KEY_SOURCE_SERVICE};
    }
    if (status == GK_OK && !exists) {
        status = check_count(manage, managed, error);
    }
    if (status == GK_OK) {
        status = exists ? host->plugin->account_set_encryption(host->instance, managed->path,
                                                               &settings, call, error)
                        : create_key(manage, managed->path, &settings, call, error);
    }
    return status == GK_OK
               ? gk_scope_put(gateway, managed->account.account, path->scope, disabled, error)
               : status;
}

/* creates: whether one that is not there is made. */
static enum gk_status change(struct gk_manage *manage, const struct gk_manage_path *path,
                             const struct gk_manage_request *request, bool creates,
                             struct gk_manage_answer *answer, struct gk_error *error)
{
    struct managed_scope managed = {.path = ""};
    json_t *body = NULL;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = find_account(manage, path, &managed, error);
    }
    if (status != GK_OK) {
        json_decref(body);
        return status;
    }
    status = load_scope(manage, path->scope, &managed, error);
    const bool exists = status == GK_OK;
    if (status == GK_E_NOT_FOUND && creates) {
        gk_error_clear(error);
        status = GK_OK;
    } else if (status == GK_E_NOT_FOUND) {
        status = refuse_missing(path->scope, error);
    }
    if (status == GK_OK) {
        const struct gk_call call = gk_manage_call(manage, request);
        status = apply(manage, path, &call, body, exists, &managed, error);
    }
    if (status == GK_OK) {
        gk_manage_audit(manage, request, exists ? GK_AUDIT_SCOPE_CHANGE : GK_AUDIT_SCOPE_CREATE,
                        managed.path, "");
        status = answer_scope(manage, path, &managed, exists ? 200 : 201, answer, error);
    }
    json_decref(body);
    cleanup(&managed);
    return status;
}

enum gk_status gk_manage_scope_put(struct gk_manage *manage, const struct gk_manage_path *path,
                                   const struct gk_manage_request *request,
                                   struct gk_manage_answer *answer, struct gk_error *error)
{
    return change(manage, path, request, true, answer, error);
}

enum gk_status gk_manage_scope_patch(struct gk_manage *manage, const struct gk_manage_path *path,
                                     const struct gk_manage_request *request,
                                     struct gk_manage_answer *answer, struct gk_error *error)
{
    return change(manage, path, request, false, answer, error);
}

/* --- get, list, check ---------------------------------------------------------------------------*/

enum gk_status gk_manage_scope_get(struct gk_manage *manage, const struct gk_manage_path *path,
                                   const struct gk_manage_request *request,
                                   struct gk_manage_answer *answer, struct gk_error *error)
{
    (void)request;
    struct managed_scope managed;
    enum gk_status status = find_scope(manage, path, &managed, error);
    if (status == GK_OK) {
        status = gk_manage_answer_json(answer, 200, scope_json(&managed, path->scope), error);
        cleanup(&managed);
    }
    return status;
}

/* What a list is of. */
struct wanted {
    char prefix[GK_SCOPE_NAME_BYTES_MAX];
    bool enabled;
    bool disabled;
    uint32_t page_size;
};

/* "prefix", as the specification has it, or "startswith(name, prefix)", as its examples do. */
static bool read_filter(const char *filter, char prefix[GK_SCOPE_NAME_BYTES_MAX])
{
    static const char function[] = "startswith(name,";
    size_t len = strlen(filter);
    if (strncasecmp(filter, function, sizeof function - 1) == 0) {
        filter += sizeof function - 1;
        filter += strspn(filter, " '");
        len = strcspn(filter, "')");
        if (filter[len + strspn(filter + len, "'")] != ')') {
            return false;
        }
    }
    if (len >= GK_SCOPE_NAME_BYTES_MAX) {
        return false;
    }
    memcpy(prefix, filter, len);
    prefix[len] = '\0';
    return true;
}

static enum gk_status read_wanted(const struct gk_manage_request *request, struct wanted *wanted,
                                  struct gk_error *error)
{
    const char *include = request->include[0] == '\0' ? "All" : request->include;
    *wanted = (struct wanted){.enabled = strcasecmp(include, "Disabled") != 0,
                              .disabled = strcasecmp(include, "Enabled") != 0};
    if (wanted->enabled && wanted->disabled && strcasecmp(include, "All") != 0) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidQueryParameterValue",
                            "$include is All, Enabled or Disabled.");
    }
    if (!read_filter(request->filter, wanted->prefix)) {
        return gk_fail_http(error, GK_E_INVALID, 400, "InvalidQueryParameterValue",
                            "$filter is startswith(name, prefix).");
    }
    return gk_list_page_size(request, PAGE_MAX, &wanted->page_size, error);
}

/* *next: of the page that follows; NULL: there is none. It points into names. */
static enum gk_status list(struct gk_manage *manage, struct managed_scope *managed,
                           const struct gk_buf *names, const struct wanted *wanted,
                           const char *after, json_t *value, const char **next,
                           struct gk_error *error)
{
    enum gk_status status = GK_OK;
    const char *last = NULL;
    *next = NULL;
    for (size_t at = 0; status == GK_OK && at < names->len && *next == NULL;) {
        const char *name = (const char *)names->data + at;
        at += strlen(name) + 1;
        if (strcmp(name, after) <= 0 ||
            strncmp(name, wanted->prefix, strlen(wanted->prefix)) != 0) {
            continue;
        }
        if (json_array_size(value) == wanted->page_size) {
            *next = last;
            break;
        }
        last = name;
        status = load_scope(manage, name, managed, error);
        if (status == GK_OK && (managed->scope.disabled ? wanted->disabled : wanted->enabled) &&
            json_array_append_new(value, scope_json(managed, name)) != 0) {
            status = gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    return status;
}

enum gk_status gk_manage_scope_list(struct gk_manage *manage, const struct gk_manage_path *path,
                                    const struct gk_manage_request *request,
                                    struct gk_manage_answer *answer, struct gk_error *error)
{
    struct managed_scope managed;
    struct wanted wanted;
    struct gk_buf names;
    const char *next = NULL;
    enum gk_status status = read_wanted(request, &wanted, error);
    if (status == GK_OK) {
        status = gk_managed_account_find(manage, path, &managed.account, error);
    }
    if (status != GK_OK) {
        return status;
    }
    json_t *value = json_array();
    gk_buf_init(&names, (GK_SCOPES_MAX + 1) * (size_t)GK_SCOPE_NAME_BYTES_MAX);
    status = gk_scopes_list(manage->gateway, managed.account.account->name, &names, error);
    if (status == GK_OK) {
        status = list(manage, &managed, &names, &wanted, request->skip_token, value, &next, error);
    }
    json_t *page = json_pack("{s:o}", "value", value);
    if (status == GK_OK && next != NULL) {
        gk_list_page_next(page, request, next);
    }
    gk_buf_cleanup(&names);
    cleanup(&managed);
    if (status != GK_OK) {
        json_decref(page);
        return status;
    }
    return gk_manage_answer_json(answer, 200, page, error);
}

enum gk_status gk_manage_scope_check_key(struct gk_manage *manage,
                                         const struct gk_manage_path *path,
                                         const struct gk_manage_request *request,
                                         struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_call call = gk_manage_check_call(manage, request);
    struct managed_scope managed;
    enum gk_status status = find_scope(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    status = managed.status.settings.source == GK_KEY_SOURCE_CUSTOMER
                 ? gateway->host->plugin->account_check_now(gateway->host->instance, managed.path,
                                                            &call, error)
                 : gk_fail_http(error, GK_E_INVALID, 400, "InvalidOperation",
                                "The scope has no customer key; there is no vault to ask.");
    if (status == GK_OK) {
        status = answer_scope(manage, path, &managed, 200, answer, error);
    }
    cleanup(&managed);
    return status;
}

enum gk_status gk_manage_scope_new_root_key(struct gk_manage *manage,
                                            const struct gk_manage_path *path,
                                            const struct gk_manage_request *request,
                                            struct gk_manage_answer *answer, struct gk_error *error)
{
    const struct gk_gateway *gateway = manage->gateway;
    const struct gk_call call = gk_manage_call(manage, request);
    struct managed_scope managed;
    enum gk_status status = find_scope(manage, path, &managed, error);
    if (status != GK_OK) {
        return status;
    }
    status = gateway->host->plugin->account_new_root_key(gateway->host->instance, managed.path,
                                                         &call, error);
    if (status == GK_OK) {
        status = answer_scope(manage, path, &managed, 200, answer, error);
    }
    cleanup(&managed);
    return status;
}
