/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reencrypt/hold.h"

#include "common/error.h"
#include "gateway/blob/borrow.h"
#include "gateway/blob/loan.h"
#include "gateway/blob/reaper.h"

#define ENTRY_ITEMS_MAX      8192u /* of one entry of garbage, the loan not counted */
#define ENTRY_KEYS_BYTES_MAX ((size_t)16 << 20)

static struct gk_span name_of(const struct gk_hold *hold)
{
    const struct gk_buf *key = &hold->base->key;
    return gk_span_of(key->data + 2, key->len - 2);
}

/* --- entries ------------------------------------------------------------------------------------*/

/* Those of the items from first on, each entry with the loan before all. */
static enum gk_status queue(struct gk_hold *hold, size_t first, int64_t due_wall_ms,
                            struct gk_change_list *changes, struct gk_error *error)
{
    const struct gk_place place = gk_index_place(hold->request, &hold->base->container,
                                                 GK_VALUE_GARBAGE, (struct gk_span){0});
    enum gk_status status = GK_OK;
    do {
        struct gk_garbage entry;
        gk_garbage_init(&entry);
        gk_buf_append(&entry.blob, name_of(hold).data, name_of(hold).len);
        gk_garbage_add(&entry, GK_GARBAGE_LOAN, &hold->id, 0);
        const size_t end = hold->written.count - first < ENTRY_ITEMS_MAX ? hold->written.count
                                                                         : first + ENTRY_ITEMS_MAX;
        for (; first < end; first++) {
            const struct gk_garbage_item *item = &hold->written.items[first];
            gk_garbage_add(&entry, item->kind, &item->id, item->number);
        }
        status = gk_garbage_queue(&entry, &place, due_wall_ms, changes, error);
        gk_garbage_cleanup(&entry);
        if (status == GK_OK && changes->count > 0) {
            const struct gk_span key = changes->items[changes->count - 1].key;
            gk_buf_append_u16(&hold->entry_keys, (uint16_t)key.len);
            gk_buf_append(&hold->entry_keys, key.data, key.len);
        }
    } while (status == GK_OK && first < hold->written.count);
    return status == GK_OK ? gk_buf_status(&hold->entry_keys) : status;
}

static void remove_entries(const struct gk_hold *hold, struct gk_change_list *changes)
{
    struct gk_reader in = gk_reader_of(gk_buf_span(&hold->entry_keys));
    while (in.rest.len > 0) {
        const struct gk_span entry = gk_read_span(&in, gk_read_u16(&in));
        struct gk_buf key;
        gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
        gk_buf_append(&key, entry.data, entry.len);
        gk_changes_remove(changes, &key);
    }
}

static bool is_due_soon(const struct gk_hold *hold)
{
    return hold->due_wall_ms - gk_clock_wall_ms(&hold->request->gateway->clock) < GK_BORROW_MS / 2;
}

/* What was added; or all of it, to a later time, when some of it would be due before long. */
static enum gk_status queue_added(struct gk_hold *hold, struct gk_change_list *changes,
                                  struct gk_error *error)
{
    const int64_t due_wall_ms = gk_clock_wall_ms(&hold->request->gateway->clock) + GK_BORROW_MS;
    if (!is_due_soon(hold)) {
        return hold->queued == hold->written.count
                   ? GK_OK
                   : queue(hold, hold->queued, due_wall_ms, changes, error);
    }
    remove_entries(hold, changes);
    gk_buf_reset(&hold->entry_keys);
    hold->due_wall_ms = due_wall_ms;
    return queue(hold, 0, due_wall_ms, changes, error);
}

/* --- the row ------------------------------------------------------------------------------------*/

static enum gk_status seal_row(struct gk_hold *hold, struct gk_error *error)
{
    struct gk_loan_row row = {.container = hold->base->container,
                              .shard = hold->base->shard,
                              .name_len = name_of(hold).len};
    memcpy(row.name, name_of(hold).data, row.name_len);
    const struct gk_place place = gk_index_place(hold->request, &hold->base->container,
                                                 GK_VALUE_LOAN, gk_buf_span(&hold->row_key));
    struct gk_buf open;
    gk_buf_init(&open, GK_LOAN_ROW_BYTES_MAX);
    gk_loan_row_encode(&row, &open);
    const enum gk_status status = gk_value_seal(&place, NULL, gk_buf_span(&open),
                                                (struct gk_span){0}, &hold->row_value, error);
    gk_buf_cleanup(&open);
    return status;
}

