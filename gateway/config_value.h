/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the configuration reader: one function a kind of value. All refuse with
 * GK_E_INVALID and "file:line: setting: reason; remedy".
 */
#ifndef GATEWAY_CONFIG_VALUE_H
#define GATEWAY_CONFIG_VALUE_H

#include <libconfig.h>

#include "gateway/config.h"

#define GK_CONFIG_SETTINGS_MAX 4096u
#define GK_CONFIG_TEXTS_MAX    (3u * GK_CONFIG_SETTINGS_MAX)

struct gk_config_private {
    config_t file;
    char *path;
    char *texts[GK_CONFIG_TEXTS_MAX]; /* flattened names, values and origins, owned */
    size_t texts_count;
};

enum gk_status gk_config_refuse(const struct gk_config *config, const config_setting_t *setting,
                                struct gk_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* A setting of a name that is none of names[0, count), which are what is known in its place. */
enum gk_status gk_config_refuse_unknown(const struct gk_config *config,
                                        const config_setting_t *setting, const char *const *names,
                                        size_t count, struct gk_error *error);

/* The setting's text, not empty, without control characters. */
enum gk_status gk_config_text(const struct gk_config *config, const config_setting_t *setting,
                              const char **text, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_config_number(const struct gk_config *config, const config_setting_t *setting,
                                uint32_t minimum, uint32_t maximum, uint32_t *out,
                                struct gk_error *error) GK_MUST_USE;
enum gk_status gk_config_listen_of(const struct gk_config *config, const config_setting_t *setting,
                                   const char *text, bool loopback_only,
                                   struct gk_config_listen *out,
                                   struct gk_error *error) GK_MUST_USE;
enum gk_status gk_config_log_level_of(const struct gk_config *config,
                                      const config_setting_t *setting, const char *text,
                                      enum gk_log_level *out, struct gk_error *error) GK_MUST_USE;

enum gk_status gk_config_bool(const struct gk_config *config, const config_setting_t *setting,
                              bool *out, struct gk_error *error) GK_MUST_USE;

/* The checks below take the setting's text. */
enum gk_status gk_config_check_absolute(const struct gk_config *config,
                                        const config_setting_t *setting, const char *path,
                                        struct gk_error *error) GK_MUST_USE;
/* A directory, or nothing yet. */
enum gk_status gk_config_check_directory(const struct gk_config *config,
                                         const config_setting_t *setting, const char *path,
                                         struct gk_error *error) GK_MUST_USE;
/* A regular file that this user may read. */
enum gk_status gk_config_check_readable(const struct gk_config *config,
                                        const config_setting_t *setting, const char *path,
                                        struct gk_error *error) GK_MUST_USE;
/* The same, closed to others. */
enum gk_status gk_config_check_secret(const struct gk_config *config,
                                      const config_setting_t *setting, const char *path,
                                      struct gk_error *error) GK_MUST_USE;
/* A regular file that this user may write to, or a name for one in a directory where it may make it. */
enum gk_status gk_config_check_new_file(const struct gk_config *config,
                                        const config_setting_t *setting, const char *path,
                                        struct gk_error *error) GK_MUST_USE;
/* A socket that is there. */
enum gk_status gk_config_check_socket(const struct gk_config *config,
                                      const config_setting_t *setting, const char *path,
                                      struct gk_error *error) GK_MUST_USE;
enum gk_status gk_config_check_domain(const struct gk_config *config,
                                      const config_setting_t *setting, const char *text,
                                      struct gk_error *error) GK_MUST_USE;

/* config_provider.c: "file:line" of a setting, owned by config; NULL: out of memory, or of room. */
const char *gk_config_origin(struct gk_config *config, const config_setting_t *setting);

/* config_bearer.c: group NULL: there is none. */
enum gk_status gk_config_read_bearer(struct gk_config *config, const config_setting_t *group,
                                     struct gk_error *error) GK_MUST_USE;
/* config_callers.c: list NULL: there is none. */
enum gk_status gk_config_read_callers(struct gk_config *config, const config_setting_t *list,
                                      struct gk_error *error) GK_MUST_USE;
/* config_copy.c: list NULL: there is none. */
enum gk_status gk_config_read_copy_sources(struct gk_config *config, const config_setting_t *list,
                                           struct gk_error *error) GK_MUST_USE;
/* config_policy.c: group NULL: there is none. */
enum gk_status gk_config_read_policy(struct gk_config *config, const config_setting_t *group,
                                     struct gk_error *error) GK_MUST_USE;
/* config_provider.c: flattens the group "provider" into config->settings. */
enum gk_status gk_config_read_provider(struct gk_config *config, const config_setting_t *group,
                                       struct gk_error *error) GK_MUST_USE;

#endif
