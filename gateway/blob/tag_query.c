/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/tag_query.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/blob/tags.h"

#define CONTAINER "@container"
#define STEP_AND  0xfffeu
#define STEP_OR   0xffffu
#define OPEN      0xfffdu /* a parenthesis that waits for its end; never a step */

/* Shunting yard: operators wait until those that bind weaker, or a closing parenthesis, come. */
struct parser {
    const char *text;
    const char *at;
    enum gk_tag_grammar grammar;
    struct gk_tag_query *query;
    struct gk_tag_fault *fault;
    uint16_t waiting[GK_TAG_DEPTH_MAX];
    size_t waiting_count;
    size_t names_count; /* that differ */
};

/* Where the parser is; false, for `return`. */
__attribute__((format(printf, 2, 3))) static bool fault_here(struct parser *parser,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(parser->fault->why, sizeof parser->fault->why, format, args);
    va_end(args);
    parser->fault->at = (size_t)(parser->at - parser->text) + 1;
    return false;
}

/* --- words --------------------------------------------------------------------------------------*/

static void skip_blanks(struct parser *parser)
{
    parser->at += strspn(parser->at, " \t");
}

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t word_length(const char *at)
{
    size_t len = 0;
    while (is_word_char(at[len])) {
        len++;
    }
    return len;
}

static bool take_char(struct parser *parser, char c)
{
    skip_blanks(parser);
    const bool there = *parser->at == c;
    parser->at += there;
    return there;
}

static bool take_keyword(struct parser *parser, const char *keyword)
{
    skip_blanks(parser);
    const size_t len = strlen(keyword);
    if (word_length(parser->at) != len || strncasecmp(parser->at, keyword, len) != 0) {
        return false;
    }
    parser->at += len;
    return true;
}

static bool is_container_char(char c)
{
    return is_word_char(c) || c == '-' || c == '$';
}

/* A quote stands there. The text between it and the next one has these characters alone. */
static bool take_quoted(struct parser *parser, char quote, bool (*is_valid)(char c),
                        struct gk_span *text)
{
    const char *end = strchr(parser->at + 1, quote);
    if (end == NULL) {
        return fault_here(parser, "unterminated string");
    }
    for (parser->at++; parser->at < end; parser->at++) {
        if (!is_valid(*parser->at)) {
            return fault_here(parser, "'%c' not permitted in tag name or value",
                              (unsigned char)*parser->at < 0x80 ? *parser->at : '?');
        }
        text->len++;
    }
    text->data = (const uint8_t *)end - text->len;
    parser->at = end + 1;
    return true;
}

static bool take_name(struct parser *parser, struct gk_span *name)
{
    if (*parser->at == '"') {
        if (!take_quoted(parser, '"', gk_tag_char_valid, name)) {
            return false;
        }
    } else {
        *name = gk_span_of(parser->at, word_length(parser->at));
        if (name->len == 0) {
            return fault_here(parser, "unexpected '%.*s'", (int)strcspn(parser->at, " \t=<>"),
                              parser->at);
        }
        parser->at += name->len;
    }
    const bool too_long = name->len > GK_TAG_NAME_BYTES_MAX && parser->grammar == GK_TAG_SEARCH;
    return (name->len > 0 && !too_long) ||
           fault_here(parser, "tag must be between 1 and %u characters in length",
                      GK_TAG_NAME_BYTES_MAX);
}

static bool take_container(struct parser *parser)
{
    const size_t len = 1 + word_length(parser->at + 1);
    if (parser->grammar != GK_TAG_SEARCH || len != strlen(CONTAINER) ||
        strncasecmp(parser->at, CONTAINER, len) != 0) {
        return fault_here(parser, "unsupported parameter '%.*s'", (int)(len < 32 ? len : 32),
                          parser->at);
    }
    parser->at += len;
    return true;
}

