/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/vault_silences.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "plugin/encryption_settings.h"
#include "plugin/recheck.h"

#define BUCKETS 256u

struct entry {
    struct entry *next;
    char vault_uri[GK_VAULT_URI_BYTES_MAX]; /* lower case: vaults compare theirs without */
    struct gk_identity_reference identity;
    bool silent; /* what follows is set */
    int64_t last_mono_ms;
    struct gk_vault_silence silence;
};

struct gk_vault_silences {
    pthread_mutex_t mutex;
    struct entry *buckets[BUCKETS];
};

struct gk_vault_silences *gk_vault_silences_new(void)
{
    struct gk_vault_silences *silences = calloc(1, sizeof *silences);
    if (silences != NULL) {
        pthread_mutex_init(&silences->mutex, NULL);
    }
    return silences;
}

void gk_vault_silences_free(struct gk_vault_silences **silences)
{
    if (*silences == NULL) {
        return;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        while ((*silences)->buckets[i] != NULL) {
            struct entry *entry = (*silences)->buckets[i];
            (*silences)->buckets[i] = entry->next;
            free(entry);
        }
    }
    pthread_mutex_destroy(&(*silences)->mutex);
    free(*silences);
    *silences = NULL;
}

static void to_lower(const char *vault_uri, char lower[GK_VAULT_URI_BYTES_MAX])
{
    snprintf(lower, GK_VAULT_URI_BYTES_MAX, "%s", vault_uri);
    for (char *at = lower; *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
}

/* lower: to_lower() of a URI. */
static struct entry **bucket_of(struct gk_vault_silences *silences, const char *lower)
{
    return &silences->buckets[gk_hash(GK_HASH_START, gk_span_str(lower)) % BUCKETS];
}

static struct entry *locked_find(struct entry *first, const char *lower,
                                 const struct gk_identity_reference *identity)
{
    struct entry *entry = first;
    while (entry != NULL && (strcmp(entry->vault_uri, lower) != 0 ||
                             !gk_identity_reference_equal(&entry->identity, identity))) {
        entry = entry->next;
    }
    return entry;
}

/* From one call to the end of the next of an account that has met the silence. */
static int64_t longest_pause_ms(const struct gk_instance_settings *settings)
{
    return (int64_t)settings->check_interval_ms + GK_RECHECK_PUT_OFF_MS_MAX +
           settings->vault_deadline_ms;
}

/* Whether it is told of. */
static bool is_on(const struct entry *entry, const struct gk_instance *instance,
                  struct gk_moment now)
{
    return entry->silent &&
           entry->last_mono_ms >= now.mono_ms - longest_pause_ms(&instance->settings);
}

static bool is_silence(const struct gk_vault_answer *answer)
{
    return answer->verdict == GK_VAULT_UNAVAILABLE && !gk_vault_answer_is_about_bytes(answer);
}

/* One of the bucket's that is told of no more, so that memory does not grow with each vault that is ever named; NULL:
 * out of memory. */
static struct entry *locked_take(struct entry **bucket, const struct gk_instance *instance,
                                 struct gk_moment now)
{
    struct entry *entry = *bucket;
    while (entry != NULL && is_on(entry, instance, now)) {
        entry = entry->next;
    }
    if (entry == NULL && (entry = calloc(1, sizeof *entry)) != NULL) {
        entry->next = *bucket;
        *bucket = entry;
    }
    return entry;
}

static void locked_note_silent(struct entry *entry, const struct gk_vault_answer *answer,
                               struct gk_moment now)
{
    struct gk_vault_silence *silence = &entry->silence;
    if (!entry->silent) {
        entry->silent = true;
        silence->since_wall_ms = now.wall_ms;
    }
    entry->last_mono_ms = now.mono_ms;
    snprintf(silence->code, sizeof silence->code, "%s", answer->code);
    snprintf(silence->message, sizeof silence->message, "%s", answer->message);
    snprintf(silence->request_id, sizeof silence->request_id, "%s", answer->request_id);
}

void gk_vault_silences_note(const struct gk_instance *instance, const char *vault_uri,
                            const struct gk_identity_reference *identity,
                            const struct gk_vault_answer *answer)
{
    struct gk_vault_silences *silences = instance->silences;
    const struct gk_moment now = gk_instance_now(instance);
    char lower[GK_VAULT_URI_BYTES_MAX];
    if (answer->ours) {
        return;
    }
    to_lower(vault_uri, lower);
    pthread_mutex_lock(&silences->mutex);
    struct entry **bucket = bucket_of(silences, lower);
    struct entry *entry = locked_find(*bucket, lower, identity);
    if (!is_silence(answer)) {
        if (entry != NULL) {
            entry->silent = false;
        }
    } else {
        if (entry == NULL && (entry = locked_take(bucket, instance, now)) != NULL) {
            memcpy(entry->vault_uri, lower, sizeof lower);
            entry->identity = *identity;
            entry->silent = false;
        }
        if (entry != NULL) {
            locked_note_silent(entry, answer, now);
        }
    }
    pthread_mutex_unlock(&silences->mutex);
}

bool gk_vault_silences_find(const struct gk_instance *instance, const char *vault_uri,
                            const struct gk_identity_reference *identity,
                            struct gk_vault_silence *out)
{
    struct gk_vault_silences *silences = instance->silences;
    const struct gk_moment now = gk_instance_now(instance);
    char lower[GK_VAULT_URI_BYTES_MAX];
    to_lower(vault_uri, lower);
    pthread_mutex_lock(&silences->mutex);
    const struct entry *entry = locked_find(*bucket_of(silences, lower), lower, identity);
    const bool found = entry != NULL && is_on(entry, instance, now);
    if (found) {
        *out = entry->silence;
    }
    pthread_mutex_unlock(&silences->mutex);
    return found;
}
