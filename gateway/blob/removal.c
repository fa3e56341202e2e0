/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/removal.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/borrow.h"
#include "gateway/blob/refs.h"
#include "gateway/blob/writer.h"

#define STEP 512u /* objects or map entries that go at once */

/* --- data objects -------------------------------------------------------------------------------*/

/* Names of data objects that go together. */
struct some_names {
    size_t count;
    char names[STEP][GK_DATA_NAME_BYTES];
};

static enum gk_status remove_names(struct gk_store *store, struct some_names *some,
                                   struct gk_error *error)
{
    const char *names[STEP];
    for (size_t i = 0; i < some->count; i++) {
        names[i] = some->names[i];
    }
    const size_t count = some->count;
    some->count = 0;
    return count == 0 ? GK_OK : gk_store_remove(store, GK_POOL_DATA, names, count, error);
}

/* Adds a segment's objects, removing what has come together whenever some is full. */
static enum gk_status add_segment(struct gk_store *store, struct some_names *some,
                                  const struct gk_id *container, const struct gk_id *segment,
                                  uint64_t length, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    const uint64_t objects = gk_segment_objects(length);
    for (uint64_t at = 0; at < objects && status == GK_OK; at++) {
        gk_data_name(container, segment, at, some->names[some->count++]);
        if (some->count == STEP) {
            status = remove_names(store, some, error);
        }
    }
    return status;
}

/* --- rows of an index ---------------------------------------------------------------------------*/

/* Some rows: what they refer to, and their keys. */
struct rows {
    const struct gk_removal *removal;
    const char *index;
    struct gk_place place;
    bool with_data; /* what they refer to is wanted */
    struct gk_refs refs;
    struct gk_buf keys; /* length 2 | key ... */
    struct gk_buf last; /* key */
    size_t count;
    enum gk_status status;
    struct gk_error *error;
};

static void rows_init(struct rows *rows, const struct gk_removal *removal,
                      const struct gk_id *container, const char *index, struct gk_error *error)
{
    *rows = (struct rows){
        .removal = removal,
        .index = index,
        .place = {.plugin = removal->plugin, .account = removal->account, .container = *container},
        .with_data = true,
        .error = error};
    gk_refs_init(&rows->refs);
    gk_buf_init(&rows->keys, STEP * (size_t)(GK_MAP_KEY_BYTES_MAX + 2));
    gk_buf_init(&rows->last, GK_MAP_KEY_BYTES_MAX);
}

static void rows_cleanup(struct rows *rows)
{
    gk_refs_cleanup(&rows->refs);
    gk_buf_cleanup(&rows->keys);
    gk_buf_cleanup(&rows->last);
}

/* Of a row that is not what was written nobody knows what it refers to. */
static enum gk_status collect_refs(struct rows *rows, struct gk_span key, struct gk_span value)
{
    struct gk_error error = {0};
    const enum gk_status status = gk_refs_of_row(rows->place, key, value, &rows->refs, &error);
    if (status == GK_E_INTEGRITY) {
        gk_log(GK_LOG_WARNING, "reaper", "%s: data of a damaged entry is left to scrub: %s",
               rows->index, error.message);
        return GK_OK;
    }
    return status == GK_OK ? GK_OK : gk_fail(rows->error, status, "%s", error.message);
}

static bool collect_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct rows *rows = ctx;
    rows->status = rows->with_data ? collect_refs(rows, key, value) : GK_OK;
    gk_buf_append_u16(&rows->keys, (uint16_t)key.len);
    gk_buf_append(&rows->keys, key.data, key.len);
    gk_buf_reset(&rows->last);
    gk_buf_append(&rows->last, key.data, key.len);
    rows->count++;
    return rows->status == GK_OK && rows->refs.count < STEP;
}

