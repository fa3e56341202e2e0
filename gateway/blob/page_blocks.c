/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_blocks.h"

#include <string.h>

#include "common/error.h"
#include "gateway/blob/names.h"
#include "gateway/metrics.h"
#include "gateway/plugin_host.h"

#define BLOCK_PAGES (GK_PAGE_BLOCK_BYTES / GK_PAGE_BYTES)

static void mask(const struct gk_page_map *map, uint32_t block, uint8_t *bytes)
{
    for (uint32_t i = 0; i < BLOCK_PAGES; i++) {
        if (!gk_bits_get(map->written, block * BLOCK_PAGES + i)) {
            memset(bytes + (size_t)i * GK_PAGE_BYTES, 0, GK_PAGE_BYTES);
        }
    }
}

static bool any_written(const struct gk_page_map *map, uint32_t first, uint32_t count)
{
    const uint32_t end = (first + count) * BLOCK_PAGES;
    return gk_bits_find(map->written, first * BLOCK_PAGES, end, true) < end;
}

enum gk_status gk_page_blocks_open(const struct gk_page_blocks *blocks,
                                   const struct gk_plugin *plugin, struct gk_pages *pages,
                                   uint32_t read_blocks, struct gk_error *error)
{
    const double begun = gk_metrics_now();
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; i < blocks->count && status == GK_OK; i++) {
        const uint32_t block = blocks->first + i;
        uint8_t *at = blocks->bytes + (size_t)i * GK_PAGE_BLOCK_BYTES;
        if (!any_written(blocks->map, block, 1)) {
            memset(at, 0, GK_PAGE_BLOCK_BYTES);
            continue;
        }
        const uint8_t *seal = blocks->seals + (size_t)i * GK_PAGE_SEAL_BYTES;
        status = i < read_blocks ? plugin->page_open(pages, block, at, seal, at, error)
                                 : gk_fail(error, GK_E_INTEGRITY, "a page object is short");
        if (status == GK_OK) {
            mask(blocks->map, block, at);
        }
    }
    gk_metrics_encryption(GK_METRICS_OPEN, begun);
    return status;
}

static enum gk_status read_sealed(const struct gk_page_blocks *blocks, struct gk_store *store,
                                  const struct gk_id *container, uint32_t *read_blocks,
                                  struct gk_error *error)
{
    struct gk_read_part parts[] = {
        {.offset = (uint64_t)blocks->first * GK_PAGE_BLOCK_BYTES,
         .buffer = blocks->bytes,
         .len = (size_t)blocks->count * GK_PAGE_BLOCK_BYTES},
        {.offset = GK_PAGE_SEALS_OFFSET + (uint64_t)blocks->first * GK_PAGE_SEAL_BYTES,
         .buffer = blocks->seals,
         .len = (size_t)blocks->count * GK_PAGE_SEAL_BYTES}};
    char name[GK_DATA_NAME_BYTES];
    gk_data_name(container, &blocks->map->object, 0, name);
    uint64_t version = 0;
    const enum gk_status status =
        gk_store_read_parts(store, GK_POOL_DATA, name, parts, 2, &version, error);
    *read_blocks = (uint32_t)(parts[1].read_len / GK_PAGE_SEAL_BYTES);
    return status;
}

enum gk_status gk_page_blocks_read(const struct gk_page_blocks *blocks,
                                   const struct gk_gateway *gateway, const struct gk_id *container,
                                   struct gk_pages *pages, struct gk_error *error)
{
    uint32_t read_blocks = 0;
    enum gk_status status = GK_OK;
    if (any_written(blocks->map, blocks->first, blocks->count)) {
        status = read_sealed(blocks, gateway->store, container, &read_blocks, error);
    }
    return status == GK_OK
               ? gk_page_blocks_open(blocks, gateway->host->plugin, pages, read_blocks, error)
               : status;
}

enum gk_status gk_page_blocks_read_under(const struct gk_page_blocks *blocks,
                                         const struct gk_gateway *gateway,
                                         const struct gk_id *container,
                                         struct gk_data_key *data_key, struct gk_error *error)
{
    const struct gk_plugin *plugin = gateway->host->plugin;
    struct gk_pages *pages = NULL;
    enum gk_status status = plugin->pages_load(data_key, &blocks->map->object, &pages, error);
    if (status == GK_OK) {
        status = gk_page_blocks_read(blocks, gateway, container, pages, error);
    }
    plugin->pages_free(pages);
    return status;
}