static bool take_value(struct parser *parser, bool of_container, struct gk_span *value)
{
    skip_blanks(parser);
    if (*parser->at != '\'') {
        return fault_here(parser, "expecting tag value");
    }
    return take_quoted(parser, '\'', of_container ? is_container_char : gk_tag_char_valid, value) &&
           (value->len <= GK_TAG_VALUE_BYTES_MAX || parser->grammar == GK_TAG_CONDITION ||
            fault_here(parser, "tag value must be between 0 and %u characters in length",
                       GK_TAG_VALUE_BYTES_MAX));
}

static bool take_operator(struct parser *parser, enum gk_tag_operator *operator_)
{
    static const struct {
        const char *text;
        enum gk_tag_operator operator_;
    } operators[] = {{"<>", GK_TAG_NE}, {">=", GK_TAG_GE}, {"<=", GK_TAG_LE},
                     {"=", GK_TAG_EQ},  {">", GK_TAG_GT},  {"<", GK_TAG_LT}};
    skip_blanks(parser);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        const size_t len = strlen(operators[i].text);
        if (strncmp(parser->at, operators[i].text, len) == 0) {
            *operator_ = operators[i].operator_;
            if (*operator_ == GK_TAG_NE && parser->grammar == GK_TAG_SEARCH) {
                return fault_here(parser, "unexpected <>");
            }
            parser->at += len;
            return true;
        }
    }
    return fault_here(parser, "expecting an operator");
}

/* --- expressions --------------------------------------------------------------------------------*/

static void add_step(struct parser *parser, uint16_t step)
{
    parser->query->steps[parser->query->steps_count++] = step;
}

/* A search speaks of few tags. */
static bool count_name(struct parser *parser, const struct gk_tag_term *term)
{
    if (term->of_container || parser->grammar == GK_TAG_CONDITION ||
        gk_tag_query_names(parser->query, term->name)) {
        return true;
    }
    if (++parser->names_count <= GK_TAG_NAMES_MAX) {
        return true;
    }
    (void)fault_here(parser, "there can be at most %u unique tags in a query", GK_TAG_NAMES_MAX);
    parser->fault->at = 0;
    return false;
}

static bool take_term(struct parser *parser)
{
    struct gk_tag_query *query = parser->query;
    struct gk_tag_term term = {.of_container = false};
    skip_blanks(parser);
    if (query->terms_count == GK_TAG_TERMS_MAX) {
        return fault_here(parser, "too many comparisons");
    }
    term.of_container = *parser->at == '@';
    if (!(term.of_container ? take_container(parser) : take_name(parser, &term.name)) ||
        !take_operator(parser, &term.operator_)) {
        return false;
    }
    if (term.of_container && term.operator_ != GK_TAG_EQ) {
        return fault_here(parser, "unexpected operator");
    }
    if (!take_value(parser, term.of_container, &term.value) || !count_name(parser, &term)) {
        return false;
    }
    query->terms[query->terms_count] = term;
    add_step(parser, query->terms_count++);
    return true;
}

/* Those that bind as strong as operator_, or stronger, are done. */
static void release(struct parser *parser, uint16_t operator_)
{
    while (parser->waiting_count > 0) {
        const uint16_t last = parser->waiting[parser->waiting_count - 1];
        if (last == OPEN || (last == STEP_OR && operator_ == STEP_AND)) {
            return;
        }
        add_step(parser, last);
        parser->waiting_count--;
    }
}

static bool wait_for(struct parser *parser, uint16_t operator_)
{
    if (parser->waiting_count == GK_TAG_DEPTH_MAX) {
        return fault_here(parser, "too deep");
    }
    parser->waiting[parser->waiting_count++] = operator_;
    return true;
}

/* Zero or more opening parentheses and a comparison. */
static bool take_operand(struct parser *parser)
{
    while (parser->grammar == GK_TAG_CONDITION && take_char(parser, '(')) {
        if (!wait_for(parser, OPEN)) {
            return false;
        }
    }
    return take_term(parser);
}

/* Zero or more closing parentheses. */
static bool take_ends(struct parser *parser)
{
    while (take_char(parser, ')')) {
        release(parser, STEP_OR);
        if (parser->waiting_count == 0) {
            return fault_here(parser, "unexpected )");
        }
        parser->waiting_count--; /* the one that opened */
    }
    return true;
}

