/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption scopes, named ACCOUNT/SCOPE. */
#include <string.h>

#include "ctl/client.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 512u
#define ID_BYTES_MAX   (PATH_BYTES_MAX + 128u)
#define NAME_BYTES_MAX 64u

/* The scope's resource id, or, without a slash in the name, that of all the account's scopes. */
static enum ctl_exit find(const struct ctl_options *options, bool all, char *id, size_t id_bytes)
{
    char account_name[NAME_BYTES_MAX];
    char account_id[PATH_BYTES_MAX];
    struct ctl_options of_account = *options;
    json_t *account = NULL;
    const size_t len = strcspn(options->name, "/");
    const char *scope = options->name[len] == '/' ? options->name + len + 1 : "";
    if (all != (scope[0] == '\0') || len >= sizeof account_name) {
        return ctl_fail(CTL_USAGE, all ? "the account's name is needed, without a scope's"
                                       : "a scope is named ACCOUNT/SCOPE");
    }
    if (scope[strspn(scope, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
        return ctl_fail(CTL_USAGE, "a scope's name has lower-case letters, digits and dashes");
    }
    snprintf(account_name, sizeof account_name, "%.*s", (int)len, options->name);
    of_account.name = account_name;
    const enum ctl_exit code =
        ctl_find_account(&of_account, &account, account_id, sizeof account_id);
    json_decref(account);
    if (code == CTL_OK) {
        snprintf(id, id_bytes, "%s/encryptionScopes%s%s", account_id, all ? "" : "/", scope);
    }
    return code;
}

static json_t *key_of(const struct ctl_options *options)
{
    char uri[PATH_BYTES_MAX];
    size_t len = options->vault == NULL ? 0 : strlen(options->vault);
    len -= len > 0 && options->vault[len - 1] == '/';
    snprintf(uri, sizeof uri, "%.*s/keys/%s%s%s", (int)len, options->vault, options->key,
             options->key_version == NULL ? "" : "/",
             options->key_version == NULL ? "" : options->key_version);
    return json_pack("{s:s}", "keyUri", uri);
}

static enum ctl_exit body_of(const struct ctl_options *options, json_t **body)
{
    json_t *properties = json_object();
    *body = json_pack("{s:o}", "properties", properties);
    const bool key = options->vault != NULL || options->key != NULL || options->key_version != NULL;
    if (key && (options->vault == NULL || options->key == NULL || options->service_managed)) {
        return ctl_fail(CTL_USAGE, "a customer key is named by --vault and --key");
    }
    if (options->enable && options->disable) {
        return ctl_fail(CTL_USAGE, "--enable and --disable exclude each other");
    }
    if (key || options->service_managed) {
        json_object_set_new(properties, "source",
                            json_string(key ? "Microsoft.KeyVault" : "Microsoft.Storage"));
    }
    if (key) {
        json_object_set_new(properties, "keyVaultProperties", key_of(options));
    }
    if (options->enable || options->disable) {
        json_object_set_new(properties, "state",
                            json_string(options->enable ? "Enabled" : "Disabled"));
    }
    return CTL_OK;
}

static void show(const struct ctl_options *options, const json_t *scope)
{
    if (options->json) {
        ctl_show_json(scope);
    } else {
        ctl_show_scope(scope);
    }
}

static enum ctl_exit send_and_show(const struct ctl_options *options, const char *method,
                                   const char *path, const json_t *body)
{
    json_t *scope = NULL;
    const enum ctl_exit code = ctl_request(options, method, path, body, &scope);
    if (code == CTL_OK) {
        show(options, scope);
    }
    json_decref(scope);
    return code;
}

static enum ctl_exit change(const struct ctl_options *options, const char *method)
{
    char id[ID_BYTES_MAX];
    json_t *body = NULL;
    enum ctl_exit code = body_of(options, &body);
    if (code == CTL_OK) {
        code = find(options, false, id, sizeof id);
    }
    if (code == CTL_OK) {
        code = send_and_show(options, method, id, body);
    }
    json_decref(body);
    return code;
}

enum ctl_exit ctl_scope_create(const struct ctl_options *options)
{
    return change(options, "PUT");
}

enum ctl_exit ctl_scope_update(const struct ctl_options *options)
{
    return change(options, "PATCH");
}

enum ctl_exit ctl_scope_show(const struct ctl_options *options)
{
    char id[ID_BYTES_MAX];
    const enum ctl_exit code = find(options, false, id, sizeof id);
    return code == CTL_OK ? send_and_show(options, "GET", id, NULL) : code;
}

static enum ctl_exit act(const struct ctl_options *options, const char *action)
{
    char id[ID_BYTES_MAX];
    char path[ID_BYTES_MAX + 32];
    const enum ctl_exit code = find(options, false, id, sizeof id);
    if (code != CTL_OK) {
        return code;
    }
    snprintf(path, sizeof path, "%s/%s", id, action);
    return send_and_show(options, "POST", path, NULL);
}

enum ctl_exit ctl_scope_check(const struct ctl_options *options)
{
    return act(options, "gatekeyCheckKey");
}

enum ctl_exit ctl_scope_new_root_key(const struct ctl_options *options)
{
    return act(options, "gatekeyNewRootKey");
}

enum ctl_exit ctl_scope_list(const struct ctl_options *options)
{
    char id[ID_BYTES_MAX];
    json_t *scopes = NULL;
    enum ctl_exit code = find(options, true, id, sizeof id);
    if (code == CTL_OK) {
        code = ctl_list(options, id, &scopes);
    }
    size_t i;
    json_t *scope;
    if (code == CTL_OK && options->json) {
        ctl_show_json(scopes);
    } else if (code == CTL_OK) {
        json_array_foreach(scopes, i, scope)
        {
            ctl_show_scope_line(scope);
        }
    }
    json_decref(scopes);
    return code;
}
