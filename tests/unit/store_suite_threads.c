/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what many threads do at once is what they would have done one after the other. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/store_suite.h"

#define THREADS 16u

/* cmocka's assertions belong to the main thread, so workers count what went wrong. */
struct worker {
    struct gk_store *store;
    unsigned number;
    unsigned rounds;
    atomic_uint *failures;
};

static void expect(struct worker *worker, bool holds)
{
    if (!holds) {
        atomic_fetch_add(worker->failures, 1);
    }
}

static void run_threads(struct gk_store *store, unsigned rounds, void *(*body)(void *))
{
    static atomic_uint failures;
    atomic_store(&failures, 0);
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] =
            (struct worker){.store = store, .number = i, .rounds = rounds, .failures = &failures};
        assert_int_equal(pthread_create(&threads[i], NULL, body, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&failures), 0);
}

/* --- counters: read, add one, write where nobody came between ----------------------------------- */

static bool map_number(struct gk_store *store, const char *object, const char *key,
                       unsigned *number)
{
    struct gk_buf value;
    gk_buf_init(&value, 32);
    const bool found =
        gk_store_map_get(store, GK_POOL_META, object, gk_span_str(key), &value, NULL) == GK_OK;
    *number = found ? (unsigned)strtoul(gk_buf_str(&value), NULL, 10) : 0;
    gk_buf_cleanup(&value);
    return found;
}

static void *count_by_value(void *ctx)
{
    struct worker *worker = ctx;
    for (unsigned done = 0; done < worker->rounds;) {
        unsigned number;
        char before[16];
        char after[16];
        expect(worker, map_number(worker->store, "counter", "n", &number));
        snprintf(before, sizeof before, "%u", number);
        snprintf(after, sizeof after, "%u", number + 1);
        const struct gk_guard guard = guard_of(GK_GUARD_MAP_EQUAL, "n", before);
        const enum gk_status status =
            store_change(worker->store, "counter", &guard, GK_CHANGE_MAP_SET, "n", after);
        expect(worker, status == GK_OK || status == GK_E_CONFLICT);
        done += status == GK_OK;
    }
    return NULL;
}

static void test_threads__guard_a_counter_by_its_value(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "counter", "n", "0");
    run_threads(store, 25, count_by_value);
    unsigned number;
    assert_true(map_number(store, "counter", "n", &number));
    assert_int_equal(number, THREADS * 25);
}

static bool attr_number(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    char text[16] = "";
    memcpy(text, value.data, value.len < sizeof text - 1 ? value.len : sizeof text - 1);
    *(unsigned *)ctx = (unsigned)strtoul(text, NULL, 10);
    return true;
}

static void *count_by_version(void *ctx)
{
    struct worker *worker = ctx;
    uint64_t last = 0;
    for (unsigned done = 0; done < worker->rounds;) {
        unsigned number = 0;
        uint64_t version = 0;
        expect(worker, gk_store_attrs(worker->store, GK_POOL_META, "counter", attr_number, &number,
                                      &version, NULL) == GK_OK);
        expect(worker, version >= last);
        last = version;
        char after[16];
        snprintf(after, sizeof after, "%u", number + 1);
        const struct gk_guard guard = guard_version(version);
        const enum gk_status status =
            store_change(worker->store, "counter", &guard, GK_CHANGE_ATTR_SET, "n", after);
        expect(worker, status == GK_OK || status == GK_E_CONFLICT);
        done += status == GK_OK;
    }
    return NULL;
}

static void test_threads__guard_a_counter_by_its_version(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_change(store, "counter", NULL, GK_CHANGE_ATTR_SET, "n", "0"), GK_OK);
    run_threads(store, 25, count_by_version);
    assert_string_equal(store_show(store, "counter"), "attr:n=400 ");
}

static void *create_once(void *ctx)
{
    struct worker *worker = ctx;
    char name[16];
    char self[16];
    snprintf(self, sizeof self, "%u", worker->number);
    for (unsigned i = 0; i < worker->rounds; i++) {
        snprintf(name, sizeof name, "once%u", i);
        const struct gk_guard absent = {.kind = GK_GUARD_ABSENT};
        const enum gk_status status =
            store_change(worker->store, name, &absent, GK_CHANGE_MAP_SET, "winner", self);
        expect(worker, status == GK_OK || status == GK_E_EXISTS);
        if (status == GK_OK) {
            expect(worker, store_change(worker->store, "wins", NULL, GK_CHANGE_MAP_SET, name,
                                        self) == GK_OK);
        }
        unsigned winner = THREADS;
        expect(worker, map_number(worker->store, name, "winner", &winner) && winner < THREADS);
        expect(worker, (winner == worker->number) == (status == GK_OK));
    }
    return NULL;
}

static void test_threads__create_exclusively_once(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    run_threads(store, 50, create_once);
    unsigned winner;
    char name[16];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "once%u", i);
        assert_true(map_number(store, "wins", name, &winner));
    }
}

/* --- groups: operations that fail stand beside others that must not ----------------------------- */

