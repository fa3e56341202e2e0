/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/shared_pages.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/record.h"
#include "gateway/blob/rows.h"

#define ATTEMPTS_MAX   16u
#define REMOVE_AT_ONCE 256u

/* Numbers, ascending and without repetition: a piece or a group, and the era of its row. */
struct numbers {
    uint64_t *items;
    size_t count;
};

static uint64_t number_of(uint32_t index, uint32_t era)
{
    return (uint64_t)index << 32 | era;
}

/* A row of the piece that is looked at. */
struct piece_row {
    uint32_t era;
    struct gk_id object;
    bool stays;
};

struct sweep {
    struct gk_rows rows;
    const struct gk_removal *removal;
    struct gk_span blob;
    struct gk_id space;
    uint32_t
        present; /* era of the base: its rows are not looked at; UINT32_MAX: it has another space */
    struct numbers groups;  /* that are named */
    struct numbers orphans; /* groups that nobody names */
    uint32_t group;         /* the one whose rows are looked at */
    struct numbers named;   /* its rows that are named */
    uint32_t piece;
    struct piece_row *piece_rows;
    size_t piece_rows_count;
    size_t piece_rows_cap;
    struct gk_garbage objects;
    struct gk_change_list removals;
    bool moved; /* a group that is named is not there: it is of another era by now */
    struct gk_error *error;
};

/* --- numbers ------------------------------------------------------------------------------------*/

