/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/text.h"
#include "gateway/http/listener.h"

#define PART_BYTES_MAX     65536u
#define ANSWER_HEADERS_MAX 192u /* 8 KiB of metadata may be many small ones */

/* TLS 1.2 and later, whatever the system's policy allows beside. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct gk_http_server {
    int listener;              /* the bound socket; -1 once the daemon has it */
    struct MHD_Daemon *daemon; /* NULL before the start */
    struct gk_http_service service;
    uint16_t port;
    bool has_tls;
    unsigned connections_max;
    unsigned idle_timeout_s;
    atomic_bool stopping;
    struct timespec closed; /* when that began */
    pthread_mutex_t mutex;  /* of what follows */
    struct gk_tls *tls;     /* for connections that begin */
    pthread_cond_t fewer;   /* connections, or requests under way */
    unsigned connections;   /* that are open, or expected */
    unsigned expected;      /* that were given to the library, and did not begin yet */
    unsigned under_way;     /* requests that began and did not end */
};

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_DRAIN };

struct stream {
    gk_body_fn *fn;
    void *ctx;
    void (*free_ctx)(void *ctx);
    struct gk_http_exchange *exchange;
    bool endless; /* of no length that is known: its end is one */
};

struct gk_http_inside {
    struct gk_http_exchange exchange;
    struct gk_http_server *server;
    enum phase phase;
    bool began; /* on_headers was called */
    bool header_refused;
    struct MHD_Response *response;            /* made, not yet queued */
    bool is_part;                             /* without a connection: the answer is kept */
    struct gk_buf part_body;                  /* of it */
    char *answer_headers[ANSWER_HEADERS_MAX]; /* name NUL value NUL */
    size_t answer_headers_count;
    char uri[]; /* path NUL query NUL */
};

/* --- the request's head ------------------------------------------------------------------------- */

static struct gk_http_inside *new_inside(struct gk_http_server *server, const char *uri)
{
    const size_t len = strlen(uri);
    struct gk_http_inside *inside = calloc(1, sizeof *inside + len + 1);
    if (inside == NULL) {
        return NULL;
    }
    memcpy(inside->uri, uri, len + 1);
    inside->server = server;
    inside->exchange.inside = inside;
    inside->exchange.path = inside->uri;
    char *question = strchr(inside->uri, '?');
    if (question != NULL) {
        *question = '\0';
        inside->exchange.query = question + 1;
    } else {
        inside->exchange.query = inside->uri + len;
    }
    return inside;
}

/* Called by the library with the request's target before anything is decoded. What it returns is
 * the exchange's slot for the rest of its life. */
static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
    (void)connection;
    return new_inside(ctx, uri);
}

/* How long the body is decides what the connection is good for, however many headers there are. */
static void take_length(struct gk_http_exchange *exchange, const char *name, const char *value)
{
    if (strcasecmp(name, "Content-Length") == 0) {
        /* Two lengths are how requests are smuggled past one another. */
        if (exchange->has_content_length ||
            !gk_parse_u64(gk_span_str(value), INT64_MAX, &exchange->content_length)) {
            exchange->headers_malformed = true;
        }
        exchange->has_content_length = true;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        exchange->is_chunked = true;
    }
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    struct gk_http_exchange *exchange = ctx;
    const struct gk_pair header = {.name = name, .value = value == NULL ? "" : value};
    take_length(exchange, header.name, header.value);
    if (exchange->headers_count == GK_HTTP_HEADERS_MAX) {
        exchange->headers_too_many = true;
    } else {
        exchange->headers[exchange->headers_count++] = header;
    }
    return MHD_YES;
}

const char *gk_http_header(const struct gk_http_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->headers_count; i++) {
        if (strcasecmp(exchange->headers[i].name, name) == 0) {
            return exchange->headers[i].value;
        }
    }
    return NULL;
}

void gk_http_header_wipe(struct gk_http_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->headers_count; i++) {
        const struct gk_pair *header = &exchange->headers[i];
        if (strcasecmp(header->name, name) == 0) {
            char *value = NULL;
            memcpy(&value, &header->value, sizeof value); /* in the connection's own memory */
            gk_wipe(value, strlen(value));
        }
    }
}

