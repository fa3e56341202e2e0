/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: while the cluster does not answer, calls end in GK_E_UNAVAILABLE and in time; what was under way
 * is whole or not there, what may still be named is kept; and all goes on when the cluster is back. A
 * start that cannot work says what to do.
 * Method: two pools of the test's own, whose OSDs are taken away and given back.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "unit/rados_place.h"

#define META_POOL "gatekey.test.away.meta"
#define DATA_POOL "gatekey.test.away.data"

static const struct gk_write_op publish = {
    .pool = GK_POOL_META,
    .object = "index",
    .changes = &(const struct gk_change){.kind = GK_CHANGE_MAP_SET,
                                         .key = {.data = (const uint8_t *)"k", .len = 1},
                                         .value = {.data = (const uint8_t *)"v", .len = 1}},
    .changes_count = 1,
};

static int setup(void **state)
{
    struct store_case *test = calloc(1, sizeof *test);
    assert_non_null(test);
    struct rados_place *place = rados_place_new();
    strcpy(place->user, "client.admin");
    strcpy(place->meta_pool, META_POOL);
    strcpy(place->data_pool, DATA_POOL);
    test->place = place;
    test->store = rados_place_open(place);
    gk_store_close(test->store);
    place->op_timeout_s = 2;
    test->store = rados_place_open(place);
    *state = test;
    return 0;
}

static int teardown(void **state)
{
    struct store_case *test = *state;
    gk_store_close(test->store);
    ((struct rados_place *)test->place)->op_timeout_s = RADOS_WAIT_S / 2;
    rados_place_free(test->place);
    free(test);
    return 0;
}

static bool answers(struct gk_store *store, enum gk_store_pool pool)
{
    struct gk_store_stat stat;
    const enum gk_status status = gk_store_stat(store, pool, "none", &stat, NULL);
    assert_true(status == GK_E_NOT_FOUND || status == GK_E_UNAVAILABLE);
    return status == GK_E_NOT_FOUND;
}

/* The OSDs and we learn of it one after the other. */
static void switch_pool(struct gk_store *store, enum gk_store_pool pool, bool on)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const time_t until = now.tv_sec + RADOS_WAIT_S;
    rados_pool_switch(pool == GK_POOL_META ? META_POOL : DATA_POOL, on);
    while (answers(store, pool) != on && now.tv_sec < until) {
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    assert_true(now.tv_sec < until);
}

static void test_away__every_call_says_so(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_map_range all = {0};
    const struct gk_span key = gk_span_str("k");
    const struct gk_write_op ops[] = {publish, publish};
    const char *const names[] = {"a", "b"};
    uint64_t version = 0;
    uint8_t byte = 0;
    size_t len = 0;
    struct gk_error error = {0};
    store_set(store, "index", "k", "before");
    switch_pool(store, GK_POOL_META, false);
    assert_int_equal(gk_store_write(store, &publish, NULL, &error), GK_E_UNAVAILABLE);
    assert_non_null(strstr(error.message, "did not answer in time"));
    assert_int_equal(gk_store_write_many(store, ops, 2, NULL), GK_E_UNAVAILABLE);
    assert_int_equal(gk_store_map_find(store, GK_POOL_META, "index", &key, 1, NULL, NULL, NULL),
                     GK_E_UNAVAILABLE);
    assert_int_equal(gk_store_map_walk(store, GK_POOL_META, "index", &all, NULL, NULL, NULL),
                     GK_E_UNAVAILABLE);
    assert_int_equal(gk_store_attrs(store, GK_POOL_META, "index", NULL, NULL, &version, NULL),
                     GK_E_UNAVAILABLE);
    assert_int_equal(gk_store_remove(store, GK_POOL_META, names, 2, NULL), GK_E_UNAVAILABLE);
    assert_int_equal(gk_store_read(store, GK_POOL_META, "index", 0, &byte, 1, &len, NULL),
                     GK_E_UNAVAILABLE);
    assert_int_equal(gk_store_lease_take(store, "lease/l", 1000, NULL), GK_E_UNAVAILABLE);
    switch_pool(store, GK_POOL_META, true);
    assert_int_equal(gk_store_write(store, &publish, NULL, NULL), GK_OK);
    assert_string_equal(store_show(store, "index"), "map:k=v ");
}

