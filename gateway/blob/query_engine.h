/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluates a query for one record at a time, by SQLite: in memory, without a table, with an authorizer that
 * allows a SELECT of a few functions and nothing else, and within limits. Belongs to one thread.
 */
#ifndef GATEWAY_BLOB_QUERY_ENGINE_H
#define GATEWAY_BLOB_QUERY_ENGINE_H

#include "gateway/blob/query_record.h"

struct gk_query_engine;

enum gk_query_value_kind {
    GK_QUERY_VALUE_NULL,
    GK_QUERY_VALUE_INTEGER,
    GK_QUERY_VALUE_REAL,
    GK_QUERY_VALUE_TEXT,
    GK_QUERY_VALUE_JSON
};

/* What it refers to lives until the next record. */
struct gk_query_value {
    enum gk_query_value_kind kind;
    int64_t integer;
    double real;
    struct gk_span text;
    const json_t *json; /* a truth value, an array or an object */
};

/* sql and reader, which has read the names of its columns, must outlive the engine. 400 InvalidInput: it is no
 * SQL, or names a column that is not there. */
enum gk_status gk_query_engine_new(const struct gk_query_sql *sql,
                                   const struct gk_query_reader *reader,
                                   struct gk_query_engine **out,
                                   struct gk_error *error) GK_MUST_USE;
void gk_query_engine_free(struct gk_query_engine *engine); /* NULL is fine */

/* What a record came to. */
enum gk_query_result {
    GK_QUERY_MATCHES,
    GK_QUERY_DOES_NOT,
    GK_QUERY_CANNOT_CONVERT /* a value of it is not of the type that the query needs */
};

/* Whether the reader's record is wanted; if so its items are evaluated, or counted in. */
enum gk_status gk_query_engine_take(struct gk_query_engine *engine, enum gk_query_result *result,
                                    struct gk_error *error) GK_MUST_USE;
/* Of the record that matches, or at the end of all aggregates; not of GK_QUERY_ALL. */
void gk_query_engine_item(struct gk_query_engine *engine, uint32_t item,
                          struct gk_query_value *value);
/* A value of a JSON record. */
struct gk_query_value gk_query_value_of(const json_t *json);

#endif