static bool take_connective(struct parser *parser, uint16_t *operator_)
{
    if (take_keyword(parser, "AND")) {
        *operator_ = STEP_AND;
        return true;
    }
    *operator_ = STEP_OR;
    return parser->grammar == GK_TAG_CONDITION && take_keyword(parser, "OR");
}

static bool parse(struct parser *parser)
{
    uint16_t operator_;
    for (;;) {
        if (!take_operand(parser) || !take_ends(parser)) {
            return false;
        }
        if (!take_connective(parser, &operator_)) {
            break;
        }
        release(parser, operator_);
        if (!wait_for(parser, operator_)) {
            return false;
        }
    }
    release(parser, STEP_OR);
    skip_blanks(parser);
    if (*parser->at != '\0') {
        return fault_here(parser, "unexpected '%.*s'", (int)strcspn(parser->at, " \t"), parser->at);
    }
    return parser->waiting_count == 0 || fault_here(parser, "expecting )");
}

bool gk_tag_query_parse(const char *text, enum gk_tag_grammar grammar, struct gk_tag_query *query,
                        struct gk_tag_fault *fault)
{
    /* No comparison is shorter than a='': more than these do not fit into the text. */
    const size_t terms =
        strlen(text) / 4 < GK_TAG_TERMS_MAX ? strlen(text) / 4 + 1 : GK_TAG_TERMS_MAX;
    struct parser parser = {
        .text = text, .at = text, .grammar = grammar, .query = query, .fault = fault};
    *query = (struct gk_tag_query){.terms = calloc(terms, sizeof *query->terms),
                                   .steps = calloc(2 * terms, sizeof *query->steps),
                                   .values = calloc(terms, sizeof *query->values)};
    if (query->terms == NULL || query->steps == NULL || query->values == NULL) {
        return fault_here(&parser, "out of memory");
    }
    return parse(&parser);
}

void gk_tag_query_cleanup(struct gk_tag_query *query)
{
    free(query->terms);
    free(query->steps);
    free(query->values);
    *query = (struct gk_tag_query){.terms = NULL};
}

/* --- what they say ------------------------------------------------------------------------------*/

static int compare(struct gk_span left, struct gk_span right)
{
    const size_t len = left.len < right.len ? left.len : right.len;
    const int order = len == 0 ? 0 : memcmp(left.data, right.data, len);
    return order != 0 ? order : (left.len > right.len) - (left.len < right.len);
}

static bool term_matches(const struct gk_tag_term *term, const char *container,
                         const struct gk_metadata *tags)
{
    struct gk_span value = gk_span_str(container);
    if (!term->of_container && !gk_tags_find(tags, term->name, &value)) {
        return false;
    }
    const int order = compare(value, term->value);
    switch (term->operator_) {
    case GK_TAG_EQ:
        return order == 0;
    case GK_TAG_NE:
        return order != 0;
    case GK_TAG_GT:
        return order > 0;
    case GK_TAG_GE:
        return order >= 0;
    case GK_TAG_LT:
        return order < 0;
    default:
        return order <= 0;
    }
}

bool gk_tag_query_matches(const struct gk_tag_query *query, const char *container,
                          const struct gk_metadata *tags)
{
    bool *values = query->values;
    size_t count = 0;
    for (uint16_t i = 0; i < query->steps_count; i++) {
        const uint16_t step = query->steps[i];
        if (step < GK_TAG_TERMS_MAX) {
            values[count++] = term_matches(&query->terms[step], container, tags);
        } else {
            count--;
            values[count - 1] = step == STEP_AND ? values[count - 1] && values[count]
                                                 : values[count - 1] || values[count];
        }
    }
    return values[0];
}

bool gk_tag_query_names(const struct gk_tag_query *query, struct gk_span name)
{
    for (uint16_t i = 0; i < query->terms_count; i++) {
        if (!query->terms[i].of_container && gk_span_equal(query->terms[i].name, name)) {
            return true;
        }
    }
    return false;
}
