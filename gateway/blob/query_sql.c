/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/query_sql.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/query_request.h"
#include "gateway/http/request.h"

#define DEPTH_MAX     32u
#define SQL_BYTES_MAX (4u * GK_QUERY_EXPRESSION_BYTES_MAX)

/* --- words --------------------------------------------------------------------------------------*/

enum word_kind { WORD_END, WORD_NAME, WORD_QUOTED, WORD_STRING, WORD_NUMBER, WORD_SYMBOL };

struct word {
    enum word_kind kind;
    struct gk_span text; /* of a quoted name without its quotes */
};

struct parsing {
    struct gk_span rest;
    struct word *words; /* the last one is WORD_END */
    size_t count;
    size_t cap;
    size_t at;
    unsigned depth; /* of casts in casts */
    struct gk_query_sql *out;
    struct gk_span alias; /* of the table */
    struct gk_error *error;
};

static enum gk_status refuse(const struct parsing *parsing, const char *what)
{
    const struct gk_span at =
        parsing->at < parsing->count ? parsing->words[parsing->at].text : (struct gk_span){0};
    return gk_refuse_because(parsing->error, 400, "InvalidInput", "The query: %s near '%.*s'.",
                             what, (int)(at.len < 40 ? at.len : 40), (const char *)at.data);
}

static bool is_name_byte(uint8_t c)
{
    return isalnum(c) || c == '_' || c >= 0x80;
}

static size_t number_length(struct gk_span text)
{
    size_t len = 0;
    while (len < text.len && (isalnum(text.data[len]) || text.data[len] == '.' ||
                              ((text.data[len] == '-' || text.data[len] == '+') && len > 0 &&
                               (text.data[len - 1] | 0x20) == 'e'))) {
        len++;
    }
    return len;
}

/* Of text in quotes of this kind, with both; 0 when it does not end. A quote in it is doubled. */
static size_t quoted_length(struct gk_span text, uint8_t quote)
{
    for (size_t i = 1; i < text.len; i++) {
        if (text.data[i] != quote) {
            continue;
        }
        if (i + 1 < text.len && text.data[i + 1] == quote) {
            i++;
        } else {
            return i + 1;
        }
    }
    return 0;
}

static size_t symbol_length(struct gk_span text)
{
    static const char *const two[] = {"!=", "<>", "<=", ">="};
    for (size_t i = 0; text.len > 1 && i < sizeof two / sizeof *two; i++) {
        if (memcmp(text.data, two[i], 2) == 0) {
            return 2;
        }
    }
    return strchr("=<>+-*/%&|~(),.[];", text.data[0]) != NULL && text.data[0] != '\0' ? 1 : 0;
}

/* The next word's kind and length; 0 for none that there is. */
static size_t next_word(struct gk_span text, enum word_kind *kind)
{
    size_t len = 0;
    if (isdigit(text.data[0])) {
        *kind = WORD_NUMBER;
        return number_length(text);
    }
    if (is_name_byte(text.data[0])) {
        *kind = WORD_NAME;
        while (len < text.len && is_name_byte(text.data[len])) {
            len++;
        }
        return len;
    }
    if (text.data[0] == '\'' || text.data[0] == '"') {
        *kind = text.data[0] == '"' ? WORD_QUOTED : WORD_STRING;
        return quoted_length(text, text.data[0]);
    }
    *kind = WORD_SYMBOL;
    return symbol_length(text);
}

static enum gk_status add_word(struct parsing *parsing, enum word_kind kind, struct gk_span text)
{
    if (parsing->count == parsing->cap) {
        const size_t cap = parsing->cap == 0 ? 64 : 2 * parsing->cap;
        struct word *words = reallocarray(parsing->words, cap, sizeof *words);
        if (words == NULL) {
            return gk_fail(parsing->error, GK_E_RESOURCE, "out of memory");
        }
        parsing->words = words;
        parsing->cap = cap;
    }
    if (kind == WORD_QUOTED) {
        text = gk_span_of(text.data + 1, text.len - 2);
    }
    parsing->words[parsing->count++] = (struct word){.kind = kind, .text = text};
    return GK_OK;
}

