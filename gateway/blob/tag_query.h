/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions over a blob's tags: the parameter where of Find Blobs by Tags, and the header x-ms-if-tags
 * (Storage REST reference, "Find Blobs by Tags", "Specifying conditional headers"). Pure.
 *
 *   expression   comparison, or several with AND and OR in between; AND binds stronger; parentheses
 *   comparison   "name" operator 'value'          operator: = <> > >= < <=
 *                name operator 'value'            a name of letters, digits and _ needs no quotes
 *                @container = 'name'
 *
 * Values are compared byte by byte. Nothing holds of a tag that is not there, not even "<>".
 */
#ifndef GATEWAY_BLOB_TAG_QUERY_H
#define GATEWAY_BLOB_TAG_QUERY_H

#include "gateway/blob/record.h"

#define GK_TAG_TERMS_MAX 1000u
#define GK_TAG_NAMES_MAX 10u /* that a search may speak of */
#define GK_TAG_DEPTH_MAX                                                                           \
    64u /* of what waits for its end: parentheses, and operators in front of them */
#define GK_TAG_WHY_BYTES 80u

enum gk_tag_operator { GK_TAG_EQ, GK_TAG_NE, GK_TAG_GT, GK_TAG_GE, GK_TAG_LT, GK_TAG_LE };

struct gk_tag_term {
    bool of_container; /* @container, which has no name */
    enum gk_tag_operator operator_;
    struct gk_span name; /* these point into the text */
    struct gk_span value;
};

/* In postfix order: a step is a term's number, or one of the two operators. All zero: it holds nothing. */
struct gk_tag_query {
    struct gk_tag_term *terms; /* owned, all three */
    uint16_t *steps;
    bool *values; /* room for an evaluation: one at a time */
    uint16_t terms_count;
    uint16_t steps_count;
};

/* Why a text is no expression. */
struct gk_tag_fault {
    size_t at; /* the character, from 1; 0: of all of it */
    char why[GK_TAG_WHY_BYTES];
};

/* Which expressions are documented for what. */
enum gk_tag_grammar {
    GK_TAG_CONDITION, /* all but @container; names and values may be longer than any tag's */
    GK_TAG_SEARCH     /* no <>, no OR, no parentheses, GK_TAG_NAMES_MAX names */
};

/* False, and why, when text is no such expression, or one with more than GK_TAG_TERMS_MAX comparisons.
 * text must outlive query. cleanup is always fine afterwards. */
bool gk_tag_query_parse(const char *text, enum gk_tag_grammar grammar, struct gk_tag_query *query,
                        struct gk_tag_fault *fault) GK_MUST_USE;
void gk_tag_query_cleanup(struct gk_tag_query *query);
bool gk_tag_query_matches(const struct gk_tag_query *query, const char *container,
                          const struct gk_metadata *tags);
/* Whether it speaks of the tag of that name. */
bool gk_tag_query_names(const struct gk_tag_query *query, struct gk_span name);

#endif
