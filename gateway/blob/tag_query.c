/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/tag_query.h"

#include <string.h>
#include <strings.h>

#include "gateway/blob/tags.h"

#define CONTAINER "@container"
#define STEP_AND  0xfeu
#define STEP_OR   0xffu
#define OPEN      0xfdu /* a parenthesis that waits for its end; never a step */

/* Shunting yard: operators wait until those that bind weaker, or a closing parenthesis, come. */
struct parser {
    const char *at;
    enum gk_tag_grammar grammar;
    struct gk_tag_query *query;
    uint8_t waiting[GK_TAG_STEPS_MAX];
    size_t waiting_count;
};

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

static bool take_quoted(struct parser *parser, char quote, size_t max, struct gk_span *text)
{
    if (!take_char(parser, quote)) {
        return false;
    }
    const char *end = strchr(parser->at, quote);
    if (end == NULL || (size_t)(end - parser->at) > max) {
        return false;
    }
    *text = gk_span_of(parser->at, (size_t)(end - parser->at));
    parser->at = end + 1;
    return true;
}

static bool take_name(struct parser *parser, struct gk_span *name)
{
    skip_blanks(parser);
    if (*parser->at == '"') {
        return take_quoted(parser, '"', GK_TAG_NAME_BYTES_MAX, name) && name->len > 0;
    }
    const size_t len = word_length(parser->at);
    *name = gk_span_of(parser->at, len);
    parser->at += len;
    return len > 0 && len <= GK_TAG_NAME_BYTES_MAX;
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
            parser->at += len;
            *operator_ = operators[i].operator_;
            return *operator_ != GK_TAG_NE || parser->grammar == GK_TAG_CONDITION;
        }
    }
    return false;
}

/* --- expressions --------------------------------------------------------------------------------*/

static void add_step(struct parser *parser, uint8_t step)
{
    parser->query->steps[parser->query->steps_count++] = step;
}

static bool take_term(struct parser *parser)
{
    struct gk_tag_query *query = parser->query;
    if (query->terms_count == GK_TAG_TERMS_MAX) {
        return false;
    }
    struct gk_tag_term *term = &query->terms[query->terms_count];
    skip_blanks(parser);
    term->of_container = strncasecmp(parser->at, CONTAINER, strlen(CONTAINER)) == 0;
    if (term->of_container) {
        parser->at += strlen(CONTAINER);
        if (parser->grammar != GK_TAG_SEARCH) {
            return false;
        }
    } else if (!take_name(parser, &term->name)) {
        return false;
    }
    if (!take_operator(parser, &term->operator_) ||
        (term->of_container && term->operator_ != GK_TAG_EQ) ||
        !take_quoted(parser, '\'', GK_TAG_VALUE_BYTES_MAX, &term->value)) {
        return false;
    }
    add_step(parser, query->terms_count++);
    return true;
}

/* Those that bind as strong as operator_, or stronger, are done. */
static void release(struct parser *parser, uint8_t operator_)
{
    while (parser->waiting_count > 0) {
        const uint8_t last = parser->waiting[parser->waiting_count - 1];
        if (last == OPEN || (last == STEP_OR && operator_ == STEP_AND)) {
            return;
        }
        add_step(parser, last);
        parser->waiting_count--;
    }
}

static bool wait_for(struct parser *parser, uint8_t operator_)
{
    if (parser->waiting_count == sizeof parser->waiting) {
        return false;
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
            return false;
        }
        parser->waiting_count--; /* the one that opened */
    }
    return true;
}

static bool take_connective(struct parser *parser, uint8_t *operator_)
{
    if (take_keyword(parser, "AND")) {
        *operator_ = STEP_AND;
        return true;
    }
    *operator_ = STEP_OR;
    return parser->grammar == GK_TAG_CONDITION && take_keyword(parser, "OR");
}

bool gk_tag_query_parse(const char *text, enum gk_tag_grammar grammar, struct gk_tag_query *query)
{
    struct parser parser = {.at = text, .grammar = grammar, .query = query};
    uint8_t operator_;
    query->terms_count = 0;
    query->steps_count = 0;
    for (;;) {
        if (!take_operand(&parser) || !take_ends(&parser)) {
            return false;
        }
        if (!take_connective(&parser, &operator_)) {
            break;
        }
        release(&parser, operator_);
        if (!wait_for(&parser, operator_)) {
            return false;
        }
    }
    release(&parser, STEP_OR);
    skip_blanks(&parser);
    return parser.waiting_count == 0 && *parser.at == '\0';
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
        return term->operator_ == GK_TAG_NE;
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
    bool values[GK_TAG_TERMS_MAX + 1] = {false};
    size_t count = 0;
    for (uint8_t i = 0; i < query->steps_count; i++) {
        const uint8_t step = query->steps[i];
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
    for (uint8_t i = 0; i < query->terms_count; i++) {
        if (!query->terms[i].of_container && gk_span_equal(query->terms[i].name, name)) {
            return true;
        }
    }
    return false;
}