static enum gk_status split(struct parsing *parsing)
{
    struct gk_span *rest = &parsing->rest;
    enum gk_status status = GK_OK;
    while (status == GK_OK && rest->len > 0) {
        enum word_kind kind = WORD_END;
        const size_t len = isspace(rest->data[0]) ? 1 : next_word(*rest, &kind);
        if (len == 0) {
            return gk_refuse_because(parsing->error, 400, "InvalidInput",
                                     "The query: there is no such word.");
        }
        if (kind != WORD_END) {
            status = add_word(parsing, kind, gk_span_of(rest->data, len));
        }
        rest->data += len;
        rest->len -= len;
    }
    return status == GK_OK ? add_word(parsing, WORD_END, (struct gk_span){0}) : status;
}

static const struct word *word_at(const struct parsing *parsing, size_t at)
{
    return &parsing->words[at < parsing->count ? at : parsing->count - 1];
}

static bool text_is(struct gk_span text, const char *wanted)
{
    return text.len == strlen(wanted) &&
           strncasecmp((const char *)text.data, wanted, text.len) == 0;
}

static bool word_is(const struct word *word, enum word_kind kind, const char *text)
{
    return word->kind == kind && text_is(word->text, text);
}

static bool is_symbol(const struct parsing *parsing, size_t at, const char *text)
{
    return word_is(word_at(parsing, at), WORD_SYMBOL, text);
}

static bool is_keyword(const struct parsing *parsing, size_t at, const char *text)
{
    return word_is(word_at(parsing, at), WORD_NAME, text);
}

static bool is_one_of(struct gk_span text, const char *const *list)
{
    while (*list != NULL && !text_is(text, *list)) {
        list++;
    }
    return *list != NULL;
}

static bool take_keyword(struct parsing *parsing, const char *text)
{
    const bool there = is_keyword(parsing, parsing->at, text);
    parsing->at += there;
    return there;
}

static bool take_symbol(struct parsing *parsing, const char *text)
{
    const bool there = is_symbol(parsing, parsing->at, text);
    parsing->at += there;
    return there;
}

/* --- columns ------------------------------------------------------------------------------------*/

static bool is_name(const struct word *word)
{
    return word->kind == WORD_NAME || word->kind == WORD_QUOTED;
}

static enum gk_status take_step(struct parsing *parsing, struct gk_query_column *column)
{
    const struct word *word = word_at(parsing, parsing->at);
    uint64_t index = 0;
    if (column->count == GK_QUERY_STEPS_MAX) {
        return refuse(parsing, "a path is too long");
    }
    struct gk_query_step *step = &column->steps[column->count++];
    *step = (struct gk_query_step){.name = word->text, .quoted = word->kind == WORD_QUOTED};
    if (is_name(word) && word->text.len > 0) {
        parsing->at++;
        return GK_OK;
    }
    *step = (struct gk_query_step){.index = 0};
    if (word->kind != WORD_NUMBER || !gk_parse_u64(word->text, UINT32_MAX, &index) ||
        !is_symbol(parsing, parsing->at + 1, "]")) {
        return refuse(parsing, "a path is not well-formed");
    }
    step->index = (uint32_t)index;
    parsing->at += 2;
    return GK_OK;
}

/* The column that begins here, into the parameters; *index is its own. */
static enum gk_status take_column(struct parsing *parsing, uint32_t *index)
{
    struct gk_query_sql *out = parsing->out;
    if (out->columns_count == GK_QUERY_COLUMNS_MAX) {
        return refuse(parsing, "there are too many columns");
    }
    struct gk_query_column *column = &out->columns[out->columns_count];
    *index = out->columns_count++;
    enum gk_status status = take_step(parsing, column);
    while (status == GK_OK && (take_symbol(parsing, ".") || take_symbol(parsing, "["))) {
        status = take_step(parsing, column);
    }
    return status;
}

