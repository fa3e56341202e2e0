/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/removal.h"

#define BATCH_ENTRIES 256u /* removed in one write */
#define BATCH_BYTES   (1u << 20)
/* Entries become due one after the other; coming for each would make a write of each. */
#define LEAST_WAIT_MS  1000
#define SCAN_BYTES_MAX ((size_t)256 << 20)
#define RETRY_MS       30000 /* after a store that did not answer, or a record that is not authentic */

/* A map that holds garbage, and when to look at it. */
struct place {
    struct place *next;
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    bool of_account; /* the account's own map, and not a container's index */
    struct gk_id container;
    int64_t due_mono_ms;
};

struct gk_reaper {
    struct gk_gateway *gateway;
    uint32_t delay_ms;
    pthread_t thread;
    pthread_mutex_t mutex; /* of what follows; never held across a call to store or plugin */
    pthread_cond_t changed;
    bool stopping;
    bool deleted_noted;
    struct place *places; /* each map at most once */
};

/* --- what is to be looked at --------------------------------------------------------------------*/

static int64_t now_mono_ms(const struct gk_reaper *reaper)
{
    return gk_clock_mono_ms(&reaper->gateway->clock);
}

static bool same_place(const struct place *place, const char *account,
                       const struct gk_id *container)
{
    return place->of_account == (container == NULL) && strcmp(place->account, account) == 0 &&
           (container == NULL || gk_id_equal(&place->container, container));
}

/* A place that is waiting already is soon enough. */
static void note(struct gk_reaper *reaper, const char *account, const struct gk_id *container,
                 int64_t wait_ms)
{
    struct place *fresh = calloc(1, sizeof *fresh);
    pthread_mutex_lock(&reaper->mutex);
    struct place *place = reaper->places;
    while (place != NULL && !same_place(place, account, container)) {
        place = place->next;
    }
    if (place == NULL && fresh != NULL) {
        snprintf(fresh->account, sizeof fresh->account, "%s", account);
        fresh->of_account = container == NULL;
        if (container != NULL) {
            fresh->container = *container;
        }
        fresh->due_mono_ms = now_mono_ms(reaper) + wait_ms;
        fresh->next = reaper->places;
        reaper->places = fresh;
        fresh = NULL;
        pthread_cond_signal(&reaper->changed);
    }
    pthread_mutex_unlock(&reaper->mutex);
    free(fresh);
}

void gk_reaper_note(struct gk_reaper *reaper, const char *account, const struct gk_id *container)
{
    note(reaper, account, container, reaper->delay_ms);
}

void gk_reaper_note_account(struct gk_reaper *reaper, const char *account)
{
    note(reaper, account, NULL, reaper->delay_ms);
}

void gk_reaper_note_deleted(struct gk_reaper *reaper)
{
    pthread_mutex_lock(&reaper->mutex);
    reaper->deleted_noted = true;
    pthread_cond_signal(&reaper->changed);
    pthread_mutex_unlock(&reaper->mutex);
}

/* Unlinks a place that is due; NULL when none is. *wait_ms: until the next one is, -1 for never. */
static struct place *locked_take_due(struct gk_reaper *reaper, int64_t *wait_ms)
{
    const int64_t now = now_mono_ms(reaper);
    *wait_ms = -1;
    for (struct place **link = &reaper->places; *link != NULL; link = &(*link)->next) {
        struct place *place = *link;
        if (place->due_mono_ms <= now) {
            *link = place->next;
            return place;
        }
        const int64_t left = place->due_mono_ms - now;
        *wait_ms = *wait_ms < 0 || left < *wait_ms ? left : *wait_ms;
    }
    return NULL;
}

static bool stopping(struct gk_reaper *reaper)
{
    pthread_mutex_lock(&reaper->mutex);
    const bool result = reaper->stopping;
    pthread_mutex_unlock(&reaper->mutex);
    return result;
}

/* --- one map ------------------------------------------------------------------------------------*/

/* Some entries of garbage, in the order they were freed, copied out of a walk. */
struct batch {
    struct gk_buf entries; /* key length 2 | key | value length 4 | value ... */
    size_t count;
    struct gk_buf last; /* key */
};

static bool collect(void *ctx, struct gk_span key, struct gk_span value)
{
    struct batch *batch = ctx;
    gk_buf_append_u16(&batch->entries, (uint16_t)key.len);
    gk_buf_append(&batch->entries, key.data, key.len);
    gk_buf_append_u32(&batch->entries, (uint32_t)value.len);
    gk_buf_append(&batch->entries, value.data, value.len);
    gk_buf_reset(&batch->last);
    gk_buf_append(&batch->last, key.data, key.len);
    batch->count++;
    return batch->count < BATCH_ENTRIES && batch->entries.len < BATCH_BYTES;
}

