/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An expression of Query Blob Contents (the reference of the query acceleration language), taken apart:
 *
 *   SELECT item [, item ...] FROM BlobStorage[[*]] [alias] [WHERE condition] [LIMIT n]
 *   item   * | aggregate(expression) | expression, each but the first with an optional name
 *
 * What of it is an expression becomes SQL for SQLite, which evaluates it for one record at a time with the
 * record's columns as its parameters: there is no table in that SQL. A list of words that may stand in an
 * expression, and of functions, makes it up; anything else is refused here, or by SQLite's own parser. Pure.
 *
 * A column of text that is calculated with, or compared with a number, is one: gk_number() is put around it
 * where the words beside it say so.
 */
#ifndef GATEWAY_BLOB_QUERY_SQL_H
#define GATEWAY_BLOB_QUERY_SQL_H

#include "common/buf.h"

#define GK_QUERY_ITEMS_MAX   49u /* documented */
#define GK_QUERY_COLUMNS_MAX 250u
#define GK_QUERY_STEPS_MAX   8u

/* A column: of delimited text one step, a name or "_1" and so on; of JSON the way to a value. */
struct gk_query_step {
    struct gk_span name; /* into the expression; empty: an index of an array */
    bool quoted;         /* with its case */
    uint32_t index;
};
struct gk_query_column {
    struct gk_query_step steps[GK_QUERY_STEPS_MAX];
    uint32_t count;
};

enum gk_query_item_kind {
    GK_QUERY_ALL,        /* * */
    GK_QUERY_COLUMN,     /* a column as it is */
    GK_QUERY_EXPRESSION, /* sql */
    GK_QUERY_COUNT_ALL,  /* COUNT(*); the rest are aggregates of sql */
    GK_QUERY_COUNT,
    GK_QUERY_SUM,
    GK_QUERY_AVG,
    GK_QUERY_MIN,
    GK_QUERY_MAX
};

struct gk_query_item {
    enum gk_query_item_kind kind;
    uint32_t column;
    struct gk_buf sql;
    struct gk_span name; /* empty: it was given none */
};

struct gk_query_sql {
    struct gk_query_item items[GK_QUERY_ITEMS_MAX];
    uint32_t items_count;
    bool aggregates;                                      /* all items are, or none is */
    struct gk_query_column columns[GK_QUERY_COLUMNS_MAX]; /* parameters, from ?1 on */
    uint32_t columns_count;
    struct gk_buf where; /* empty: all records */
    uint64_t limit;      /* UINT64_MAX: none */
};

/* expression must outlive out, which is the caller's to free (gk_query_sql_free), whatever the result, and
 * large. 400 InvalidInput with what is wrong. */
enum gk_status gk_query_sql_parse(struct gk_span expression, struct gk_query_sql **out,
                                  struct gk_error *error) GK_MUST_USE;
void gk_query_sql_free(struct gk_query_sql *sql); /* NULL is fine */

#endif
