/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/batch_body.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/http/request.h"

#define BLANKS " \t"

/* --- the boundary -------------------------------------------------------------------------------*/

bool gk_batch_boundary(const char *content_type, char boundary[GK_BATCH_BOUNDARY_BYTES])
{
    static const char type[] = "multipart/mixed";
    static const char parameter[] = "boundary=";
    if (content_type == NULL || strncasecmp(content_type, type, sizeof type - 1) != 0) {
        return false;
    }
    const char *at = content_type + sizeof type - 1;
    at += strspn(at, BLANKS);
    if (*at != ';') {
        return false;
    }
    at += 1 + strspn(at + 1, BLANKS);
    if (strncasecmp(at, parameter, sizeof parameter - 1) != 0) {
        return false;
    }
    at += sizeof parameter - 1;
    at += strspn(at, BLANKS);
    const bool quoted = *at == '"';
    at += quoted;
    const size_t len = strcspn(at, quoted ? "\"" : "; \t");
    if (len == 0 || len >= GK_BATCH_BOUNDARY_BYTES || (quoted && at[len] != '"')) {
        return false;
    }
    memcpy(boundary, at, len);
    boundary[len] = '\0';
    return true;
}

/* --- lines --------------------------------------------------------------------------------------*/

struct lines {
    char *at; /* NULL after the last */
    const char *boundary;
};

/* The next line, without its end; NULL after the last. */
static char *next_line(struct lines *lines)
{
    char *line = lines->at;
    char *end = line == NULL ? NULL : strchr(line, '\n');
    lines->at = end == NULL ? NULL : end + 1;
    if (end != NULL) {
        *end = '\0';
        if (end > line && end[-1] == '\r') {
            end[-1] = '\0';
        }
    }
    return line;
}

enum mark { MARK_NONE, MARK_PART, MARK_END };

static enum mark mark_of(const struct lines *lines, const char *line)
{
    const size_t len = strlen(lines->boundary);
    if (strncmp(line, "--", 2) != 0 || strncmp(line + 2, lines->boundary, len) != 0) {
        return MARK_NONE;
    }
    const char *rest = line + 2 + len;
    const bool end = strncmp(rest, "--", 2) == 0;
    rest += end ? 2 : 0;
    return rest[strspn(rest, BLANKS)] != '\0' ? MARK_NONE : end ? MARK_END : MARK_PART;
}

/* The mark after empty lines; MARK_NONE when anything else stands there. */
static enum mark next_mark(struct lines *lines)
{
    char *line = next_line(lines);
    while (line != NULL && line[0] == '\0') {
        line = next_line(lines);
    }
    return line == NULL ? MARK_NONE : mark_of(lines, line);
}

/* --- parts --------------------------------------------------------------------------------------*/

/* Headers up to the empty line after them. false: malformed, or too many. */
static bool take_headers(struct lines *lines, struct gk_pair *headers, size_t max, size_t *count)
{
    char *line;
    *count = 0;
    while ((line = next_line(lines)) != NULL && line[0] != '\0') {
        char *colon = strchr(line, ':');
        if (colon == NULL || colon == line || *count == max ||
            strcspn(line, BLANKS) < (size_t)(colon - line)) {
            return false;
        }
        *colon = '\0';
        char *value = colon + 1 + strspn(colon + 1, BLANKS);
        for (size_t len = strlen(value); len > 0 && strchr(BLANKS, value[len - 1]) != NULL;) {
            value[--len] = '\0';
        }
        headers[(*count)++] = (struct gk_pair){.name = line, .value = value};
    }
    return line != NULL;
}

static const char *find(const struct gk_pair *headers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(headers[i].name, name) == 0) {
            return headers[i].value;
        }
    }
    return NULL;
}

/* METHOD target HTTP/1.1 */
static bool take_request_line(struct lines *lines, struct gk_batch_part *part)
{
    char *line = next_line(lines);
    char *first = line == NULL ? NULL : strchr(line, ' ');
    char *second = first == NULL ? NULL : strchr(first + 1, ' ');
    if (second == NULL || strcmp(second + 1, "HTTP/1.1") != 0) {
        return false;
    }
    *first = '\0';
    *second = '\0';
    part->method = line;
    part->target = first + 1;
    return part->target[0] == '/';
}

static bool take_part(struct lines *lines, struct gk_batch_part *part)
{
    struct gk_pair headers[GK_BATCH_PART_HEADERS_MAX];
    size_t count;
    if (!take_headers(lines, headers, GK_BATCH_PART_HEADERS_MAX, &count)) {
        return false;
    }
    const char *type = find(headers, count, "Content-Type");
    part->content_id = find(headers, count, "Content-ID");
    if (type == NULL || strcasecmp(type, "application/http") != 0 ||
        !take_request_line(lines, part) ||
        !take_headers(lines, part->headers, GK_BATCH_PART_HEADERS_MAX, &part->headers_count)) {
        return false;
    }
    const char *length = find(part->headers, part->headers_count, "Content-Length");
    return length == NULL || strcmp(length, "0") == 0;
}

static bool take_parts(struct lines *lines, struct gk_batch_part *parts, size_t *count)
{
    enum mark mark = next_mark(lines);
    while (mark == MARK_PART && *count < GK_BATCH_PARTS_MAX && take_part(lines, &parts[*count])) {
        ++*count;
        mark = next_mark(lines);
    }
    return mark == MARK_END && *count > 0;
}

enum gk_status gk_batch_body_parse(struct gk_buf *body, const char *boundary,
                                   struct gk_batch_part **parts, size_t *count,
                                   struct gk_error *error)
{
    *count = 0;
    *parts = calloc(GK_BATCH_PARTS_MAX, sizeof **parts);
    if (*parts == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct lines lines = {.at = (char *)body->data, .boundary = boundary};
    if (body->len > 0 && memchr(body->data, '\0', body->len) == NULL &&
        take_parts(&lines, *parts, count)) {
        return GK_OK;
    }
    free(*parts);
    *parts = NULL;
    *count = 0;
    return gk_refuse_because(error, 400, "InvalidInput",
                             "It is no batch of 1 to %u requests without a body.",
                             GK_BATCH_PARTS_MAX);
}
