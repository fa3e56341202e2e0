/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_rows.h"

#include <stdlib.h>

#include "common/error.h"

#define ATTEMPTS 8u /* each but the first because rows are of other eras by now */

static void take_space(struct gk_page_space *space, const struct gk_blob_record *record)
{
    space->id = record->kind.space;
    memcpy(space->groups, record->kind.groups, sizeof space->groups);
    space->eras = record->eras;
}

void gk_page_space_init(struct gk_page_space *space, const struct gk_request *request,
                        const struct gk_blob_target *target)
{
    *space = (struct gk_page_space){
        .store = request->gateway->store,
        .place = gk_index_place(request, &target->container, GK_VALUE_PAGES, (struct gk_span){0}),
        .record_key_len = target->key.len};
    memcpy(space->index, target->index, sizeof space->index);
    memcpy(space->record_key, target->key.data, target->key.len);
    take_space(space, &target->record);
}

/* The record that the space was made of may say by now that rows are of other eras. */
static enum gk_status read_record_again(struct gk_page_space *space, struct gk_error *error)
{
    struct gk_place place = space->place;
    struct gk_blob_record record;
    struct gk_buf value;
    struct gk_buf open;
    place.kind = GK_VALUE_BLOB;
    place.key = gk_span_of(space->record_key, space->record_key_len);
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    enum gk_status status = gk_value_get(space->store, space->index, place.key, &value, error);
    if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&value), &open, error);
    }
    if (status == GK_OK) {
        status = gk_blob_record_decode(gk_buf_span(&open), &record, error);
    }
    if (status == GK_OK) {
        if (gk_id_equal(&record.kind.space, &space->id)) {
            take_space(space, &record);
        }
        gk_blob_record_cleanup(&record);
    }
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* --- reading ------------------------------------------------------------------------------------*/

