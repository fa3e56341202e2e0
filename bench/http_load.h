/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load over HTTP: one thread, epoll, keep-alive connections, each with one request under way. Bodies
 * of GETs are counted and thrown away in the kernel (MSG_TRUNC), since a client that copies would be
 * measured beside the server on a small machine; LOAD_CHECK reads and compares them. An answer with
 * another status or length than expected is a failed request.
 */
#ifndef BENCH_HTTP_LOAD_H
#define BENCH_HTTP_LOAD_H

#include "bench/load.h"

#define HTTP_HEAD_BYTES_MAX 4096u

struct http_target {
    char host[64]; /* an IPv4 address */
    uint16_t port;
    unsigned put_status; /* of success */
    unsigned get_status;
    unsigned remove_status;
    /* Writes the head of the request, with its empty line, as far as HTTP_HEAD_BYTES_MAX allows, and
     * returns its length. */
    size_t (*write_head)(const void *ctx, enum load_op op, uint64_t number, char *head);
    const void *ctx;
};

/* Runs until enough is done. Ends the process when a connection fails. */
void http_load_run(struct load *load, const struct http_target *target);

#endif
