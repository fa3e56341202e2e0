/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/config.h"

#include <string.h>
#include <strings.h>

#include "common/error.h"

/* One group under reading. The first refusal sticks, so that a reader needs one check at its end. */
struct reader {
    const char *path;
    const config_setting_t *group;
    struct gk_error *error;
    enum gk_status status;
};

static void refuse(struct reader *reader, const config_setting_t *at, const char *name,
                   const char *reason)
{
    if (reader->status == GK_OK) {
        const unsigned line = config_setting_source_line(at);
        reader->status = gk_fail(reader->error, GK_E_INVALID, "%s:%u: %s: %s", reader->path,
                                 line == 0 ? 1 : line, name, reason);
    }
}

static struct reader group_reader(const struct reader *outer, const config_setting_t *group)
{
    return (struct reader){
        .path = outer->path, .group = group, .error = outer->error, .status = outer->status};
}

static void only(struct reader *reader, const char *const *known)
{
    const unsigned count = (unsigned)config_setting_length(reader->group);
    for (unsigned i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(reader->group, i);
        const char *name = config_setting_name(setting);
        size_t k = 0;
        while (known[k] != NULL && strcmp(known[k], name) != 0) {
            k++;
        }
        if (known[k] == NULL) {
            refuse(reader, setting, name, "is no setting here");
        }
    }
}

/* Plain printable ASCII without quotes: these texts go into URIs, headers and JSON. */
static bool is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= 0x20 || *at >= 0x7f || *at == '"' || *at == '\\') {
            return false;
        }
    }
    return text[0] != '\0' && strlen(text) <= 1024;
}

static const char *text_or(struct reader *reader, const char *name, const char *otherwise)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, name);
    if (setting == NULL) {
        return otherwise;
    }
    const char *text = config_setting_get_string(setting);
    if (text == NULL || !is_plain(text)) {
        refuse(reader, setting, name, "must be a text of printable characters without blanks");
        return otherwise;
    }
    return text;
}

static const char *text(struct reader *reader, const char *name)
{
    const char *value = text_or(reader, name, NULL);
    if (value == NULL) {
        refuse(reader, reader->group, name, "is missing");
        return "";
    }
    return value;
}

static const char *file(struct reader *reader, const char *name)
{
    const char *value = text_or(reader, name, NULL);
    if (value != NULL && value[0] != '/') {
        refuse(reader, config_setting_get_member(reader->group, name), name,
               "must be a path from the root");
    }
    return value;
}

static const char *required_file(struct reader *reader, const char *name)
{
    const char *value = file(reader, name);
    if (value == NULL) {
        refuse(reader, reader->group, name, "is missing");
    }
    return value;
}

static uint32_t number(struct reader *reader, const char *name, uint32_t minimum, uint32_t maximum,
                       uint32_t otherwise)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, name);
    if (setting == NULL) {
        return otherwise;
    }
    const int type = config_setting_type(setting);
    const long long value = config_setting_get_int64(setting);
    if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || value < minimum ||
        value > maximum) {
        refuse(reader, setting, name, "is not a whole number in its range");
        return otherwise;
    }
    return (uint32_t)value;
}

static bool flag(struct reader *reader, const char *name, bool otherwise)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, name);
    if (setting == NULL) {
        return otherwise;
    }
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        refuse(reader, setting, name, "must be true or false");
        return otherwise;
    }
    return config_setting_get_bool(setting) != 0;
}

static void read_listen(struct reader *outer, struct kv_config_listen *listen)
{
    static const char *const known[] = {"address", "port", "certificate_file", "key_file", NULL};
    const config_setting_t *group = config_setting_get_member(outer->group, "listen");
    if (group == NULL || !config_setting_is_group(group)) {
        refuse(outer, outer->group, "listen", "is missing or no group");
        return;
    }
    struct reader reader = group_reader(outer, group);
    only(&reader, known);
    listen->address = text_or(&reader, "address", "127.0.0.1");
    listen->port = (uint16_t)number(&reader, "port", 0, 65535, 0);
    listen->certificate_file = required_file(&reader, "certificate_file");
    listen->key_file = required_file(&reader, "key_file");
    outer->status = reader.status;
}

