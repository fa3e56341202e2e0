/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "ctl/client.h"
#include "ctl/files.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 128u
/* With all its encryption scopes. */
#define BACKUP_BYTES_MAX (64u << 20)
/* The gateway reads two objects of each scope, of which there may be ten thousand, one after the other. */
#define EXPORT_TIMEOUT_S "600"

static enum ctl_exit path_of(const struct ctl_options *options, const char *action,
                             char path[PATH_BYTES_MAX])
{
    const enum ctl_exit code = ctl_check_account_name(options->name);
    snprintf(path, PATH_BYTES_MAX, "/gatekey/accounts/%.24s/%s", options->name, action);
    return code;
}

/* --- export ------------------------------------------------------------------------------------*/

static enum ctl_exit write_backup(const char *path, const json_t *backup)
{
    char *text = json_dumps(backup, JSON_INDENT(2));
    struct gk_buf file;
    gk_buf_init(&file, BACKUP_BYTES_MAX);
    gk_buf_append_str(&file, text == NULL ? "" : text);
    gk_buf_append_str(&file, "\n");
    enum ctl_exit code = CTL_OK;
    if (text == NULL || gk_buf_status(&file) != GK_OK) {
        code = ctl_fail(CTL_FAILED, "the gateway's answer is no backup, or there is no memory");
    } else if (strcmp(path, "-") == 0) {
        fputs(gk_buf_str(&file), stdout);
    } else {
        code = ctl_write_new_file(path, gk_buf_span(&file),
                                  "a backup is never overwritten, for it may be the one needed");
    }
    gk_buf_cleanup(&file);
    free(text);
    return code;
}

/* Who needs such a scope has no backup of it: that is told, and is no success. */
static enum ctl_exit check_scopes(const json_t *backup)
{
    enum ctl_exit code = CTL_OK;
    size_t i = 0;
    json_t *scope = NULL;
    json_array_foreach(json_object_get(backup, "scopes"), i, scope)
    {
        if (json_object_get(scope, "missing") != NULL) {
            code = ctl_fail(CTL_FAILED,
                            "the scope %s is not in the backup: its record is lost or damaged; "
                            "restore it from an older backup",
                            json_string_value(json_object_get(scope, "name")));
        }
    }
    return code;
}

static void tell_made(const struct ctl_options *options, const json_t *backup)
{
    const json_int_t sequence = json_integer_value(json_object_get(backup, "sequence"));
    const size_t scopes = json_array_size(json_object_get(backup, "scopes"));
    if (options->json) {
        json_t *made = json_pack("{s:s, s:s, s:I, s:I}", "file", options->out, "account",
                                 options->name, "sequence", sequence, "scopes", (json_int_t)scopes);
        ctl_show_json(made);
        json_decref(made);
        return;
    }
    printf("Made %s: record %" JSON_INTEGER_FORMAT " of account %s", options->out, sequence,
           options->name);
    if (scopes > 0) {
        printf(" and its %zu encryption scopes", scopes);
    }
    puts(", without any key in the clear.");
}

enum ctl_exit ctl_account_export(const struct ctl_options *options)
{
    if (options->out == NULL) {
        return ctl_fail(CTL_USAGE,
                        "account export needs --out FILE, or --out - for standard output");
    }
    char path[PATH_BYTES_MAX];
    json_t *backup = NULL;
    struct ctl_options patient = *options;
    patient.timeout_s = options->timeout_s == NULL ? EXPORT_TIMEOUT_S : options->timeout_s;
    enum ctl_exit code = path_of(options, "export", path);
    if (code == CTL_OK) {
        code = ctl_request(&patient, "POST", path, NULL, &backup);
    }
    if (code == CTL_OK) {
        code = write_backup(options->out, backup);
    }
    if (code == CTL_OK && strcmp(options->out, "-") != 0) {
        tell_made(options, backup);
    }
    if (code == CTL_OK) {
        code = check_scopes(backup);
    }
    json_decref(backup);
    return code;
}

/* --- restore -----------------------------------------------------------------------------------*/

static enum ctl_exit read_backup(const char *path, json_t **backup)
{
    struct gk_buf file;
    gk_buf_init(&file, BACKUP_BYTES_MAX);
    enum ctl_exit code = ctl_read_file(path, &file);
    if (code == CTL_OK) {
        json_error_t why;
        *backup = json_loadb((const char *)file.data, file.len, JSON_REJECT_DUPLICATES, &why);
        if (!json_is_object(*backup)) {
            json_decref(*backup);
            *backup = NULL;
            code = ctl_fail(CTL_FAILED, "%s is not a backup of an account: it is no JSON object",
                            path);
        }
    }
    gk_buf_cleanup(&file);
    return code;
}

/* One after the other, whatever becomes of each: one that its vault refuses keeps no other from coming back. */
static enum ctl_exit restore_scopes(const struct ctl_options *options, const json_t *scopes)
{
    char path[PATH_BYTES_MAX];
    enum ctl_exit code = path_of(options, "restoreScope", path);
    size_t i = 0;
    json_t *scope = NULL;
    json_array_foreach(scopes, i, scope)
    {
        const char *name = json_string_value(json_object_get(scope, "name"));
        json_t *body = json_pack("{s:O, s:b}", "scope", scope, "replaceSettings",
                                 (int)options->replace_settings);
        json_t *answer = NULL;
        const enum ctl_exit one = ctl_request(options, "POST", path, body, &answer);
        json_decref(body);
        json_decref(answer);
        if (one != CTL_OK) {
            code = ctl_fail(one, "the scope %s is not restored", name == NULL ? "" : name);
        } else if (!options->json) {
            printf("Scope %s/%s is restored.\n", options->name, name == NULL ? "" : name);
        }
    }
    return code;
}

enum ctl_exit ctl_account_restore(const struct ctl_options *options)
{
    if (options->in == NULL) {
        return ctl_fail(CTL_USAGE, "account restore needs --in FILE, or --in - for standard input");
    }
    char path[PATH_BYTES_MAX];
    json_t *backup = NULL;
    json_t *account = NULL;
    enum ctl_exit code = path_of(options, "restore", path);
    if (code == CTL_OK) {
        code = read_backup(options->in, &backup);
    }
    if (code != CTL_OK) {
        return code;
    }
    json_t *scopes = json_incref(json_object_get(backup, "scopes"));
    json_object_del(backup, "scopes");
    json_t *body =
        json_pack("{s:o, s:b, s:b}", "backup", backup, "replaceSettings",
                  (int)options->replace_settings, "replaceProfile", (int)options->replace_keys);
    code = ctl_request(options, "POST", path, body, &account);
    json_decref(body);
    const bool restored = code == CTL_OK;
    if (restored && !options->json) {
        printf("Account %s is restored.\n", options->name);
    }
    if (restored) {
        code = restore_scopes(options, scopes);
    }
    json_decref(scopes);
    if (restored && options->json) {
        ctl_show_json(account);
    } else if (restored) {
        ctl_show_account(account);
    }
    json_decref(account);
    return code;
}
