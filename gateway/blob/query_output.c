/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_output.h"

#include <stdio.h>
#include <stdlib.h>

#define NUMBER_BYTES 40u

/* --- names --------------------------------------------------------------------------------------*/

/* Of the column or item of that place, which has none of its own. */
static struct gk_span ordinal(uint32_t index, char text[NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "_%u", index + 1);
    return gk_span_str(text);
}

static struct gk_span item_name(const struct gk_query_output *output, uint32_t index,
                                char text[NUMBER_BYTES])
{
    const struct gk_query_item *item = &output->sql->items[index];
    if (item->name.len > 0) {
        return item->name;
    }
    if (item->kind == GK_QUERY_COLUMN) {
        const struct gk_query_column *column = &output->sql->columns[item->column];
        const struct gk_span name = column->steps[column->count - 1].name;
        if (name.len > 0) {
            return name;
        }
    }
    return ordinal(index, text);
}

static struct gk_span field_name(const struct gk_query_output *output, uint32_t index,
                                 char text[NUMBER_BYTES])
{
    const struct gk_span name = gk_query_reader_name(output->reader, index);
    return name.len > 0 ? name : ordinal(index, text);
}

static bool is_all(const struct gk_query_output *output)
{
    return output->sql->items[0].kind == GK_QUERY_ALL;
}

/* --- delimited text -----------------------------------------------------------------------------*/

static bool contains(struct gk_span text, const char *what)
{
    const size_t len = strlen(what);
    return len > 0 && text.len >= len && memmem(text.data, text.len, what, len) != NULL;
}

static bool has_byte(struct gk_span text, char byte)
{
    return byte != 0 && text.len > 0 && memchr(text.data, byte, text.len) != NULL;
}

/* In quotes where it would else be read as something else; a quote in it is escaped, or doubled. */
static void put_text(const struct gk_query_format *format, struct gk_span text, struct gk_buf *out)
{
    const bool quoted =
        format->quote != 0 && (contains(text, format->column) || contains(text, format->record) ||
                               has_byte(text, format->quote) || has_byte(text, format->escape) ||
                               has_byte(text, '\r') || has_byte(text, '\n'));
    const uint8_t quote = (uint8_t)format->quote;
    const uint8_t escape = format->escape == 0 ? quote : (uint8_t)format->escape;
    if (!quoted) {
        gk_buf_append(out, text.data, text.len);
        return;
    }
    gk_buf_append_u8(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == quote || text.data[i] == escape) {
            gk_buf_append_u8(out, escape);
        }
        gk_buf_append_u8(out, text.data[i]);
    }
    gk_buf_append_u8(out, quote);
}

/* The shortest that is read as the same number. */
static void format_real(double real, char text[NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "%.15g", real);
    if (strtod(text, NULL) != real) {
        snprintf(text, NUMBER_BYTES, "%.17g", real);
    }
}

static void put_value(const struct gk_query_format *format, const struct gk_query_value *value,
                      struct gk_buf *out)
{
    char text[NUMBER_BYTES];
    char *dump = NULL;
    switch (value->kind) {
    case GK_QUERY_VALUE_INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)value->integer);
        gk_buf_append_str(out, text);
        break;
    case GK_QUERY_VALUE_REAL:
        format_real(value->real, text);
        gk_buf_append_str(out, text);
        break;
    case GK_QUERY_VALUE_TEXT:
        put_text(format, value->text, out);
        break;
    case GK_QUERY_VALUE_JSON:
        dump = json_dumps(value->json, JSON_COMPACT | JSON_ENCODE_ANY);
        put_text(format, gk_span_str(dump == NULL ? "" : dump), out);
        free(dump);
        break;
    case GK_QUERY_VALUE_NULL:
        break;
    }
}

static void separate(const struct gk_query_format *format, bool first, struct gk_buf *out)
{
    gk_buf_append_str(out, first ? "" : format->column);
}

