/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the load generators share: options, what each object holds, the clock, the latencies and the
 * JSON object that they print.
 *
 * Every object has a number, and bytes that do not compress and that follow from the number: a server
 * that mixes two objects up is found out by LOAD_CHECK. The bytes are the same for every server.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum load_op {
    LOAD_PUT,
    LOAD_GET,    /* what is read is thrown away */
    LOAD_CHECK,  /* what is read is compared: not for measuring */
    LOAD_REMOVE, /* not for measuring either */
    LOAD_OPS
};

struct load_options {
    enum load_op op;
    size_t size_bytes;
    unsigned concurrency;
    unsigned objects;
    double seconds;
    uint64_t requests_max; /* 0: by time alone */
};

/* Of struct option, for every generator; their values are below ' '. */
#define LOAD_OPTION_NAMES                                                                          \
    {"op", required_argument, NULL, 1}, {"size", required_argument, NULL, 2},                      \
        {"concurrency", required_argument, NULL, 3}, {"blobs", required_argument, NULL, 4},        \
        {"seconds", required_argument, NULL, 5},                                                   \
    {                                                                                              \
        "requests", required_argument, NULL, 6                                                     \
    }
#define LOAD_USAGE                                                                                 \
    "  --op put|get|check|remove --size BYTES --concurrency N --blobs N (--seconds S | "           \
    "--requests "                                                                                  \
    "N)\n"

struct load {
    const char *program;
    struct load_options options;
    uint8_t *bytes;
    float *latencies_ms;
    size_t latencies_count;
    uint64_t started;
    uint64_t done;
    uint64_t errors;
    double start;
    double cpu_start;
};

/* Takes one of LOAD_OPTION_NAMES; false for another name or an impossible value. */
bool load_option(struct load_options *options, int name, const char *value);
bool load_options_valid(const struct load_options *options);

/* Starts the clock. Ends the process when there is no memory. */
void load_begin(struct load *load, const char *program, const struct load_options *options);
/* The number of the object whose turn it is; false when enough was started. */
bool load_next(struct load *load, uint64_t *number);
/* The options' size_bytes of them, which live until load_end. */
const uint8_t *load_bytes(const struct load *load, uint64_t number);
/* A request has ended. */
void load_count(struct load *load, double started, bool failed);
/* Prints the JSON object: operations, errors, seconds, operations and MB per second, p50, p99 and
 * maximum of the latency in milliseconds, and the CPU seconds of this process. Frees what begin made.
 * Returns the exit code: 1 when a request failed. */
int load_end(struct load *load);

/* Seconds of the monotonic clock. */
double load_now(void);
/* Says what failed, with errno, and ends the process. */
_Noreturn void load_die(const struct load *load, const char *what);

#endif
