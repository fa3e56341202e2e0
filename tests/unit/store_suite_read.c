/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: walks and lists come in byte order, start and end exactly where they were asked to. */
#include <stdio.h>

#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_read__map_get(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "k", "value");
    store_set(store, "o", "empty", "");
    struct gk_buf value;
    gk_buf_init(&value, 12);
    gk_buf_append_str(&value, "before ");
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "o", gk_span_str("k"), &value, NULL),
                     GK_OK);
    assert_string_equal(gk_buf_str(&value), "before value");
    gk_buf_reset(&value);
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "o", gk_span_str("empty"), &value, NULL),
                     GK_OK);
    assert_int_equal(value.len, 0);
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
        store_set(store, "o", keys[i], "");
    }
    store_set(store, "n", "other", "");
    store_set(store, "p", "other", "");
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
        store_set(store, "o", keys[i], "");
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
    assert_int_equal(gk_store_list(store, GK_POOL_META, gk_span_str("k"), gk_span_str(""),
                                   count_down, &left, NULL),
                     GK_OK);
    assert_int_equal(left, 0);
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
    store_set(store, "o", "a", "");
    store_set(store, "o", "b", "");
    store_set(store, "p", "a", "");
    store_set(store, "p", "b", "");
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
        const char *after;
        const char *expected;
    } rows[] = {
        {GK_POOL_META, "account", "", "account account/a account/a/x account/b "},
        {GK_POOL_META, "account", "account", "account/a account/a/x account/b "},
        {GK_POOL_META, "account/", "", "account/a account/a/x account/b "},
        {GK_POOL_META, "account/", "account/a", "account/a/x account/b "},
        {GK_POOL_META, "account/", "account/b", ""},
        {GK_POOL_META, "account/", "z", ""},
        {GK_POOL_META, "index/", "account", "index/a index/a/1 "},
        {GK_POOL_META, "nothing", "", ""},
        {GK_POOL_META, "", "account/b", "index index/a index/a/1 "},
        {GK_POOL_DATA, "", "", "data "},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(store_show_names(store, rows[i].pool, rows[i].prefix, rows[i].after),
                            rows[i].expected);
    }
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
        STORE_TEST(test_read__pages_make_the_whole, state),
    };
    return cmocka_run_group_tests_name("store: reads", tests, NULL, NULL);
}
