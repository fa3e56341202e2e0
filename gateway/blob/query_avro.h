/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of Query Blob Contents (Storage REST reference): an Avro object container (Apache Avro 1.11
 * specification, "Object Container Files") of records of four kinds. Pure; written into a buffer, in order.
 */
#ifndef GATEWAY_BLOB_QUERY_AVRO_H
#define GATEWAY_BLOB_QUERY_AVRO_H

#include "common/buf.h"

/* Collects the records of a block. */
struct gk_query_avro {
    uint8_t sync[16]; /* what stands after each block */
    struct gk_buf records;
    uint64_t count;
};

struct gk_query_avro_error {
    bool fatal;
    const char *name;
    const char *description;
    uint64_t position;
};

/* Draws the sync mark, and appends the head to out. GK_E_RESOURCE. */
enum gk_status gk_query_avro_begin(struct gk_query_avro *avro, struct gk_buf *out,
                                   struct gk_error *error) GK_MUST_USE;
void gk_query_avro_cleanup(struct gk_query_avro *avro); /* wipes */
void gk_query_avro_data(struct gk_query_avro *avro, struct gk_span data);
void gk_query_avro_error(struct gk_query_avro *avro, const struct gk_query_avro_error *what);
void gk_query_avro_progress(struct gk_query_avro *avro, uint64_t scanned, uint64_t total);
void gk_query_avro_end(struct gk_query_avro *avro, uint64_t total);
/* Appends the block to out, and begins another. */
void gk_query_avro_flush(struct gk_query_avro *avro, struct gk_buf *out);

#endif
