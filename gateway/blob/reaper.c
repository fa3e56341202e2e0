/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/reaper.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/reap.h"
#include "gateway/registry.h"

/* Entries become due one after the other; coming for each would make a write of each. */
#define LEAST_WAIT_MS 1000
#define RETRY_MS      30000 /* after a store that did not answer, or a record that is not authentic */
#define NEVER         INT64_MAX

/* Who holds the lease searches all maps; who does not waits for their result, or for their end. */
#define LEASE          "lease/gateway.reaper" /* not an account's name, whose leases begin so too */
#define LEASE_MS       30000
#define LEASE_RENEW_MS 10000
#define LEASE_ASK_MS   5000
#define SEARCH_MS      (4 * 60 * 60 * 1000) /* from the beginning of a search to that of the next */

struct gk_reaper {
    struct gk_gateway *gateway;
    uint32_t delay_ms;
    pthread_t thread;
    /* Of the thread alone: */
    int64_t search_wanted_wall_ms; /* a search that began later than this will do */
    int64_t search_due_mono_ms;
    int64_t lease_renew_mono_ms; /* NEVER while the lease is not held */
    /* Under the mutex, which is never held across a call to store or plugin: */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping;
    int64_t deleted_due_mono_ms; /* NEVER: no account was deleted */
    struct gk_places places;
};

/* --- what is to be looked at --------------------------------------------------------------------*/

static int64_t now_mono_ms(const struct gk_reaper *reaper)
{
    return gk_clock_mono_ms(&reaper->gateway->clock);
}

/* A place that is waiting already is soon enough; one that is not noted is found by the next search. */
static void note(struct gk_reaper *reaper, struct gk_reap_place *place, int64_t wait_ms)
{
    place->due_mono_ms = now_mono_ms(reaper) + wait_ms;
    pthread_mutex_lock(&reaper->mutex);
    const enum gk_status status = gk_places_add(&reaper->places, place);
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
    if (status != GK_OK) {
        gk_log(GK_LOG_WARNING, "reaper", "account %s: no memory to note what is to be removed",
               place->account);
    }
}

void gk_reaper_note(struct gk_reaper *reaper, const char *account, const struct gk_id *container,
                    uint32_t shard)
{
    struct gk_reap_place place = {.container = *container, .shard = shard};
    snprintf(place.account, sizeof place.account, "%s", account);
    note(reaper, &place, reaper->delay_ms);
}

void gk_reaper_note_account(struct gk_reaper *reaper, const char *account)
{
    struct gk_reap_place place = {.of_account = true};
    snprintf(place.account, sizeof place.account, "%s", account);
    note(reaper, &place, reaper->delay_ms);
}

static void note_deleted(struct gk_reaper *reaper, int64_t wait_ms)
{
    const int64_t due_mono_ms = now_mono_ms(reaper) + wait_ms;
    pthread_mutex_lock(&reaper->mutex);
    if (due_mono_ms < reaper->deleted_due_mono_ms) {
        reaper->deleted_due_mono_ms = due_mono_ms;
        pthread_cond_signal(&reaper->changed);
    }
    pthread_mutex_unlock(&reaper->mutex);
}

void gk_reaper_note_deleted(struct gk_reaper *reaper)
{
    note_deleted(reaper, 0);
}

/* Whether to end what is under way: the gateway ends, or somebody else has the lease by now. */
static bool stop(void *ctx)
{
    struct gk_reaper *reaper = ctx;
    pthread_mutex_lock(&reaper->mutex);
    const bool stopping = reaper->stopping;
    pthread_mutex_unlock(&reaper->mutex);
    if (stopping || now_mono_ms(reaper) < reaper->lease_renew_mono_ms) {
        return stopping;
    }
    const bool lost = gk_store_lease_take(reaper->gateway->store, LEASE, LEASE_MS, NULL) != GK_OK;
    reaper->lease_renew_mono_ms = lost ? 0 : now_mono_ms(reaper) + LEASE_RENEW_MS;
    return lost;
}

static struct gk_reap reap_of(struct gk_reaper *reaper)
{
    return (struct gk_reap){
        .gateway = reaper->gateway, .delay_ms = reaper->delay_ms, .stop = stop, .stop_ctx = reaper};
}

