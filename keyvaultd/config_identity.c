/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "keyvaultd/config_reader.h"

size_t kv_read_tenants(struct kv_reader *reader, const char *name,
                       const char *tenants[KV_TENANTS_MAX])
{
    const config_setting_t *list = kv_read_list(reader, name, KV_TENANTS_MAX);
    const unsigned count = list == NULL ? 0 : (unsigned)config_setting_length(list);
    for (unsigned i = 0; i < count; i++) {
        tenants[i] = config_setting_get_string_elem(list, (int)i);
        if (tenants[i] == NULL || !kv_is_plain(tenants[i])) {
            kv_reader_refuse(reader, list, name,
                             "member %u is no tenant's id; write it in double quotes", i + 1);
            return 0;
        }
    }
    return count;
}

static uint32_t read_permissions(struct kv_reader *reader)
{
    uint32_t bits = 0;
    const config_setting_t *list = kv_read_list(reader, "permissions", UINT16_MAX);
    const unsigned count = list == NULL ? 0 : (unsigned)config_setting_length(list);
    for (unsigned i = 0; i < count; i++) {
        const char *name = config_setting_get_string_elem(list, (int)i);
        const uint32_t bit = name == NULL ? 0 : kv_permission_of(name);
        if (bit == 0) {
            kv_reader_refuse(reader, list, "permissions",
                             "member %u is no permission; give names as \"get\" or \"unwrapKey\"",
                             i + 1);
        }
        bits |= bit;
    }
    return bits;
}

/* A managed identity is of one tenant, as the real ones are. */
static void check_tenants(struct kv_reader *reader, const struct kv_config *config,
                          const struct kv_config_identity *identity)
{
    const bool managed = identity->system_assigned || identity->resource_id != NULL;
    if (managed && identity->installed_in_count > 0) {
        kv_reader_refuse(reader, reader->group, "installed_in",
                         "is for applications, not managed identities; remove it");
    }
    if (!kv_config_serves_tenant(config, identity->tenant_id)) {
        kv_reader_refuse(reader, reader->group, "tenant_id", "is not among tenants; add it there");
    }
    for (size_t i = 0; i < identity->installed_in_count; i++) {
        if (!kv_config_serves_tenant(config, identity->installed_in[i])) {
            kv_reader_refuse(reader, reader->group, "installed_in",
                             "%s is not among tenants; add it there", identity->installed_in[i]);
        }
    }
}

static void read_federated(struct kv_reader *outer, struct kv_config_federated *federated)
{
    static const char *const known[] = {"issuer",   "subject",   "audience",
                                        "identity", "jwks_file", NULL};
    const config_setting_t *group = kv_read_group(outer, "federated");
    if (group == NULL) {
        return;
    }
    struct kv_reader reader = kv_reader_of(outer, group);
    kv_read_only(&reader, known);
    federated->audience = kv_read_text_or(&reader, "audience", "api://AzureADTokenExchange");
    federated->identity = kv_read_text_or(&reader, "identity", NULL);
    if (federated->identity == NULL) {
        federated->issuer = kv_read_text(&reader, "issuer");
        federated->subject = kv_read_text(&reader, "subject");
        federated->jwks_file = kv_read_required_path(&reader, "jwks_file");
    } else if (config_setting_get_member(group, "issuer") != NULL ||
               config_setting_get_member(group, "subject") != NULL ||
               config_setting_get_member(group, "jwks_file") != NULL) {
        kv_reader_refuse(&reader, group, "identity",
                         "excludes issuer, subject and jwks_file; remove it, or all of these");
    }
    outer->status = reader.status;
}

static void read_identity(struct kv_reader *reader, const struct kv_config *config,
                          struct kv_config_identity *identity)
{
    static const char *const known[] = {
        "name",         "client_id",   "client_secret_file", "client_certificate_file",
        "federated",    "resource_id", "system_assigned",    "tenant_id",
        "installed_in", "administer",  "permissions",        NULL};
    kv_read_only(reader, known);
    identity->name = kv_read_text(reader, "name");
    identity->client_id = kv_read_text(reader, "client_id");
    identity->client_secret_file = kv_read_path(reader, "client_secret_file");
    identity->client_certificate_file = kv_read_path(reader, "client_certificate_file");
    read_federated(reader, &identity->federated);
    identity->resource_id = kv_read_text_or(reader, "resource_id", NULL);
    identity->system_assigned = kv_read_flag_or(reader, "system_assigned", false);
    identity->administer = kv_read_flag_or(reader, "administer", false);
    identity->permissions = identity->administer ? KV_MAY_ALL : read_permissions(reader);
    if (identity->system_assigned && identity->resource_id != NULL) {
        kv_reader_refuse(reader, reader->group, "system_assigned",
                         "excludes resource_id; remove one");
    }
    identity->tenant_id = kv_read_text_or(reader, "tenant_id", config->tenant_id);
    identity->installed_in_count = kv_read_tenants(reader, "installed_in", identity->installed_in);
    check_tenants(reader, config, identity);
}

static void check_distinct(struct kv_reader *reader, const struct kv_config *config,
                           const struct kv_config_identity *identity)
{
    for (size_t i = 0; i < config->identities_count && reader->status == GK_OK; i++) {
        const struct kv_config_identity *other = &config->identities[i];
        if (strcmp(other->name, identity->name) == 0 ||
            strcmp(other->client_id, identity->client_id) == 0) {
            kv_reader_refuse(reader, reader->group, identity->name,
                             "has the name or client_id of another; choose one of its own");
        }
        if (other->system_assigned && identity->system_assigned) {
            kv_reader_refuse(reader, reader->group, identity->name,
                             "is a second system-assigned identity; a host has one, remove it");
        }
    }
}

/* An authority takes the tokens of a user-assigned managed identity for those of an application of the
 * same tenant, and of nobody else of its own. */
static void check_voucher(struct kv_reader *reader, const struct kv_config *config,
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
        kv_reader_refuse(
            reader, reader->group, name,
            "is no user-assigned managed identity of the tenant of the application that "
            "trusts it; name one with a resource_id");
    }
}

void kv_read_identities(struct kv_reader *outer, struct kv_config *config)
{
    const config_setting_t *list = kv_read_list(outer, "identities", KV_IDENTITIES_MAX);
    const unsigned count = list == NULL ? 0 : (unsigned)config_setting_length(list);
    for (unsigned i = 0; i < count && outer->status == GK_OK; i++) {
        const config_setting_t *group = config_setting_get_elem(list, i);
        if (!config_setting_is_group(group)) {
            kv_reader_refuse(outer, list, "identities",
                             "member %u is no group; write ( { name = ...; }, ... )", i + 1);
            return;
        }
        struct kv_reader reader = kv_reader_of(outer, group);
        struct kv_config_identity *identity = &config->identities[i];
        read_identity(&reader, config, identity);
        check_distinct(&reader, config, identity);
        config->identities_count = i + 1;
        outer->status = reader.status;
    }
    for (unsigned i = 0; i < config->identities_count && outer->status == GK_OK; i++) {
        struct kv_reader reader = kv_reader_of(outer, config_setting_get_elem(list, i));
        check_voucher(&reader, config, &config->identities[i]);
        outer->status = reader.status;
    }
}
