/* SPDX-License-Identifier: Apache-2.0 */
/* COUNT, SUM, AVG, MIN and MAX of a query (query_sql.h), over the values of all its records. */
#ifndef GATEWAY_BLOB_QUERY_AGGREGATE_H
#define GATEWAY_BLOB_QUERY_AGGREGATE_H

#include "gateway/blob/query_engine.h"

struct gk_query_aggregate {
    enum gk_query_item_kind kind;
    uint64_t count; /* of what was not NULL; of COUNT(*) of all */
    bool is_real;   /* the sum is real, for an addend was, or it had no room */
    int64_t integer;
    double real;
    struct gk_query_value best; /* of MIN and MAX; its text is in text */
    struct gk_buf text;
};

void gk_query_aggregate_init(struct gk_query_aggregate *aggregate, enum gk_query_item_kind kind);
void gk_query_aggregate_cleanup(struct gk_query_aggregate *aggregate); /* wipes */
void gk_query_aggregate_add(struct gk_query_aggregate *aggregate,
                            const struct gk_query_value *value);
/* NULL of no values, but for counts. */
void gk_query_aggregate_end(const struct gk_query_aggregate *aggregate,
                            struct gk_query_value *value);

#endif
