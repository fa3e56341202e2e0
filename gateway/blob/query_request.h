/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of Query Blob Contents (Storage REST reference): the expression, and what its input looks like and
 * its output is to look like. Pure.
 */
#ifndef GATEWAY_BLOB_QUERY_REQUEST_H
#define GATEWAY_BLOB_QUERY_REQUEST_H

#include "common/buf.h"

#define GK_QUERY_EXPRESSION_BYTES_MAX (256u << 10) /* documented */
#define GK_QUERY_SEPARATOR_BYTES      9u           /* with NUL */

enum gk_query_kind { GK_QUERY_DELIMITED, GK_QUERY_JSON };

struct gk_query_format {
    enum gk_query_kind kind;
    char record[GK_QUERY_SEPARATOR_BYTES]; /* what stands between records, 1 byte at least */
    char column[GK_QUERY_SEPARATOR_BYTES]; /* of delimited text, as all that follow: likewise */
    char quote;                            /* 0: none */
    char escape;                           /* 0: none */
    bool headers;                          /* the first record has the names of the columns */
};

struct gk_query_request {
    struct gk_buf expression;
    struct gk_query_format input;
    struct gk_query_format output;
};

/* 400 InvalidXmlDocument, InvalidXmlNodeValue; UnsupportedXmlNode for formats that are not served (Arrow,
 * Parquet). cleanup is always fine afterwards. */
enum gk_status gk_query_request_parse(struct gk_span body, struct gk_query_request *out,
                                      struct gk_error *error) GK_MUST_USE;
void gk_query_request_cleanup(struct gk_query_request *request);

#endif
