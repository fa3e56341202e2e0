/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a batch is visible as a whole or not at all, and its bytes come back as they were given. */
#include <stdio.h>
#include <stdlib.h>

#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct gk_write_op plain_op = {
    .pool = GK_POOL_META,
    .object = "index",
    .changes = &(const struct gk_change){.kind = GK_CHANGE_CREATE},
    .changes_count = 1,
};

static struct gk_store_batch *begin(struct gk_store *store)
{
    struct gk_store_batch *batch = NULL;
    assert_int_equal(gk_store_batch_begin(store, &batch, NULL), GK_OK);
    assert_non_null(batch);
    return batch;
}

static void test_batch__stores_every_size(void **state)
{
    struct store_case *test = *state;
    const size_t sizes[] = {
        0,     1,       4095,      4096,    4097,    16383,         16384,
        16385, 32767,   32768,     32769,   65535,   65536,         65537,
        70000, 1 << 20, (4 << 20), 4198400, 4198401, (8 << 20) - 1, GK_OBJECT_BYTES_MAX,
    };
    char name[32];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        snprintf(name, sizeof name, "d%zu", i);
        assert_int_equal(store_put(test->store, name, i, sizes[i]), GK_OK);
        assert_int_equal(store_check(test->store, name, i, sizes[i]), GK_OK);
    }
    store_case_reopen(test);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        snprintf(name, sizeof name, "d%zu", i);
        assert_int_equal(store_check(test->store, name, i, sizes[i]), GK_OK);
    }
}

static void test_batch__takes_pieces_of_any_size(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const size_t pieces[] = {1, 7, 4096, 65536, 65552, 300000, 1 << 20};
    struct gk_store_batch *batch = begin(store);
    char name[32];
    for (size_t i = 0; i < COUNT(pieces); i++) {
        snprintf(name, sizeof name, "p%zu", i);
        /* Not a multiple of any piece, and short where the pieces are tiny. */
        assert_int_equal(batch_put(batch, name, i, pieces[i] < 100 ? 50001 : 1000003, pieces[i]),
                         GK_OK);
    }
    assert_int_equal(gk_store_batch_commit(batch, &plain_op, NULL, NULL), GK_OK);
    for (size_t i = 0; i < COUNT(pieces); i++) {
        snprintf(name, sizeof name, "p%zu", i);
        assert_int_equal(store_check(store, name, i, pieces[i] < 100 ? 50001 : 1000003), GK_OK);
    }
}

static void test_batch__reads_any_range(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const size_t sizes[] = {9000, 300000};
    const size_t edges[] = {0,    1,     4095,   4096,   8999,   9000,
                            9001, 65536, 262144, 299999, 300000, 300001};
    static uint8_t got[300002];
    static uint8_t expected[300002];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        const char *name = i == 0 ? "small" : "large";
        assert_int_equal(store_put(store, name, i, sizes[i]), GK_OK);
        for (size_t from = 0; from < COUNT(edges); from++) {
            for (size_t to = from; to < COUNT(edges); to++) {
                const size_t len = edges[to] - edges[from];
                const size_t there = edges[from] >= sizes[i] ? 0
                                     : edges[to] > sizes[i]  ? sizes[i] - edges[from]
                                                             : len;
                size_t read_len = 12345;
                got[there] = 0xa5;
                assert_int_equal(gk_store_read(store, GK_POOL_DATA, name, edges[from], got, len,
                                               &read_len, NULL),
                                 GK_OK);
                assert_int_equal(read_len, there);
                assert_int_equal(got[there], 0xa5);
                pattern_fill(expected, there, i, edges[from]);
                assert_memory_equal(got, expected, there);
            }
        }
    }
    size_t read_len = 1;
    assert_int_equal(
        gk_store_read(store, GK_POOL_DATA, "small", UINT64_MAX - 1, got, 10, &read_len, NULL),
        GK_OK);
    assert_int_equal(read_len, 0);
    assert_int_equal(gk_store_read(store, GK_POOL_DATA, "none", 0, got, 10, &read_len, NULL),
                     GK_E_NOT_FOUND);
}

