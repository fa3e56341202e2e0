/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BUCKETS     1024u
#define SERIES_MAX  4096u /* a set that is not bounded must not eat the memory */
#define NAME_BYTES  96u
#define LABEL_BYTES 256u

enum type { COUNTER, GAUGE, HISTOGRAM };

struct metric {
    const char *name;
    enum type type;
    const char *labels;
    const char *help;
};

static const struct metric table[] = {
#define GK_METRIC(name, type, labels, help) {#name, type, labels, help},
#include "gateway/metrics.def"
#undef GK_METRIC
};

/* Upper bounds of a histogram's buckets, in seconds: from what memory answers to what a vault's deadline
 * allows. The last bucket, without a bound, is the count. */
static const double bounds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                0.25,  0.5,    1,     2.5,  5,     10,   30};

#define BOUNDS (sizeof bounds / sizeof *bounds)

/* Of a histogram, what was observed. Each bucket holds those below it too, as it is rendered. */
struct buckets {
    uint64_t within[BOUNDS];
    uint64_t count;
};

struct series {
    struct series *next;
    char name[NAME_BYTES];
    char labels[LABEL_BYTES];
    double value;            /* of a histogram the sum */
    struct buckets *buckets; /* NULL: no histogram */
};

static struct {
    pthread_mutex_t mutex;
    struct series *buckets[BUCKETS];
    size_t count;
} metrics = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static size_t bucket_of(const char *name, const char *labels)
{
    uint32_t hash = 2166136261u;
    for (const char *at = name; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    }
    for (const char *at = labels; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    }
    return hash % BUCKETS;
}

static const struct metric *find_metric(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static bool is_histogram(const char *name)
{
    const struct metric *metric = find_metric(name);
    return metric != NULL && metric->type == HISTOGRAM;
}

/* NULL: there is no memory, or there are more than there can be of a bounded set. */
static struct series *new_series(const char *name, const char *labels)
{
    if (metrics.count >= SERIES_MAX || strlen(name) >= NAME_BYTES ||
        strlen(labels) >= LABEL_BYTES) {
        return NULL;
    }
    struct series *series = calloc(1, sizeof *series);
    if (series == NULL) {
        return NULL;
    }
    if (is_histogram(name)) {
        series->buckets = calloc(1, sizeof *series->buckets);
        if (series->buckets == NULL) {
            free(series);
            return NULL;
        }
    }
    snprintf(series->name, NAME_BYTES, "%s", name);
    snprintf(series->labels, LABEL_BYTES, "%s", labels);
    return series;
}

/* The series of that name and those labels; a new one when there is none. NULL as above. */
static struct series *locked_series(const char *name, const char *labels)
{
    struct series **bucket = &metrics.buckets[bucket_of(name, labels)];
    for (struct series *series = *bucket; series != NULL; series = series->next) {
        if (strcmp(series->name, name) == 0 && strcmp(series->labels, labels) == 0) {
            return series;
        }
    }
    struct series *series = new_series(name, labels);
    if (series != NULL) {
        series->next = *bucket;
        *bucket = series;
        metrics.count++;
    }
    return series;
}

static void observe(struct buckets *buckets, double seconds)
{
    for (size_t i = 0; i < BOUNDS; i++) {
        buckets->within[i] += seconds <= bounds[i] ? 1 : 0;
    }
    buckets->count++;
}

void gk_metrics_count(const char *name, const char *labels, double add)
{
    pthread_mutex_lock(&metrics.mutex);
    struct series *series = locked_series(name, labels);
    if (series != NULL) {
        series->value += add;
        if (series->buckets != NULL) {
            observe(series->buckets, add);
        }
    }
    pthread_mutex_unlock(&metrics.mutex);
}

void gk_metrics_set(const char *name, const char *labels, double value)
{
    pthread_mutex_lock(&metrics.mutex);
    struct series *series = locked_series(name, labels);
    if (series != NULL) {
        series->value = value;
    }
    pthread_mutex_unlock(&metrics.mutex);
}

double gk_metrics_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void gk_metrics_encryption(enum gk_metrics_direction direction, double begun)
{
    gk_metrics_count("gatekey_encryption_seconds_total",
                     direction == GK_METRICS_SEAL ? "direction=\"seal\"" : "direction=\"open\"",
                     gk_metrics_now() - begun);
}

/* An alert on the growth of a counter needs to have seen it at 0; these are the ones with labels. */
static const char *const watched[][2] = {
    {"gatekey_config_reloads_total", "result=\"refused\""},
    {"gatekey_token_requests_total", "result=\"refused\""},
};

static void begin_counters(void)
{
    for (size_t i = 0; i < sizeof watched / sizeof *watched; i++) {
        gk_metrics_count(watched[i][0], watched[i][1], 0);
    }
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].type == COUNTER && table[i].labels[0] == '\0') {
            gk_metrics_count(table[i].name, "", 0);
        }
    }
}

/* --- the text ---------------------------------------------------------------------------------- */

void gk_metrics_head(struct gk_buf *out, const char *name)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};
    const struct metric *metric = find_metric(name);
    if (metric != NULL) {
        gk_buf_printf(out, "# HELP %s %s\n", name, metric->help);
    }
    gk_buf_printf(out, "# TYPE %s %s\n", name, types[metric == NULL ? COUNTER : metric->type]);
}

static int by_name(const void *left, const void *right)
{
    const struct series *a = *(const struct series *const *)left;
    const struct series *b = *(const struct series *const *)right;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->labels, b->labels);
}

static void render_value(struct gk_buf *out, const struct series *series, const char *suffix,
                         double value)
{
    gk_buf_printf(out, "%s%s", series->name, suffix);
    if (series->labels[0] != '\0') {
        gk_buf_printf(out, "{%s}", series->labels);
    }
    gk_buf_printf(out, " %.17g\n", value);
}

static void render_bucket(struct gk_buf *out, const struct series *series, const char *bound,
                          uint64_t count)
{
    gk_buf_printf(out, "%s_bucket{%s%sle=\"%s\"} %llu\n", series->name, series->labels,
                  series->labels[0] == '\0' ? "" : ",", bound, (unsigned long long)count);
}

static void render_histogram(struct gk_buf *out, const struct series *series)
{
    for (size_t i = 0; i < BOUNDS; i++) {
        char bound[16];
        snprintf(bound, sizeof bound, "%g", bounds[i]);
        render_bucket(out, series, bound, series->buckets->within[i]);
    }
    render_bucket(out, series, "+Inf", series->buckets->count);
    render_value(out, series, "_sum", series->value);
    render_value(out, series, "_count", (double)series->buckets->count);
}

void gk_metrics_render(struct gk_buf *out)
{
    begin_counters();
    pthread_mutex_lock(&metrics.mutex);
    const struct series **all = calloc(metrics.count + 1, sizeof(struct series *));
    size_t count = 0;
    for (size_t i = 0; all != NULL && i < BUCKETS; i++) {
        for (const struct series *series = metrics.buckets[i]; series != NULL;
             series = series->next) {
            all[count++] = series;
        }
    }
    if (count > 0) {
        qsort(all, count, sizeof(struct series *), by_name);
    }
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(all[i]->name, all[i - 1]->name) != 0) {
            gk_metrics_head(out, all[i]->name);
        }
        if (all[i]->buckets != NULL) {
            render_histogram(out, all[i]);
        } else {
            render_value(out, all[i], "", all[i]->value);
        }
    }
    free(all);
    pthread_mutex_unlock(&metrics.mutex);
}
