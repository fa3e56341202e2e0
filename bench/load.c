/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define LATENCIES_MAX   4000000u
#define SHIFTS          8191u /* so many objects in a row differ */
#define CONCURRENCY_MAX 1024u

static const char *const op_names[LOAD_OPS] = {"put", "get", "check", "remove"};

double load_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void load_die(const struct load *load, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", load->program, what, strerror(errno));
    exit(2);
}

static double seconds_of(const struct timeval *time)
{
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static double cpu_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
}

static bool parse_op(const char *name, enum load_op *op)
{
    for (unsigned i = 0; i < LOAD_OPS; i++) {
        if (strcmp(name, op_names[i]) == 0) {
            *op = (enum load_op)i;
            return true;
        }
    }
    return false;
}

bool load_option(struct load_options *options, int name, const char *value)
{
    switch (name) {
    case 1:
        return parse_op(value, &options->op);
    case 2:
        options->size_bytes = strtoull(value, NULL, 10);
        return true;
    case 3:
        options->concurrency = (unsigned)strtoul(value, NULL, 10);
        return true;
    case 4:
        options->objects = (unsigned)strtoul(value, NULL, 10);
        return true;
    case 5:
        options->seconds = strtod(value, NULL);
        return true;
    case 6:
        options->requests_max = strtoull(value, NULL, 10);
        return true;
    default:
        return false;
    }
}

bool load_options_valid(const struct load_options *options)
{
    return options->size_bytes > 0 && options->concurrency > 0 &&
           options->concurrency <= CONCURRENCY_MAX && options->objects > 0 &&
           (options->requests_max > 0 || options->seconds > 0);
}

void load_begin(struct load *load, const char *program, const struct load_options *options)
{
    *load = (struct load){.program = program, .options = *options};
    const size_t len = options->size_bytes + SHIFTS;
    load->bytes = malloc(len);
    load->latencies_ms = malloc(LATENCIES_MAX * sizeof *load->latencies_ms);
    if (load->bytes == NULL || load->latencies_ms == NULL) {
        load_die(load, "start");
    }
    uint32_t seed = 2463534242u;
    for (size_t i = 0; i < len; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        load->bytes[i] = (uint8_t)seed;
    }
    load->cpu_start = cpu_now();
    load->start = load_now();
}

bool load_next(struct load *load, uint64_t *number)
{
    const struct load_options *options = &load->options;
    const uint64_t max = options->requests_max;
    if (max != 0 ? load->started >= max : load_now() >= load->start + options->seconds) {
        return false;
    }
    /* A check of a few looks at objects from one end to the other. */
    *number = options->op == LOAD_CHECK && max != 0 && max < options->objects
                  ? load->started * options->objects / max
                  : load->started % options->objects;
    load->started++;
    return true;
}

const uint8_t *load_bytes(const struct load *load, uint64_t number)
{
    return load->bytes + number % SHIFTS;
}

void load_count(struct load *load, double started, bool failed)
{
    load->errors += failed;
    load->done++;
    if (load->latencies_count < LATENCIES_MAX) {
        load->latencies_ms[load->latencies_count++] = (float)((load_now() - started) * 1e3);
    }
}

static int by_value(const void *left, const void *right)
{
    const float a = *(const float *)left;
    const float b = *(const float *)right;
    return (a > b) - (a < b);
}

int load_end(struct load *load)
{
    const double seconds = load_now() - load->start;
    const double cpu_s = cpu_now() - load->cpu_start;
    const struct load_options *options = &load->options;
    const size_t count = load->latencies_count;
    qsort(load->latencies_ms, count, sizeof *load->latencies_ms, by_value);
    const double rate = (double)load->done / seconds;
    const double p50 = count == 0 ? 0 : (double)load->latencies_ms[count / 2];
    const double p99 = count == 0 ? 0 : (double)load->latencies_ms[count * 99 / 100];
    const double max = count == 0 ? 0 : (double)load->latencies_ms[count - 1];
    printf("{\"op\":\"%s\",\"size\":%zu,\"concurrency\":%u,\"blobs\":%u,\"operations\":%llu,"
           "\"errors\":%llu,\"seconds\":%.3f,\"ops_per_s\":%.1f,\"mb_per_s\":%.1f,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"cpu_s\":%.3f}\n",
           op_names[options->op], options->size_bytes, options->concurrency, options->objects,
           (unsigned long long)load->done, (unsigned long long)load->errors, seconds, rate,
           rate * (double)options->size_bytes / 1e6, p50, p99, max, cpu_s);
    free(load->bytes);
    free(load->latencies_ms);
    return load->errors == 0 ? 0 : 1;
}
