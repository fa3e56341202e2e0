/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the embedded engine passes the suite of all engines, keeps its directory to itself, and
 * gives space back. */
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/store_place.h"
#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct place {
    char parent[STORE_PLACE_BYTES];
    char directory[STORE_PLACE_BYTES + 8]; /* made by the engine */
};

static void *embedded_place_new(void)
{
    struct place *place = calloc(1, sizeof *place);
    assert_non_null(place);
    assert_true(store_place_make(place->parent));
    snprintf(place->directory, sizeof place->directory, "%s/store", place->parent);
    return place;
}

static enum gk_status embedded_open(void *place, struct gk_store **out, struct gk_error *error)
{
    return gk_store_embedded_open(((struct place *)place)->directory, out, error);
}

static void embedded_place_free(void *place)
{
    store_place_remove(((struct place *)place)->parent);
    free(place);
}

static const struct store_engine embedded = {
    .name = "embedded",
    .place_new = embedded_place_new,
    .open = embedded_open,
    .place_free = embedded_place_free,
};

static const char *directory_of(const struct store_case *test)
{
    return ((struct place *)test->place)->directory;
}

static const char *path_in(const struct store_case *test, const char *name)
{
    static char path[2 * STORE_PLACE_BYTES];
    snprintf(path, sizeof path, "%s/%s", directory_of(test), name);
    return path;
}

static void close_store(struct store_case *test)
{
    gk_store_close(test->store);
    test->store = NULL;
}

static void test_embedded__a_second_one_is_refused(void **state)
{
    struct store_case *test = *state;
    struct gk_store *second = NULL;
    struct gk_error error = {0};
    assert_int_equal(gk_store_embedded_open(directory_of(test), &second, &error), GK_E_CONFLICT);
    assert_null(second);
    store_set(test->store, "o", "k", "v");
    store_case_reopen(test);
    assert_string_equal(store_show(test->store, "o"), "map:k=v ");
}

static void test_embedded__is_closed_to_others(void **state)
{
    struct store_case *test = *state;
    assert_int_equal(store_put(test->store, "large", 1, 1 << 20), GK_OK);
    const struct {
        const char *name;
        mode_t mode;
    } rows[] = {
        {".", 0700},
        {"lock", 0600},
        {"store.sqlite", 0600},
        {"store.sqlite-wal", 0600},
        {"volumes", 0700},
        {"volumes/00000000.vol", 0600},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct stat stat;
        assert_int_equal(lstat(path_in(test, rows[i].name), &stat), 0);
        assert_int_equal(stat.st_mode & 07777, rows[i].mode);
    }
}

