/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define DISCARD_BYTES  (1u << 20)
#define CHECK_BYTES    (64u << 10)
#define SILENCE_MAX_MS 60000

struct connection {
    int fd;
    bool sending;
    char head[HTTP_HEAD_BYTES_MAX]; /* of the request, then of the answer */
    size_t head_len;
    size_t head_sent;
    const uint8_t *body; /* of the object */
    size_t body_sent;
    bool head_read;
    uint64_t body_len; /* of the answer */
    uint64_t body_left;
    bool differs;
    unsigned status;
    double started;
};

struct run {
    struct load *load;
    const struct http_target *target;
    int epoll;
};

/* False when enough was started. */
static bool start_request(struct run *run, struct connection *connection)
{
    uint64_t number;
    if (!load_next(run->load, &number)) {
        return false;
    }
    const struct http_target *target = run->target;
    connection->head_len =
        target->write_head(target->ctx, run->load->options.op, number, connection->head);
    if (connection->head_len >= HTTP_HEAD_BYTES_MAX) {
        errno = EMSGSIZE;
        load_die(run->load, "the head of a request");
    }
    connection->head_sent = 0;
    connection->body = load_bytes(run->load, number);
    connection->body_sent = 0;
    connection->sending = true;
    connection->head_read = false;
    connection->body_len = 0;
    connection->body_left = 0;
    connection->differs = false;
    connection->started = load_now();
    return true;
}

static void watch(struct run *run, struct connection *connection, int operation)
{
    struct epoll_event event = {
        .events = connection->sending ? EPOLLOUT | EPOLLIN : EPOLLIN,
        .data.ptr = connection,
    };
    if (epoll_ctl(run->epoll, operation, connection->fd, &event) != 0) {
        load_die(run->load, "epoll_ctl");
    }
}

static void open_connection(struct run *run, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(run->target->port)};
    if (inet_pton(AF_INET, run->target->host, &address.sin_addr) != 1) {
        errno = EINVAL;
        load_die(run->load, "the host must be an IPv4 address");
    }
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        load_die(run->load, "connect");
    }
    const int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(connection->fd, F_SETFL, fcntl(connection->fd, F_GETFL) | O_NONBLOCK);
}

/* writev's parts are not const, although it only reads them. */
static struct iovec part_of(const void *bytes, size_t len)
{
    struct iovec part = {.iov_len = len};
    memcpy(&part.iov_base, &bytes, sizeof bytes);
    return part;
}

/* Sends what the socket takes. Returns false when the connection broke. */
static bool send_some(struct run *run, struct connection *connection)
{
    const struct load_options *options = &run->load->options;
    const size_t body_len = options->op == LOAD_PUT ? options->size_bytes : 0;
    while (connection->head_sent < connection->head_len || connection->body_sent < body_len) {
        const struct iovec parts[2] = {
            part_of(connection->head + connection->head_sent,
                    connection->head_len - connection->head_sent),
            part_of(connection->body + connection->body_sent, body_len - connection->body_sent),
        };
        const ssize_t sent = writev(connection->fd, parts, 2);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        const size_t head = (size_t)sent < parts[0].iov_len ? (size_t)sent : parts[0].iov_len;
        connection->head_sent += head;
        connection->body_sent += (size_t)sent - head;
    }
    connection->sending = false;
    connection->head_len = 0;
    return true;
}

static bool parse_head(struct connection *connection, const char *end)
{
    connection->status = (unsigned)strtoul(connection->head + 9, NULL, 10);
    connection->body_len = 0;
    for (const char *line = strstr(connection->head, "\r\n"); line != NULL && line < end;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "content-length:", 15) == 0) {
            connection->body_len = strtoull(line + 17, NULL, 10);
        } else if (strncasecmp(line + 2, "transfer-encoding:", 18) == 0) {
            errno = EPROTO; /* no server here needs chunks for what it is asked */
            return false;
        }
    }
    connection->body_left = connection->body_len;
    connection->head_read = true;
    return true;
}

/* A piece of the answer's body; the object's own bytes lie beside it. */
static void take_body(const struct run *run, struct connection *connection, const void *bytes,
                      size_t len)
{
    if (run->load->options.op == LOAD_CHECK) {
        const uint64_t offset = connection->body_len - connection->body_left;
        connection->differs |= connection->body_len != run->load->options.size_bytes ||
                               memcmp(connection->body + offset, bytes, len) != 0;
    }
    connection->body_left -= len;
}

