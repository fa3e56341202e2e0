/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator for Blob servers: one thread, epoll, keep-alive connections, each with one
 * request under way. It signs nothing: the caller passes a SAS, so that the client's cost is the
 * same against every server. Bodies of GETs are counted and thrown away in the kernel (MSG_TRUNC),
 * since a client that copies would be measured beside the server on a small machine; what they hold
 * is the tests' business.
 *
 * Prints one JSON object: operations, errors, seconds, operations per second, MB/s, and p50, p99
 * and maximum of the latency in milliseconds. Exits 1 when any request failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES_MAX 4096u
#define LATENCIES_MAX  4000000u
#define DISCARD_BYTES  (1u << 20)

struct options {
    char host[64];
    uint16_t port;
    const char *base; /* path of the container: /account/container */
    const char *sas;
    bool put;
    size_t size_bytes;
    unsigned concurrency;
    unsigned blobs;
    double seconds;
    uint64_t requests_max; /* 0: by time alone */
};

struct connection {
    int fd;
    bool sending;
    char head[HEAD_BYTES_MAX]; /* of the request, then of the answer */
    size_t head_len;
    size_t head_sent;
    size_t body_sent;
    bool head_read;
    uint64_t body_left;
    unsigned status;
    double started;
};

struct run {
    struct options options;
    uint8_t *body;
    float *latencies_ms;
    size_t latencies_count;
    uint64_t started;
    uint64_t done;
    uint64_t errors;
    double deadline;
    int epoll;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "blob_load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void start_request(struct run *run, struct connection *connection)
{
    const struct options *options = &run->options;
    const uint64_t number = run->started++ % options->blobs;
    int len;
    if (options->put) {
        len = snprintf(connection->head, HEAD_BYTES_MAX,
                       "PUT %s/blob-%06llu?%s HTTP/1.1\r\nHost: %s:%u\r\n"
                       "x-ms-version: 2021-12-02\r\nx-ms-blob-type: BlockBlob\r\n"
                       "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                       options->base, (unsigned long long)number, options->sas, options->host,
                       options->port, options->size_bytes);
    } else {
        len = snprintf(connection->head, HEAD_BYTES_MAX,
                       "GET %s/blob-%06llu?%s HTTP/1.1\r\nHost: %s:%u\r\n"
                       "x-ms-version: 2021-12-02\r\n\r\n",
                       options->base, (unsigned long long)number, options->sas, options->host,
                       options->port);
    }
    connection->head_len = (size_t)len;
    connection->head_sent = 0;
    connection->body_sent = 0;
    connection->sending = true;
    connection->head_read = false;
    connection->body_left = 0;
    connection->started = now();
}

static void watch(struct run *run, struct connection *connection, int operation)
{
    struct epoll_event event = {
        .events = connection->sending ? EPOLLOUT | EPOLLIN : EPOLLIN,
        .data.ptr = connection,
    };
    if (epoll_ctl(run->epoll, operation, connection->fd, &event) != 0) {
        die("epoll_ctl");
    }
}

static void open_connection(struct run *run, struct connection *connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(run->options.port)};
    if (inet_pton(AF_INET, run->options.host, &address.sin_addr) != 1) {
        fprintf(stderr, "blob_load: the host must be an IPv4 address\n");
        exit(2);
    }
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("connect");
    }
    const int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(connection->fd, F_SETFL, fcntl(connection->fd, F_GETFL) | O_NONBLOCK);
}

/* Sends what the socket takes. Returns false when the connection broke. */
static bool send_some(struct run *run, struct connection *connection)
{
    const size_t body_len = run->options.put ? run->options.size_bytes : 0;
    while (connection->head_sent < connection->head_len || connection->body_sent < body_len) {
        struct iovec parts[2] = {
            {connection->head + connection->head_sent,
             connection->head_len - connection->head_sent},
            {run->body + connection->body_sent, body_len - connection->body_sent},
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
    connection->body_left = 0;
    for (const char *line = strstr(connection->head, "\r\n"); line != NULL && line < end;
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "content-length:", 15) == 0) {
            connection->body_left = strtoull(line + 17, NULL, 10);
        } else if (strncasecmp(line + 2, "transfer-encoding:", 18) == 0) {
            fprintf(stderr, "blob_load: chunked answers are not understood\n");
            return false;
        }
    }
    connection->head_read = true;
    return true;
}

/* Reads the head of the answer. Returns 1 when there is one, 0 when more must come, -1 on failure.
 */
static int read_head(struct connection *connection)
{
    const ssize_t got = recv(connection->fd, connection->head + connection->head_len,
                             HEAD_BYTES_MAX - 1 - connection->head_len, 0);
    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
    }
    connection->head_len += (size_t)got;
    connection->head[connection->head_len] = '\0';
    const char *end = strstr(connection->head, "\r\n\r\n");
    if (end == NULL) {
        return connection->head_len < HEAD_BYTES_MAX - 1 ? 0 : -1;
    }
    if (!parse_head(connection, end)) {
        return -1;
    }
    const size_t with_head = connection->head_len - (size_t)(end + 4 - connection->head);
    connection->body_left -= with_head < connection->body_left ? with_head : connection->body_left;
    return 1;
}

/* Returns 1 when the answer is complete, 0 when more must come, -1 on failure. */
static int read_some(struct connection *connection)
{
    if (!connection->head_read) {
        const int result = read_head(connection);
        if (result != 1) {
            return result;
        }
    }
    while (connection->body_left > 0) {
        const size_t want =
            connection->body_left < DISCARD_BYTES ? connection->body_left : DISCARD_BYTES;
        const ssize_t got = recv(connection->fd, NULL, want, MSG_TRUNC);
        if (got <= 0) {
            return got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
        }
        connection->body_left -= (uint64_t)got;
    }
    return 1;
}