/* Commits a batch of one small and one large object; returns what the commit did. */
static enum gk_status put_pair(struct gk_store *store, const char *small, const char *large,
                               uint64_t seed, const struct gk_guard *guard, const char *key)
{
    struct gk_store_batch *batch;
    enum gk_status status = gk_store_batch_begin(store, &batch, NULL);
    if (status != GK_OK) {
        return status;
    }
    status = batch_put(batch, small, seed, 500, 500);
    if (status == GK_OK) {
        status = batch_put(batch, large, seed + 1, 40000, 40000);
    }
    if (status != GK_OK) {
        gk_store_batch_abort(batch);
        return status;
    }
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, key, "done");
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = "index",
                                   .guards = guard,
                                   .guards_count = 1,
                                   .changes = &change,
                                   .changes_count = 1};
    return gk_store_batch_commit(batch, &op, NULL, NULL);
}

static void *good_and_bad(void *ctx)
{
    struct worker *worker = ctx;
    const struct gk_guard good = guard_of(GK_GUARD_MAP_EQUAL, "gate", "open");
    const struct gk_guard bad = guard_of(GK_GUARD_MAP_EQUAL, "gate", "shut");
    const struct gk_guard none = guard_of(GK_GUARD_MAP_EXISTS, "none", "");
    for (unsigned i = 0; i < worker->rounds; i++) {
        const uint64_t seed = worker->number * 1000 + i;
        char key[32];
        char small[48];
        char large[48];
        snprintf(key, sizeof key, "%u.%u", worker->number, i);
        snprintf(small, sizeof small, "small%s", key);
        snprintf(large, sizeof large, "large%s", key);
        expect(worker, put_pair(worker->store, small, large, 7, &bad, "bad") == GK_E_CONFLICT);
        expect(worker, put_pair(worker->store, small, large, 7, &none, "bad") == GK_E_NOT_FOUND);
        expect(worker, put_pair(worker->store, small, large, seed, &good, key) == GK_OK);
        /* A name that is taken is this batch's trouble alone. */
        expect(worker, put_pair(worker->store, key, small, 7, &good, "bad") == GK_E_EXISTS);
        expect(worker, store_data_absent(worker->store, key));
        expect(worker, store_check(worker->store, small, seed, 500) == GK_OK);
        expect(worker, store_check(worker->store, large, seed + 1, 40000) == GK_OK);
    }
    return NULL;
}

static void test_threads__failures_hurt_nobody_else(void **state)
{
    struct store_case *test = *state;
    store_set(test->store, "index", "gate", "open");
    run_threads(test->store, 12, good_and_bad);
    store_case_reopen(test);
    struct gk_buf value;
    gk_buf_init(&value, 32);
    assert_int_equal(
        gk_store_map_get(test->store, GK_POOL_META, "index", gk_span_str("bad"), &value, NULL),
        GK_E_NOT_FOUND);
    gk_buf_cleanup(&value);
    for (unsigned number = 0; number < THREADS; number++) {
        for (unsigned i = 0; i < 12; i++) {
            char name[32];
            snprintf(name, sizeof name, "small%u.%u", number, i);
            assert_int_equal(store_check(test->store, name, number * 1000 + i, 500), GK_OK);
            snprintf(name, sizeof name, "large%u.%u", number, i);
            assert_int_equal(store_check(test->store, name, number * 1000 + i + 1, 40000), GK_OK);
        }
    }
}

/* --- readers beside writers ----------------------------------------------------------------------- */

#define VALUE_BYTES 24u /* two numbers and the dot between them */

struct same {
    char first[VALUE_BYTES];
    size_t first_len;
    unsigned count;
    bool differs;
};

static bool all_the_same(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    struct same *same = ctx;
    if (same->count++ == 0) {
        memcpy(same->first, value.data, value.len);
        same->first_len = value.len;
    }
    same->differs |=
        value.len != same->first_len || memcmp(same->first, value.data, value.len) != 0;
    return true;
}

#define SAME_KEYS 20u

static void *write_or_walk(void *ctx)
{
    struct worker *worker = ctx;
    char keys[SAME_KEYS][8];
    char value[VALUE_BYTES];
    struct gk_change changes[SAME_KEYS];
    for (unsigned i = 0; i < worker->rounds; i++) {
        if (worker->number % 4 == 0) {
            snprintf(value, sizeof value, "%u.%u", worker->number, i);
            for (unsigned k = 0; k < SAME_KEYS; k++) {
                snprintf(keys[k], sizeof keys[k], "k%u", k);
                changes[k] = change_of(GK_CHANGE_MAP_SET, keys[k], value);
            }
            expect(worker,
                   store_apply(worker->store, "same", NULL, changes, SAME_KEYS, NULL) == GK_OK);
        } else {
            struct same same = {.count = 0};
            const struct gk_map_range all = {0};
            expect(worker, gk_store_map_walk(worker->store, GK_POOL_META, "same", &all,
                                             all_the_same, &same, NULL) == GK_OK);
            expect(worker, !same.differs && (same.count == 0 || same.count == SAME_KEYS));
        }
    }
    return NULL;
}

