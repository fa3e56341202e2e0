/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ctl/client.h"
#include "ctl/scope_keys.h"
#include "ctl/show.h"

#define PATH_BYTES_MAX 512u

/* --- request bodies ----------------------------------------------------------------------------*/

static void set_text(json_t *object, const char *name, const char *text)
{
    if (text != NULL) {
        json_object_set_new(object, name, json_string(text));
    }
}

static json_t *tags_of(const struct ctl_options *options)
{
    json_t *tags = json_object();
    for (size_t i = 0; i < options->tags_count; i++) {
        const char *equals = strchr(options->tags[i], '=');
        char name[129];
        snprintf(name, sizeof name, "%.*s", (int)(equals - options->tags[i]), options->tags[i]);
        json_object_set_new(tags, name, json_string(equals + 1));
    }
    return tags;
}

static json_t *identity_of(const struct ctl_options *options)
{
    if (options->identity == NULL) {
        return options->system_identity ? json_pack("{s:s}", "type", "SystemAssigned") : NULL;
    }
    return json_pack("{s:s, s:{s:{}}}", "type",
                     options->system_identity ? "SystemAssigned,UserAssigned" : "UserAssigned",
                     "userAssignedIdentities", options->identity);
}

static void set_key(json_t *encryption, const struct ctl_options *options)
{
    const char *version = options->automatic_version ? "" : options->key_version;
    if (options->vault == NULL && options->key == NULL && version == NULL) {
        return;
    }
    json_t *properties = json_object();
    set_text(properties, "keyvaulturi", options->vault);
    set_text(properties, "keyname", options->key);
    set_text(properties, "keyversion", version);
    set_text(encryption, "keySource", "Microsoft.Keyvault");
    json_object_set_new(encryption, "keyvaultproperties", properties);
}

static void set_key_identity(json_t *encryption, const struct ctl_options *options)
{
    if (options->identity == NULL && !options->system_identity &&
        options->federated_client_id == NULL) {
        return;
    }
    json_t *who = json_object();
    /* "" asks for the system-assigned one. */
    set_text(who, "userAssignedIdentity",
             options->identity == NULL && options->system_identity ? "" : options->identity);
    set_text(who, "federatedIdentityClientId", options->federated_client_id);
    json_object_set_new(encryption, "identity", who);
}

static void set_services(json_t *encryption, const struct ctl_options *options)
{
    if (options->queue_key_type == NULL && options->table_key_type == NULL) {
        return;
    }
    json_t *queue = json_object();
    json_t *table = json_object();
    set_text(queue, "keyType", options->queue_key_type);
    set_text(table, "keyType", options->table_key_type);
    json_object_set_new(encryption, "services",
                        json_pack("{s:o, s:o}", "queue", queue, "table", table));
}

/* NULL: nothing of it was given. */
static json_t *encryption_of(const struct ctl_options *options)
{
    if (options->service_managed) {
        return json_pack("{s:s}", "keySource", "Microsoft.Storage");
    }
    json_t *encryption = json_object();
    set_key(encryption, options);
    set_key_identity(encryption, options);
    set_services(encryption, options);
    if (json_object_size(encryption) == 0) {
        json_decref(encryption);
        return NULL;
    }
    return encryption;
}

static json_t *body_of(const struct ctl_options *options, bool creating)
{
    json_t *properties = json_object();
    json_t *body = json_pack("{s:o}", "properties", properties);
    json_t *identity = identity_of(options);
    json_t *encryption = encryption_of(options);
    if (creating) {
        set_text(body, "location", options->location);
        set_text(body, "kind", "StorageV2");
        json_object_set_new(body, "sku", json_pack("{s:s}", "name", "Standard_LRS"));
        json_object_set_new(properties, "supportsHttpsTrafficOnly",
                            json_boolean(options->https_only));
        json_object_set_new(properties, "allowBlobPublicAccess",
                            json_boolean(options->public_access));
    }
    if (options->tags_count > 0) {
        json_object_set_new(body, "tags", tags_of(options));
    }
    if (identity != NULL) {
        json_object_set_new(body, "identity", identity);
    }
    if (encryption != NULL) {
        json_object_set_new(properties, "encryption", encryption);
    }
    return body;
}

/* --- commands ----------------------------------------------------------------------------------*/

static void show(const struct ctl_options *options, const json_t *account)
{
    if (options->json) {
        ctl_show_json(account);
    } else {
        ctl_show_account(account);
    }
}

static enum ctl_exit send_and_show(const struct ctl_options *options, const char *method,
                                   const char *path, json_t *body)
{
    json_t *account = NULL;
    const enum ctl_exit code = ctl_request(options, method, path, body, &account);
    if (code == CTL_OK) {
        show(options, account);
    }
    json_decref(body);
    json_decref(account);
    return code;
}

static bool fits_in_path(const char *text)
{
    return text[0] != '\0' && strlen(text) <= 90 && strpbrk(text, "/?#% \t") == NULL;
}

enum ctl_exit ctl_account_create(const struct ctl_options *options)
{
    const bool key = options->vault != NULL || options->key != NULL || options->key_version != NULL;
    if (key && (options->vault == NULL || options->key == NULL || options->identity == NULL)) {
        return ctl_fail(CTL_USAGE, "a customer key takes --vault, --key and --identity together");
    }
    if (!fits_in_path(options->name) || !fits_in_path(options->subscription) ||
        !fits_in_path(options->resource_group)) {
        return ctl_fail(CTL_USAGE, "the account's name, --subscription or --resource-group is not "
                                   "a plain word");
    }
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path,
             "/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Storage/storageAccounts/%s",
             options->subscription, options->resource_group, options->name);
    return send_and_show(options, "PUT", path, body_of(options, true));
}

