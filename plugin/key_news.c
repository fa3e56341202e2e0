/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/key_news.h"

#include <stdlib.h>

#include "common/hash.h"
#include "plugin/encryption_settings.h"

#define BUCKETS 4096u

/* One key as one identity asks for it. Stays until the end of the instance. */
struct told {
    struct told *next;
    struct gk_encryption_settings settings;
    int64_t asked_wall_ms;
    char key_id[GK_KEY_ID_BYTES_MAX];
    char request_id[64];
    struct gk_key_info info;
    bool info_unknown;
};

struct gk_key_news {
    pthread_mutex_t mutex;
    struct told *buckets[BUCKETS];
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

void gk_key_news_note(struct gk_key_news *news, const struct gk_encryption_settings *settings,
                      const struct gk_vault_result *result, int64_t asked_wall_ms)
{
    pthread_mutex_lock(&news->mutex);
    struct told **link = locked_find(news, settings);
    if (*link == NULL && (*link = calloc(1, sizeof **link)) != NULL) {
        (*link)->settings = *settings;
    }
    if (*link != NULL) {
        struct told *told = *link;
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
    const bool found =
        told != NULL && told->asked_wall_ms > after_wall_ms && told->asked_wall_ms <= now_wall_ms;
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
