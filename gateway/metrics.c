/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS     1024u
#define SERIES_MAX  4096u /* a set that is not bounded must not eat the memory */
#define NAME_BYTES  96u
#define LABEL_BYTES 256u

struct series {
    struct series *next;
    char name[NAME_BYTES];
    char labels[LABEL_BYTES];
    double value;
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

void gk_metrics_count(const char *name, const char *labels, double add)
{
    const size_t bucket = bucket_of(name, labels);
    pthread_mutex_lock(&metrics.mutex);
    struct series *series = metrics.buckets[bucket];
    while (series != NULL &&
           (strcmp(series->name, name) != 0 || strcmp(series->labels, labels) != 0)) {
        series = series->next;
    }
    if (series == NULL && metrics.count < SERIES_MAX && strlen(name) < NAME_BYTES &&
        strlen(labels) < LABEL_BYTES) {
        series = calloc(1, sizeof *series);
        if (series != NULL) {
            snprintf(series->name, NAME_BYTES, "%s", name);
            snprintf(series->labels, LABEL_BYTES, "%s", labels);
            series->next = metrics.buckets[bucket];
            metrics.buckets[bucket] = series;
            metrics.count++;
        }
    }
    if (series != NULL) {
        series->value += add;
    }
    pthread_mutex_unlock(&metrics.mutex);
}

static int by_name(const void *left, const void *right)
{
    const struct series *a = *(const struct series *const *)left;
    const struct series *b = *(const struct series *const *)right;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : strcmp(a->labels, b->labels);
}

void gk_metrics_render(struct gk_buf *out)
{
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
            gk_buf_printf(out, "# TYPE %s counter\n", all[i]->name);
        }
        gk_buf_append_str(out, all[i]->name);
        if (all[i]->labels[0] != 0) {
            gk_buf_printf(out, "{%s}", all[i]->labels);
        }
        gk_buf_printf(out, " %.17g\n", all[i]->value);
    }
    free(all);
    pthread_mutex_unlock(&metrics.mutex);
}
