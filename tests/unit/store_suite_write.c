/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: one write operation is all or nothing, each guard means what store.h says, and a version
 * never comes back. */
#include <stdlib.h>

#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void test_write__makes_each_kind_of_change(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_string_equal(store_show(store, "o"), "absent");
    const struct {
        enum gk_change_kind kind;
        const char *key;
        const char *value;
        const char *after;
    } steps[] = {
        {GK_CHANGE_CREATE, "", "", ""},
        {GK_CHANGE_CREATE, "", "", ""},
        {GK_CHANGE_ATTR_SET, "a", "1", "attr:a=1 "},
        {GK_CHANGE_MAP_SET, "k", "v", "attr:a=1 map:k=v "},
        {GK_CHANGE_MAP_SET, "k", "w", "attr:a=1 map:k=w "},
        {GK_CHANGE_MAP_SET, "", "empty key", "attr:a=1 map:=empty key map:k=w "},
        {GK_CHANGE_MAP_SET, "", "v", "attr:a=1 map:=v map:k=w "},
        {GK_CHANGE_MAP_REMOVE, "", "", "attr:a=1 map:k=w "},
        {GK_CHANGE_MAP_REMOVE, "none", "", "attr:a=1 map:k=w "},
        {GK_CHANGE_ATTR_SET, "a", "2", "attr:a=2 map:k=w "},
        {GK_CHANGE_ATTR_SET, "b", "", "attr:a=2 attr:b= map:k=w "},
        {GK_CHANGE_ATTR_REMOVE, "a", "", "attr:b= map:k=w "},
        {GK_CHANGE_ATTR_REMOVE, "none", "", "attr:b= map:k=w "},
        {GK_CHANGE_MAP_REMOVE, "k", "", "attr:b= "},
        {GK_CHANGE_REMOVE, "", "", "absent"},
    };
    for (size_t i = 0; i < COUNT(steps); i++) {
        assert_int_equal(
            store_change(store, "o", NULL, steps[i].kind, steps[i].key, steps[i].value), GK_OK);
        assert_string_equal(store_show(store, "o"), steps[i].after);
    }
}

static void test_write__many_at_once(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_guard absent = {.kind = GK_GUARD_ABSENT};
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, "k", "v");
    const char *const names[] = {"m/0", "m/1", "m/2", "m/1", "m/3"}; /* the fourth is refused */
    struct gk_write_op ops[COUNT(names)];
    for (size_t i = 0; i < COUNT(names); i++) {
        ops[i] = (struct gk_write_op){.pool = GK_POOL_META,
                                      .object = names[i],
                                      .guards = &absent,
                                      .guards_count = 1,
                                      .changes = &change,
                                      .changes_count = 1};
    }
    assert_int_equal(gk_store_write_many(store, ops, 3, NULL), GK_OK);
    assert_int_equal(gk_store_write_many(store, ops + 3, 2, NULL), GK_E_EXISTS);
    assert_int_equal(gk_store_write_many(store, ops, 0, NULL), GK_OK);
    for (size_t i = 0; i < COUNT(names); i++) {
        assert_string_equal(store_show(store, names[i]), "map:k=v ");
    }
}

static void test_write__map_values_are_not_empty(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_change(store, "o", NULL, GK_CHANGE_MAP_SET, "k", ""), GK_E_INVALID);
    assert_string_equal(store_show(store, "o"), "absent");
}

static void test_write__creates_what_a_change_needs(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_change(store, "a", NULL, GK_CHANGE_ATTR_SET, "n", "1"), GK_OK);
    assert_string_equal(store_show(store, "a"), "attr:n=1 ");
    store_set(store, "m", "k", "1");
    assert_string_equal(store_show(store, "m"), "map:k=1 ");
}

