/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what one operation writes into an object's bytes is there as a whole or not at all, and a read of
 * several parts is of one state. Method: a plain array beside the object, at offsets that are even and odd;
 * a writer beside readers. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MODEL_BYTES  (5u << 20) /* as far as page objects reach, and beyond */

static struct gk_change bytes_of(uint64_t offset, const void *bytes, size_t len)
{
    return (struct gk_change){
        .kind = GK_CHANGE_BYTES, .value = gk_span_of(bytes, len), .number = offset};
}

static enum gk_status write_bytes(struct gk_store *store, const char *object,
                                  const struct gk_guard *guard, const struct gk_change *changes,
                                  size_t count, uint64_t *version)
{
    const struct gk_write_op op = {.pool = GK_POOL_DATA,
                                   .object = object,
                                   .guards = guard,
                                   .guards_count = guard == NULL ? 0 : 1,
                                   .changes = changes,
                                   .changes_count = count};
    return gk_store_write(store, &op, version, NULL);
}

static enum gk_status write_text(struct gk_store *store, const struct gk_guard *guard,
                                 uint64_t offset, const char *text, uint64_t *version)
{
    const struct gk_change change = bytes_of(offset, text, strlen(text));
    return write_bytes(store, "o", guard, &change, 1, version);
}

/* The object from 0 on as text, zeros as dots; "absent" for none. */
static const char *show(struct gk_store *store)
{
    static char text[64];
    size_t len = 0;
    memset(text, 0, sizeof text);
    const enum gk_status status =
        gk_store_read(store, GK_POOL_DATA, "o", 0, (uint8_t *)text, sizeof text - 1, &len, NULL);
    if (status == GK_E_NOT_FOUND) {
        return "absent";
    }
    assert_int_equal(status, GK_OK);
    for (size_t i = 0; i < len; i++) {
        text[i] = text[i] == '\0' ? '.' : text[i];
    }
    return text;
}

static void test_bytes__make_an_object_and_change_it(void **state)
{
    struct store_case *test = *state;
    uint64_t first = 0;
    uint64_t second = 0;
    assert_int_equal(write_text(test->store, NULL, 3, "abc", &first), GK_OK);
    assert_string_equal(show(test->store), "...abc");
    assert_int_equal(write_text(test->store, NULL, 5, "XYZ", &second), GK_OK);
    assert_true(second > first);
    assert_string_equal(show(test->store), "...abXYZ");
    assert_int_equal(write_text(test->store, NULL, 0, "12", NULL), GK_OK);
    store_case_reopen(test);
    assert_string_equal(show(test->store), "12.abXYZ");
    struct gk_store_stat stat;
    assert_int_equal(gk_store_stat(test->store, GK_POOL_DATA, "o", &stat, NULL), GK_OK);
    assert_int_equal(stat.size_bytes, 8);
}

static void test_bytes__guards(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_guard exists = {.kind = GK_GUARD_EXISTS};
    const struct gk_guard absent = {.kind = GK_GUARD_ABSENT};
    uint64_t version = 0;
    assert_int_equal(write_text(store, &exists, 0, "no", NULL), GK_E_NOT_FOUND);
    const struct gk_guard of_none = guard_version(7);
    assert_int_equal(write_text(store, &of_none, 0, "no", NULL), GK_E_NOT_FOUND);
    assert_string_equal(show(store), "absent");
    assert_int_equal(write_text(store, &absent, 0, "one", &version), GK_OK);
    assert_int_equal(write_text(store, &absent, 0, "two", NULL), GK_E_EXISTS);
    const struct gk_guard same = guard_version(version);
    uint64_t next = 0;
    assert_int_equal(write_text(store, &same, 1, "NE", &next), GK_OK);
    assert_int_equal(write_text(store, &same, 1, "no", NULL), GK_E_CONFLICT);
    assert_int_equal(write_text(store, &exists, 3, "!", NULL), GK_OK);
    const struct gk_guard stale = guard_version(next);
    assert_int_equal(write_text(store, &stale, 0, "no", NULL), GK_E_CONFLICT);
    assert_string_equal(show(store), "oNE!");
}

static void test_bytes__all_of_an_operation_or_nothing(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    uint64_t version = 0;
    const struct gk_change both[] = {bytes_of(0, "aaaa", 4), bytes_of(6, "bb", 2),
                                     bytes_of(2, "cc", 2)};
    assert_int_equal(write_bytes(store, "o", NULL, both, COUNT(both), &version), GK_OK);
    assert_string_equal(show(store), "aacc..bb");
    const struct gk_guard stale = guard_version(version + 1);
    const struct gk_change others[] = {bytes_of(0, "x", 1), bytes_of(7, "y", 1)};
    assert_int_equal(write_bytes(store, "o", &stale, others, COUNT(others), NULL), GK_E_CONFLICT);
    assert_string_equal(show(store), "aacc..bb");
}

