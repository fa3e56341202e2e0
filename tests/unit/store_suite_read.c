/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: walks and lists come in byte order, start and end exactly where they were asked to. */
#include <stdio.h>

#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_read__map_get(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "k", "value");
    struct gk_buf value;
    gk_buf_init(&value, 12);
    gk_buf_append_str(&value, "before ");
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "o", gk_span_str("k"), &value, NULL),
                     GK_OK);
    assert_string_equal(gk_buf_str(&value), "before value");
    gk_buf_reset(&value);
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "o", gk_span_str("none"), &value, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "none", gk_span_str("k"), &value, NULL),
                     GK_E_NOT_FOUND);
    gk_buf_append_str(&value, "no room ");
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "o", gk_span_str("k"), &value, NULL),
                     GK_E_LIMIT);
    gk_buf_cleanup(&value);
}

static void test_read__what_is_absent_is_not_found(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_map_range all = {0};
    uint64_t version = 7;
    assert_int_equal(gk_store_map_walk(store, GK_POOL_META, "none", &all, NULL, NULL, NULL),
                     GK_E_NOT_FOUND);
    assert_int_equal(gk_store_attrs(store, GK_POOL_META, "none", NULL, NULL, &version, NULL),
                     GK_E_NOT_FOUND);
}

static void test_read__walk_keeps_to_its_range(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const char *const keys[] = {"b/2", "a", "b", "b/1", "b0", "c", "b/1/x", "\xc3\xa9", "b/"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        store_set(store, "o", keys[i], "v");
    }
    store_set(store, "n", "other", "v");
    store_set(store, "p", "other", "v");
    const struct {
        const char *prefix;
        const char *after;
        bool inclusive;
        const char *expected;
    } rows[] = {
        {"", "", true, "a b b/ b/1 b/1/x b/2 b0 c \xc3\xa9 "},
        {"", "", false, "a b b/ b/1 b/1/x b/2 b0 c \xc3\xa9 "},
        {"b/", "", false, "b/ b/1 b/1/x b/2 "},
        {"b/", "b/", false, "b/1 b/1/x b/2 "},
        {"b/", "b/", true, "b/ b/1 b/1/x b/2 "},
        {"b/", "b/1", false, "b/1/x b/2 "},
        {"b/", "b/1", true, "b/1 b/1/x b/2 "},
        {"b/", "b/10", true, "b/2 "},
        {"b/", "b/2", false, ""},
        {"b/", "a", true, "b/ b/1 b/1/x b/2 "},
        {"b/", "c", true, ""},
        {"", "b0", false, "c \xc3\xa9 "},
        {"", "b0", true, "b0 c \xc3\xa9 "},
        {"", "c", false, "\xc3\xa9 "},
        {"", "\xc3\xa9", false, ""},
        {"x", "", false, ""},
        {"\xc3", "", false, "\xc3\xa9 "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(
            store_show_keys(store, "o", rows[i].prefix, rows[i].after, rows[i].inclusive),
            rows[i].expected);
    }
}

/* Prefixes whose end is not simply their last byte plus one. */
static void test_read__walk_with_the_highest_bytes(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const char *const keys[] = {"\xfe",  "\xff",      "\xff\xff", "\xff\xff\x01",
                                "a\xff", "a\xff\xff", "b"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        store_set(store, "o", keys[i], "v");
    }
    assert_string_equal(store_show_keys(store, "o", "\xff", "", false),
                        "\xff \xff\xff \xff\xff\x01 ");
    assert_string_equal(store_show_keys(store, "o", "\xff\xff", "\xff\xff", false),
                        "\xff\xff\x01 ");
    assert_string_equal(store_show_keys(store, "o", "a\xff", "", false), "a\xff a\xff\xff ");
}

static bool count_down(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    (void)value;
    int *left = ctx;
    return --*left > 0;
}

static void test_read__the_visitor_ends_it(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    char name[16];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "k%d", i);
        store_set(store, "o", name, "v");
        store_set(store, name, "k", "v");
        assert_int_equal(store_change(store, "o", NULL, GK_CHANGE_ATTR_SET, name, "v"), GK_OK);
    }
    const struct gk_map_range all = {0};
    int left = 3;
    assert_int_equal(gk_store_map_walk(store, GK_POOL_META, "o", &all, count_down, &left, NULL),
                     GK_OK);
    assert_int_equal(left, 0);
    left = 4;
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    assert_int_equal(gk_store_list(store, GK_POOL_META, &cursor, count_down, &left, NULL), GK_OK);
    assert_int_equal(left, 0);
    assert_true(cursor.len > 0);
    gk_buf_cleanup(&cursor);
    left = 5;
    uint64_t version = 0;
    assert_int_equal(gk_store_attrs(store, GK_POOL_META, "o", count_down, &left, &version, NULL),
                     GK_OK);
    assert_int_equal(left, 0);
    assert_true(version == store_version(store, "o"));
    /* A walk that ended early holds nothing back. */
    store_set(store, "o", "k0", "w");
}

