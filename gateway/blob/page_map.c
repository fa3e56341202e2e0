/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_map.h"

#include "common/error.h"
#include "gateway/blob/fields.h"

#define VERSION      1u
#define VERSION_ERAS 2u

static enum gk_status check(const struct gk_reader *in, bool known, struct gk_error *error)
{
    return known && gk_read_done(in)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "a row of a page blob is not well-formed");
}

static void read_bits(struct gk_reader *in, uint8_t *bits, size_t len)
{
    const struct gk_span bytes = gk_read_span(in, len);
    if (bytes.len == len) {
        memcpy(bits, bytes.data, len);
    }
}

/* --- rows of pieces -----------------------------------------------------------------------------*/

/* The next run of pages that were written: of one era, whatever lies between them. */
static uint32_t next_run(const struct gk_page_map *map, const struct gk_page_ages *ages,
                         uint32_t *at, uint32_t *era)
{
    uint32_t pages = 0;
    *at = gk_bits_find(map->written, *at, GK_PAGE_OBJECT_PAGES, true);
    *era = *at < GK_PAGE_OBJECT_PAGES ? ages->eras[*at] : 0;
    while (*at < GK_PAGE_OBJECT_PAGES && ages->eras[*at] == *era) {
        pages++;
        *at = gk_bits_find(map->written, *at + 1, GK_PAGE_OBJECT_PAGES, true);
    }
    return pages;
}

static void append_runs(const struct gk_page_map *map, const struct gk_page_ages *ages,
                        struct gk_buf *out)
{
    uint16_t runs = 0;
    uint32_t era = 0;
    for (uint32_t at = 0; next_run(map, ages, &at, &era) > 0;) {
        runs++;
    }
    gk_buf_append_u16(out, runs);
    for (uint32_t at = 0, i = 0; i < runs; i++) {
        gk_buf_append_u16(out, (uint16_t)next_run(map, ages, &at, &era));
        gk_buf_append_u32(out, era);
    }
}

/* Whether the runs are of just the pages that were written. */
static bool read_runs(struct gk_reader *in, const struct gk_page_map *map,
                      struct gk_page_ages *ages)
{
    const uint16_t runs = gk_read_u16(in);
    uint32_t at = gk_bits_find(map->written, 0, GK_PAGE_OBJECT_PAGES, true);
    for (uint16_t i = 0; i < runs && !in->failed; i++) {
        const uint16_t pages = gk_read_u16(in);
        const uint32_t era = gk_read_u32(in);
        for (uint16_t left = pages; left > 0; left--) {
            if (at == GK_PAGE_OBJECT_PAGES) {
                return false;
            }
            if (ages != NULL) {
                ages->eras[at] = era;
            }
            at = gk_bits_find(map->written, at + 1, GK_PAGE_OBJECT_PAGES, true);
        }
    }
    return at == GK_PAGE_OBJECT_PAGES;
}

void gk_page_map_encode(const struct gk_page_map *map, const struct gk_page_ages *ages,
                        struct gk_buf *out)
{
    gk_buf_append_u8(out, ages == NULL ? VERSION : VERSION_ERAS);
    gk_append_id(out, &map->object);
    if (ages != NULL) {
        gk_buf_append_u32(out, map->made);
    }
    gk_buf_append(out, map->written, sizeof map->written);
    if (ages != NULL) {
        append_runs(map, ages, out);
    }
}

enum gk_status gk_page_map_decode(struct gk_span in, struct gk_page_map *out,
                                  struct gk_page_ages *ages, struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    if (ages != NULL) {
        memset(ages, 0, sizeof *ages);
    }
    const uint8_t version = gk_read_u8(&reader);
    gk_read_id(&reader, &out->object);
    out->made = version == VERSION_ERAS ? gk_read_u32(&reader) : 0;
    read_bits(&reader, out->written, sizeof out->written);
    const bool known =
        version == VERSION || (version == VERSION_ERAS && read_runs(&reader, out, ages));
    return check(&reader, known, error);
}

/* --- rows of groups -----------------------------------------------------------------------------*/

void gk_page_group_encode(const struct gk_page_group *group, struct gk_buf *out)
{
    bool eras = false;
    for (uint32_t at = 0; at < GK_PAGE_GROUP_OBJECTS && !eras; at++) {
        eras = group->eras[at] != 0;
    }
    gk_buf_append_u8(out, eras ? VERSION_ERAS : VERSION);
    gk_buf_append(out, group->present, sizeof group->present);
    for (uint32_t at = 0; at < GK_PAGE_GROUP_OBJECTS && eras; at++) {
        if (gk_bits_get(group->present, at)) {
            gk_buf_append_u32(out, group->eras[at]);
        }
    }
}

enum gk_status gk_page_group_decode(struct gk_span in, struct gk_page_group *out,
                                    struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const uint8_t version = gk_read_u8(&reader);
    read_bits(&reader, out->present, sizeof out->present);
    for (uint32_t at = 0; at < GK_PAGE_GROUP_OBJECTS && version == VERSION_ERAS; at++) {
        if (gk_bits_get(out->present, at)) {
            out->eras[at] = gk_read_u32(&reader);
        }
    }
    return check(&reader, version == VERSION || version == VERSION_ERAS, error);
}

/* --- bits ---------------------------------------------------------------------------------------*/

bool gk_bits_get(const uint8_t *bits, uint32_t at)
{
    return (bits[at / 8] & (1u << at % 8)) != 0;
}

void gk_bits_set(uint8_t *bits, uint32_t from, uint32_t to, bool value)
{
    for (uint32_t at = from; at < to;) {
        if (at % 8 == 0 && to - at >= 8) {
            bits[at / 8] = value ? 0xff : 0;
            at += 8;
            continue;
        }
        const uint8_t bit = (uint8_t)(1u << at % 8);
        bits[at / 8] = value ? bits[at / 8] | bit : (uint8_t)(bits[at / 8] & ~bit);
        at++;
    }
}

uint32_t gk_bits_find(const uint8_t *bits, uint32_t from, uint32_t to, bool value)
{
    const uint8_t none = value ? 0 : 0xff; /* a byte that has no such bit */
    uint32_t at = from;
    while (at < to && gk_bits_get(bits, at) != value) {
        at = at % 8 == 0 && bits[at / 8] == none ? at + 8 : at + 1;
    }
    return at < to ? at : to;
}