/* What is there before each row: object "there" with map {k: v}, nothing else. */
static void test_write__checks_each_guard(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "there", "k", "v");
    const uint64_t version = store_version(store, "there");
    const struct {
        const char *object;
        struct gk_guard guard;
        enum gk_status expected;
    } rows[] = {
        {"there", {.kind = GK_GUARD_EXISTS}, GK_OK},
        {"there", {.kind = GK_GUARD_ABSENT}, GK_E_EXISTS},
        {"there", guard_version(version + 1), GK_E_CONFLICT},
        {"there", guard_version(version - 1), GK_E_CONFLICT},
        {"there", guard_version(0), GK_E_CONFLICT},
        {"there", guard_version(UINT64_MAX), GK_E_CONFLICT},
        {"there", guard_of(GK_GUARD_MAP_EQUAL, "k", "v"), GK_OK},
        {"there", guard_of(GK_GUARD_MAP_EQUAL, "k", "vv"), GK_E_CONFLICT},
        {"there", guard_of(GK_GUARD_MAP_EQUAL, "k", "w2"), GK_E_CONFLICT},
        {"there", guard_of(GK_GUARD_MAP_EQUAL, "none", "v"), GK_E_CONFLICT},
        {"there", guard_of(GK_GUARD_MAP_EXISTS, "k", ""), GK_OK},
        {"there", guard_of(GK_GUARD_MAP_EXISTS, "none", ""), GK_E_NOT_FOUND},
        {"there", guard_of(GK_GUARD_MAP_ABSENT, "none", ""), GK_OK},
        {"there", guard_of(GK_GUARD_MAP_ABSENT, "k", ""), GK_E_EXISTS},
        {"not", {.kind = GK_GUARD_EXISTS}, GK_E_NOT_FOUND},
        {"not", guard_version(version), GK_E_NOT_FOUND},
        {"not", guard_version(0), GK_E_NOT_FOUND},
        {"not", guard_of(GK_GUARD_MAP_EQUAL, "k", "v"), GK_E_CONFLICT},
        {"not", guard_of(GK_GUARD_MAP_EXISTS, "k", ""), GK_E_NOT_FOUND},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *before = rows[i].object[0] == 't' ? "map:k=v " : "absent";
        const enum gk_status got =
            store_change(store, rows[i].object, &rows[i].guard, GK_CHANGE_ATTR_SET, "a", "1");
        if (got != rows[i].expected) {
            fail_msg("row %zu: got %d, expected %d", i, (int)got, (int)rows[i].expected);
        }
        if (got == GK_OK) {
            assert_string_equal(store_show(store, "there"), "attr:a=1 map:k=v ");
            assert_int_equal(store_change(store, "there", NULL, GK_CHANGE_ATTR_REMOVE, "a", ""),
                             GK_OK);
        }
        assert_string_equal(store_show(store, rows[i].object), before);
    }
}

static void test_write__guards_for_absence_let_creation_through_once(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_guard absent = {.kind = GK_GUARD_ABSENT};
    assert_int_equal(store_change(store, "o", &absent, GK_CHANGE_CREATE, "", ""), GK_OK);
    assert_int_equal(store_change(store, "o", &absent, GK_CHANGE_CREATE, "", ""), GK_E_EXISTS);
    const struct gk_guard no_key = guard_of(GK_GUARD_MAP_ABSENT, "k", "");
    assert_int_equal(store_change(store, "p", &no_key, GK_CHANGE_MAP_SET, "k", "1"), GK_OK);
    assert_int_equal(store_change(store, "p", &no_key, GK_CHANGE_MAP_SET, "k", "2"), GK_E_EXISTS);
    assert_string_equal(store_show(store, "p"), "map:k=1 ");
}

static void test_write__every_guard_must_hold(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "k", "v");
    const struct gk_guard good[] = {
        {.kind = GK_GUARD_EXISTS},
        guard_version(store_version(store, "o")),
        guard_of(GK_GUARD_MAP_EQUAL, "k", "v"),
        guard_of(GK_GUARD_MAP_ABSENT, "l", ""),
    };
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, "l", "x");
    for (size_t bad = 0; bad < COUNT(good); bad++) {
        struct gk_guard guards[COUNT(good)];
        memcpy(guards, good, sizeof good);
        guards[bad] = guard_of(GK_GUARD_MAP_EQUAL, "k", "other");
        const struct gk_write_op op = {.pool = GK_POOL_META,
                                       .object = "o",
                                       .guards = guards,
                                       .guards_count = COUNT(guards),
                                       .changes = &change,
                                       .changes_count = 1};
        assert_int_equal(gk_store_write(store, &op, NULL, NULL), GK_E_CONFLICT);
        assert_string_equal(store_show(store, "o"), "map:k=v ");
    }
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = "o",
                                   .guards = good,
                                   .guards_count = COUNT(good),
                                   .changes = &change,
                                   .changes_count = 1};
    assert_int_equal(gk_store_write(store, &op, NULL, NULL), GK_OK);
    assert_string_equal(store_show(store, "o"), "map:k=v map:l=x ");
}

