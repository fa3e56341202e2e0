/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of one page object (page_map.h) on their way out of the store: read with their seals, of one state, and
 * opened in place. What the map does not say was written becomes zeros, also where another write has brought bytes
 * that no row shows yet.
 */
#ifndef GATEWAY_BLOB_PAGE_BLOCKS_H
#define GATEWAY_BLOB_PAGE_BLOCKS_H

#include "gateway/blob/page_map.h"
#include "gateway/gateway.h"

struct gk_page_blocks {
    const struct gk_page_map *map;
    uint32_t first; /* blocks of the map's object */
    uint32_t count;
    uint8_t *bytes; /* of count blocks */
    uint8_t *seals; /* of count blocks */
};

/* Blocks whose first read_blocks are in bytes and seals already; pages: of the map's object. GK_E_INTEGRITY. */
enum gk_status gk_page_blocks_open(const struct gk_page_blocks *blocks,
                                   const struct gk_plugin *plugin, struct gk_pages *pages,
                                   uint32_t read_blocks, struct gk_error *error) GK_MUST_USE;
/* Reads and opens; asks no store where nothing was written. GK_E_NOT_FOUND: the object is gone. GK_E_INTEGRITY. */
enum gk_status gk_page_blocks_read(const struct gk_page_blocks *blocks,
                                   const struct gk_gateway *gateway, const struct gk_id *container,
                                   struct gk_pages *pages, struct gk_error *error) GK_MUST_USE;
/* The same for who has no pages of the object: those of data_key. */
enum gk_status gk_page_blocks_read_under(const struct gk_page_blocks *blocks,
                                         const struct gk_gateway *gateway,
                                         const struct gk_id *container,
                                         struct gk_data_key *data_key,
                                         struct gk_error *error) GK_MUST_USE;

#endif
