/* SPDX-License-Identifier: Apache-2.0 */
/* Integers in fixed places: big endian, as everywhere in what we store. */
#ifndef PLUGIN_BYTES_H
#define PLUGIN_BYTES_H

#include <stdint.h>

static inline void gk_put_u32(uint8_t out[4], uint32_t value)
{
    for (int i = 3; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

static inline void gk_put_u64(uint8_t out[8], uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (uint8_t)value;
        value >>= 8;
    }
}

#endif