static int by_number(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* some ascends. */
static enum gk_status unite(struct numbers *all, const struct numbers *some, struct gk_error *error)
{
    uint64_t *items = calloc(all->count + some->count + 1, sizeof *items);
    size_t count = 0;
    if (items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (size_t i = 0, j = 0; i < all->count || j < some->count;) {
        const bool first = j == some->count || (i < all->count && all->items[i] <= some->items[j]);
        const uint64_t next = first ? all->items[i++] : some->items[j++];
        if (count == 0 || items[count - 1] != next) {
            items[count++] = next;
        }
    }
    free(all->items);
    *all = (struct numbers){.items = items, .count = count};
    return GK_OK;
}

static bool has(const struct numbers *numbers, uint64_t number)
{
    return numbers->count > 0 && bsearch(&number, numbers->items, numbers->count,
                                         sizeof *numbers->items, by_number) != NULL;
}

static void forget(struct numbers *numbers)
{
    free(numbers->items);
    *numbers = (struct numbers){0};
}

/* --- which groups are named ---------------------------------------------------------------------*/

static enum gk_status open_record(const struct sweep *sweep, struct gk_span key,
                                  struct gk_span value, struct gk_blob_record *record)
{
    struct gk_place place = sweep->rows.place;
    struct gk_buf open;
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    place.kind = GK_VALUE_BLOB;
    place.key = key;
    enum gk_status status = gk_value_open(&place, value, &open, sweep->error);
    if (status == GK_OK) {
        status = gk_blob_record_decode(gk_buf_span(&open), record, sweep->error);
    }
    gk_buf_cleanup(&open);
    return status;
}

/* The groups of the base's or a state's record, when that has the space. */
static enum gk_status name_groups(struct sweep *sweep, const struct gk_blob_record *record)
{
    uint64_t items[GK_PAGE_GROUPS_MAX];
    struct numbers some = {.items = items};
    for (uint32_t group = 0; group < GK_PAGE_GROUPS_MAX; group++) {
        if (gk_bits_get(record->kind.groups, group)) {
            items[some.count++] = number_of(group, record->eras.groups[group]);
        }
    }
    return unite(&sweep->groups, &some, sweep->error);
}

static bool has_space(const struct sweep *sweep, const struct gk_blob_record *record)
{
    return record->kind.type == GK_BLOB_PAGE && gk_id_equal(&record->kind.space, &sweep->space);
}

static enum gk_status name_state(void *ctx, struct gk_span key, struct gk_span value)
{
    struct sweep *sweep = ctx;
    struct gk_blob_record record;
    enum gk_status status = open_record(sweep, key, value, &record);
    if (status == GK_OK) {
        status = has_space(sweep, &record) ? name_groups(sweep, &record) : GK_OK;
        gk_blob_record_cleanup(&record);
    }
    return status;
}

static enum gk_status name_base(struct sweep *sweep, struct gk_span key)
{
    struct gk_buf value;
    struct gk_blob_record record;
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    sweep->present = UINT32_MAX;
    enum gk_status status =
        gk_value_get(sweep->removal->store, sweep->rows.index, key, &value, sweep->error);
    if (status == GK_OK) {
        status = open_record(sweep, key, gk_buf_span(&value), &record);
        if (status == GK_OK) {
            if (has_space(sweep, &record)) {
                sweep->present = record.eras.era;
                status = name_groups(sweep, &record);
            }
            gk_blob_record_cleanup(&record);
        }
    } else if (status == GK_E_NOT_FOUND) {
        gk_error_clear(sweep->error);
        status = GK_OK;
    }
    gk_buf_cleanup(&value);
    return status;
}

static enum gk_status name_all_groups(struct sweep *sweep)
{
    struct gk_buf key;
    struct gk_buf prefix;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append_str(&key, "b/");
    gk_buf_append(&key, sweep->blob.data, sweep->blob.len);
    gk_state_prefix(&prefix, gk_buf_span(&key));
    forget(&sweep->groups);
    enum gk_status status = name_base(sweep, gk_buf_span(&key));
    if (status == GK_OK) {
        status = gk_rows_walk(&sweep->rows, gk_buf_span(&prefix), name_state, sweep);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&prefix);
    return status;
}

static enum gk_status find_orphan(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct sweep *sweep = ctx;
    uint32_t group = 0;
    uint32_t era = 0;
    if (!gk_page_key_parse(key, &group, &era)) {
        return gk_fail(sweep->error, GK_E_INTEGRITY, "a key of a page blob is not well-formed");
    }
    uint64_t number = number_of(group, era);
    const struct numbers one = {.items = &number, .count = 1};
    return era < sweep->present && !has(&sweep->groups, number)
               ? unite(&sweep->orphans, &one, sweep->error)
               : GK_OK;
}

static enum gk_status find_orphans(struct sweep *sweep)
{
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_page_group_prefix(&prefix, &sweep->space);
    forget(&sweep->orphans);
    const enum gk_status status =
        gk_rows_walk(&sweep->rows, gk_buf_span(&prefix), find_orphan, sweep);
    gk_buf_cleanup(&prefix);
    return status;
}

/* --- which rows of a group are named ------------------------------------------------------------*/

static enum gk_status unite_rows(struct sweep *sweep, const struct gk_page_group *group)
{
    struct numbers some = {.items = calloc(GK_PAGE_GROUP_OBJECTS, sizeof *some.items)};
    if (some.items == NULL) {
        return gk_fail(sweep->error, GK_E_RESOURCE, "out of memory");
    }
    for (uint32_t at = 0; at < GK_PAGE_GROUP_OBJECTS; at++) {
        if (gk_bits_get(group->present, at)) {
            some.items[some.count++] =
                number_of(sweep->group * GK_PAGE_GROUP_OBJECTS + at, group->eras[at]);
        }
    }
    const enum gk_status status = unite(&sweep->named, &some, sweep->error);
    free(some.items);
    return status;
}

static enum gk_status name_rows(struct sweep *sweep, uint32_t era)
{
    struct gk_place place = sweep->rows.place;
    struct gk_page_group group;
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_PAGE_ROW_BYTES_MAX);
    gk_buf_init(&open, GK_PAGE_ROW_BYTES_MAX);
    gk_page_group_key(&key, &sweep->space, sweep->group, era);
    place.kind = GK_VALUE_GROUP;
    place.key = gk_buf_span(&key);
    enum gk_status status =
        gk_value_get(sweep->removal->store, sweep->rows.index, place.key, &value, sweep->error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(sweep->error);
        sweep->moved = true;
        status = GK_OK;
    } else if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&value), &open, sweep->error);
        if (status == GK_OK) {
            status = gk_page_group_decode(gk_buf_span(&open), &group, sweep->error);
        }
        if (status == GK_OK) {
            status = unite_rows(sweep, &group);
        }
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status name_all_rows(struct sweep *sweep)
{
    enum gk_status status = GK_OK;
    forget(&sweep->named);
    for (size_t i = 0; i < sweep->groups.count && status == GK_OK && !sweep->moved; i++) {
        if ((uint32_t)(sweep->groups.items[i] >> 32) == sweep->group) {
            status = name_rows(sweep, (uint32_t)sweep->groups.items[i]);
        }
    }
    return status;
}

