/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/key_news.h"

#include <stdlib.h>

#include "common/duration.h"
#include "common/hash.h"
#include "plugin/encryption_settings.h"

#define BUCKETS           4096u
#define SILENCE_BUCKETS   256u
#define REFUSED_FIRST_MS  INT64_C(300000)
#define POLICY_FIRST_MS   (2 * GK_DAY_S * 1000)
#define POLICY_LONGEST_MS (30 * GK_DAY_S * 1000)
#define NEVER             INT64_MIN

/* Of one sort of call. */
struct refusals {
    int64_t pause_ms; /* 0: the last answer was none */
    int64_t until_mono_ms;
};

/* One key as one identity asks for it. Stays until the end of the instance. */
struct told {
    struct told *next;
    struct gk_encryption_settings settings;
    struct refusals refusals[GK_KEY_NEWS_CALLS];
    struct refusals policy; /* or silence */
    int64_t asked_wall_ms;
    char key_id[GK_KEY_ID_BYTES_MAX]; /* "": nothing was told yet */
    char request_id[64];
    struct gk_key_info info;
    bool info_unknown;
};

/* One vault as one identity asks it. Stays until the end of the instance. */
struct silence {
    struct silence *next;
    struct gk_encryption_settings settings; /* of one of its keys */
    int64_t until_mono_ms;
};

struct gk_key_news {
    pthread_mutex_t mutex;
    struct told *buckets[BUCKETS];
    struct silence *silences[SILENCE_BUCKETS];
};

struct gk_key_news *gk_key_news_new(void)
{
    struct gk_key_news *news = calloc(1, sizeof *news);
    if (news != NULL) {
        pthread_mutex_init(&news->mutex, NULL);
    }
    return news;
}

void gk_key_news_free(struct gk_key_news **news)
{
    if (*news == NULL) {
        return;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        while ((*news)->buckets[i] != NULL) {
            struct told *told = (*news)->buckets[i];
            (*news)->buckets[i] = told->next;
            free(told);
        }
    }
    for (unsigned i = 0; i < SILENCE_BUCKETS; i++) {
        while ((*news)->silences[i] != NULL) {
            struct silence *silence = (*news)->silences[i];
            (*news)->silences[i] = silence->next;
            free(silence);
        }
    }
    pthread_mutex_destroy(&(*news)->mutex);
    free(*news);
    *news = NULL;
}

static struct told **locked_find(struct gk_key_news *news,
                                 const struct gk_encryption_settings *settings)
{
    const uint64_t hash = gk_hash(gk_hash(GK_HASH_START, gk_span_str(settings->key.vault_uri)),
                                  gk_span_str(settings->key.name));
    struct told **link = &news->buckets[hash % BUCKETS];
    while (*link != NULL && !gk_encryption_settings_equal(&(*link)->settings, settings)) {
        link = &(*link)->next;
    }
    return link;
}

static struct told *locked_find_or_add(struct gk_key_news *news,
                                       const struct gk_encryption_settings *settings)
{
    struct told **link = locked_find(news, settings);
    if (*link == NULL && (*link = calloc(1, sizeof **link)) != NULL) {
        (*link)->settings = *settings;
    }
    return *link;
}

static struct silence **locked_find_silence(struct gk_key_news *news,
                                            const struct gk_encryption_settings *settings)
{
    const uint64_t hash = gk_hash(GK_HASH_START, gk_span_str(settings->key.vault_uri));
    struct silence **link = &news->silences[hash % SILENCE_BUCKETS];
    while (*link != NULL &&
           (strcmp((*link)->settings.key.vault_uri, settings->key.vault_uri) != 0 ||
            !gk_identity_reference_equal(&(*link)->settings.identity, &settings->identity))) {
        link = &(*link)->next;
    }
    return link;
}

/* It answers. */
static void locked_end_silence(struct gk_key_news *news,
                               const struct gk_encryption_settings *settings)
{
    struct silence *silence = *locked_find_silence(news, settings);
    if (silence != NULL) {
        silence->until_mono_ms = NEVER;
    }
}

void gk_key_news_note(struct gk_key_news *news, const struct gk_encryption_settings *settings,
                      const struct gk_vault_result *result, int64_t asked_wall_ms)
{
    pthread_mutex_lock(&news->mutex);
    locked_end_silence(news, settings);
    struct told *told = locked_find_or_add(news, settings);
    if (told != NULL) {
        told->refusals[GK_KEY_NEWS_GET].pause_ms = 0;
        told->asked_wall_ms = asked_wall_ms;
        memcpy(told->key_id, result->key_id, sizeof told->key_id);
        memcpy(told->request_id, result->request_id, sizeof told->request_id);
        told->info = result->info;
        told->info_unknown = result->info_unknown;
    }
    pthread_mutex_unlock(&news->mutex);
}