static void read_address(struct gk_http_exchange *exchange, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL) {
        return;
    }
    const void *address = info->client_addr->sa_family == AF_INET6
                              ? (const void *)&((struct sockaddr_in6 *)info->client_addr)->sin6_addr
                              : (const void *)&((struct sockaddr_in *)info->client_addr)->sin_addr;
    inet_ntop(info->client_addr->sa_family, address, exchange->client_address,
              sizeof exchange->client_address);
}

/* --- the answer --------------------------------------------------------------------------------- */

void gk_http_answer_header(struct gk_http_exchange *exchange, const char *name, const char *value)
{
    struct gk_http_inside *inside = exchange->inside;
    for (const unsigned char *at = (const unsigned char *)value; *at != '\0'; at++) {
        if (*at < 0x20 || *at == 0x7f) {
            inside->header_refused = true;
            return;
        }
    }
    /* One block for both texts; the name points to its begin. */
    const size_t name_bytes = strlen(name) + 1;
    const size_t value_bytes = strlen(value) + 1;
    char *copy = malloc(name_bytes + value_bytes);
    if (copy == NULL || inside->answer_headers_count == ANSWER_HEADERS_MAX) {
        free(copy);
        inside->header_refused = true;
        return;
    }
    memcpy(copy, name, name_bytes);
    memcpy(copy + name_bytes, value, value_bytes);
    inside->answer_headers[inside->answer_headers_count++] = copy;
}

bool gk_http_answer_header_at(const struct gk_http_exchange *exchange, size_t index,
                              struct gk_pair *header)
{
    const struct gk_http_inside *inside = exchange->inside;
    if (index >= inside->answer_headers_count) {
        return false;
    }
    const char *name = inside->answer_headers[index];
    *header = (struct gk_pair){.name = name, .value = name + strlen(name) + 1};
    return true;
}

static void free_answer_headers(struct gk_http_inside *inside)
{
    for (size_t i = 0; i < inside->answer_headers_count; i++) {
        free(inside->answer_headers[i]);
    }
    inside->answer_headers_count = 0;
}

/* The answer of a part; true when it is one. */
static bool keep_answer(struct gk_http_exchange *exchange, unsigned status, struct gk_span body)
{
    struct gk_http_inside *inside = exchange->inside;
    if (!inside->is_part) {
        return false;
    }
    gk_buf_append(&inside->part_body, body.data, body.len);
    const bool good = !inside->header_refused && gk_buf_status(&inside->part_body) == GK_OK;
    if (!good) {
        free_answer_headers(inside);
        gk_buf_reset(&inside->part_body);
    }
    exchange->answer_status = good ? status : 500;
    return true;
}

static void seal_answer(struct gk_http_exchange *exchange, unsigned status,
                        struct MHD_Response *response)
{
    struct gk_http_inside *inside = exchange->inside;
    if (response == NULL || inside->header_refused) {
        gk_log(GK_LOG_ERROR, "http", "an answer could not be made; 500 instead");
        if (response != NULL) {
            MHD_destroy_response(response);
        }
        free_answer_headers(inside);
        response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        status = 500;
    }
    for (size_t i = 0; response != NULL && i < inside->answer_headers_count; i++) {
        const char *name = inside->answer_headers[i];
        MHD_add_response_header(response, name, name + strlen(name) + 1);
    }
    free_answer_headers(inside);
    inside->response = response;
    exchange->answer_status = status;
}

static ssize_t no_body(void *ctx, uint64_t offset, char *out, size_t max)
{
    (void)ctx, (void)offset, (void)out, (void)max;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

void gk_http_answer(struct gk_http_exchange *exchange, unsigned status, uint64_t content_length)
{
    if (keep_answer(exchange, status, (struct gk_span){0})) {
        return;
    }
    seal_answer(exchange, status,
                content_length == 0
                    ? MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT)
                    : MHD_create_response_from_callback(content_length, 1024, no_body, NULL, NULL));
}

