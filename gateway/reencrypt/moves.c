/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reencrypt/moves.h"

#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64u

void gk_moves_cleanup(struct gk_moves *moves)
{
    free(moves->slots);
    *moves = (struct gk_moves){0};
}

/* The slot that has it, or where it would be. Ids are random: their bytes are as good as a hash. */
static struct gk_move *slot_of(struct gk_move *slots, size_t cap, const struct gk_id *from,
                               uint32_t number)
{
    uint64_t hash = 0;
    memcpy(&hash, from->bytes, sizeof hash);
    size_t at = (size_t)(hash + number) & (cap - 1);
    while (slots[at].taken && !(gk_id_equal(&slots[at].from, from) && slots[at].number == number)) {
        at = (at + 1) & (cap - 1);
    }
    return &slots[at];
}

const struct gk_id *gk_moves_find(const struct gk_moves *moves, const struct gk_id *from,
                                  uint32_t number)
{
    if (moves->cap == 0) {
        return NULL;
    }
    const struct gk_move *slot = slot_of(moves->slots, moves->cap, from, number);
    return slot->taken ? &slot->to : NULL;
}

static bool grow(struct gk_moves *moves)
{
    const size_t cap = moves->cap == 0 ? CAP_MIN : 2 * moves->cap;
    struct gk_move *slots = calloc(cap, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < moves->cap; i++) {
        const struct gk_move *old = &moves->slots[i];
        if (old->taken) {
            *slot_of(slots, cap, &old->from, old->number) = *old;
        }
    }
    free(moves->slots);
    moves->slots = slots;
    moves->cap = cap;
    return true;
}

bool gk_moves_add(struct gk_moves *moves, const struct gk_id *from, uint32_t number,
                  const struct gk_id *to)
{
    if (2 * (moves->count + 1) > moves->cap && !grow(moves)) {
        return false;
    }
    *slot_of(moves->slots, moves->cap, from, number) =
        (struct gk_move){.from = *from, .number = number, .to = *to, .taken = true};
    moves->count++;
    return true;
}