static enum gk_status next_batch(struct gk_reaper *reaper, const char *object, struct batch *batch,
                                 struct gk_error *error)
{
    struct gk_buf after;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&after, batch->last.data, batch->last.len);
    const struct gk_map_range range = {.prefix = gk_span_str("g/"), .after = gk_buf_span(&after)};
    gk_buf_reset(&batch->entries);
    batch->count = 0;
    const enum gk_status status = gk_store_map_walk(reaper->gateway->store, GK_POOL_META, object,
                                                    &range, collect, batch, error);
    gk_buf_cleanup(&after);
    return status == GK_OK ? gk_buf_status(&batch->entries) : status;
}

/* What is due of a batch: all that it stands for, and the entries themselves. */
struct due {
    struct gk_garbage garbage;
    struct gk_change removals[BATCH_ENTRIES];
    size_t removals_count;
};

/* An entry's items go to due; or *wait_ms tells how long it must still rest. */
static enum gk_status open_entry(struct gk_reaper *reaper, const struct gk_place *place,
                                 struct gk_span value, struct due *due, int64_t *wait_ms,
                                 struct gk_error *error)
{
    struct gk_garbage garbage;
    int64_t freed_wall_ms = 0;
    struct gk_buf open;
    gk_garbage_init(&garbage);
    gk_buf_init(&open, GK_GARBAGE_BYTES_MAX);
    enum gk_status status = gk_value_open(place, value, &open, error);
    if (status == GK_OK) {
        status = gk_garbage_decode(gk_buf_span(&open), &garbage, &freed_wall_ms, error);
    }
    gk_buf_cleanup(&open);
    const int64_t rested = gk_clock_wall_ms(&reaper->gateway->clock) - freed_wall_ms;
    if (status == GK_OK && rested >= 0 && rested < (int64_t)reaper->delay_ms) {
        *wait_ms = (int64_t)reaper->delay_ms - rested;
    } else if (status == GK_OK) {
        for (size_t i = 0; i < garbage.count; i++) {
            gk_garbage_add(&due->garbage, garbage.items[i].kind, &garbage.items[i].id,
                           garbage.items[i].number);
        }
        due->removals[due->removals_count++] =
            (struct gk_change){.kind = GK_CHANGE_MAP_REMOVE, .key = place->key};
    }
    gk_garbage_cleanup(&garbage);
    return status;
}

/* Opens the batch's entries up to the first that still rests: those after it were freed later. One
 * that is not what was written stays, and does not keep the others: the next start looks at it again. */
static enum gk_status open_batch(struct gk_reaper *reaper, struct gk_place place,
                                 const struct batch *batch, struct due *due, int64_t *wait_ms,
                                 struct gk_error *error)
{
    struct gk_reader in = gk_reader_of(gk_buf_span(&batch->entries));
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < batch->count && status == GK_OK && *wait_ms < 0; i++) {
        place.key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
        status = open_entry(reaper, &place, value, due, wait_ms, error);
        if (status == GK_E_INTEGRITY) {
            gk_log(GK_LOG_WARNING, "reaper", "an entry of what is to be removed stays: %s",
                   error->message);
            gk_error_clear(error);
            status = GK_OK;
        }
    }
    return status == GK_OK && due->garbage.failed ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                  : status;
}

static enum gk_status drop_entries(struct gk_reaper *reaper, const char *object,
                                   const struct due *due, struct gk_error *error)
{
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = object,
                                   .guards = &exists,
                                   .guards_count = 1,
                                   .changes = due->removals,
                                   .changes_count = due->removals_count};
    return due->removals_count == 0 ? GK_OK
                                    : gk_store_write(reaper->gateway->store, &op, NULL, error);
}

static enum gk_status reap_batch(struct gk_reaper *reaper, const struct gk_removal *removal,
                                 const struct gk_place *place, const char *object,
                                 const struct batch *batch, int64_t *wait_ms,
                                 struct gk_error *error)
{
    struct due due = {.removals_count = 0};
    gk_garbage_init(&due.garbage);
    enum gk_status status = open_batch(reaper, *place, batch, &due, wait_ms, error);
    if (status == GK_OK) {
        status = gk_removal_items(removal, &place->container, &due.garbage, error);
    }
    if (status == GK_OK) {
        status = drop_entries(reaper, object, &due, error);
    }
    gk_garbage_cleanup(&due.garbage);
    return status;
}

