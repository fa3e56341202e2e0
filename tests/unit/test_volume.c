/* SPDX-License-Identifier: Apache-2.0 */
/* Volume files: the sweep at start gives back what nothing names, and nothing when it cannot know. */
#include <stdlib.h>
#include <sys/stat.h>

#include "common/error.h"
#include "gateway/store/volume.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/store_place.h"

#define EXTENT_BYTES 8192u

/* What the database would name. fails_at: that call fails instead; beyond count for never. */
struct named {
    const struct gk_extent *extents;
    size_t count;
    size_t at;
    size_t fails_at;
};

static enum gk_status next_named(void *ctx, struct gk_extent *extent, struct gk_error *error)
{
    struct named *named = ctx;
    if (named->at == named->fails_at) {
        return gk_fail(error, GK_E_RESOURCE, "the disk is broken");
    }
    if (named->at == named->count) {
        return GK_E_NOT_FOUND;
    }
    *extent = named->extents[named->at++];
    return GK_OK;
}

static struct gk_volumes *open_at(const char *directory)
{
    struct gk_volumes *volumes = NULL;
    struct gk_error error = {0};
    assert_int_equal(gk_volumes_open(directory, &volumes, &error), GK_OK);
    return volumes;
}

static void put(struct gk_volumes *volumes, uint8_t fill, struct gk_extent *extent)
{
    struct gk_error error = {0};
    uint8_t bytes[EXTENT_BYTES];
    memset(bytes, fill, sizeof bytes);
    assert_int_equal(gk_volumes_allocate(volumes, sizeof bytes, extent, &error), GK_OK);
    assert_int_equal(gk_volumes_write(volumes, extent, 0, gk_span_of(bytes, sizeof bytes), &error),
                     GK_OK);
    assert_int_equal(gk_volumes_sync(volumes, extent->volume, &error), GK_OK);
}

static void assert_holds(struct gk_volumes *volumes, const struct gk_extent *extent, uint8_t fill)
{
    struct gk_error error = {0};
    uint8_t bytes[EXTENT_BYTES];
    assert_int_equal(gk_volumes_read(volumes, extent, 0, bytes, sizeof bytes, &error), GK_OK);
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], fill);
    }
}

static enum gk_status sweep(struct gk_volumes *volumes, const struct gk_extent *extents,
                            size_t count, size_t fails_at)
{
    struct named named = {.extents = extents, .count = count, .fails_at = fails_at};
    struct gk_error error = {0};
    return gk_volumes_sweep(volumes, next_named, &named, &error);
}

static void write_three(const char *directory, struct gk_extent extents[3])
{
    struct gk_volumes *volumes = open_at(directory);
    assert_int_equal(sweep(volumes, NULL, 0, 1), GK_OK);
    for (uint8_t i = 0; i < 3; i++) {
        put(volumes, (uint8_t)(i + 1), &extents[i]);
    }
    gk_volumes_close(volumes);
}

static void test_volume__sweep_keeps_what_is_named(void **state)
{
    (void)state;
    char directory[STORE_PLACE_BYTES];
    assert_true(store_place_make(directory));
    struct gk_extent extents[3];
    write_three(directory, extents);
    struct gk_volumes *volumes = open_at(directory);
    const struct gk_extent live[] = {extents[0], extents[2]};
    assert_int_equal(sweep(volumes, live, 2, 3), GK_OK);
    assert_holds(volumes, &extents[0], 1);
    assert_holds(volumes, &extents[1], 0);
    assert_holds(volumes, &extents[2], 3);
    struct gk_extent next;
    put(volumes, 4, &next);
    assert_true(next.offset >= extents[2].offset + EXTENT_BYTES);
    assert_holds(volumes, &extents[2], 3);
    gk_volumes_close(volumes);
    store_place_remove(directory);
}

/* A database that cannot be read to its end is no reason to throw data away. */
static void test_volume__sweep_stops_where_the_list_fails(void **state)
{
    (void)state;
    for (size_t fails_at = 0; fails_at <= 3; fails_at++) {
        char directory[STORE_PLACE_BYTES];
        assert_true(store_place_make(directory));
        struct gk_extent extents[3];
        write_three(directory, extents);
        struct gk_volumes *volumes = open_at(directory);
        assert_int_equal(sweep(volumes, extents, 3, fails_at), GK_E_RESOURCE);
        for (uint8_t i = 0; i < 3; i++) {
            assert_holds(volumes, &extents[i], (uint8_t)(i + 1));
        }
        gk_volumes_close(volumes);
        store_place_remove(directory);
    }
}

static void test_volume__numbers_are_used_again(void **state)
{
    (void)state;
    char directory[STORE_PLACE_BYTES];
    assert_true(store_place_make(directory));
    struct gk_volumes *volumes = open_at(directory);
    struct gk_error error = {0};
    struct gk_extent extent;
    assert_int_equal(sweep(volumes, NULL, 0, 1), GK_OK);
    uint32_t highest = 0;
    /* Each takes a volume of its own; the one before is freed at once. */
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(gk_volumes_allocate(volumes, UINT64_C(900) << 20, &extent, &error), GK_OK);
        highest = extent.volume > highest ? extent.volume : highest;
        gk_volumes_release(volumes, &extent, 1);
    }
    assert_in_range(highest, 1, 1);
    gk_volumes_close(volumes);
    store_place_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_volume__sweep_keeps_what_is_named),
        cmocka_unit_test(test_volume__sweep_stops_where_the_list_fails),
        cmocka_unit_test(test_volume__numbers_are_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
