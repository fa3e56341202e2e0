/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/text.h"
#include "gateway/config_value.h"

#define AUDIENCE_DEFAULT "https://storage.azure.com"

/* A member's text; NULL when it is not there. */
static enum gk_status text_of(const struct gk_config *config, const config_setting_t *group,
                              const char *name, const char **text, struct gk_error *error)
{
    const config_setting_t *setting = config_setting_get_member(group, name);
    return setting == NULL ? GK_OK : gk_config_text(config, setting, text, error);
}

static enum gk_status check_names(const struct gk_config *config, const config_setting_t *group,
                                  const char *const *names, size_t names_count,
                                  struct gk_error *error)
{
    const int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
        size_t at = 0;
        while (at < names_count && strcmp(names[at], config_setting_name(setting)) != 0) {
            at++;
        }
        if (at == names_count) {
            return gk_config_refuse_unknown(config, setting, names, names_count, error);
        }
    }
    return GK_OK;
}

/* --- principals ---------------------------------------------------------------------------------*/

static bool role_of(const char *text, enum gk_config_role *role)
{
    static const char *const names[] = {[GK_ROLE_DELEGATOR] = "delegator",
                                        [GK_ROLE_READER] = "reader",
                                        [GK_ROLE_CONTRIBUTOR] = "contributor",
                                        [GK_ROLE_OWNER] = "owner"};
    for (size_t i = 0; text != NULL && i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            *role = (enum gk_config_role)i;
            return true;
        }
    }
    return false;
}

static enum gk_status read_principal(struct gk_config *config, const config_setting_t *group,
                                     struct gk_error *error)
{
    static const char *const names[] = {"object_id", "role", "account"};
    struct gk_config_bearer *bearer = &config->bearer;
    struct gk_config_principal *principal = &bearer->principals[bearer->principals_count];
    const char *object = NULL;
    const char *role = NULL;
    if (!config_setting_is_group(group)) {
        return gk_config_refuse(config, group, error,
                                "principals: an entry is not a group of settings; write "
                                "( { name = value; } )");
    }
    enum gk_status status = check_names(config, group, names, sizeof names / sizeof *names, error);
    if (status == GK_OK) {
        status = text_of(config, group, "object_id", &object, error);
    }
    if (status == GK_OK) {
        status = text_of(config, group, "role", &role, error);
    }
    if (status == GK_OK) {
        status = text_of(config, group, "account", &principal->account, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (object == NULL || !gk_id_parse(object, &principal->object)) {
        return gk_config_refuse(config, group, error,
                                "object_id: is missing or no GUID; give the oid of its tokens");
    }
    if (!role_of(role, &principal->role)) {
        return gk_config_refuse(config, group, error,
                                "role: is missing or not known; give delegator, reader, "
                                "contributor or owner");
    }
    bearer->principals_count++;
    return GK_OK;
}

static enum gk_status read_principals(struct gk_config *config, const config_setting_t *group,
                                      struct gk_error *error)
{
    const config_setting_t *list = config_setting_get_member(group, "principals");
    if (list == NULL || !config_setting_is_list(list) ||
        config_setting_length(list) > (int)GK_CONFIG_PRINCIPALS_MAX) {
        return gk_config_refuse(config, list == NULL ? group : list, error,
                                "bearer.principals: is missing or no list of %u at most; write "
                                "principals = ( { ... }, { ... } );",
                                GK_CONFIG_PRINCIPALS_MAX);
    }
    enum gk_status status = GK_OK;
    const int count = config_setting_length(list);
    for (int i = 0; status == GK_OK && i < count; i++) {
        status = read_principal(config, config_setting_get_elem(list, (unsigned)i), error);
    }
    return status;
}

/* --- the group ----------------------------------------------------------------------------------*/

static enum gk_status check_needed(const struct gk_config *config, const config_setting_t *group,
                                   struct gk_error *error)
{
    const struct gk_config_bearer *bearer = &config->bearer;
    if (bearer->issuer == NULL || bearer->jwks_file == NULL) {
        return gk_config_refuse(config, group, error,
                                "bearer: issuer or jwks_file is missing; give both");
    }
    if (!config->blob.tls_listen.given) {
        return gk_config_refuse(config, group, error,
                                "bearer: tokens are taken over HTTPS alone; add blob.tls_listen");
    }
    const config_setting_t *file = config_setting_get_member(group, "jwks_file");
    const enum gk_status status = gk_config_check_absolute(config, file, bearer->jwks_file, error);
    return status == GK_OK ? gk_config_check_readable(config, file, bearer->jwks_file, error)
                           : status;
}

enum gk_status gk_config_read_bearer(struct gk_config *config, const config_setting_t *group,
                                     struct gk_error *error)
{
    static const char *const names[] = {"issuer", "audience", "jwks_file", "principals"};
    struct gk_config_bearer *bearer = &config->bearer;
    if (group == NULL) {
        return GK_OK;
    }
    bearer->given = true;
    bearer->audience = AUDIENCE_DEFAULT;
    enum gk_status status = check_names(config, group, names, sizeof names / sizeof *names, error);
    if (status == GK_OK) {
        status = text_of(config, group, "issuer", &bearer->issuer, error);
    }
    if (status == GK_OK) {
        status = text_of(config, group, "audience", &bearer->audience, error);
    }
    if (status == GK_OK) {
        status = text_of(config, group, "jwks_file", &bearer->jwks_file, error);
    }
    if (status == GK_OK) {
        status = check_needed(config, group, error);
    }
    return status == GK_OK ? read_principals(config, group, error) : status;
}