static void test_threads__a_walk_sees_one_state(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_change(store, "same", NULL, GK_CHANGE_CREATE, "", ""), GK_OK);
    run_threads(store, 100, write_or_walk);
}

/* Removes and creates objects without pause, each with its own name in its map and its own bytes,
 * while others look: they see the right one or none. */
#define SHIFTING_OBJECTS 4u

static bool names_itself(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    const char *name = ctx;
    if (!gk_span_equal(value, gk_span_str(name))) {
        *(char *)ctx = '\0';
    }
    return true;
}

static void shift(struct worker *worker, const char *name, uint64_t seed, size_t size)
{
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, "self", name);
    const char *const names[] = {name};
    expect(worker, store_apply(worker->store, name, NULL, &change, 1, NULL) == GK_OK);
    expect(worker, store_put(worker->store, name, seed, size) == GK_OK);
    expect(worker, gk_store_remove(worker->store, GK_POOL_DATA, names, 1, NULL) == GK_OK);
    expect(worker, gk_store_remove(worker->store, GK_POOL_META, names, 1, NULL) == GK_OK);
}

static void look(struct worker *worker, const char *name, uint64_t seed, size_t size)
{
    char copy[16];
    snprintf(copy, sizeof copy, "%s", name);
    struct gk_buf value;
    gk_buf_init(&value, 32);
    const enum gk_status status =
        gk_store_map_get(worker->store, GK_POOL_META, name, gk_span_str("self"), &value, NULL);
    expect(worker,
           status == GK_E_NOT_FOUND || (status == GK_OK && strcmp(gk_buf_str(&value), name) == 0));
    gk_buf_cleanup(&value);
    const struct gk_map_range all = {0};
    const enum gk_status walked =
        gk_store_map_walk(worker->store, GK_POOL_META, name, &all, names_itself, copy, NULL);
    expect(worker, (walked == GK_OK && copy[0] != '\0') || walked == GK_E_NOT_FOUND);
    const enum gk_status checked = store_check(worker->store, name, seed, size);
    expect(worker, checked == GK_OK || checked == GK_E_NOT_FOUND);
}

static void *shift_or_look(void *ctx)
{
    struct worker *worker = ctx;
    for (unsigned i = 0; i < worker->rounds; i++) {
        const unsigned which =
            worker->number < SHIFTING_OBJECTS ? worker->number : (worker->number + i) % 4;
        char name[16];
        snprintf(name, sizeof name, "shift%u", which);
        const size_t size = which % 2 == 0 ? 1000 : 300000;
        if (worker->number < SHIFTING_OBJECTS) {
            shift(worker, name, which, size);
        } else {
            look(worker, name, which, size);
        }
    }
    return NULL;
}

static void test_threads__a_reader_never_sees_another_object(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    run_threads(store, 100, shift_or_look);
}

/* --- many batches -------------------------------------------------------------------------------- */

static void *put_and_remove(void *ctx)
{
    struct worker *worker = ctx;
    for (unsigned i = 0; i < worker->rounds; i++) {
        const size_t size = (size_t)1 << (8 + i % 14);
        const uint64_t seed = worker->number * 1000 + i;
        char name[32];
        snprintf(name, sizeof name, "%u.%u", worker->number, i);
        expect(worker, store_put(worker->store, name, seed, size) == GK_OK);
        expect(worker, store_check(worker->store, name, seed, size) == GK_OK);
        const char *const names[] = {name};
        if (i % 3 != 0) {
            expect(worker, gk_store_remove(worker->store, GK_POOL_DATA, names, 1, NULL) == GK_OK);
            expect(worker, store_data_absent(worker->store, name));
        }
    }
    return NULL;
}

static void test_threads__batches_do_not_mix(void **state)
{
    struct store_case *test = *state;
    run_threads(test->store, 28, put_and_remove);
    store_case_reopen(test);
    for (unsigned number = 0; number < THREADS; number++) {
        for (unsigned i = 0; i < 28; i++) {
            char name[32];
            snprintf(name, sizeof name, "%u.%u", number, i);
            if (i % 3 != 0) {
                assert_true(store_data_absent(test->store, name));
            } else {
                assert_int_equal(
                    store_check(test->store, name, number * 1000 + i, (size_t)1 << (8 + i % 14)),
                    GK_OK);
            }
        }
    }
}

int store_suite_threads(const struct store_engine *engine)
{
    void *state = store_engine_state(engine);
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_threads__guard_a_counter_by_its_value, state),
        STORE_TEST(test_threads__guard_a_counter_by_its_version, state),
        STORE_TEST(test_threads__create_exclusively_once, state),
        STORE_TEST(test_threads__failures_hurt_nobody_else, state),
        STORE_TEST(test_threads__a_walk_sees_one_state, state),
        STORE_TEST(test_threads__a_reader_never_sees_another_object, state),
        STORE_TEST(test_threads__batches_do_not_mix, state),
    };
    return cmocka_run_group_tests_name("store: threads", tests, NULL, NULL);
}