static void read_imds(struct reader *outer, struct kv_config *config)
{
    static const char *const known[] = {"address", "port", "arc_challenge_directory",
                                        "app_service_header_file", NULL};
    const config_setting_t *group = config_setting_get_member(outer->group, "imds");
    if (group == NULL) {
        return;
    }
    struct reader reader = group_reader(outer, group);
    only(&reader, known);
    config->imds_given = true;
    config->imds.address = text_or(&reader, "address", "127.0.0.1");
    config->imds.port = (uint16_t)number(&reader, "port", 0, 65535, 0);
    config->arc_challenge_directory = file(&reader, "arc_challenge_directory");
    config->app_service_header_file = file(&reader, "app_service_header_file");
    outer->status = reader.status;
}

static void read_hsm(struct reader *outer, struct kv_config_hsm *hsm)
{
    static const char *const known[] = {"module", "token_label", "pin_file", NULL};
    const config_setting_t *group = config_setting_get_member(outer->group, "hsm");
    if (group == NULL || !config_setting_is_group(group)) {
        refuse(outer, outer->group, "hsm", "is missing or no group");
        return;
    }
    struct reader reader = group_reader(outer, group);
    only(&reader, known);
    hsm->module = required_file(&reader, "module");
    hsm->token_label = text(&reader, "token_label");
    hsm->pin_file = required_file(&reader, "pin_file");
    outer->status = reader.status;
}

static void read_kind(struct reader *reader, struct kv_config *config)
{
    const char *kind = text_or(reader, "kind", "vault");
    const config_setting_t *hsm = config_setting_get_member(reader->group, "hsm");
    config->managed_hsm = strcmp(kind, "managed-hsm") == 0;
    if (config->managed_hsm) {
        read_hsm(reader, &config->hsm);
    } else if (strcmp(kind, "vault") != 0) {
        refuse(reader, reader->group, "kind", "is either vault or managed-hsm");
    } else if (hsm != NULL) {
        refuse(reader, hsm, "hsm", "is for kind = \"managed-hsm\"");
    }
}

static void read_control(struct reader *outer, struct kv_config *config)
{
    static const char *const known[] = {"enabled", "token_file", NULL};
    const config_setting_t *group = config_setting_get_member(outer->group, "control");
    if (group == NULL) {
        return;
    }
    struct reader reader = group_reader(outer, group);
    only(&reader, known);
    config->control_enabled = flag(&reader, "enabled", false);
    config->control_token_file = file(&reader, "token_file");
    if (config->control_enabled && config->control_token_file == NULL) {
        refuse(&reader, group, "token_file", "is missing");
    }
    outer->status = reader.status;
}

/* A list of tenants, [ "id", ... ]: how many there are. */
static size_t read_tenants(struct reader *reader, const char *name,
                           const char *tenants[KV_TENANTS_MAX])
{
    const config_setting_t *list = config_setting_get_member(reader->group, name);
    const unsigned count = list == NULL ? 0 : (unsigned)config_setting_length(list);
    if (count > KV_TENANTS_MAX) {
        refuse(reader, list, name, "are too many");
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        tenants[i] = config_setting_get_string_elem(list, (int)i);
        if (tenants[i] == NULL || !is_plain(tenants[i])) {
            refuse(reader, list, name, "holds what is no tenant's id");
            return 0;
        }
    }
    return count;
}

static uint32_t read_permissions(struct reader *reader)
{
    uint32_t bits = 0;
    const config_setting_t *list = config_setting_get_member(reader->group, "permissions");
    const unsigned count = list == NULL ? 0 : (unsigned)config_setting_length(list);
    for (unsigned i = 0; i < count; i++) {
        const char *name = config_setting_get_string_elem(list, (int)i);
        const uint32_t bit = name == NULL ? 0 : kv_permission_of(name);
        if (bit == 0) {
            refuse(reader, list, "permissions", "holds a name that is no permission");
        }
        bits |= bit;
    }
    return bits;
}

