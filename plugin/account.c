/* SPDX-License-Identifier: Apache-2.0 */
/* The life of accounts in memory: the registry, handles, and those who wait. */
#include "plugin/account.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/absent_accounts.h"
#include "plugin/account_name.h"
#include "plugin/recheck.h"
#include "plugin/reread.h"
#include "plugin/rotation.h"
#include "plugin/standby.h"

/* --- life of an account ----------------------------------------------------------------------- */

static void run_refresh(void *ctx)
{
    gk_recheck_refused(ctx);
}

static void run_rotate(void *ctx)
{
    gk_rotation_run_due(ctx);
}

static void run_reread(void *ctx)
{
    gk_reread_run(ctx);
}

static void init_locks(struct gk_account *account)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&account->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&account->mutex, NULL);
    /* Readers come without pause under load; a drop must not wait for a lull. */
    pthread_rwlockattr_t writers_first;
    pthread_rwlockattr_init(&writers_first);
    pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&account->key_lock, &writers_first);
    pthread_rwlockattr_destroy(&writers_first);
}

static void destroy_account(struct gk_account *account)
{
    gk_secret_free(&account->root_key);
    gk_secret_free(&account->open_key);
    pthread_rwlock_destroy(&account->key_lock);
    pthread_cond_destroy(&account->changed);
    pthread_mutex_destroy(&account->mutex);
    gk_standby_locked_drop(account);
    free(account->record);
    free(account);
}

void gk_account_retain(struct gk_account *account)
{
    atomic_fetch_add(&account->references, 1);
}

struct gk_account *gk_account_take_first(struct gk_account **list)
{
    struct gk_account *first = *list;
    *list = first->next_follower;
    first->next_follower = NULL;
    return first;
}

void gk_account_put_first(struct gk_account **list, struct gk_account *account)
{
    account->next_follower = *list;
    *list = account;
}

void gk_account_release(struct gk_account *account)
{
    if (account != NULL && atomic_fetch_sub(&account->references, 1) == 1) {
        destroy_account(account);
    }
}

/* The key for the open parts of records: the service key gives it. */
static enum gk_status derive_open_key(struct gk_account *account, struct gk_error *error)
{
    const struct gk_instance *instance = account->instance;
    account->open_key = gk_secret_alloc(sizeof *account->open_key);
    if (account->open_key == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for a key");
    }
    return gk_record_open_key_derive(instance->crypto, &instance->keys->open_parts, &account->id,
                                     account->open_key, error);
}