/* Reads the head of the answer. Returns 1 when there is one, 0 when more must come, -1 on failure.
 */
static int read_head(struct run *run, struct connection *connection)
{
    const ssize_t got = recv(connection->fd, connection->head + connection->head_len,
                             HTTP_HEAD_BYTES_MAX - 1 - connection->head_len, 0);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    connection->head_len += (size_t)got;
    connection->head[connection->head_len] = '\0';
    const char *end = strstr(connection->head, "\r\n\r\n");
    if (end == NULL) {
        return connection->head_len < HTTP_HEAD_BYTES_MAX - 1 ? 0 : -1;
    }
    if (!parse_head(connection, end)) {
        return -1;
    }
    const size_t with_head = connection->head_len - (size_t)(end + 4 - connection->head);
    take_body(run, connection, end + 4,
              with_head < connection->body_left ? with_head : (size_t)connection->body_left);
    return 1;
}

/* Returns 1 when the answer is complete, 0 when more must come, -1 on failure. */
static int read_some(struct run *run, struct connection *connection)
{
    if (!connection->head_read) {
        const int result = read_head(run, connection);
        if (result != 1) {
            return result;
        }
    }
    const bool check = run->load->options.op == LOAD_CHECK;
    const size_t most = check ? CHECK_BYTES : DISCARD_BYTES;
    while (connection->body_left > 0) {
        uint8_t bytes[CHECK_BYTES];
        const size_t want = connection->body_left < most ? (size_t)connection->body_left : most;
        const ssize_t got = recv(connection->fd, check ? bytes : NULL, want, check ? 0 : MSG_TRUNC);
        if (got <= 0) {
            return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        }
        take_body(run, connection, bytes, (size_t)got);
    }
    return 1;
}

static bool failed(const struct run *run, const struct connection *connection)
{
    switch (run->load->options.op) {
    case LOAD_PUT:
        return connection->status != run->target->put_status;
    case LOAD_REMOVE:
        return connection->status != run->target->remove_status;
    default:
        return connection->status != run->target->get_status ||
               connection->body_len != run->load->options.size_bytes || connection->differs;
    }
}

static void finish_request(struct run *run, const struct connection *connection)
{
    const bool bad = failed(run, connection);
    if (bad && run->load->errors == 0) {
        fprintf(stderr, "%s: first failure%s: %.300s\n", run->load->program,
                connection->differs ? " (other bytes than were written)" : "", connection->head);
    }
    load_count(run->load, connection->started, bad);
}

/* Moves one connection on; false when it is finished for good. */
static bool step(struct run *run, struct connection *connection)
{
    if (connection->sending) {
        if (!send_some(run, connection)) {
            load_die(run->load, "send");
        }
        if (!connection->sending) {
            watch(run, connection, EPOLL_CTL_MOD);
        }
        return true;
    }
    errno = 0;
    const int result = read_some(run, connection);
    if (result < 0) {
        load_die(run->load, "receive");
    }
    if (result == 1) {
        finish_request(run, connection);
        if (!start_request(run, connection)) {
            close(connection->fd);
            return false;
        }
        if (!send_some(run, connection)) {
            load_die(run->load, "send");
        }
        if (connection->sending) {
            watch(run, connection, EPOLL_CTL_MOD);
        }
    }
    return true;
}

void http_load_run(struct load *load, const struct http_target *target)
{
    struct run run = {.load = load, .target = target, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    const unsigned connections_count = load->options.concurrency;
    struct connection *connections = calloc(connections_count, sizeof *connections);
    if (connections == NULL || run.epoll < 0) {
        load_die(load, "start");
    }
    unsigned open_count = 0;
    while (open_count < connections_count && start_request(&run, &connections[open_count])) {
        open_connection(&run, &connections[open_count]);
        watch(&run, &connections[open_count], EPOLL_CTL_ADD);
        open_count++;
    }
    while (open_count > 0) {
        struct epoll_event events[64];
        const int count = epoll_wait(run.epoll, events, 64, SILENCE_MAX_MS);
        if (count == 0) {
            errno = ETIMEDOUT;
            load_die(load, "no answer for a minute");
        }
        for (int i = 0; i < count; i++) {
            if (!step(&run, events[i].data.ptr)) {
                open_count--;
            }
        }
    }
    free(connections);
    close(run.epoll);
}
