/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The maps in which something waits to be removed, each at most once, with the time to look at it: a set
 * that gives out what is due first. Belongs to whoever locks it.
 */
#ifndef GATEWAY_BLOB_PLACES_H
#define GATEWAY_BLOB_PLACES_H

#include <stdbool.h>

#include "gatekey/plugin.h"

struct gk_reap_place {
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    bool
        of_account; /* the account's own map, and no index of a container; container is zero then */
    struct gk_id container;
    uint32_t shard;
    int64_t due_mono_ms;
};

struct gk_places_node;
struct gk_places {
    struct gk_places_node **heap; /* the soonest first */
    size_t count;
    size_t cap;
    struct gk_places_node **buckets; /* by what the place is */
    size_t buckets_count;            /* a power of 2 */
};

void gk_places_init(struct gk_places *places);
void gk_places_cleanup(struct gk_places *places);
/* Copies the place; of one that is there already, the sooner time counts. GK_E_RESOURCE. */
enum gk_status gk_places_add(struct gk_places *places,
                             const struct gk_reap_place *place) GK_MUST_USE;
/* Takes out the one that is due first, when it is due; else false, and *wait_ms tells how long until
 * then, -1 for an empty set. */
bool gk_places_take(struct gk_places *places, int64_t now_mono_ms, struct gk_reap_place *out,
                    int64_t *wait_ms);

#endif