static void test_bytes__what_is_refused(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_change empty = bytes_of(0, "", 0);
    const struct gk_change beyond = bytes_of(GK_OBJECT_BYTES_MAX, "x", 1);
    const struct gk_change wrapped = bytes_of(UINT64_MAX, "xy", 2);
    const struct gk_change one = bytes_of(0, "x", 1);
    assert_int_equal(write_bytes(store, "o", NULL, &empty, 1, NULL), GK_E_INVALID);
    assert_int_equal(write_bytes(store, "o", NULL, &beyond, 1, NULL), GK_E_LIMIT);
    assert_int_equal(write_bytes(store, "o", NULL, &wrapped, 1, NULL), GK_E_LIMIT);
    const struct gk_write_op in_meta = {
        .pool = GK_POOL_META, .object = "o", .changes = &one, .changes_count = 1};
    assert_int_equal(gk_store_write(store, &in_meta, NULL, NULL), GK_E_INVALID);
    assert_string_equal(show(store), "absent");
    const struct gk_change last = bytes_of(GK_OBJECT_BYTES_MAX - 1, "x", 1);
    assert_int_equal(write_bytes(store, "o", NULL, &last, 1, NULL), GK_OK);
}

static void test_bytes__go_with_the_object(void **state)
{
    struct store_case *test = *state;
    const char *name = "o";
    assert_int_equal(write_text(test->store, NULL, 0, "old bytes", NULL), GK_OK);
    assert_int_equal(gk_store_remove(test->store, GK_POOL_DATA, &name, 1, NULL), GK_OK);
    assert_string_equal(show(test->store), "absent");
    assert_int_equal(write_text(test->store, NULL, 11, "new", NULL), GK_OK);
    assert_string_equal(show(test->store), "...........new");
    const struct gk_change remove = {.kind = GK_CHANGE_REMOVE};
    assert_int_equal(write_bytes(test->store, "o", NULL, &remove, 1, NULL), GK_OK);
    assert_string_equal(show(test->store), "absent");
}

/* --- a model ----------------------------------------------------------------------------------- */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Where a write or a read is: at the edges of blocks more often than elsewhere. */
static size_t some_place(unsigned *seed)
{
    const size_t at = next_random(seed) % MODEL_BYTES;
    switch (next_random(seed) % 4) {
    case 0:
        return at / 4096 * 4096;
    case 1:
        return (4u << 20) + at % 1024 * 40;
    default:
        return at;
    }
}

static size_t some_length(unsigned *seed, size_t at)
{
    static const size_t lengths[] = {1, 40, 512, 4095, 4096, 4097, 8192, 65536, 300001};
    const size_t len = lengths[next_random(seed) % COUNT(lengths)];
    return len < MODEL_BYTES - at ? len : MODEL_BYTES - at;
}

static void check_parts(struct gk_store *store, const uint8_t *model, size_t size, unsigned *seed)
{
    static uint8_t got[2][300001];
    struct gk_read_part parts[2];
    uint64_t version = 0;
    for (size_t i = 0; i < 2; i++) {
        const size_t at = some_place(seed);
        parts[i] =
            (struct gk_read_part){.offset = at, .buffer = got[i], .len = some_length(seed, at)};
    }
    assert_int_equal(gk_store_read_parts(store, GK_POOL_DATA, "o", parts, 2, &version, NULL),
                     GK_OK);
    assert_true(version > 0);
    for (size_t i = 0; i < 2; i++) {
        const size_t there = parts[i].offset < size ? size - parts[i].offset : 0;
        assert_int_equal(parts[i].read_len, there < parts[i].len ? there : parts[i].len);
        assert_memory_equal(got[i], model + parts[i].offset, parts[i].read_len);
    }
}

static void test_bytes__as_a_plain_array(void **state)
{
    struct store_case *test = *state;
    static uint8_t model[MODEL_BYTES];
    static uint8_t bytes[2][300001];
    size_t size = 0;
    unsigned seed = 4711;
    memset(model, 0, sizeof model);
    for (unsigned round = 0; round < 150; round++) {
        struct gk_change changes[2];
        for (size_t i = 0; i < 2; i++) {
            const size_t at = some_place(&seed);
            const size_t len = some_length(&seed, at);
            memset(bytes[i], (int)(1 + next_random(&seed) % 255), len);
            changes[i] = bytes_of(at, bytes[i], len);
            memcpy(model + at, bytes[i], len);
            size = at + len > size ? at + len : size;
        }
        assert_int_equal(write_bytes(test->store, "o", NULL, changes, 2, NULL), GK_OK);
        check_parts(test->store, model, size, &seed);
        if (round % 50 == 49) {
            store_case_reopen(test);
        }
    }
    for (size_t at = 0; at < size; at += sizeof bytes[0]) {
        size_t len = 0;
        const size_t wanted = size - at < sizeof bytes[0] ? size - at : sizeof bytes[0];
        assert_int_equal(
            gk_store_read(test->store, GK_POOL_DATA, "o", at, bytes[0], wanted, &len, NULL), GK_OK);
        assert_int_equal(len, wanted);
        assert_memory_equal(bytes[0], model + at, wanted);
    }
}

