/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/borrow.h"

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/lend.h"
#include "gateway/blob/reaper.h"

#define STEP 64u /* rows that are looked at together */

/* --- the row ------------------------------------------------------------------------------------*/

/* Whose key is in place. */
static enum gk_status seal_row(const struct gk_place *place, const struct gk_loan_row *row,
                               struct gk_buf *value, struct gk_error *error)
{
    struct gk_buf open;
    gk_buf_init(&open, GK_LOAN_ROW_BYTES_MAX);
    gk_loan_row_encode(row, &open);
    const enum gk_status status =
        gk_value_seal(place, NULL, gk_buf_span(&open), (struct gk_span){0}, value, error);
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status open_row(const struct gk_place *place, struct gk_span value,
                               struct gk_loan_row *row, struct gk_error *error)
{
    struct gk_buf open;
    gk_buf_init(&open, GK_LOAN_ROW_BYTES_MAX);
    enum gk_status status = gk_value_open(place, value, &open, error);
    if (status == GK_OK) {
        status = gk_loan_row_decode(gk_buf_span(&open), row, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

enum gk_status gk_borrow_read(struct gk_store *store, struct gk_place place, const char *index,
                              const struct gk_id *loan, struct gk_loan_row *row,
                              struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_LOAN_ROW_BYTES_MAX);
    gk_loan_key(&key, loan);
    place.kind = GK_VALUE_LOAN;
    place.key = gk_buf_span(&key);
    enum gk_status status = gk_value_get(store, index, place.key, &value, error);
    if (status == GK_OK) {
        status = open_row(&place, gk_buf_span(&value), row, error);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_borrow_is_there(struct gk_store *store, const struct gk_loan *lent, bool *there,
                                  struct gk_error *error)
{
    char index[GK_INDEX_NAME_BYTES];
    struct gk_buf key;
    struct gk_buf value;
    gk_index_name(&lent->container, lent->shard, index);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    gk_loan_key(&key, &lent->id);
    const enum gk_status status = gk_value_get(store, index, gk_buf_span(&key), &value, error);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    *there = status == GK_OK;
    if (status == GK_E_NOT_FOUND) { /* or the whole shard is gone */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* --- making a copy ------------------------------------------------------------------------------*/

static enum gk_status queue_end(const struct gk_request *request, const struct gk_blob_target *copy,
                                struct gk_borrow *borrow, struct gk_change_list *changes,
                                struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(request, &copy->container, GK_VALUE_GARBAGE, (struct gk_span){0});
    const int64_t due_wall_ms = gk_clock_wall_ms(&request->gateway->clock) + GK_BORROW_MS;
    struct gk_garbage garbage;
    gk_garbage_init(&garbage);
    gk_buf_append(&garbage.blob, copy->key.data + 2, copy->key.len - 2);
    gk_garbage_add(&garbage, GK_GARBAGE_LOAN, &borrow->id, 0);
    const enum gk_status status = gk_garbage_queue(&garbage, &place, due_wall_ms, changes, error);
    gk_garbage_cleanup(&garbage);
    if (status == GK_OK && changes->count > 0) {
        const struct gk_span key = changes->items[changes->count - 1].key;
        gk_buf_append(&borrow->garbage_key, key.data, key.len);
    }
    return status;
}

static enum gk_status write_begin(struct gk_request *request, const struct gk_blob_target *copy,
                                  struct gk_borrow *borrow, struct gk_error *error)
{
    struct gk_guard guards[GK_INDEX_GUARDS];
    uint8_t door[GK_INDEX_DOOR_BYTES];
    struct gk_change_list changes;
    struct gk_buf key;
    struct gk_buf value;
    gk_index_guards(guards, copy->opening, door);
    gk_changes_init(&changes);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_LOAN_ROW_BYTES_MAX);
    gk_buf_append(&key, borrow->row_key.data, borrow->row_key.len);
    gk_buf_append(&value, borrow->row_value.data, borrow->row_value.len);
    gk_changes_set(&changes, &key, &value);
    enum gk_status status = queue_end(request, copy, borrow, &changes, error);
    if (status == GK_OK) {
        status = gk_changes_status(&changes);
    }
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = copy->index,
                                   .guards = guards,
                                   .guards_count = GK_INDEX_GUARDS,
                                   .changes = changes.items,
                                   .changes_count = changes.count};
    if (status == GK_OK) {
        status = gk_store_write(request->gateway->store, &op, NULL, error);
    }
    gk_changes_cleanup(&changes);
    return status == GK_E_EXISTS || status == GK_E_CONFLICT || status == GK_E_NOT_FOUND
               ? gk_blob_write_refused(request, copy, status, error)
               : status;
}

enum gk_status gk_borrow_begin(struct gk_request *request, const struct gk_blob_target *copy,
                               const struct gk_loan_row *row, struct gk_borrow *out,
                               struct gk_error *error)
{
    gk_buf_init(&out->row_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&out->row_value, GK_LOAN_ROW_BYTES_MAX);
    gk_buf_init(&out->garbage_key, GK_MAP_KEY_BYTES_MAX);
    if (!gk_id_random(&out->id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a loan");
    }
    gk_loan_key(&out->row_key, &out->id);
    const struct gk_place place =
        gk_index_place(request, &copy->container, GK_VALUE_LOAN, gk_buf_span(&out->row_key));
    enum gk_status status = seal_row(&place, row, &out->row_value, error);
    if (status == GK_OK) {
        status = write_begin(request, copy, out, error);
    }
    if (status == GK_OK) {
        gk_reaper_note(request->gateway->reaper, request->account->name, &copy->container,
                       copy->shard);
    }
    return status;
}

void gk_borrow_cleanup(struct gk_borrow *borrow)
{
    gk_buf_cleanup(&borrow->row_key);
    gk_buf_cleanup(&borrow->row_value);
    gk_buf_cleanup(&borrow->garbage_key);
}

void gk_borrow_settle(const struct gk_borrow *borrow, struct gk_blob_write *write)
{
    struct gk_buf key;
    gk_blob_write_guard(write, (struct gk_guard){.kind = GK_GUARD_MAP_EQUAL,
                                                 .key = gk_buf_span(&borrow->row_key),
                                                 .value = gk_buf_span(&borrow->row_value)});
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&key, borrow->garbage_key.data, borrow->garbage_key.len);
    gk_changes_remove(&write->changes, &key);
}

/* --- the end ------------------------------------------------------------------------------------*/

static struct gk_place place_of(const struct gk_removal *removal, const struct gk_id *container,
                                struct gk_span key)
{
    return (struct gk_place){.plugin = removal->plugin,
                             .account = removal->account,
                             .kind = GK_VALUE_LOAN,
                             .container = *container,
                             .key = key};
}

/* Over the row as it was read. */
static enum gk_status write_closed(const struct gk_removal *removal, const struct gk_place *place,
                                   const char *index, struct gk_loan_row *row,
                                   struct gk_span stored, const struct gk_guard *base,
                                   struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, GK_LOAN_ROW_BYTES_MAX);
    row->closed = true;
    enum gk_status status = seal_row(place, row, &value, error);
    const struct gk_guard guards[] = {
        {.kind = GK_GUARD_EXISTS},
        {.kind = GK_GUARD_MAP_EQUAL, .key = place->key, .value = stored},
        *base};
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = place->key, .value = gk_buf_span(&value)};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = index,
                                   .guards = guards,
                                   .guards_count = sizeof guards / sizeof *guards,
                                   .changes = &change,
                                   .changes_count = 1};
    if (status == GK_OK) {
        status = gk_store_write(removal->store, &op, NULL, error);
    }
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_borrow_close(const struct gk_removal *removal, const struct gk_id *container,
                               const char *index, const struct gk_id *loan,
                               const struct gk_guard *base, struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf stored;
    struct gk_loan_row row;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&stored, GK_LOAN_ROW_BYTES_MAX);
    gk_loan_key(&key, loan);
    const struct gk_place place = place_of(removal, container, gk_buf_span(&key));
    enum gk_status status = gk_value_get(removal->store, index, place.key, &stored, error);
    const bool gone = status == GK_E_NOT_FOUND;
    if (status == GK_OK) {
        status = open_row(&place, gk_buf_span(&stored), &row, error);
    }
    if (status == GK_OK && !row.closed) {
        status = write_closed(removal, &place, index, &row, gk_buf_span(&stored), base, error);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&stored);
    if (gone) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static enum gk_status remove_row(const struct gk_removal *removal, const char *index,
                                 const struct gk_id *loan, struct gk_error *error)
{
    struct gk_buf key;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_loan_key(&key, loan);
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_change change = {.kind = GK_CHANGE_MAP_REMOVE, .key = gk_buf_span(&key)};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = index,
                                   .guards = &exists,
                                   .guards_count = 1,
                                   .changes = &change,
                                   .changes_count = 1};
    const enum gk_status status = gk_store_write(removal->store, &op, NULL, error);
    gk_buf_cleanup(&key);
    return status;
}

enum gk_status gk_borrow_end(const struct gk_removal *removal, const struct gk_id *container,
                             const char *index, const struct gk_id *loan, struct gk_error *error)
{
    struct gk_loan_row row;
    const struct gk_place place = place_of(removal, container, (struct gk_span){0});
    enum gk_status status = gk_borrow_read(removal->store, place, index, loan, &row, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    if (status == GK_OK) {
        status = gk_lend_end(removal->gateway, removal->owner, &row, loan, error);
    }
    if (status == GK_E_INTEGRITY) { /* a state that is lent by no loan is found by scrub */
        gk_log(GK_LOG_WARNING, "reaper", "%s: what was lent by a damaged loan is left to scrub: %s",
               index, error->message);
        gk_error_clear(error);
        status = GK_OK;
    }
    return status == GK_OK ? remove_row(removal, index, loan, error) : status;
}

/* Ids of some loans of a shard. */
struct some_loans {
    struct gk_id ids[STEP];
    size_t count;
};

static bool collect(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct some_loans *some = ctx;
    const size_t prefix = strlen(GK_LOAN_KIND);
    if (key.len == prefix + sizeof(struct gk_id)) {
        memcpy(some->ids[some->count++].bytes, key.data + prefix, sizeof(struct gk_id));
    }
    return some->count < STEP;
}

enum gk_status gk_borrow_end_all(const struct gk_removal *removal, const struct gk_id *container,
                                 const char *index, struct gk_error *error)
{
    const struct gk_map_range loans = {.prefix = gk_span_str(GK_LOAN_KIND)};
    struct some_loans some = {.count = 1};
    enum gk_status status = GK_OK;
    while (status == GK_OK && some.count > 0) {
        some.count = 0;
        status = removal->stop != NULL && removal->stop(removal->stop_ctx)
                     ? gk_fail(error, GK_E_UNAVAILABLE, "broken off")
                     : gk_store_map_walk(removal->store, GK_POOL_META, index, &loans, collect,
                                         &some, error);
        for (size_t i = 0; i < some.count && status == GK_OK; i++) {
            status = gk_borrow_end(removal, container, index, &some.ids[i], error);
        }
    }
    if (status == GK_E_NOT_FOUND) { /* the shard went already */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}
