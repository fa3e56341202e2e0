/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/refs.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/garbage.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"

void gk_refs_init(struct gk_refs *refs)
{
    memset(refs, 0, sizeof *refs);
}

void gk_refs_cleanup(struct gk_refs *refs)
{
    free(refs->items);
    gk_refs_init(refs);
}

void gk_refs_reset(struct gk_refs *refs)
{
    refs->count = 0;
    refs->failed = false;
}

static void add(struct gk_refs *refs, const struct gk_id *segment, uint64_t length)
{
    if (refs->count == refs->cap) {
        const size_t cap = refs->cap == 0 ? 64 : 2 * refs->cap;
        struct gk_segment_ref *items = reallocarray(refs->items, cap, sizeof *items);
        if (items == NULL) {
            refs->failed = true;
            return;
        }
        refs->items = items;
        refs->cap = cap;
    }
    refs->items[refs->count++] = (struct gk_segment_ref){.segment = *segment, .length = length};
}

static void add_entries(struct gk_refs *refs, const struct gk_manifest_entry *entries,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!entries[i].lent) {
            add(refs, &entries[i].segment, entries[i].length);
        }
    }
}

/* --- by kind ------------------------------------------------------------------------------------*/

static enum gk_status add_blob(struct gk_span open, struct gk_refs *refs, struct gk_error *error)
{
    struct gk_blob_record record;
    const enum gk_status status = gk_blob_record_decode(open, &record, error);
    if (status == GK_OK) {
        if (!record.manifest.beside) {
            add_entries(refs, record.manifest.entries, record.manifest.entries_count);
        }
        refs->paged = record.manifest.paged;
        refs->manifest = record.manifest.id;
        refs->borrows = gk_loan_borrows(&record.loan, &record.history);
        refs->loan = record.loan;
        refs->lent = record.history.kind == GK_STATE_LENT;
        gk_blob_record_cleanup(&record);
    }
    return status;
}

static enum gk_status add_staged(struct gk_span open, struct gk_refs *refs, struct gk_error *error)
{
    struct gk_staged staged;
    const enum gk_status status = gk_staged_decode(open, &staged, error);
    if (status == GK_OK) {
        add(refs, &staged.segment, staged.length);
    }
    return status;
}

static enum gk_status add_page(struct gk_span open, struct gk_refs *refs, struct gk_error *error)
{
    struct gk_manifest_entry *entries = NULL;
    uint32_t count = 0;
    const enum gk_status status = gk_manifest_page_decode(open, &entries, &count, error);
    if (status == GK_OK) {
        add_entries(refs, entries, count);
    }
    free(entries);
    return status;
}

static enum gk_status add_page_object(struct gk_span open, struct gk_refs *refs,
                                      struct gk_error *error)
{
    struct gk_page_map map;
    const enum gk_status status = gk_page_map_decode(open, &map, NULL, error);
    if (status == GK_OK) {
        add(refs, &map.object, GK_PAGE_OBJECT_BYTES);
    }
    return status;
}

static enum gk_status add_garbage(struct gk_span open, struct gk_refs *refs, struct gk_error *error)
{
    struct gk_garbage garbage;
    int64_t freed_wall_ms = 0;
    const enum gk_status status = gk_garbage_decode(open, &garbage, &freed_wall_ms, error);
    for (size_t i = 0; status == GK_OK && i < garbage.count; i++) {
        if (garbage.items[i].kind == GK_GARBAGE_SEGMENT) {
            add(refs, &garbage.items[i].id, garbage.items[i].number);
        }
    }
    gk_garbage_cleanup(&garbage);
    return status;
}

static const struct row_kind {
    const char *prefix;
    const char *kind;
    size_t open_max;
    enum gk_status (*add)(struct gk_span open, struct gk_refs *refs, struct gk_error *error);
} row_kinds[] = {
    {"b/", GK_VALUE_BLOB, GK_BLOB_RECORD_BYTES_MAX, add_blob},
    {GK_STATE_KIND, GK_VALUE_BLOB, GK_BLOB_RECORD_BYTES_MAX, add_blob},
    {"s/", GK_VALUE_STAGED, GK_STAGED_BYTES_MAX, add_staged},
    {"m/", GK_VALUE_MANIFEST, GK_MANIFEST_PAGE_BYTES_MAX, add_page},
    {"p/", GK_VALUE_PAGES, GK_PAGE_ROW_BYTES_MAX, add_page_object},
    {"g/", GK_VALUE_GARBAGE, GK_GARBAGE_BYTES_MAX, add_garbage},
};

static const struct row_kind *kind_of(struct gk_span key)
{
    for (size_t i = 0; i < sizeof row_kinds / sizeof *row_kinds; i++) {
        if (key.len > 2 && memcmp(key.data, row_kinds[i].prefix, 2) == 0) {
            return &row_kinds[i];
        }
    }
    return NULL;
}

enum gk_status gk_refs_of_row(struct gk_place place, struct gk_span key, struct gk_span value,
                              struct gk_refs *refs, struct gk_error *error)
{
    const struct row_kind *kind = kind_of(key);
    refs->paged = false;
    refs->borrows = false;
    refs->lent = false;
    if (kind == NULL) {
        return GK_OK;
    }
    struct gk_buf open;
    gk_buf_init(&open, kind->open_max);
    place.kind = kind->kind;
    place.key = key;
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK) {
        status = kind->add(gk_buf_span(&open), refs, error);
    }
    gk_buf_cleanup(&open);
    return status == GK_OK && refs->failed ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                           : status;
}
