/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a page blob consists of, as the rows of its space in the container's index have it, and the codecs of
 * those rows. Pure.
 *
 * A page blob is cut into pieces of 4 MiB, of which those that were written to have a page object in the
 * data pool: 1,024 sealed blocks of 4 KiB, then their seals. Its row says which object it is and which of
 * its pages of 512 bytes were written: all others are zeros, whatever the object has there. Which pieces
 * have a row stands in the rows of their groups, and which groups have one in the blob's record: so that a
 * row that is taken away is missed, and no hole can be made but by the gateway.
 *
 * A blob that has snapshots or versions goes through eras (page_eras.h), and rows and objects say of which
 * they are. Of a blob that is in its first era nothing says so: version 1.
 *
 *   page object   version 1 | id 16 | written 1024    one bit for each page; page i is bit i mod 8, from the
 *                                                     least, of byte i / 8
 *                 version 2 | id 16 | made 4 | written 1024 | runs 2 | run ...
 *   run           pages 2 | era 4                     of the pages that were written, in order: in which
 *                                                     era each was written last
 *   page group    version 1 | present 1024            one bit for each of 8,192 pieces
 *                 version 2 | present 1024 | era 4 ... of the row of each piece that has one
 */
#ifndef GATEWAY_BLOB_PAGE_MAP_H
#define GATEWAY_BLOB_PAGE_MAP_H

#include "common/buf.h"

#define GK_PAGE_BYTES          512u
#define GK_PAGE_BLOB_BYTES_MAX (UINT64_C(8) << 40) /* documented */
#define GK_PAGE_OBJECT_BYTES   (4u << 20)          /* of the blob, in one object */
#define GK_PAGE_OBJECT_PAGES   (GK_PAGE_OBJECT_BYTES / GK_PAGE_BYTES)
#define GK_PAGE_SEALS_OFFSET   GK_PAGE_OBJECT_BYTES /* in an object */
#define GK_PAGE_GROUP_OBJECTS  8192u
#define GK_PAGE_GROUPS_MAX     256u   /* of GK_PAGE_BLOB_BYTES_MAX */
#define GK_PAGE_ROW_BYTES_MAX  65536u /* sealed, of either kind */

struct gk_page_map {
    struct gk_id object;
    uint32_t made; /* era of the object: in a later one it is not written to */
    uint8_t written[GK_PAGE_OBJECT_PAGES / 8];
};

/* In which era each page was written last; 0 for those that were not. */
struct gk_page_ages {
    uint32_t eras[GK_PAGE_OBJECT_PAGES];
};

struct gk_page_group {
    uint8_t present[GK_PAGE_GROUP_OBJECTS / 8];
    uint32_t eras[GK_PAGE_GROUP_OBJECTS]; /* of the rows; 0 where there is none */
};

/* ages NULL: of a blob in its first era. */
void gk_page_map_encode(const struct gk_page_map *map, const struct gk_page_ages *ages,
                        struct gk_buf *out);
/* ages NULL: they are not wanted. */
enum gk_status gk_page_map_decode(struct gk_span in, struct gk_page_map *out,
                                  struct gk_page_ages *ages, struct gk_error *error) GK_MUST_USE;
void gk_page_group_encode(const struct gk_page_group *group, struct gk_buf *out);
enum gk_status gk_page_group_decode(struct gk_span in, struct gk_page_group *out,
                                    struct gk_error *error) GK_MUST_USE;

/* Bits [from, to) of bits. */
void gk_bits_set(uint8_t *bits, uint32_t from, uint32_t to, bool value);
bool gk_bits_get(const uint8_t *bits, uint32_t at);
/* The first in [from, to) that has this value; to when none has. */
uint32_t gk_bits_find(const uint8_t *bits, uint32_t from, uint32_t to, bool value);

#endif
