/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/shared_key.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/auth/signature.h"

#define STRING_BYTES_MAX   (128u * 1024u)
#define CLOCK_SKEW_MS      INT64_C(900000) /* documented: 15 minutes */
#define HEADER_NAME_BYTES  256u
#define VERSION_EMPTY_ZERO 20150221 /* from here on a Content-Length of 0 is signed as "" */
#define VERSION_KEEP_EMPTY 20160531 /* from here on empty x-ms- headers are signed */

/* --- order -------------------------------------------------------------------------------------- */

/* Ignored in the first comparison; they only break ties. */
static bool is_ignorable(char c)
{
    return c == '-' || c == '\'';
}

static size_t rank(char c)
{
    static const char order[] = "!#$%&*.^_`|~+0123456789abcdefghijklmnopqrstuvwxyz";
    const char *found = strchr(order, tolower((unsigned char)c));
    return c == '\0' ? 0 : found == NULL ? sizeof order : (size_t)(found - order) + 1;
}

int gk_shared_key_compare(const char *left, const char *right)
{
    const char *a = left;
    const char *b = right;
    do {
        while (is_ignorable(*a)) {
            a++;
        }
        while (is_ignorable(*b)) {
            b++;
        }
        const size_t rank_a = rank(*a);
        const size_t rank_b = rank(*b);
        if (rank_a != rank_b) {
            return rank_a < rank_b ? -1 : 1;
        }
        a += *a != '\0';
        b += *b != '\0';
    } while (*a != '\0' || *b != '\0');
    /* The name whose ignored character comes first is the later one. */
    for (; *left != '\0' && *right != '\0'; left++, right++) {
        if (is_ignorable(*left) != is_ignorable(*right)) {
            return is_ignorable(*left) ? 1 : -1;
        }
        if (is_ignorable(*left) && *left != *right) {
            return *left == '\'' ? -1 : 1;
        }
    }
    return (*left != '\0') - (*right != '\0');
}

static int by_culture(const void *left, const void *right)
{
    return gk_shared_key_compare(((const struct gk_pair *)left)->name,
                                 ((const struct gk_pair *)right)->name);
}

static int by_ascii(const void *left, const void *right)
{
    return strcasecmp(((const struct gk_pair *)left)->name, ((const struct gk_pair *)right)->name);
}

/* --- the string --------------------------------------------------------------------------------- */

static void append_lower(struct gk_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        gk_buf_append_u8(out, (uint8_t)tolower((unsigned char)*text));
    }
}

/* Trimmed; white space inside becomes one blank. */
static void append_value(struct gk_buf *out, const char *value)
{
    bool pending = false;
    bool begun = false;
    for (; *value != '\0'; value++) {
        if (*value == ' ' || *value == '\t' || *value == '\r' || *value == '\n') {
            pending = begun;
            continue;
        }
        if (pending) {
            gk_buf_append_u8(out, ' ');
            pending = false;
        }
        gk_buf_append_u8(out, (uint8_t)*value);
        begun = true;
    }
}

static void append_headers(const struct gk_request *request, bool culture_order, struct gk_buf *out)
{
    struct gk_pair headers[GK_HTTP_HEADERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct gk_pair *header = &request->headers[i];
        if (strncasecmp(header->name, "x-ms-", 5) == 0 &&
            (header->value[0] != '\0' || request->version >= VERSION_KEEP_EMPTY)) {
            headers[count++] = *header;
        }
    }
    if (count == 0) {
        return;
    }
    qsort(headers, count, sizeof *headers, culture_order ? by_culture : by_ascii);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcasecmp(headers[i].name, headers[i - 1].name) == 0) {
            gk_buf_append_str(out, ",");
        } else {
            gk_buf_append_str(out, i > 0 ? "\n" : "");
            append_lower(out, headers[i].name);
            gk_buf_append_str(out, ":");
        }
        append_value(out, headers[i].value);
    }
    gk_buf_append_str(out, "\n");
}

static int by_name_and_value(const void *left, const void *right)
{
    const struct gk_pair *a = left;
    const struct gk_pair *b = right;
    const int order = strcasecmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->value, b->value);
}

