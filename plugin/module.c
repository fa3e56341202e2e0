/* SPDX-License-Identifier: Apache-2.0 */
/* What gatekey.so exports: its ABI version and its table of functions, with the key provider that is
 * built in. */
#include "plugin/account_backup.h"
#include "plugin/account_change.h"
#include "plugin/account_wraps.h"
#include "plugin/handles.h"
#include "plugin/reread.h"
#include "plugin/unknown_setting.h"

static const struct gk_plugin plugin;

static enum gk_status create(const struct gk_host *host, struct gk_instance **out,
                             struct gk_error *error)
{
    return gk_instance_create_with(gk_vault_provider(), host, out, error);
}

static enum gk_status config(struct gk_instance *instance, const char *key, const char *value,
                             struct gk_error *error)
{
    const enum gk_status status = gk_instance_config(instance, key, value, error);
    return status == GK_E_NOT_FOUND ? gk_unknown_setting_refuse(plugin.config_help, key, error)
                                    : status;
}

static const struct gk_plugin plugin = {
    .abi_version = GK_PLUGIN_ABI_VERSION,
    .struct_size = sizeof plugin,
    .name = "gatekey",
    .version = GATEKEY_VERSION,
    .config_help =
        "check_interval_ms         how often a key in use is checked, and so how long a revoked "
        "one may still be used (60000)\n"
        "grace_s                   how long a vault may be silent before its accounts answer 503 "
        "(43200)\n"
        "version_check_interval_s  how often a newer version of a key is looked for (86400)\n"
        "account_idle_s            how long an account that nobody uses stays in memory, with its "
        "root key (3600)\n"
        "previous_wrap_keep_s      how long the root key stays wrapped by the version before "
        "(86400)\n"
        "key_expiry_warning_days   how long ahead of its end a key is warned of (30)\n"
        "key_age_warning_days      the age from which on a key version is warned of (0: none)\n"
        "read_rotation_policy      a key version is old too when its rotation policy would have "
        "had "
        "a newer one (false)\n"
        "pinned_key_without_get    a pinned key version is taken though its identity may not get "
        "it (false)\n"
        "vault_deadline_ms         how long one check may take, retries included (10000)\n"
        "unwrap_audit_interval_s   how often the audit tells how many unwraps there were (3600)\n"
        "service_key_file          the operator's service key, a file of mode 0600; required\n"
        "gateways                  how many gateways ask the same vaults (1)\n"
        "request_timeout_ms        how long one request to a vault may take (5000)\n"
        "ca_file                   certificates that vaults and authorities are checked with (the "
        "system's)\n"
        "identity.N.kind           client-secret, client-certificate, workload, managed, arc, "
        "app-service, approle, jwt or tls; N from 0 to 31\n"
        "identity.N.resource_id    of a user-assigned identity; none for the system-assigned one\n"
        "identity.N.client_id      of the application or identity\n"
        "identity.N.tenant_id      client-secret: its tenant\n"
        "identity.N.client_secret_file  client-secret: a file of mode 0600\n"
        "identity.N.authority      client-secret: https://login.microsoftonline.com\n"
        "identity.N.endpoint       managed: http://169.254.169.254\n"
        "vault.N.uri               a vault outside the known domains\n"
        "vault.N.resource          the audience of its tokens\n"
        "identity.N.role           approle: the role's id; jwt, tls: the role's name\n"
        "identity.N.secret_id_file approle: a file of mode 0600\n"
        "identity.N.auth_mount     where the auth method is mounted (approle, jwt, cert)\n"
        "identity.N.namespace      approle, jwt, tls: the auth method's namespace\n"
        "vault.N.kind              keyvault or transit (keyvault)\n"
        "vault.N.mount             transit: where the engine is mounted (transit)\n"
        "vault.N.namespace         transit: the engine's namespace\n",
    .create = create,
    .config = config,
    .start = gk_instance_start,
    .stop = gk_instance_stop,
    .destroy = gk_instance_destroy,
    .account_create = gk_account_create,
    .account_set_encryption = gk_account_set_encryption,
    .account_status = gk_account_get_status,
    .account_check_now = gk_account_check_now,
    .account_forget = gk_account_forget,
    .account_open = gk_account_open,
    .account_release = gk_account_release,
    .authorize = gk_account_authorize,
    .account_warm = gk_account_warm,
    .data_key_create = gk_data_key_create,
    .data_key_open = gk_data_key_open,
    .data_key_reseal = gk_data_key_reseal,
    .data_key_free = gk_data_key_free,
    .segment_new = gk_segment_new,
    .segment_load = gk_segment_load,
    .segment_free = gk_segment_free,
    .segment_seal = gk_segment_seal,
    .segment_open = gk_segment_open,
    .record_seal = gk_account_record_value_seal,
    .record_reseal_open = gk_account_record_value_reseal,
    .record_open = gk_account_record_value_open,
    .record_open_sealed = gk_data_key_record_value_open,
    .account_changed = gk_reread_changed,
    .account_record_export = gk_account_record_export,
    .account_record_restore = gk_account_record_restore,
    .record_rebind = gk_account_record_value_rebind,
    .pages_load = gk_pages_load,
    .pages_free = gk_pages_free,
    .page_seal = gk_page_seal,
    .page_open = gk_page_open,
    .data_key_create_with = gk_data_key_create_with,
    .data_key_open_with = gk_data_key_open_with,
    .account_new_root_key = gk_account_new_root_key,
    .data_key_generation = gk_data_key_generation,
    .data_key_renew = gk_data_key_renew,
    .account_retire_root_keys = gk_account_retire_root_keys,
    .config_check = gk_instance_config_check,
    .account_wraps = gk_account_wraps,
};

__attribute__((visibility("default"))) const uint32_t gatekey_plugin_abi_version =
    GK_PLUGIN_ABI_VERSION;

__attribute__((visibility("default"))) const struct gk_plugin *gatekey_plugin_entry(void)
{
    return &plugin;
}
