/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_record.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"

#define PIECE_BYTES (64u << 10)

/* --- bytes --------------------------------------------------------------------------------------*/

/* At least count bytes are at hand, or all that are left. */
static enum gk_status fill(struct gk_query_reader *reader, size_t count, struct gk_error *error)
{
    while (reader->piece_len - reader->piece_at < count && !reader->ended) {
        size_t len = 0;
        memmove(reader->piece, reader->piece + reader->piece_at,
                reader->piece_len - reader->piece_at);
        reader->piece_len -= reader->piece_at;
        reader->piece_at = 0;
        const enum gk_status status =
            reader->source(reader->source_ctx, reader->piece + reader->piece_len,
                           PIECE_BYTES - reader->piece_len, &len, error);
        if (status != GK_OK) {
            return status;
        }
        reader->piece_len += len;
        reader->ended = len == 0;
    }
    return GK_OK;
}

static size_t left(const struct gk_query_reader *reader)
{
    return reader->piece_len - reader->piece_at;
}

static void take(struct gk_query_reader *reader, size_t count)
{
    reader->piece_at += count;
    reader->position += count;
}

/* Whether this text comes next; as many bytes as it has are at hand, if there are. */
static bool comes(const struct gk_query_reader *reader, const char *text)
{
    const size_t len = strlen(text);
    return left(reader) >= len && memcmp(reader->piece + reader->piece_at, text, len) == 0;
}

static enum gk_status not_well_formed(struct gk_query_reader *reader, const char *why,
                                      struct gk_error *error)
{
    reader->wrong = why;
    return gk_fail(error, GK_E_INVALID, "%s", why);
}

static enum gk_status append(struct gk_query_reader *reader, size_t count, struct gk_error *error)
{
    gk_buf_append(&reader->text, reader->piece + reader->piece_at, count);
    take(reader, count);
    return gk_buf_status(&reader->text) == GK_OK
               ? GK_OK
               : not_well_formed(reader, "A record is too long.", error);
}

/* --- delimited text -----------------------------------------------------------------------------*/

/* In which part of a field the next byte is. */
enum part { PART_BEGIN, PART_PLAIN, PART_QUOTED };

static enum gk_status end_field(struct gk_query_reader *reader, struct gk_error *error)
{
    if (reader->count == GK_QUERY_FIELDS_MAX) {
        return not_well_formed(reader, "A record has too many fields.", error);
    }
    reader->ends[reader->count++] = (uint32_t)reader->text.len;
    return GK_OK;
}

/* A byte within quotes; a quote that is doubled stands for itself. */
static enum gk_status take_quoted(struct gk_query_reader *reader, enum part *part,
                                  struct gk_error *error)
{
    const struct gk_query_format *format = reader->format;
    const uint8_t *next = reader->piece + reader->piece_at;
    if (format->escape != 0 && next[0] == (uint8_t)format->escape && left(reader) > 1 &&
        (format->escape != format->quote || next[1] == (uint8_t)format->quote)) {
        take(reader, 1);
        return append(reader, 1, error);
    }
    if (next[0] != (uint8_t)format->quote) {
        return append(reader, 1, error);
    }
    if (left(reader) > 1 && next[1] == (uint8_t)format->quote) {
        take(reader, 1);
        return append(reader, 1, error);
    }
    take(reader, 1);
    *part = PART_PLAIN;
    return GK_OK;
}

/* As many bytes as mean nothing but themselves, one at least. */
static size_t plain_length(const struct gk_query_reader *reader)
{
    const struct gk_query_format *format = reader->format;
    const uint8_t *bytes = reader->piece + reader->piece_at;
    const size_t most = left(reader);
    size_t len = 1;
    while (len < most && bytes[len] != (uint8_t)format->column[0] &&
           bytes[len] != (uint8_t)format->record[0] &&
           (format->escape == 0 || bytes[len] != (uint8_t)format->escape)) {
        len++;
    }
    return len;
}

