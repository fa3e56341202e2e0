/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_clear.h"

#include <stdlib.h>

#include "common/error.h"

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

/* The first era may end, by another gateway, while not all was cleared; the ETag stays then. */
static enum gk_status make_room(struct gk_page_rows *rows, uint32_t era, struct gk_error *error)
{
    if (rows->items == NULL) {
        rows->items = calloc(GK_PAGE_ROWS_MAX, sizeof *rows->items);
    }
    if (rows->ages == NULL && era > 0) {
        rows->ages = calloc(GK_PAGE_ROWS_MAX, sizeof *rows->ages);
    }
    return rows->items == NULL || (rows->ages == NULL && era > 0)
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : GK_OK;
}

enum gk_status gk_pages_clear(struct gk_request *request, struct gk_blob_target *target,
                              uint64_t from, uint64_t to, struct gk_error *error)
{
    struct gk_page_rows rows = {.items = NULL};
    const uint32_t end = (uint32_t)((to + GK_PAGE_OBJECT_BYTES - 1) / GK_PAGE_OBJECT_BYTES);
    uint32_t index = (uint32_t)(from / GK_PAGE_OBJECT_BYTES);
    enum gk_status status = GK_OK;
    do {
        struct gk_page_space space;
        gk_page_space_init(&space, request, target);
        status = make_room(&rows, space.eras.era, error);
        if (status == GK_OK) {
            status = gk_page_rows_next(&space, &index, end, &rows, error);
        }
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
    free(rows.ages);
    return status;
}