static void test_write__changes_come_together_in_order(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "gone", "1");
    const struct gk_change changes[] = {
        change_of(GK_CHANGE_CREATE, "", ""),         change_of(GK_CHANGE_MAP_SET, "k", "1"),
        change_of(GK_CHANGE_MAP_SET, "k", "2"),      change_of(GK_CHANGE_MAP_REMOVE, "gone", ""),
        change_of(GK_CHANGE_MAP_SET, "brief", "1"),  change_of(GK_CHANGE_MAP_REMOVE, "brief", ""),
        change_of(GK_CHANGE_MAP_REMOVE, "back", ""), change_of(GK_CHANGE_MAP_SET, "back", "3"),
        change_of(GK_CHANGE_ATTR_SET, "a", "1"),
    };
    const struct gk_guard wrong = guard_of(GK_GUARD_MAP_EQUAL, "gone", "2");
    assert_int_equal(store_apply(store, "o", &wrong, changes, COUNT(changes), NULL), GK_E_CONFLICT);
    assert_string_equal(store_show(store, "o"), "map:gone=1 ");
    assert_int_equal(store_apply(store, "o", NULL, changes, COUNT(changes), NULL), GK_OK);
    assert_string_equal(store_show(store, "o"), "attr:a=1 map:back=3 map:k=2 ");
}

static void test_write__removal_takes_everything(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "k", "v");
    assert_int_equal(store_change(store, "o", NULL, GK_CHANGE_ATTR_SET, "a", "1"), GK_OK);
    const struct gk_guard wrong = guard_version(store_version(store, "o") + 1);
    assert_int_equal(store_change(store, "o", &wrong, GK_CHANGE_REMOVE, "", ""), GK_E_CONFLICT);
    const struct gk_guard right = guard_version(store_version(store, "o"));
    assert_int_equal(store_change(store, "o", &right, GK_CHANGE_REMOVE, "", ""), GK_OK);
    assert_string_equal(store_show(store, "o"), "absent");
    assert_int_equal(store_change(store, "o", NULL, GK_CHANGE_CREATE, "", ""), GK_OK);
    assert_string_equal(store_show(store, "o"), "");
}

/* A caller that read a version and then waited must not take a new object for the old one. */
static void test_write__a_version_never_comes_back(void **state)
{
    struct store_case *test = *state;
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, "k", "v");
    uint64_t last = 0;
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3; i++) {
            uint64_t version = 0;
            assert_int_equal(store_apply(test->store, "o", NULL, &change, 1, &version), GK_OK);
            assert_true(version > last);
            assert_true(version == store_version(test->store, "o"));
            last = version;
        }
        const struct gk_guard guard = guard_version(last);
        assert_int_equal(store_change(test->store, "o", &guard, GK_CHANGE_REMOVE, "", ""), GK_OK);
        if (round == 1) {
            store_case_reopen(test);
        }
    }
}

static void test_write__the_version_counts_for_one_object(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "a", "k", "1");
    store_set(store, "b", "k", "1");
    const struct gk_guard guard = guard_version(store_version(store, "a"));
    store_set(store, "b", "k", "2");
    assert_int_equal(store_change(store, "a", &guard, GK_CHANGE_MAP_SET, "k", "2"), GK_OK);
    assert_int_equal(store_change(store, "a", &guard, GK_CHANGE_MAP_SET, "k", "3"), GK_E_CONFLICT);
}

static void test_write__pools_are_apart(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "same", "k", "v");
    assert_true(store_data_absent(store, "same"));
    assert_int_equal(store_put(store, "same", 1, 100), GK_OK);
    const char *const names[] = {"same"};
    assert_int_equal(gk_store_remove(store, GK_POOL_DATA, names, 1, NULL), GK_OK);
    assert_string_equal(store_show(store, "same"), "map:k=v ");
}

