/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/refset.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS_LEAST 4096u

/* Ids are random but for six bits; the finalizer of splitmix64 spreads those. */
uint64_t gk_refset_hash(const struct gk_id *segment)
{
    uint64_t a = 0;
    uint64_t b = 0;
    memcpy(&a, segment->bytes, sizeof a);
    memcpy(&b, segment->bytes + sizeof a, sizeof b);
    uint64_t hash = a ^ (b << 23 | b >> 41);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
    return hash == 0 ? 1 : hash;
}

void gk_refset_init(struct gk_refset *set, size_t memory_bytes)
{
    memset(set, 0, sizeof *set);
    size_t slots = SLOTS_LEAST;
    while (2 * slots * sizeof *set->slots <= memory_bytes) {
        slots *= 2;
    }
    set->slots_max = slots;
    set->last = UINT64_MAX;
}

void gk_refset_cleanup(struct gk_refset *set)
{
    free(set->slots);
    memset(set, 0, sizeof *set);
}

void gk_refset_begin(struct gk_refset *set, uint64_t first, uint64_t last)
{
    if (set->slots != NULL) {
        memset(set->slots, 0, set->slots_count * sizeof *set->slots);
    }
    set->count = 0;
    set->first = first;
    set->last = last;
}

bool gk_refset_in_range(const struct gk_refset *set, uint64_t hash)
{
    return hash >= set->first && hash <= set->last;
}

/* Where the hash is, or the empty slot where it would be. The low bits choose: the high ones are the
 * range. */
static size_t find(const uint64_t *slots, size_t slots_count, uint64_t hash)
{
    size_t at = (size_t)hash & (slots_count - 1);
    while (slots[at] != 0 && slots[at] != hash) {
        at = (at + 1) & (slots_count - 1);
    }
    return at;
}

bool gk_refset_has(const struct gk_refset *set, uint64_t hash)
{
    return set->count > 0 && set->slots[find(set->slots, set->slots_count, hash)] == hash;
}

/* Those of the range, into slots of that many. */
static enum gk_status rebuild(struct gk_refset *set, size_t slots_count)
{
    uint64_t *slots = calloc(slots_count, sizeof *slots);
    if (slots == NULL) {
        return GK_E_RESOURCE;
    }
    set->count = 0;
    for (size_t i = 0; i < set->slots_count; i++) {
        const uint64_t hash = set->slots[i];
        if (hash != 0 && gk_refset_in_range(set, hash)) {
            slots[find(slots, slots_count, hash)] = hash;
            set->count++;
        }
    }
    free(set->slots);
    set->slots = slots;
    set->slots_count = slots_count;
    return GK_OK;
}

/* Three quarters of the slots are used at most. */
static bool is_full(const struct gk_refset *set)
{
    return set->count >= set->slots_count / 4 * 3;
}

static enum gk_status make_room(struct gk_refset *set)
{
    if (set->slots_count < set->slots_max) {
        return rebuild(set, set->slots_count == 0 ? SLOTS_LEAST : 2 * set->slots_count);
    }
    enum gk_status status = GK_OK;
    while (status == GK_OK && is_full(set) && set->last > set->first) {
        set->last = set->first + (set->last - set->first) / 2;
        status = rebuild(set, set->slots_count);
    }
    return status;
}

enum gk_status gk_refset_add(struct gk_refset *set, uint64_t hash)
{
    if (!gk_refset_in_range(set, hash)) {
        return GK_OK;
    }
    if (is_full(set)) {
        const enum gk_status status = make_room(set);
        if (status != GK_OK || !gk_refset_in_range(set, hash)) {
            return status;
        }
    }
    const size_t at = find(set->slots, set->slots_count, hash);
    if (set->slots[at] == 0) {
        set->slots[at] = hash;
        set->count++;
    }
    return GK_OK;
}
