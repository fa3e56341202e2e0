/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/unwrap_counts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hash.h"
#include "plugin/audit.h"

#define BUCKETS 1024u

struct entry {
    struct entry *next; /* in its bucket */
    char account[GK_ACCOUNT_PATH_BYTES_MAX];
    char key_id[GK_KEY_ID_BYTES_MAX];
    const char *outcome; /* gk_audit_verdict_outcome()'s own text */
    char request_id[64]; /* of the last one */
    uint64_t count;
    int64_t since_wall_ms;
};

struct table {
    struct entry *buckets[BUCKETS];
    size_t entries;
};

struct gk_unwrap_counts {
    pthread_mutex_t lock;
    struct table table;
    int64_t begun_mono_ms;
};

struct gk_unwrap_counts *gk_unwrap_counts_new(int64_t now_mono_ms)
{
    struct gk_unwrap_counts *counts = calloc(1, sizeof *counts);
    if (counts != NULL) {
        pthread_mutex_init(&counts->lock, NULL);
        counts->begun_mono_ms = now_mono_ms;
    }
    return counts;
}

/* The first entry that is left; NULL: none is. */
static struct entry *take(struct table *table, size_t *bucket)
{
    while (*bucket < BUCKETS && table->buckets[*bucket] == NULL) {
        ++*bucket;
    }
    if (*bucket == BUCKETS) {
        return NULL;
    }
    struct entry *entry = table->buckets[*bucket];
    table->buckets[*bucket] = entry->next;
    return entry;
}

void gk_unwrap_counts_free(struct gk_unwrap_counts *counts)
{
    if (counts == NULL) {
        return;
    }
    size_t bucket = 0;
    struct entry *entry = NULL;
    while ((entry = take(&counts->table, &bucket)) != NULL) {
        free(entry);
    }
    pthread_mutex_destroy(&counts->lock);
    free(counts);
}

/* --- counting ---------------------------------------------------------------------------------- */

static struct entry **bucket_of(struct table *table, const char *account, const char *key_id)
{
    const uint64_t hash =
        gk_hash(gk_hash(GK_HASH_START, gk_span_str(account)), gk_span_str(key_id));
    return &table->buckets[hash % BUCKETS];
}

static bool is_of(const struct entry *entry, const char *account, const char *key_id,
                  const char *outcome)
{
    return strcmp(entry->account, account) == 0 && strcmp(entry->key_id, key_id) == 0 &&
           entry->outcome == outcome;
}

/* Found or made; NULL: out of memory. */
static struct entry *locked_entry(struct table *table, const char *account, const char *key_id,
                                  const char *outcome, int64_t wall_ms)
{
    struct entry **bucket = bucket_of(table, account, key_id);
    struct entry *entry = *bucket;
    while (entry != NULL && !is_of(entry, account, key_id, outcome)) {
        entry = entry->next;
    }
    if (entry != NULL) {
        return entry;
    }
    entry = calloc(1, sizeof *entry);
    if (entry != NULL) {
        snprintf(entry->account, sizeof entry->account, "%s", account);
        snprintf(entry->key_id, sizeof entry->key_id, "%s", key_id);
        entry->outcome = outcome;
        entry->since_wall_ms = wall_ms;
        entry->next = *bucket;
        *bucket = entry;
        table->entries++;
    }
    return entry;
}

void gk_unwrap_counts_note(const struct gk_instance *instance, const char *account,
                           const char *key_id, enum gk_vault_verdict verdict,
                           const char *request_id)
{
    struct gk_unwrap_counts *counts = instance->unwraps;
    pthread_mutex_lock(&counts->lock);
    struct entry *entry =
        locked_entry(&counts->table, account, key_id, gk_audit_verdict_outcome(verdict),
                     gk_instance_now(instance).wall_ms);
    if (entry != NULL) {
        entry->count++;
        snprintf(entry->request_id, sizeof entry->request_id, "%s", request_id);
    }
    const bool full = counts->table.entries > GK_UNWRAP_COUNTS_MAX;
    pthread_mutex_unlock(&counts->lock);
    if (full) {
        gk_unwrap_counts_tell(instance);
    }
}

/* --- telling ----------------------------------------------------------------------------------- */

static void tell(const struct gk_instance *instance, const struct entry *entry)
{
    gk_audit(instance, &(const struct gk_audit_event){
                           .event = GK_AUDIT_KEY_UNWRAP,
                           .account = entry->account,
                           .key_id = entry->key_id,
                           .outcome = entry->outcome,
                           .request_id = entry->request_id,
                           .count = entry->count,
                           .since_wall_ms = entry->since_wall_ms,
                       });
}

void gk_unwrap_counts_tell(const struct gk_instance *instance)
{
    struct gk_unwrap_counts *counts = instance->unwraps;
    pthread_mutex_lock(&counts->lock);
    struct table taken = counts->table;
    counts->table = (struct table){.entries = 0};
    counts->begun_mono_ms = gk_instance_now(instance).mono_ms;
    pthread_mutex_unlock(&counts->lock);
    size_t bucket = 0;
    struct entry *entry = NULL;
    while ((entry = take(&taken, &bucket)) != NULL) {
        tell(instance, entry);
        free(entry);
    }
}

void gk_unwrap_counts_tell_due(const struct gk_instance *instance)
{
    struct gk_unwrap_counts *counts = instance->unwraps;
    pthread_mutex_lock(&counts->lock);
    const bool due = gk_instance_now(instance).mono_ms - counts->begun_mono_ms >=
                     instance->settings.unwrap_audit_interval_ms;
    pthread_mutex_unlock(&counts->lock);
    if (due) {
        gk_unwrap_counts_tell(instance);
    }
}
