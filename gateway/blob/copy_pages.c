/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_pages.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/page_piece.h"
#include "gateway/blob/reader.h"

#define NAMES_AT_ONCE 512u

/* --- which pieces -------------------------------------------------------------------------------*/

void gk_page_copy_cut(uint32_t index, uint64_t size, uint8_t *written)
{
    const uint64_t start = (uint64_t)index * GK_PAGE_OBJECT_BYTES;
    const uint64_t left = start < size ? size - start : 0;
    if (left < GK_PAGE_OBJECT_BYTES) {
        gk_bits_set(written, (uint32_t)(left / GK_PAGE_BYTES), GK_PAGE_OBJECT_PAGES, false);
    }
}

enum gk_status gk_page_copy_add(struct gk_page_copy *copy, uint32_t index, const uint8_t *written,
                                struct gk_error *error)
{
    struct gk_page_row own = {.index = index};
    memcpy(own.map.written, written, sizeof own.map.written);
    if (copy->rows_count == copy->rows_cap) {
        const uint32_t cap = copy->rows_cap == 0 ? GK_PAGE_ROWS_MAX : 2 * copy->rows_cap;
        struct gk_page_row *rows =
            cap > GK_PAGE_COPY_ROWS_MAX ? NULL : reallocarray(copy->rows, cap, sizeof *rows);
        if (rows == NULL) {
            return cap > GK_PAGE_COPY_ROWS_MAX
                       ? gk_refuse_because(error, 413, "RequestBodyTooLarge",
                                           "A copy takes %u pieces of 4 MiB that were written to.",
                                           GK_PAGE_COPY_ROWS_MAX)
                       : gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        copy->rows = rows;
        copy->rows_cap = cap;
    }
    copy->rows[copy->rows_count++] = own;
    return GK_OK;
}

/* A row of the source, unless all of it lies behind the blob's end. */
static enum gk_status add_row(struct gk_page_copy *copy, struct gk_page_row *row,
                              struct gk_error *error)
{
    uint8_t *written = row->map.written;
    gk_page_copy_cut(row->index, copy->upload.record.size, written);
    return gk_bits_find(written, 0, GK_PAGE_OBJECT_PAGES, true) == GK_PAGE_OBJECT_PAGES
               ? GK_OK
               : gk_page_copy_add(copy, row->index, written, error);
}

static enum gk_status find_rows(const struct gk_request *request, struct gk_page_copy *copy,
                                struct gk_error *error)
{
    struct gk_page_space space;
    struct gk_page_rows some = {.items = calloc(GK_PAGE_ROWS_MAX, sizeof *some.items)};
    if (some.items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_page_space_init(&space, gk_copy_source_request(request->source),
                       gk_copy_source_target(request->source));
    const uint64_t size = copy->upload.record.size;
    const uint32_t end = (uint32_t)((size + GK_PAGE_OBJECT_BYTES - 1) / GK_PAGE_OBJECT_BYTES);
    uint32_t index = 0;
    enum gk_status status = GK_OK;
    do {
        status = gk_page_rows_next(&space, &index, end, &some, error);
        for (uint32_t i = 0; i < some.count && status == GK_OK; i++) {
            status = add_row(copy, &some.items[i], error);
        }
    } while (status == GK_OK && index < end);
    free(some.items);
    return status;
}

/* --- a piece ------------------------------------------------------------------------------------*/

/* The piece's blocks, opened under the source's key; zeros where the blob ends within the last one. */
static enum gk_status read_piece(const struct gk_request *request, uint32_t index,
                                 struct gk_page_piece *piece, struct gk_error *error)
{
    const struct gk_request *own = gk_copy_source_request(request->source);
    const struct gk_blob_target *source = gk_copy_source_target(request->source);
    const uint64_t from =
        (uint64_t)index * GK_PAGE_OBJECT_BYTES + (uint64_t)piece->first * GK_PAGE_BLOCK_BYTES;
    const size_t whole = (size_t)piece->count * GK_PAGE_BLOCK_BYTES;
    const uint64_t left = source->record.size - from;
    const size_t wanted = left < whole ? (size_t)left : whole;
    struct gk_data_key *data_key = NULL;
    struct gk_reader_stream *stream = NULL;
    memset(piece->blocks, 0, whole);
    enum gk_status status = gk_blob_open_data_key(own, source, &data_key, error);
    if (status == GK_OK) { /* which takes the key over */
        status = gk_reader_stream_new(own, source, data_key, from, wanted, &stream, error);
    }
    for (size_t got = 0, len = 0; got < wanted && status == GK_OK; got += len) {
        status = gk_reader_stream_next(stream, piece->blocks + got, wanted - got, &len, error);
    }
    gk_reader_stream_free(stream);
    return status;
}

static void object_name(const struct gk_page_copy *copy, const struct gk_page_row *row,
                        char name[GK_DATA_NAME_BYTES])
{
    gk_data_name(&copy->upload.target.container, &row->map.object, 0, name);
}

static enum gk_status copy_piece(struct gk_request *request, struct gk_page_row *row,
                                 struct gk_page_piece *piece, struct gk_error *error)
{
    const struct gk_page_copy *copy = request->state;
    if (!gk_id_random(&row->map.object)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a page object");
    }
    gk_page_piece_find(piece, &row->map);
    const enum gk_status status = read_piece(request, row->index, piece, error);
    return status == GK_OK
               ? gk_page_piece_write(request->gateway, copy->upload.data_key,
                                     &copy->upload.target.container, &row->map.object, piece, error)
               : status;
}

/* --- the whole ----------------------------------------------------------------------------------*/

enum gk_status gk_page_copy_pour(struct gk_request *request, struct gk_error *error)
{
    struct gk_page_copy *copy = request->state;
    struct gk_page_piece *piece = malloc(sizeof *piece);
    enum gk_status status = piece == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    while (copy->written_count < copy->rows_count && status == GK_OK) {
        status = copy_piece(request, &copy->rows[copy->written_count], piece, error);
        copy->written_count++;
    }
    if (piece != NULL) {
        gk_wipe(piece->blocks, sizeof piece->blocks);
    }
    free(piece);
    return status == GK_OK ? gk_copy_source_check_unchanged(request, error) : status;
}

enum gk_status gk_page_copy_whole(struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = find_rows(request, request->state, error);
    return status == GK_OK ? gk_page_copy_pour(request, error) : status;
}

enum gk_status gk_page_copy_write(struct gk_request *request, struct gk_blob_write *write,
                                  struct gk_error *error)
{
    struct gk_page_copy *copy = request->state;
    struct gk_blob_target named = copy->upload.target; /* borrows what the target owns */
    struct gk_page_space space;
    named.record.kind = copy->upload.record.kind;
    named.record.eras = copy->upload.record.eras;
    copy->offered = true;
    gk_page_space_init(&space, request, &named);
    enum gk_status status = GK_OK;
    for (uint32_t at = 0; at < copy->rows_count && status == GK_OK;) {
        struct gk_page_rows rows = {.group = copy->rows[at].index / GK_PAGE_GROUP_OBJECTS,
                                    .items = &copy->rows[at]};
        while (at < copy->rows_count &&
               copy->rows[at].index / GK_PAGE_GROUP_OBJECTS == rows.group) {
            rows.count++;
            at++;
        }
        status = gk_page_rows_write(&space, &rows, write, &copy->upload.record, error);
    }
    return status;
}

void gk_page_copy_cleanup(struct gk_request *request)
{
    struct gk_page_copy *copy = request->state;
    char(*names)[GK_DATA_NAME_BYTES] = calloc(NAMES_AT_ONCE, sizeof *names);
    for (uint32_t at = 0; at < copy->written_count && !copy->offered && names != NULL;) {
        const char *some[NAMES_AT_ONCE];
        size_t count = 0;
        for (; at < copy->written_count && count < NAMES_AT_ONCE; at++) {
            object_name(copy, &copy->rows[at], names[count]);
            some[count] = names[count];
            count++;
        }
        if (gk_store_remove(request->gateway->store, GK_POOL_DATA, some, count, NULL) != GK_OK) {
            gk_log(GK_LOG_DEBUG, "request", "page objects of a copy are left to scrub");
        }
    }
    free(names);
    free(copy->rows);
}
