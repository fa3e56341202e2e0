/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of a blob, one after the other, for Query Blob Contents: delimited text or one JSON object each.
 * Bytes come from a function; memory is one record and a piece of what comes after it. Belongs to one thread.
 * What it holds is content of blobs, and is wiped.
 */
#ifndef GATEWAY_BLOB_QUERY_RECORD_H
#define GATEWAY_BLOB_QUERY_RECORD_H

#include <jansson.h>

#include "gateway/blob/query_request.h"
#include "gateway/blob/query_sql.h"

#define GK_QUERY_RECORD_BYTES_MAX (1u << 20)
#define GK_QUERY_FIELDS_MAX       16384u
#define GK_QUERY_JSON_DEPTH_MAX   64u

/* Fills up to max bytes; *len 0 at the end. */
typedef enum gk_status gk_query_source_fn(void *ctx, uint8_t *out, size_t max, size_t *len,
                                          struct gk_error *error);

struct gk_query_reader {
    const struct gk_query_format *format;
    gk_query_source_fn *source;
    void *source_ctx;
    uint8_t *piece; /* of the content */
    size_t piece_at;
    size_t piece_len;
    bool ended;
    uint64_t position; /* of what comes next, in the content */
    uint64_t began;    /* position of the record */
    /* The record. Of JSON: its text and what it is; of delimited text: fields, by where each ends. */
    struct gk_buf text;
    json_t *json;
    uint32_t *ends;
    uint32_t count;
    /* Names of the columns, when the first record has them: the same form. */
    struct gk_buf names;
    uint32_t *name_ends;
    uint32_t names_count;
    const char *wrong; /* why the content is not well-formed; NULL: it is */
};

/* GK_E_RESOURCE, and of the source, for the first record may be read here. cleanup is always fine
 * afterwards. */
enum gk_status gk_query_reader_init(struct gk_query_reader *reader,
                                    const struct gk_query_format *format,
                                    gk_query_source_fn *source, void *source_ctx,
                                    struct gk_error *error) GK_MUST_USE;
void gk_query_reader_cleanup(struct gk_query_reader *reader);

/* *there: there is another record, which is the reader's by now. GK_E_INVALID: the content is not
 * well-formed, and wrong says why. */
enum gk_status gk_query_reader_next(struct gk_query_reader *reader, bool *there,
                                    struct gk_error *error) GK_MUST_USE;

/* Field or name of that index; empty beyond the last. */
struct gk_span gk_query_reader_field(const struct gk_query_reader *reader, uint32_t index);
struct gk_span gk_query_reader_name(const struct gk_query_reader *reader, uint32_t index);
/* Which field of delimited text a column is; false when there is none of its name. */
bool gk_query_reader_find(const struct gk_query_reader *reader,
                          const struct gk_query_column *column, uint32_t *index);
/* The value of a JSON record that a column is, borrowed; NULL when there is none. */
json_t *gk_query_reader_value(const struct gk_query_reader *reader,
                              const struct gk_query_column *column);

#endif
