/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of Blob Batch (Storage REST reference, "Blob Batch"; RFC 2046 section 5.1): requests without a
 * body of their own, one a part.
 *
 *   --boundary
 *   Content-Type: application/http
 *   Content-Transfer-Encoding: binary
 *   Content-ID: 0
 *
 *   DELETE /container/blob HTTP/1.1
 *   Authorization: ...
 *   Content-Length: 0
 *
 *   --boundary--
 *
 * Pure.
 */
#ifndef GATEWAY_BLOB_BATCH_BODY_H
#define GATEWAY_BLOB_BATCH_BODY_H

#include "common/buf.h"
#include "gateway/http/server.h"

#define GK_BATCH_PARTS_MAX        256u
#define GK_BATCH_PART_HEADERS_MAX 32u
#define GK_BATCH_BODY_BYTES_MAX   (4u << 20)
#define GK_BATCH_BOUNDARY_BYTES   71u /* with NUL */

struct gk_batch_part {
    const char *content_id; /* NULL when it has none */
    const char *method;
    const char *target; /* path and query */
    struct gk_pair headers[GK_BATCH_PART_HEADERS_MAX];
    size_t headers_count;
};

/* False when the header is none of multipart/mixed with a boundary. */
bool gk_batch_boundary(const char *content_type,
                       char boundary[GK_BATCH_BOUNDARY_BYTES]) GK_MUST_USE;
/*
 * Splits body, which is changed, and which the parts point into. *parts has *count of them, 1 to
 * GK_BATCH_PARTS_MAX; the caller frees it. 400 InvalidInput.
 */
enum gk_status gk_batch_body_parse(struct gk_buf *body, const char *boundary,
                                   struct gk_batch_part **parts, size_t *count,
                                   struct gk_error *error) GK_MUST_USE;

#endif