/* And not that there is no such object: a client would take that for the end of its data. */
static void test_away__a_pool_that_was_deleted_is_no_pool_without_objects(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_guard guard = {.kind = GK_GUARD_EXISTS};
    struct gk_write_op guarded = publish;
    const struct gk_map_range all = {0};
    const struct gk_span key = gk_span_str("k");
    const char *const names[] = {"index"};
    struct gk_store_stat stat;
    struct gk_error error = {0};
    uint64_t version = 0;
    struct gk_buf cursor;
    guarded.guards = &guard;
    guarded.guards_count = 1;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    store_set(store, "index", "k", "before");
    rados_pool_remove(META_POOL);
    while (gk_store_stat(store, GK_POOL_META, "index", &stat, NULL) ==
           GK_OK) { /* until we learn of it */
    }
    for (unsigned again = 0; again < 2; again++) { /* also beside another pool of that name */
        assert_int_equal(gk_store_stat(store, GK_POOL_META, "index", &stat, &error),
                         GK_E_UNAVAILABLE);
        assert_non_null(strstr(error.message, "has this pool no more"));
        assert_int_equal(gk_store_map_find(store, GK_POOL_META, "index", &key, 1, NULL, NULL, NULL),
                         GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_map_walk(store, GK_POOL_META, "index", &all, NULL, NULL, NULL),
                         GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_attrs(store, GK_POOL_META, "index", NULL, NULL, &version, NULL),
                         GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_list(store, GK_POOL_META, &cursor, NULL, NULL, NULL),
                         GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_write(store, &publish, NULL, NULL), GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_write(store, &guarded, NULL, NULL), GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_remove(store, GK_POOL_META, names, 1, NULL), GK_E_UNAVAILABLE);
        assert_int_equal(gk_store_lease_take(store, "lease/l", 1000, NULL), GK_E_UNAVAILABLE);
        if (again == 0) {
            rados_pool_make(META_POOL, false);
        }
    }
    gk_buf_cleanup(&cursor);
    assert_true(answers(store, GK_POOL_DATA));
}

/* The commit may have happened: what it names must stay. */
static void test_away__data_of_a_commit_that_timed_out_is_kept(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    struct gk_store_batch *batch = NULL;
    assert_int_equal(gk_store_batch_begin(store, &batch, NULL), GK_OK);
    assert_int_equal(batch_put(batch, "small", 1, 1000, 1000), GK_OK);
    assert_int_equal(batch_put(batch, "large", 2, 6 << 20, 65536), GK_OK);
    switch_pool(store, GK_POOL_META, false);
    assert_int_equal(gk_store_batch_commit(batch, &publish, NULL, NULL), GK_E_UNAVAILABLE);
    assert_int_equal(store_check(store, "small", 1, 1000), GK_OK);
    assert_int_equal(store_check(store, "large", 2, 6 << 20), GK_OK);
    switch_pool(store, GK_POOL_META, true);
}

static void test_away__a_batch_whose_data_could_not_be_written(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    struct gk_store_batch *batch = NULL;
    switch_pool(store, GK_POOL_DATA, false);
    assert_int_equal(gk_store_batch_begin(store, &batch, NULL), GK_OK);
    assert_int_equal(batch_put(batch, "small", 1, 1000, 1000), GK_OK);
    assert_int_equal(gk_store_batch_commit(batch, &publish, NULL, NULL), GK_E_UNAVAILABLE);
    assert_string_equal(store_show(store, "index"), "absent");
    /* More than may be under way: it is told while the bytes still come. */
    assert_int_equal(gk_store_batch_begin(store, &batch, NULL), GK_OK);
    enum gk_status status = GK_OK;
    for (unsigned i = 0; status == GK_OK && i < 64; i++) {
        char name[16];
        snprintf(name, sizeof name, "d%u", i);
        status = batch_put(batch, name, i, 4 << 20, 1 << 20);
    }
    assert_int_equal(status, GK_E_UNAVAILABLE);
    gk_store_batch_abort(batch);
    switch_pool(store, GK_POOL_DATA, true);
    assert_int_equal(store_put(store, "again", 3, 5 << 20), GK_OK);
    assert_int_equal(store_check(store, "again", 3, 5 << 20), GK_OK);
}

/* --- notices ----------------------------------------------------------------------------------- */

struct ear {
    pthread_mutex_t mutex;
    pthread_cond_t heard;
    unsigned missed; /* notices without bytes */
    unsigned told;
};

static void hear(void *ctx, struct gk_span bytes)
{
    struct ear *ear = ctx;
    pthread_mutex_lock(&ear->mutex);
    if (bytes.len == 0) {
        ear->missed++;
    } else {
        ear->told++;
    }
    pthread_cond_broadcast(&ear->heard);
    pthread_mutex_unlock(&ear->mutex);
}

static void wait_for_more(struct ear *ear, const unsigned *count, unsigned than)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2 * RADOS_WAIT_S;
    int code = 0;
    pthread_mutex_lock(&ear->mutex);
    while (code == 0 && *count <= than) {
        code = pthread_cond_timedwait(&ear->heard, &ear->mutex, &until);
    }
    pthread_mutex_unlock(&ear->mutex);
    assert_int_equal(code, 0);
}

