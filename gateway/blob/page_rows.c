/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_rows.h"

#include <stdlib.h>

#include "common/error.h"

void gk_page_space_init(struct gk_page_space *space, const struct gk_request *request,
                        const struct gk_blob_target *target)
{
    const struct gk_blob_kind *kind = &target->record.kind;
    *space = (struct gk_page_space){
        .store = request->gateway->store,
        .place = gk_index_place(request, &target->container, GK_VALUE_PAGES, (struct gk_span){0}),
        .id = kind->space};
    memcpy(space->index, target->index, sizeof space->index);
    memcpy(space->groups, kind->groups, sizeof space->groups);
}

/* --- reading ------------------------------------------------------------------------------------*/

/* Keys of a group and of rows of it, and the values that were found. */
struct found {
    struct gk_buf keys;                         /* one after the other, of one length */
    struct gk_span spans[GK_PAGE_ROWS_MAX + 1]; /* into keys; the group's first */
    struct gk_buf values[GK_PAGE_ROWS_MAX + 1]; /* empty for what is not there */
    size_t count;
};

static bool take_value(void *ctx, struct gk_span key, struct gk_span value)
{
    struct found *found = ctx;
    for (size_t i = 0; i < found->count; i++) {
        if (gk_span_equal(found->spans[i], key)) {
            gk_buf_append(&found->values[i], value.data, value.len);
        }
    }
    return true;
}

static void name_rows(struct found *found, const struct gk_page_space *space,
                      const struct gk_page_rows *rows)
{
    gk_buf_init(&found->keys, (GK_PAGE_ROWS_MAX + 1u) * GK_PAGE_KEY_BYTES);
    gk_page_group_key(&found->keys, &space->id, rows->group);
    for (uint32_t i = 0; i < rows->count; i++) {
        gk_page_key(&found->keys, &space->id, rows->items[i].index);
    }
    found->count = rows->count + 1u;
    for (size_t i = 0; i < found->count; i++) {
        gk_buf_init(&found->values[i], GK_PAGE_ROW_BYTES_MAX);
    }
}

static enum gk_status open_value(const struct gk_page_space *space, const struct found *found,
                                 size_t at, const char *kind, struct gk_buf *open,
                                 struct gk_error *error)
{
    struct gk_place place = space->place;
    place.kind = kind;
    place.key = found->spans[at];
    gk_buf_init(open, GK_PAGE_ROW_BYTES_MAX);
    if (gk_buf_status(&found->values[at]) != GK_OK) {
        return gk_value_too_long(&found->values[at], space->index, error);
    }
    return found->values[at].len > 0
               ? gk_value_open(&place, gk_buf_span(&found->values[at]), open, error)
               : gk_fail(error, GK_E_INTEGRITY, "a row of a page blob is missing in %s",
                         space->index);
}

