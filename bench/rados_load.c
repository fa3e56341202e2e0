/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load on RADOS itself, as a bound for what any gateway on it can do: whole objects written and read
 * asynchronously, as many under way as --concurrency says. The next request starts in the callback of
 * the one before. What is read is thrown away, so all reads share one buffer, but for --op check, which
 * has one read under way.
 */
#include "bench/load.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <rados/librados.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OP_TIMEOUT_S "60"

struct run {
    struct load load;
    rados_ioctx_t io;
    char *sink;
    pthread_mutex_t lock; /* guards load and active */
    pthread_cond_t idle;
    unsigned active;
};

struct request {
    struct run *run;
    uint64_t number;
    double started;
};

static void start(struct request *request);

static bool failed(const struct request *request, int result)
{
    const struct load *load = &request->run->load;
    const size_t size = load->options.size_bytes;
    switch (load->options.op) {
    case LOAD_GET:
        return result < 0 || (size_t)result != size;
    case LOAD_CHECK:
        return result < 0 || (size_t)result != size ||
               memcmp(request->run->sink, load_bytes(load, request->number), size) != 0;
    default:
        return result < 0;
    }
}

static void on_done(rados_completion_t completion, void *ctx)
{
    struct request *request = ctx;
    struct run *run = request->run;
    const int result = rados_aio_get_return_value(completion);
    rados_aio_release(completion);
    pthread_mutex_lock(&run->lock);
    const bool bad = failed(request, result);
    if (bad && run->load.errors == 0) {
        fprintf(stderr, "rados_load: first failure: %d\n", result);
    }
    load_count(&run->load, request->started, bad);
    const bool more = load_next(&run->load, &request->number);
    if (!more && --run->active == 0) {
        pthread_cond_signal(&run->idle);
    }
    pthread_mutex_unlock(&run->lock);
    if (more) {
        start(request);
    }
}

static void start(struct request *request)
{
    struct run *run = request->run;
    const struct load_options *options = &run->load.options;
    char object[64];
    snprintf(object, sizeof object, "object-%06llu", (unsigned long long)request->number);
    rados_completion_t completion;
    int result = rados_aio_create_completion2(request, on_done, &completion);
    request->started = load_now();
    if (result == 0) {
        switch (options->op) {
        case LOAD_PUT:
            result = rados_aio_write_full(run->io, object, completion,
                                          (const char *)load_bytes(&run->load, request->number),
                                          options->size_bytes);
            break;
        case LOAD_REMOVE:
            result = rados_aio_remove(run->io, object, completion);
            break;
        default:
            result = rados_aio_read(run->io, object, completion, run->sink, options->size_bytes, 0);
        }
    }
    if (result < 0) {
        errno = -result;
        load_die(&run->load, "a request does not start");
    }
}

static void run_all(struct run *run)
{
    const unsigned most = run->load.options.op == LOAD_CHECK ? 1 : run->load.options.concurrency;
    struct request *requests = calloc(most, sizeof *requests);
    if (requests == NULL) {
        load_die(&run->load, "start");
    }
    for (unsigned i = 0; i < most; i++) {
        requests[i].run = run;
        pthread_mutex_lock(&run->lock);
        const bool more = load_next(&run->load, &requests[i].number);
        run->active += more;
        pthread_mutex_unlock(&run->lock);
        if (more) {
            start(&requests[i]);
        }
    }
    pthread_mutex_lock(&run->lock);
    while (run->active > 0) {
        pthread_cond_wait(&run->idle, &run->lock);
    }
    pthread_mutex_unlock(&run->lock);
    free(requests);
}

static void must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "rados_load: %s: %s\n", what, strerror(-result));
        exit(2);
    }
}

static void usage(void)
{
    fputs("usage: rados_load --conf FILE --user NAME --pool NAME\n" LOAD_USAGE, stderr);
    exit(2);
}

struct place {
    const char *conf;
    const char *user; /* client.admin */
    const char *pool;
};

static void parse_options(int argc, char **argv, struct place *place, struct load_options *options)
{
    static const struct option names[] = {{"conf", required_argument, NULL, 'c'},
                                          {"user", required_argument, NULL, 'u'},
                                          {"pool", required_argument, NULL, 'p'},
                                          LOAD_OPTION_NAMES,
                                          {NULL, 0, NULL, 0}};
    for (int name; (name = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (name) {
        case 'c':
            place->conf = optarg;
            break;
        case 'u':
            place->user = optarg;
            break;
        case 'p':
            place->pool = optarg;
            break;
        default:
            if (!load_option(options, name, optarg)) {
                usage();
            }
        }
    }
    if (place->conf == NULL || place->user == NULL || place->pool == NULL ||
        !load_options_valid(options)) {
        usage();
    }
}

static rados_t connect_to(const struct place *place)
{
    rados_t cluster;
    must(rados_create2(&cluster, "ceph", place->user, 0), "create");
    must(rados_conf_read_file(cluster, place->conf), place->conf);
    must(rados_conf_set(cluster, "rados_osd_op_timeout", OP_TIMEOUT_S), "time-out");
    must(rados_conf_set(cluster, "rados_mon_op_timeout", OP_TIMEOUT_S), "time-out");
    must(rados_connect(cluster), "connect");
    return cluster;
}

int main(int argc, char **argv)
{
    struct load_options options = {.concurrency = 1, .objects = 100, .seconds = 5};
    struct place place = {0};
    parse_options(argc, argv, &place, &options);
    /* Buffers are not given back to the kernel in between: their first touch is dear, and is none of
     * the cluster's. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    struct run run = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};
    rados_t cluster = connect_to(&place);
    must(rados_ioctx_create(cluster, place.pool, &run.io), place.pool);
    run.sink = malloc(options.size_bytes + 1);
    must(run.sink == NULL ? -ENOMEM : 0, "start");
    load_begin(&run.load, "rados_load", &options);
    run_all(&run);
    const int code = load_end(&run.load);
    rados_ioctx_destroy(run.io);
    rados_shutdown(cluster);
    free(run.sink);
    return code;
}
