/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which id stands for which from now on: of segments, of manifests, and of the pages of these, which have a number
 * besides. What several records name is so written anew once. Grows; pure; one thread.
 */
#ifndef GATEWAY_REENCRYPT_MOVES_H
#define GATEWAY_REENCRYPT_MOVES_H

#include "common/text.h"
#include "gatekey/plugin.h"

struct gk_move {
    struct gk_id from;
    uint32_t number;
    struct gk_id to;
    bool taken; /* a slot of the table that has one */
};

/* All zero: empty. */
struct gk_moves {
    struct gk_move *slots;
    size_t cap; /* a power of two, more than count; 0 at first */
    size_t count;
};

void gk_moves_cleanup(struct gk_moves *moves);
/* NULL: it was not moved. */
const struct gk_id *gk_moves_find(const struct gk_moves *moves, const struct gk_id *from,
                                  uint32_t number);
/* One that is not there yet. False: memory is out. */
bool gk_moves_add(struct gk_moves *moves, const struct gk_id *from, uint32_t number,
                  const struct gk_id *to) GK_MUST_USE;

#endif
