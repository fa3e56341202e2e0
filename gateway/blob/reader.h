/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A range of a blob on its way out: sealed chunks are read, a few at a time, opened in place, and
 * handed on only then. What the blob consists of comes from its record alone; a chunk that is
 * missing, short or not what was written is GK_E_INTEGRITY. While some are handed out the next ones
 * are read. Of a page blob: page_reader.h. Memory is twice GK_READ_CHUNKS sealed chunks and one page of the manifest, whatever the
 * length. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_READER_H
#define GATEWAY_BLOB_READER_H

#include "gateway/blob/target.h"

/* A MiB: fewer round trips to the store cost more memory for each connection. */
#define GK_READ_CHUNKS 16u

struct gk_reader_stream;

/* length at least 1, within the blob. data_key is taken over, whatever the result; target, which was
 * loaded with content, may go afterwards, the request's account must stay. */
enum gk_status gk_reader_stream_new(const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    struct gk_data_key *data_key, uint64_t from, uint64_t length,
                                    struct gk_reader_stream **out,
                                    struct gk_error *error) GK_MUST_USE;
void gk_reader_stream_free(struct gk_reader_stream *stream); /* wipes; NULL is fine */
/*
 * The next bytes of the range, up to max, at least 1 while some are left. The first call is made
 * before an answer begins, so that what is wrong with the blob's first bytes is an error, not a
 * connection that breaks off.
 */
enum gk_status gk_reader_stream_next(struct gk_reader_stream *stream, uint8_t *out, size_t max,
                                     size_t *len, struct gk_error *error) GK_MUST_USE;
/* Makes sure that the next call to next needs no store and no key. */
enum gk_status gk_reader_stream_prime(struct gk_reader_stream *stream,
                                      struct gk_error *error) GK_MUST_USE;

#endif
