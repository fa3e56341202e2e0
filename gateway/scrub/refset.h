/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which segments something refers to, as 64-bit hashes of their ids, in bounded memory. It holds the
 * hashes of one range alone; when it is full, the range is halved and the upper half is forgotten, to
 * have its turn later. Two ids of one hash make a segment look referred to that is not, about once in
 * 2^64 pairs: such a one is kept. Belongs to one thread.
 */
#ifndef GATEWAY_SCRUB_REFSET_H
#define GATEWAY_SCRUB_REFSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gatekey/types.h"

struct gk_refset {
    uint64_t *slots; /* 0 is empty */
    size_t slots_count;
    size_t slots_max;
    size_t count;
    uint64_t first; /* the range, both ends included */
    uint64_t last;
};

uint64_t gk_refset_hash(const struct gk_id *segment);

/* memory_bytes: at most so much, 64 KiB at least. */
void gk_refset_init(struct gk_refset *set, size_t memory_bytes);
void gk_refset_cleanup(struct gk_refset *set);
/* Empties the set for the hashes from first on, up to last. */
void gk_refset_begin(struct gk_refset *set, uint64_t first, uint64_t last);
/* A hash outside the range is passed over. GK_E_RESOURCE. */
enum gk_status gk_refset_add(struct gk_refset *set, uint64_t hash) GK_MUST_USE;
bool gk_refset_in_range(const struct gk_refset *set, uint64_t hash);
bool gk_refset_has(const struct gk_refset *set, uint64_t hash);

#endif
