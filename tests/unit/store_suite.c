/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/store_suite.h"

#include <stdlib.h>

#define SHOW_BYTES_MAX (64u << 20)

static struct gk_buf shown = {.max = SHOW_BYTES_MAX};

int store_suite_run(const struct store_engine *engine)
{
    const int failed = store_suite_write(engine) + store_suite_batch(engine) +
                       store_suite_bytes(engine) + store_suite_read(engine) +
                       store_suite_threads(engine);
    gk_buf_cleanup(&shown);
    return failed;
}

void *store_engine_state(const struct store_engine *engine)
{
    union {
        const struct store_engine *given;
        void *state;
    } without_const = {.given = engine};
    return without_const.state;
}

int store_case_setup(void **state)
{
    struct store_case *test = calloc(1, sizeof *test);
    assert_non_null(test);
    test->engine = *state;
    test->place = test->engine->place_new();
    struct gk_error error = {0};
    if (test->engine->open(test->place, &test->store, &error) != GK_OK) {
        fail_msg("opening %s: %s", test->engine->name, error.message);
    }
    *state = test;
    return 0;
}

int store_case_teardown(void **state)
{
    struct store_case *test = *state;
    gk_store_close(test->store);
    test->engine->place_free(test->place);
    free(test);
    return 0;
}

void store_case_reopen(struct store_case *test)
{
    gk_store_close(test->store);
    test->store = NULL;
    struct gk_error error = {0};
    if (test->engine->open(test->place, &test->store, &error) != GK_OK) {
        fail_msg("opening %s again: %s", test->engine->name, error.message);
    }
}

struct gk_guard guard_of(enum gk_guard_kind kind, const char *key, const char *value)
{
    return (struct gk_guard){.kind = kind, .key = gk_span_str(key), .value = gk_span_str(value)};
}

struct gk_guard guard_version(uint64_t number)
{
    return (struct gk_guard){.kind = GK_GUARD_VERSION, .number = number};
}

struct gk_change change_of(enum gk_change_kind kind, const char *key, const char *value)
{
    return (struct gk_change){.kind = kind, .key = gk_span_str(key), .value = gk_span_str(value)};
}

enum gk_status store_apply(struct gk_store *store, const char *object, const struct gk_guard *guard,
                           const struct gk_change *changes, size_t changes_count,
                           uint64_t *new_version)
{
    const struct gk_write_op op = {
        .pool = GK_POOL_META,
        .object = object,
        .guards = guard,
        .guards_count = guard == NULL ? 0 : 1,
        .changes = changes,
        .changes_count = changes_count,
    };
    return gk_store_write(store, &op, new_version, NULL);
}

enum gk_status store_change(struct gk_store *store, const char *object,
                            const struct gk_guard *guard, enum gk_change_kind kind, const char *key,
                            const char *value)
{
    const struct gk_change change = change_of(kind, key, value);
    return store_apply(store, object, guard, &change, 1, NULL);
}

void store_set(struct gk_store *store, const char *object, const char *key, const char *value)
{
    assert_int_equal(store_change(store, object, NULL, GK_CHANGE_MAP_SET, key, value), GK_OK);
}

static bool show_attr(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)ctx;
    gk_buf_printf(&shown, "attr:%.*s=%.*s ", (int)key.len, (const char *)key.data, (int)value.len,
                  (const char *)value.data);
    return true;
}

static bool show_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)ctx;
    gk_buf_printf(&shown, "map:%.*s=%.*s ", (int)key.len, (const char *)key.data, (int)value.len,
                  (const char *)value.data);
    return true;
}

const char *store_show(struct gk_store *store, const char *object)
{
    uint64_t version = 0;
    gk_buf_reset(&shown);
    const enum gk_status status =
        gk_store_attrs(store, GK_POOL_META, object, show_attr, NULL, &version, NULL);
    if (status == GK_E_NOT_FOUND) {
        return "absent";
    }
    assert_int_equal(status, GK_OK);
    const struct gk_map_range all = {0};
    assert_int_equal(gk_store_map_walk(store, GK_POOL_META, object, &all, show_entry, NULL, NULL),
                     GK_OK);
    return gk_buf_str(&shown);
}

static bool ignore_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)ctx;
    (void)key;
    (void)value;
    return true;
}

uint64_t store_version(struct gk_store *store, const char *object)
{
    uint64_t version = 0;
    assert_int_equal(
        gk_store_attrs(store, GK_POOL_META, object, ignore_entry, NULL, &version, NULL), GK_OK);
    return version;
}

static bool show_key(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)ctx;
    (void)value;
    gk_buf_append(&shown, key.data, key.len);
    gk_buf_append_u8(&shown, ' ');
    return true;
}

const char *store_show_keys(struct gk_store *store, const char *object, const char *prefix,
                            const char *after, bool after_inclusive)
{
    const struct gk_map_range range = {
        .prefix = gk_span_str(prefix),
        .after = gk_span_str(after),
        .after_inclusive = after_inclusive,
    };
    gk_buf_reset(&shown);
    assert_int_equal(gk_store_map_walk(store, GK_POOL_META, object, &range, show_key, NULL, NULL),
                     GK_OK);
    return gk_buf_str(&shown);
}

