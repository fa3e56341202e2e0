/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_reader.h"

#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/page_blocks.h"

#define ATTEMPTS 4u /* an object that is gone was cleared, and its row is another by now */

struct gk_page_reader {
    const struct gk_gateway *gateway;
    struct gk_data_key *data_key;
    struct gk_page_space space;
    bool has_row; /* row is that of the next byte's 4 MiB */
    struct gk_page_row row;
    struct gk_pages *pages; /* of row's object */
    uint64_t at;            /* in the blob, of the next byte that is not in ready */
    uint64_t left;
    struct gk_span ready; /* opened bytes that were not handed out yet */
    uint32_t blocks_max;  /* of a run: fewer than GK_PAGE_RUN_BLOCKS for a short range */
    uint8_t *seals;
    uint8_t blocks[];
};

enum gk_status gk_page_reader_new(const struct gk_request *request,
                                  const struct gk_blob_target *target, struct gk_data_key *data_key,
                                  uint64_t from, uint64_t length, struct gk_page_reader **out,
                                  struct gk_error *error)
{
    *out = NULL;
    const uint64_t blocks = (length - 1) / GK_PAGE_BLOCK_BYTES + 2; /* wherever it begins */
    const uint32_t blocks_max = blocks < GK_PAGE_RUN_BLOCKS ? (uint32_t)blocks : GK_PAGE_RUN_BLOCKS;
    struct gk_page_reader *reader =
        malloc(sizeof *reader + (size_t)blocks_max * (GK_PAGE_BLOCK_BYTES + GK_PAGE_SEAL_BYTES));
    if (reader == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    memset(reader, 0, sizeof *reader);
    reader->blocks_max = blocks_max;
    reader->seals = reader->blocks + (size_t)blocks_max * GK_PAGE_BLOCK_BYTES;
    reader->gateway = request->gateway;
    reader->data_key = data_key;
    gk_page_space_init(&reader->space, request, target);
    reader->at = from;
    reader->left = length;
    *out = reader;
    return GK_OK;
}

void gk_page_reader_free(struct gk_page_reader *reader)
{
    if (reader != NULL) {
        reader->gateway->host->plugin->pages_free(reader->pages);
        gk_wipe(reader->blocks, (size_t)reader->blocks_max * GK_PAGE_BLOCK_BYTES);
        free(reader);
    }
}

static enum gk_status load_row(struct gk_page_reader *reader, uint32_t index,
                               struct gk_error *error)
{
    if (reader->has_row && reader->row.index == index) {
        return GK_OK;
    }
    struct gk_page_rows rows = {
        .group = index / GK_PAGE_GROUP_OBJECTS, .count = 1, .items = &reader->row};
    reader->gateway->host->plugin->pages_free(reader->pages);
    reader->pages = NULL;
    reader->row.index = index;
    enum gk_status status = gk_page_rows_read(&reader->space, &rows, error);
    if (status == GK_OK && reader->row.exists) {
        status = reader->gateway->host->plugin->pages_load(
            reader->data_key, &reader->row.map.object, &reader->pages, error);
    }
    reader->has_row = status == GK_OK;
    return status;
}

/* One run from the next byte on, within one object. */
static enum gk_status read_run(struct gk_page_reader *reader, struct gk_error *error)
{
    const uint32_t index = (uint32_t)(reader->at / GK_PAGE_OBJECT_BYTES);
    const uint32_t within = (uint32_t)(reader->at % GK_PAGE_OBJECT_BYTES);
    const uint32_t first = within / GK_PAGE_BLOCK_BYTES;
    const uint32_t room = GK_PAGE_OBJECT_BYTES / GK_PAGE_BLOCK_BYTES - first;
    const uint64_t wanted =
        (within % GK_PAGE_BLOCK_BYTES + reader->left + GK_PAGE_BLOCK_BYTES - 1) /
        GK_PAGE_BLOCK_BYTES;
    uint32_t count = room < reader->blocks_max ? room : reader->blocks_max;
    count = wanted < count ? (uint32_t)wanted : count;
    enum gk_status status = load_row(reader, index, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_page_blocks blocks = {.map = &reader->row.map,
                                          .first = first,
                                          .count = count,
                                          .bytes = reader->blocks,
                                          .seals = reader->seals};
    status = gk_page_blocks_read(&blocks, reader->gateway, &reader->space.place.container,
                                 reader->pages, error);
    const size_t skip = within % GK_PAGE_BLOCK_BYTES;
    const size_t have = (size_t)count * GK_PAGE_BLOCK_BYTES - skip;
    const size_t used = have < reader->left ? have : (size_t)reader->left;
    if (status == GK_OK) {
        reader->ready = gk_span_of(reader->blocks + skip, used);
        reader->at += used;
        reader->left -= used;
    }
    return status;
}

enum gk_status gk_page_reader_prime(struct gk_page_reader *reader, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (unsigned i = 0; i < ATTEMPTS && reader->ready.len == 0 && reader->left > 0; i++) {
        gk_error_clear(error);
        status = read_run(reader, error);
        if (status == GK_E_NOT_FOUND) {
            status = gk_fail(error, GK_E_INTEGRITY, "a page object is missing");
            reader->has_row = false;
        } else if (status != GK_OK) {
            return status;
        }
    }
    return status;
}

enum gk_status gk_page_reader_next(struct gk_page_reader *reader, uint8_t *out, size_t max,
                                   size_t *len, struct gk_error *error)
{
    *len = 0;
    const enum gk_status status = gk_page_reader_prime(reader, error);
    if (status == GK_OK) {
        *len = reader->ready.len < max ? reader->ready.len : max;
        memcpy(out, reader->ready.data, *len);
        reader->ready = gk_span_of(reader->ready.data + *len, reader->ready.len - *len);
    }
    return status;
}