void gk_http_answer_buf(struct gk_http_exchange *exchange, unsigned status, struct gk_buf *buf)
{
    if (keep_answer(exchange, gk_buf_status(buf) == GK_OK ? status : 500, gk_buf_span(buf))) {
        return;
    }
    struct MHD_Response *response =
        gk_buf_status(buf) == GK_OK
            ? MHD_create_response_from_buffer(buf->len, buf->data, MHD_RESPMEM_MUST_FREE)
            : NULL;
    if (response != NULL) {
        exchange->answer_sent = buf->len;
        gk_buf_init(buf, buf->max);
    }
    seal_answer(exchange, status, response);
}

static ssize_t read_stream(void *ctx, uint64_t offset, char *out, size_t max)
{
    struct stream *stream = ctx;
    const int64_t got = stream->fn(stream->ctx, offset, (uint8_t *)out, max);
    if (got <= 0) {
        return got == 0 && stream->endless ? MHD_CONTENT_READER_END_OF_STREAM
                                           : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    stream->exchange->answer_sent += (uint64_t)got;
    return (ssize_t)got;
}

static void free_stream(void *ctx)
{
    struct stream *stream = ctx;
    stream->free_ctx(stream->ctx);
    free(stream);
}

void gk_http_answer_stream(struct gk_http_exchange *exchange, unsigned status, uint64_t length,
                           gk_body_fn *fn, void *ctx, void (*free_ctx)(void *ctx))
{
    if (keep_answer(exchange, 500, (struct gk_span){0})) {
        free_ctx(ctx);
        return;
    }
    struct stream *stream = malloc(sizeof *stream);
    struct MHD_Response *response = NULL;
    const size_t block = length < GK_HTTP_BLOCK_BYTES ? (size_t)length : GK_HTTP_BLOCK_BYTES;
    if (stream != NULL) {
        *stream = (struct stream){.fn = fn,
                                  .ctx = ctx,
                                  .free_ctx = free_ctx,
                                  .exchange = exchange,
                                  .endless = length == GK_HTTP_LENGTH_UNKNOWN};
        response =
            MHD_create_response_from_callback(length, block, read_stream, stream, free_stream);
    }
    if (response == NULL) {
        free(stream);
        free_ctx(ctx);
    }
    seal_answer(exchange, status, response);
}

struct owned {
    uint8_t *bytes;
    size_t len;
};

static void free_owned(void *ctx)
{
    struct owned *owned = ctx;
    gk_wipe(owned->bytes, owned->len);
    free(owned->bytes);
    free(owned);
}

void gk_http_answer_bytes(struct gk_http_exchange *exchange, unsigned status, uint8_t *bytes,
                          size_t len)
{
    if (keep_answer(exchange, status, gk_span_of(bytes, len))) {
        gk_wipe(bytes, len);
        free(bytes);
        return;
    }
    struct owned *owned = malloc(sizeof *owned);
    struct MHD_Response *response = NULL;
    if (owned == NULL) {
        gk_wipe(bytes, len);
        free(bytes);
    } else {
        *owned = (struct owned){.bytes = bytes, .len = len};
        response =
            MHD_create_response_from_buffer_with_free_callback_cls(len, bytes, free_owned, owned);
    }
    if (owned != NULL && response == NULL) {
        free_owned(owned);
    }
    exchange->answer_sent += response == NULL ? 0 : len;
    seal_answer(exchange, status, response);
}

static enum MHD_Result queue_answer(struct gk_http_inside *inside,
                                    struct MHD_Connection *connection)
{
    if (inside->response == NULL) {
        return MHD_NO;
    }
    if (atomic_load(&inside->server->stopping)) {
        /* Who would send another one asks somebody else. */
        (void)MHD_add_response_header(inside->response, MHD_HTTP_HEADER_CONNECTION, "close");
    }
    const enum MHD_Result result =
        MHD_queue_response(connection, inside->exchange.answer_status, inside->response);
    MHD_destroy_response(inside->response);
    inside->response = NULL;
    return result;
}

/* --- the exchange ------------------------------------------------------------------------------- */

static void read_certificate(struct gk_http_exchange *exchange, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (exchange->tls && info != NULL) {
        exchange->client_certificate = gk_tls_client_certificate(info->tls_session);
    }
}

/* count: one of the server's. */
static void change_count(struct gk_http_server *server, unsigned *count, int change)
{
    pthread_mutex_lock(&server->mutex);
    *count += (unsigned)change;
    pthread_cond_signal(&server->fewer);
    pthread_mutex_unlock(&server->mutex);
}

static enum MHD_Result on_head(struct gk_http_inside *inside, struct MHD_Connection *connection,
                               const char *method)
{
    struct gk_http_exchange *exchange = &inside->exchange;
    const struct gk_http_service *service = &inside->server->service;
    exchange->method = method;
    exchange->tls = inside->server->has_tls;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, exchange);
    read_address(exchange, connection);
    read_certificate(exchange, connection);
    inside->began = true;
    inside->phase = PHASE_BODY;
    change_count(inside->server, &inside->server->under_way, 1);
    service->on_headers(service->ctx, exchange);
    if (exchange->answer_status == 0) {
        return MHD_YES;
    }
    const bool waits = gk_http_header(exchange, "Expect") != NULL;
    const bool drains = !waits && !exchange->headers_malformed && !exchange->is_chunked &&
                        exchange->content_length > 0 &&
                        exchange->content_length <= GK_HTTP_DRAIN_BYTES_MAX;
    if (drains || (exchange->content_length == 0 && !exchange->is_chunked)) {
        inside->phase = PHASE_DRAIN;
        return MHD_YES;
    }
    return queue_answer(inside, connection);
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **slot)
{
    (void)ctx, (void)url, (void)version;
    struct gk_http_inside *inside = *slot;
    if (inside == NULL) {
        return MHD_NO;
    }
    struct gk_http_exchange *exchange = &inside->exchange;
    const struct gk_http_service *service = &inside->server->service;
    if (inside->phase == PHASE_HEAD) {
        return on_head(inside, connection, method);
    }
    if (*upload_data_size > 0) {
        const size_t len = *upload_data_size;
        *upload_data_size = 0;
        exchange->body_received += len;
        if (inside->phase == PHASE_BODY) {
            service->on_body(service->ctx, exchange, gk_span_of(upload_data, len));
            if (exchange->answer_status != 0) {
                inside->phase = PHASE_DRAIN;
            }
        }
        /* Once the answer stands, what is left of a large body is not worth reading. */
        return inside->phase == PHASE_DRAIN &&
                       exchange->content_length - exchange->body_received > GK_HTTP_DRAIN_BYTES_MAX
                   ? MHD_NO
                   : MHD_YES;
    }
    if (inside->phase == PHASE_BODY) {
        service->on_complete(service->ctx, exchange);
        inside->phase = PHASE_DRAIN;
    }
    return queue_answer(inside, connection);
}