static void append_resource(const struct gk_request *request, bool lite, struct gk_buf *out)
{
    gk_buf_printf(out, "/%s%s", request->account_name, request->raw_path);
    if (lite) {
        const char *comp = gk_request_query(request, "comp");
        if (comp != NULL) {
            gk_buf_printf(out, "?comp=%s", comp);
        }
        return;
    }
    struct gk_pair *query = calloc(request->query_count + 1, sizeof *query);
    if (query == NULL) {
        out->status = GK_E_RESOURCE;
        return;
    }
    if (request->query_count > 0) {
        memcpy(query, request->query, request->query_count * sizeof *query);
        qsort(query, request->query_count, sizeof *query, by_name_and_value);
    }
    for (size_t i = 0; i < request->query_count; i++) {
        if (i > 0 && strcasecmp(query[i].name, query[i - 1].name) == 0) {
            gk_buf_append_str(out, ",");
        } else {
            gk_buf_append_str(out, "\n");
            append_lower(out, query[i].name);
            gk_buf_append_str(out, ":");
        }
        gk_buf_append_str(out, query[i].value);
    }
    free(query);
}

static void append_line(const struct gk_request *request, const char *name, struct gk_buf *out)
{
    const char *value = gk_request_header(request, name);
    if (value != NULL && strcmp(name, "Content-Length") == 0 && strcmp(value, "0") == 0 &&
        request->version >= VERSION_EMPTY_ZERO) {
        value = NULL;
    }
    if (value != NULL && strcmp(name, "Date") == 0 &&
        gk_request_header(request, "x-ms-date") != NULL) {
        value = NULL;
    }
    gk_buf_append_str(out, value == NULL ? "" : value);
    gk_buf_append_str(out, "\n");
}

void gk_shared_key_string(const struct gk_request *request, bool lite, bool culture_order,
                          struct gk_buf *out)
{
    static const char *const full_lines[] = {
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-MD5",
        "Content-Type",
        "Date",
        "If-Modified-Since",
        "If-Match",
        "If-None-Match",
        "If-Unmodified-Since",
        "Range",
    };
    static const char *const lite_lines[] = {"Content-MD5", "Content-Type", "Date"};
    const char *const *lines = lite ? lite_lines : full_lines;
    const size_t lines_count =
        lite ? sizeof lite_lines / sizeof *lite_lines : sizeof full_lines / sizeof *full_lines;
    gk_buf_append_str(out, request->method);
    gk_buf_append_str(out, "\n");
    for (size_t i = 0; i < lines_count; i++) {
        append_line(request, lines[i], out);
    }
    append_headers(request, culture_order, out);
    append_resource(request, lite, out);
}

/* --- the check ---------------------------------------------------------------------------------- */

static enum gk_status check_date(const struct gk_request *request, struct gk_error *error)
{
    const char *date = gk_request_header(request, "x-ms-date");
    if (date == NULL) {
        date = gk_request_header(request, "Date");
    }
    int64_t sent;
    if (date == NULL || !gk_time_http_parse(date, &sent)) {
        return gk_refuse_because(
            error, 403, "AuthenticationFailed",
            "The x-ms-date or Date header is missing or not in RFC 1123 form.");
    }
    const int64_t skew = request->received_wall_ms - sent;
    if (skew > CLOCK_SKEW_MS || skew < -CLOCK_SKEW_MS) {
        return gk_refuse_because(error, 403, "AuthenticationFailed",
                                 "Request date header too old or too far ahead: %s", date);
    }
    return GK_OK;
}

static bool signature_fits(const struct gk_request *request, bool lite, const char *signature)
{
    bool fits = false;
    /* Trying the other order as well costs an attacker nothing and spares older clients. */
    for (unsigned order = 0; order < 2 && !fits; order++) {
        struct gk_buf text;
        gk_buf_init(&text, STRING_BYTES_MAX);
        gk_shared_key_string(request, lite, order == 0, &text);
        fits = gk_buf_status(&text) == GK_OK &&
               gk_signature_matches(request->account->keys, gk_buf_span(&text), signature);
        gk_buf_cleanup_wipe(&text); /* a client's key is among the headers that are signed */
    }
    return fits;
}

enum gk_status gk_shared_key_check(const struct gk_request *request, const char *authorization,
                                   struct gk_error *error)
{
    const bool lite = strncasecmp(authorization, "SharedKeyLite ", 14) == 0;
    const char *credential = authorization + (lite ? 14 : 10);
    const char *colon = strchr(credential, ':');
    if (colon == NULL || strlen(request->account_name) != (size_t)(colon - credential) ||
        strncmp(credential, request->account_name, (size_t)(colon - credential)) != 0) {
        return gk_refuse_because(error, 403, "AuthenticationFailed",
                                 "The Authorization header is for another account or malformed.");
    }
    const enum gk_status status = check_date(request, error);
    if (status != GK_OK) {
        return status;
    }
    return signature_fits(request, lite, colon + 1) ? GK_OK
                                                    : gk_refuse(error, 403, "AuthenticationFailed");
}