/* A visitor may read: listing a container looks things up. */
struct lookup {
    struct gk_store *store;
    int found;
};

static bool look_up(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct lookup *lookup = ctx;
    struct gk_buf got;
    gk_buf_init(&got, 100);
    if (gk_store_map_get(lookup->store, GK_POOL_META, "p", key, &got, NULL) == GK_OK &&
        store_check(lookup->store, "d", 1, 50000) == GK_OK) {
        lookup->found++;
    }
    gk_buf_cleanup(&got);
    return true;
}

static void test_read__a_visitor_may_read(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_put(store, "d", 1, 50000), GK_OK);
    store_set(store, "o", "a", "v");
    store_set(store, "o", "b", "v");
    store_set(store, "p", "a", "v");
    store_set(store, "p", "b", "v");
    struct lookup lookup = {.store = store};
    const struct gk_map_range all = {0};
    assert_int_equal(gk_store_map_walk(store, GK_POOL_META, "o", &all, look_up, &lookup, NULL),
                     GK_OK);
    assert_int_equal(lookup.found, 2);
}

static void test_read__list(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const char *const names[] = {"account/b", "account/a", "account",
                                 "index/a/1", "index/a",   "account/a/x"};
    for (size_t i = 0; i < COUNT(names); i++) {
        store_set(store, names[i], "k", "v");
    }
    assert_int_equal(store_put(store, "data", 1, 1), GK_OK);
    const struct {
        enum gk_store_pool pool;
        const char *prefix;
        const char *expected;
    } rows[] = {
        {GK_POOL_META, "account", "account account/a account/a/x account/b "},
        {GK_POOL_META, "account/", "account/a account/a/x account/b "},
        {GK_POOL_META, "index/", "index/a index/a/1 "},
        {GK_POOL_META, "nothing", ""},
        {GK_POOL_META, "", "account account/a account/a/x account/b index index/a index/a/1 "},
        {GK_POOL_DATA, "", "data "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(store_show_names(store, rows[i].pool, rows[i].prefix),
                            rows[i].expected);
    }
}

/* --- several keys at once ----------------------------------------------------------------------- */

/* Keys and values of what was found, in the order of the alphabet: each key is one letter. */
static bool take_found(void *ctx, struct gk_span key, struct gk_span value)
{
    char *found = ctx;
    assert_int_equal(key.len, 1);
    assert_int_equal(value.len, 1);
    found[key.data[0] - 'a'] = (char)value.data[0];
    return true;
}

static void test_read__find_several_keys(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "a", "1");
    store_set(store, "o", "c", "3");
    store_set(store, "o", "d", "4");
    const struct gk_span keys[] = {gk_span_str("c"), gk_span_str("b"), gk_span_str("a")};
    char found[] = "----";
    assert_int_equal(
        gk_store_map_find(store, GK_POOL_META, "o", keys, COUNT(keys), take_found, found, NULL),
        GK_OK);
    assert_string_equal(found, "1-3-");
    char none[] = "----";
    assert_int_equal(
        gk_store_map_find(store, GK_POOL_META, "o", keys + 1, 1, take_found, none, NULL), GK_OK);
    assert_string_equal(none, "----");
    assert_int_equal(
        gk_store_map_find(store, GK_POOL_META, "absent", keys, COUNT(keys), take_found, none, NULL),
        GK_E_NOT_FOUND);
}

