/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/garbage.h"

#include <stdlib.h>

#include "common/error.h"

#define VERSION        1u
#define VERSION_SHARED 2u /* with a blob that may still refer to the items */

void gk_garbage_init(struct gk_garbage *garbage)
{
    memset(garbage, 0, sizeof *garbage);
    gk_buf_init(&garbage->blob, GK_BLOB_NAME_BYTES_MAX);
}

void gk_garbage_cleanup(struct gk_garbage *garbage)
{
    free(garbage->items);
    gk_buf_cleanup(&garbage->blob);
    gk_garbage_init(garbage);
}

void gk_garbage_add(struct gk_garbage *garbage, enum gk_garbage_kind kind, const struct gk_id *id,
                    uint64_t number)
{
    if (garbage->count == garbage->cap) {
        const size_t cap = garbage->cap == 0 ? 8 : 2 * garbage->cap;
        struct gk_garbage_item *items = reallocarray(garbage->items, cap, sizeof *items);
        if (items == NULL) {
            garbage->failed = true;
            return;
        }
        garbage->items = items;
        garbage->cap = cap;
    }
    garbage->items[garbage->count++] =
        (struct gk_garbage_item){.kind = kind, .id = *id, .number = number};
}

void gk_garbage_add_blob(struct gk_garbage *garbage, const struct gk_blob_target *target)
{
    const struct gk_manifest *manifest = &target->record.manifest;
    if (manifest->paged) {
        gk_garbage_add(garbage, GK_GARBAGE_MANIFEST, &manifest->id, 0);
    }
    if (target->record.kind.type == GK_BLOB_PAGE) {
        gk_garbage_add(garbage, GK_GARBAGE_PAGES, &target->record.kind.space, 0);
    }
    for (uint32_t i = 0; i < manifest->entries_count && !manifest->beside; i++) {
        if (!manifest->entries[i].lent) {
            gk_garbage_add(garbage, GK_GARBAGE_SEGMENT, &manifest->entries[i].segment,
                           manifest->entries[i].length);
        }
    }
    if (gk_loan_borrows(&target->record.loan, &target->record.history)) {
        gk_garbage_add(garbage, GK_GARBAGE_LOAN, &target->record.loan.id, 0);
    }
}

static void encode(const struct gk_garbage *garbage, size_t first, size_t count, int64_t wall_ms,
                   struct gk_buf *open)
{
    const bool shared = garbage->blob.len > 0;
    gk_buf_append_u8(open, shared ? VERSION_SHARED : VERSION);
    gk_buf_append_u64(open, (uint64_t)wall_ms);
    if (shared) {
        gk_append_text(open, gk_buf_span(&garbage->blob));
    }
    gk_buf_append_u32(open, (uint32_t)count);
    for (size_t i = first; i < first + count; i++) {
        gk_buf_append_u8(open, (uint8_t)garbage->items[i].kind);
        gk_append_id(open, &garbage->items[i].id);
        gk_buf_append_u64(open, garbage->items[i].number);
    }
}

static enum gk_status queue_some(const struct gk_garbage *garbage, size_t first, size_t count,
                                 const struct gk_place *place, int64_t wall_ms,
                                 struct gk_change_list *changes, struct gk_error *error)
{
    struct gk_place at = *place;
    struct gk_id id;
    if (!gk_id_random(&id)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy");
    }
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_GARBAGE_BYTES_MAX);
    gk_buf_init(&value, GK_GARBAGE_BYTES_MAX);
    gk_garbage_key(&key, wall_ms, &id);
    encode(garbage, first, count, wall_ms, &open);
    at.key = gk_buf_span(&key);
    const enum gk_status status =
        gk_value_seal(&at, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_changes_set(changes, &key, &value);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_garbage_queue(const struct gk_garbage *garbage, const struct gk_place *place,
                                int64_t wall_ms, struct gk_change_list *changes,
                                struct gk_error *error)
{
    if (garbage->failed) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (size_t at = 0; at < garbage->count; at += GK_GARBAGE_ITEMS_MAX) {
        const size_t left = garbage->count - at;
        const enum gk_status status =
            queue_some(garbage, at, left < GK_GARBAGE_ITEMS_MAX ? left : GK_GARBAGE_ITEMS_MAX,
                       place, wall_ms, changes, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return GK_OK;
}

enum gk_status gk_garbage_decode(struct gk_span open, struct gk_garbage *out,
                                 int64_t *freed_wall_ms, struct gk_error *error)
{
    gk_garbage_init(out);
    struct gk_reader in = gk_reader_of(open);
    const uint8_t version = gk_read_u8(&in);
    *freed_wall_ms = (int64_t)gk_read_u64(&in);
    if (version == VERSION_SHARED) {
        const struct gk_span blob = gk_read_text(&in);
        gk_buf_append(&out->blob, blob.data, blob.len);
    }
    const uint32_t count = gk_read_u32(&in);
    for (uint32_t i = 0; i < count && !in.failed; i++) {
        const uint8_t kind = gk_read_u8(&in);
        struct gk_id id = {{0}};
        gk_read_id(&in, &id);
        gk_garbage_add(out, (enum gk_garbage_kind)kind, &id, gk_read_u64(&in));
    }
    const bool known = version == VERSION || (version == VERSION_SHARED && out->blob.len > 0);
    if (known && gk_read_done(&in) && !out->failed && gk_buf_status(&out->blob) == GK_OK) {
        return GK_OK;
    }
    gk_garbage_cleanup(out);
    return gk_fail(error, GK_E_INTEGRITY, "an entry of what is to be removed is not well-formed");
}

uint32_t gk_garbage_shards(const struct gk_garbage_item *item)
{
    return item->number == 0 ? 1 : (uint32_t)item->number;
}