enum ctl_exit ctl_account_show(const struct ctl_options *options)
{
    json_t *account = NULL;
    char id[PATH_BYTES_MAX];
    bool scopes_known = false;
    enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    if (code != CTL_OK) {
        return code;
    }
    json_t *alone = json_pack("[o]", account);
    code = ctl_scope_keys_add(options, alone, &scopes_known);
    if (code == CTL_OK) {
        show(options, account);
    }
    json_decref(alone);
    return code;
}

enum ctl_exit ctl_account_list(const struct ctl_options *options)
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
    if (options->json) {
        ctl_show_json(accounts);
    } else {
        ctl_show_list(accounts);
    }
    const bool readable = ctl_all_readable(accounts);
    json_decref(accounts);
    return readable ? CTL_OK : CTL_DAMAGED;
}

enum ctl_exit ctl_account_update(const struct ctl_options *options)
{
    if (options->service_managed &&
        (options->vault != NULL || options->key != NULL || options->key_version != NULL)) {
        return ctl_fail(CTL_USAGE, "--service-managed leaves the customer key; it takes none of "
                                   "--vault, --key, --key-version");
    }
    if (options->automatic_version && options->key_version != NULL) {
        return ctl_fail(CTL_USAGE, "--automatic-version and --key-version exclude each other");
    }
    json_t *account = NULL;
    char id[PATH_BYTES_MAX];
    const enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    json_decref(account);
    return code == CTL_OK ? send_and_show(options, "PATCH", id, body_of(options, false)) : code;
}

enum ctl_exit ctl_account_delete(const struct ctl_options *options)
{
    if (!options->yes) {
        return ctl_fail(CTL_USAGE,
                        "deleting account '%s' destroys its root key and with it all its "
                        "data, at once and for good; add --yes if that is wanted",
                        options->name);
    }
    json_t *account = NULL;
    json_t *answer = NULL;
    char id[PATH_BYTES_MAX];
    enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    json_decref(account);
    if (code == CTL_OK) {
        code = ctl_request(options, "DELETE", id, NULL, &answer);
    }
    json_decref(answer);
    if (code == CTL_OK && !options->json) {
        printf("Account %s is deleted.\n", options->name);
    }
    return code;
}

/* --- access keys -------------------------------------------------------------------------------*/

static enum ctl_exit print_connection_string(const struct ctl_options *options, const json_t *keys)
{
    const char *value = json_string_value(json_object_get(json_array_get(keys, 0), "value"));
    const char *endpoint = options->blob_endpoint;
    if (value == NULL) {
        return ctl_fail(CTL_FAILED, "the gateway's answer holds no key");
    }
    size_t len = strlen(endpoint);
    while (len > 0 && endpoint[len - 1] == '/') {
        len--;
    }
    printf("DefaultEndpointsProtocol=%s;AccountName=%s;AccountKey=%s;BlobEndpoint=%.*s/%s;\n",
           strncmp(endpoint, "https://", 8) == 0 ? "https" : "http", options->name, value, (int)len,
           endpoint, options->name);
    return CTL_OK;
}

static enum ctl_exit print_keys(const struct ctl_options *options, const json_t *answer)
{
    const json_t *keys = json_object_get(answer, "keys");
    if (options->connection_string) {
        return print_connection_string(options, keys);
    }
    if (options->json) {
        ctl_show_json(keys);
        return CTL_OK;
    }
    size_t index = 0;
    json_t *key = NULL;
    json_array_foreach(keys, index, key)
    {
        const char *name = json_string_value(json_object_get(key, "keyName"));
        const char *value = json_string_value(json_object_get(key, "value"));
        printf("%-6s%s\n", name == NULL ? "" : name, value == NULL ? "" : value);
    }
    return CTL_OK;
}

static json_t *regenerate_body(const struct ctl_options *options)
{
    return options->regenerate == NULL ? NULL : json_pack("{s:s}", "keyName", options->regenerate);
}

enum ctl_exit ctl_account_keys(const struct ctl_options *options)
{
    if (options->connection_string &&
        (options->blob_endpoint == NULL || strncmp(options->blob_endpoint, "http", 4) != 0)) {
        return ctl_fail(CTL_USAGE, "--connection-string needs --blob-endpoint URL");
    }
    json_t *account = NULL;
    json_t *answer = NULL;
    char id[PATH_BYTES_MAX];
    enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    json_decref(account);
    if (code != CTL_OK) {
        return code;
    }
    char path[PATH_BYTES_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", id,
             options->regenerate == NULL ? "listKeys" : "regenerateKey");
    json_t *body = regenerate_body(options);
    code = ctl_request(options, "POST", path, body, &answer);
    json_decref(body);
    if (code == CTL_OK) {
        code = print_keys(options, answer);
    }
    json_decref(answer);
    return code;
}

enum ctl_exit ctl_account_new_root_key(const struct ctl_options *options)
{
    json_t *account = NULL;
    char id[PATH_BYTES_MAX];
    char path[PATH_BYTES_MAX + 32];
    const enum ctl_exit code = ctl_find_account(options, &account, id, sizeof id);
    json_decref(account);
    if (code != CTL_OK) {
        return code;
    }
    snprintf(path, sizeof path, "%s/gatekeyNewRootKey", id);
    return send_and_show(options, "POST", path, NULL);
}
