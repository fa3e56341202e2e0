/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page object on its way from one data key to another (page_map.h): the blocks from the first that was written to
 * the last, in the clear between reading and writing. Large: on the heap, wiped by who frees it.
 */
#ifndef GATEWAY_BLOB_PAGE_PIECE_H
#define GATEWAY_BLOB_PAGE_PIECE_H

#include "gateway/blob/page_map.h"
#include "gateway/gateway.h"

#define GK_PAGE_OBJECT_BLOCKS (GK_PAGE_OBJECT_BYTES / GK_PAGE_BLOCK_BYTES)

struct gk_page_piece {
    uint32_t first; /* blocks of the object */
    uint32_t count;
    uint8_t blocks[GK_PAGE_OBJECT_BYTES];
    uint8_t seals[GK_PAGE_OBJECT_BLOCKS * GK_PAGE_SEAL_BYTES];
};

/* Which blocks: those of a map with at least one page. */
void gk_page_piece_find(struct gk_page_piece *piece, const struct gk_page_map *map);
/* What the map's object has, opened under data_key; zeros where nothing was written. GK_E_NOT_FOUND: the object is
 * gone. GK_E_INTEGRITY. */
enum gk_status gk_page_piece_read(const struct gk_gateway *gateway, struct gk_data_key *data_key,
                                  const struct gk_id *container, const struct gk_page_map *map,
                                  struct gk_page_piece *piece, struct gk_error *error) GK_MUST_USE;
/* Seals the blocks, which then are no longer in the clear, and makes the object. GK_E_EXISTS: it is there. */
enum gk_status gk_page_piece_write(const struct gk_gateway *gateway, struct gk_data_key *data_key,
                                   const struct gk_id *container, const struct gk_id *object,
                                   struct gk_page_piece *piece, struct gk_error *error) GK_MUST_USE;

#endif