/* Some rows that begin with prefix, behind the last one of those before when after is set. */
static enum gk_status rows_next(struct rows *rows, struct gk_span prefix, bool after)
{
    const struct gk_removal *removal = rows->removal;
    if (removal->stop != NULL && removal->stop(removal->stop_ctx)) {
        return gk_fail(rows->error, GK_E_UNAVAILABLE, "broken off");
    }
    struct gk_buf last = rows->last;
    gk_buf_init(&rows->last, GK_MAP_KEY_BYTES_MAX);
    const struct gk_map_range range = {
        .prefix = prefix, .after = after ? gk_buf_span(&last) : (struct gk_span){0}, .limit = STEP};
    gk_refs_reset(&rows->refs);
    gk_buf_reset(&rows->keys);
    rows->count = 0;
    rows->status = GK_OK;
    const enum gk_status status = gk_store_map_walk(removal->store, GK_POOL_META, rows->index,
                                                    &range, collect_row, rows, rows->error);
    gk_buf_cleanup(&last);
    return status == GK_OK ? rows->status : status;
}

static enum gk_status remove_data(const struct rows *rows, struct some_names *names)
{
    struct gk_store *store = rows->removal->store;
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < rows->refs.count && status == GK_OK; i++) {
        status = add_segment(store, names, &rows->place.container, &rows->refs.items[i].segment,
                             rows->refs.items[i].length, rows->error);
    }
    return status == GK_OK ? remove_names(store, names, rows->error) : status;
}

static enum gk_status remove_rows(const struct rows *rows)
{
    struct gk_change changes[STEP];
    struct gk_reader in = gk_reader_of(gk_buf_span(&rows->keys));
    for (size_t i = 0; i < rows->count; i++) {
        changes[i] = (struct gk_change){.kind = GK_CHANGE_MAP_REMOVE,
                                        .key = gk_read_span(&in, gk_read_u16(&in))};
    }
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = rows->index,
                                   .guards = &exists,
                                   .guards_count = 1,
                                   .changes = changes,
                                   .changes_count = rows->count};
    return gk_store_write(rows->removal->store, &op, NULL, rows->error);
}

/* --- containers ---------------------------------------------------------------------------------*/

/* All data that an index refers to. The rows stay: they go with their object, which costs a store less
 * than each by itself. */
static enum gk_status remove_index_data(const struct gk_removal *removal,
                                        const struct gk_id *container, const char *index,
                                        struct some_names *names, struct gk_error *error)
{
    struct rows rows;
    rows_init(&rows, removal, container, index, error);
    enum gk_status status = rows_next(&rows, (struct gk_span){0}, false);
    while (status == GK_OK && rows.count > 0) {
        status = remove_data(&rows, names);
        if (status == GK_OK) {
            status = rows_next(&rows, (struct gk_span){0}, true);
        }
    }
    rows_cleanup(&rows);
    return status;
}

/* What the states of a shard are lent by, some at a time. */
struct lent {
    struct rows rows;
    struct gk_loan loans[STEP];
    size_t count;
    bool damaged; /* one that cannot be opened may be lent */
};

static bool collect_lent(void *ctx, struct gk_span key, struct gk_span value)
{
    struct lent *lent = ctx;
    struct rows *rows = &lent->rows;
    struct gk_error error = {0};
    rows->status = gk_refs_of_row(rows->place, key, value, &rows->refs, &error);
    if (rows->status == GK_E_INTEGRITY) {
        gk_log(GK_LOG_WARNING, "reaper", "%s stays, for a damaged entry may be lent: %s",
               rows->index, error.message);
        lent->damaged = true;
        return false;
    }
    if (rows->status != GK_OK) {
        (void)gk_fail(rows->error, rows->status, "%s", error.message);
    } else if (rows->refs.lent) {
        lent->loans[lent->count++] = rows->refs.loan;
    }
    gk_refs_reset(&rows->refs);
    gk_buf_reset(&rows->last);
    gk_buf_append(&rows->last, key.data, key.len);
    rows->count++;
    return rows->status == GK_OK && rows->count < STEP;
}