static void test_batch__publishes_many_objects_at_once(void **state)
{
    struct store_case *test = *state;
    struct gk_store_batch *batch = begin(test->store);
    char name[32];
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "d%03u", i);
        assert_int_equal(batch_put(batch, name, i, i * 97 % 40000, 8192), GK_OK);
    }
    /* Whether or not data objects are there before the commit, nothing names them yet. */
    assert_string_equal(store_show(test->store, "index"), "absent");
    uint64_t version = 0;
    assert_int_equal(gk_store_batch_commit(batch, &plain_op, &version, NULL), GK_OK);
    assert_true(version == store_version(test->store, "index"));
    for (unsigned i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "d%03u", i);
        assert_int_equal(store_check(test->store, name, i, i * 97 % 40000), GK_OK);
    }
}

static void test_batch__without_objects_is_a_write(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(gk_store_batch_commit(begin(store), &plain_op, NULL, NULL), GK_OK);
    assert_string_equal(store_show(store, "index"), "");
}

static void test_batch__abort_leaves_nothing(void **state)
{
    struct store_case *test = *state;
    gk_store_batch_abort(NULL);
    gk_store_batch_abort(begin(test->store));
    const size_t sizes[] = {0, 100, 3 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct gk_store_batch *batch = begin(test->store);
        assert_int_equal(batch_put(batch, "whole", 1, sizes[i], 65536), GK_OK);
        /* In the middle of an object too. */
        assert_int_equal(gk_store_batch_object(batch, "part", 1000, NULL), GK_OK);
        assert_int_equal(gk_store_batch_append(batch, gk_span_str("0123456789"), NULL), GK_OK);
        gk_store_batch_abort(batch);
        assert_true(store_data_absent(test->store, "whole"));
        assert_true(store_data_absent(test->store, "part"));
    }
    store_case_reopen(test);
    assert_string_equal(store_show_names(test->store, GK_POOL_DATA, ""), "");
    assert_int_equal(store_put(test->store, "whole", 2, 3 << 20), GK_OK);
    assert_int_equal(store_check(test->store, "whole", 2, 3 << 20), GK_OK);
}

static void test_batch__a_failing_guard_leaves_nothing(void **state)
{
    struct store_case *test = *state;
    store_set(test->store, "index", "k", "v");
    const struct {
        struct gk_guard guard;
        enum gk_status expected;
    } rows[] = {
        {{.kind = GK_GUARD_ABSENT}, GK_E_EXISTS},
        {guard_of(GK_GUARD_MAP_ABSENT, "k", ""), GK_E_EXISTS},
        {guard_of(GK_GUARD_MAP_EQUAL, "k", "w"), GK_E_CONFLICT},
        {guard_version(0), GK_E_CONFLICT},
    };
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, "k", "x");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_store_batch *batch = begin(test->store);
        assert_int_equal(batch_put(batch, "small", i, 10, 10), GK_OK);
        assert_int_equal(batch_put(batch, "large", i, 1 << 20, 65536), GK_OK);
        const struct gk_write_op op = {.pool = GK_POOL_META,
                                       .object = "index",
                                       .guards = &rows[i].guard,
                                       .guards_count = 1,
                                       .changes = &change,
                                       .changes_count = 1};
        assert_int_equal(gk_store_batch_commit(batch, &op, NULL, NULL), rows[i].expected);
        assert_true(store_data_absent(test->store, "small"));
        assert_true(store_data_absent(test->store, "large"));
        assert_string_equal(store_show(test->store, "index"), "map:k=v ");
    }
    store_case_reopen(test);
    assert_string_equal(store_show_names(test->store, GK_POOL_DATA, ""), "");
}

static void test_batch__names_are_new(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_put(store, "taken", 1, 100000), GK_OK);
    /* An engine may notice at once or when it commits; either way nothing changes. */
    const size_t sizes[] = {10, 100000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct gk_store_batch *batch = begin(store);
        assert_int_equal(batch_put(batch, "other", 5, 10, 10), GK_OK);
        enum gk_status status = batch_put(batch, "taken", 2, sizes[i], 65536);
        if (status == GK_OK) {
            const struct gk_change change = change_of(GK_CHANGE_MAP_SET, "k", "x");
            const struct gk_write_op op = {
                .pool = GK_POOL_META, .object = "index", .changes = &change, .changes_count = 1};
            status = gk_store_batch_commit(batch, &op, NULL, NULL);
        } else {
            gk_store_batch_abort(batch);
        }
        assert_int_equal(status, GK_E_EXISTS);
        assert_true(store_data_absent(store, "other"));
        assert_int_equal(store_check(store, "taken", 1, 100000), GK_OK);
        assert_string_equal(store_show(store, "index"), "map:taken=taken ");
    }
    /* Twice in one batch. */
    struct gk_store_batch *batch = begin(store);
    assert_int_equal(batch_put(batch, "twin", 1, 10, 10), GK_OK);
    enum gk_status status = batch_put(batch, "twin", 1, 10, 10);
    if (status == GK_OK) {
        status = gk_store_batch_commit(batch, &plain_op, NULL, NULL);
    } else {
        gk_store_batch_abort(batch);
    }
    assert_int_equal(status, GK_E_EXISTS);
    assert_true(store_data_absent(store, "twin"));
    assert_string_equal(store_show(store, "index"), "map:taken=taken ");
}