static bool add_key(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    gk_buf_append(ctx, key.data, key.len);
    gk_buf_append_str(ctx, " ");
    return true;
}

static void test_read__walks_of_many(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    static const char *const objects[] = {"o/0", "o/1", "o/2"};
    struct gk_buf seen[3];
    struct gk_map_walk walks[3];
    for (size_t i = 0; i < 3; i++) {
        const struct gk_change changes[] = {change_of(GK_CHANGE_MAP_SET, "a", objects[i]),
                                            change_of(GK_CHANGE_MAP_SET, "b", objects[i]),
                                            change_of(GK_CHANGE_MAP_SET, "c", objects[i])};
        assert_int_equal(store_apply(store, objects[i], NULL, changes, i + 1, NULL), GK_OK);
        gk_buf_init(&seen[i], 64);
        walks[i] =
            (struct gk_map_walk){.object = objects[i],
                                 .range = {.after = gk_span_str(i == 1 ? "a" : ""), .limit = 2},
                                 .visit = add_key,
                                 .ctx = &seen[i]};
    }
    assert_int_equal(gk_store_map_walk_many(store, GK_POOL_META, walks, 3, NULL), GK_OK);
    assert_string_equal(gk_buf_str(&seen[0]), "a ");
    assert_string_equal(gk_buf_str(&seen[1]), "b ");
    assert_string_equal(gk_buf_str(&seen[2]), "a b ");
    /* One is not there: the others are walked all the same. */
    gk_buf_reset(&seen[2]);
    walks[1].object = "none";
    assert_int_equal(gk_store_map_walk_many(store, GK_POOL_META, walks, 3, NULL), GK_E_NOT_FOUND);
    assert_string_equal(gk_buf_str(&seen[2]), "a b ");
    assert_int_equal(gk_store_map_walk_many(store, GK_POOL_META, walks, 0, NULL), GK_OK);
    for (size_t i = 0; i < 3; i++) {
        gk_buf_cleanup(&seen[i]);
    }
}

static void test_read__walk_keeps_to_its_limit(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const char *const keys[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < COUNT(keys); i++) {
        store_set(store, "o", keys[i], "v");
    }
    const struct {
        uint32_t limit;
        int expected;
    } rows[] = {{1, 1}, {3, 3}, {4, 4}, {5, 4}, {0, 4}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct gk_map_range range = {.limit = rows[i].limit};
        int left = 100;
        assert_int_equal(
            gk_store_map_walk(store, GK_POOL_META, "o", &range, count_down, &left, NULL), GK_OK);
        assert_int_equal(100 - left, rows[i].expected);
    }
}

/* --- reads that do not wait --------------------------------------------------------------------- */

static void test_read__begin_and_end(void **state)
{
    enum { SIZE = 200000, PART = 70000 };
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_put(store, "d", 7, SIZE), GK_OK);
    static uint8_t got[3][PART];
    static uint8_t expected[PART];
    struct gk_store_read *reads[3];
    for (size_t i = 0; i < COUNT(reads); i++) {
        assert_int_equal(
            gk_store_read_begin(store, GK_POOL_DATA, "d", i * PART, got[i], PART, &reads[i], NULL),
            GK_OK);
    }
    for (size_t i = COUNT(reads); i-- > 0;) {
        size_t len = 0;
        assert_int_equal(gk_store_read_end(reads[i], &len, NULL), GK_OK);
        assert_int_equal(len, i == 2 ? SIZE - 2 * PART : PART);
        pattern_fill(expected, len, 7, i * PART);
        assert_memory_equal(got[i], expected, len);
    }
}