static void test_bytes__parts_of_what_is_not_there(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    uint8_t byte = 0;
    uint64_t version = 0;
    struct gk_read_part part = {.buffer = &byte, .len = 1};
    assert_int_equal(gk_store_read_parts(store, GK_POOL_DATA, "o", &part, 1, &version, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(gk_store_read_parts(store, GK_POOL_DATA, "o", NULL, 0, &version, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(write_text(store, NULL, 0, "x", &version), GK_OK);
    uint64_t seen = 0;
    assert_int_equal(gk_store_read_parts(store, GK_POOL_DATA, "o", NULL, 0, &seen, NULL), GK_OK);
    assert_true(seen == version);
    /* What a batch made is read like this, too. */
    static uint8_t got[70000];
    static uint8_t expected[70000];
    assert_int_equal(store_put(store, "batched", 5, sizeof got), GK_OK);
    part = (struct gk_read_part){.buffer = got, .len = sizeof got};
    assert_int_equal(gk_store_read_parts(store, GK_POOL_DATA, "batched", &part, 1, &version, NULL),
                     GK_OK);
    pattern_fill(expected, sizeof expected, 5, 0);
    assert_memory_equal(got, expected, sizeof got);
}

/* --- beside each other ------------------------------------------------------------------------- */

#define FAR_AWAY (4u << 20)
#define ROUNDS   100

static void *write_pairs(void *ctx)
{
    static uint8_t block[4096];
    for (int round = 1; round <= ROUNDS; round++) {
        memset(block, round, sizeof block);
        const struct gk_change changes[] = {bytes_of(4096, block, sizeof block),
                                            bytes_of(FAR_AWAY, block, 40)};
        if (write_bytes(ctx, "o", NULL, changes, COUNT(changes), NULL) != GK_OK) {
            return ctx;
        }
    }
    return NULL;
}

static void test_bytes__parts_are_of_one_state(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(write_text(store, NULL, FAR_AWAY + 39, "x", NULL), GK_OK);
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_pairs, store), 0);
    uint8_t block[4096] = {0};
    uint8_t seal[40] = {0};
    while (block[0] != ROUNDS) {
        uint64_t version = 0;
        struct gk_read_part parts[] = {{.offset = 4096, .buffer = block, .len = sizeof block},
                                       {.offset = FAR_AWAY, .buffer = seal, .len = sizeof seal}};
        assert_int_equal(gk_store_read_parts(store, GK_POOL_DATA, "o", parts, 2, &version, NULL),
                         GK_OK);
        assert_int_equal(block[0], seal[0]);
        assert_int_equal(block[4095], block[0]);
    }
    void *failed = store;
    assert_int_equal(pthread_join(writer, &failed), 0);
    assert_null(failed);
}

/* Who lost by the version reads again: no increment is lost. */
static void *count_up(void *ctx)
{
    for (int round = 0; round < ROUNDS;) {
        uint8_t number = 0;
        uint64_t version = 0;
        struct gk_read_part part = {.buffer = &number, .len = 1};
        if (gk_store_read_parts(ctx, GK_POOL_DATA, "o", &part, 1, &version, NULL) != GK_OK) {
            return ctx;
        }
        number++;
        const struct gk_guard guard = guard_version(version);
        const struct gk_change change = bytes_of(0, &number, 1);
        const enum gk_status status = write_bytes(ctx, "o", &guard, &change, 1, NULL);
        if (status != GK_OK && status != GK_E_CONFLICT) {
            return ctx;
        }
        round += status == GK_OK;
    }
    return NULL;
}

static void test_bytes__no_update_is_lost(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const uint8_t zero = 0;
    const struct gk_change change = bytes_of(0, &zero, 1);
    assert_int_equal(write_bytes(store, "o", NULL, &change, 1, NULL), GK_OK);
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, count_up, store), 0);
    assert_null(count_up(store));
    void *failed = store;
    assert_int_equal(pthread_join(other, &failed), 0);
    assert_null(failed);
    uint8_t number = 0;
    size_t len = 0;
    assert_int_equal(gk_store_read(store, GK_POOL_DATA, "o", 0, &number, 1, &len, NULL), GK_OK);
    assert_int_equal(number, 2 * ROUNDS);
}

int store_suite_bytes(const struct store_engine *engine)
{
    void *state = store_engine_state(engine);
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_bytes__make_an_object_and_change_it, state),
        STORE_TEST(test_bytes__guards, state),
        STORE_TEST(test_bytes__all_of_an_operation_or_nothing, state),
        STORE_TEST(test_bytes__what_is_refused, state),
        STORE_TEST(test_bytes__go_with_the_object, state),
        STORE_TEST(test_bytes__as_a_plain_array, state),
        STORE_TEST(test_bytes__parts_of_what_is_not_there, state),
        STORE_TEST(test_bytes__parts_are_of_one_state, state),
        STORE_TEST(test_bytes__no_update_is_lost, state),
    };
    return cmocka_run_group_tests_name("store: bytes in place", tests, NULL, NULL);
}
