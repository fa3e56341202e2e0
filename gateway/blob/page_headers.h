/* SPDX-License-Identifier: Apache-2.0 */
/* What requests to page blobs have in their headers (Storage REST reference, "Put Page", "Set Blob
 * Properties"). Strict. */
#ifndef GATEWAY_BLOB_PAGE_HEADERS_H
#define GATEWAY_BLOB_PAGE_HEADERS_H

#include "gateway/blob/headers.h"

/* Whole pages of a page blob. */
struct gk_page_range {
    uint64_t from;
    uint64_t to;
};

/* x-ms-range or Range, which must be there and of whole pages. 400 MissingRequiredHeader, 416
 * InvalidPageRange. */
enum gk_status gk_page_range_read(const struct gk_request *request, struct gk_page_range *range,
                                  struct gk_error *error) GK_MUST_USE;
/* A size in x-ms-blob-content-length: *given as gk_header_u64. 400 InvalidHeaderValue: no multiple of 512,
 * or over 8 TiB. */
enum gk_status gk_page_size_read(const struct gk_request *request, uint64_t *size, bool *given,
                                 struct gk_error *error) GK_MUST_USE;
/* x-ms-if-sequence-number-le, -lt and -eq. 400 InvalidHeaderValue, 412 SequenceNumberConditionNotMet. */
enum gk_status gk_sequence_check(const struct gk_request *request, uint64_t sequence,
                                 struct gk_error *error) GK_MUST_USE;
/* x-ms-sequence-number-action, if there is one, and the number with it, on *sequence. 400
 * InvalidHeaderValue, MissingRequiredHeader. */
enum gk_status gk_sequence_change(const struct gk_request *request, uint64_t *sequence,
                                  struct gk_error *error) GK_MUST_USE;

#endif
