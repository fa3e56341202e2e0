/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one suite that every engine of the store passes. It knows store.h and nothing else; what an
 * engine needs to be opened, and what only one engine has, stands in that engine's own test.
 *
 * Each test gets an empty store of its own.
 */
#ifndef TESTS_UNIT_STORE_SUITE_H
#define TESTS_UNIT_STORE_SUITE_H

#include "common/buf.h"
#include "gateway/store/store.h"
#include "unit/cmocka_all.h"

/* How to get at an engine. A place is where one store lives: a directory, a namespace of a pool. */
struct store_engine {
    const char *name;
    /* A new, empty place. Asserts on failure. */
    void *(*place_new)(void);
    enum gk_status (*open)(void *place, struct gk_store **out, struct gk_error *error);
    /* Removes all that is there, and frees place. */
    void (*place_free)(void *place);
};

/* What a test finds in its state. */
struct store_case {
    const struct store_engine *engine;
    void *place;
    struct gk_store *store;
};

/* Runs every group; the number of failed tests. */
int store_suite_run(const struct store_engine *engine);
int store_suite_write(const struct store_engine *engine);
int store_suite_batch(const struct store_engine *engine);
int store_suite_bytes(const struct store_engine *engine);
int store_suite_read(const struct store_engine *engine);
int store_suite_threads(const struct store_engine *engine);

/* The set-up and tear-down of a test, whose prestate is the engine. */
int store_case_setup(void **state);
int store_case_teardown(void **state);
#define STORE_TEST(function, engine_const)                                                         \
    {                                                                                              \
        .name = #function, .test_func = (function), .setup_func = store_case_setup,                \
        .teardown_func = store_case_teardown, .initial_state = (engine_const)                      \
    }
/* The engine as the initial state, which cmocka wants without const and nobody changes. */
void *store_engine_state(const struct store_engine *engine);
/* Closes the store and opens it again. */
void store_case_reopen(struct store_case *test);

/* --- words for tests: text instead of spans, the object in GK_POOL_META ----------------------- */

struct gk_guard guard_of(enum gk_guard_kind kind, const char *key, const char *value);
struct gk_guard guard_version(uint64_t number);
struct gk_change change_of(enum gk_change_kind kind, const char *key, const char *value);

enum gk_status store_apply(struct gk_store *store, const char *object, const struct gk_guard *guard,
                           const struct gk_change *changes, size_t changes_count,
                           uint64_t *new_version);
/* One change with at most one guard, which may be NULL. */
enum gk_status store_change(struct gk_store *store, const char *object,
                            const struct gk_guard *guard, enum gk_change_kind kind, const char *key,
                            const char *value);
/* Asserts that it worked. */
void store_set(struct gk_store *store, const char *object, const char *key, const char *value);

/*
 * The whole object as text: "attr:a=1 map:k=v ", attributes first, or "absent". One buffer, until
 * the next call in any thread: for the test's main thread only.
 */
const char *store_show(struct gk_store *store, const char *object);
uint64_t store_version(struct gk_store *store, const char *object);
/* The keys of a walk, or the sorted names of a list, each followed by a blank; the same buffer. */
const char *store_show_keys(struct gk_store *store, const char *object, const char *prefix,
                            const char *after, bool after_inclusive);
const char *store_show_names(struct gk_store *store, enum gk_store_pool pool, const char *prefix);

/* --- bytes ------------------------------------------------------------------------------------ */

/* The bytes of data object number seed; any two objects differ in any eight bytes. */
void pattern_fill(uint8_t *out, size_t len, uint64_t seed, uint64_t offset);
/* Begins an object and appends size bytes of the pattern, piece bytes at a time. */
enum gk_status batch_put(struct gk_store_batch *batch, const char *object, uint64_t seed,
                         size_t size, size_t piece);
/* A batch of one object that commits by setting map["index"][object] := object. */
enum gk_status store_put(struct gk_store *store, const char *object, uint64_t seed, size_t size);
/* GK_OK when the object has exactly this content, GK_E_INTEGRITY when it has another. */
enum gk_status store_check(struct gk_store *store, const char *object, uint64_t seed, size_t size);
/* True when the data pool has no object of that name. */
bool store_data_absent(struct gk_store *store, const char *object);

#endif
