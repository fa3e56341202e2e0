/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the set never takes a segment that is referred to for one that is not, in whatever memory it has;
 * its ranges, one after the other, cover all.
 */
#include "gateway/scrub/refset.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/scrub/known.h"
#include "unit/cmocka_all.h"

#define MANY      40000u
#define LEAST     1u /* byte: as little as it takes */
#define SLOTS_MIN 4096u

static struct gk_id id_of(uint32_t number)
{
    struct gk_id id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    id.bytes[6] = 0x40; /* as of a random UUID */
    id.bytes[8] = 0x80;
    return id;
}

static uint64_t hash_of(uint32_t number)
{
    const struct gk_id id = id_of(number);
    return gk_refset_hash(&id);
}

static void test_refset__has_what_was_added(void **state)
{
    (void)state;
    struct gk_refset set;
    gk_refset_init(&set, (size_t)4 << 20);
    assert_false(gk_refset_has(&set, hash_of(1)));
    for (uint32_t i = 0; i < MANY; i++) {
        assert_int_equal(gk_refset_add(&set, hash_of(i)), GK_OK);
        assert_int_equal(gk_refset_add(&set, hash_of(i / 2)), GK_OK);
    }
    assert_int_equal(set.count, MANY);
    assert_true(set.first == 0 && set.last == UINT64_MAX);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(gk_refset_has(&set, hash_of(i)));
        assert_false(gk_refset_has(&set, hash_of(MANY + i)));
    }
    gk_refset_cleanup(&set);
}

/* Passes over the same hashes, in memory for a small part of them: each is in exactly one of them. */
static void test_refset__ranges_cover_all(void **state)
{
    (void)state;
    struct gk_refset set;
    uint64_t first = 0;
    uint64_t last = UINT64_MAX;
    uint32_t seen = 0;
    unsigned passes = 0;
    gk_refset_init(&set, LEAST);
    for (;;) {
        gk_refset_begin(&set, first, last);
        for (uint32_t i = 0; i < MANY; i++) {
            assert_int_equal(gk_refset_add(&set, hash_of(i)), GK_OK);
        }
        assert_int_equal(set.slots_count, SLOTS_MIN);
        assert_true(set.count < SLOTS_MIN);
        for (uint32_t i = 0; i < MANY; i++) {
            const bool in = gk_refset_in_range(&set, hash_of(i));
            assert_int_equal(gk_refset_has(&set, hash_of(i)), in);
            seen += in;
        }
        passes++;
        if (set.last == UINT64_MAX) {
            break;
        }
        const uint64_t width = set.last - set.first;
        first = set.last + 1;
        last = UINT64_MAX - first < width ? UINT64_MAX : first + width;
    }
    assert_int_equal(seen, MANY);
    assert_in_range(passes, MANY / SLOTS_MIN, 16 * (MANY / SLOTS_MIN));
    gk_refset_cleanup(&set);
}

static void test_refset__begins_empty(void **state)
{
    (void)state;
    struct gk_refset set;
    gk_refset_init(&set, LEAST);
    assert_int_equal(gk_refset_add(&set, hash_of(1)), GK_OK);
    gk_refset_begin(&set, 0, UINT64_MAX);
    assert_false(gk_refset_has(&set, hash_of(1)));
    assert_int_equal(gk_refset_add(&set, 1), GK_OK);
    gk_refset_begin(&set, 2, 2);
    assert_int_equal(gk_refset_add(&set, 1), GK_OK);
    assert_int_equal(set.count, 0);
    gk_refset_cleanup(&set);
}

static void test_known__the_worst_state_counts(void **state)
{
    (void)state;
    struct gk_known known;
    gk_known_init(&known);
    for (uint32_t i = 0; i < 1000; i++) {
        const struct gk_id id = id_of(i);
        assert_int_equal(gk_known_add(&known, &id, GK_KNOWN_READ), GK_OK);
    }
    const struct gk_id damaged = id_of(500);
    const struct gk_id removing = id_of(7);
    const struct gk_id other = id_of(5000);
    assert_int_equal(gk_known_add(&known, &damaged, GK_KNOWN_UNDECIDED), GK_OK);
    assert_int_equal(gk_known_add(&known, &damaged, GK_KNOWN_READ), GK_OK);
    assert_int_equal(gk_known_add(&known, &removing, GK_KNOWN_REMOVING), GK_OK);
    assert_int_equal(gk_known_find(&known, &damaged), GK_KNOWN_UNDECIDED);
    assert_int_equal(gk_known_find(&known, &removing), GK_KNOWN_REMOVING);
    const struct gk_id good = id_of(501);
    assert_int_equal(gk_known_find(&known, &good), GK_KNOWN_READ);
    assert_int_equal(gk_known_find(&known, &other), GK_KNOWN_NOT);
    known.has_hidden = true;
    assert_int_equal(gk_known_find(&known, &other), GK_KNOWN_UNDECIDED);
    gk_known_reset(&known);
    assert_int_equal(gk_known_find(&known, &good), GK_KNOWN_NOT);
    gk_known_cleanup(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refset__has_what_was_added),
        cmocka_unit_test(test_refset__ranges_cover_all),
        cmocka_unit_test(test_refset__begins_empty),
        cmocka_unit_test(test_known__the_worst_state_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
