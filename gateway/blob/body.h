/* SPDX-License-Identifier: Apache-2.0 */
/* The checksums of a request's body: what the client sent to check it by, and what it is told. */
#ifndef GATEWAY_BLOB_BODY_H
#define GATEWAY_BLOB_BODY_H

#include "gateway/blob/writer.h"
#include "gateway/http/request.h"

struct gk_body_sums {
    bool md5_wanted;
    bool crc64_wanted;
    bool md5_sent;         /* Content-MD5 */
    bool content_md5_sent; /* x-ms-blob-content-md5, which Put Blob checks as well */
    bool crc64_sent;
    uint8_t sent_md5[GK_MD5_BYTES];
    uint8_t sent_content_md5[GK_MD5_BYTES];
    uint8_t sent_crc64[GK_CRC64_BYTES];
    uint8_t md5[GK_MD5_BYTES]; /* computed, after check */
    uint8_t crc64[GK_CRC64_BYTES];
};

/*
 * Reads Content-MD5, x-ms-content-crc64 (of a request with a source, x-ms-source-content-md5 and
 * x-ms-source-content-crc64) and, with whole_blob, x-ms-blob-content-md5. With whole_blob
 * the MD5 is always computed, else whatever was sent, and the CRC where nothing was. 400 InvalidMd5,
 * InvalidHeaderValue.
 */
enum gk_status gk_body_sums_read(const struct gk_request *request, bool whole_blob,
                                 struct gk_body_sums *sums, struct gk_error *error) GK_MUST_USE;
struct gk_writer_sums gk_body_sums_wanted(const struct gk_body_sums *sums);
/* Computes and compares, once the body is whole. writer NULL: an empty body. 400 Md5Mismatch,
 * Crc64Mismatch. */
enum gk_status gk_body_sums_check(struct gk_body_sums *sums, struct gk_writer *writer,
                                  struct gk_error *error) GK_MUST_USE;
/* The same for a body that is in memory. */
enum gk_status gk_body_sums_check_bytes(struct gk_body_sums *sums, struct gk_span body,
                                        struct gk_error *error) GK_MUST_USE;
/* Content-MD5, x-ms-content-crc64. */
void gk_body_sums_respond(struct gk_request *request, const struct gk_body_sums *sums);

#endif