enum gk_status gk_account_new(struct gk_instance *instance, const struct gk_stored_account *stored,
                              struct gk_account **out, struct gk_error *error)
{
    struct gk_account *account = calloc(1, sizeof *account);
    if (account == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    init_locks(account);
    atomic_init(&account->references, 1);
    account->instance = instance;
    memcpy(account->name, stored->record.account, sizeof account->name);
    account->id = stored->record.id;
    account->parent = stored->record.parent;
    account->refresh = (struct gk_job){.run = run_refresh, .ctx = account};
    account->rotate = (struct gk_job){.run = run_rotate, .ctx = account};
    account->reread = (struct gk_job){.run = run_reread, .ctx = account};
    gk_reread_locked_put_off(account);
    account->last_used_mono_ms = gk_instance_now(instance).mono_ms;
    gk_record_witness_see(&account->witness, stored);
    account->last_version_check_wall_ms = stored->last_version_check_wall_ms;
    account->record = gk_account_record_keep(&stored->record);
    struct gk_root_key *root_key = NULL;
    enum gk_status status = account->record == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                    : derive_open_key(account, error);
    if (status == GK_OK) {
        status = gk_account_record_key(instance, account->record, &root_key, error);
    }
    if (status != GK_OK) {
        destroy_account(account);
        return status;
    }
    gk_account_locked_begin(account, &root_key);
    *out = account;
    return GK_OK;
}

/* --- the registry ----------------------------------------------------------------------------- */

static struct gk_account **locked_find(struct gk_instance *instance, const char *name)
{
    struct gk_account **link = &instance->accounts[gk_instance_bucket(name)];
    while (*link != NULL && strcmp((*link)->name, name) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static struct gk_account *registry_get(struct gk_instance *instance, const char *name,
                                       uint64_t *forgettings)
{
    pthread_mutex_lock(&instance->accounts_lock);
    struct gk_account *account = *locked_find(instance, name);
    if (account != NULL) {
        gk_account_retain(account);
    }
    *forgettings = instance->forgettings;
    pthread_mutex_unlock(&instance->accounts_lock);
    return account;
}

struct gk_account *gk_accounts_find(struct gk_instance *instance, const char *name)
{
    uint64_t forgettings = 0;
    return registry_get(instance, name, &forgettings);
}

void gk_accounts_each(struct gk_instance *instance, gk_accounts_visit_fn *visit)
{
    pthread_mutex_lock(&instance->accounts_lock);
    for (unsigned i = 0; i < GK_ACCOUNT_BUCKETS; i++) {
        for (struct gk_account *at = instance->accounts[i]; at != NULL; at = at->next) {
            visit(at);
        }
    }
    pthread_mutex_unlock(&instance->accounts_lock);
}

/* Puts *account into the registry, or gives the one that somebody else put there meanwhile. False
 * when an account was forgotten since it was read: it may be that one. */
static bool registry_add(struct gk_instance *instance, struct gk_account **account,
                         uint64_t forgettings)
{
    struct gk_account *surplus = NULL;
    pthread_mutex_lock(&instance->accounts_lock);
    const bool fresh = instance->forgettings == forgettings;
    struct gk_account **link = locked_find(instance, (*account)->name);
    if (fresh && *link != NULL) {
        surplus = *account;
        *account = *link;
        gk_account_retain(*account);
    } else if (fresh) {
        *link = *account; /* the end of its bucket */
        gk_account_retain(*account);
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    gk_account_release(surplus);
    return fresh;
}

/* A scope belongs to one account, by its id: of another of that name it is none. */
static enum gk_status check_parent(const struct gk_instance *instance,
                                   const struct gk_account_record *record, struct gk_error *error)
{
    struct gk_id parent;
    if (!gk_account_name_is_scope(record->account)) {
        return GK_OK;
    }
    const enum gk_status status =
        gk_account_store_read_parent(instance, record->account, &parent, error);
    return status == GK_OK && !gk_id_equal(&parent, &record->parent)
               ? gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                              "%s is of another account, which had that name", record->account)
               : status;
}

static enum gk_status load(struct gk_instance *instance, const char *name, struct gk_account **out,
                           struct gk_error *error)
{
    struct gk_stored_account *stored = gk_stored_account_new();
    if (stored == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const struct gk_record_witness seen = gk_absents_seen(instance, name);
    enum gk_status status = gk_account_store_read(instance, name, stored, error);
    if (status == GK_OK) {
        status = check_parent(instance, &stored->record, error);
    }
    if (status == GK_OK) {
        status = gk_absents_check(instance, &seen, stored, error);
    }
    if (status == GK_OK) {
        status = gk_account_new(instance, stored, out, error);
    }
    if (status == GK_OK) { /* who only looks at it does not keep it in memory */
        (*out)->last_used_mono_ms -= instance->settings.account_idle_ms;
    }
    gk_stored_account_free(&stored);
    return status;
}

/* Whether a scope is of another account than the one that memory has under its account's name: that is a
 * later one. What was sealed under this scope's key from now on nobody could open. */
static bool is_outlived(struct gk_instance *instance, const struct gk_account *scope)
{
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    if (!gk_account_name_is_scope(scope->name)) {
        return false;
    }
    gk_account_name_parent(scope->name, name);
    struct gk_account *parent = gk_accounts_find(instance, name);
    const bool other = parent != NULL && !gk_id_equal(&parent->id, &scope->parent);
    gk_account_release(parent);
    return other;
}

enum gk_status gk_account_open(struct gk_instance *instance, const char *name,
                               struct gk_account **out, struct gk_error *error)
{
    *out = NULL;
    for (;;) {
        uint64_t forgettings = 0;
        struct gk_account *account = registry_get(instance, name, &forgettings);
        if (account != NULL && is_outlived(instance, account)) {
            gk_account_forget_this(account);
            gk_account_release(account);
            continue;
        }
        if (account == NULL) {
            const enum gk_status status = load(instance, name, &account, error);
            if (status != GK_OK) {
                return status;
            }
            if (!registry_add(instance, &account, forgettings)) {
                gk_account_release(account);
                continue;
            }
        }
        *out = account;
        return GK_OK;
    }
}

static void shut_for_good(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    gk_account_locked_shut(account);
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
}

/* The account of that name, if it is the one that only names, or whichever when that is NULL. */
static void forget(struct gk_instance *instance, const char *name, const struct gk_account *only)
{
    pthread_mutex_lock(&instance->accounts_lock);
    instance->forgettings++;
    struct gk_account **link = locked_find(instance, name);
    struct gk_account *account = only == NULL || *link == only ? *link : NULL;
    if (account != NULL) {
        *link = account->next;
        account->next = NULL;
        pthread_mutex_lock(&account->mutex);
        gk_absents_locked_note_forgotten(account);
        pthread_mutex_unlock(&account->mutex);
    }
    pthread_mutex_unlock(&instance->accounts_lock);
    if (account != NULL) {
        shut_for_good(account);
        gk_account_release(account);
    }
}

void gk_account_forget(struct gk_instance *instance, const char *name)
{
    forget(instance, name, NULL);
}

void gk_account_forget_this(struct gk_account *account)
{
    forget(account->instance, account->name, account);
}

bool gk_account_locked_close_idle(struct gk_account *account, struct gk_moment now)
{
    const struct gk_instance *instance = account->instance;
    const enum gk_account_state state = account->state.state;
    if (atomic_load(&account->references) > 1) {
        account->last_used_mono_ms = now.mono_ms;
        return false;
    }
    const bool in_order =
        !account->forgotten && (state == GK_ACCOUNT_SERVICE_MANAGED || state == GK_ACCOUNT_ACTIVE ||
                                state == GK_ACCOUNT_COLD);
    return in_order && !gk_rotation_locked_due(account, now) &&
           now.mono_ms - account->last_used_mono_ms >= instance->settings.account_idle_ms &&
           gk_absents_locked_note_closed(account, now);
}

void gk_accounts_clear(struct gk_instance *instance)
{
    for (unsigned i = 0; i < GK_ACCOUNT_BUCKETS; i++) {
        while (instance->accounts[i] != NULL) {
            struct gk_account *account = instance->accounts[i];
            instance->accounts[i] = account->next;
            gk_account_release(account);
        }
    }
}

/* --- what is stored meanwhile ----------------------------------------------------------------- */

enum gk_status gk_account_reread(struct gk_account *account, struct gk_stored_account *stored,
                                 struct gk_error *error)
{
    pthread_mutex_lock(&account->mutex);
    const struct gk_record_witness seen = account->witness;
    gk_account_record_copy(&stored->record, account->record);
    pthread_mutex_unlock(&account->mutex);
    enum gk_status status =
        gk_account_store_read_again(account->instance, account->name, &seen.mac, stored, error);
    if (status == GK_OK && !gk_id_equal(&stored->record.id, &account->id)) {
        status = gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                              "the account was made anew meanwhile");
    }
    if (status == GK_E_NOT_FOUND) {
        gk_account_forget_this(account);
    }
    if (status != GK_OK) {
        return status;
    }
    const bool good = gk_record_witness_allows(&seen, stored);
    pthread_mutex_lock(&account->mutex);
    const bool tell = gk_record_witness_note(&account->witness, stored, good);
    pthread_mutex_unlock(&account->mutex);
    return good ? GK_OK : gk_record_put_back(account->instance, tell, &seen, stored, error);
}

/* --- waiting ---------------------------------------------------------------------------------- */

bool gk_account_locked_wait(struct gk_account *account, const struct gk_deadline *deadline)
{
    const struct timespec at = {.tv_sec = (time_t)(deadline->at_ms / 1000),
                                .tv_nsec = (long)(deadline->at_ms % 1000) * 1000000L};
    return pthread_cond_timedwait(&account->changed, &account->mutex, &at) != ETIMEDOUT;
}

enum gk_status gk_account_warm(struct gk_account *account, uint32_t deadline_ms,
                               struct gk_error *error)
{
    const struct gk_deadline deadline = gk_vault_deadline_in(deadline_ms);
    bool in_time = true;
    pthread_mutex_lock(&account->mutex);
    account->last_used_mono_ms = gk_instance_now(account->instance).mono_ms;
    while (!account->forgotten && account->state.state == GK_ACCOUNT_COLD && in_time) {
        if (!account->checking) {
            gk_recheck_locked_claim(account);
            pthread_mutex_unlock(&account->mutex);
            gk_recheck_run_claimed(account);
            pthread_mutex_lock(&account->mutex);
        } else {
            in_time = gk_account_locked_wait(account, &deadline);
        }
    }
    enum gk_status status = gk_account_locked_error(account, error);
    pthread_mutex_unlock(&account->mutex);
    if (status == GK_E_COLD) {
        status =
            gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                         "The key vault has not answered yet; the request can be tried again.");
        if (error != NULL) {
            error->retry_after_s = gk_instance_retry_after_s(account->instance);
        }
    }
    return status;
}

enum gk_status gk_account_begin_change(struct gk_account *account,
                                       const struct gk_deadline *deadline, struct gk_error *error)
{
    bool in_time = true;
    pthread_mutex_lock(&account->mutex);
    while (account->changing && !account->forgotten && in_time) {
        in_time = gk_account_locked_wait(account, deadline);
    }
    enum gk_status status = gk_account_not_forgotten(account, error);
    if (status == GK_OK && account->changing) {
        status = gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                              "the account's encryption is being changed; try again");
    } else if (status == GK_OK) {
        account->changing = true;
    }
    pthread_mutex_unlock(&account->mutex);
    return status;
}

void gk_account_end_change(struct gk_account *account)
{
    pthread_mutex_lock(&account->mutex);
    account->changing = false;
    pthread_cond_broadcast(&account->changed);
    pthread_mutex_unlock(&account->mutex);
}
