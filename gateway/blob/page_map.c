/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_map.h"

#include "common/error.h"
#include "gateway/blob/fields.h"

#define VERSION 1u

static enum gk_status read_bits(struct gk_reader *in, uint8_t *bits, size_t len, uint8_t version,
                                struct gk_error *error)
{
    const struct gk_span bytes = gk_read_span(in, len);
    if (version != VERSION || !gk_read_done(in)) {
        return gk_fail(error, GK_E_INTEGRITY, "a row of a page blob is not well-formed");
    }
    memcpy(bits, bytes.data, len);
    return GK_OK;
}

void gk_page_map_encode(const struct gk_page_map *map, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_append_id(out, &map->object);
    gk_buf_append(out, map->written, sizeof map->written);
}

enum gk_status gk_page_map_decode(struct gk_span in, struct gk_page_map *out,
                                  struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const uint8_t version = gk_read_u8(&reader);
    gk_read_id(&reader, &out->object);
    return read_bits(&reader, out->written, sizeof out->written, version, error);
}

void gk_page_group_encode(const struct gk_page_group *group, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_buf_append(out, group->present, sizeof group->present);
}

enum gk_status gk_page_group_decode(struct gk_span in, struct gk_page_group *out,
                                    struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const uint8_t version = gk_read_u8(&reader);
    return read_bits(&reader, out->present, sizeof out->present, version, error);
}

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