/* A name of the table before the column's own says nothing. */
static void drop_qualifiers(struct gk_query_sql *out, struct gk_span alias)
{
    for (uint32_t i = 0; i < out->columns_count; i++) {
        struct gk_query_column *column = &out->columns[i];
        const struct gk_span name = column->steps[0].name;
        if (column->count > 1 && column->steps[1].name.len > 0 &&
            (text_is(name, "BlobStorage") || (alias.len > 0 && gk_span_equal(name, alias)))) {
            column->count--;
            memmove(column->steps, column->steps + 1, column->count * sizeof *column->steps);
        }
    }
}

/* --- what makes a column a number ---------------------------------------------------------------*/

static bool is_arithmetic(const struct word *word)
{
    static const char *const symbols[] = {"+", "-", "*", "/", "%", "&", "|", "~", NULL};
    return word->kind == WORD_SYMBOL && is_one_of(word->text, symbols);
}

static bool is_comparison(const struct word *word)
{
    static const char *const symbols[] = {"=", "!=", "<>", "<", "<=", ">", ">=", NULL};
    return word->kind == WORD_SYMBOL && is_one_of(word->text, symbols);
}

static bool is_number(const struct parsing *parsing, size_t at)
{
    at += is_symbol(parsing, at, "-") || is_symbol(parsing, at, "+");
    return word_at(parsing, at)->kind == WORD_NUMBER;
}

/* The column stands from first up to after. */
static bool is_used_as_number(const struct parsing *parsing, size_t first, size_t after)
{
    const struct word *before = first == 0 ? NULL : word_at(parsing, first - 1);
    if ((before != NULL && is_arithmetic(before)) || is_arithmetic(word_at(parsing, after))) {
        return true;
    }
    if (first > 1 && is_comparison(before) && word_at(parsing, first - 2)->kind == WORD_NUMBER) {
        return true;
    }
    if (is_comparison(word_at(parsing, after))) {
        return is_number(parsing, after + 1);
    }
    after += is_keyword(parsing, after, "NOT");
    return (is_keyword(parsing, after, "BETWEEN") && is_number(parsing, after + 1)) ||
           (is_keyword(parsing, after, "IN") && is_symbol(parsing, after + 1, "(") &&
            is_number(parsing, after + 2));
}

static enum gk_status add_column(struct parsing *parsing, struct gk_buf *sql)
{
    const size_t first = parsing->at;
    uint32_t index = 0;
    const enum gk_status status = take_column(parsing, &index);
    const bool number = is_used_as_number(parsing, first, parsing->at);
    gk_buf_printf(sql, number ? " gk_number(?%u)" : " ?%u", index + 1);
    return status;
}

/* --- expressions --------------------------------------------------------------------------------*/

static const char *const expression_words[] = {"AND",    "OR",  "NOT",  "IN",    "BETWEEN", "LIKE",
                                               "ESCAPE", "IS",  "NULL", "CASE",  "WHEN",    "THEN",
                                               "ELSE",   "END", "TRUE", "FALSE", NULL};
/* After an expression; and words of other statements, which are no columns by mistake. */
static const char *const reserved_words[] = {"SELECT", "FROM",     "WHERE",  "LIMIT", "AS",
                                             "GROUP",  "ORDER",    "HAVING", "UNION", "JOIN",
                                             "WITH",   "DISTINCT", NULL};

static const struct {
    const char *name;
    const char *sql;
} functions[] = {{"CHAR_LENGTH", "length"}, {"CHARACTER_LENGTH", "length"}, {"LOWER", "lower"},
                 {"UPPER", "upper"},        {"SUBSTRING", "substr"},        {"TRIM", "trim"},
                 {"COALESCE", "coalesce"},  {"NULLIF", "nullif"},           {"ABS", "abs"}};

