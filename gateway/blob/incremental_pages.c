/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/incremental_pages.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"

/* Of rows, in one write: that of a row in which each second page is of another era is 49 KB. */
#define WRITE_BYTES_MAX (48u << 20)

/* The source and the blob's own side, with rows of some pieces. */
struct sides {
    struct gk_page_space source;
    struct gk_page_space own;
    struct gk_page_rows source_rows;
    struct gk_page_rows own_rows;
    struct gk_page_row source_items[GK_PAGE_CHANGES_MAX];
    struct gk_page_row own_items[GK_PAGE_CHANGES_MAX];
    struct gk_page_ages ages[GK_PAGE_CHANGES_MAX]; /* of the source's */
    bool follows; /* there was a copy before: of the snapshot that ended this era */
    uint32_t era;
    uint64_t size;
};

/* --- which pieces -------------------------------------------------------------------------------*/

/* Whether what is of this era of the source came after the last copy. */
static bool is_later(const struct sides *sides, uint32_t era)
{
    return !sides->follows || era > sides->era;
}

/* Whether any of the group's pieces can differ: the source has its row anew, or it ends before the group's
 * end. */
static bool may_differ(const struct sides *sides, uint32_t group)
{
    const uint64_t end = (uint64_t)(group + 1) * GK_PAGE_GROUP_OBJECTS * GK_PAGE_OBJECT_BYTES;
    if (gk_bits_get(sides->source.groups, group) &&
        is_later(sides, sides->source.eras.groups[group])) {
        return true;
    }
    return gk_bits_get(sides->own.groups, group) && end > sides->size;
}

/* The same for a piece, by the rows of the groups. */
static bool piece_may_differ(const struct sides *sides, uint32_t index)
{
    const uint32_t at = index % GK_PAGE_GROUP_OBJECTS;
    const struct gk_page_group *source = &sides->source_rows.present;
    const bool there = gk_bits_get(source->present, at);
    const bool own = gk_bits_get(sides->own_rows.present.present, at);
    return there != own || (there && is_later(sides, source->eras[at])) ||
           (own && index >= sides->size / GK_PAGE_OBJECT_BYTES);
}

/* The next pieces of the group that may differ, from *index on, which is moved behind them. */
static void choose(struct sides *sides, uint32_t *index, uint32_t to)
{
    uint32_t count = 0;
    for (; *index < to && count < GK_PAGE_CHANGES_MAX; *index += 1) {
        if (piece_may_differ(sides, *index)) {
            sides->source_items[count].index = *index;
            sides->own_items[count++].index = *index;
        }
    }
    sides->source_rows.count = count;
    sides->own_rows.count = count;
}

static enum gk_status read_both(struct sides *sides, struct gk_error *error)
{
    const enum gk_status status = gk_page_rows_read(&sides->source, &sides->source_rows, error);
    return status == GK_OK ? gk_page_rows_read(&sides->own, &sides->own_rows, error) : status;
}

/* --- which pages --------------------------------------------------------------------------------*/

static bool has_any(const uint8_t *pages)
{
    return gk_bits_find(pages, 0, GK_PAGE_OBJECT_PAGES, true) < GK_PAGE_OBJECT_PAGES;
}

/* source has no page behind the blob's end. */
static void compare(const struct sides *sides, uint32_t at, struct gk_page_change *change)
{
    const uint8_t *source = sides->source_items[at].map.written;
    const uint8_t *own = sides->own_items[at].map.written;
    *change = (struct gk_page_change){.index = sides->source_items[at].index};
    for (uint32_t page = 0; page < GK_PAGE_OBJECT_PAGES; page++) {
        const bool had = gk_bits_get(own, page);
        if (!gk_bits_get(source, page)) {
            gk_bits_set(change->cleared, page, page + 1, had);
        } else if (!had || is_later(sides, sides->ages[at].eras[page])) {
            gk_bits_set(change->written, page, page + 1, true);
        }
    }
}