/* Of those that came together, whether the loan of one is there: else nothing can come to name it. */
static enum gk_status has_loan(const struct gk_removal *removal, const struct lent *lent,
                               bool *found, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < lent->count && status == GK_OK && !*found; i++) {
        status = gk_borrow_is_there(removal->store, &lent->loans[i], found, error);
    }
    return status;
}

static enum gk_status walk_lent(const struct gk_removal *removal, struct lent *lent, bool *found,
                                struct gk_error *error)
{
    struct rows *rows = &lent->rows;
    struct gk_buf after;
    enum gk_status status = GK_OK;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    do {
        const struct gk_map_range range = {.prefix = gk_span_str(GK_STATE_KIND),
                                           .after = gk_buf_span(&after)};
        rows->count = 0;
        rows->status = GK_OK;
        lent->count = 0;
        status = gk_store_map_walk(removal->store, GK_POOL_META, rows->index, &range, collect_lent,
                                   lent, error);
        if (status == GK_OK && !lent->damaged) {
            status = rows->status;
        }
        *found = lent->damaged;
        if (status == GK_OK) {
            status = has_loan(removal, lent, found, error);
        }
        gk_buf_reset(&after);
        gk_buf_append(&after, rows->last.data, rows->last.len);
    } while (status == GK_OK && !*found && rows->count == STEP);
    gk_buf_cleanup(&after);
    return status;
}

/* Whether a state in it is lent. */
static enum gk_status is_lent(const struct gk_removal *removal, const struct gk_id *container,
                              const char *index, bool *found, struct gk_error *error)
{
    struct lent *lent = calloc(1, sizeof *lent);
    if (lent == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    rows_init(&lent->rows, removal, container, index, error);
    const enum gk_status status = walk_lent(removal, lent, found, error);
    rows_cleanup(&lent->rows);
    free(lent);
    return status;
}

/* The index goes only as it was walked. A write that came in between is found by another walk; one
 * that comes later finds no index and fails, so no data can come after. */
static enum gk_status remove_index_once(const struct gk_removal *removal,
                                        const struct gk_id *container, const char *index,
                                        struct some_names *names, bool *stays,
                                        struct gk_error *error)
{
    bool lent = false;
    struct gk_guard guard = {.kind = GK_GUARD_VERSION};
    enum gk_status status =
        gk_store_version(removal->store, GK_POOL_META, index, &guard.number, error);
    if (status == GK_OK) {
        status = is_lent(removal, container, index, &lent, error);
    }
    if (status == GK_OK && lent) {
        *stays = true;
        return GK_OK;
    }
    if (status == GK_OK) {
        status = remove_index_data(removal, container, index, names, error);
    }
    const struct gk_change change = {.kind = GK_CHANGE_REMOVE};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = index,
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = &change,
                                   .changes_count = 1};
    return status == GK_OK ? gk_store_write(removal->store, &op, NULL, error) : status;
}

static enum gk_status remove_index(const struct gk_removal *removal, const struct gk_id *container,
                                   const char *index, struct some_names *names, bool *stays,
                                   struct gk_error *error)
{
    /* First, also where it stays: two containers that borrow of each other would else both stay. */
    enum gk_status status = gk_borrow_end_all(removal, container, index, error);
    if (status == GK_OK) {
        status = GK_E_CONFLICT;
    }
    while (status == GK_E_CONFLICT) {
        gk_error_clear(error);
        status = remove_index_once(removal, container, index, names, stays, error);
    }
    if (status == GK_E_NOT_FOUND) { /* by an earlier attempt, or by another gateway */
        gk_error_clear(error);
        status = GK_OK;
    }
    return status;
}

enum gk_status gk_removal_container(const struct gk_removal *removal, const struct gk_id *container,
                                    uint32_t shards, bool *stays, struct gk_error *error)
{
    struct some_names *names = calloc(1, sizeof *names);
    enum gk_status status = names == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    *stays = false;
    for (uint32_t shard = 0; shard < shards && status == GK_OK; shard++) {
        char index[GK_INDEX_NAME_BYTES];
        gk_index_name(container, shard, index);
        status = remove_index(removal, container, index, names, stays, error);
    }
    free(names);
    return status;
}