static const struct {
    const char *name;
    const char *sql;
} types[] = {{"INT", "gk_int"},       {"INTEGER", "gk_int"},  {"BIGINT", "gk_int"},
             {"FLOAT", "gk_float"},   {"DOUBLE", "gk_float"}, {"DECIMAL", "gk_float"},
             {"NUMERIC", "gk_float"}, {"STRING", "gk_text"},  {"VARCHAR", "gk_text"},
             {"BOOLEAN", "gk_bool"},  {"BOOL", "gk_bool"}};

static enum gk_status add_expression(struct parsing *parsing, struct gk_buf *sql);

/* CAST ( expression AS type ) */
static enum gk_status add_cast(struct parsing *parsing, struct gk_buf *sql)
{
    struct gk_buf inner;
    size_t type = 0;
    if (parsing->depth == DEPTH_MAX) {
        return refuse(parsing, "it is nested too deep");
    }
    parsing->depth++;
    parsing->at += 2;
    gk_buf_init(&inner, SQL_BYTES_MAX);
    enum gk_status status = add_expression(parsing, &inner);
    if (status == GK_OK && !take_keyword(parsing, "AS")) {
        status = refuse(parsing, "AS is missing");
    }
    while (status == GK_OK && type < sizeof types / sizeof *types &&
           !is_keyword(parsing, parsing->at, types[type].name)) {
        type++;
    }
    if (status == GK_OK && type == sizeof types / sizeof *types) {
        status = refuse(parsing, "there is no such type");
    }
    parsing->at++;
    if (status == GK_OK && !take_symbol(parsing, ")")) {
        status = refuse(parsing, "a parenthesis is missing");
    }
    if (status == GK_OK) {
        gk_buf_printf(sql, " %s(%s)", types[type].sql, gk_buf_str(&inner));
    }
    gk_buf_cleanup(&inner);
    parsing->depth--;
    return status;
}

static enum gk_status add_function(struct parsing *parsing, struct gk_buf *sql)
{
    if (is_keyword(parsing, parsing->at, "CAST")) {
        return add_cast(parsing, sql);
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (is_keyword(parsing, parsing->at, functions[i].name)) {
            gk_buf_printf(sql, " %s", functions[i].sql);
            parsing->at++;
            return GK_OK;
        }
    }
    return refuse(parsing, "there is no such function");
}

static enum gk_status add_name(struct parsing *parsing, struct gk_buf *sql)
{
    const struct gk_span text = word_at(parsing, parsing->at)->text;
    const bool called = is_symbol(parsing, parsing->at + 1, "(");
    if (is_one_of(text, expression_words)) {
        gk_buf_printf(sql, " %.*s", (int)text.len, (const char *)text.data);
        parsing->at++;
        return GK_OK;
    }
    return called ? add_function(parsing, sql) : add_column(parsing, sql);
}

/* One word or column, or a whole cast. */
static enum gk_status add_part(struct parsing *parsing, struct gk_buf *sql)
{
    const struct word *word = word_at(parsing, parsing->at);
    switch (word->kind) {
    case WORD_NAME:
        return add_name(parsing, sql);
    case WORD_QUOTED:
        return add_column(parsing, sql);
    case WORD_SYMBOL:
        if (strchr(".[];", word->text.data[0]) != NULL) {
            return refuse(parsing, "a sign stands where none can");
        }
        break;
    case WORD_STRING:
    case WORD_NUMBER:
    case WORD_END:
        break;
    }
    gk_buf_printf(sql, " %.*s", (int)word->text.len, (const char *)word->text.data);
    parsing->at++;
    return GK_OK;
}

/* Up to what cannot be of it: a comma or parenthesis of what is around it, or a word that comes after. */
static enum gk_status add_expression(struct parsing *parsing, struct gk_buf *sql)
{
    unsigned open = 0;
    enum gk_status status = GK_OK;
    const size_t first = parsing->at;
    while (status == GK_OK) {
        const struct word *word = word_at(parsing, parsing->at);
        if (word->kind == WORD_END ||
            (word->kind == WORD_NAME && is_one_of(word->text, reserved_words)) ||
            word_is(word, WORD_SYMBOL, ";") ||
            (open == 0 && (word_is(word, WORD_SYMBOL, ",") || word_is(word, WORD_SYMBOL, ")")))) {
            break;
        }
        open += word_is(word, WORD_SYMBOL, "(");
        open -= word_is(word, WORD_SYMBOL, ")");
        status = add_part(parsing, sql);
    }
    if (status == GK_OK && (parsing->at == first || open != 0)) {
        status = refuse(parsing, "an expression is not well-formed");
    }
    return status == GK_OK && gk_buf_status(sql) != GK_OK ? refuse(parsing, "it is too long")
                                                          : status;
}

