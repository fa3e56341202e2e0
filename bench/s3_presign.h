/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Presigned S3 requests (AWS Signature Version 4 in the query, payload unsigned), with further headers
 * signed too. After "Authenticating Requests: Using Query Parameters" of the S3 API reference.
 */
#ifndef BENCH_S3_PRESIGN_H
#define BENCH_S3_PRESIGN_H

#include <stddef.h>

#define S3_HEADERS_MAX        3u
#define S3_HEADERS_TEXT_BYTES 512u

struct s3_header {
    const char *name; /* lower case; the headers of a request come in the order of their names */
    const char *value;
};

struct s3_request {
    const char *method;
    const char *path; /* with nothing that must be escaped */
    const char *host; /* as the Host header says it */
    const struct s3_header *headers;
    size_t headers_count; /* at most S3_HEADERS_MAX */
};

struct s3_signer {
    char access_key[64];
    char time[20]; /* 20260101T000000Z */
    unsigned char key[32];
};

/* The signing key of today. */
void s3_signer_init(struct s3_signer *signer, const char *access_key, const char *secret_key);
/* Writes the request target, path?query, NUL-terminated. Returns its length, which is not less than
 * out_max when there was no room. */
size_t s3_presign(const struct s3_signer *signer, const struct s3_request *request, char *out,
                  size_t out_max);

#endif