/* Goes through a map; *wait_ms tells when to come again, -1 for not at all. */
static enum gk_status reap_map(struct gk_reaper *reaper, const struct gk_removal *removal,
                               const struct gk_id *container, const char *object, int64_t *wait_ms,
                               struct gk_error *error)
{
    const struct gk_place place = {.plugin = removal->plugin,
                                   .account = removal->account,
                                   .kind = GK_VALUE_GARBAGE,
                                   .container = *container};
    struct batch batch = {.count = 0};
    gk_buf_init(&batch.entries, BATCH_BYTES + GK_MAP_VALUE_BYTES_MAX + GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&batch.last, GK_MAP_KEY_BYTES_MAX);
    *wait_ms = -1;
    enum gk_status status = next_batch(reaper, object, &batch, error);
    while (status == GK_OK && batch.count > 0 && *wait_ms < 0 && !stopping(reaper)) {
        status = reap_batch(reaper, removal, &place, object, &batch, wait_ms, error);
        if (status == GK_OK && *wait_ms < 0) {
            status = next_batch(reaper, object, &batch, error);
        }
    }
    gk_buf_cleanup(&batch.entries);
    gk_buf_cleanup(&batch.last);
    return status == GK_E_NOT_FOUND ? GK_OK : status; /* the map went as a whole */
}

static void reap_place(struct gk_reaper *reaper, const struct place *place)
{
    struct gk_gateway *gateway = reaper->gateway;
    struct gk_gateway_account *account = NULL;
    struct gk_error error = {0};
    int64_t wait_ms = -1;
    enum gk_status status = gk_accounts_get(gateway->accounts, place->account, &account, &error);
    if (status == GK_E_NOT_FOUND) {
        return; /* deleted: its mark tells what to remove */
    }
    if (status == GK_OK) {
        const struct gk_removal removal = {
            .store = gateway->store, .plugin = gateway->host->plugin, .account = account->handle};
        char index[GK_INDEX_NAME_BYTES];
        gk_index_name(&place->container, index);
        status = place->of_account
                     ? reap_map(reaper, &removal, &account->id, account->object, &wait_ms, &error)
                     : reap_map(reaper, &removal, &place->container, index, &wait_ms, &error);
        gk_accounts_put(account);
    }
    if (status != GK_OK) {
        gk_log(GK_LOG_WARNING, "reaper", "account %s: removal will be tried again: %s: %s",
               place->account, gk_status_name(status), error.message);
        wait_ms = RETRY_MS;
    }
    if (wait_ms >= 0) {
        wait_ms = wait_ms < LEAST_WAIT_MS ? LEAST_WAIT_MS : wait_ms;
        note(reaper, place->account, place->of_account ? NULL : &place->container, wait_ms);
    }
}

/* --- all maps, at the start ---------------------------------------------------------------------*/

/* Containers of one account. They are gone through when the walk is over: it holds a reader of the
 * store, and there may be a million of them, so none is noted that has nothing to be removed. */
struct scan {
    struct gk_reaper *reaper;
    const struct gk_gateway_account *account;
    struct gk_buf ids;
};

static bool collect_container(void *ctx, struct gk_span key, struct gk_span value)
{
    struct scan *scan = ctx;
    const struct gk_gateway *gateway = scan->reaper->gateway;
    const struct gk_place place = {.plugin = gateway->host->plugin,
                                   .account = scan->account->handle,
                                   .kind = GK_VALUE_CONTAINER,
                                   .container = scan->account->id,
                                   .key = key};
    struct gk_container container;
    struct gk_error error = {0};
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, &error);
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &container, &error);
    }
    gk_buf_cleanup(&open);
    if (status == GK_OK) {
        gk_buf_append(&scan->ids, container.id.bytes, sizeof container.id.bytes);
        gk_container_cleanup(&container);
    } else {
        gk_log(GK_LOG_ERROR, "reaper", "account %s has a container that cannot be read: %s",
               scan->account->name, error.message);
    }
    return gk_buf_status(&scan->ids) == GK_OK && !stopping(scan->reaper);
}

static void reap_containers(const struct scan *scan)
{
    struct place place = {.of_account = false};
    snprintf(place.account, sizeof place.account, "%s", scan->account->name);
    for (size_t at = 0; at < scan->ids.len && !stopping(scan->reaper);
         at += sizeof place.container) {
        memcpy(place.container.bytes, scan->ids.data + at, sizeof place.container.bytes);
        reap_place(scan->reaper, &place);
    }
}