/* --- places and deleted accounts ----------------------------------------------------------------*/

static void reap_place(struct gk_reaper *reaper, struct gk_reap_place *place)
{
    struct gk_error error = {0};
    const struct gk_reap reap = reap_of(reaper);
    int64_t wait_ms = -1;
    const enum gk_status status = gk_reap_place(&reap, place, &wait_ms, &error);
    if (status != GK_OK && !stop(reaper)) {
        gk_log(GK_LOG_WARNING, "reaper", "account %s: removal will be tried again: %s: %s",
               place->account, gk_status_name(status), error.message);
    }
    if (status != GK_OK) {
        wait_ms = RETRY_MS;
    }
    if (wait_ms >= 0) {
        note(reaper, place, wait_ms < LEAST_WAIT_MS ? LEAST_WAIT_MS : wait_ms);
    }
}

static void reap_deleted(struct gk_reaper *reaper)
{
    struct gk_error error = {0};
    if (gk_removal_deleted(reaper->gateway, GK_REMOVAL_BYTES, stop, reaper, &error) != GK_OK &&
        !stop(reaper)) {
        gk_log(GK_LOG_WARNING, "reaper",
               "removal of what deleted accounts had will be tried again: %s", error.message);
        note_deleted(reaper, RETRY_MS);
    }
}

/* --- all maps -----------------------------------------------------------------------------------*/

static void visit_place(void *ctx, const struct gk_reap_place *place)
{
    struct gk_reap_place copy = *place;
    reap_place(ctx, &copy);
}

/* GK_OK: all that waited for removal when this began is removed, or noted for later. */
static enum gk_status search_all(struct gk_reaper *reaper, struct gk_error *error)
{
    const struct gk_reap reap = reap_of(reaper);
    const int64_t began_wall_ms = gk_clock_wall_ms(&reaper->gateway->clock);
    enum gk_status status = gk_reap_search(&reap, visit_place, reaper, error);
    if (status == GK_OK) {
        status = gk_removal_shredded(reaper->gateway, stop, reaper, error);
    }
    if (status == GK_OK) {
        reap_deleted(reaper);
        status = stop(reaper)
                     ? gk_fail(error, GK_E_UNAVAILABLE, "broken off")
                     : gk_registry_set_last_search(reaper->gateway->store, began_wall_ms, error);
    }
    return status;
}

static void want_search(struct gk_reaper *reaper, int64_t last_wall_ms)
{
    const int64_t now_wall_ms = gk_clock_wall_ms(&reaper->gateway->clock);
    reaper->search_wanted_wall_ms = last_wall_ms + SEARCH_MS;
    reaper->search_due_mono_ms = now_mono_ms(reaper) + reaper->search_wanted_wall_ms - now_wall_ms;
}

static enum gk_status search_with_lease(struct gk_reaper *reaper, struct gk_error *error)
{
    struct gk_store *store = reaper->gateway->store;
    enum gk_status status = gk_store_lease_take(store, LEASE, LEASE_MS, error);
    if (status != GK_OK) {
        return status;
    }
    reaper->lease_renew_mono_ms = now_mono_ms(reaper) + LEASE_RENEW_MS;
    status = search_all(reaper, error);
    reaper->lease_renew_mono_ms = NEVER;
    gk_store_lease_release(store, LEASE);
    return status;
}

/* Searches all maps, unless another gateway has done so, or is doing it. */
static void search(struct gk_reaper *reaper)
{
    struct gk_error error = {0};
    const int64_t now_wall_ms = gk_clock_wall_ms(&reaper->gateway->clock);
    int64_t last_wall_ms = 0;
    enum gk_status status = gk_registry_last_search(reaper->gateway->store, &last_wall_ms, &error);
    /* One that is to come was written by a clock that was wrong. */
    if (status == GK_OK && last_wall_ms >= reaper->search_wanted_wall_ms &&
        last_wall_ms <= now_wall_ms) {
        want_search(reaper, last_wall_ms);
        return;
    }
    if (status == GK_OK) {
        status = search_with_lease(reaper, &error);
    }
    if (status == GK_OK) {
        want_search(reaper, now_wall_ms);
        return;
    }
    reaper->search_due_mono_ms =
        now_mono_ms(reaper) + (status == GK_E_CONFLICT ? LEASE_ASK_MS : RETRY_MS);
    if (status != GK_E_CONFLICT && !stop(reaper)) {
        gk_log(GK_LOG_WARNING, "reaper",
               "the search for what is to be removed will be tried again: %s", error.message);
    }
}

