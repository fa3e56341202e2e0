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
 * Values are compared byte by byte. A tag that is not there is equal to nothing, and neither greater nor
 * less; "<>" holds for it.
 */
#ifndef GATEWAY_BLOB_TAG_QUERY_H
#define GATEWAY_BLOB_TAG_QUERY_H

#include "gateway/blob/record.h"

#define GK_TAG_TERMS_MAX 32u
#define GK_TAG_STEPS_MAX (2u * GK_TAG_TERMS_MAX)

enum gk_tag_operator { GK_TAG_EQ, GK_TAG_NE, GK_TAG_GT, GK_TAG_GE, GK_TAG_LT, GK_TAG_LE };

struct gk_tag_term {
    bool of_container; /* @container, which has no name */
    enum gk_tag_operator operator_;
    struct gk_span name; /* these point into the text */
    struct gk_span value;
};

/* In postfix order: a step is a term's number, or one of the two operators. */
struct gk_tag_query {
    struct gk_tag_term terms[GK_TAG_TERMS_MAX];
    uint8_t terms_count;
    uint8_t steps[GK_TAG_STEPS_MAX];
    uint8_t steps_count;
};

/* Which expressions are documented for what. */
enum gk_tag_grammar {
    GK_TAG_CONDITION, /* all but @container */
    GK_TAG_SEARCH     /* no <>, no OR, no parentheses */
};

/* False when text is no such expression, or one with more than GK_TAG_TERMS_MAX comparisons. text must
 * outlive query. */
bool gk_tag_query_parse(const char *text, enum gk_tag_grammar grammar,
                        struct gk_tag_query *query) GK_MUST_USE;
bool gk_tag_query_matches(const struct gk_tag_query *query, const char *container,
                          const struct gk_metadata *tags);
/* Whether it speaks of the tag of that name. */
bool gk_tag_query_names(const struct gk_tag_query *query, struct gk_span name);

#endif