static void on_end(void *ctx, struct MHD_Connection *connection, void **slot,
                   enum MHD_RequestTerminationCode code)
{
    (void)ctx, (void)connection, (void)code;
    struct gk_http_inside *inside = *slot;
    if (inside == NULL) {
        return;
    }
    const struct gk_http_service *service = &inside->server->service;
    if (inside->response != NULL) {
        MHD_destroy_response(inside->response);
    }
    if (inside->began) {
        service->on_end(service->ctx, &inside->exchange);
        change_count(inside->server, &inside->server->under_way, -1);
    }
    free_answer_headers(inside);
    free(inside);
    *slot = NULL;
}

/* --- parts of a body ---------------------------------------------------------------------------- */

struct gk_http_exchange *gk_http_part_new(const struct gk_http_exchange *around, const char *method,
                                          const char *uri, const struct gk_pair *headers,
                                          size_t headers_count)
{
    struct gk_http_inside *inside = new_inside(NULL, uri);
    if (inside == NULL) {
        return NULL;
    }
    inside->is_part = true;
    gk_buf_init(&inside->part_body, PART_BYTES_MAX);
    struct gk_http_exchange *part = &inside->exchange;
    part->method = method;
    part->tls = around->tls;
    memcpy(part->client_address, around->client_address, sizeof part->client_address);
    for (size_t i = 0; i < headers_count; i++) {
        (void)on_header(part, MHD_HEADER_KIND, headers[i].name, headers[i].value);
    }
    part->has_content_length = true;
    return part;
}