/* Names of a list, sorted: an engine has an order of its own. */
struct names {
    char *each[1024];
    size_t count;
    const char *prefix;
};

static bool collect_name(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct names *names = ctx;
    const size_t prefix = strlen(names->prefix);
    if (key.len >= prefix && memcmp(key.data, names->prefix, prefix) == 0) {
        assert_in_range(names->count, 0, sizeof names->each / sizeof *names->each - 1);
        names->each[names->count++] = strndup((const char *)key.data, key.len);
    }
    return names->count % 3 != 0; /* goes on from the cursor now and then */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *store_show_names(struct gk_store *store, enum gk_store_pool pool, const char *prefix)
{
    static struct names names;
    struct gk_buf cursor;
    names = (struct names){.prefix = prefix};
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    do {
        assert_int_equal(gk_store_list(store, pool, &cursor, collect_name, &names, NULL), GK_OK);
    } while (cursor.len > 0);
    gk_buf_cleanup(&cursor);
    qsort(names.each, names.count, sizeof *names.each, by_name);
    gk_buf_reset(&shown);
    const char *before = "";
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(before, names.each[i]) != 0) {
            gk_buf_append_str(&shown, names.each[i]);
            gk_buf_append_str(&shown, " ");
        }
        before = names.each[i];
    }
    for (size_t i = 0; i < names.count; i++) {
        free(names.each[i]);
    }
    return gk_buf_str(&shown);
}

/* A 64-bit mix of seed and the number of the eight-byte word (the finaliser of splitmix64). */
static uint64_t pattern_word(uint64_t seed, uint64_t index)
{
    uint64_t word = (seed << 32 ^ index) + UINT64_C(0x9e3779b97f4a7c15);
    word = (word ^ word >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ word >> 27) * UINT64_C(0x94d049bb133111eb);
    return word ^ word >> 31;
}

void pattern_fill(uint8_t *out, size_t len, uint64_t seed, uint64_t offset)
{
    size_t done = 0;
    while (done < len) {
        const uint64_t position = offset + done;
        const uint64_t word = pattern_word(seed, position / 8);
        const size_t skip = (size_t)(position % 8);
        const size_t take = len - done < 8 - skip ? len - done : 8 - skip;
        memcpy(out + done, (const uint8_t *)&word + skip, take);
        done += take;
    }
}

enum gk_status batch_put(struct gk_store_batch *batch, const char *object, uint64_t seed,
                         size_t size, size_t piece)
{
    enum gk_status status = gk_store_batch_object(batch, object, size, NULL);
    uint8_t *bytes = malloc(piece);
    if (bytes == NULL) {
        return GK_E_RESOURCE;
    }
    for (size_t done = 0; status == GK_OK && done < size;) {
        const size_t len = size - done < piece ? size - done : piece;
        pattern_fill(bytes, len, seed, done);
        status = gk_store_batch_append(batch, gk_span_of(bytes, len), NULL);
        /* The store has copied it: what happens to the caller's buffer now does not matter. */
        memset(bytes, 0xff, len);
        done += len;
    }
    free(bytes);
    return status;
}

enum gk_status store_put(struct gk_store *store, const char *object, uint64_t seed, size_t size)
{
    struct gk_store_batch *batch;
    enum gk_status status = gk_store_batch_begin(store, &batch, NULL);
    if (status == GK_OK) {
        status = batch_put(batch, object, seed, size, 64 << 10);
    } else {
        return status;
    }
    if (status != GK_OK) {
        gk_store_batch_abort(batch);
        return status;
    }
    const struct gk_change change = change_of(GK_CHANGE_MAP_SET, object, object);
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = "index", .changes = &change, .changes_count = 1};
    return gk_store_batch_commit(batch, &op, NULL, NULL);
}

enum gk_status store_check(struct gk_store *store, const char *object, uint64_t seed, size_t size)
{
    uint8_t *got = malloc(size + 1);
    uint8_t *expected = malloc(size + 1);
    enum gk_status status = got == NULL || expected == NULL ? GK_E_RESOURCE : GK_OK;
    size_t len = 0;
    if (status == GK_OK) {
        status = gk_store_read(store, GK_POOL_DATA, object, 0, got, size + 1, &len, NULL);
    }
    if (status == GK_OK) {
        pattern_fill(expected, size, seed, 0);
        status = len == size && memcmp(got, expected, size) == 0 ? GK_OK : GK_E_INTEGRITY;
    }
    free(got);
    free(expected);
    return status;
}

bool store_data_absent(struct gk_store *store, const char *object)
{
    uint8_t byte;
    size_t len;
    return gk_store_read(store, GK_POOL_DATA, object, 0, &byte, 1, &len, NULL) == GK_E_NOT_FOUND;
}
