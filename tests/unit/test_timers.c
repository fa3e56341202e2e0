/* SPDX-License-Identifier: Apache-2.0 */
/* Timers go in order of their time, and among equal times in that of their coming; against a list that is sorted. */
#include "keyprovider/timers.h"

#include <stdlib.h>

#include "unit/cmocka_all.h"

#define TIMERS    20000u
#define TIMES     500 /* few enough for many to be equal */
#define CANCELLED 4   /* one of so many */

/* The same in each run (xorshift). */
static uint32_t draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static int compare(const void *one, const void *other)
{
    const struct gk_kv_timer *a = *(struct gk_kv_timer *const *)one;
    const struct gk_kv_timer *b = *(struct gk_kv_timer *const *)other;
    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms ? -1 : 1;
    }
    return a < b ? -1 : a > b; /* they are armed in the order in which they lie */
}

static size_t sort_armed(struct gk_kv_timer *timers, struct gk_kv_timer **sorted)
{
    size_t count = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i].armed) {
            sorted[count++] = &timers[i];
        }
    }
    qsort(sorted, count, sizeof(struct gk_kv_timer *), compare);
    return count;
}

static void arm_some(struct gk_kv_timers *heap, struct gk_kv_timer *timers, size_t from, size_t to,
                     uint32_t *random)
{
    for (size_t i = from; i < to; i++) {
        timers[i].at_ms = (int64_t)(draw(random) % TIMES);
        gk_kv_timers_add(heap, &timers[i]);
    }
}

static void cancel_some(struct gk_kv_timers *heap, struct gk_kv_timer *timers, uint32_t *random)
{
    for (size_t i = 0; i < TIMERS; i++) {
        if (timers[i].armed && draw(random) % CANCELLED == 0) {
            gk_kv_timers_remove(heap, &timers[i]);
            assert_false(timers[i].armed);
        }
    }
}

/* All that are due by then, and no other. */
static void take_until(struct gk_kv_timers *heap, struct gk_kv_timer *timers,
                       struct gk_kv_timer **sorted, int64_t now_ms)
{
    const size_t count = sort_armed(timers, sorted);
    for (size_t i = 0; i < count && sorted[i]->at_ms <= now_ms; i++) {
        assert_ptr_equal(gk_kv_timers_take_due(heap, now_ms), sorted[i]);
        assert_false(sorted[i]->armed);
    }
    assert_null(gk_kv_timers_take_due(heap, now_ms));
}

static void test_timers__many_go_in_order(void **state)
{
    (void)state;
    struct gk_kv_timers heap = {0};
    struct gk_kv_timer *timers = calloc(TIMERS, sizeof *timers);
    struct gk_kv_timer **sorted = calloc(TIMERS, sizeof(struct gk_kv_timer *));
    uint32_t random = 1;
    assert_true(timers != NULL && sorted != NULL);

    arm_some(&heap, timers, 0, TIMERS / 2, &random);
    cancel_some(&heap, timers, &random);
    take_until(&heap, timers, sorted, TIMES / 3);
    arm_some(&heap, timers, TIMERS / 2, TIMERS, &random); /* some are overdue */
    cancel_some(&heap, timers, &random);
    take_until(&heap, timers, sorted, TIMES / 2);
    cancel_some(&heap, timers, &random);
    take_until(&heap, timers, sorted, TIMES);
    assert_null(heap.first);
    free(sorted);
    free(timers);
}

static void test_timers__equal_times_go_as_they_came(void **state)
{
    (void)state;
    struct gk_kv_timers heap = {0};
    struct gk_kv_timer timers[5] = {0};
    for (size_t i = 0; i < 5; i++) {
        gk_kv_timers_add(&heap, &timers[i]);
    }
    assert_ptr_equal(gk_kv_timers_take_due(&heap, 0), &timers[0]);
    gk_kv_timers_remove(&heap, &timers[2]);
    gk_kv_timers_add(&heap, &timers[0]); /* again: behind the others */
    assert_ptr_equal(gk_kv_timers_take_due(&heap, 0), &timers[1]);
    assert_ptr_equal(gk_kv_timers_take_due(&heap, 0), &timers[3]);
    assert_ptr_equal(gk_kv_timers_take_due(&heap, 0), &timers[4]);
    assert_ptr_equal(gk_kv_timers_take_due(&heap, 0), &timers[0]);
    assert_null(gk_kv_timers_take_due(&heap, 0));
}

static void test_timers__is_found_while_it_is_among_them(void **state)
{
    (void)state;
    struct gk_kv_timers heap = {0};
    struct gk_kv_timer timers[100] = {0};
    uint32_t random = 1;
    assert_null(gk_kv_timers_find(&heap, &timers[0]));
    arm_some(&heap, timers, 0, 100, &random);
    for (size_t taken = 0; taken < 100; taken++) {
        for (size_t i = 0; i < 100; i++) {
            assert_ptr_equal(gk_kv_timers_find(&heap, &timers[i]),
                             timers[i].armed ? &timers[i] : NULL);
        }
        assert_non_null(gk_kv_timers_take_due(&heap, TIMES));
    }
    assert_null(gk_kv_timers_find(&heap, &timers[0]));
}

static void test_timers__how_long_to_wait(void **state)
{
    (void)state;
    struct gk_kv_timers heap = {0};
    struct gk_kv_timer never = {.at_ms = INT64_MAX};
    struct gk_kv_timer soon = {.at_ms = 120};
    assert_int_equal(gk_kv_timers_wait_ms(&heap, 100, 50), 50);
    gk_kv_timers_add(&heap, &never);
    assert_int_equal(gk_kv_timers_wait_ms(&heap, 100, 50), 50);
    assert_int_equal(gk_kv_timers_wait_ms(&heap, -100, 50), 50);
    gk_kv_timers_add(&heap, &soon);
    assert_int_equal(gk_kv_timers_wait_ms(&heap, 100, 50), 20);
    assert_int_equal(gk_kv_timers_wait_ms(&heap, 100, 10), 10);
    assert_int_equal(gk_kv_timers_wait_ms(&heap, 121, 50), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers__many_go_in_order),
        cmocka_unit_test(test_timers__equal_times_go_as_they_came),
        cmocka_unit_test(test_timers__is_found_while_it_is_among_them),
        cmocka_unit_test(test_timers__how_long_to_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