struct gk_span gk_http_part_body(const struct gk_http_exchange *part)
{
    return gk_buf_span(&part->inside->part_body);
}

void gk_http_part_free(struct gk_http_exchange *part)
{
    if (part == NULL) {
        return;
    }
    struct gk_http_inside *inside = part->inside;
    free_answer_headers(inside);
    gk_buf_cleanup(&inside->part_body);
    free(inside);
}

/* --- listeners ---------------------------------------------------------------------------------- */

/* We decode paths and queries ourselves, strictly; the library must not do it before. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *connection, char *text)
{
    (void)ctx, (void)connection;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_library_log(void *ctx, const char *format,
                                                                 va_list args)
{
    (void)ctx;
    char message[512];
    vsnprintf(message, sizeof message, format, args);
    message[strcspn(message, "\r\n")] = '\0';
    gk_log_text(GK_LOG_DEBUG, "http", message);
}

static void begin_connection(struct gk_http_server *server)
{
    pthread_mutex_lock(&server->mutex);
    if (server->expected > 0) {
        server->expected--; /* counted already */
    } else {
        server->connections++;
    }
    pthread_mutex_unlock(&server->mutex);
}

/* Each connection has the credentials of its begin, by a reference of its own: the library's are for all
 * connections, and could not be renewed under them. */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct gk_http_server *server = ctx;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        gk_tls_release(*slot);
        *slot = NULL;
        change_count(server, &server->connections, -1);
        return;
    }
    begin_connection(server);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!server->has_tls || info == NULL) {
        return;
    }
    pthread_mutex_lock(&server->mutex);
    struct gk_tls *tls = gk_tls_retain(server->tls);
    pthread_mutex_unlock(&server->mutex);
    *slot = tls;
    gk_tls_begin(tls, info->tls_session);
}

/* The library asks for credentials of its own. There are none: a connection that was not given any fails. */
static int no_credentials(gnutls_session_t session, const gnutls_datum_t *issuers,
                          int issuers_count, const gnutls_pk_algorithm_t *algorithms,
                          int algorithms_count, gnutls_pcert_st **certificates, unsigned *count,
                          gnutls_privkey_t *key)
{
    (void)session, (void)issuers, (void)issuers_count, (void)algorithms, (void)algorithms_count;
    (void)certificates, (void)count, (void)key;
    return -1;
}

static void free_server(struct gk_http_server *server)
{
    gk_tls_release(server->tls);
    pthread_cond_destroy(&server->fewer);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

enum gk_status gk_http_server_bind(const struct gk_http_options *options,
                                   struct gk_http_server **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = gk_listener_bind(options->host, options->ipv6, options->port,
                                                   &server->listener, &server->port, error);
    if (status != GK_OK) {
        free(server);
        return status;
    }
    server->has_tls = options->tls != NULL;
    server->tls = server->has_tls ? gk_tls_retain(options->tls) : NULL;
    server->connections_max = options->connections_max;
    server->idle_timeout_s = options->idle_timeout_s;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->fewer, NULL);
    *out = server;
    return GK_OK;
}

uint16_t gk_http_server_port(const struct gk_http_server *server)
{
    return server->port;
}

enum gk_status gk_http_server_start(struct gk_http_server *server,
                                    const struct gk_http_service *service, struct gk_error *error)
{
    static char priorities[] = TLS_PRIORITIES;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    gnutls_certificate_retrieve_function2 *const callback = no_credentials;
    memcpy(&tls[0].ptr_value, &callback, sizeof callback); /* ISO C has no cast between the two */
    const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                           MHD_USE_POLL | MHD_USE_ERROR_LOG | MHD_USE_ITC |
                           (server->has_tls ? MHD_USE_TLS : 0u);
    server->service = *service;
    const enum gk_status status = gk_listener_open(server->listener, error);
    if (status != GK_OK) {
        return status;
    }
    const int listener = server->listener;
    server->listener = -1; /* the library's own from here on, also when it does not start */
    server->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, server,         /* the options: */
        MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, /* first, to catch what follows */
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, server->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, server->idle_timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)GK_HTTP_CONNECTION_BYTES, MHD_OPTION_THREAD_STACK_SIZE, (size_t)GK_HTTP_STACK_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED, on_end,
        NULL, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_ARRAY, server->has_tls ? tls : none, MHD_OPTION_END);
    return server->daemon != NULL ? GK_OK
                                  : gk_fail(error, GK_E_RESOURCE, "no thread for a listener");
}

