/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTPS server on 127.0.0.1 that answers as a test says: one request a connection, one connection
 * after the other. Its certificate is made at start and is its own authority.
 */
#ifndef TESTS_UNIT_SCRIPTED_SERVER_H
#define TESTS_UNIT_SCRIPTED_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#define SCRIPTED_REQUESTS_MAX 64u

struct scripted_request {
    char line[512];          /* "POST /path?query HTTP/1.1" */
    char authorization[256]; /* the header's value, or "" */
    char body[2048];
};

/*
 * Writes an answer of at most max bytes, head and body, and returns its length; 0: says nothing and
 * keeps the connection until the server is stopped or the client is gone. The server's thread.
 */
typedef size_t scripted_answer_fn(void *ctx, const struct scripted_request *request, char *answer,
                                  size_t max);

struct scripted_server;

/* certificate_path gets the certificate, in PEM. Fails the test when it cannot start. */
struct scripted_server *scripted_server_start(const char *certificate_path,
                                              scripted_answer_fn *answer, void *ctx);
unsigned scripted_server_port(const struct scripted_server *server);
void scripted_server_stop(struct scripted_server *server);

#endif
