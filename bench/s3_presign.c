/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/s3_presign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define REGION          "us-east-1"
#define SCOPE_TAIL      "/" REGION "/s3/aws4_request"
#define VALID_S         "86400"
#define HASH_BYTES      32u
#define CANONICAL_BYTES 4096u

static void hmac(const unsigned char *key, size_t key_len, const char *text,
                 unsigned char out[HASH_BYTES])
{
    HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, strlen(text), out, NULL);
}

static void hex(const unsigned char bytes[HASH_BYTES], char out[2 * HASH_BYTES + 1])
{
    for (size_t i = 0; i < HASH_BYTES; i++) {
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    }
}

void s3_signer_init(struct s3_signer *signer, const char *access_key, const char *secret_key)
{
    snprintf(signer->access_key, sizeof signer->access_key, "%s", access_key);
    const time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(signer->time, sizeof signer->time, "%Y%m%dT%H%M%SZ", &utc);
    char start[128];
    char date[9];
    snprintf(start, sizeof start, "AWS4%s", secret_key);
    snprintf(date, sizeof date, "%.8s", signer->time);
    unsigned char key[HASH_BYTES];
    hmac((const unsigned char *)start, strlen(start), date, key);
    hmac(key, sizeof key, REGION, key);
    hmac(key, sizeof key, "s3", key);
    hmac(key, sizeof key, "aws4_request", signer->key);
}

/* The names, host first, with separator between them. */
static void signed_names(const struct s3_request *request, const char *separator, char *out,
                         size_t out_max)
{
    size_t len = (size_t)snprintf(out, out_max, "host");
    for (size_t i = 0; i < request->headers_count && len < out_max; i++) {
        len +=
            (size_t)snprintf(out + len, out_max - len, "%s%s", separator, request->headers[i].name);
    }
}

static void header_lines(const struct s3_request *request, char *out, size_t out_max)
{
    size_t len = (size_t)snprintf(out, out_max, "host:%s\n", request->host);
    for (size_t i = 0; i < request->headers_count && len < out_max; i++) {
        len += (size_t)snprintf(out + len, out_max - len, "%s:%s\n", request->headers[i].name,
                                request->headers[i].value);
    }
}

static void sign(const struct s3_signer *signer, const char *canonical,
                 char signature[2 * HASH_BYTES + 1])
{
    unsigned char hash[HASH_BYTES];
    char text[256];
    EVP_Digest(canonical, strlen(canonical), hash, NULL, EVP_sha256(), NULL);
    hex(hash, signature);
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%.8s" SCOPE_TAIL "\n%s", signer->time,
             signer->time, signature);
    hmac(signer->key, sizeof signer->key, text, hash);
    hex(hash, signature);
}

size_t s3_presign(const struct s3_signer *signer, const struct s3_request *request, char *out,
                  size_t out_max)
{
    char names[S3_HEADERS_TEXT_BYTES];
    char names_in_query[S3_HEADERS_TEXT_BYTES];
    char headers[S3_HEADERS_TEXT_BYTES];
    signed_names(request, ";", names, sizeof names);
    signed_names(request, "%3B", names_in_query, sizeof names_in_query);
    header_lines(request, headers, sizeof headers);
    char query[1024];
    snprintf(query, sizeof query,
             "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s%%2F%.8s%%2F" REGION
             "%%2Fs3%%2Faws4_request&X-Amz-Date=%s&X-Amz-Expires=" VALID_S
             "&X-Amz-SignedHeaders=%s",
             signer->access_key, signer->time, signer->time, names_in_query);
    char canonical[CANONICAL_BYTES];
    snprintf(canonical, sizeof canonical, "%s\n%s\n%s\n%s\n%s\nUNSIGNED-PAYLOAD", request->method,
             request->path, query, headers, names);
    char signature[2 * HASH_BYTES + 1];
    sign(signer, canonical, signature);
    return (size_t)snprintf(out, out_max, "%s?%s&X-Amz-Signature=%s", request->path, query,
                            signature);
}
