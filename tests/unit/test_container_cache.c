/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the cache gives what was put for exactly that account and container, keeps no more than it may,
 * and never gives back what was read before a drop. Shards are where the document says.
 */
#include <pthread.h>
#include <stdio.h>

#include "common/text.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/names.h"

#include "unit/cmocka_all.h"

static struct gk_container_cache_key key_of(uint8_t account, const char *container)
{
    return (struct gk_container_cache_key){.account = {{account}}, .container = container};
}

static struct gk_container_ref ref_of(uint32_t number)
{
    struct gk_container_ref ref = {.shards = number};
    memcpy(ref.id.bytes, &number, sizeof number);
    return ref;
}

static void put(struct gk_container_cache *cache, uint8_t account, const char *container,
                uint32_t number)
{
    const struct gk_container_cache_key key = key_of(account, container);
    const struct gk_container_ref ref = ref_of(number);
    struct gk_container_ref found;
    uint64_t ticket = 0;
    (void)gk_container_cache_find(cache, &key, &found, &ticket);
    gk_container_cache_put(cache, &key, &ref, ticket);
}

/* 0: not there. */
static uint32_t find(struct gk_container_cache *cache, uint8_t account, const char *container)
{
    const struct gk_container_cache_key key = key_of(account, container);
    struct gk_container_ref found = {.shards = 0};
    uint64_t ticket = 0;
    if (!gk_container_cache_find(cache, &key, &found, &ticket)) {
        return 0;
    }
    const struct gk_container_ref wanted = ref_of(found.shards);
    assert_true(gk_id_equal(&found.id, &wanted.id));
    return found.shards;
}

static int setup(void **state)
{
    return gk_container_cache_new((struct gk_container_cache **)state, NULL) == GK_OK ? 0 : -1;
}

static int teardown(void **state)
{
    gk_container_cache_free(*state);
    return 0;
}

static void test_cache__finds_what_was_put(void **state)
{
    struct gk_container_cache *cache = *state;
    assert_int_equal(find(cache, 1, "photos"), 0);
    put(cache, 1, "photos", 7);
    put(cache, 1, "photo", 8);
    put(cache, 2, "photos", 9);
    put(cache, 1, "photos", 10);
    assert_int_equal(find(cache, 1, "photos"), 10);
    assert_int_equal(find(cache, 1, "photo"), 8);
    assert_int_equal(find(cache, 2, "photos"), 9);
    const struct gk_container_cache_key key = key_of(1, "photos");
    gk_container_cache_drop(cache, &key);
    gk_container_cache_drop(cache, &key);
    assert_int_equal(find(cache, 1, "photos"), 0);
    assert_int_equal(find(cache, 2, "photos"), 9);
}

/* A gateway reads the record, the container is deleted, and only then does it put what it read. */
static void test_cache__takes_nothing_from_before_a_drop(void **state)
{
    struct gk_container_cache *cache = *state;
    const struct gk_container_cache_key key = key_of(1, "photos");
    const struct gk_container_ref old = ref_of(7);
    struct gk_container_ref found;
    uint64_t ticket = 0;
    assert_false(gk_container_cache_find(cache, &key, &found, &ticket));
    gk_container_cache_drop(cache, &key);
    gk_container_cache_put(cache, &key, &old, ticket);
    assert_int_equal(find(cache, 1, "photos"), 0);
    put(cache, 1, "photos", 8);
    assert_int_equal(find(cache, 1, "photos"), 8);
}

static void test_cache__is_bounded_and_keeps_what_is_used(void **state)
{
    struct gk_container_cache *cache = *state;
    put(cache, 1, "used", 42);
    char name[GK_CONTAINER_NAME_BYTES_MAX + 1];
    for (uint32_t i = 1; i <= 20000; i++) {
        snprintf(name, sizeof name, "container-%u", i);
        put(cache, 1, name, i);
        assert_int_equal(find(cache, 1, name), i);
        assert_int_equal(find(cache, 1, "used"), 42);
    }
    uint32_t kept = 0;
    for (uint32_t i = 1; i <= 20000; i++) {
        snprintf(name, sizeof name, "container-%u", i);
        const uint32_t found = find(cache, 1, name);
        assert_true(found == 0 || found == i);
        kept += found != 0;
    }
    assert_true(kept <= 4096 && kept > 3500);
}

static void *work(void *state)
{
    struct gk_container_cache *cache = state;
    char name[GK_CONTAINER_NAME_BYTES_MAX + 1];
    for (uint32_t i = 0; i < 50000; i++) {
        const uint32_t number = 1 + i % 100;
        snprintf(name, sizeof name, "container-%u", number);
        const uint32_t found = find(cache, 1, name);
        assert_true(found == 0 || found == number);
        const struct gk_container_cache_key key = key_of(1, name);
        if (i % 7 == 0) {
            gk_container_cache_drop(cache, &key);
        } else if (found == 0) {
            put(cache, 1, name, number);
        }
    }
    return NULL;
}

static void test_cache__several_threads(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, *state), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
}

/* --- shards ------------------------------------------------------------------------------------- */

/* Computed by tests/vectors/read_store.py. */
static void test_shard__is_where_the_document_says(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t of_64;
        uint32_t of_1000;
    } rows[] = {
        {"a", 12, 996}, {"photos/1.jpg", 41, 481}, {"000001", 10, 338}, {"\xc3\xa9/1", 33, 257}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(gk_index_shard(gk_span_str(rows[i].name), 1), 0);
        assert_int_equal(gk_index_shard(gk_span_str(rows[i].name), 64), rows[i].of_64);
        assert_int_equal(gk_index_shard(gk_span_str(rows[i].name), 1000), rows[i].of_1000);
    }
}

/* Names that are counted up, as most are, come to all shards alike. */
static void assert_even(const char *before, const char *after)
{
    uint32_t counts[64] = {0};
    for (uint32_t i = 0; i < 64000; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%06u%s", before, i, after);
        counts[gk_index_shard(gk_span_str(name), 64)]++;
    }
    for (size_t i = 0; i < 64; i++) {
        assert_in_range(counts[i], 800, 1200);
    }
}

static void test_shard__evenly(void **state)
{
    (void)state;
    assert_even("", "");
    assert_even("photos/2026/img-", ".jpg");
    assert_even("a", "/part-0");
}

#define CACHE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CACHE_TEST(test_cache__finds_what_was_put),
        CACHE_TEST(test_cache__takes_nothing_from_before_a_drop),
        CACHE_TEST(test_cache__is_bounded_and_keeps_what_is_used),
        CACHE_TEST(test_cache__several_threads),
        cmocka_unit_test(test_shard__is_where_the_document_says),
        cmocka_unit_test(test_shard__evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