static void put_all(const struct gk_query_output *output, struct gk_buf *out)
{
    const struct gk_query_format *format = output->format;
    const struct gk_query_reader *reader = output->reader;
    if (reader->format->kind == GK_QUERY_DELIMITED) {
        for (uint32_t i = 0; i < reader->count; i++) {
            separate(format, i == 0, out);
            put_text(format, gk_query_reader_field(reader, i), out);
        }
        return;
    }
    const char *key;
    json_t *member;
    bool first = true;
    json_object_foreach(reader->json, key, member)
    {
        const struct gk_query_value value = gk_query_value_of(member);
        separate(format, first, out);
        put_value(format, &value, out);
        first = false;
    }
}

static void put_delimited(const struct gk_query_output *output, struct gk_buf *out)
{
    if (is_all(output)) {
        put_all(output, out);
    }
    for (uint32_t i = 0; i < output->sql->items_count && !is_all(output); i++) {
        struct gk_query_value value;
        gk_query_engine_item(output->engine, i, &value);
        separate(output->format, i == 0, out);
        put_value(output->format, &value, out);
    }
    gk_buf_append_str(out, output->format->record);
}

void gk_query_output_names(const struct gk_query_output *output, struct gk_buf *out)
{
    const struct gk_query_format *format = output->format;
    char text[NUMBER_BYTES];
    if (format->kind != GK_QUERY_DELIMITED || !format->headers ||
        (is_all(output) && output->reader->names_count == 0)) {
        return;
    }
    const uint32_t count = is_all(output) ? output->reader->names_count : output->sql->items_count;
    for (uint32_t i = 0; i < count; i++) {
        separate(format, i == 0, out);
        put_text(format, is_all(output) ? field_name(output, i, text) : item_name(output, i, text),
                 out);
    }
    gk_buf_append_str(out, format->record);
}

/* --- JSON ---------------------------------------------------------------------------------------*/

static json_t *json_of(const struct gk_query_value *value)
{
    switch (value->kind) {
    case GK_QUERY_VALUE_INTEGER:
        return json_integer(value->integer);
    case GK_QUERY_VALUE_REAL:
        return json_real(value->real);
    case GK_QUERY_VALUE_TEXT:
        return json_stringn(value->text.len == 0 ? "" : (const char *)value->text.data,
                            value->text.len);
    case GK_QUERY_VALUE_JSON:
        return json_deep_copy(value->json);
    case GK_QUERY_VALUE_NULL:
        break;
    }
    return json_null();
}

static bool set_member(json_t *object, struct gk_span name, const struct gk_query_value *value)
{
    return json_object_setn_new(object, (const char *)name.data, name.len, json_of(value)) == 0;
}

static bool set_members(const struct gk_query_output *output, json_t *object)
{
    const uint32_t count = is_all(output) ? output->reader->count : output->sql->items_count;
    char text[NUMBER_BYTES];
    bool good = true;
    for (uint32_t i = 0; i < count && good; i++) {
        struct gk_query_value value = {.kind = GK_QUERY_VALUE_TEXT};
        if (is_all(output)) {
            value.text = gk_query_reader_field(output->reader, i);
            good = set_member(object, field_name(output, i, text), &value);
        } else {
            gk_query_engine_item(output->engine, i, &value);
            good = set_member(object, item_name(output, i, text), &value);
        }
    }
    return good;
}

static bool put_json(const struct gk_query_output *output, struct gk_buf *out)
{
    if (is_all(output) && output->reader->format->kind == GK_QUERY_JSON) {
        gk_buf_append(out, output->reader->text.data, output->reader->text.len);
        gk_buf_append_str(out, output->format->record);
        return true;
    }
    json_t *object = json_object();
    char *text = NULL;
    if (object != NULL && set_members(output, object)) {
        text = json_dumps(object, JSON_COMPACT);
    }
    json_decref(object);
    if (text == NULL) {
        return false;
    }
    gk_buf_append_str(out, text);
    gk_buf_append_str(out, output->format->record);
    free(text);
    return true;
}

bool gk_query_output_record(const struct gk_query_output *output, struct gk_buf *out)
{
    if (output->format->kind == GK_QUERY_JSON) {
        return put_json(output, out);
    }
    put_delimited(output, out);
    return true;
}
