/* SPDX-License-Identifier: Apache-2.0 */
/* What a query gives for its records (query_engine.h), as delimited text or one JSON object each. */
#ifndef GATEWAY_BLOB_QUERY_OUTPUT_H
#define GATEWAY_BLOB_QUERY_OUTPUT_H

#include "gateway/blob/query_engine.h"

struct gk_query_output {
    const struct gk_query_format *format;
    const struct gk_query_sql *sql;
    const struct gk_query_reader *reader;
    struct gk_query_engine *engine;
};

/* Appends the names of the items, where the format has them and they are known. */
void gk_query_output_names(const struct gk_query_output *output, struct gk_buf *out);
/* Appends the record that the engine has taken, or its aggregates. False, and nothing appended, when a value
 * cannot stand in JSON. */
bool gk_query_output_record(const struct gk_query_output *output, struct gk_buf *out) GK_MUST_USE;

#endif
