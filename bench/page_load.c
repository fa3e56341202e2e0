/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for one page blob: Put Page and Get Blob of a range, scattered over it. The blob's ranges
 * of --size bytes, --blobs of them, lie --stride bytes apart; which one is next follows from a number that
 * goes up, times an odd one. It signs nothing: the caller passes a SAS.
 */
#include "bench/http_load.h"

#include <stdio.h>
#include <stdlib.h>

struct disk {
    const char *base; /* its path: /account/container/blob */
    const char *sas;
    const struct http_target *target;
    const struct load_options *options;
    uint64_t stride_bytes;
};

/* Scattered, and each of a power of two of ranges once before one comes again. */
#define SCATTER UINT64_C(2654435761)

static size_t write_head(const void *ctx, enum load_op op, uint64_t number, char *head)
{
    const struct disk *disk = ctx;
    const uint64_t size = disk->options->size_bytes;
    const uint64_t from = number * SCATTER % disk->options->objects * disk->stride_bytes;
    char length[64] = "";
    if (op == LOAD_PUT) {
        snprintf(length, sizeof length, "x-ms-page-write: update\r\nContent-Length: %llu\r\n",
                 (unsigned long long)size);
    }
    return (size_t)snprintf(head, HTTP_HEAD_BYTES_MAX,
                            "%s %s?%s%s HTTP/1.1\r\nHost: %s:%u\r\nx-ms-version: 2021-12-02\r\n"
                            "x-ms-range: bytes=%llu-%llu\r\n%s\r\n",
                            op == LOAD_PUT ? "PUT" : "GET", disk->base,
                            op == LOAD_PUT ? "comp=page&" : "", disk->sas, disk->target->host,
                            disk->target->port, (unsigned long long)from,
                            (unsigned long long)(from + size - 1), length);
}

static void usage(void)
{
    fputs("usage: page_load --host IP --port N --base /account/container/blob --sas-env "
          "VARIABLE --stride BYTES\n" LOAD_USAGE,
          stderr);
    exit(2);
}

static void parse_options(int argc, char **argv, struct http_target *target, struct disk *disk,
                          struct load_options *options)
{
    static const struct option names[] = {{"host", required_argument, NULL, 'h'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"base", required_argument, NULL, 'b'},
                                          {"sas-env", required_argument, NULL, 's'},
                                          {"stride", required_argument, NULL, 't'},
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
            disk->base = optarg;
            break;
        case 's':
            disk->sas = getenv(optarg);
            break;
        case 't':
            disk->stride_bytes = strtoull(optarg, NULL, 10);
            break;
        default:
            if (!load_option(options, name, optarg)) {
                usage();
            }
        }
    }
    if (target->port == 0 || disk->base == NULL || disk->sas == NULL ||
        disk->stride_bytes < options->size_bytes || options->op == LOAD_REMOVE ||
        !load_options_valid(options)) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct load_options options = {.concurrency = 1, .objects = 100, .seconds = 5};
    struct http_target target = {.host = "127.0.0.1",
                                 .put_status = 201,
                                 .get_status = 206,
                                 .remove_status = 202,
                                 .write_head = write_head};
    struct disk disk = {.target = &target, .options = &options};
    target.ctx = &disk;
    parse_options(argc, argv, &target, &disk, &options);
    struct load load;
    load_begin(&load, "page_load", &options);
    http_load_run(&load, &target);
    return load_end(&load);
}