static void change_database(const struct store_case *test, const char *sql)
{
    sqlite3 *handle;
    assert_int_equal(sqlite3_open(path_in(test, "store.sqlite"), &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void assert_does_not_open(struct store_case *test, enum gk_status expected)
{
    struct gk_error error = {0};
    assert_int_equal(gk_store_embedded_open(directory_of(test), &test->store, &error), expected);
    assert_null(test->store);
    assert_true(error.message[0] != '\0');
}

static void test_embedded__refuses_a_newer_schema(void **state)
{
    struct store_case *test = *state;
    store_set(test->store, "o", "k", "v");
    close_store(test);
    change_database(test, "PRAGMA user_version = 99");
    assert_does_not_open(test, GK_E_UNSUPPORTED);
    change_database(test, "PRAGMA user_version = 2");
    store_case_reopen(test);
    assert_string_equal(store_show(test->store, "o"), "map:k=v ");
}

/* A store of before there were objects that are written in place. */
static void test_embedded__takes_a_store_of_schema_1(void **state)
{
    struct store_case *test = *state;
    store_set(test->store, "o", "k", "v");
    close_store(test);
    change_database(test, "DROP TABLE block; PRAGMA user_version = 1");
    store_case_reopen(test);
    assert_string_equal(store_show(test->store, "o"), "map:k=v ");
    const struct gk_change change = {.kind = GK_CHANGE_BYTES, .value = gk_span_str("in place")};
    const struct gk_write_op op = {
        .pool = GK_POOL_DATA, .object = "d", .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(test->store, &op, NULL, NULL), GK_OK);
    store_case_reopen(test);
    char got[16];
    size_t len = 0;
    assert_int_equal(
        gk_store_read(test->store, GK_POOL_DATA, "d", 0, (uint8_t *)got, sizeof got, &len, NULL),
        GK_OK);
    assert_int_equal(len, 8);
    assert_memory_equal(got, "in place", 8);
}

static void test_embedded__refuses_a_damaged_directory(void **state)
{
    struct store_case *test = *state;
    assert_int_equal(store_put(test->store, "large", 1, 1 << 20), GK_OK);
    close_store(test);
    /* A volume that is shorter than what the database names, then gone. */
    assert_int_equal(truncate(path_in(test, "volumes/00000000.vol"), 1000), 0);
    assert_does_not_open(test, GK_E_INTEGRITY);
    assert_int_equal(unlink(path_in(test, "volumes/00000000.vol")), 0);
    assert_does_not_open(test, GK_E_INTEGRITY);
    /* Not a database at all. */
    const int fd = open(path_in(test, "store.sqlite"), O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    const char junk[8192] = "this is not a database";
    assert_int_equal(write(fd, junk, sizeof junk), (int)sizeof junk);
    assert_int_equal(close(fd), 0);
    assert_does_not_open(test, GK_E_INTEGRITY);
}

/* What the volumes may occupy beside what is live: a file's own overhead. */
#define SLACK_BYTES (256u << 10)

static uint64_t volume_bytes(const struct store_case *test)
{
    return store_place_bytes(path_in(test, "volumes"));
}

static void test_embedded__shows_no_data_before_the_commit(void **state)
{
    struct store_case *test = *state;
    const size_t sizes[] = {100, 1 << 20};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        struct gk_store_batch *batch = NULL;
        assert_int_equal(gk_store_batch_begin(test->store, &batch, NULL), GK_OK);
        assert_int_equal(batch_put(batch, "d", 1, sizes[i], 65536), GK_OK);
        assert_string_equal(store_show_names(test->store, GK_POOL_DATA, ""), "");
        assert_true(store_data_absent(test->store, "d"));
        gk_store_batch_abort(batch);
    }
}

static void test_embedded__gives_space_back(void **state)
{
    struct store_case *test = *state;
    char names[8][16];
    const char *list[8];
    for (unsigned i = 0; i < COUNT(names); i++) {
        snprintf(names[i], sizeof names[i], "d%u", i);
        list[i] = names[i];
        assert_int_equal(store_put(test->store, names[i], i, 4 << 20), GK_OK);
    }
    assert_in_range(volume_bytes(test), 8 * (4 << 20), 8 * (4 << 20) + SLACK_BYTES);
    /* In the middle, where no truncation helps. */
    assert_int_equal(gk_store_remove(test->store, GK_POOL_DATA, list + 1, 6, NULL), GK_OK);
    /* Closing waits for what is under way. */
    close_store(test);
    assert_in_range(volume_bytes(test), 2 * (4 << 20), 2 * (4 << 20) + SLACK_BYTES);
    assert_int_equal(embedded_open(test->place, &test->store, NULL), GK_OK);
    assert_int_equal(store_check(test->store, "d0", 0, 4 << 20), GK_OK);
    assert_int_equal(store_check(test->store, "d7", 7, 4 << 20), GK_OK);
}

static void test_embedded__what_failed_takes_no_space(void **state)
{
    struct store_case *test = *state;
    store_set(test->store, "index", "k", "v");
    const struct gk_guard guard = {.kind = GK_GUARD_ABSENT};
    const struct gk_change change = {.kind = GK_CHANGE_CREATE};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = "index",
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = &change,
                                   .changes_count = 1};
    for (unsigned i = 0; i < 4; i++) {
        struct gk_store_batch *batch;
        assert_int_equal(gk_store_batch_begin(test->store, &batch, NULL), GK_OK);
        assert_int_equal(batch_put(batch, "d", i, 4 << 20, 1 << 20), GK_OK);
        if (i % 2 == 0) {
            gk_store_batch_abort(batch);
        } else {
            assert_int_equal(gk_store_batch_commit(batch, &op, NULL, NULL), GK_E_EXISTS);
        }
    }
    close_store(test);
    assert_in_range(volume_bytes(test), 0, SLACK_BYTES);
    assert_int_equal(embedded_open(test->place, &test->store, NULL), GK_OK);
    assert_int_equal(store_put(test->store, "d", 9, 4 << 20), GK_OK);
    assert_int_equal(store_check(test->store, "d", 9, 4 << 20), GK_OK);
}

int main(void)
{
    void *state = store_engine_state(&embedded);
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_embedded__a_second_one_is_refused, state),
        STORE_TEST(test_embedded__is_closed_to_others, state),
        STORE_TEST(test_embedded__refuses_a_newer_schema, state),
        STORE_TEST(test_embedded__takes_a_store_of_schema_1, state),
        STORE_TEST(test_embedded__refuses_a_damaged_directory, state),
        STORE_TEST(test_embedded__shows_no_data_before_the_commit, state),
        STORE_TEST(test_embedded__gives_space_back, state),
        STORE_TEST(test_embedded__what_failed_takes_no_space, state),
    };
    return store_suite_run(&embedded) +
           cmocka_run_group_tests_name("store: embedded", tests, NULL, NULL);
}
