/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/config_value.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/nearest.h"
#include "common/span.h"
#include "common/text.h"

#define VALUE_BYTES_MAX 4096u

/* --- refusals ----------------------------------------------------------------------------------*/

enum gk_status gk_config_refuse(const struct gk_config *config, const config_setting_t *setting,
                                struct gk_error *error, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const char *file = config_setting_source_file(setting);
    const unsigned line = config_setting_source_line(setting);
    return gk_fail(error, GK_E_INVALID, "%s:%u: %s", file == NULL ? config->private_->path : file,
                   line == 0 ? 1 : line, text);
}

enum gk_status gk_config_refuse_unknown(const struct gk_config *config,
                                        const config_setting_t *setting, const char *const *names,
                                        size_t count, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    const char *meant = gk_nearest_name(name, names, count);
    char known[256] = "";
    for (size_t i = 0; i < count; i++) {
        const size_t len = strlen(known);
        snprintf(known + len, sizeof known - len, "%s%s", len == 0 ? "" : ", ", names[i]);
    }
    return gk_config_refuse(config, setting, error,
                            "%s: there is no such setting%s%s%s; known here are %s", name,
                            meant == NULL ? "" : "; perhaps ", meant == NULL ? "" : meant,
                            meant == NULL ? "" : " is meant", known);
}

enum gk_status gk_config_blame(const struct gk_config *config, const char *path,
                               struct gk_error *error)
{
    const struct gk_config_private *private_ = config->private_;
    const config_setting_t *setting = config_lookup(&private_->file, path);
    const char *dot = strrchr(path, '.');
    struct gk_error cause = *error;
    gk_config_refuse(config, setting == NULL ? config_root_setting(&private_->file) : setting,
                     error, "%s: %s", dot == NULL ? path : dot + 1, cause.message);
    return cause.status;
}

/* --- values ------------------------------------------------------------------------------------*/

enum gk_status gk_config_text(const struct gk_config *config, const config_setting_t *setting,
                              const char **text, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    *text = config_setting_get_string(setting);
    if (*text == NULL) {
        return gk_config_refuse(config, setting, error,
                                "%s: is not a text; write it in double quotes", name);
    }
    const size_t len = strlen(*text);
    if (len == 0) {
        return gk_config_refuse(config, setting, error,
                                "%s: is empty; give a value or remove the line", name);
    }
    if (len > VALUE_BYTES_MAX) {
        return gk_config_refuse(config, setting, error,
                                "%s: is longer than %u characters; shorten it", name,
                                VALUE_BYTES_MAX);
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)(*text)[i] < 0x20 || (*text)[i] == 0x7f) {
            return gk_config_refuse(config, setting, error,
                                    "%s: holds a control character; write plain text on one line",
                                    name);
        }
    }
    return GK_OK;
}

enum gk_status gk_config_check_absolute(const struct gk_config *config,
                                        const config_setting_t *setting, const char *path,
                                        struct gk_error *error)
{
    if (path[0] == '/') {
        return GK_OK;
    }
    return gk_config_refuse(
        config, setting, error,
        "%s: \"%s\" is a relative path; write it from the root, as in /etc/gatekey/...",
        config_setting_name(setting), path);
}

enum gk_status gk_config_check_directory(const struct gk_config *config,
                                         const config_setting_t *setting, const char *path,
                                         struct gk_error *error)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode)) {
        return gk_config_refuse(
            config, setting, error,
            "%s: \"%s\" is not a directory; name one, it is made when it is missing",
            config_setting_name(setting), path);
    }
    return GK_OK;
}

enum gk_status gk_config_check_readable(const struct gk_config *config,
                                        const config_setting_t *setting, const char *path,
                                        struct gk_error *error)
{
    struct stat info;
    const char *name = config_setting_name(setting);
    if (stat(path, &info) != 0) {
        return gk_config_refuse(
            config, setting, error,
            "%s: there is no file \"%s\" that this user can see; make it or correct the "
            "path",
            name, path);
    }
    if (!S_ISREG(info.st_mode)) {
        return gk_config_refuse(config, setting, error,
                                "%s: \"%s\" is not a regular file; name one", name, path);
    }
    if (access(path, R_OK) != 0) {
        return gk_config_refuse(
            config, setting, error,
            "%s: \"%s\" cannot be read by this user; give the gateway's user read "
            "permission",
            name, path);
    }
    return GK_OK;
}