/* A managed identity is of one tenant, as the real ones are. */
static void check_tenants(struct reader *reader, const struct kv_config *config,
                          const struct kv_config_identity *identity)
{
    const bool managed = identity->system_assigned || identity->resource_id != NULL;
    if (managed && identity->installed_in_count > 0) {
        refuse(reader, reader->group, "installed_in",
               "is for applications, not managed identities");
    }
    if (!kv_config_serves_tenant(config, identity->tenant_id)) {
        refuse(reader, reader->group, "tenant_id", "is not among tenants");
    }
    for (size_t i = 0; i < identity->installed_in_count; i++) {
        if (!kv_config_serves_tenant(config, identity->installed_in[i])) {
            refuse(reader, reader->group, "installed_in", "holds one that is not among tenants");
        }
    }
}

static void read_federated(struct reader *outer, struct kv_config_federated *federated)
{
    static const char *const known[] = {"issuer",   "subject",   "audience",
                                        "identity", "jwks_file", NULL};
    const config_setting_t *group = config_setting_get_member(outer->group, "federated");
    if (group == NULL) {
        return;
    }
    struct reader reader = group_reader(outer, group);
    only(&reader, known);
    federated->audience = text_or(&reader, "audience", "api://AzureADTokenExchange");
    federated->identity = text_or(&reader, "identity", NULL);
    if (federated->identity == NULL) {
        federated->issuer = text(&reader, "issuer");
        federated->subject = text(&reader, "subject");
        federated->jwks_file = required_file(&reader, "jwks_file");
    } else if (config_setting_get_member(group, "issuer") != NULL ||
               config_setting_get_member(group, "subject") != NULL ||
               config_setting_get_member(group, "jwks_file") != NULL) {
        refuse(&reader, group, "identity", "excludes issuer, subject and jwks_file");
    }
    outer->status = reader.status;
}

static void read_identity(struct reader *reader, const struct kv_config *config,
                          struct kv_config_identity *identity)
{
    static const char *const known[] = {
        "name",         "client_id",   "client_secret_file", "client_certificate_file",
        "federated",    "resource_id", "system_assigned",    "tenant_id",
        "installed_in", "administer",  "permissions",        NULL};
    only(reader, known);
    identity->name = text(reader, "name");
    identity->client_id = text(reader, "client_id");
    identity->client_secret_file = file(reader, "client_secret_file");
    identity->client_certificate_file = file(reader, "client_certificate_file");
    read_federated(reader, &identity->federated);
    identity->resource_id = text_or(reader, "resource_id", NULL);
    identity->system_assigned = flag(reader, "system_assigned", false);
    identity->administer = flag(reader, "administer", false);
    identity->permissions = identity->administer ? KV_MAY_ALL : read_permissions(reader);
    if (identity->system_assigned && identity->resource_id != NULL) {
        refuse(reader, reader->group, "system_assigned", "excludes resource_id");
    }
    identity->tenant_id = text_or(reader, "tenant_id", config->tenant_id);
    identity->installed_in_count = read_tenants(reader, "installed_in", identity->installed_in);
    check_tenants(reader, config, identity);
}

/* An authority takes the tokens of a user-assigned managed identity for those of an application of the
 * same tenant, and of nobody else of its own. */
static void check_voucher(struct reader *outer, const struct kv_config *config,
                          const struct kv_config_identity *application)
{
    const char *name = application->federated.identity;
    for (size_t i = 0; name != NULL && i < config->identities_count; i++) {
        const struct kv_config_identity *other = &config->identities[i];
        if (strcmp(other->name, name) == 0 && other->resource_id != NULL &&
            strcasecmp(other->tenant_id, application->tenant_id) == 0) {
            return;
        }
    }
    if (name != NULL) {
        refuse(
            outer, outer->group, name,
            "is no user-assigned managed identity of the tenant of the application that trusts it");
    }
}

