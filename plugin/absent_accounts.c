/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/absent_accounts.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/hash.h"
#include "common/text.h"
#include "plugin/encryption_settings.h"
#include "plugin/rotation.h"

#define ABSENT_BUCKETS   65536u
#define SETTINGS_BUCKETS 4096u
#define NEVER            INT64_MAX

/* The settings of all absent accounts that have the same. */
struct shared_settings {
    struct shared_settings *next;
    size_t references;
    struct gk_encryption_settings settings;
};

/* Stays until the end of the instance, at the same place. */
struct absent {
    struct absent *next;
    struct gk_instance *instance;
    struct gk_job wake;
    int64_t due_wall_ms;
    struct shared_settings *settings; /* NULL: memory was out */
    struct gk_record_witness witness;
    char name[];
};

/* Under the instance's accounts_lock, but for looked, which is the provider's thread's alone. */
struct gk_absents {
    struct absent *accounts[ABSENT_BUCKETS];
    int64_t due_wall_ms[ABSENT_BUCKETS]; /* of the first in the bucket, or before that */
    struct shared_settings *settings[SETTINGS_BUCKETS];
    int64_t looked; /* how many buckets have been looked at for what is due */
};

struct gk_absents *gk_absents_new(void)
{
    struct gk_absents *absents = calloc(1, sizeof *absents);
    for (unsigned i = 0; absents != NULL && i < ABSENT_BUCKETS; i++) {
        absents->due_wall_ms[i] = NEVER;
    }
    return absents;
}

void gk_absents_free(struct gk_absents **absents)
{
    struct gk_absents *all = *absents;
    *absents = NULL;
    for (unsigned i = 0; all != NULL && i < ABSENT_BUCKETS; i++) {
        while (all->accounts[i] != NULL) {
            struct absent *absent = all->accounts[i];
            all->accounts[i] = absent->next;
            free(absent);
        }
    }
    for (unsigned i = 0; all != NULL && i < SETTINGS_BUCKETS; i++) {
        while (all->settings[i] != NULL) {
            struct shared_settings *shared = all->settings[i];
            all->settings[i] = shared->next;
            free(shared);
        }
    }
    free(all);
}

/* --- settings that are shared ---------------------------------------------------------------------- */

static struct shared_settings **locked_find_settings(struct gk_absents *absents,
                                                     const struct gk_encryption_settings *settings)
{
    const uint64_t hash = gk_hash(gk_hash(GK_HASH_START, gk_span_str(settings->key.name)),
                                  gk_span_str(settings->identity.resource_id));
    struct shared_settings **link = &absents->settings[hash % SETTINGS_BUCKETS];
    while (*link != NULL && !gk_encryption_settings_equal(&(*link)->settings, settings)) {
        link = &(*link)->next;
    }
    return link;
}

static struct shared_settings *locked_share(struct gk_absents *absents,
                                            const struct gk_encryption_settings *settings)
{
    struct shared_settings **link = locked_find_settings(absents, settings);
    if (*link == NULL && (*link = calloc(1, sizeof **link)) != NULL) {
        (*link)->settings = *settings;
    }
    if (*link != NULL) {
        (*link)->references++;
    }
    return *link;
}

static void locked_unshare(struct gk_absents *absents, struct shared_settings *shared)
{
    if (shared != NULL && --shared->references == 0) {
        *locked_find_settings(absents, &shared->settings) = shared->next;
        free(shared);
    }
}

/* --- what is noted ---------------------------------------------------------------------------------- */

static void wake(void *ctx);

static unsigned bucket_of(const char *name)
{
    return (unsigned)(gk_hash(GK_HASH_START, gk_span_str(name)) % ABSENT_BUCKETS);
}