enum gk_status gk_config_check_secret(const struct gk_config *config,
                                      const config_setting_t *setting, const char *path,
                                      struct gk_error *error)
{
    enum gk_status status = gk_config_check_readable(config, setting, path, error);
    if (status != GK_OK) {
        return status;
    }
    struct stat info;
    if (stat(path, &info) != 0 || (info.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        return gk_config_refuse(
            config, setting, error,
            "%s: \"%s\" holds a secret but is open to others (mode %04o); chmod 0600 it",
            config_setting_name(setting), path, (unsigned)info.st_mode & 07777u);
    }
    return GK_OK;
}

enum gk_status gk_config_check_new_file(const struct gk_config *config,
                                        const config_setting_t *setting, const char *path,
                                        struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    const char *slash = strrchr(path, '/');
    char *directory = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (directory == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct stat info;
    const bool there = stat(directory, &info) == 0 && S_ISDIR(info.st_mode);
    const bool may_make = access(directory, W_OK | X_OK) == 0;
    free(directory);
    if (!there) {
        return gk_config_refuse(config, setting, error,
                                "%s: the directory of \"%s\" does not exist; make it", name, path);
    }
    const bool exists = stat(path, &info) == 0;
    if (exists && !S_ISREG(info.st_mode)) {
        return gk_config_refuse(config, setting, error,
                                "%s: \"%s\" is there and is not a regular file; name another", name,
                                path);
    }
    if (exists ? access(path, W_OK) != 0 : !may_make) {
        return gk_config_refuse(config, setting, error,
                                "%s: this user may not %s \"%s\"; give the gateway's user write "
                                "permission",
                                name, exists ? "write to" : "make", path);
    }
    return GK_OK;
}

enum gk_status gk_config_check_socket(const struct gk_config *config,
                                      const config_setting_t *setting, const char *path,
                                      struct gk_error *error)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISSOCK(info.st_mode)
               ? GK_OK
               : gk_config_refuse(config, setting, error,
                                  "%s: \"%s\" is not a socket; name the one that the daemon "
                                  "listens on, and start it first",
                                  config_setting_name(setting), path);
}

static bool is_loopback(const struct gk_config_listen *listen)
{
    return listen->ipv6 ? strcmp(listen->host, "::1") == 0 : strncmp(listen->host, "127.", 4) == 0;
}

/* "127.0.0.1:10000" or "[::1]:10000". Names are not resolved: what binds where must not depend on
 * a resolver. */
static bool parse_listen(const char *text, struct gk_config_listen *out)
{
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon == NULL || !gk_parse_u64(gk_span_str(colon + 1), 65535, &port)) {
        return false;
    }
    size_t len = (size_t)(colon - text);
    const bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (brackets) {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof out->host) {
        return false;
    }
    *out = (struct gk_config_listen){.given = true, .ipv6 = brackets, .port = (uint16_t)port};
    memcpy(out->host, text, len);
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(brackets ? AF_INET6 : AF_INET, out->host, address) == 1;
}

enum gk_status gk_config_listen_of(const struct gk_config *config, const config_setting_t *setting,
                                   const char *text, bool loopback_only,
                                   struct gk_config_listen *out, struct gk_error *error)
{
    const char *name = config_setting_name(setting);
    if (!parse_listen(text, out)) {
        return gk_config_refuse(config, setting, error,
                                "%s: \"%s\" is not a numeric address with a port; write it as in "
                                "\"127.0.0.1:10000\" or \"[::1]:10000\" (port 0: a free one)",
                                name, text);
    }
    if (loopback_only && !is_loopback(out)) {
        return gk_config_refuse(
            config, setting, error,
            "%s: \"%s\" can be reached from other machines; the management listener "
            "binds a loopback address alone, as in \"127.0.0.1:10443\"",
            name, text);
    }
    return GK_OK;
}

enum gk_status gk_config_check_domain(const struct gk_config *config,
                                      const config_setting_t *setting, const char *text,
                                      struct gk_error *error)
{
    const size_t len = strlen(text);
    bool good = len <= 200 && text[0] != '.' && text[0] != '-' && text[len - 1] != '.';
    for (size_t i = 0; good && i < len; i++) {
        const char c = text[i];
        good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               (c == '.' && text[i - 1] != '.');
    }
    if (good) {
        return GK_OK;
    }
    return gk_config_refuse(config, setting, error,
                            "%s: \"%s\" is not a host name in lower case; write it as in "
                            "\"blob.storage.example\"",
                            config_setting_name(setting), text);
}

enum gk_status gk_config_log_level_of(const struct gk_config *config,
                                      const config_setting_t *setting, const char *text,
                                      enum gk_log_level *out, struct gk_error *error)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum gk_log_level)i;
            return GK_OK;
        }
    }
    return gk_config_refuse(config, setting, error,
                            "%s: \"%s\" is not a level; write error, warning, info or debug",
                            config_setting_name(setting), text);
}

enum gk_status gk_config_number(const struct gk_config *config, const config_setting_t *setting,
                                uint32_t minimum, uint32_t maximum, uint32_t *out,
                                struct gk_error *error)
{
    const int type = config_setting_type(setting);
    const char *name = config_setting_name(setting);
    if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) {
        return gk_config_refuse(config, setting, error,
                                "%s: is not a whole number; write it without quotes", name);
    }
    const long long value = config_setting_get_int64(setting);
    if (value < (long long)minimum || value > (long long)maximum) {
        return gk_config_refuse(config, setting, error, "%s: %lld is out of range; give %u to %u",
                                name, value, minimum, maximum);
    }
    *out = (uint32_t)value;
    return GK_OK;
}

enum gk_status gk_config_bool(const struct gk_config *config, const config_setting_t *setting,
                              bool *out, struct gk_error *error)
{
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        return gk_config_refuse(config, setting, error,
                                "%s: is neither true nor false; write one of them without quotes",
                                config_setting_name(setting));
    }
    *out = config_setting_get_bool(setting) == CONFIG_TRUE;
    return GK_OK;
}
