/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/json_body.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/error.h"

static enum gk_status refuse(struct gk_error *error, const char *code, const char *format,
                             va_list arguments) __attribute__((format(printf, 3, 0)));

static enum gk_status refuse(struct gk_error *error, const char *code, const char *format,
                             va_list arguments)
{
    char text[400];
    vsnprintf(text, sizeof text, format, arguments);
    return gk_fail_http(error, GK_E_INVALID, 400, code, "%s", text);
}

enum gk_status gk_json_refuse(struct gk_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const enum gk_status status = refuse(error, "InvalidRequestContent", format, arguments);
    va_end(arguments);
    return status;
}

enum gk_status gk_json_refuse_value(struct gk_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const enum gk_status status = refuse(error, "InvalidRequestPropertyValue", format, arguments);
    va_end(arguments);
    return status;
}

/* The library descends recursively; how deep is decided here, before it sees the text. */
static bool too_deep(struct gk_span text)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
            if (depth > GK_JSON_DEPTH_MAX) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

enum gk_status gk_json_parse(struct gk_span text, json_t **out, struct gk_error *error)
{
    *out = NULL;
    if (text.len == 0) {
        return gk_json_refuse(error, "The request has no body; send a JSON object.");
    }
    if (too_deep(text)) {
        return gk_json_refuse(error, "The JSON body is nested deeper than %u levels.",
                              GK_JSON_DEPTH_MAX);
    }
    json_error_t why;
    json_t *value = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why);
    if (value == NULL) {
        return gk_json_refuse(error, "The body is not valid JSON: line %d, column %d.", why.line,
                              why.column);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return gk_json_refuse(error, "The JSON body is not an object.");
    }
    *out = value;
    return GK_OK;
}

static json_t *member(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

enum gk_status gk_json_object(const json_t *object, const char *where, const char *name,
                              json_t **out, struct gk_error *error)
{
    *out = member(object, name);
    if (*out != NULL && !json_is_object(*out)) {
        return gk_json_refuse(error, "%s%s is not an object.", where, name);
    }
    return GK_OK;
}

enum gk_status gk_json_text(const json_t *object, const char *where, const char *name,
                            const char **out, struct gk_error *error)
{
    const json_t *value = member(object, name);
    *out = NULL;
    if (value == NULL) {
        return GK_OK;
    }
    if (!json_is_string(value)) {
        return gk_json_refuse(error, "%s%s is not a text.", where, name);
    }
    *out = json_string_value(value);
    return GK_OK;
}

enum gk_status gk_json_copy(const json_t *object, const char *where, const char *name, char *out,
                            size_t out_bytes, bool *present, struct gk_error *error)
{
    const char *text = NULL;
    const enum gk_status status = gk_json_text(object, where, name, &text, error);
    *present = text != NULL;
    if (status != GK_OK || text == NULL) {
        return status;
    }
    if (strlen(text) >= out_bytes) {
        return gk_json_refuse_value(error, "%s%s is longer than %zu characters.", where, name,
                                    out_bytes - 1);
    }
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            return gk_json_refuse_value(error, "%s%s holds a control character.", where, name);
        }
    }
    memcpy(out, text, strlen(text) + 1);
    return GK_OK;
}

enum gk_status gk_json_bool(const json_t *object, const char *where, const char *name, bool *out,
                            bool *present, struct gk_error *error)
{
    const json_t *value = member(object, name);
    *present = value != NULL;
    if (value == NULL) {
        return GK_OK;
    }
    if (!json_is_boolean(value)) {
        return gk_json_refuse(error, "%s%s is neither true nor false.", where, name);
    }
    *out = json_is_true(value);
    return GK_OK;
}

enum gk_status gk_json_only(const json_t *object, const char *where, const char *const *names,
                            struct gk_error *error)
{
    const char *name = NULL;
    json_t *value = NULL;
    /* The library reads without const. NOLINTNEXTLINE(performance-no-int-to-ptr) */
    json_t *readable = (json_t *)(uintptr_t)object;
    json_object_foreach(readable, name, value)
    {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], name) != 0) {
            i++;
        }
        if (names[i] == NULL) {
            return gk_json_refuse(error, "There is no member '%s%.64s'.", where, name);
        }
    }
    return GK_OK;
}

enum gk_status gk_json_number(const json_t *body, const char *name, uint64_t max, uint64_t *out,
                              struct gk_error *error)
{
    const json_t *value = json_object_get(body, name);
    if (value == NULL || json_is_null(value)) {
        return GK_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > max) {
        return gk_json_refuse_value(error, "%s is not a number from 0 to %llu.", name,
                                    (unsigned long long)max);
    }
    *out = (uint64_t)json_integer_value(value);
    return GK_OK;
}