/* --- garbage ------------------------------------------------------------------------------------*/

/* Rows that begin with prefix, and what they refer to when with_data is set, which goes first. */
static enum gk_status remove_prefix(const struct gk_removal *removal, const struct gk_id *container,
                                    const char *index, struct gk_span prefix, bool with_data,
                                    struct some_names *names, struct gk_error *error)
{
    struct rows rows;
    rows_init(&rows, removal, container, index, error);
    rows.with_data = with_data;
    enum gk_status status = rows_next(&rows, prefix, false);
    while (status == GK_OK && rows.count > 0) {
        status = remove_data(&rows, names);
        if (status == GK_OK) {
            status = remove_rows(&rows);
        }
        if (status == GK_OK) {
            status = rows_next(&rows, prefix, false);
        }
    }
    rows_cleanup(&rows);
    return status;
}

/* A page blob's rows with their page objects, then those of their groups. */
static enum gk_status remove_pages(const struct gk_removal *removal, const struct gk_id *container,
                                   const char *index, const struct gk_id *space,
                                   struct some_names *names, struct gk_error *error)
{
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_page_prefix(&prefix, space);
    enum gk_status status =
        remove_prefix(removal, container, index, gk_buf_span(&prefix), true, names, error);
    if (status == GK_OK) {
        gk_buf_reset(&prefix);
        gk_page_group_prefix(&prefix, space);
        status =
            remove_prefix(removal, container, index, gk_buf_span(&prefix), false, names, error);
    }
    gk_buf_cleanup(&prefix);
    return status;
}

static enum gk_status remove_item(const struct gk_removal *removal, const struct gk_id *container,
                                  const char *index, const struct gk_garbage_item *item,
                                  struct some_names *names, struct gk_error *error)
{
    struct gk_buf prefix;
    enum gk_status status = GK_OK;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    switch (item->kind) {
    case GK_GARBAGE_SEGMENT:
        status = add_segment(removal->store, names, container, &item->id, item->number, error);
        break;
    case GK_GARBAGE_STAGED:
    case GK_GARBAGE_STAGED_ENTRIES:
        gk_staged_prefix(&prefix, &item->id, (uint32_t)item->number);
        status = remove_prefix(removal, container, index, gk_buf_span(&prefix),
                               item->kind == GK_GARBAGE_STAGED, names, error);
        break;
    case GK_GARBAGE_MANIFEST:
    case GK_GARBAGE_MANIFEST_ENTRIES:
        gk_manifest_prefix(&prefix, &item->id);
        status = remove_prefix(removal, container, index, gk_buf_span(&prefix),
                               item->kind == GK_GARBAGE_MANIFEST, names, error);
        break;
    case GK_GARBAGE_PAGES:
        status = remove_pages(removal, container, index, &item->id, names, error);
        break;
    case GK_GARBAGE_LOAN:
        status = gk_borrow_end(removal, container, index, &item->id, error);
        break;
    case GK_GARBAGE_CONTAINER: /* these three stand by themselves, and do not come here */
    case GK_GARBAGE_EXPIRED:
    case GK_GARBAGE_KEPT_CONTAINER:
        break;
    }
    gk_buf_cleanup(&prefix);
    return status;
}

enum gk_status gk_removal_items(const struct gk_removal *removal, const struct gk_id *container,
                                const char *index, const struct gk_garbage *garbage,
                                struct gk_error *error)
{
    struct some_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < garbage->count && status == GK_OK; i++) {
        status = remove_item(removal, container, index, &garbage->items[i], names, error);
    }
    if (status == GK_OK) {
        status = remove_names(removal->store, names, error);
    }
    free(names);
    return status;
}
