/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_function.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NUMBER_BYTES_MAX  64u
#define PATTERN_BYTES_MAX 256u

/* --- conversions --------------------------------------------------------------------------------*/

bool gk_query_function_allowed(const char *name)
{
    static const char *const names[] = {"length",   "lower",    "upper",   "substr", "trim",
                                        "coalesce", "nullif",   "abs",     "like",   "gk_number",
                                        "gk_int",   "gk_float", "gk_text", "gk_bool"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static void fail(sqlite3_context *context)
{
    *(bool *)sqlite3_user_data(context) = true;
    sqlite3_result_null(context);
}

/* Text without the blanks around it; false for what no number looks like. */
static bool number_text(sqlite3_value *value, char text[NUMBER_BYTES_MAX])
{
    const char *at = (const char *)sqlite3_value_text(value);
    size_t len = (size_t)sqlite3_value_bytes(value);
    for (; len > 0 && *at == ' '; at++) {
        len--;
    }
    while (len > 0 && (at[len - 1] == ' ' || at[len - 1] == '\r')) {
        len--;
    }
    if (len >= NUMBER_BYTES_MAX) {
        return false;
    }
    memcpy(text, at, len);
    text[len] = '\0';
    return strspn(text, "0123456789+-.eE") == len;
}

static bool is_number(sqlite3_value *value)
{
    const int type = sqlite3_value_type(value);
    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

/* NULL, or text that says nothing. */
static bool is_nothing(sqlite3_value *value)
{
    return sqlite3_value_type(value) == SQLITE_NULL || sqlite3_value_bytes(value) == 0;
}

static bool parse_int(const char *text, sqlite3_int64 *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

static bool parse_real(const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && isfinite(*out);
}

static void to_number(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    char text[NUMBER_BYTES_MAX];
    sqlite3_int64 integer = 0;
    double real = 0;
    if (is_number(values[0])) {
        sqlite3_result_value(context, values[0]);
    } else if (is_nothing(values[0])) {
        sqlite3_result_null(context);
    } else if (number_text(values[0], text) && parse_int(text, &integer)) {
        sqlite3_result_int64(context, integer);
    } else if (number_text(values[0], text) && parse_real(text, &real)) {
        sqlite3_result_double(context, real);
    } else {
        fail(context);
    }
}

static void to_int(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    static const double most = 9223372036854774784.0; /* the greatest that fits */
    char text[NUMBER_BYTES_MAX];
    sqlite3_int64 integer = 0;
    if (sqlite3_value_type(values[0]) == SQLITE_FLOAT) {
        const double real = sqlite3_value_double(values[0]);
        if (real >= -most && real <= most) {
            sqlite3_result_int64(context, (sqlite3_int64)real);
        } else {
            fail(context);
        }
    } else if (is_number(values[0])) {
        sqlite3_result_value(context, values[0]);
    } else if (is_nothing(values[0])) {
        sqlite3_result_null(context);
    } else if (number_text(values[0], text) && parse_int(text, &integer)) {
        sqlite3_result_int64(context, integer);
    } else {
        fail(context);
    }
}

static void to_float(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    char text[NUMBER_BYTES_MAX];
    double real = 0;
    if (is_number(values[0])) {
        sqlite3_result_double(context, sqlite3_value_double(values[0]));
    } else if (is_nothing(values[0])) {
        sqlite3_result_null(context);
    } else if (number_text(values[0], text) && parse_real(text, &real)) {
        sqlite3_result_double(context, real);
    } else {
        fail(context);
    }
}

static void to_text(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        sqlite3_result_null(context);
        return;
    }
    sqlite3_result_text(context, (const char *)sqlite3_value_text(values[0]),
                        sqlite3_value_bytes(values[0]), SQLITE_TRANSIENT);
}

static void to_bool(sqlite3_context *context, int count, sqlite3_value **values)
{
    (void)count;
    const char *text = (const char *)sqlite3_value_text(values[0]);
    if (is_number(values[0])) {
        sqlite3_result_int(context, sqlite3_value_double(values[0]) != 0);
    } else if (is_nothing(values[0])) {
        sqlite3_result_null(context);
    } else if (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0) {
        sqlite3_result_int(context, 1);
    } else if (strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        sqlite3_result_int(context, 0);
    } else {
        fail(context);
    }
}

/* --- LIKE ---------------------------------------------------------------------------------------*/

/* The length of the character that begins there. */
static size_t character_length(const unsigned char *text, size_t left)
{
    size_t len = 1;
    while (len < left && (text[len] & 0xc0) == 0x80) {
        len++;
    }
    return len;
}

/* Text and pattern, with where the last % stood: what came after it is tried again one character on, so that no
 * pattern costs more than its length for each byte of the text. */
struct like {
    const unsigned char *text;
    size_t text_len;
    const unsigned char *pattern;
    size_t pattern_len;
    int escape; /* -1: none */
};

static bool is_like(const struct like *like)
{
    size_t at = 0;
    size_t in = 0; /* pattern */
    size_t star = SIZE_MAX;
    size_t mark = 0;
    while (at < like->text_len) {
        const bool more = in < like->pattern_len;
        const unsigned char c = more ? like->pattern[in] : 0;
        const bool escaped = more && c == like->escape && in + 1 < like->pattern_len;
        const unsigned char wanted = escaped ? like->pattern[in + 1] : c;
        if (more && !escaped && c == '%') {
            star = ++in;
            mark = at;
        } else if (more && !escaped && c == '_') {
            in++;
            at += character_length(like->text + at, like->text_len - at);
        } else if (more && wanted == like->text[at]) {
            in += escaped ? 2 : 1;
            at++;
        } else if (star != SIZE_MAX) {
            in = star;
            mark += character_length(like->text + mark, like->text_len - mark);
            at = mark;
        } else {
            return false;
        }
    }
    while (in < like->pattern_len && like->pattern[in] == '%') {
        in++;
    }
    return in == like->pattern_len;
}

/* like(pattern, text [, escape]); with its case, unlike SQLite's own. */
static void to_like(sqlite3_context *context, int count, sqlite3_value **values)
{
    for (int i = 0; i < count; i++) {
        if (sqlite3_value_type(values[i]) == SQLITE_NULL) {
            return;
        }
    }
    struct like like = {.escape = -1};
    like.pattern = sqlite3_value_text(values[0]);
    like.pattern_len = (size_t)sqlite3_value_bytes(values[0]);
    like.text = sqlite3_value_text(values[1]);
    like.text_len = (size_t)sqlite3_value_bytes(values[1]);
    if (count == 3) {
        like.escape = sqlite3_value_text(values[2])[0];
    }
    if (like.pattern_len > PATTERN_BYTES_MAX ||
        (count == 3 && sqlite3_value_bytes(values[2]) != 1)) {
        fail(context);
        return;
    }
    sqlite3_result_int(context, is_like(&like));
}

bool gk_query_functions_add(struct sqlite3 *db, bool *failed)
{
    static const struct {
        const char *name;
        int arguments;
        void (*function)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {{"gk_number", 1, to_number}, {"gk_int", 1, to_int},
                     {"gk_float", 1, to_float},   {"gk_text", 1, to_text},
                     {"gk_bool", 1, to_bool},     {"like", 2, to_like},
                     {"like", 3, to_like}};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments, SQLITE_UTF8,
                                       failed, functions[i].function, NULL, NULL,
                                       NULL) != SQLITE_OK) {
            return false;
        }
    }
    return true;
}