/* --- items --------------------------------------------------------------------------------------*/

static const struct {
    const char *name;
    enum gk_query_item_kind kind;
} aggregates[] = {{"COUNT", GK_QUERY_COUNT},
                  {"SUM", GK_QUERY_SUM},
                  {"AVG", GK_QUERY_AVG},
                  {"MIN", GK_QUERY_MIN},
                  {"MAX", GK_QUERY_MAX}};

/* Whether an item ends before this word. */
static bool ends_item(const struct parsing *parsing, size_t at)
{
    const struct word *word = word_at(parsing, at);
    return word->kind == WORD_END || word_is(word, WORD_SYMBOL, ",") ||
           word_is(word, WORD_NAME, "FROM") || word_is(word, WORD_NAME, "AS");
}

static enum gk_status take_aggregate(struct parsing *parsing, struct gk_query_item *item)
{
    parsing->at += 2;
    if (item->kind == GK_QUERY_COUNT && is_symbol(parsing, parsing->at, "*")) {
        item->kind = GK_QUERY_COUNT_ALL;
        parsing->at++;
    } else {
        const bool number = item->kind == GK_QUERY_SUM || item->kind == GK_QUERY_AVG;
        gk_buf_append_str(&item->sql, number ? "gk_number(" : "(");
        const enum gk_status status = add_expression(parsing, &item->sql);
        gk_buf_append_str(&item->sql, ")");
        if (status != GK_OK) {
            return status;
        }
    }
    return take_symbol(parsing, ")") && ends_item(parsing, parsing->at)
               ? GK_OK
               : refuse(parsing, "an aggregate must stand by itself");
}

/* A column as it is, unless more comes behind it. */
static enum gk_status take_plain(struct parsing *parsing, struct gk_query_item *item)
{
    const size_t first = parsing->at;
    const uint32_t columns = parsing->out->columns_count;
    const struct word *word = word_at(parsing, first);
    const bool column =
        word->kind == WORD_QUOTED ||
        (word->kind == WORD_NAME && !is_symbol(parsing, first + 1, "(") &&
         !is_one_of(word->text, expression_words) && !is_one_of(word->text, reserved_words));
    if (column) {
        const enum gk_status status = take_column(parsing, &item->column);
        if (status != GK_OK || ends_item(parsing, parsing->at)) {
            item->kind = GK_QUERY_COLUMN;
            return status;
        }
        parsing->at = first;
        parsing->out->columns_count = columns;
        memset(&parsing->out->columns[columns], 0, sizeof *parsing->out->columns);
    }
    item->kind = GK_QUERY_EXPRESSION;
    return add_expression(parsing, &item->sql);
}

static enum gk_status take_item(struct parsing *parsing)
{
    struct gk_query_sql *out = parsing->out;
    if (out->items_count == GK_QUERY_ITEMS_MAX) {
        return refuse(parsing, "there are too many items");
    }
    struct gk_query_item *item = &out->items[out->items_count++];
    gk_buf_init(&item->sql, SQL_BYTES_MAX);
    if (take_symbol(parsing, "*")) {
        item->kind = GK_QUERY_ALL;
        return GK_OK;
    }
    enum gk_status status = GK_OK;
    size_t i = 0;
    while (i < sizeof aggregates / sizeof *aggregates &&
           !(is_keyword(parsing, parsing->at, aggregates[i].name) &&
             is_symbol(parsing, parsing->at + 1, "("))) {
        i++;
    }
    if (i < sizeof aggregates / sizeof *aggregates) {
        item->kind = aggregates[i].kind;
        status = take_aggregate(parsing, item);
    } else {
        status = take_plain(parsing, item);
    }
    if (status == GK_OK && take_keyword(parsing, "AS")) {
        item->name = word_at(parsing, parsing->at)->text;
        status =
            is_name(word_at(parsing, parsing->at)) ? GK_OK : refuse(parsing, "a name is missing");
        parsing->at++;
    }
    return status;
}