/* --- the thread ---------------------------------------------------------------------------------*/

/* Until something is noted. A clock that a test moves is looked at again every second. */
static void locked_wait(struct gk_reaper *reaper, int64_t wait_ms)
{
    const int64_t most_ms = wait_ms >= 0 && wait_ms < 1000 ? wait_ms : 1000;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(most_ms % 1000) * 1000000L;
    until.tv_sec += most_ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&reaper->changed, &reaper->mutex, &until);
}

enum work { WORK_NONE, WORK_SEARCH, WORK_DELETED, WORK_PLACE };

/* What is to be done now; for WORK_NONE, *wait_ms tells until when nothing may be. */
static enum work locked_next(struct gk_reaper *reaper, struct gk_reap_place *place,
                             int64_t *wait_ms)
{
    const int64_t now = now_mono_ms(reaper);
    *wait_ms = 0;
    if (reaper->search_due_mono_ms <= now) {
        return WORK_SEARCH;
    }
    if (reaper->deleted_due_mono_ms <= now) {
        reaper->deleted_due_mono_ms = NEVER;
        return WORK_DELETED;
    }
    return gk_places_take(&reaper->places, now, place, wait_ms) ? WORK_PLACE : WORK_NONE;
}

static void *run(void *ctx)
{
    struct gk_reaper *reaper = ctx;
    pthread_mutex_lock(&reaper->mutex);
    while (!reaper->stopping) {
        struct gk_reap_place place;
        int64_t wait_ms = 0;
        const enum work work = locked_next(reaper, &place, &wait_ms);
        if (work == WORK_NONE) {
            locked_wait(reaper, wait_ms);
            continue;
        }
        pthread_mutex_unlock(&reaper->mutex);
        switch (work) {
        case WORK_SEARCH:
            search(reaper);
            break;
        case WORK_DELETED:
            reap_deleted(reaper);
            break;
        case WORK_PLACE:
            reap_place(reaper, &place);
            break;
        case WORK_NONE:
            break;
        }
        pthread_mutex_lock(&reaper->mutex);
    }
    pthread_mutex_unlock(&reaper->mutex);
    return NULL;
}

static void free_reaper(struct gk_reaper *reaper)
{
    gk_places_cleanup(&reaper->places);
    pthread_cond_destroy(&reaper->changed);
    pthread_mutex_destroy(&reaper->mutex);
    free(reaper);
}

enum gk_status gk_reaper_start(struct gk_gateway *gateway, uint32_t delay_ms,
                               struct gk_reaper **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_reaper *reaper = calloc(1, sizeof *reaper);
    if (reaper == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    reaper->gateway = gateway;
    reaper->delay_ms = delay_ms;
    reaper->search_wanted_wall_ms = gk_clock_wall_ms(&gateway->clock);
    reaper->search_due_mono_ms = gk_clock_mono_ms(&gateway->clock);
    reaper->lease_renew_mono_ms = NEVER;
    reaper->deleted_due_mono_ms = NEVER;
    gk_places_init(&reaper->places);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&reaper->mutex, NULL);
    *out = reaper; /* before the thread runs, which notes what is left for later */
    if (pthread_create(&reaper->thread, NULL, run, reaper) != 0) {
        *out = NULL;
        free_reaper(reaper);
        return gk_fail(error, GK_E_RESOURCE, "the reaper's thread cannot be started");
    }
    return GK_OK;
}

void gk_reaper_stop(struct gk_reaper *reaper)
{
    if (reaper == NULL) {
        return;
    }
    pthread_mutex_lock(&reaper->mutex);
    reaper->stopping = true;
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
    pthread_join(reaper->thread, NULL);
    free_reaper(reaper);
}
