/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the RADOS engine passes the suite of all engines, with a replicated data pool and with an
 * erasure-coded one. */
#include <stdlib.h>

#include "unit/rados_place.h"

#define OTHER_POOL "gatekey.test.other"

/* The gateway's own data pool is of one kind, this of the other. */
static void *other_place_new(void)
{
    struct rados_place *place = rados_place_new();
    strcpy(place->user, "client.admin");
    strcpy(place->data_pool, OTHER_POOL);
    return place;
}

static const struct store_engine engines[] = {
    {
        .name = "RADOS",
        .place_new = rados_engine_place_new,
        .open = rados_engine_open,
        .place_free = rados_engine_place_free,
    },
    {
        .name = "RADOS, the other kind of data pool",
        .place_new = other_place_new,
        .open = rados_engine_open,
        .place_free = rados_engine_place_free,
    },
};

int main(void)
{
    if (!rados_places_begin()) {
        return RADOS_TEST_SKIPPED;
    }
    rados_pool_make(OTHER_POOL, !rados_pool_is_erasure("gatekey.data"));
    const int failed = store_suite_run(&engines[0]) + store_suite_run(&engines[1]);
    rados_pool_remove(OTHER_POOL);
    rados_places_end();
    return failed;
}