static void test_write__keys_and_values_are_any_bytes(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    uint8_t key[GK_MAP_KEY_BYTES_MAX];
    pattern_fill(key, sizeof key, 7, 0);
    key[0] = 0;
    key[1] = 0xff;
    uint8_t *value = malloc(GK_MAP_VALUE_BYTES_MAX);
    assert_non_null(value);
    pattern_fill(value, GK_MAP_VALUE_BYTES_MAX, 8, 0);
    const struct gk_change change = {.kind = GK_CHANGE_MAP_SET,
                                     .key = gk_span_of(key, sizeof key),
                                     .value = gk_span_of(value, GK_MAP_VALUE_BYTES_MAX)};
    assert_int_equal(store_apply(store, "o", NULL, &change, 1, NULL), GK_OK);
    const struct gk_guard same = {
        .kind = GK_GUARD_MAP_EQUAL, .key = change.key, .value = change.value};
    assert_int_equal(store_change(store, "o", &same, GK_CHANGE_CREATE, "", ""), GK_OK);
    struct gk_buf got;
    gk_buf_init(&got, GK_MAP_VALUE_BYTES_MAX);
    assert_int_equal(gk_store_map_get(store, GK_POOL_META, "o", change.key, &got, NULL), GK_OK);
    assert_true(gk_span_equal(gk_buf_span(&got), change.value));
    /* One byte less in the key is another key. */
    gk_buf_reset(&got);
    assert_int_equal(
        gk_store_map_get(store, GK_POOL_META, "o", gk_span_of(key, sizeof key - 1), &got, NULL),
        GK_E_NOT_FOUND);
    gk_buf_cleanup(&got);
    free(value);
}

static void test_write__limits_are_kept(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    char name[GK_OBJECT_NAME_BYTES_MAX + 2];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(store_change(store, name, NULL, GK_CHANGE_CREATE, "", ""), GK_E_LIMIT);
    name[sizeof name - 2] = '\0';
    assert_int_equal(store_change(store, name, NULL, GK_CHANGE_CREATE, "", ""), GK_OK);
    assert_string_equal(store_show(store, name), "");
    assert_int_equal(store_change(store, "", NULL, GK_CHANGE_CREATE, "", ""), GK_E_LIMIT);

    uint8_t *big = calloc(1, GK_MAP_VALUE_BYTES_MAX + 1);
    assert_non_null(big);
    const struct gk_span long_key = gk_span_of(big, GK_MAP_KEY_BYTES_MAX + 1);
    const struct gk_span long_value = gk_span_of(big, GK_MAP_VALUE_BYTES_MAX + 1);
    const struct gk_change changes[] = {
        {.kind = GK_CHANGE_MAP_SET, .key = long_key},
        {.kind = GK_CHANGE_MAP_SET, .key = gk_span_str("k"), .value = long_value},
        {.kind = GK_CHANGE_ATTR_SET, .key = long_key},
        {.kind = GK_CHANGE_ATTR_SET, .key = gk_span_str("k"), .value = long_value},
        {.kind = GK_CHANGE_MAP_REMOVE, .key = long_key},
    };
    for (size_t i = 0; i < COUNT(changes); i++) {
        assert_int_equal(store_apply(store, "o", NULL, &changes[i], 1, NULL), GK_E_LIMIT);
    }
    const struct gk_guard guard = {.kind = GK_GUARD_MAP_ABSENT, .key = long_key};
    assert_int_equal(store_change(store, "o", &guard, GK_CHANGE_CREATE, "", ""), GK_E_LIMIT);
    assert_string_equal(store_show(store, "o"), "absent");
    free(big);
}

static void test_write__without_changes_only_checks(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_apply(store, "none", NULL, NULL, 0, NULL), GK_OK);
    assert_string_equal(store_show(store, "none"), "absent");
    store_set(store, "o", "k", "v");
    const uint64_t version = store_version(store, "o");
    const struct gk_guard right = guard_of(GK_GUARD_MAP_EQUAL, "k", "v");
    uint64_t seen = 0;
    assert_int_equal(store_apply(store, "o", &right, NULL, 0, &seen), GK_OK);
    assert_true(seen == version);
    assert_true(store_version(store, "o") == version);
    const struct gk_guard wrong = guard_of(GK_GUARD_MAP_EQUAL, "k", "w");
    assert_int_equal(store_apply(store, "o", &wrong, NULL, 0, NULL), GK_E_CONFLICT);
}