static void set_row(const struct gk_hold *hold, struct gk_change_list *changes)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_LOAN_ROW_BYTES_MAX);
    gk_buf_append(&key, hold->row_key.data, hold->row_key.len);
    gk_buf_append(&value, hold->row_value.data, hold->row_value.len);
    gk_changes_set(changes, &key, &value);
}

static struct gk_guard row_is_open(const struct gk_hold *hold)
{
    return (struct gk_guard){.kind = GK_GUARD_MAP_EQUAL,
                             .key = gk_buf_span(&hold->row_key),
                             .value = gk_buf_span(&hold->row_value)};
}

static struct gk_guard row_is_absent(const struct gk_hold *hold)
{
    return (struct gk_guard){.kind = GK_GUARD_MAP_ABSENT, .key = gk_buf_span(&hold->row_key)};
}

static enum gk_status write_changes(const struct gk_hold *hold, struct gk_writer *writer,
                                    const struct gk_change_list *changes, struct gk_error *error)
{
    const struct gk_guard guards[] = {{.kind = GK_GUARD_EXISTS},
                                      hold->made ? row_is_open(hold) : row_is_absent(hold)};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = hold->base->index,
                                   .guards = guards,
                                   .guards_count = sizeof guards / sizeof *guards,
                                   .changes = changes->items,
                                   .changes_count = changes->count};
    return writer != NULL ? gk_writer_commit(writer, &op, error)
                          : gk_store_write(hold->request->gateway->store, &op, NULL, error);
}

/* changes may have other rows already. */
static enum gk_status commit(struct gk_hold *hold, struct gk_writer *writer,
                             struct gk_change_list *changes, struct gk_error *error)
{
    if (!hold->made) {
        set_row(hold, changes);
    }
    enum gk_status status = queue_added(hold, changes, error);
    if (status == GK_OK && (hold->written.failed || gk_changes_status(changes) != GK_OK)) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (status == GK_OK) {
        status = write_changes(hold, writer, changes, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (!hold->made) {
        gk_reaper_note(hold->request->gateway->reaper, hold->request->account->name,
                       &hold->base->container, hold->base->shard);
    }
    hold->made = true;
    hold->queued = hold->written.count;
    return GK_OK;
}

/* --- the interface ------------------------------------------------------------------------------*/

enum gk_status gk_hold_begin(struct gk_hold *hold, const struct gk_request *request,
                             const struct gk_blob_target *base, struct gk_error *error)
{
    *hold = (struct gk_hold){.request = request, .base = base};
    gk_buf_init(&hold->row_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&hold->row_value, GK_LOAN_ROW_BYTES_MAX);
    gk_buf_init(&hold->entry_keys, ENTRY_KEYS_BYTES_MAX);
    gk_garbage_init(&hold->written);
    if (!gk_id_random(&hold->id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for what is held");
    }
    gk_loan_key(&hold->row_key, &hold->id);
    return seal_row(hold, error);
}

void gk_hold_cleanup(struct gk_hold *hold)
{
    gk_buf_cleanup(&hold->row_key);
    gk_buf_cleanup(&hold->row_value);
    gk_buf_cleanup(&hold->entry_keys);
    gk_garbage_cleanup(&hold->written);
}

void gk_hold_add(struct gk_hold *hold, enum gk_garbage_kind kind, const struct gk_id *id,
                 uint64_t number)
{
    gk_garbage_add(&hold->written, kind, id, number);
}

enum gk_status gk_hold_commit(struct gk_hold *hold, struct gk_writer *writer,
                              struct gk_change_list *changes, struct gk_error *error)
{
    struct gk_change_list own;
    gk_changes_init(&own);
    const enum gk_status status = commit(hold, writer, changes == NULL ? &own : changes, error);
    gk_changes_cleanup(&own);
    return status;
}

enum gk_status gk_hold_keep(struct gk_hold *hold, struct gk_error *error)
{
    return hold->made && is_due_soon(hold) ? gk_hold_commit(hold, NULL, NULL, error) : GK_OK;
}

void gk_hold_guard(const struct gk_hold *hold, struct gk_blob_write *write)
{
    if (!hold->made) {
        return;
    }
    for (size_t i = 0; i < write->guards_count; i++) {
        if (write->guards[i].key.data == hold->row_key.data) {
            return;
        }
    }
    gk_blob_write_guard(write, row_is_open(hold));
}

void gk_hold_settle(const struct gk_hold *hold, struct gk_blob_write *write, bool whole)
{
    struct gk_buf key;
    if (!hold->made) {
        return;
    }
    gk_hold_guard(hold, write);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&key, hold->row_key.data, hold->row_key.len);
    gk_changes_remove(&write->changes, &key);
    if (whole) {
        remove_entries(hold, &write->changes);
    }
}