/* *more: the record goes on. */
static enum gk_status take_plain(struct gk_query_reader *reader, enum part *part, bool *more,
                                 struct gk_error *error)
{
    const struct gk_query_format *format = reader->format;
    const uint8_t *next = reader->piece + reader->piece_at;
    if (comes(reader, format->record)) {
        take(reader, strlen(format->record));
        *more = false;
        return end_field(reader, error);
    }
    if (comes(reader, format->column)) {
        take(reader, strlen(format->column));
        *part = PART_BEGIN;
        return end_field(reader, error);
    }
    if (*part == PART_BEGIN && format->quote != 0 && next[0] == (uint8_t)format->quote) {
        take(reader, 1);
        *part = PART_QUOTED;
        return GK_OK;
    }
    *part = PART_PLAIN;
    if (format->escape != 0 && next[0] == (uint8_t)format->escape && left(reader) > 1) {
        take(reader, 1);
        return append(reader, 1, error);
    }
    return append(reader, plain_length(reader), error);
}

static enum gk_status next_delimited(struct gk_query_reader *reader, struct gk_error *error)
{
    enum part part = PART_BEGIN;
    bool more = true;
    reader->count = 0;
    while (more) {
        enum gk_status status = fill(reader, GK_QUERY_SEPARATOR_BYTES, error);
        if (status != GK_OK) {
            return status;
        }
        if (left(reader) == 0) { /* the last record need not be ended */
            return part == PART_QUOTED
                       ? not_well_formed(reader, "A quoted field does not end.", error)
                       : end_field(reader, error);
        }
        status = part == PART_QUOTED ? take_quoted(reader, &part, error)
                                     : take_plain(reader, &part, &more, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return GK_OK;
}

/* --- JSON ---------------------------------------------------------------------------------------*/

/* The parser goes down by calls of its own, on a stack that is small. */
static bool is_too_deep(struct gk_span text)
{
    unsigned depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.data[i];
        if (quoted) {
            i += c == '\\';
            quoted = c != '"';
            continue;
        }
        quoted = c == '"';
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth > 0;
        if (depth > GK_QUERY_JSON_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

static bool is_blank(struct gk_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL || text.data[i] == '\0') {
            return false;
        }
    }
    return true;
}

static enum gk_status read_line(struct gk_query_reader *reader, struct gk_error *error)
{
    const char *separator = reader->format->record;
    gk_buf_reset(&reader->text);
    for (;;) {
        enum gk_status status = fill(reader, GK_QUERY_SEPARATOR_BYTES, error);
        if (status != GK_OK || left(reader) == 0) {
            return status;
        }
        if (comes(reader, separator)) {
            take(reader, strlen(separator));
            return GK_OK;
        }
        const uint8_t *bytes = reader->piece + reader->piece_at;
        const uint8_t *end = memchr(bytes + 1, separator[0], left(reader) - 1);
        status = append(reader, end == NULL ? left(reader) : (size_t)(end - bytes), error);
        if (status != GK_OK) {
            return status;
        }
    }
}

static enum gk_status next_json(struct gk_query_reader *reader, bool *there, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    do {
        reader->began = reader->position;
        status = read_line(reader, error);
    } while (status == GK_OK && is_blank(gk_buf_span(&reader->text)) &&
             !(reader->ended && left(reader) == 0));
    *there = !is_blank(gk_buf_span(&reader->text));
    if (status != GK_OK || !*there) {
        return status;
    }
    if (is_too_deep(gk_buf_span(&reader->text))) {
        return not_well_formed(reader, "An object is nested too deep.", error);
    }
    json_decref(reader->json);
    reader->json = json_loadb((const char *)reader->text.data, reader->text.len, 0, NULL);
    return json_is_object(reader->json)
               ? GK_OK
               : not_well_formed(reader, "A record is no JSON object.", error);
}

/* --- records ------------------------------------------------------------------------------------*/

enum gk_status gk_query_reader_next(struct gk_query_reader *reader, bool *there,
                                    struct gk_error *error)
{
    if (reader->format->kind == GK_QUERY_JSON) {
        return next_json(reader, there, error);
    }
    const enum gk_status status = fill(reader, 1, error);
    *there = status == GK_OK && left(reader) > 0;
    reader->began = reader->position;
    gk_buf_reset(&reader->text);
    return *there ? next_delimited(reader, error) : status;
}

static enum gk_status take_names(struct gk_query_reader *reader, struct gk_error *error)
{
    bool there = false;
    const enum gk_status status = gk_query_reader_next(reader, &there, error);
    if (status != GK_OK || !there) {
        return status;
    }
    const struct gk_buf empty = reader->names;
    reader->names = reader->text;
    reader->text = empty;
    reader->names_count = reader->count;
    memcpy(reader->name_ends, reader->ends, reader->count * sizeof *reader->ends);
    return GK_OK;
}

enum gk_status gk_query_reader_init(struct gk_query_reader *reader,
                                    const struct gk_query_format *format,
                                    gk_query_source_fn *source, void *source_ctx,
                                    struct gk_error *error)
{
    *reader =
        (struct gk_query_reader){.format = format, .source = source, .source_ctx = source_ctx};
    gk_buf_init(&reader->text, GK_QUERY_RECORD_BYTES_MAX);
    gk_buf_init(&reader->names, GK_QUERY_RECORD_BYTES_MAX);
    reader->piece = malloc(PIECE_BYTES);
    reader->ends = calloc(GK_QUERY_FIELDS_MAX, sizeof *reader->ends);
    reader->name_ends = calloc(GK_QUERY_FIELDS_MAX, sizeof *reader->name_ends);
    if (reader->piece == NULL || reader->ends == NULL || reader->name_ends == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    return format->kind == GK_QUERY_DELIMITED && format->headers ? take_names(reader, error)
                                                                 : GK_OK;
}

void gk_query_reader_cleanup(struct gk_query_reader *reader)
{
    gk_wipe(reader->piece, reader->piece == NULL ? 0 : PIECE_BYTES);
    free(reader->piece);
    free(reader->ends);
    free(reader->name_ends);
    json_decref(reader->json);
    gk_buf_cleanup_wipe(&reader->text);
    gk_buf_cleanup_wipe(&reader->names);
}

/* --- columns ------------------------------------------------------------------------------------*/

static struct gk_span part_of(const struct gk_buf *text, const uint32_t *ends, uint32_t count,
                              uint32_t index)
{
    if (index >= count) {
        return (struct gk_span){0};
    }
    const uint32_t begin = index == 0 ? 0 : ends[index - 1];
    return gk_span_of(text->data + begin, ends[index] - begin);
}

struct gk_span gk_query_reader_field(const struct gk_query_reader *reader, uint32_t index)
{
    return part_of(&reader->text, reader->ends, reader->count, index);
}

struct gk_span gk_query_reader_name(const struct gk_query_reader *reader, uint32_t index)
{
    return part_of(&reader->names, reader->name_ends, reader->names_count, index);
}

static bool is_named(struct gk_span name, const struct gk_query_step *step)
{
    return name.len == step->name.len && name.len > 0 &&
           (step->quoted ? memcmp(name.data, step->name.data, name.len) == 0
                         : strncasecmp((const char *)name.data, (const char *)step->name.data,
                                       name.len) == 0);
}

bool gk_query_reader_find(const struct gk_query_reader *reader,
                          const struct gk_query_column *column, uint32_t *index)
{
    const struct gk_query_step *step = &column->steps[0];
    uint64_t ordinal = 0;
    for (uint32_t i = 0; column->count == 1 && i < reader->names_count; i++) {
        if (is_named(gk_query_reader_name(reader, i), step)) {
            *index = i;
            return true;
        }
    }
    if (column->count != 1 || step->quoted || step->name.len < 2 || step->name.data[0] != '_' ||
        !gk_parse_u64(gk_span_of(step->name.data + 1, step->name.len - 1), GK_QUERY_FIELDS_MAX,
                      &ordinal) ||
        ordinal == 0) {
        return false;
    }
    *index = (uint32_t)ordinal - 1;
    return true;
}

static json_t *member_of(json_t *object, const struct gk_query_step *step)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (is_named(gk_span_str(key), step)) {
            return value;
        }
    }
    return NULL;
}

json_t *gk_query_reader_value(const struct gk_query_reader *reader,
                              const struct gk_query_column *column)
{
    json_t *value = reader->json;
    for (uint32_t i = 0; i < column->count && value != NULL; i++) {
        const struct gk_query_step *step = &column->steps[i];
        value = step->name.len > 0 ? member_of(value, step) : json_array_get(value, step->index);
    }
    return value;
}