static enum gk_status take_group(const struct gk_page_space *space, const struct found *found,
                                 struct gk_page_rows *rows, struct gk_error *error)
{
    memset(&rows->present, 0, sizeof rows->present);
    if (!gk_bits_get(space->groups, rows->group)) {
        return GK_OK;
    }
    struct gk_buf open;
    enum gk_status status = open_value(space, found, 0, GK_VALUE_GROUP, &open, error);
    if (status == GK_OK) {
        status = gk_page_group_decode(gk_buf_span(&open), &rows->present, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status take_row(const struct gk_page_space *space, const struct found *found,
                               uint32_t at, struct gk_page_rows *rows, struct gk_error *error)
{
    struct gk_page_row *row = &rows->items[at];
    row->exists = gk_bits_get(rows->present.present, row->index % GK_PAGE_GROUP_OBJECTS);
    memset(&row->map, 0, sizeof row->map);
    if (!row->exists) {
        return GK_OK;
    }
    struct gk_buf open;
    enum gk_status status = open_value(space, found, at + 1u, GK_VALUE_PAGES, &open, error);
    if (status == GK_OK) {
        status = gk_page_map_decode(gk_buf_span(&open), &row->map, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status find_rows(const struct gk_page_space *space, struct found *found,
                                struct gk_page_rows *rows, struct gk_error *error)
{
    enum gk_status status = gk_buf_status(&found->keys);
    for (size_t i = 0; i < found->count; i++) {
        found->spans[i] = gk_span_of(found->keys.data + i * GK_PAGE_KEY_BYTES, GK_PAGE_KEY_BYTES);
    }
    if (status == GK_OK) {
        status = gk_store_map_find(space->store, GK_POOL_META, space->index, found->spans,
                                   found->count, take_value, found, error);
    }
    if (status == GK_OK) {
        status = take_group(space, found, rows, error);
    }
    for (uint32_t i = 0; i < rows->count && status == GK_OK; i++) {
        status = take_row(space, found, i, rows, error);
    }
    return status;
}

enum gk_status gk_page_rows_read(const struct gk_page_space *space, struct gk_page_rows *rows,
                                 struct gk_error *error)
{
    struct found *found = malloc(sizeof *found);
    if (found == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    name_rows(found, space, rows);
    const enum gk_status status = find_rows(space, found, rows, error);
    for (size_t i = 0; i < found->count; i++) {
        gk_buf_cleanup(&found->values[i]);
    }
    gk_buf_cleanup(&found->keys);
    free(found);
    return status;
}

/* The rows of rows' group that are there by what was read of the group last; what went since is left out. */
static enum gk_status read_present(const struct gk_page_space *space, uint32_t from, uint32_t to,
                                   struct gk_page_rows *rows, struct gk_error *error)
{
    const uint32_t first = rows->group * GK_PAGE_GROUP_OBJECTS;
    uint32_t at = from - first;
    rows->count = 0;
    while (rows->count < GK_PAGE_ROWS_MAX) {
        at = gk_bits_find(rows->present.present, at, to - first, true);
        if (at == to - first) {
            break;
        }
        rows->items[rows->count++].index = first + at++;
    }
    const enum gk_status status = rows->count == 0 ? GK_OK : gk_page_rows_read(space, rows, error);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rows->count && status == GK_OK; i++) {
        if (rows->items[i].exists) {
            rows->items[kept++] = rows->items[i];
        }
    }
    rows->count = status == GK_OK ? kept : 0;
    return status;
}

enum gk_status gk_page_rows_next(const struct gk_page_space *space, uint32_t *index, uint32_t end,
                                 struct gk_page_rows *rows, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    rows->count = 0;
    while (status == GK_OK && rows->count == 0 && *index < end) {
        rows->group = *index / GK_PAGE_GROUP_OBJECTS;
        const uint32_t group_end = (rows->group + 1) * GK_PAGE_GROUP_OBJECTS;
        const uint32_t to = end < group_end ? end : group_end;
        uint32_t next = to;
        if (gk_bits_get(space->groups, rows->group)) {
            rows->count = 0;
            status = gk_page_rows_read(space, rows, error);
            if (status == GK_OK) {
                status = read_present(space, *index, to, rows, error);
            }
            if (rows->count == GK_PAGE_ROWS_MAX) {
                next = rows->items[rows->count - 1].index + 1;
            }
        }
        *index = next;
    }
    return status;
}

/* --- changing -----------------------------------------------------------------------------------*/

static enum gk_status set_row(const struct gk_page_space *space, const char *kind,
                              const struct gk_buf *key, const struct gk_buf *open,
                              struct gk_change_list *changes, struct gk_error *error)
{
    struct gk_place place = space->place;
    struct gk_buf owned_key;
    struct gk_buf value;
    gk_buf_init(&owned_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_PAGE_ROW_BYTES_MAX);
    place.kind = kind;
    place.key = gk_buf_span(key);
    const enum gk_status status =
        gk_value_seal(&place, NULL, gk_buf_span(open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_buf_append(&owned_key, key->data, key->len);
        gk_changes_set(changes, &owned_key, &value);
    }
    gk_buf_cleanup(&value);
    return status;
}

static enum gk_status write_row(const struct gk_page_space *space, struct gk_page_row *row,
                                struct gk_blob_write *write, struct gk_error *error)
{
    const bool empty =
        gk_bits_find(row->map.written, 0, GK_PAGE_OBJECT_PAGES, true) == GK_PAGE_OBJECT_PAGES;
    struct gk_buf key;
    struct gk_buf open;
    enum gk_status status = GK_OK;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_PAGE_ROW_BYTES_MAX);
    gk_page_key(&key, &space->id, row->index);
    if (!empty) {
        gk_page_map_encode(&row->map, &open);
        status = set_row(space, GK_VALUE_PAGES, &key, &open, &write->changes, error);
    } else if (row->exists) {
        gk_garbage_add(&write->garbage, GK_GARBAGE_SEGMENT, &row->map.object, GK_PAGE_OBJECT_BYTES);
        gk_changes_remove(&write->changes, &key);
    }
    row->exists = !empty;
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status write_group(const struct gk_page_space *space,
                                  const struct gk_page_rows *rows, struct gk_blob_write *write,
                                  struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_PAGE_ROW_BYTES_MAX);
    gk_page_group_key(&key, &space->id, rows->group);
    gk_page_group_encode(&rows->present, &open);
    const enum gk_status status =
        set_row(space, GK_VALUE_GROUP, &key, &open, &write->changes, error);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    return status;
}

enum gk_status gk_page_rows_write(const struct gk_page_space *space, struct gk_page_rows *rows,
                                  struct gk_blob_write *write, struct gk_blob_record *record,
                                  struct gk_error *error)
{
    enum gk_status status = GK_OK;
    bool changed = false; /* which rows there are */
    for (uint32_t i = 0; i < rows->count && status == GK_OK; i++) {
        struct gk_page_row *row = &rows->items[i];
        const uint32_t at = row->index % GK_PAGE_GROUP_OBJECTS;
        status = write_row(space, row, write, error);
        changed = changed || gk_bits_get(rows->present.present, at) != row->exists;
        gk_bits_set(rows->present.present, at, at + 1, row->exists);
    }
    if (status == GK_OK && changed) {
        gk_bits_set(record->kind.groups, rows->group, rows->group + 1, true);
        status = write_group(space, rows, write, error);
    }
    return status;
}

/* --- clearing -----------------------------------------------------------------------------------*/

/* Bytes of a piece, as pages of it. */
static uint32_t page_of(uint64_t at, uint32_t index)
{
    const uint64_t start = (uint64_t)index * GK_PAGE_OBJECT_BYTES;
    const uint64_t within = at <= start ? 0 : at - start;
    return within >= GK_PAGE_OBJECT_BYTES ? GK_PAGE_OBJECT_PAGES
                                          : (uint32_t)(within / GK_PAGE_BYTES);
}

static enum gk_status clear_some(struct gk_request *request, struct gk_blob_target *target,
                                 const struct gk_page_space *space, struct gk_page_rows *rows,
                                 struct gk_error *error)
{
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    enum gk_status status = gk_page_rows_write(space, rows, &write, &target->record, error);
    if (status == GK_OK) {
        gk_blob_touch(request, &target->record);
        status = gk_blob_write_open_part(&write, request, target, &target->record, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* What follows a write of ours: the same blob, as we left it. */
static enum gk_status read_again(struct gk_request *request, struct gk_blob_target *target,
                                 struct gk_error *error)
{
    const uint64_t etag = target->record.etag;
    const enum gk_status status = gk_blob_target_read(request, target, error);
    return status == GK_OK && (!target->committed || target->record.etag != etag)
               ? gk_fail(error, GK_E_CONFLICT, "a page blob was changed while it was cleared")
               : status;
}

enum gk_status gk_pages_clear(struct gk_request *request, struct gk_blob_target *target,
                              uint64_t from, uint64_t to, struct gk_error *error)
{
    struct gk_page_rows rows = {.items = calloc(GK_PAGE_ROWS_MAX, sizeof *rows.items)};
    if (rows.items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const uint32_t end = (uint32_t)((to + GK_PAGE_OBJECT_BYTES - 1) / GK_PAGE_OBJECT_BYTES);
    uint32_t index = (uint32_t)(from / GK_PAGE_OBJECT_BYTES);
    enum gk_status status = GK_OK;
    do {
        struct gk_page_space space;
        gk_page_space_init(&space, request, target);
        status = gk_page_rows_next(&space, &index, end, &rows, error);
        for (uint32_t i = 0; i < rows.count && status == GK_OK; i++) {
            struct gk_page_row *row = &rows.items[i];
            gk_bits_set(row->map.written, page_of(from, row->index), page_of(to, row->index),
                        false);
        }
        if (status == GK_OK) {
            status = clear_some(request, target, &space, &rows, error);
        }
        if (status == GK_OK && index < end) {
            status = read_again(request, target, error);
        }
    } while (status == GK_OK && index < end);
    free(rows.items);
    return status;
}
