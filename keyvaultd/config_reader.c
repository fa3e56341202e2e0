/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/config_reader.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/nearest.h"

#define TEXT_BYTES_MAX 1024u

struct kv_reader kv_reader_of(const struct kv_reader *outer, const config_setting_t *group)
{
    return (struct kv_reader){
        .path = outer->path, .group = group, .error = outer->error, .status = outer->status};
}

void kv_reader_refuse(struct kv_reader *reader, const config_setting_t *at, const char *name,
                      const char *format, ...)
{
    if (reader->status != GK_OK) {
        return;
    }
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    const char *file = config_setting_source_file(at);
    const unsigned line = config_setting_source_line(at);
    reader->status =
        gk_fail(reader->error, GK_E_INVALID, "%s:%u: %s: %s", file == NULL ? reader->path : file,
                line == 0 ? 1 : line, name, reason);
}

static void refuse_missing(struct kv_reader *reader, const char *name)
{
    kv_reader_refuse(reader, reader->group, name, "is missing; add it");
}

static void refuse_unknown(struct kv_reader *reader, const config_setting_t *setting,
                           const char *const *known, size_t count)
{
    const char *name = config_setting_name(setting);
    const char *meant = gk_nearest_name(name, known, count);
    if (meant != NULL) {
        kv_reader_refuse(reader, setting, name, "there is no such setting; perhaps %s is meant",
                         meant);
    } else {
        kv_reader_refuse(reader, setting, name,
                         "there is no such setting here; remove it, or see docs/keyvaultd.md");
    }
}

void kv_read_only(struct kv_reader *reader, const char *const *known)
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
            refuse_unknown(reader, setting, known, k);
        }
    }
}

const config_setting_t *kv_read_group(struct kv_reader *reader, const char *name)
{
    const config_setting_t *group = config_setting_get_member(reader->group, name);
    if (group != NULL && !config_setting_is_group(group)) {
        kv_reader_refuse(reader, group, name, "is not a group; write %s = { ... };", name);
        return NULL;
    }
    return group;
}

const config_setting_t *kv_read_required_group(struct kv_reader *reader, const char *name)
{
    const config_setting_t *group = kv_read_group(reader, name);
    if (group == NULL) {
        refuse_missing(reader, name);
    }
    return group;
}

const config_setting_t *kv_read_list(struct kv_reader *reader, const char *name, unsigned count_max)
{
    const config_setting_t *list = config_setting_get_member(reader->group, name);
    if (list == NULL) {
        return NULL;
    }
    if (!config_setting_is_list(list) && !config_setting_is_array(list)) {
        kv_reader_refuse(reader, list, name, "is not a list; put its members in brackets");
        return NULL;
    }
    if ((unsigned)config_setting_length(list) > count_max) {
        kv_reader_refuse(reader, list, name, "has more than %u members; remove some", count_max);
        return NULL;
    }
    return list;
}

bool kv_is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= 0x20 || *at >= 0x7f || *at == '"' || *at == '\\') {
            return false;
        }
    }
    return text[0] != '\0' && strlen(text) <= TEXT_BYTES_MAX;
}

const char *kv_read_text_or(struct kv_reader *reader, const char *name, const char *otherwise)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, name);
    if (setting == NULL) {
        return otherwise;
    }
    const char *text = config_setting_get_string(setting);
    if (text == NULL) {
        kv_reader_refuse(reader, setting, name, "is not a text; write it in double quotes");
        return otherwise;
    }
    if (!kv_is_plain(text)) {
        kv_reader_refuse(
            reader, setting, name,
            "is empty, too long, or not of printable characters without blanks and quotes; "
            "correct it or remove the line");
        return otherwise;
    }
    return text;
}

const char *kv_read_text(struct kv_reader *reader, const char *name)
{
    const char *value = kv_read_text_or(reader, name, NULL);
    if (value == NULL) {
        refuse_missing(reader, name);
        return "";
    }
    return value;
}

const char *kv_read_address_or(struct kv_reader *reader, const char *name, const char *otherwise)
{
    const char *value = kv_read_text_or(reader, name, otherwise);
    struct in6_addr room;
    if (inet_pton(AF_INET, value, &room) != 1 && inet_pton(AF_INET6, value, &room) != 1) {
        kv_reader_refuse(reader, config_setting_get_member(reader->group, name), name,
                         "is not a numeric address; write one, as 127.0.0.1 or ::1");
    }
    return value;
}

const char *kv_read_path(struct kv_reader *reader, const char *name)
{
    const char *value = kv_read_text_or(reader, name, NULL);
    if (value != NULL && value[0] != '/') {
        kv_reader_refuse(reader, config_setting_get_member(reader->group, name), name,
                         "is a relative path; write it from the root, as in /etc/keyvaultd/...");
    }
    return value;
}

const char *kv_read_required_path(struct kv_reader *reader, const char *name)
{
    const char *value = kv_read_path(reader, name);
    if (value == NULL) {
        refuse_missing(reader, name);
    }
    return value;
}

uint32_t kv_read_number_or(struct kv_reader *reader, const char *name, uint32_t minimum,
                           uint32_t maximum, uint32_t otherwise)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, name);
    if (setting == NULL) {
        return otherwise;
    }
    const int type = config_setting_type(setting);
    const long long value = config_setting_get_int64(setting);
    if ((type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64) || value < minimum ||
        value > maximum) {
        kv_reader_refuse(reader, setting, name,
                         "is not a whole number from %u to %u; give one, without quotes", minimum,
                         maximum);
        return otherwise;
    }
    return (uint32_t)value;
}

bool kv_read_flag_or(struct kv_reader *reader, const char *name, bool otherwise)
{
    const config_setting_t *setting = config_setting_get_member(reader->group, name);
    if (setting == NULL) {
        return otherwise;
    }
    if (config_setting_type(setting) != CONFIG_TYPE_BOOL) {
        kv_reader_refuse(reader, setting, name,
                         "is neither true nor false; write one, without quotes");
        return otherwise;
    }
    return config_setting_get_bool(setting) != 0;
}
