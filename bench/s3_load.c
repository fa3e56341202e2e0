/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for S3 servers. Every request is presigned before the clock starts, so that the
 * client's cost is that of blob_load; the server checks the signature with each request.
 *
 * With --kms-key, objects are written with SSE-KMS under that key. With --customer-key, 32 bytes in
 * base64 from the environment, they are written and read with SSE-C.
 */
#include "bench/http_load.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/s3_presign.h"

#define SSE               "x-amz-server-side-encryption"
#define MD5_BYTES         16
#define KEY_BYTES         32
#define KEY_TEXT_LEN      44u
#define SSE_HEADERS_BYTES 512u

struct bucket {
    const char *name;
    const char *access_key;
    const char *secret_key;
    const char *kms_key;      /* NULL: no SSE-KMS */
    const char *customer_key; /* NULL: no SSE-C */
    char customer_key_md5[32];
    char host[96];
    struct s3_header headers[S3_HEADERS_MAX];
    size_t headers_count;
    char **heads; /* of the requests, one for each object */
};

static size_t write_head(const void *ctx, enum load_op op, uint64_t number, char *head)
{
    (void)op;
    const struct bucket *bucket = ctx;
    const size_t len = strlen(bucket->heads[number]);
    memcpy(head, bucket->heads[number], len);
    return len;
}

static void usage(void)
{
    fputs("usage: s3_load --host IP --port N --bucket NAME --access-key ID --secret-env VARIABLE\n"
          "  [--kms-key ID | --customer-key-env VARIABLE]\n" LOAD_USAGE,
          stderr);
    exit(2);
}

static void set_customer_key(struct bucket *bucket)
{
    unsigned char key[KEY_TEXT_LEN];
    unsigned char md5[EVP_MAX_MD_SIZE];
    if (strlen(bucket->customer_key) != KEY_TEXT_LEN ||
        EVP_DecodeBlock(key, (const unsigned char *)bucket->customer_key, KEY_TEXT_LEN) <
            KEY_BYTES) {
        usage();
    }
    EVP_Digest(key, KEY_BYTES, md5, NULL, EVP_md5(), NULL);
    EVP_EncodeBlock((unsigned char *)bucket->customer_key_md5, md5, MD5_BYTES);
}

/* What a request of this kind says of encryption. A read of SSE-KMS says nothing. */
static void set_headers(struct bucket *bucket, enum load_op op)
{
    if (bucket->kms_key != NULL && op == LOAD_PUT) {
        bucket->headers[0] = (struct s3_header){SSE, "aws:kms"};
        bucket->headers[1] = (struct s3_header){SSE "-aws-kms-key-id", bucket->kms_key};
        bucket->headers_count = 2;
    } else if (bucket->customer_key != NULL && op != LOAD_REMOVE) {
        set_customer_key(bucket);
        bucket->headers[0] = (struct s3_header){SSE "-customer-algorithm", "AES256"};
        bucket->headers[1] = (struct s3_header){SSE "-customer-key", bucket->customer_key};
        bucket->headers[2] = (struct s3_header){SSE "-customer-key-md5", bucket->customer_key_md5};
        bucket->headers_count = 3;
    }
}

static char *make_head(const struct bucket *bucket, const struct s3_signer *signer,
                       const struct load_options *options, unsigned number)
{
    static const char *const methods[LOAD_OPS] = {"PUT", "GET", "GET", "DELETE"};
    char path[128];
    snprintf(path, sizeof path, "/%s/object-%06u", bucket->name, number);
    const struct s3_request request = {.method = methods[options->op],
                                       .path = path,
                                       .host = bucket->host,
                                       .headers = bucket->headers,
                                       .headers_count = bucket->headers_count};
    char target[2048];
    s3_presign(signer, &request, target, sizeof target);
    char lines[SSE_HEADERS_BYTES] = "";
    size_t len = 0;
    for (size_t i = 0; i < bucket->headers_count; i++) {
        len += (size_t)snprintf(lines + len, sizeof lines - len, "%s: %s\r\n",
                                bucket->headers[i].name, bucket->headers[i].value);
    }
    if (options->op == LOAD_PUT) {
        snprintf(lines + len, sizeof lines - len, "Content-Length: %zu\r\n", options->size_bytes);
    }
    char head[HTTP_HEAD_BYTES_MAX];
    snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", request.method, target,
             bucket->host, lines);
    return strdup(head);
}

static void presign_all(struct bucket *bucket, const struct load_options *options)
{
    struct s3_signer signer = {0};
    s3_signer_init(&signer, bucket->access_key, bucket->secret_key);
    set_headers(bucket, options->op);
    bucket->heads = calloc(options->objects, sizeof *bucket->heads);
    for (unsigned i = 0; bucket->heads != NULL && i < options->objects; i++) {
        bucket->heads[i] = make_head(bucket, &signer, options, i);
        if (bucket->heads[i] == NULL) {
            exit(2);
        }
    }
    if (bucket->heads == NULL) {
        exit(2);
    }
}

static void parse_options(int argc, char **argv, struct http_target *target, struct bucket *bucket,
                          struct load_options *options)
{
    static const struct option names[] = {{"host", required_argument, NULL, 'h'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"bucket", required_argument, NULL, 'b'},
                                          {"access-key", required_argument, NULL, 'a'},
                                          {"secret-env", required_argument, NULL, 's'},
                                          {"kms-key", required_argument, NULL, 'k'},
                                          {"customer-key-env", required_argument, NULL, 'c'},
                                          LOAD_OPTION_NAMES,
                                          {NULL, 0, NULL, 0}};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'h':
            snprintf(target->host, sizeof target->host, "%s", optarg);
            break;
        case 'p':
            target->port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            bucket->name = optarg;
            break;
        case 'a':
            bucket->access_key = optarg;
            break;
        case 's':
            bucket->secret_key = getenv(optarg);
            break;
        case 'k':
            bucket->kms_key = optarg;
            break;
        case 'c':
            bucket->customer_key = getenv(optarg);
            break;
        default:
            if (!load_option(options, name, optarg)) {
                usage();
            }
        }
    }
    if (target->port == 0 || bucket->name == NULL || bucket->access_key == NULL ||
        bucket->secret_key == NULL || !load_options_valid(options)) {
        usage();
    }
    snprintf(bucket->host, sizeof bucket->host, "%s:%u", target->host, target->port);
}

int main(int argc, char **argv)
{
    struct load_options options = {.concurrency = 1, .objects = 100, .seconds = 5};
    struct http_target target = {.host = "127.0.0.1",
                                 .put_status = 200,
                                 .get_status = 200,
                                 .remove_status = 204,
                                 .write_head = write_head};
    struct bucket bucket = {0};
    target.ctx = &bucket;
    parse_options(argc, argv, &target, &bucket, &options);
    presign_all(&bucket, &options);
    struct load load;
    load_begin(&load, "s3_load", &options);
    http_load_run(&load, &target);
    for (unsigned i = 0; i < options.objects; i++) {
        free(bucket.heads[i]);
    }
    free(bucket.heads);
    return load_end(&load);
}