static void read_identities(struct reader *outer, struct kv_config *config)
{
    const config_setting_t *list = config_setting_get_member(outer->group, "identities");
    const unsigned count = list == NULL ? 0 : (unsigned)config_setting_length(list);
    if (count > KV_IDENTITIES_MAX) {
        refuse(outer, list, "identities", "are too many");
        return;
    }
    for (unsigned i = 0; i < count && outer->status == GK_OK; i++) {
        const config_setting_t *group = config_setting_get_elem(list, i);
        if (!config_setting_is_group(group)) {
            refuse(outer, list, "identities", "must be groups: ( { name = ...; }, ... )");
            return;
        }
        struct reader reader = group_reader(outer, group);
        struct kv_config_identity *identity = &config->identities[i];
        read_identity(&reader, config, identity);
        for (size_t k = 0; k < config->identities_count && reader.status == GK_OK; k++) {
            const struct kv_config_identity *other = &config->identities[k];
            if (strcmp(other->name, identity->name) == 0 ||
                strcmp(other->client_id, identity->client_id) == 0) {
                refuse(&reader, group, identity->name, "has the name or client_id of another");
            }
            if (other->system_assigned && identity->system_assigned) {
                refuse(&reader, group, identity->name, "is a second system-assigned identity");
            }
        }
        config->identities_count = i + 1;
        outer->status = reader.status;
    }
    for (size_t i = 0; i < config->identities_count; i++) {
        check_voucher(outer, config, &config->identities[i]);
    }
}

static void read_root(struct reader *reader, struct kv_config *config)
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
    only(reader, known);
    read_listen(reader, &config->listen);
    read_imds(reader, config);
    config->state_dir = required_file(reader, "state_dir");
    read_kind(reader, config);
    config->host = text_or(reader, "host", "localhost");
    config->tenant_id = text(reader, "tenant_id");
    config->tenants_count = read_tenants(reader, "tenants", config->tenants);
    config->authority = text_or(reader, "authority", NULL);
    config->token_secret_file = file(reader, "token_secret_file");
    config->resource =
        text_or(reader, "resource",
                config->managed_hsm ? "https://managedhsm.azure.net" : "https://vault.azure.net");
    config->token_lifetime_s = number(reader, "token_lifetime_s", 1, 86400, 3600);
    config->oaep_256 = flag(reader, "oaep_256", true);
    config->purge_protection = flag(reader, "purge_protection", true);
    config->recoverable_days = number(reader, "recoverable_days", 0, 90, 90);
    if (config->authority != NULL &&
        (strncmp(config->authority, "https://", 8) != 0 || config->token_secret_file == NULL)) {
        refuse(reader, reader->group, "authority",
               "is https:// and of another process, whose token_secret_file it needs");
    }
    if (config->recoverable_days != 0 && config->recoverable_days < 7) {
        refuse(reader, reader->group, "recoverable_days", "must be 7 to 90, or 0: no soft delete");
    }
    if (config->recoverable_days == 0 && config->purge_protection) {
        refuse(reader, reader->group, "purge_protection", "needs soft delete");
    }
    read_identities(reader, config);
    read_control(reader, config);
}

enum gk_status kv_config_read(const char *path, struct kv_config *config, struct gk_error *error)
{
    memset(config, 0, sizeof *config);
    config_init(&config->file);
    if (config_read_file(&config->file, path) != CONFIG_TRUE) {
        const enum gk_status status =
            gk_fail(error, GK_E_INVALID, "%s:%d: %s", path, config_error_line(&config->file),
                    config_error_text(&config->file));
        config_destroy(&config->file);
        return status;
    }
    struct reader reader = {
        .path = path, .group = config_root_setting(&config->file), .error = error, .status = GK_OK};
    read_root(&reader, config);
    if (reader.status != GK_OK) {
        config_destroy(&config->file);
    }
    return reader.status;
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
