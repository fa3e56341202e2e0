/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_piece.h"

#include <string.h>

#include "gateway/blob/names.h"
#include "gateway/blob/page_blocks.h"
#include "gateway/metrics.h"
#include "gateway/plugin_host.h"

#define BLOCK_PAGES (GK_PAGE_BLOCK_BYTES / GK_PAGE_BYTES)

void gk_page_piece_find(struct gk_page_piece *piece, const struct gk_page_map *map)
{
    const uint32_t from = gk_bits_find(map->written, 0, GK_PAGE_OBJECT_PAGES, true);
    uint32_t to = GK_PAGE_OBJECT_PAGES;
    while (!gk_bits_get(map->written, to - 1)) {
        to--;
    }
    piece->first = from / BLOCK_PAGES;
    piece->count = (to + BLOCK_PAGES - 1) / BLOCK_PAGES - piece->first;
}

enum gk_status gk_page_piece_read(const struct gk_gateway *gateway, struct gk_data_key *data_key,
                                  const struct gk_id *container, const struct gk_page_map *map,
                                  struct gk_page_piece *piece, struct gk_error *error)
{
    const struct gk_page_blocks blocks = {.map = map,
                                          .first = piece->first,
                                          .count = piece->count,
                                          .bytes = piece->blocks,
                                          .seals = piece->seals};
    return gk_page_blocks_read_under(&blocks, gateway, container, data_key, error);
}

static enum gk_status seal(const struct gk_plugin *plugin, struct gk_data_key *data_key,
                           const struct gk_id *object, struct gk_page_piece *piece,
                           struct gk_error *error)
{
    struct gk_pages *pages = NULL;
    enum gk_status status = plugin->pages_load(data_key, object, &pages, error);
    const double begun = gk_metrics_now();
    for (uint32_t i = 0; i < piece->count && status == GK_OK; i++) {
        uint8_t *block = piece->blocks + (size_t)i * GK_PAGE_BLOCK_BYTES;
        status = plugin->page_seal(pages, piece->first + i, block, block,
                                   piece->seals + (size_t)i * GK_PAGE_SEAL_BYTES, error);
    }
    gk_metrics_encryption(GK_METRICS_SEAL, begun);
    plugin->pages_free(pages);
    return status;
}

enum gk_status gk_page_piece_write(const struct gk_gateway *gateway, struct gk_data_key *data_key,
                                   const struct gk_id *container, const struct gk_id *object,
                                   struct gk_page_piece *piece, struct gk_error *error)
{
    static const struct gk_guard absent = {.kind = GK_GUARD_ABSENT};
    const enum gk_status status = seal(gateway->host->plugin, data_key, object, piece, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_change changes[] = {
        {.kind = GK_CHANGE_BYTES,
         .value = gk_span_of(piece->blocks, (size_t)piece->count * GK_PAGE_BLOCK_BYTES),
         .number = (uint64_t)piece->first * GK_PAGE_BLOCK_BYTES},
        {.kind = GK_CHANGE_BYTES,
         .value = gk_span_of(piece->seals, (size_t)piece->count * GK_PAGE_SEAL_BYTES),
         .number = GK_PAGE_SEALS_OFFSET + (uint64_t)piece->first * GK_PAGE_SEAL_BYTES}};
    char name[GK_DATA_NAME_BYTES];
    gk_data_name(container, object, 0, name);
    const struct gk_write_op op = {.pool = GK_POOL_DATA,
                                   .object = name,
                                   .guards = &absent,
                                   .guards_count = 1,
                                   .changes = changes,
                                   .changes_count = 2};
    return gk_store_write(gateway->store, &op, NULL, error);
}
