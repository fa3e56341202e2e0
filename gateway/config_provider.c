/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "gateway/config_value.h"

/* --- the provider's settings -------------------------------------------------------------------*/

static char *keep(struct gk_config *config, char *text)
{
    struct gk_config_private *private_ = config->private_;
    if (text == NULL || private_->texts_count >= GK_CONFIG_TEXTS_MAX) {
        free(text);
        return NULL;
    }
    private_->texts[private_->texts_count++] = text;
    return text;
}

const char *gk_config_origin(struct gk_config *config, const config_setting_t *setting)
{
    const char *file = config_setting_source_file(setting);
    char *origin = NULL;
    if (asprintf(&origin, "%s:%u", file == NULL ? config->private_->path : file,
                 (unsigned)config_setting_source_line(setting)) < 0) {
        origin = NULL;
    }
    return keep(config, origin);
}

static enum gk_status scalar_text(const struct gk_config *config, const config_setting_t *setting,
                                  char **out, struct gk_error *error)
{
    const char *text = NULL;
    enum gk_status status = GK_OK;
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        status = gk_config_text(config, setting, &text, error);
        *out = status == GK_OK ? strdup(text) : NULL;
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        if (asprintf(out, "%lld", config_setting_get_int64(setting)) < 0) {
            *out = NULL;
        }
        break;
    case CONFIG_TYPE_BOOL:
        *out = strdup(config_setting_get_bool(setting) ? "true" : "false");
        break;
    default:
        *out = NULL;
        return gk_config_refuse(
            config, setting, error,
            "%s: is neither text, whole number nor true or false; give one of these",
            config_setting_name(setting));
    }
    if (status == GK_OK && *out == NULL) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    return status;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t text_len = strlen(text);
    const size_t end_len = strlen(end);
    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

/* A secret in the file itself is refused by its name: what it is called is all that we can see. */
static enum gk_status check_provider_name(const struct gk_config *config,
                                          const config_setting_t *setting, struct gk_error *error)
{
    static const char *const words[] = {"secret", "password", "token", "private"};
    const char *name = config_setting_name(setting);
    const bool is_file = ends_with(name, "_file");
    for (size_t i = 0; i < sizeof words / sizeof words[0] && !is_file; i++) {
        if (strstr(name, words[i]) != NULL) {
            return gk_config_refuse(
                config, setting, error,
                "%s: a secret does not belong in this file; put it into one of mode "
                "0600 and name that in %s_file",
                name, name);
        }
    }
    const char *path = is_file ? config_setting_get_string(setting) : NULL;
    if (path == NULL) {
        return GK_OK;
    }
    const enum gk_status status = gk_config_check_absolute(config, setting, path, error);
    if (status != GK_OK) {
        return status;
    }
    /* A CA file is public. */
    return strcmp(name, "ca_file") == 0 ? gk_config_check_readable(config, setting, path, error)
                                        : gk_config_check_secret(config, setting, path, error);
}

static enum gk_status add_setting(struct gk_config *config, const char *prefix,
                                  const config_setting_t *setting, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    enum gk_status status = check_provider_name(config, setting, error);
    if (status != GK_OK) {
        return status;
    }
    char *value = NULL;
    status = scalar_text(config, setting, &value, error);
    if (status != GK_OK) {
        return status;
    }
    const char *kept = keep(config, value);
    char *key = NULL;
    const char *origin = gk_config_origin(config, setting);
    if (kept == NULL || origin == NULL || asprintf(&key, "%s%s", prefix, name) < 0 ||
        (key = keep(config, key)) == NULL) {
        return gk_config_refuse(config, setting, error,
                                "%s: there are more than %u settings; use fewer", name,
                                GK_CONFIG_SETTINGS_MAX);
    }
    config->settings[config->settings_count++] =
        (struct gk_plugin_setting){.key = key, .value = kept, .origin = origin};
    return GK_OK;
}

/* identities = ( { kind = "..."; }, ... ) becomes identity.0.kind and so on. */
static enum gk_status add_list(struct gk_config *config, const config_setting_t *list,
                               const char *prefix, struct gk_error *error)
{
    const char *name = config_setting_name(list);
    if (!config_setting_is_list(list)) {
        return gk_config_refuse(config, list, error,
                                "%s: is not a list; write %s = ( { ... }, { ... } );", name, name);
    }
    const int count = config_setting_length(list);
    for (int i = 0; i < count; i++) {
        const config_setting_t *group = config_setting_get_elem(list, (unsigned)i);
        if (!config_setting_is_group(group) || config_setting_length(group) == 0) {
            return gk_config_refuse(
                config, group, error,
                "%s: an entry is not a group of settings; write ( { name = value; } )", name);
        }
        char flat[64];
        snprintf(flat, sizeof flat, "%s.%d.", prefix, i);
        const int members = config_setting_length(group);
        for (int j = 0; j < members; j++) {
            const enum gk_status status =
                add_setting(config, flat, config_setting_get_elem(group, (unsigned)j), error);
            if (status != GK_OK) {
                return status;
            }
        }
    }
    return GK_OK;
}

static enum gk_status add_provider_setting(struct gk_config *config,
                                           const config_setting_t *setting, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    if (strcmp(name, "identities") == 0) {
        return add_list(config, setting, "identity", error);
    }
    if (strcmp(name, "vaults") == 0) {
        return add_list(config, setting, "vault", error);
    }
    if (strcmp(name, "vault_deadline_ms") == 0) {
        const enum gk_status status =
            gk_config_number(config, setting, 100, 600000, &config->vault_deadline_ms, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return add_setting(config, "", setting, error);
}

enum gk_status gk_config_read_provider(struct gk_config *config, const config_setting_t *group,
                                       struct gk_error *error)
{
    const int count = config_setting_length(group);
    for (int i = 0; i < count; i++) {
        const enum gk_status status =
            add_provider_setting(config, config_setting_get_elem(group, (unsigned)i), error);
        if (status != GK_OK) {
            return status;
        }
    }
    if (config_setting_get_member(group, "service_key_file") == NULL) {
        return gk_config_refuse(config, group, error,
                                "provider.service_key_file: is missing; make a key with gatekeyctl "
                                "service-key create, and name its file");
    }
    return GK_OK;
}