/* --- removal ------------------------------------------------------------------------------------*/

/* Objects before the rows that tell of them. */
static enum gk_status remove_gathered(struct sweep *sweep)
{
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = sweep->rows.index,
                                   .guards = &exists,
                                   .guards_count = 1,
                                   .changes = sweep->removals.items,
                                   .changes_count = sweep->removals.count};
    enum gk_status status = sweep->objects.failed
                                ? gk_fail(sweep->error, GK_E_RESOURCE, "out of memory")
                                : gk_changes_status(&sweep->removals);
    if (status == GK_OK) {
        status = gk_removal_items(sweep->removal, &sweep->rows.place.container, sweep->rows.index,
                                  &sweep->objects, sweep->error);
    }
    if (status == GK_OK && sweep->removals.count > 0) {
        status = gk_store_write(sweep->removal->store, &op, NULL, sweep->error);
    }
    gk_garbage_cleanup(&sweep->objects);
    gk_changes_cleanup(&sweep->removals);
    gk_changes_init(&sweep->removals);
    return status;
}

static void remove_row(struct sweep *sweep, uint32_t era)
{
    struct gk_buf key;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_page_key(&key, &sweep->space, sweep->piece, era);
    gk_changes_remove(&sweep->removals, &key);
    gk_buf_cleanup(&key);
}

static bool object_stays(const struct sweep *sweep, const struct gk_id *object)
{
    for (size_t i = 0; i < sweep->piece_rows_count; i++) {
        if (sweep->piece_rows[i].stays && gk_id_equal(&sweep->piece_rows[i].object, object)) {
            return true;
        }
    }
    return false;
}

/* All rows of a piece were seen. */
static enum gk_status end_piece(struct sweep *sweep)
{
    for (size_t i = 0; i < sweep->piece_rows_count; i++) {
        const struct piece_row *row = &sweep->piece_rows[i];
        if (row->stays) {
            continue;
        }
        if (!object_stays(sweep, &row->object)) {
            gk_garbage_add(&sweep->objects, GK_GARBAGE_SEGMENT, &row->object, GK_PAGE_OBJECT_BYTES);
        }
        remove_row(sweep, row->era);
    }
    sweep->piece_rows_count = 0;
    return sweep->removals.count < REMOVE_AT_ONCE ? GK_OK : remove_gathered(sweep);
}

static enum gk_status add_row(struct sweep *sweep, uint32_t piece, const struct piece_row *row)
{
    enum gk_status status = GK_OK;
    if (piece != sweep->piece) {
        status = end_piece(sweep);
        sweep->piece = piece;
    }
    if (sweep->piece_rows_count == sweep->piece_rows_cap) {
        const size_t cap = sweep->piece_rows_cap == 0 ? 16 : 2 * sweep->piece_rows_cap;
        struct piece_row *rows = reallocarray(sweep->piece_rows, cap, sizeof *rows);
        if (rows == NULL) {
            return gk_fail(sweep->error, GK_E_RESOURCE, "out of memory");
        }
        sweep->piece_rows = rows;
        sweep->piece_rows_cap = cap;
    }
    sweep->piece_rows[sweep->piece_rows_count++] = *row;
    return status;
}

static enum gk_status look_at_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct sweep *sweep = ctx;
    struct gk_place place = sweep->rows.place;
    struct piece_row row;
    struct gk_page_map map;
    struct gk_buf open;
    uint32_t piece = 0;
    if (!gk_page_key_parse(key, &piece, &row.era)) {
        return gk_fail(sweep->error, GK_E_INTEGRITY, "a key of a page blob is not well-formed");
    }
    if (piece / GK_PAGE_GROUP_OBJECTS != sweep->group) {
        return GK_OK;
    }
    gk_buf_init(&open, GK_PAGE_ROW_BYTES_MAX);
    place.kind = GK_VALUE_PAGES;
    place.key = key;
    enum gk_status status = gk_value_open(&place, value, &open, sweep->error);
    if (status == GK_OK) {
        status = gk_page_map_decode(gk_buf_span(&open), &map, NULL, sweep->error);
    }
    gk_buf_cleanup(&open);
    if (status != GK_OK) {
        return status;
    }
    row.object = map.object;
    row.stays = row.era >= sweep->present || has(&sweep->named, number_of(piece, row.era));
    return add_row(sweep, piece, &row);
}

