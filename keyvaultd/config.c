/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/config.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "keyvaultd/config_reader.h"

static void read_listen(struct kv_reader *outer, struct kv_config_listen *listen)
{
    static const char *const known[] = {"address", "port", "certificate_file", "key_file", NULL};
    const config_setting_t *group = kv_read_required_group(outer, "listen");
    if (group == NULL) {
        return;
    }
    struct kv_reader reader = kv_reader_of(outer, group);
    kv_read_only(&reader, known);
    listen->address = kv_read_address_or(&reader, "address", "127.0.0.1");
    listen->port = (uint16_t)kv_read_number_or(&reader, "port", 0, 65535, 0);
    listen->certificate_file = kv_read_required_path(&reader, "certificate_file");
    listen->key_file = kv_read_required_path(&reader, "key_file");
    outer->status = reader.status;
}

static void read_imds(struct kv_reader *outer, struct kv_config *config)
{
    static const char *const known[] = {"address", "port", "arc_challenge_directory",
                                        "app_service_header_file", NULL};
    const config_setting_t *group = kv_read_group(outer, "imds");
    if (group == NULL) {
        return;
    }
    struct kv_reader reader = kv_reader_of(outer, group);
    kv_read_only(&reader, known);
    config->imds_given = true;
    config->imds.address = kv_read_address_or(&reader, "address", "127.0.0.1");
    config->imds.port = (uint16_t)kv_read_number_or(&reader, "port", 0, 65535, 0);
    config->arc_challenge_directory = kv_read_path(&reader, "arc_challenge_directory");
    config->app_service_header_file = kv_read_path(&reader, "app_service_header_file");
    outer->status = reader.status;
}

static void read_hsm(struct kv_reader *outer, struct kv_config_hsm *hsm)
{
    static const char *const known[] = {"module", "token_label", "pin_file", NULL};
    const config_setting_t *group = kv_read_required_group(outer, "hsm");
    if (group == NULL) {
        return;
    }
    struct kv_reader reader = kv_reader_of(outer, group);
    kv_read_only(&reader, known);
    hsm->module = kv_read_required_path(&reader, "module");
    hsm->token_label = kv_read_text(&reader, "token_label");
    hsm->pin_file = kv_read_required_path(&reader, "pin_file");
    outer->status = reader.status;
}

static void read_kind(struct kv_reader *reader, struct kv_config *config)
{
    const char *kind = kv_read_text_or(reader, "kind", "vault");
    const config_setting_t *hsm = config_setting_get_member(reader->group, "hsm");
    config->managed_hsm = strcmp(kind, "managed-hsm") == 0;
    if (config->managed_hsm) {
        read_hsm(reader, &config->hsm);
    } else if (strcmp(kind, "vault") != 0) {
        kv_reader_refuse(reader, config_setting_get_member(reader->group, "kind"), "kind",
                         "\"%s\" is not known; write \"vault\" or \"managed-hsm\"", kind);
    } else if (hsm != NULL) {
        kv_reader_refuse(reader, hsm, "hsm",
                         "is for kind = \"managed-hsm\"; write that, or remove it");
    }
}

static void read_control(struct kv_reader *outer, struct kv_config *config)
{
    static const char *const known[] = {"enabled", "token_file", NULL};
    const config_setting_t *group = kv_read_group(outer, "control");
    if (group == NULL) {
        return;
    }
    struct kv_reader reader = kv_reader_of(outer, group);
    kv_read_only(&reader, known);
    config->control_enabled = kv_read_flag_or(&reader, "enabled", false);
    config->control_token_file = config->control_enabled
                                     ? kv_read_required_path(&reader, "token_file")
                                     : kv_read_path(&reader, "token_file");
    outer->status = reader.status;
}

static void read_authority(struct kv_reader *reader, struct kv_config *config)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, "authority");
    config->authority = kv_read_text_or(reader, "authority", NULL);
    config->token_secret_file = kv_read_path(reader, "token_secret_file");
    if (config->authority != NULL && strncmp(config->authority, "https://", 8) != 0) {
        kv_reader_refuse(reader, setting, "authority", "is no https://host:port; correct it");
    }
    if (config->authority != NULL && config->token_secret_file == NULL) {
        kv_reader_refuse(
            reader, setting, "authority",
            "is of another process, and token_secret_file is missing; add it, the same as there");
    }
}

