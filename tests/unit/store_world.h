/* SPDX-License-Identifier: Apache-2.0 */
/* A store of the embedded engine for each test, and nothing else. */
#ifndef TESTS_UNIT_STORE_WORLD_H
#define TESTS_UNIT_STORE_WORLD_H

#include <stdlib.h>

#include "gateway/store/store.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

struct store_world {
    char directory[STORE_PLACE_BYTES];
    struct gk_store *store;
};

static inline int store_world_setup(void **state)
{
    struct store_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    assert_true(store_place_make(world->directory));
    assert_int_equal(gk_store_embedded_open(world->directory, &world->store, NULL), GK_OK);
    *state = world;
    return 0;
}

static inline int store_world_teardown(void **state)
{
    struct store_world *world = *state;
    gk_store_close(world->store);
    store_place_remove(world->directory);
    free(world);
    return 0;
}

#endif