bool gk_key_news_find(struct gk_key_news *news, const struct gk_encryption_settings *settings,
                      int64_t after_wall_ms, int64_t now_wall_ms, struct gk_vault_result *result,
                      int64_t *asked_wall_ms)
{
    pthread_mutex_lock(&news->mutex);
    const struct told *told = *locked_find(news, settings);
    const bool found = told != NULL && told->key_id[0] != '\0' &&
                       told->asked_wall_ms > after_wall_ms && told->asked_wall_ms <= now_wall_ms;
    if (found) {
        *result = (struct gk_vault_result){
            .verdict = GK_VAULT_OK, .info = told->info, .info_unknown = told->info_unknown};
        memcpy(result->key_id, told->key_id, sizeof result->key_id);
        memcpy(result->request_id, told->request_id, sizeof result->request_id);
        *asked_wall_ms = told->asked_wall_ms;
    }
    pthread_mutex_unlock(&news->mutex);
    return found;
}

/* True when the one before was none, too. */
static bool put_off(struct refusals *refusals, int64_t now_mono_ms, int64_t first_ms,
                    int64_t longest_ms)
{
    const bool again = refusals->pause_ms > 0;
    const int64_t pause_ms = again ? 2 * refusals->pause_ms : first_ms;
    refusals->pause_ms = pause_ms < longest_ms ? pause_ms : longest_ms;
    refusals->until_mono_ms = now_mono_ms + refusals->pause_ms;
    return again;
}

bool gk_key_news_note_refused(struct gk_key_news *news,
                              const struct gk_encryption_settings *settings,
                              enum gk_key_news_call call, int64_t now_mono_ms, int64_t longest_ms)
{
    bool again = false;
    pthread_mutex_lock(&news->mutex);
    locked_end_silence(news, settings);
    struct told *told = locked_find_or_add(news, settings);
    if (told != NULL) {
        again = put_off(&told->refusals[call], now_mono_ms, REFUSED_FIRST_MS, longest_ms);
    }
    pthread_mutex_unlock(&news->mutex);
    return again;
}

void gk_key_news_note_wrapped(struct gk_key_news *news,
                              const struct gk_encryption_settings *settings)
{
    pthread_mutex_lock(&news->mutex);
    struct told *told = *locked_find(news, settings);
    if (told != NULL) {
        told->refusals[GK_KEY_NEWS_WRAP].pause_ms = 0;
    }
    pthread_mutex_unlock(&news->mutex);
}

bool gk_key_news_note_policy(struct gk_key_news *news,
                             const struct gk_encryption_settings *settings, bool read,
                             int64_t now_mono_ms)
{
    bool changed = false;
    pthread_mutex_lock(&news->mutex);
    struct told *told = locked_find_or_add(news, settings);
    if (told != NULL && read) {
        changed = told->policy.pause_ms > 0;
        told->policy.pause_ms = 0;
    } else if (told != NULL) {
        changed = !put_off(&told->policy, now_mono_ms, POLICY_FIRST_MS, POLICY_LONGEST_MS);
    }
    pthread_mutex_unlock(&news->mutex);
    return changed;
}

bool gk_key_news_may_ask_policy(struct gk_key_news *news,
                                const struct gk_encryption_settings *settings, int64_t now_mono_ms)
{
    pthread_mutex_lock(&news->mutex);
    const struct told *told = *locked_find(news, settings);
    const bool may =
        told == NULL || told->policy.pause_ms == 0 || now_mono_ms >= told->policy.until_mono_ms;
    pthread_mutex_unlock(&news->mutex);
    return may;
}

void gk_key_news_note_silent(struct gk_key_news *news,
                             const struct gk_encryption_settings *settings, int64_t until_mono_ms)
{
    pthread_mutex_lock(&news->mutex);
    struct silence **link = locked_find_silence(news, settings);
    if (*link == NULL && (*link = calloc(1, sizeof **link)) != NULL) {
        (*link)->settings = *settings;
    }
    if (*link != NULL) {
        (*link)->until_mono_ms = until_mono_ms;
    }
    pthread_mutex_unlock(&news->mutex);
}

int64_t gk_key_news_put_off_until(struct gk_key_news *news,
                                  const struct gk_encryption_settings *settings)
{
    pthread_mutex_lock(&news->mutex);
    const struct told *told = *locked_find(news, settings);
    const struct silence *silence = *locked_find_silence(news, settings);
    int64_t until_ms = silence == NULL ? NEVER : silence->until_mono_ms;
    for (unsigned call = 0; told != NULL && call < GK_KEY_NEWS_CALLS; call++) {
        const struct refusals *refusals = &told->refusals[call];
        if (refusals->pause_ms > 0 && refusals->until_mono_ms > until_ms) {
            until_ms = refusals->until_mono_ms;
        }
    }
    pthread_mutex_unlock(&news->mutex);
    return until_ms;
}