static void read_recovery(struct kv_reader *reader, struct kv_config *config)
{
    const config_setting_t *days = config_setting_get_member(reader->group, "recoverable_days");
    config->purge_protection = kv_read_flag_or(reader, "purge_protection", true);
    config->recoverable_days = kv_read_number_or(reader, "recoverable_days", 0, 90, 90);
    if (config->recoverable_days != 0 && config->recoverable_days < 7) {
        kv_reader_refuse(reader, days, "recoverable_days",
                         "is too short; give 7 to 90, or 0 for no soft delete");
    }
    if (config->recoverable_days == 0 && config->purge_protection) {
        kv_reader_refuse(reader, days, "recoverable_days",
                         "is 0, and purge_protection needs soft delete; give 7 to 90, or write "
                         "purge_protection = false;");
    }
}

static void read_root(struct kv_reader *reader, struct kv_config *config)
{
    static const char *const known[] = {"kind",
                                        "hsm",
                                        "listen",
                                        "imds",
                                        "state_dir",
                                        "host",
                                        "tenant_id",
                                        "tenants",
                                        "authority",
                                        "token_secret_file",
                                        "resource",
                                        "token_lifetime_s",
                                        "purge_protection",
                                        "recoverable_days",
                                        "oaep_256",
                                        "identities",
                                        "control",
                                        NULL};
    kv_read_only(reader, known);
    read_listen(reader, &config->listen);
    read_imds(reader, config);
    config->state_dir = kv_read_required_path(reader, "state_dir");
    read_kind(reader, config);
    config->host = kv_read_text_or(reader, "host", "localhost");
    config->tenant_id = kv_read_text(reader, "tenant_id");
    config->tenants_count = kv_read_tenants(reader, "tenants", config->tenants);
    read_authority(reader, config);
    config->resource = kv_read_text_or(reader, "resource",
                                       config->managed_hsm ? "https://managedhsm.azure.net"
                                                           : "https://vault.azure.net");
    config->token_lifetime_s = kv_read_number_or(reader, "token_lifetime_s", 1, 86400, 3600);
    config->oaep_256 = kv_read_flag_or(reader, "oaep_256", true);
    read_recovery(reader, config);
    kv_read_identities(reader, config);
    read_control(reader, config);
}

static enum gk_status parse_file(struct kv_config *config, struct gk_error *error)
{
    if (config_read_file(&config->file, config->path) == CONFIG_TRUE) {
        return GK_OK;
    }
    const int code = errno;
    char reason[128];
    if (config_error_type(&config->file) == CONFIG_ERR_FILE_IO) {
        return gk_fail(error, GK_E_INVALID,
                       "%s:1: cannot be read: %s; name a file that this user may read",
                       config->path, strerror_r(code, reason, sizeof reason));
    }
    const char *file = config_error_file(&config->file);
    return gk_fail(error, GK_E_INVALID,
                   "%s:%d: %s; correct the line, or the end of the one before it",
                   file == NULL ? config->path : file, config_error_line(&config->file),
                   config_error_text(&config->file));
}

enum gk_status kv_config_read(const char *path, struct kv_config *config, struct gk_error *error)
{
    memset(config, 0, sizeof *config);
    config_init(&config->file);
    config->path = path;
    struct kv_reader reader = {.path = path, .error = error};
    reader.status = parse_file(config, error);
    if (reader.status == GK_OK) {
        reader.group = config_root_setting(&config->file);
        read_root(&reader, config);
    }
    if (reader.status != GK_OK) {
        config_destroy(&config->file);
    }
    return reader.status;
}

enum gk_status kv_config_blame(const struct kv_config *config, const char *path,
                               struct gk_error *error)
{
    const config_setting_t *setting = config_lookup(&config->file, path);
    const char *dot = strrchr(path, '.');
    const struct gk_error cause = *error;
    struct kv_reader reader = {.path = config->path, .error = error, .status = GK_OK};
    kv_reader_refuse(&reader, setting == NULL ? config_root_setting(&config->file) : setting,
                     dot == NULL ? path : dot + 1, "%s", cause.message);
    return cause.status;
}

bool kv_config_serves_tenant(const struct kv_config *config, const char *tenant_id)
{
    for (size_t i = 0; i < config->tenants_count; i++) {
        if (strcasecmp(config->tenants[i], tenant_id) == 0) {
            return true;
        }
    }
    return strcasecmp(config->tenant_id, tenant_id) == 0;
}

void kv_config_cleanup(struct kv_config *config)
{
    config_destroy(&config->file);
}
