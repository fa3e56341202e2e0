/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body on its way into segments: cut into chunks, sealed, and handed to the store as data objects
 * of GK_OBJECT_CHUNKS sealed chunks each. The length is known from the start; one that is more than a
 * segment holds goes into two. Memory is one sealed chunk, whatever the length. Belongs to its
 * request's thread.
 */
#ifndef GATEWAY_BLOB_WRITER_H
#define GATEWAY_BLOB_WRITER_H

#include "gateway/blob/crc64.h"
#include "gateway/blob/hasher.h"
#include "gateway/blob/record.h"
#include "gateway/gateway.h"

#define GK_OBJECT_CHUNKS       64u
#define GK_OBJECT_SEALED_BYTES ((uint64_t)GK_OBJECT_CHUNKS * GK_CHUNK_SEALED_BYTES)
#define GK_SEGMENT_BYTES_MAX   ((uint64_t)GK_SEGMENT_CHUNKS_MAX * GK_CHUNK_PLAIN_BYTES)
/* 5,000 MiB is the most that Put Blob takes, as documented. */
#define GK_WRITER_SEGMENTS_MAX 2u
#define GK_WRITER_BYTES_MAX    (UINT64_C(5000) << 20)

struct gk_writer;

/* What the body is checked against or described with. */
struct gk_writer_sums {
    bool md5;
    bool crc64;
};

/* length from 1 to GK_WRITER_BYTES_MAX; up to GK_CHUNK_PLAIN_BYTES the one chunk may be kept, for a place
 * beside the blob's record, and there are no data objects. data_key must outlive the writer. */
enum gk_status gk_writer_new(struct gk_gateway *gateway, struct gk_data_key *data_key,
                             const struct gk_id *container, uint64_t length,
                             struct gk_writer_sums sums, bool keep, struct gk_writer **out,
                             struct gk_error *error) GK_MUST_USE;
/* Aborts what was not committed. NULL is fine. */
void gk_writer_free(struct gk_writer *writer);

enum gk_status gk_writer_append(struct gk_writer *writer, struct gk_span bytes,
                                struct gk_error *error) GK_MUST_USE;
/* One that does not keep its chunk and has all its bytes begins another body, in the same batch: the next commit
 * makes both durable. */
enum gk_status gk_writer_again(struct gk_writer *writer, uint64_t length,
                               struct gk_error *error) GK_MUST_USE;
/* After exactly length bytes. Only what was asked for is filled in. */
void gk_writer_sums(struct gk_writer *writer, uint8_t md5[GK_MD5_BYTES], uint64_t *crc64);
/* The segments as entries of a manifest, without a block's name; returns how many. */
uint32_t gk_writer_segments(const struct gk_writer *writer,
                            struct gk_manifest_entry entries[GK_WRITER_SEGMENTS_MAX]);
/* The sealed chunk of a writer that keeps it, once all bytes have come; it lives as long as the writer.
 * Empty for others, and for NULL. */
struct gk_span gk_writer_kept(const struct gk_writer *writer);
/* Makes the data durable and op visible; once. GK_E_CONFLICT: a guard of op did not hold. */
enum gk_status gk_writer_commit(struct gk_writer *writer, const struct gk_write_op *op,
                                struct gk_error *error) GK_MUST_USE;

/* How many data objects hold a segment of this many bytes. */
uint64_t gk_segment_objects(uint64_t length);

#endif
