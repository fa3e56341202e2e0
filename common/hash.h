/* SPDX-License-Identifier: Apache-2.0 */
/* FNV-1a of 64 bits, for tables, stripes and shards. Who chooses the bytes can make them collide. */
#ifndef COMMON_HASH_H
#define COMMON_HASH_H

#include "common/span.h"

#define GK_HASH_START UINT64_C(14695981039346656037)

/* Goes on from hash, GK_HASH_START at first. */
static inline uint64_t gk_hash(uint64_t hash, struct gk_span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * UINT64_C(1099511628211);
    }
    return hash;
}

#endif