/* Keys of a group and of rows of it, and the values that were found. */
struct found {
    struct gk_buf keys; /* one after the other */
    size_t ends[GK_PAGE_ROWS_MAX + 1];
    struct gk_span spans[GK_PAGE_ROWS_MAX + 1]; /* into keys; the group's first */
    struct gk_buf values[GK_PAGE_ROWS_MAX + 1]; /* empty for what is not there */
    size_t count;
    bool missing; /* a row that must be there is not */
    bool other;   /* a row is of another era than that which was asked for */
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
    gk_buf_init(&found->keys, (GK_PAGE_ROWS_MAX + 1u) * GK_PAGE_KEY_BYTES_MAX);
    gk_page_group_key(&found->keys, &space->id, rows->group, space->eras.groups[rows->group]);
    found->ends[0] = found->keys.len;
    for (uint32_t i = 0; i < rows->count; i++) {
        gk_page_key(&found->keys, &space->id, rows->items[i].index, rows->items[i].era);
        found->ends[i + 1] = found->keys.len;
    }
    found->count = rows->count + 1u;
    for (size_t i = 0, at = 0; i < found->count; at = found->ends[i++]) {
        found->spans[i] = gk_span_of(found->keys.data + at, found->ends[i] - at);
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
    return gk_buf_status(&found->values[at]) == GK_OK
               ? gk_value_open(&place, gk_buf_span(&found->values[at]), open, error)
               : gk_value_too_long(&found->values[at], space->index, error);
}

static enum gk_status take_group(const struct gk_page_space *space, struct found *found,
                                 struct gk_page_rows *rows, struct gk_error *error)
{
    memset(&rows->present, 0, sizeof rows->present);
    if (!gk_bits_get(space->groups, rows->group)) {
        return GK_OK;
    }
    found->missing = found->values[0].len == 0;
    if (found->missing) {
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

static enum gk_status take_row(const struct gk_page_space *space, struct found *found, uint32_t at,
                               struct gk_page_rows *rows, struct gk_error *error)
{
    struct gk_page_row *row = &rows->items[at];
    struct gk_page_ages *ages = rows->ages == NULL ? NULL : &rows->ages[at];
    const uint32_t bit = row->index % GK_PAGE_GROUP_OBJECTS;
    const bool asked = row->era == rows->present.eras[bit];
    row->exists = gk_bits_get(rows->present.present, bit);
    row->era = rows->present.eras[bit];
    memset(&row->map, 0, sizeof row->map);
    if (ages != NULL) {
        memset(ages, 0, sizeof *ages);
    }
    if (!row->exists) {
        return GK_OK;
    }
    found->other = found->other || !asked;
    found->missing = found->missing || (asked && found->values[at + 1u].len == 0);
    if (!asked || found->missing) {
        return GK_OK;
    }
    struct gk_buf open;
    enum gk_status status = open_value(space, found, at + 1u, GK_VALUE_PAGES, &open, error);
    if (status == GK_OK) {
        status = gk_page_map_decode(gk_buf_span(&open), &row->map, ages, error);
    }
    row->was_object = row->map.object;
    row->was_made = row->map.made;
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status find_rows(const struct gk_page_space *space, struct found *found,
                                struct gk_page_rows *rows, struct gk_error *error)
{
    enum gk_status status = gk_buf_status(&found->keys);
    if (status == GK_OK) {
        status = gk_store_map_find(space->store, GK_POOL_META, space->index, found->spans,
                                   found->count, take_value, found, error);
    }
    if (status == GK_OK) {
        status = take_group(space, found, rows, error);
    }
    for (uint32_t i = 0; i < rows->count && status == GK_OK && !found->missing; i++) {
        status = take_row(space, found, i, rows, error);
    }
    return status;
}

/* Reads the rows by the eras that they are thought to be of; *settled: they are of those. */
static enum gk_status read_once(struct gk_page_space *space, struct gk_page_rows *rows,
                                bool *settled, struct gk_error *error)
{
    struct found *found = calloc(1, sizeof *found);
    if (found == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    name_rows(found, space, rows);
    enum gk_status status = find_rows(space, found, rows, error);
    if (status == GK_OK && found->missing) {
        status = read_record_again(space, error);
    }
    *settled = !found->missing && !found->other;
    for (size_t i = 0; i < found->count; i++) {
        gk_buf_cleanup(&found->values[i]);
    }
    gk_buf_cleanup(&found->keys);
    free(found);
    return status;
}

enum gk_status gk_page_rows_read(struct gk_page_space *space, struct gk_page_rows *rows,
                                 struct gk_error *error)
{
    bool settled = false;
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; i < rows->count; i++) {
        rows->items[i].era = space->eras.groups[rows->group];
    }
    for (unsigned i = 0; i < ATTEMPTS && status == GK_OK && !settled; i++) {
        status = read_once(space, rows, &settled, error);
    }
    return status == GK_OK && !settled
               ? gk_fail(error, GK_E_INTEGRITY, "a row of a page blob is missing in %s",
                         space->index)
               : status;
}

/* The rows of rows' group that are there by what was read of the group last; what went since is left out. */
static enum gk_status read_present(struct gk_page_space *space, uint32_t from, uint32_t to,
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
            if (rows->ages != NULL && kept != i) {
                rows->ages[kept] = rows->ages[i];
            }
            rows->items[kept++] = rows->items[i];
        }
    }
    rows->count = status == GK_OK ? kept : 0;
    return status;
}

enum gk_status gk_page_rows_next(struct gk_page_space *space, uint32_t *index, uint32_t end,
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

/* Whether no state can name what the blob has of this era. */
static bool own(const struct gk_page_space *space, uint32_t era)
{
    return era >= space->eras.shared;
}

/* The row that was read is no longer the blob's, or its object is not. */
static void drop_row(const struct gk_page_space *space, const struct gk_page_row *row, bool empty,
                     struct gk_blob_write *write)
{
    if (own(space, row->was_made) && (empty || !gk_id_equal(&row->was_object, &row->map.object))) {
        gk_garbage_add(&write->garbage, GK_GARBAGE_SEGMENT, &row->was_object, GK_PAGE_OBJECT_BYTES);
    }
    if (own(space, row->era) && (empty || row->era != space->eras.era)) {
        struct gk_buf key;
        gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
        gk_page_key(&key, &space->id, row->index, row->era);
        gk_changes_remove(&write->changes, &key);
        gk_buf_cleanup(&key);
    }
}

enum gk_status gk_page_row_set(const struct gk_page_space *space, const struct gk_page_row *row,
                               const struct gk_page_ages *ages, struct gk_change_list *changes,
                               struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_PAGE_ROW_BYTES_MAX);
    gk_page_key(&key, &space->id, row->index, row->era);
    gk_page_map_encode(&row->map, ages, &open);
    const enum gk_status status = set_row(space, GK_VALUE_PAGES, &key, &open, changes, error);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status write_row(const struct gk_page_space *space, struct gk_page_rows *rows,
                                uint32_t at, struct gk_blob_write *write, struct gk_error *error)
{
    struct gk_page_row *row = &rows->items[at];
    const bool empty =
        gk_bits_find(row->map.written, 0, GK_PAGE_OBJECT_PAGES, true) == GK_PAGE_OBJECT_PAGES;
    if (row->exists) {
        drop_row(space, row, empty, write);
    }
    row->exists = !empty;
    row->era = empty ? 0 : space->eras.era;
    return empty ? GK_OK
                 : gk_page_row_set(space, row, rows->ages == NULL ? NULL : &rows->ages[at],
                                   &write->changes, error);
}

enum gk_status gk_page_rows_write_some(const struct gk_page_space *space, struct gk_page_rows *rows,
                                       struct gk_page_group *group, bool *changed,
                                       struct gk_blob_write *write, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; i < rows->count && status == GK_OK; i++) {
        const struct gk_page_row *row = &rows->items[i];
        const uint32_t at = row->index % GK_PAGE_GROUP_OBJECTS;
        status = write_row(space, rows, i, write, error);
        *changed = *changed || gk_bits_get(group->present, at) != row->exists ||
                   group->eras[at] != row->era;
        gk_bits_set(group->present, at, at + 1, row->exists);
        group->eras[at] = row->era;
    }
    return status;
}

enum gk_status gk_page_group_set(const struct gk_page_space *space, uint32_t number, uint32_t era,
                                 const struct gk_page_group *group, struct gk_change_list *changes,
                                 struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_PAGE_ROW_BYTES_MAX);
    gk_page_group_key(&key, &space->id, number, era);
    gk_page_group_encode(group, &open);
    const enum gk_status status = set_row(space, GK_VALUE_GROUP, &key, &open, changes, error);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    return status;
}

/* The group in the present era, and no longer in the one before if nobody else has that. */
enum gk_status gk_page_group_write(const struct gk_page_space *space, uint32_t number,
                                   const struct gk_page_group *group, struct gk_blob_write *write,
                                   struct gk_blob_record *record, struct gk_error *error)
{
    const uint32_t was = space->eras.groups[number];
    if (gk_bits_get(space->groups, number) && was != space->eras.era && own(space, was)) {
        struct gk_buf key;
        gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
        gk_page_group_key(&key, &space->id, number, was);
        gk_changes_remove(&write->changes, &key);
        gk_buf_cleanup(&key);
    }
    gk_bits_set(record->kind.groups, number, number + 1, true);
    record->eras.groups[number] = space->eras.era;
    return gk_page_group_set(space, number, space->eras.era, group, &write->changes, error);
}

enum gk_status gk_page_rows_write(const struct gk_page_space *space, struct gk_page_rows *rows,
                                  struct gk_blob_write *write, struct gk_blob_record *record,
                                  struct gk_error *error)
{
    bool changed = false;
    const enum gk_status status =
        gk_page_rows_write_some(space, rows, &rows->present, &changed, write, error);
    return status == GK_OK && changed
               ? gk_page_group_write(space, rows->group, &rows->present, write, record, error)
               : status;
}
