/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a place is in the set once, however often it is noted, and comes out when it is due, the first
 * one first.
 */
#include "gateway/blob/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define MANY 5000u

static struct gk_reap_place place_of(uint32_t number, int64_t due_mono_ms)
{
    struct gk_reap_place place = {.shard = number % 3, .due_mono_ms = due_mono_ms};
    snprintf(place.account, sizeof place.account, "account%u", number % 7);
    memcpy(place.container.bytes, &number, sizeof number);
    return place;
}

static void add(struct gk_places *places, struct gk_reap_place place)
{
    assert_int_equal(gk_places_add(places, &place), GK_OK);
}

static void test_places__the_sooner_time_counts(void **state)
{
    (void)state;
    struct gk_places places;
    struct gk_reap_place out;
    int64_t wait_ms = 0;
    gk_places_init(&places);
    add(&places, place_of(2, 90));
    add(&places, place_of(1, 300));
    add(&places, place_of(1, 50));
    add(&places, place_of(1, 100));
    assert_false(gk_places_take(&places, 49, &out, &wait_ms));
    assert_int_equal(wait_ms, 1);
    assert_true(gk_places_take(&places, 50, &out, &wait_ms));
    assert_int_equal(out.container.bytes[0], 1);
    assert_true(gk_places_take(&places, 90, &out, &wait_ms));
    assert_int_equal(out.container.bytes[0], 2);
    add(&places, place_of(1, 100));
    assert_false(gk_places_take(&places, 99, &out, &wait_ms));
    assert_int_equal(wait_ms, 1);
    assert_true(gk_places_take(&places, 100, &out, &wait_ms));
    assert_false(gk_places_take(&places, 1000, &out, &wait_ms));
    assert_int_equal(wait_ms, -1);
    add(&places, place_of(1, 200)); /* once out, it may come in again */
    assert_true(gk_places_take(&places, 200, &out, &wait_ms));
    gk_places_cleanup(&places);
}

/* Each part of what a place is makes another one. */
static void test_places__which_are_different(void **state)
{
    (void)state;
    struct gk_places places;
    struct gk_reap_place variants[5];
    for (size_t i = 0; i < 5; i++) {
        variants[i] = place_of(0, 0);
    }
    variants[1].shard = 1;
    variants[2].container.bytes[15] = 1;
    variants[3].account[0] = 'b';
    variants[4].of_account = true;
    gk_places_init(&places);
    for (size_t i = 0; i < 10; i++) {
        add(&places, variants[i % 5]);
    }
    assert_int_equal(places.count, 5);
    gk_places_cleanup(&places);
}

static void test_places__many_come_out_in_order(void **state)
{
    (void)state;
    struct gk_places places;
    struct gk_reap_place out;
    int64_t wait_ms = 0;
    gk_places_init(&places);
    for (uint32_t i = 0; i < MANY; i++) {
        add(&places, place_of(i, (int64_t)(i * 2654435761u % 1000)));
    }
    assert_int_equal(places.count, MANY);
    int64_t last = -1;
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(gk_places_take(&places, 1000, &out, &wait_ms));
        assert_true(out.due_mono_ms >= last);
        last = out.due_mono_ms;
    }
    assert_false(gk_places_take(&places, 1000, &out, &wait_ms));
    gk_places_cleanup(&places);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places__the_sooner_time_counts),
        cmocka_unit_test(test_places__which_are_different),
        cmocka_unit_test(test_places__many_come_out_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
