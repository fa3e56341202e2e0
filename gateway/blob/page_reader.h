/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A range of a page blob on its way out. What was never written is zeros, by the rows of the blob; of what
 * was written a run of blocks is read with its seals, of one state, and opened. Memory is one run. A write
 * beside it is seen or not, block by block. Belongs to its request's thread.
 */
#ifndef GATEWAY_BLOB_PAGE_READER_H
#define GATEWAY_BLOB_PAGE_READER_H

#include "gateway/blob/page_rows.h"

#define GK_PAGE_RUN_BLOCKS 128u /* half a MiB */

struct gk_page_reader;

/* length at least 1, within the blob. data_key must outlive the reader; target may go. */
enum gk_status gk_page_reader_new(const struct gk_request *request,
                                  const struct gk_blob_target *target, struct gk_data_key *data_key,
                                  uint64_t from, uint64_t length, struct gk_page_reader **out,
                                  struct gk_error *error) GK_MUST_USE;
void gk_page_reader_free(struct gk_page_reader *reader); /* wipes; NULL is fine */
/* Makes sure that the next call to next needs no store and no key. */
enum gk_status gk_page_reader_prime(struct gk_page_reader *reader,
                                    struct gk_error *error) GK_MUST_USE;
/* The next bytes, up to max; at least 1 while some are left. */
enum gk_status gk_page_reader_next(struct gk_page_reader *reader, uint8_t *out, size_t max,
                                   size_t *len, struct gk_error *error) GK_MUST_USE;

#endif
