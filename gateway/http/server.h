/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP listeners over libmicrohttpd, one thread per connection (docs/decisions/0006), for the Blob
 * endpoint and for the management listener alike. What an exchange means is its service's business.
 *
 * A listener bounds what one connection can cost: GK_HTTP_CONNECTION_BYTES for the request's head
 * and its read buffer, GK_HTTP_STACK_BYTES of stack, and one block of an answer under way.
 */
#ifndef GATEWAY_HTTP_SERVER_H
#define GATEWAY_HTTP_SERVER_H

#include "common/buf.h"
#include "gateway/http/tls.h"

/* Half of it takes a body's bytes; the library clears all of it with each request. */
#define GK_HTTP_CONNECTION_BYTES (144u * 1024u)
#define GK_HTTP_STACK_BYTES      (512u * 1024u)
#define GK_HTTP_BLOCK_BYTES      (256u * 1024u) /* most of an answer's body that is made at once */
#define GK_HTTP_STOP_WAIT_S      20u
#define GK_HTTP_STOP_LINGER_MS                                                                     \
    500u /* that a stop waits for requests on connections that have none */
#define GK_HTTP_HEADERS_MAX 128u
/* A body that nobody wants is read up to this size, so that the client sees the answer and not a
 * reset connection; beyond it the connection is closed. */
#define GK_HTTP_DRAIN_BYTES_MAX (UINT64_C(64) << 20)

/* A name and its value: header or query parameter. */
struct gk_pair {
    const char *name; /* headers: as sent; query: decoded */
    const char *value;
};

/*
 * Fills up to max bytes of the answer's body from offset (calls come in order). Returns how many, or
 * -1 to break the connection off: an integrity error in the middle of a body must not look like an
 * end. Runs on the connection's thread.
 */
typedef int64_t gk_body_fn(void *ctx, uint64_t offset, uint8_t *out, size_t max);

#define GK_HTTP_LENGTH_UNKNOWN UINT64_MAX /* of such a body, 0 bytes are its end */

struct gk_http_exchange;

/* All on the connection's thread. */
struct gk_http_service {
    void *ctx;
    /* The head is there. May answer at once: the body is then not wanted. */
    void (*on_headers)(void *ctx, struct gk_http_exchange *exchange);
    /* A piece of the body, never empty; not called once there is an answer. May answer. */
    void (*on_body)(void *ctx, struct gk_http_exchange *exchange, struct gk_span bytes);
    /* The whole body came, exactly as long as announced. Must answer. */
    void (*on_complete)(void *ctx, struct gk_http_exchange *exchange);
    /* The last call for every exchange that had on_headers, also when the client went away. */
    void (*on_end)(void *ctx, struct gk_http_exchange *exchange);
};

/* Strings live until on_end returned. */
struct gk_http_exchange {
    const char *method;
    const char *path;  /* as on the wire, percent-encoded, without the query */
    const char *query; /* "" when there is none; never logged */
    bool tls;
    /* DER; that of the client, found good in the handshake; empty: it has shown none */
    struct gk_span client_certificate;
    char client_address[64];
    struct gk_pair headers[GK_HTTP_HEADERS_MAX];
    size_t headers_count;
    bool headers_too_many;  /* the rest of them is not in headers */
    bool headers_malformed; /* Content-Length unreadable or twice */
    bool has_content_length;
    bool is_chunked; /* Transfer-Encoding instead of a length */
    uint64_t content_length;
    uint64_t body_received;
    uint64_t answer_sent;   /* bytes of the answer's body that were made */
    unsigned answer_status; /* 0 while there is none */
    void *state;            /* the service's */
    struct gk_http_inside *inside;
};

/* Without case; NULL when absent. */
const char *gk_http_header(const struct gk_http_exchange *exchange, const char *name);

/* Overwrites the value where it stands, once nobody reads it any more: it was a key. */
void gk_http_header_wipe(struct gk_http_exchange *exchange, const char *name);

/*
 * The answer, once. Headers are set before it and copied; a value with a control character is
 * dropped and the answer becomes a bare 500, since it could forge a header.
 */
void gk_http_answer_header(struct gk_http_exchange *exchange, const char *name, const char *value);
/* Those that were set, from 0 on; false after the last. */
bool gk_http_answer_header_at(const struct gk_http_exchange *exchange, size_t index,
                              struct gk_pair *header);
/* Without a body. With HEAD, content_length is what GET would have. */
void gk_http_answer(struct gk_http_exchange *exchange, unsigned status, uint64_t content_length);
/* Takes the content of buf over. */
void gk_http_answer_buf(struct gk_http_exchange *exchange, unsigned status, struct gk_buf *buf);
/* length may be GK_HTTP_LENGTH_UNKNOWN. free_ctx runs when the body is done or broken off, also when it was
 * never asked for. */
void gk_http_answer_stream(struct gk_http_exchange *exchange, unsigned status, uint64_t length,
                           gk_body_fn *fn, void *ctx, void (*free_ctx)(void *ctx));
/* Takes bytes over, which were allocated with malloc and are wiped when they were sent. Few of them go
 * out with the head, in one packet. */
void gk_http_answer_bytes(struct gk_http_exchange *exchange, unsigned status, uint8_t *bytes,
                          size_t len);

/*
 * An exchange of its own for a request that is a part of another one's body: without a connection, a
 * server or a body, over TLS and from the address of the one around it. Strings live as long as it. What
 * answers it is kept for who made it; a stream, which nothing that can be such a part answers with, is
 * kept as a bare 500. NULL: out of memory.
 */
struct gk_http_exchange *gk_http_part_new(const struct gk_http_exchange *around, const char *method,
                                          const char *uri, const struct gk_pair *headers,
                                          size_t headers_count);
/* The body of its answer. */
struct gk_span gk_http_part_body(const struct gk_http_exchange *part);
void gk_http_part_free(struct gk_http_exchange *part); /* NULL is fine */

struct gk_http_options {
    const char *host; /* numeric address */
    bool ipv6;
    uint16_t port;      /* 0: a free one */
    struct gk_tls *tls; /* NULL: plain HTTP. The server takes a reference of its own. */
    unsigned connections_max;
    unsigned idle_timeout_s;
};

struct gk_http_server;

/* Takes the address: nobody else can have it from now on, and who connects is refused until the start.
 * GK_E_RESOURCE says why it cannot be had. Before threads are many: it is the first thing to fail. */
enum gk_status gk_http_server_bind(const struct gk_http_options *options,
                                   struct gk_http_server **out, struct gk_error *error) GK_MUST_USE;
uint16_t gk_http_server_port(const struct gk_http_server *server);
/* Listens, and answers. Once. */
enum gk_status gk_http_server_start(struct gk_http_server *server,
                                    const struct gk_http_service *service,
                                    struct gk_error *error) GK_MUST_USE;
/* Shown to connections that begin from now on; of a server that has TLS. Any thread. */
void gk_http_server_set_tls(struct gk_http_server *server, struct gk_tls *tls);
/* Takes no new connections from now on, and says "Connection: close" with each answer. Of several servers that are
 * to be stopped, each is closed before the first is waited for. Not beside a stop. NULL is fine. */
void gk_http_server_close(struct gk_http_server *server);
/* Closes it, and answers what comes on the connections that are there until they have ended or
 * GK_HTTP_STOP_LINGER_MS since the close is over, lets requests under way end for GK_HTTP_STOP_WAIT_S at most, and
 * breaks off the rest. NULL is fine. */
void gk_http_server_stop(struct gk_http_server *server);

#endif
