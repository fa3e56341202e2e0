/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/client.h"
#include "ctl/scope_keys.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 512u

static enum ctl_exit health_code(const struct ctl_options *options, bool healthy)
{
    return healthy || options->no_fail ? CTL_OK : CTL_NOT_HEALTHY;
}

/* Of scopes that nothing is known of, nobody can say that all is well. */
static enum ctl_exit status_of_all(const struct ctl_options *options)
{
    json_t *accounts = NULL;
    bool scopes_known = false;
    enum ctl_exit code = ctl_list(options, "/gatekey/accounts", &accounts);
    if (code == CTL_OK) {
        code = ctl_scope_keys_add(options, accounts, &scopes_known);
    }
    if (code != CTL_OK) {
        json_decref(accounts);
        return code;
    }
    const bool readable = ctl_all_readable(accounts);
    const bool healthy = ctl_all_healthy(accounts);
    if (options->json) {
        ctl_show_json(accounts);
    } else {
        ctl_show_list(accounts);
    }
    json_decref(accounts);
    code = readable || options->no_fail ? health_code(options, healthy) : CTL_DAMAGED;
    return code == CTL_OK && !scopes_known ? CTL_FAILED : code;
}

static void show(const struct ctl_options *options, const json_t *account)
{
    if (options->json) {
        ctl_show_json(account);
    } else {
        ctl_show_key(account);
    }
}

enum ctl_exit ctl_key_status(const struct ctl_options *options)
{
    if (options->name == NULL) {
        return status_of_all(options);
    }
    json_t *account = NULL;
    char id[PATH_BYTES_MAX];
    enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    if (code != CTL_OK) {
        return code;
    }
    /* It is the account that was asked for: of its scopes standard error says that they are not known. */
    bool scopes_known = false;
    json_t *alone = json_pack("[o]", account);
    code = ctl_scope_keys_add(options, alone, &scopes_known);
    if (code == CTL_OK) {
        show(options, account);
        code = health_code(options, ctl_all_healthy(alone));
    }
    json_decref(alone);
    return code;
}

enum ctl_exit ctl_key_check(const struct ctl_options *options)
{
    json_t *account = NULL;
    json_t *checked = NULL;
    char id[PATH_BYTES_MAX];
    enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    json_decref(account);
    if (code != CTL_OK) {
        return code;
    }
    char path[PATH_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/gatekeyCheckKey", id);
    code = ctl_request(options, "POST", path, NULL, &checked);
    if (code == CTL_OK) {
        show(options, checked);
    }
    json_decref(checked);
    return code;
}