static enum gk_status take_items(struct parsing *parsing)
{
    struct gk_query_sql *out = parsing->out;
    enum gk_status status =
        take_keyword(parsing, "SELECT") ? take_item(parsing) : refuse(parsing, "it is no SELECT");
    while (status == GK_OK && take_symbol(parsing, ",")) {
        status = take_item(parsing);
    }
    out->aggregates = out->items[0].kind >= GK_QUERY_COUNT_ALL;
    for (uint32_t i = 0; status == GK_OK && i < out->items_count; i++) {
        const bool aggregate = out->items[i].kind >= GK_QUERY_COUNT_ALL;
        if (aggregate != out->aggregates ||
            (out->items[i].kind == GK_QUERY_ALL && out->items_count > 1)) {
            status = refuse(parsing, "these items cannot stand together");
        }
    }
    return status;
}

/* --- the whole ----------------------------------------------------------------------------------*/

static enum gk_status take_table(struct parsing *parsing)
{
    if (!take_keyword(parsing, "FROM") || !take_keyword(parsing, "BlobStorage")) {
        return refuse(parsing, "FROM BlobStorage is missing");
    }
    if (take_symbol(parsing, "[") && !(take_symbol(parsing, "*") && take_symbol(parsing, "]"))) {
        return refuse(parsing, "the table is not well-formed");
    }
    (void)take_keyword(parsing, "AS");
    const struct word *word = word_at(parsing, parsing->at);
    if (is_name(word) && !is_one_of(word->text, reserved_words)) {
        parsing->alias = word->text;
        parsing->at++;
    }
    return GK_OK;
}

static enum gk_status take_limit(struct parsing *parsing)
{
    parsing->out->limit = UINT64_MAX;
    if (!take_keyword(parsing, "LIMIT")) {
        return GK_OK;
    }
    const struct word *word = word_at(parsing, parsing->at);
    if (word->kind != WORD_NUMBER ||
        !gk_parse_u64(word->text, UINT64_MAX - 1, &parsing->out->limit)) {
        return refuse(parsing, "LIMIT takes a number");
    }
    parsing->at++;
    return GK_OK;
}

static enum gk_status parse(struct parsing *parsing)
{
    enum gk_status status = split(parsing);
    if (status == GK_OK) {
        status = take_items(parsing);
    }
    if (status == GK_OK) {
        status = take_table(parsing);
    }
    if (status == GK_OK && take_keyword(parsing, "WHERE")) {
        status = add_expression(parsing, &parsing->out->where);
    }
    if (status == GK_OK) {
        status = take_limit(parsing);
    }
    if (status == GK_OK) {
        (void)take_symbol(parsing, ";");
        if (word_at(parsing, parsing->at)->kind != WORD_END) {
            status = refuse(parsing, "more comes than there can be");
        }
    }
    drop_qualifiers(parsing->out, parsing->alias);
    return status;
}

enum gk_status gk_query_sql_parse(struct gk_span expression, struct gk_query_sql **out,
                                  struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_buf_init(&(*out)->where, SQL_BYTES_MAX);
    struct parsing parsing = {.rest = expression, .out = *out, .error = error};
    const enum gk_status status = parse(&parsing);
    free(parsing.words);
    return status;
}

void gk_query_sql_free(struct gk_query_sql *sql)
{
    if (sql == NULL) {
        return;
    }
    for (uint32_t i = 0; i < sql->items_count; i++) {
        gk_buf_cleanup(&sql->items[i].sql);
    }
    gk_buf_cleanup(&sql->where);
    free(sql);
}