/* The engine may tell at once or at the end. */
static void test_read__begin_of_what_is_absent(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    uint8_t byte = 0;
    struct gk_store_read *read = NULL;
    size_t len = 0;
    enum gk_status status =
        gk_store_read_begin(store, GK_POOL_DATA, "none", 0, &byte, 1, &read, NULL);
    if (status == GK_OK) {
        status = gk_store_read_end(read, &len, NULL);
    }
    assert_int_equal(status, GK_E_NOT_FOUND);
}

static void test_read__stat(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_put(store, "d", 1, 70000), GK_OK);
    struct gk_store_stat stat;
    assert_int_equal(gk_store_stat(store, GK_POOL_DATA, "d", &stat, NULL), GK_OK);
    assert_int_equal(stat.size_bytes, 70000);
    assert_int_equal(gk_store_stat(store, GK_POOL_DATA, "none", &stat, NULL), GK_E_NOT_FOUND);
}

struct page {
    char last[16];
    unsigned seen;
    unsigned left;
};

static bool page_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct page *page = ctx;
    assert_in_range(key.len, 1, sizeof page->last - 1);
    assert_true(page->seen == 0 || memcmp(key.data, page->last, key.len) > 0);
    memcpy(page->last, key.data, key.len);
    page->last[key.len] = '\0';
    page->seen++;
    return --page->left > 0;
}

/* Pages are taken up where the last one ended; together they are the whole, once. */
static void test_read__pages_make_the_whole(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    enum { KEYS = 2000, PAGE = 37 };
    static char keys[KEYS][12];
    static struct gk_change changes[KEYS];
    for (unsigned i = 0; i < KEYS; i++) {
        /* 7919 is prime: every number once, in no order. */
        snprintf(keys[i], sizeof keys[i], "%08u", i * 7919 % KEYS);
        changes[i] = change_of(GK_CHANGE_MAP_SET, keys[i], "v");
    }
    assert_int_equal(store_apply(store, "o", NULL, changes, KEYS, NULL), GK_OK);
    struct page page = {.last = ""};
    while (page.left == 0) {
        char after[sizeof page.last];
        memcpy(after, page.last, sizeof after);
        const struct gk_map_range range = {.after = gk_span_str(after)};
        page.left = PAGE;
        assert_int_equal(
            gk_store_map_walk(store, GK_POOL_META, "o", &range, page_entry, &page, NULL), GK_OK);
    }
    assert_int_equal(page.seen, KEYS);
    assert_string_equal(page.last, "00001999");
}

int store_suite_read(const struct store_engine *engine)
{
    void *state = store_engine_state(engine);
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_read__map_get, state),
        STORE_TEST(test_read__what_is_absent_is_not_found, state),
        STORE_TEST(test_read__walk_keeps_to_its_range, state),
        STORE_TEST(test_read__walk_with_the_highest_bytes, state),
        STORE_TEST(test_read__the_visitor_ends_it, state),
        STORE_TEST(test_read__a_visitor_may_read, state),
        STORE_TEST(test_read__list, state),
        STORE_TEST(test_read__find_several_keys, state),
        STORE_TEST(test_read__walk_keeps_to_its_limit, state),
        STORE_TEST(test_read__walks_of_many, state),
        STORE_TEST(test_read__begin_and_end, state),
        STORE_TEST(test_read__begin_of_what_is_absent, state),
        STORE_TEST(test_read__stat, state),
        STORE_TEST(test_read__pages_make_the_whole, state),
    };
    return cmocka_run_group_tests_name("store: reads", tests, NULL, NULL);
}
