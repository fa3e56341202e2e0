/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for Blob servers. It signs nothing: the caller passes a SAS, so that the client's
 * cost is the same against every server; the server checks it with each request.
 */
#include "bench/http_load.h"

#include <stdio.h>
#include <stdlib.h>

struct container {
    const char *base; /* its path: /account/container */
    const char *sas;
    const struct http_target *target;
    char put_headers[128];
};

static size_t write_head(const void *ctx, enum load_op op, uint64_t number, char *head)
{
    const struct container *container = ctx;
    static const char *const methods[LOAD_OPS] = {"PUT", "GET", "GET", "DELETE"};
    return (size_t)snprintf(head, HTTP_HEAD_BYTES_MAX,
                            "%s %s/blob-%06llu?%s HTTP/1.1\r\nHost: %s:%u\r\n"
                            "x-ms-version: 2021-12-02\r\n%s\r\n",
                            methods[op], container->base, (unsigned long long)number,
                            container->sas, container->target->host, container->target->port,
                            op == LOAD_PUT ? container->put_headers : "");
}

static void usage(void)
{
    fputs("usage: blob_load --host IP --port N --base /account/container --sas-env "
          "VARIABLE\n" LOAD_USAGE,
          stderr);
    exit(2);
}

static void parse_options(int argc, char **argv, struct http_target *target,
                          struct container *container, struct load_options *options)
{
    static const struct option names[] = {{"host", required_argument, NULL, 'h'},
                                          {"port", required_argument, NULL, 'p'},
                                          {"base", required_argument, NULL, 'b'},
                                          {"sas-env", required_argument, NULL, 's'},
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
            container->base = optarg;
            break;
        case 's':
            container->sas = getenv(optarg);
            break;
        default:
            if (!load_option(options, name, optarg)) {
                usage();
            }
        }
    }
    if (target->port == 0 || container->base == NULL || container->sas == NULL ||
        !load_options_valid(options)) {
        usage();
    }
}

int main(int argc, char **argv)
{
    struct load_options options = {.concurrency = 1, .objects = 100, .seconds = 5};
    struct http_target target = {.host = "127.0.0.1",
                                 .put_status = 201,
                                 .get_status = 200,
                                 .remove_status = 202,
                                 .write_head = write_head};
    struct container container = {.target = &target};
    target.ctx = &container;
    parse_options(argc, argv, &target, &container, &options);
    snprintf(container.put_headers, sizeof container.put_headers,
             "x-ms-blob-type: BlockBlob\r\nContent-Type: application/octet-stream\r\n"
             "Content-Length: %zu\r\n",
             options.size_bytes);
    struct load load;
    load_begin(&load, "blob_load", &options);
    http_load_run(&load, &target);
    return load_end(&load);
}