/* An erasure-coded pool has neither attributes nor maps. */
static void test_write__the_data_pool_has_bytes_only(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    const struct gk_change changes[] = {
        change_of(GK_CHANGE_MAP_SET, "k", "v"),
        change_of(GK_CHANGE_ATTR_SET, "k", "v"),
        change_of(GK_CHANGE_MAP_REMOVE, "k", ""),
        change_of(GK_CHANGE_ATTR_REMOVE, "k", ""),
    };
    for (size_t i = 0; i < COUNT(changes); i++) {
        const struct gk_write_op op = {
            .pool = GK_POOL_DATA, .object = "d", .changes = &changes[i], .changes_count = 1};
        assert_int_equal(gk_store_write(store, &op, NULL, NULL), GK_E_INVALID);
    }
    const struct gk_guard guard = guard_of(GK_GUARD_MAP_ABSENT, "k", "");
    const struct gk_write_op op = {
        .pool = GK_POOL_DATA, .object = "d", .guards = &guard, .guards_count = 1};
    assert_int_equal(gk_store_write(store, &op, NULL, NULL), GK_E_INVALID);
    assert_true(store_data_absent(store, "d"));
}

static void test_write__removing_what_is_absent(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    assert_int_equal(store_change(store, "o", NULL, GK_CHANGE_REMOVE, "", ""), GK_E_NOT_FOUND);
    const char *const names[] = {"o"};
    assert_int_equal(gk_store_remove(store, GK_POOL_META, names, 1, NULL), GK_OK);
    store_set(store, "o", "k", "v");
    assert_int_equal(gk_store_remove(store, GK_POOL_META, names, 1, NULL), GK_OK);
    assert_string_equal(store_show(store, "o"), "absent");
}

static void test_write__removal_stands_alone(void **state)
{
    struct gk_store *store = ((struct store_case *)*state)->store;
    store_set(store, "o", "k", "v");
    const struct gk_change changes[] = {
        change_of(GK_CHANGE_REMOVE, "", ""),
        change_of(GK_CHANGE_MAP_SET, "k", "w"),
    };
    assert_int_equal(store_apply(store, "o", NULL, changes, 2, NULL), GK_E_INVALID);
    assert_string_equal(store_show(store, "o"), "map:k=v ");
}

static void test_write__survives_reopening(void **state)
{
    struct store_case *test = *state;
    store_set(test->store, "o", "k", "v");
    assert_int_equal(store_change(test->store, "o", NULL, GK_CHANGE_ATTR_SET, "a", "1"), GK_OK);
    const uint64_t version = store_version(test->store, "o");
    store_case_reopen(test);
    assert_string_equal(store_show(test->store, "o"), "attr:a=1 map:k=v ");
    assert_true(store_version(test->store, "o") == version);
}

int store_suite_write(const struct store_engine *engine)
{
    void *state = store_engine_state(engine);
    const struct CMUnitTest tests[] = {
        STORE_TEST(test_write__makes_each_kind_of_change, state),
        STORE_TEST(test_write__many_at_once, state),
        STORE_TEST(test_write__map_values_are_not_empty, state),
        STORE_TEST(test_write__creates_what_a_change_needs, state),
        STORE_TEST(test_write__checks_each_guard, state),
        STORE_TEST(test_write__guards_for_absence_let_creation_through_once, state),
        STORE_TEST(test_write__every_guard_must_hold, state),
        STORE_TEST(test_write__changes_come_together_in_order, state),
        STORE_TEST(test_write__removal_takes_everything, state),
        STORE_TEST(test_write__a_version_never_comes_back, state),
        STORE_TEST(test_write__the_version_counts_for_one_object, state),
        STORE_TEST(test_write__pools_are_apart, state),
        STORE_TEST(test_write__keys_and_values_are_any_bytes, state),
        STORE_TEST(test_write__limits_are_kept, state),
        STORE_TEST(test_write__without_changes_only_checks, state),
        STORE_TEST(test_write__the_data_pool_has_bytes_only, state),
        STORE_TEST(test_write__removing_what_is_absent, state),
        STORE_TEST(test_write__removal_stands_alone, state),
        STORE_TEST(test_write__survives_reopening, state),
    };
    return cmocka_run_group_tests_name("store: write operations", tests, NULL, NULL);
}