static bool scan_account(void *ctx, const char *name)
{
    struct gk_reaper *reaper = ctx;
    struct gk_gateway_account *account = NULL;
    struct gk_error error = {0};
    if (gk_accounts_get(reaper->gateway->accounts, name, &account, &error) != GK_OK) {
        return !stopping(reaper); /* half created, or told by who opens it */
    }
    struct scan scan = {.reaper = reaper, .account = account};
    const struct gk_map_range range = {.prefix = gk_span_str("c/")};
    gk_buf_init(&scan.ids, SCAN_BYTES_MAX);
    note(reaper, name, NULL, 0);
    enum gk_status status = gk_store_map_walk(reaper->gateway->store, GK_POOL_META, account->object,
                                              &range, collect_container, &scan, &error);
    if (status == GK_OK && gk_buf_status(&scan.ids) != GK_OK) {
        status = gk_fail(&error, GK_E_RESOURCE, "they do not fit into memory");
    }
    if (status != GK_OK) {
        gk_log(GK_LOG_WARNING, "reaper", "account %s: its containers cannot be listed: %s", name,
               error.message);
    }
    reap_containers(&scan);
    gk_buf_cleanup(&scan.ids);
    gk_accounts_put(account);
    return !stopping(reaper);
}

static void scan_all(struct gk_reaper *reaper)
{
    struct gk_error error = {0};
    if (gk_accounts_list(reaper->gateway->accounts, scan_account, reaper, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "reaper", "accounts cannot be listed: %s", error.message);
    }
}

/* --- deleted accounts ---------------------------------------------------------------------------*/

/* Names, each with its NUL. */
static bool collect_mark(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    const size_t prefix = strlen(GK_DELETED_NAME_PREFIX);
    if (key.len > prefix && key.len < GK_INDEX_NAME_BYTES &&
        memcmp(key.data, GK_DELETED_NAME_PREFIX, prefix) == 0) {
        gk_buf_append(ctx, key.data, key.len);
        gk_buf_append_u8(ctx, 0);
    }
    return true;
}

static void reap_deleted(struct gk_reaper *reaper)
{
    struct gk_buf marks;
    struct gk_buf cursor;
    struct gk_error error = {0};
    gk_buf_init(&marks, SCAN_BYTES_MAX);
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    enum gk_status status =
        gk_store_list(reaper->gateway->store, GK_POOL_META, &cursor, collect_mark, &marks, &error);
    gk_buf_cleanup(&cursor);
    for (size_t at = 0; status == GK_OK && at < marks.len && !stopping(reaper);) {
        const char *mark = (const char *)marks.data + at;
        if (gk_removal_marked(reaper->gateway, mark, &error) != GK_OK) {
            gk_log(GK_LOG_WARNING, "reaper", "%s: removal will be tried at the next start: %s",
                   mark, error.message);
            gk_error_clear(&error);
        }
        at += strlen(mark) + 1;
    }
    gk_buf_cleanup(&marks);
}

/* --- the thread ---------------------------------------------------------------------------------*/

static void locked_wait(struct gk_reaper *reaper, int64_t wait_ms)
{
    if (wait_ms < 0) {
        pthread_cond_wait(&reaper->changed, &reaper->mutex);
        return;
    }
    /* A clock that a test moves is looked at again every second. */
    const int64_t most_ms = wait_ms < 1000 ? wait_ms : 1000;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(most_ms % 1000) * 1000000L;
    until.tv_sec += most_ms / 1000 + until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&reaper->changed, &reaper->mutex, &until);
}

static void *run(void *ctx)
{
    struct gk_reaper *reaper = ctx;
    scan_all(reaper);
    reap_deleted(reaper);
    pthread_mutex_lock(&reaper->mutex);
    while (!reaper->stopping) {
        int64_t wait_ms = -1;
        const bool deleted = reaper->deleted_noted;
        reaper->deleted_noted = false;
        struct place *place = locked_take_due(reaper, &wait_ms);
        if (place == NULL && !deleted) {
            locked_wait(reaper, wait_ms);
            continue;
        }
        pthread_mutex_unlock(&reaper->mutex);
        if (deleted) {
            reap_deleted(reaper);
        }
        if (place != NULL) {
            reap_place(reaper, place);
            free(place);
        }
        pthread_mutex_lock(&reaper->mutex);
    }
    pthread_mutex_unlock(&reaper->mutex);
    return NULL;
}

static void free_reaper(struct gk_reaper *reaper)
{
    while (reaper->places != NULL) {
        struct place *place = reaper->places;
        reaper->places = place->next;
        free(place);
    }
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
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reaper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&reaper->mutex, NULL);
    if (pthread_create(&reaper->thread, NULL, run, reaper) != 0) {
        free_reaper(reaper);
        return gk_fail(error, GK_E_RESOURCE, "the reaper's thread cannot be started");
    }
    *out = reaper;
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
