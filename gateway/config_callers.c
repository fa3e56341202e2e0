/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gateway/config_value.h"
#include "gateway/manage/certificate_name.h"

#define NAME_BYTES_MAX 64u

/* What stands in the audit must be nobody else's name. */
static enum gk_status set_name(struct gk_config *config, const config_setting_t *setting,
                               struct gk_config_caller *caller, struct gk_error *error)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-@";
    const enum gk_status status = gk_config_text(config, setting, &caller->name, error);
    if (status != GK_OK) {
        return status;
    }
    const char *name = caller->name;
    if (name[strspn(name, allowed)] != '\0' || strlen(name) > NAME_BYTES_MAX) {
        return gk_config_refuse(config, setting, error,
                                "name: write 1 to %u letters, digits, dots, dashes, underscores or "
                                "at signs",
                                NAME_BYTES_MAX);
    }
    bool taken = strcmp(name, GK_CALLER_OPERATOR) == 0 || strcmp(name, GK_AUDIT_ACTOR_SELF) == 0 ||
                 strcmp(name, GK_AUDIT_ACTOR_SIGNAL) == 0;
    for (size_t i = 0; i < config->management.callers_count; i++) {
        taken = taken || strcmp(name, config->management.callers[i].name) == 0;
    }
    return taken ? gk_config_refuse(config, setting, error, "name: %s is taken; give another", name)
                 : GK_OK;
}

static enum gk_status set_token_file(struct gk_config *config, const config_setting_t *setting,
                                     struct gk_config_caller *caller, struct gk_error *error)
{
    enum gk_status status = gk_config_text(config, setting, &caller->token_file, error);
    if (status == GK_OK) {
        status = gk_config_check_absolute(config, setting, caller->token_file, error);
    }
    return status == GK_OK ? gk_config_check_secret(config, setting, caller->token_file, error)
                           : status;
}

static bool is_of_another(const struct gk_config *config, const struct gk_certificate_name *name)
{
    bool found = false;
    for (size_t i = 0; i < config->management.callers_count; i++) {
        const char *text = config->management.callers[i].certificate;
        struct gk_certificate_name other;
        if (text != NULL && gk_certificate_name_init(&other, text)) {
            found = found || gk_certificate_name_equal(name, &other);
            gk_certificate_name_cleanup(&other);
        }
    }
    return found;
}

static enum gk_status set_certificate(struct gk_config *config, const config_setting_t *setting,
                                      struct gk_config_caller *caller, struct gk_error *error)
{
    struct gk_certificate_name name;
    enum gk_status status = gk_config_text(config, setting, &caller->certificate, error);
    if (status != GK_OK) {
        return status;
    }
    if (config->management.client_ca == NULL) {
        return gk_config_refuse(config, setting, error,
                                "certificate: nobody vouches for it; add client_ca beside callers");
    }
    if (!gk_certificate_name_init(&name, caller->certificate)) {
        return gk_config_refuse(config, setting, error,
                                "certificate: %s names none; write \"uri:...\", \"dns:...\", "
                                "\"subject:CN=...\" or \"sha256:...\" with 64 digits",
                                caller->certificate);
    }
    if (is_of_another(config, &name)) {
        status = gk_config_refuse(config, setting, error,
                                  "certificate: %s is another caller's, too; give each one of "
                                  "their own",
                                  caller->certificate);
    }
    gk_certificate_name_cleanup(&name);
    return status;
}

static enum gk_status set_role(struct gk_config *config, const config_setting_t *setting,
                               struct gk_config_caller *caller, struct gk_error *error)
{
    static const struct {
        const char *name;
        enum gk_manage_role role;
    } roles[] = {{"reader", GK_MANAGE_READER},
                 {"key-operator", GK_MANAGE_KEY_OPERATOR},
                 {"owner", GK_MANAGE_OWNER}};
    const char *text = NULL;
    const enum gk_status status = gk_config_text(config, setting, &text, error);
    for (size_t i = 0; status == GK_OK && i < sizeof roles / sizeof *roles; i++) {
        if (strcmp(text, roles[i].name) == 0) {
            caller->role = roles[i].role;
            return GK_OK;
        }
    }
    return status == GK_OK
               ? gk_config_refuse(config, setting, error,
                                  "role: %s is not known; give reader, key-operator or owner", text)
               : status;
}

static enum gk_status set_member(struct gk_config *config, const config_setting_t *setting,
                                 struct gk_config_caller *caller, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    if (strcmp(name, "name") == 0) {
        return set_name(config, setting, caller, error);
    }
    if (strcmp(name, "token_file") == 0) {
        return set_token_file(config, setting, caller, error);
    }
    if (strcmp(name, "role") == 0) {
        return set_role(config, setting, caller, error);
    }
    if (strcmp(name, "certificate") == 0) {
        return set_certificate(config, setting, caller, error);
    }
    static const char *const names[] = {"name", "role", "token_file", "certificate"};
    return gk_config_refuse_unknown(config, setting, names, sizeof names / sizeof *names, error);
}

static enum gk_status read_caller(struct gk_config *config, const config_setting_t *group,
                                  struct gk_error *error)
{
    struct gk_config_caller caller = {.role = GK_MANAGE_READER};
    if (!config_setting_is_group(group)) {
        return gk_config_refuse(config, group, error,
                                "callers: an entry is not a group of settings; write "
                                "( { name = \"alice\"; token_file = \"/...\"; } )");
    }
    enum gk_status status = GK_OK;
    const int count = config_setting_length(group);
    for (int i = 0; status == GK_OK && i < count; i++) {
        status = set_member(config, config_setting_get_elem(group, (unsigned)i), &caller, error);
    }
    if (status == GK_OK && caller.name == NULL) {
        status = gk_config_refuse(config, group, error, "name: is missing; add it");
    }
    if (status == GK_OK && caller.token_file == NULL && caller.certificate == NULL) {
        status = gk_config_refuse(config, group, error,
                                  "token_file: is missing, and so is certificate; add one of them");
    }
    if (status == GK_OK) {
        config->management.callers[config->management.callers_count++] = caller;
    }
    return status;
}

enum gk_status gk_config_read_callers(struct gk_config *config, const config_setting_t *list,
                                      struct gk_error *error)
{
    if (list == NULL) {
        return GK_OK;
    }
    if (config_setting_length(list) > (int)GK_CALLERS_MAX) {
        return gk_config_refuse(config, list, error, "callers: are more than %u; name fewer",
                                GK_CALLERS_MAX);
    }
    enum gk_status status = GK_OK;
    const int count = config_setting_length(list);
    for (int i = 0; status == GK_OK && i < count; i++) {
        status = read_caller(config, config_setting_get_elem(list, (unsigned)i), error);
    }
    return status;
}
