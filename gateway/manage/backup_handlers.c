/* SPDX-License-Identifier: Apache-2.0 */
/* Ours: backup and restore of what opens an account, wherever it is filed. */
#include "common/error.h"
#include "gateway/manage/account_load.h"
#include "gateway/manage/backup_json.h"
#include "gateway/manage/json_body.h"

static bool append_scope(void *ctx, const struct gk_scope_backup *backup)
{
    return json_array_append_new(ctx, gk_scope_backup_json(backup)) == 0;
}

/* One event of all: there may be ten thousand. That of the account is the plugin's. */
static void audit_scopes(struct gk_manage *manage, const struct gk_manage_path *path,
                         const struct gk_manage_request *request, size_t count)
{
    char detail[64];
    snprintf(detail, sizeof detail, "with its encryption scopes: %zu", count);
    if (count > 0) {
        gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_EXPORT, path->account, detail);
    }
}

enum gk_status gk_manage_export(struct gk_manage *manage, const struct gk_manage_path *path,
                                const struct gk_manage_request *request,
                                struct gk_manage_answer *answer, struct gk_error *error)
{
    struct gk_account_backup backup;
    gk_account_backup_init(&backup);
    enum gk_status status =
        gk_account_backup_take(manage->gateway, path->account, request->actor, &backup, error);
    json_t *scopes = json_array();
    if (status == GK_OK) {
        status = gk_scope_backups_take(manage->gateway, path->account, append_scope, scopes, error);
    }
    if (status == GK_OK) {
        audit_scopes(manage, path, request, json_array_size(scopes));
    }
    if (status == GK_OK) {
        const int64_t now_ms = gk_clock_wall_ms(&manage->gateway->clock);
        status = gk_manage_answer_json(answer, 200, gk_backup_json(&backup, now_ms, scopes), error);
    } else {
        json_decref(scopes);
    }
    gk_account_backup_cleanup(&backup);
    return status;
}

static enum gk_status read_request(const json_t *body, struct gk_account_backup *backup,
                                   struct gk_account_backup_wish *wish, struct gk_error *error)
{
    static const char *const names[] = {"backup", "replaceSettings", "replaceProfile", NULL};
    json_t *file = NULL;
    bool present = false;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_object(body, "", "backup", &file, error);
    }
    if (status == GK_OK && file == NULL) {
        status = gk_json_refuse(error, "The required member backup is missing.");
    }
    if (status == GK_OK) {
        status =
            gk_json_bool(body, "", "replaceSettings", &wish->replace_settings, &present, error);
    }
    if (status == GK_OK) {
        status = gk_json_bool(body, "", "replaceProfile", &wish->replace_profile, &present, error);
    }
    return status == GK_OK ? gk_backup_json_read(file, backup, error) : status;
}

static enum gk_status restore(struct gk_manage *manage, const struct gk_manage_path *path,
                              const struct gk_manage_request *request, const json_t *body,
                              struct gk_error *error)
{
    struct gk_account_backup backup;
    struct gk_account_backup_wish wish = {0};
    bool profile_restored = false;
    gk_account_backup_init(&backup);
    enum gk_status status = read_request(body, &backup, &wish, error);
    if (status == GK_OK && strcmp(backup.account, path->account) != 0) {
        status = gk_fail_http(error, GK_E_INVALID, 409, "AccountBackupOfAnotherAccount",
                              "The backup is of account %s; restore it under that name.",
                              backup.account);
    }
    if (status == GK_OK) {
        const struct gk_call call = gk_manage_call(manage, request);
        status = gk_account_backup_restore(manage->gateway, &backup, &wish, &call,
                                           &profile_restored, error);
    }
    if (profile_restored) {
        gk_manage_audit(manage, request, GK_AUDIT_ACCOUNT_KEYS_RESTORE, path->account,
                        "the access keys are those of a backup");
    }
    gk_account_backup_cleanup(&backup);
    return status;
}

enum gk_status gk_manage_restore(struct gk_manage *manage, const struct gk_manage_path *path,
                                 const struct gk_manage_request *request,
                                 struct gk_manage_answer *answer, struct gk_error *error)
{
    json_t *body = NULL;
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = restore(manage, path, request, body, error);
    }
    json_decref(body);
    return status == GK_OK ? gk_managed_account_answer(manage, path->account, answer, error)
                           : status;
}

/* --- a scope -------------------------------------------------------------------------------------*/

static enum gk_status read_scope_request(const json_t *body, struct gk_scope_backup *backup,
                                         bool *replace_settings, struct gk_error *error)
{
    static const char *const names[] = {"scope", "replaceSettings", NULL};
    json_t *scope = NULL;
    bool present = false;
    enum gk_status status = gk_json_only(body, "", names, error);
    if (status == GK_OK) {
        status = gk_json_object(body, "", "scope", &scope, error);
    }
    if (status == GK_OK && scope == NULL) {
        status = gk_json_refuse(error, "The required member scope is missing.");
    }
    if (status == GK_OK) {
        status = gk_json_bool(body, "", "replaceSettings", replace_settings, &present, error);
    }
    return status == GK_OK ? gk_scope_backup_json_read(scope, backup, error) : status;
}

enum gk_status gk_manage_restore_scope(struct gk_manage *manage, const struct gk_manage_path *path,
                                       const struct gk_manage_request *request,
                                       struct gk_manage_answer *answer, struct gk_error *error)
{
    json_t *body = NULL;
    bool replace_settings = false;
    struct gk_scope_backup backup;
    gk_scope_backup_init(&backup);
    enum gk_status status = gk_json_parse(request->body, &body, error);
    if (status == GK_OK) {
        status = read_scope_request(body, &backup, &replace_settings, error);
    }
    json_decref(body);
    if (status == GK_OK) {
        const struct gk_call call = gk_manage_call(manage, request);
        status = gk_scope_backup_restore(manage->gateway, path->account, &backup, replace_settings,
                                         &call, error);
    }
    if (status == GK_OK) {
        status = gk_manage_answer_json(answer, 200,
                                       json_pack("{s:s, s:I}", "name", backup.name, "sequence",
                                                 (json_int_t)backup.info.sequence),
                                       error);
    }
    gk_scope_backup_cleanup(&backup);
    return status;
}