static enum gk_status sweep_group(struct sweep *sweep)
{
    struct gk_buf prefix;
    struct gk_buf from;
    struct gk_buf before;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&from, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&before, GK_MAP_KEY_BYTES_MAX);
    gk_page_prefix(&prefix, &sweep->space);
    gk_page_key(&from, &sweep->space, sweep->group * GK_PAGE_GROUP_OBJECTS, 0);
    gk_page_key(&before, &sweep->space, (sweep->group + 1) * GK_PAGE_GROUP_OBJECTS, 0);
    sweep->piece = sweep->group * GK_PAGE_GROUP_OBJECTS;
    enum gk_status status = name_all_rows(sweep);
    if (status == GK_OK && !sweep->moved) {
        status = gk_rows_walk_part(&sweep->rows, gk_buf_span(&prefix), gk_buf_span(&from),
                                   gk_buf_span(&before), look_at_row, sweep);
    }
    if (status == GK_OK) {
        status = end_piece(sweep);
    }
    if (status == GK_OK) {
        status = remove_gathered(sweep);
    }
    gk_buf_cleanup(&prefix);
    gk_buf_cleanup(&from);
    gk_buf_cleanup(&before);
    return status;
}

/* --- the whole ----------------------------------------------------------------------------------*/

/* Each group that somebody named once and nobody names now: first its rows, then itself. */
static enum gk_status sweep_groups(struct sweep *sweep)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < sweep->orphans.count && status == GK_OK && !sweep->moved; i++) {
        const uint32_t group = (uint32_t)(sweep->orphans.items[i] >> 32);
        if (i == 0 || group != sweep->group) {
            sweep->group = group;
            status = sweep_group(sweep);
        }
    }
    for (size_t i = 0; i < sweep->orphans.count && status == GK_OK && !sweep->moved; i++) {
        const uint64_t number = sweep->orphans.items[i];
        struct gk_buf key;
        gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
        gk_page_group_key(&key, &sweep->space, (uint32_t)(number >> 32), (uint32_t)number);
        gk_changes_remove(&sweep->removals, &key);
        gk_buf_cleanup(&key);
        if (sweep->removals.count == REMOVE_AT_ONCE) {
            status = remove_gathered(sweep);
        }
    }
    return status == GK_OK ? remove_gathered(sweep) : status;
}

static enum gk_status sweep_once(struct sweep *sweep)
{
    sweep->moved = false;
    enum gk_status status = name_all_groups(sweep);
    if (status == GK_OK) {
        status = find_orphans(sweep);
    }
    return status == GK_OK ? sweep_groups(sweep) : status;
}

enum gk_status gk_shared_pages_remove(const struct gk_removal *removal,
                                      const struct gk_id *container, const char *index,
                                      struct gk_span blob, const struct gk_id *space,
                                      struct gk_error *error)
{
    struct sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_rows_init(&sweep->rows, removal, container, index, error);
    sweep->removal = removal;
    sweep->blob = blob;
    sweep->space = *space;
    sweep->error = error;
    gk_garbage_init(&sweep->objects);
    gk_changes_init(&sweep->removals);
    enum gk_status status = sweep_once(sweep);
    for (unsigned i = 1; i < ATTEMPTS_MAX && status == GK_OK && sweep->moved; i++) {
        status = sweep_once(sweep);
    }
    if (status == GK_OK && sweep->moved) {
        status = gk_fail(error, GK_E_CONFLICT, "a page blob comes into another era all the time");
    }
    forget(&sweep->groups);
    forget(&sweep->orphans);
    forget(&sweep->named);
    free(sweep->piece_rows);
    gk_garbage_cleanup(&sweep->objects);
    gk_changes_cleanup(&sweep->removals);
    free(sweep);
    return status;
}
