/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "gateway/config_value.h"

#define PORT_DEFAULT      443u
#define TIMEOUT_S_DEFAULT 30u
#define TIMEOUT_S_MAX     600u

/* "*." and the name of a domain with a dot of its own, so that nobody allows all of .com by mistake; or a
 * name. */
static enum gk_status set_name(struct gk_config *config, const config_setting_t *setting,
                               struct gk_copy_host *host, struct gk_error *error)
{
    const char *name = "";
    enum gk_status status = gk_config_text(config, setting, &name, error);
    if (status != GK_OK) {
        return status;
    }
    const bool below = strncmp(name, "*.", 2) == 0;
    if (below && strchr(name + 2, '.') == NULL) {
        return gk_config_refuse(config, setting, error,
                                "host: \"%s\" is too much; write it as in \"*.files.example\"",
                                name);
    }
    host->name = name;
    return gk_config_check_domain(config, setting, name + (below ? 2 : 0), error);
}

static enum gk_status set_ca_file(struct gk_config *config, const config_setting_t *setting,
                                  struct gk_copy_host *host, struct gk_error *error)
{
    const char *path = "";
    enum gk_status status = gk_config_text(config, setting, &path, error);
    if (status == GK_OK) {
        status = gk_config_check_absolute(config, setting, path, error);
    }
    host->ca_file = path;
    return status == GK_OK ? gk_config_check_readable(config, setting, path, error) : status;
}

static enum gk_status set_member(struct gk_config *config, const config_setting_t *setting,
                                 struct gk_copy_host *host, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    if (strcmp(name, "host") == 0) {
        return set_name(config, setting, host, error);
    }
    if (strcmp(name, "port") == 0) {
        return gk_config_number(config, setting, 1, UINT16_MAX, &host->port, error);
    }
    if (strcmp(name, "ca_file") == 0) {
        return set_ca_file(config, setting, host, error);
    }
    if (strcmp(name, "allow_private") == 0) {
        return gk_config_bool(config, setting, &host->allow_private, error);
    }
    if (strcmp(name, "timeout_s") == 0) {
        return gk_config_number(config, setting, 1, TIMEOUT_S_MAX, &host->timeout_s, error);
    }
    static const char *const names[] = {"host", "port", "ca_file", "allow_private", "timeout_s"};
    return gk_config_refuse_unknown(config, setting, names, sizeof names / sizeof *names, error);
}

static enum gk_status read_host(struct gk_config *config, const config_setting_t *group,
                                struct gk_error *error)
{
    struct gk_copy_host *host = &config->blob.copy_hosts[config->blob.copy_hosts_count];
    if (!config_setting_is_group(group)) {
        return gk_config_refuse(config, group, error,
                                "copy_sources: an entry is not a group of settings; write "
                                "( { host = \"files.example\"; } )");
    }
    *host = (struct gk_copy_host){.port = PORT_DEFAULT, .timeout_s = TIMEOUT_S_DEFAULT};
    enum gk_status status = GK_OK;
    const int count = config_setting_length(group);
    for (int i = 0; status == GK_OK && i < count; i++) {
        status = set_member(config, config_setting_get_elem(group, (unsigned)i), host, error);
    }
    if (status == GK_OK && host->name == NULL) {
        return gk_config_refuse(config, group, error, "host: is missing; add it");
    }
    config->blob.copy_hosts_count++;
    return status;
}

enum gk_status gk_config_read_copy_sources(struct gk_config *config, const config_setting_t *list,
                                           struct gk_error *error)
{
    if (list == NULL) {
        return GK_OK;
    }
    if (config_setting_length(list) > (int)GK_COPY_HOSTS_MAX) {
        return gk_config_refuse(config, list, error,
                                "copy_sources: are more than %u; name fewer, or a domain",
                                GK_COPY_HOSTS_MAX);
    }
    enum gk_status status = GK_OK;
    const int count = config_setting_length(list);
    for (int i = 0; status == GK_OK && i < count; i++) {
        status = read_host(config, config_setting_get_elem(list, (unsigned)i), error);
    }
    return status;
}