static enum gk_status add_change(struct gk_incremental_pages *pages,
                                 const struct gk_page_change *change, struct gk_error *error)
{
    if (pages->changes_count == GK_PAGE_COPY_ROWS_MAX) {
        return gk_refuse_because(error, 413, "RequestBodyTooLarge",
                                 "A copy takes %u pieces of 4 MiB that were changed.",
                                 GK_PAGE_COPY_ROWS_MAX);
    }
    if (pages->changes_count == pages->changes_cap) {
        const uint32_t cap = pages->changes_cap == 0 ? GK_PAGE_CHANGES_MAX : 2 * pages->changes_cap;
        struct gk_page_change *changes = reallocarray(pages->changes, cap, sizeof *changes);
        if (changes == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        pages->changes = changes;
        pages->changes_cap = cap;
    }
    pages->changes[pages->changes_count++] = *change;
    return GK_OK;
}

static enum gk_status take_piece(struct gk_incremental_pages *pages, struct sides *sides,
                                 uint32_t at, struct gk_error *error)
{
    struct gk_page_row *source = &sides->source_items[at];
    struct gk_page_change change;
    gk_page_copy_cut(source->index, sides->size, source->map.written);
    compare(sides, at, &change);
    if (!has_any(change.written) && !has_any(change.cleared)) {
        return GK_OK;
    }
    const enum gk_status status = add_change(pages, &change, error);
    return status == GK_OK && has_any(change.written)
               ? gk_page_copy_add(&pages->copy, source->index, source->map.written, error)
               : status;
}

static enum gk_status find_in_group(struct gk_incremental_pages *pages, struct sides *sides,
                                    uint32_t group, struct gk_error *error)
{
    uint32_t index = group * GK_PAGE_GROUP_OBJECTS;
    const uint32_t end = index + GK_PAGE_GROUP_OBJECTS;
    sides->source_rows.group = group;
    sides->own_rows.group = group;
    sides->source_rows.count = 0;
    sides->own_rows.count = 0;
    enum gk_status status = read_both(sides, error);
    while (status == GK_OK && index < end) {
        choose(sides, &index, end);
        if (sides->source_rows.count > 0) {
            status = read_both(sides, error);
        }
        for (uint32_t i = 0; i < sides->source_rows.count && status == GK_OK; i++) {
            status = take_piece(pages, sides, i, error);
        }
    }
    return status;
}

enum gk_status gk_incremental_pages_find(struct gk_request *request,
                                         const struct gk_blob_target *own, struct gk_error *error)
{
    const struct gk_blob_target *source = gk_copy_source_target(request->source);
    struct sides *sides = calloc(1, sizeof *sides);
    if (sides == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_page_space_init(&sides->source, gk_copy_source_request(request->source), source);
    gk_page_space_init(&sides->own, request, own);
    sides->source_rows.items = sides->source_items;
    sides->source_rows.ages = sides->ages;
    sides->own_rows.items = sides->own_items;
    sides->follows = gk_incremental_given(&own->record.incremental);
    sides->era = own->record.incremental.era;
    sides->size = source->record.size;
    enum gk_status status = GK_OK;
    for (uint32_t group = 0; group < GK_PAGE_GROUPS_MAX && status == GK_OK; group++) {
        if (may_differ(sides, group)) {
            status = find_in_group(request->state, sides, group, error);
        }
    }
    free(sides);
    return status;
}

/* --- their rows ---------------------------------------------------------------------------------*/

/* A write of rows, group by group, and some rows at once. */
struct writing {
    struct gk_page_space space;
    struct gk_page_rows rows;
    struct gk_page_group group;
    struct gk_page_row items[GK_PAGE_ROWS_MAX];
    struct gk_page_ages ages[GK_PAGE_ROWS_MAX];
    const struct gk_page_row *poured; /* the next one */
    struct gk_blob_write *write;
    struct gk_blob_record *record;
};

/* The row that was read as the change has it. */
static void apply(struct writing *writing, const struct gk_page_change *change, uint32_t at)
{
    struct gk_page_row *row = &writing->items[at];
    const uint32_t era = writing->space.eras.era;
    for (uint32_t page = 0; page < GK_PAGE_OBJECT_PAGES; page++) {
        const bool written = gk_bits_get(change->written, page);
        if (written || gk_bits_get(change->cleared, page)) {
            gk_bits_set(row->map.written, page, page + 1, written);
            writing->ages[at].eras[page] = written ? era : 0;
        }
    }
    if (has_any(change->written)) {
        row->map.object = writing->poured->map.object;
        row->map.made = era;
        writing->poured++;
    }
}

/* As many of the changes as are of one group and can be read at once: *count. first: none of the group was
 * written yet. */
static enum gk_status write_some(struct writing *writing, const struct gk_page_change *changes,
                                 uint32_t left, bool first, uint32_t *count, bool *changed,
                                 struct gk_error *error)
{
    struct gk_page_rows *rows = &writing->rows;
    rows->count = 0;
    while (rows->count < left && rows->count < GK_PAGE_ROWS_MAX &&
           changes[rows->count].index / GK_PAGE_GROUP_OBJECTS == rows->group) {
        writing->items[rows->count].index = changes[rows->count].index;
        rows->count++;
    }
    *count = rows->count;
    const enum gk_status status = gk_page_rows_read(&writing->space, rows, error);
    if (status != GK_OK) {
        return status;
    }
    if (first) {
        writing->group = rows->present;
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        apply(writing, &changes[i], i);
    }
    return gk_page_rows_write_some(&writing->space, rows, &writing->group, changed, writing->write,
                                   error);
}

/* The changes of one group, from *at on, which is moved behind them. */
static enum gk_status write_group(struct writing *writing, const struct gk_incremental_pages *pages,
                                  uint32_t *at, struct gk_error *error)
{
    const uint32_t first = *at;
    bool changed = false;
    uint32_t count = 0;
    enum gk_status status = GK_OK;
    writing->rows.group = pages->changes[first].index / GK_PAGE_GROUP_OBJECTS;
    do {
        status = write_some(writing, &pages->changes[*at], pages->changes_count - *at, *at == first,
                            &count, &changed, error);
        *at += count;
    } while (status == GK_OK && *at < pages->changes_count &&
             pages->changes[*at].index / GK_PAGE_GROUP_OBJECTS == writing->rows.group);
    return status == GK_OK && changed
               ? gk_page_group_write(&writing->space, writing->rows.group, &writing->group,
                                     writing->write, writing->record, error)
               : status;
}

static enum gk_status check_bytes(const struct gk_blob_write *write, struct gk_error *error)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < write->changes.count; i++) {
        bytes += write->changes.items[i].value.len;
    }
    return bytes <= WRITE_BYTES_MAX
               ? GK_OK
               : gk_refuse_because(
                     error, 413, "RequestBodyTooLarge",
                     "Too many pages were changed here and there: %llu bytes of rows.",
                     (unsigned long long)bytes);
}

enum gk_status gk_incremental_pages_write(struct gk_request *request,
                                          const struct gk_blob_target *own,
                                          struct gk_blob_write *write,
                                          struct gk_blob_record *record, struct gk_error *error)
{
    struct gk_incremental_pages *pages = request->state;
    struct writing *writing = calloc(1, sizeof *writing);
    if (writing == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_page_space_init(&writing->space, request, own);
    writing->rows.items = writing->items;
    writing->rows.ages = writing->space.eras.era > 0 ? writing->ages : NULL;
    writing->poured = pages->copy.rows;
    writing->write = write;
    writing->record = record;
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < pages->changes_count && status == GK_OK;) {
        status = write_group(writing, pages, &at, error);
        if (status == GK_OK) {
            status = check_bytes(write, error);
        }
    }
    pages->copy.offered = pages->copy.offered || status == GK_OK;
    free(writing);
    return status;
}

void gk_incremental_pages_cleanup(struct gk_request *request)
{
    struct gk_incremental_pages *pages = request->state;
    gk_page_copy_cleanup(request);
    free(pages->changes);
}