void gk_http_server_set_tls(struct gk_http_server *server, struct gk_tls *tls)
{
    gk_tls_retain(tls);
    pthread_mutex_lock(&server->mutex);
    struct gk_tls *former = server->tls;
    server->tls = tls;
    pthread_mutex_unlock(&server->mutex);
    gk_tls_release(former);
}

static struct timespec after(struct timespec time, unsigned ms)
{
    time.tv_sec += ms / 1000;
    time.tv_nsec += ms % 1000 * 1000000L;
    if (time.tv_nsec >= 1000000000L) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000L;
    }
    return time;
}

/* Until count, one of the server's, is 0, or so long after its close. Returns what is left. */
static unsigned wait_for_none(struct gk_http_server *server, const unsigned *count,
                              unsigned wait_ms)
{
    const struct timespec until = after(server->closed, wait_ms);
    pthread_mutex_lock(&server->mutex);
    int result = 0;
    while (*count > 0 && result == 0) {
        result = pthread_cond_clockwait(&server->fewer, &server->mutex, CLOCK_MONOTONIC, &until);
    }
    const unsigned left = *count;
    pthread_mutex_unlock(&server->mutex);
    return left;
}

/* Of one that is given to the library, which begins it by and by, or refuses it. */
static void expect_connection(struct gk_http_server *server, bool begins)
{
    pthread_mutex_lock(&server->mutex);
    if (begins) {
        server->connections++;
        server->expected++;
    } else if (server->expected > 0) { /* else another one that began stands for it */
        server->connections--;
        server->expected--;
    }
    pthread_mutex_unlock(&server->mutex);
}

/* Who is connected, and was not taken over by the library yet, would see the connection break. */
static void take_waiting(struct gk_http_server *server, int listening)
{
    const int flags = fcntl(listening, F_GETFL);
    if (flags < 0 || fcntl(listening, F_SETFL, flags | O_NONBLOCK) < 0) {
        return;
    }
    for (;;) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        const int fd = accept4(listening, (struct sockaddr *)&address, &len, SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        expect_connection(server, true);
        if (MHD_add_connection(server->daemon, fd, (const struct sockaddr *)&address, len) !=
            MHD_YES) {
            expect_connection(server, false);
        }
    }
}

/* Connections end with the next answer on them. One that has no request now may have one on its way. */
static void drain(struct gk_http_server *server)
{
    (void)wait_for_none(server, &server->connections, GK_HTTP_STOP_LINGER_MS);
    const unsigned left = wait_for_none(server, &server->under_way, GK_HTTP_STOP_WAIT_S * 1000);
    if (left > 0) {
        gk_log(GK_LOG_WARNING, "http", "%u requests are broken off after %u s", left,
               GK_HTTP_STOP_WAIT_S);
    }
}

void gk_http_server_close(struct gk_http_server *server)
{
    if (server == NULL || atomic_load(&server->stopping)) {
        return;
    }
    if (server->listener >= 0) {
        close(server->listener);
        server->listener = -1;
    }
    clock_gettime(CLOCK_MONOTONIC, &server->closed);
    atomic_store(&server->stopping, true);
    if (server->daemon != NULL) {
        const MHD_socket listening = MHD_quiesce_daemon(server->daemon);
        if (listening != MHD_INVALID_SOCKET) {
            take_waiting(server, listening);
            close(listening);
        }
    }
}

void gk_http_server_stop(struct gk_http_server *server)
{
    if (server == NULL) {
        return;
    }
    gk_http_server_close(server);
    if (server->daemon != NULL) {
        drain(server);
        MHD_stop_daemon(server->daemon);
    }
    free_server(server);
}