/* The watch is lost, by removal of its object, and cannot be had again for some time. */
static void test_away__a_watch_is_made_good(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    struct ear ear = {.mutex = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER};
    struct gk_store_watch *watch = NULL;
    const char *const names[] = {"notices"};
    assert_int_equal(gk_store_watch(store, "notices", hear, &ear, &watch, NULL), GK_OK);
    assert_int_equal(gk_store_remove(store, GK_POOL_META, names, 1, NULL), GK_OK);
    switch_pool(store, GK_POOL_META, false);
    wait_for_more(&ear, &ear.missed, 0);
    /* Each of these waits for its time-out; meanwhile the engine tries to watch again, in vain. */
    for (int i = 0; i < 6; i++) {
        gk_store_notify(store, "notices", gk_span_str("lost"));
        assert_false(answers(store, GK_POOL_META));
    }
    switch_pool(store, GK_POOL_META, true);
    wait_for_more(&ear, &ear.missed, 1); /* watched again */
    gk_store_notify(store, "notices", gk_span_str("back"));
    wait_for_more(&ear, &ear.told, 0);
    /* And is ended while the cluster is away. */
    switch_pool(store, GK_POOL_META, false);
    gk_store_unwatch(watch);
    switch_pool(store, GK_POOL_META, true);
}

/* --- starts ------------------------------------------------------------------------------------ */

static void expect_no_start(const struct gk_store_rados_options *options, enum gk_status expected,
                            const char *words)
{
    struct gk_store *store = NULL;
    struct gk_error error = {0};
    const enum gk_status status = gk_store_rados_open(options, &store, &error);
    if (status != expected || strstr(error.message, words) == NULL) {
        fail_msg("expected %d and \"%s\", got %d: %s", (int)expected, words, (int)status,
                 error.message);
    }
    assert_null(store);
}

static void test_start__says_what_is_missing(void **state)
{
    (void)state;
    struct rados_place *place = rados_place_new();
    struct gk_store_rados_options options = rados_place_options(place);
    options.conf = "/nowhere/ceph.conf";
    expect_no_start(&options, GK_E_INVALID, "/nowhere/ceph.conf cannot be read");
    options = rados_place_options(place);
    options.user = "client.nobody";
    options.keyring = "/nowhere/keyring";
    expect_no_start(&options, GK_E_INVALID, "client.nobody");
    options = rados_place_options(place);
    options.user = "client.admin";
    options.meta_pool = "gatekey.none";
    expect_no_start(&options, GK_E_NOT_FOUND, "`ceph osd pool create gatekey.none`");
    options = rados_place_options(place);
    options.meta_pool = META_POOL; /* in which this user has nothing to do */
    expect_no_start(&options, GK_E_DENIED, META_POOL);
    free(place);
}

static void test_start__wants_a_replicated_pool_for_indexes(void **state)
{
    (void)state;
    struct rados_place *place = rados_place_new();
    const bool swapped = rados_pool_is_erasure("gatekey.data");
    if (swapped) {
        strcpy(place->meta_pool, "gatekey.data");
        const struct gk_store_rados_options options = rados_place_options(place);
        expect_no_start(&options, GK_E_INVALID, "must be a replicated one");
    }
    free(place);
    if (!swapped) {
        skip();
    }
}

static void test_start__ends_in_time_without_osds(void **state)
{
    struct store_case *test = *state;
    switch_pool(test->store, GK_POOL_DATA, false);
    const struct gk_store_rados_options options = rados_place_options(test->place);
    expect_no_start(&options, GK_E_UNAVAILABLE, "no OSD of the pool " DATA_POOL);
    switch_pool(test->store, GK_POOL_DATA, true);
}

/* A configuration that names a port where nobody listens. */
static void test_start__ends_in_time_without_monitors(void **state)
{
    (void)state;
    char path[] = "/tmp/gatekey-test-rados.XXXXXX";
    const int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fputs("[global]\nmon_host = [v2:127.0.0.1:1]\nauth_client_required = none\n", file);
    assert_int_equal(fclose(file), 0);
    const struct gk_store_rados_options options = {.conf = path, .op_timeout_s = 1};
    expect_no_start(&options, GK_E_UNAVAILABLE, "no monitor");
    remove(path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    if (!rados_places_begin()) {
        return RADOS_TEST_SKIPPED;
    }
    rados_pool_make(META_POOL, false);
    rados_pool_make(DATA_POOL, false);
    const struct CMUnitTest tests[] = {
        TEST(test_away__every_call_says_so),
        TEST(test_away__a_pool_that_was_deleted_is_no_pool_without_objects),
        TEST(test_away__data_of_a_commit_that_timed_out_is_kept),
        TEST(test_away__a_batch_whose_data_could_not_be_written),
        TEST(test_away__a_watch_is_made_good),
        cmocka_unit_test(test_start__says_what_is_missing),
        cmocka_unit_test(test_start__wants_a_replicated_pool_for_indexes),
        TEST(test_start__ends_in_time_without_osds),
        cmocka_unit_test(test_start__ends_in_time_without_monitors),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rados_pool_remove(META_POOL);
    rados_pool_remove(DATA_POOL);
    rados_places_end();
    return failed;
}
