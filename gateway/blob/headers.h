/* SPDX-License-Identifier: Apache-2.0 */
/* Request headers to what records hold, and back. Strict: what cannot be kept is refused. */
#ifndef GATEWAY_BLOB_HEADERS_H
#define GATEWAY_BLOB_HEADERS_H

#include "gateway/blob/record.h"
#include "gateway/http/request.h"

/* x-ms-meta-*: 400 InvalidMetadata, EmptyMetadataKey, MetadataTooLarge. metadata is initialised. */
enum gk_status gk_metadata_from_headers(const struct gk_request *request,
                                        struct gk_metadata *metadata,
                                        struct gk_error *error) GK_MUST_USE;
void gk_metadata_to_headers(struct gk_request *request, const struct gk_metadata *metadata);

/*
 * x-ms-blob-content-type and its sisters, into record; with fallback, Content-Type and its sisters
 * where those are missing (Put Blob). x-ms-blob-content-md5 becomes the record's MD5, whatever bytes it
 * has. 400 InvalidHeaderValue, InvalidMd5, UnsupportedHeader.
 */
enum gk_status gk_content_headers_read(const struct gk_request *request, bool fallback,
                                       struct gk_blob_record *record,
                                       struct gk_error *error) GK_MUST_USE;

/* Whether any of them is there, or an MD5 of the content. */
bool gk_content_headers_given(const struct gk_request *request);
/* Forgets content headers and MD5. */
void gk_content_headers_clear(struct gk_blob_record *record);

/* ETag and Last-Modified. */
void gk_respond_version(struct gk_request *request, uint64_t etag, int64_t modified_wall_ms);
/* x-ms-version-id, of a base or state that is a version. */
void gk_respond_version_id(struct gk_request *request, const struct gk_history *history);
/* What Get Blob and Get Blob Properties tell beside length, range and MD5. */
void gk_respond_blob_headers(struct gk_request *request, const struct gk_blob_record *record);
/* x-ms-blob-committed-block-count, of an append blob. */
void gk_respond_blocks_count(struct gk_request *request, const struct gk_blob_record *record);
/* What the answer to a copy tells of it: x-ms-copy-id and x-ms-copy-status. */
void gk_respond_copy(struct gk_request *request, const struct gk_copy *copy);
/* name: Content-MD5, or what tells of the whole blob beside it. */
void gk_respond_md5(struct gk_request *request, const char *name, struct gk_span md5);

/* x-ms-access-tier; inferred when it is not there. 400 InvalidHeaderValue. */
enum gk_status gk_tier_header_read(const struct gk_request *request, enum gk_tier *tier,
                                   struct gk_error *error) GK_MUST_USE;

/* x-ms-blob-public-access; none when it is not there. 400 InvalidHeaderValue, 409
 * PublicAccessNotPermitted when the account does not permit any. */
enum gk_status gk_public_access_read(const struct gk_request *request, enum gk_public_access *level,
                                     struct gk_error *error) GK_MUST_USE;
void gk_respond_public_access(struct gk_request *request, enum gk_public_access level);

/* A header of base64 for exactly len bytes. *given tells whether it was there. code of the error. */
enum gk_status gk_header_bytes(const struct gk_request *request, const char *name, uint8_t *out,
                               size_t len, bool *given, const char *code,
                               struct gk_error *error) GK_MUST_USE;

/* A header that is a number of at most INT64_MAX; *given as above. 400 InvalidHeaderValue. */
enum gk_status gk_header_u64(const struct gk_request *request, const char *name, uint64_t *out,
                             bool *given, struct gk_error *error) GK_MUST_USE;
/* x-ms-blob-condition-appendpos against the size of an append blob. 400 InvalidHeaderValue, 412
 * AppendPositionConditionNotMet. */
enum gk_status gk_append_position_check(const struct gk_request *request, uint64_t size,
                                        struct gk_error *error) GK_MUST_USE;

/* x-ms-blob-sequence-number, of a page blob. */
void gk_respond_sequence(struct gk_request *request, const struct gk_blob_record *record);

/* The part of a resource of size bytes that x-ms-range or Range asks for. */
struct gk_range {
    bool partial; /* 206: a range was asked for */
    uint64_t from;
    uint64_t length;
};
/* 416 InvalidRange past the end. A Range that is not one range of bytes is ignored, as RFC 9110
 * section 14.2 allows; an x-ms-range like that is 400 InvalidHeaderValue. */
enum gk_status gk_range_read(const struct gk_request *request, uint64_t size,
                             struct gk_range *range, struct gk_error *error) GK_MUST_USE;

#endif