static bool more_wanted(const struct run *run)
{
    const uint64_t max = run->options.requests_max;
    return max != 0 ? run->started < max : now() < run->deadline;
}

static void finish_request(struct run *run, struct connection *connection)
{
    const unsigned wanted = run->options.put ? 201 : 200;
    if (connection->status != wanted) {
        if (run->errors++ == 0) {
            fprintf(stderr, "blob_load: first failure: %.300s\n", connection->head);
        }
    }
    if (run->latencies_count < LATENCIES_MAX) {
        run->latencies_ms[run->latencies_count++] = (float)((now() - connection->started) * 1e3);
    }
    run->done++;
}

/* Moves one connection on; false when it is finished for good. */
static bool step(struct run *run, struct connection *connection)
{
    if (connection->sending) {
        if (!send_some(run, connection)) {
            errno = errno == 0 ? EPIPE : errno;
            die("send");
        }
        if (!connection->sending) {
            watch(run, connection, EPOLL_CTL_MOD);
        }
        return true;
    }
    const int result = read_some(connection);
    if (result < 0) {
        die("receive");
    }
    if (result == 1) {
        finish_request(run, connection);
        if (!more_wanted(run)) {
            close(connection->fd);
            return false;
        }
        start_request(run, connection);
        if (!send_some(run, connection)) {
            die("send");
        }
        if (connection->sending) {
            watch(run, connection, EPOLL_CTL_MOD);
        }
    }
    return true;
}

static int by_value(const void *left, const void *right)
{
    const float a = *(const float *)left;
    const float b = *(const float *)right;
    return (a > b) - (a < b);
}

static void print_result(struct run *run, double seconds)
{
    qsort(run->latencies_ms, run->latencies_count, sizeof *run->latencies_ms, by_value);
    const size_t count = run->latencies_count;
    const double rate = (double)run->done / seconds;
    printf("{\"op\":\"%s\",\"size\":%zu,\"concurrency\":%u,\"blobs\":%u,\"operations\":%llu,"
           "\"errors\":%llu,\"seconds\":%.3f,\"ops_per_s\":%.1f,\"mb_per_s\":%.1f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n",
           run->options.put ? "put" : "get", run->options.size_bytes, run->options.concurrency,
           run->options.blobs, (unsigned long long)run->done, (unsigned long long)run->errors,
           seconds, rate, rate * (double)run->options.size_bytes / 1e6,
           (double)run->latencies_ms[count / 2], (double)run->latencies_ms[count * 99 / 100],
           (double)run->latencies_ms[count - 1]);
}

static void usage(void)
{
    fputs("usage: blob_load --host IP --port N --base /account/container --sas-env VARIABLE\n"
          "                 --op put|get --size BYTES --concurrency N --blobs N\n"
          "                 (--seconds S | --requests N)\n",
          stderr);
    exit(2);
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"host", required_argument, NULL, 'h'},
        {"port", required_argument, NULL, 'p'},
        {"base", required_argument, NULL, 'b'},
        {"sas-env", required_argument, NULL, 's'},
        {"op", required_argument, NULL, 'o'},
        {"size", required_argument, NULL, 'z'},
        {"concurrency", required_argument, NULL, 'c'},
        {"blobs", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 't'},
        {"requests", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.host = "127.0.0.1", .concurrency = 1, .blobs = 100, .seconds = 5};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'h':
            snprintf(options.host, sizeof options.host, "%s", optarg);
            break;
        case 'p':
            options.port = (uint16_t)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            options.base = optarg;
            break;
        case 's':
            options.sas = getenv(optarg);
            break;
        case 'o':
            options.put = strcmp(optarg, "put") == 0;
            break;
        case 'z':
            options.size_bytes = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            options.concurrency = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'n':
            options.blobs = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 't':
            options.seconds = strtod(optarg, NULL);
            break;
        case 'r':
            options.requests_max = strtoull(optarg, NULL, 10);
            break;
        default:
            usage();
        }
    }
    if (options.port == 0 || options.base == NULL || options.sas == NULL ||
        options.concurrency == 0 || options.concurrency > 1024 || options.blobs == 0) {
        usage();
    }
    return options;
}

int main(int argc, char **argv)
{
    struct run run = {.options = parse_options(argc, argv)};
    run.body = malloc(run.options.size_bytes + 1);
    run.latencies_ms = malloc(LATENCIES_MAX * sizeof *run.latencies_ms);
    struct connection *connections = calloc(run.options.concurrency, sizeof *connections);
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run.body == NULL || run.latencies_ms == NULL || connections == NULL || run.epoll < 0) {
        die("start");
    }
    /* Bytes that do not compress, the same for every server. */
    uint32_t seed = 2463534242u;
    for (size_t i = 0; i < run.options.size_bytes; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        run.body[i] = (uint8_t)seed;
    }
    const double start = now();
    run.deadline = start + run.options.seconds;
    unsigned open_count = 0;
    for (unsigned i = 0; i < run.options.concurrency && (i == 0 || more_wanted(&run)); i++) {
        open_connection(&run, &connections[i]);
        start_request(&run, &connections[i]);
        watch(&run, &connections[i], EPOLL_CTL_ADD);
        open_count++;
    }
    while (open_count > 0) {
        struct epoll_event events[64];
        const int count = epoll_wait(run.epoll, events, 64, 60000);
        if (count == 0) {
            errno = ETIMEDOUT;
            die("no answer for a minute");
        }
        for (int i = 0; i < count; i++) {
            if (!step(&run, events[i].data.ptr)) {
                open_count--;
            }
        }
    }
    print_result(&run, now() - start);
    free(connections);
    free(run.latencies_ms);
    free(run.body);
    return run.errors == 0 ? 0 : 1;
}