static struct absent **locked_find(struct gk_absents *absents, const char *name)
{
    struct absent **link = &absents->accounts[bucket_of(name)];
    while (*link != NULL && strcmp((*link)->name, name) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static struct absent *locked_find_or_add(struct gk_instance *instance, const char *name)
{
    struct absent **link = locked_find(instance->absents, name);
    if (*link == NULL) {
        const size_t name_bytes = strlen(name) + 1;
        *link = calloc(1, sizeof **link + name_bytes);
        if (*link != NULL) {
            memcpy((*link)->name, name, name_bytes);
            (*link)->instance = instance;
            (*link)->wake = (struct gk_job){.run = wake, .ctx = *link};
        }
    }
    return *link;
}

static void locked_set_due(struct absent *absent, int64_t due_wall_ms)
{
    int64_t *first_wall_ms = &absent->instance->absents->due_wall_ms[bucket_of(absent->name)];
    absent->due_wall_ms = due_wall_ms;
    *first_wall_ms = due_wall_ms < *first_wall_ms ? due_wall_ms : *first_wall_ms;
}

static bool locked_note(struct gk_account *account, int64_t due_wall_ms)
{
    struct gk_absents *absents = account->instance->absents;
    struct absent *absent = locked_find_or_add(account->instance, account->name);
    if (absent == NULL) {
        return false;
    }
    locked_set_due(absent, due_wall_ms);
    if (gk_id_equal(&absent->witness.id, &account->witness.id) &&
        absent->witness.sequence > account->witness.sequence) {
        return true; /* another knew better */
    }
    absent->witness = account->witness;
    struct shared_settings *before = absent->settings;
    absent->settings = locked_share(absents, &account->record->settings);
    locked_unshare(absents, before);
    return true;
}

bool gk_absents_locked_note_closed(struct gk_account *account, struct gk_moment now)
{
    return locked_note(account, gk_rotation_locked_next_due_wall_ms(account, now));
}

void gk_absents_locked_note_forgotten(struct gk_account *account)
{
    (void)locked_note(account, NEVER);
}

/* --- what was seen ---------------------------------------------------------------------------------- */

struct gk_record_witness gk_absents_seen(struct gk_instance *instance, const char *name)
{
    struct gk_record_witness seen = {0};
    pthread_mutex_lock(&instance->accounts_lock);
    const struct absent *absent = *locked_find(instance->absents, name);
    if (absent != NULL) {
        seen = absent->witness;
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return seen;
}

bool gk_absents_settings(struct gk_instance *instance, const char *name, const struct gk_id *id,
                         struct gk_encryption_settings *settings)
{
    pthread_mutex_lock(&instance->accounts_lock);
    const struct absent *absent = *locked_find(instance->absents, name);
    const bool found =
        absent != NULL && absent->settings != NULL && gk_id_equal(&absent->witness.id, id);
    if (found) {
        *settings = absent->settings->settings;
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return found;
}

enum gk_status gk_absents_check(struct gk_instance *instance, const struct gk_record_witness *seen,
                                const struct gk_stored_account *stored, struct gk_error *error)
{
    const bool good = gk_record_witness_allows(seen, stored);
    bool tell = false;
    pthread_mutex_lock(&instance->accounts_lock);
    struct absent *absent = *locked_find(instance->absents, stored->record.account);
    if (absent != NULL) {
        tell = gk_record_witness_note(&absent->witness, stored, good);
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    return good ? GK_OK : gk_record_put_back(instance, tell, seen, stored, error);
}

/* --- what is due ------------------------------------------------------------------------------------- */

static void come_again(struct absent *absent)
{
    struct gk_instance *instance = absent->instance;
    const int64_t now_wall_ms = gk_instance_now(instance).wall_ms;
    pthread_mutex_lock(&instance->accounts_lock);
    locked_set_due(absent, now_wall_ms + instance->settings.check_interval_ms);
    pthread_mutex_unlock(&instance->accounts_lock);
}

/* Closing it once more says when it is due next. One that is gone or not authentic is not looked at again
 * until somebody asks for it. */
static void wake(void *ctx)
{
    struct absent *absent = ctx;
    struct gk_account *account = NULL;
    if (atomic_load(&absent->instance->stopping)) {
        return;
    }
    const enum gk_status status = gk_account_open(absent->instance, absent->name, &account, NULL);
    if (status == GK_OK) {
        gk_account_release(account);
    } else if (status != GK_E_NOT_FOUND && status != GK_E_INTEGRITY) {
        come_again(absent);
    }
}

/* A time further away than an interval was noted by a clock that has been put right since. Of a bucket the first is looked
 * at: one of the others that is so waits for that, an interval at most. */
static bool is_due(const struct gk_instance *instance, int64_t due_wall_ms, int64_t wall_ms)
{
    return due_wall_ms <= wall_ms ||
           (due_wall_ms != NEVER &&
            due_wall_ms - wall_ms > instance->settings.version_check_interval_ms);
}

/* Most buckets have nobody who is due, and are not gone through: a million accounts are far apart in memory. */
static void locked_wake_due(struct gk_instance *instance, unsigned bucket, int64_t wall_ms)
{
    int64_t *first_wall_ms = &instance->absents->due_wall_ms[bucket];
    if (!is_due(instance, *first_wall_ms, wall_ms)) {
        return;
    }
    *first_wall_ms = NEVER;
    for (struct absent *at = instance->absents->accounts[bucket]; at != NULL; at = at->next) {
        if (is_due(instance, at->due_wall_ms, wall_ms) &&
            gk_worker_submit(&instance->reader, &at->wake)) {
            at->due_wall_ms = NEVER;
        }
        *first_wall_ms = at->due_wall_ms < *first_wall_ms ? at->due_wall_ms : *first_wall_ms;
    }
}

void gk_absents_wake_due(struct gk_instance *instance, struct gk_moment now)
{
    struct gk_absents *absents = instance->absents;
    const int64_t due =
        now.mono_ms * (int64_t)ABSENT_BUCKETS / instance->settings.check_interval_ms;
    const int64_t all = due - (int64_t)ABSENT_BUCKETS;
    pthread_mutex_lock(&instance->accounts_lock);
    for (int64_t at = absents->looked > all ? absents->looked : all; at < due; at++) {
        locked_wake_due(instance, (unsigned)((uint64_t)at % ABSENT_BUCKETS), now.wall_ms);
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    absents->looked = due > absents->looked ? due : absents->looked;
}