static void test_batch__refuses_misuse(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    struct gk_store_batch *batch = begin(store);
    assert_int_equal(gk_store_batch_object(batch, "o", GK_OBJECT_BYTES_MAX + 1, NULL), GK_E_LIMIT);
    assert_int_equal(gk_store_batch_object(batch, "", 1, NULL), GK_E_LIMIT);
    assert_int_equal(gk_store_batch_append(batch, gk_span_str("x"), NULL), GK_E_INVALID);
    assert_int_equal(gk_store_batch_object(batch, "o", 3, NULL), GK_OK);
    assert_int_equal(gk_store_batch_append(batch, gk_span_str("xy"), NULL), GK_OK);
    assert_int_equal(gk_store_batch_append(batch, gk_span_str("xy"), NULL), GK_E_INVALID);
    assert_int_equal(gk_store_batch_object(batch, "p", 3, NULL), GK_E_INVALID);
    assert_int_equal(gk_store_batch_commit(batch, &plain_op, NULL, NULL), GK_E_INVALID);
    assert_true(store_data_absent(store, "o"));
    assert_string_equal(store_show(store, "index"), "absent");
}

static void test_batch__removal_of_many(void **state)
{
    struct store_case *test = *state;
    enum { OBJECTS = 300 };
    char names[OBJECTS][16];
    const char *list[OBJECTS + 1];
    struct gk_store_batch *batch = begin(test->store);
    for (unsigned i = 0; i < OBJECTS; i++) {
        snprintf(names[i], sizeof names[i], "d%03u", i);
        assert_int_equal(batch_put(batch, names[i], i, i % 7 == 0 ? 30000 : 100, 65536), GK_OK);
        list[i] = names[i];
    }
    assert_int_equal(gk_store_batch_commit(batch, &plain_op, NULL, NULL), GK_OK);
    list[OBJECTS] = "never was";
    assert_int_equal(gk_store_remove(test->store, GK_POOL_DATA, list + 10, OBJECTS - 9, NULL),
                     GK_OK);
    assert_int_equal(gk_store_remove(test->store, GK_POOL_DATA, list, 0, NULL), GK_OK);
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (i < 10) {
            assert_int_equal(store_check(test->store, names[i], i, i % 7 == 0 ? 30000 : 100),
                             GK_OK);
        } else {
            assert_true(store_data_absent(test->store, names[i]));
        }
    }
    assert_int_equal(gk_store_remove(test->store, GK_POOL_DATA, list, OBJECTS, NULL), GK_OK);
    store_case_reopen(test);
    assert_string_equal(store_show_names(test->store, GK_POOL_DATA, ""), "");
    /* The names are free again. */
    assert_int_equal(store_put(test->store, "d000", 5, 77777), GK_OK);
    assert_int_equal(store_check(test->store, "d000", 5, 77777), GK_OK);
}

int store_suite_batch(const struct store_engine *engine)
{
    void *state = store_engine_state(engine);
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_batch__stores_every_size, state),
        STORE_TEST(test_batch__takes_pieces_of_any_size, state),
        STORE_TEST(test_batch__reads_any_range, state),
        STORE_TEST(test_batch__publishes_many_objects_at_once, state),
        STORE_TEST(test_batch__without_objects_is_a_write, state),
        STORE_TEST(test_batch__abort_leaves_nothing, state),
        STORE_TEST(test_batch__a_failing_guard_leaves_nothing, state),
        STORE_TEST(test_batch__names_are_new, state),
        STORE_TEST(test_batch__refuses_misuse, state),
        STORE_TEST(test_batch__removal_of_many, state),
    };
    return cmocka_run_group_tests_name("store: batches", tests, NULL, NULL);
}
