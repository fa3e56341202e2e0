/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts for each test: the real module with a service key, over a store of the embedded engine, on a clock that runs
 * ahead of the system's as the test says, and with a look at each write.
 */
#ifndef TESTS_UNIT_ACCOUNT_WORLD_H
#define TESTS_UNIT_ACCOUNT_WORLD_H

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "gateway/gateway.h"
#include "gateway/store/engine.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

#define DEADLINE_MS 1000u
#define SERVICE_KEY "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

static const struct gk_call by_tester = {.deadline_ms = DEADLINE_MS, .actor = "tester"};
static const struct gk_encryption_settings service_managed = {.source = GK_KEY_SOURCE_SERVICE};

struct account_world;

/* Before each write; false: it is not carried out, and the store does not answer. */
typedef bool account_world_write_fn(struct account_world *world, const struct gk_write_op *op);

struct account_world {
    char directory[STORE_PLACE_BYTES];
    char key_path[STORE_PLACE_BYTES + 16];
    char store_path[STORE_PLACE_BYTES + 16];
    _Atomic int64_t ahead_ms;
    struct gk_clock clock;
    struct gk_store *store;
    struct gk_plugin_host *host;
    struct gk_accounts *accounts;
    /* The module has threads that write, too. */
    account_world_write_fn *_Atomic on_write; /* NULL: nothing */
    account_world_write_fn
        *_Atomic on_answer; /* after it; false: its answer is lost. NULL: nothing */
};

static struct {
    struct account_world *world;
    const struct gk_store_ops *engine;
    struct gk_store_ops ops;
} account_world_store;

static inline enum gk_status account_world_write(struct gk_store *store,
                                                 const struct gk_write_op *op,
                                                 uint64_t *new_version, struct gk_error *error)
{
    struct account_world *world = account_world_store.world;
    account_world_write_fn *const on_write = atomic_load(&world->on_write);
    if (on_write != NULL && !on_write(world, op)) {
        return gk_fail(error, GK_E_UNAVAILABLE, "no answer");
    }
    const enum gk_status status = account_world_store.engine->write(store, op, new_version, error);
    account_world_write_fn *const on_answer = atomic_load(&world->on_answer);
    return on_answer == NULL || on_answer(world, op)
               ? status
               : gk_fail(error, GK_E_UNAVAILABLE, "no answer");
}

static inline int64_t account_world_mono_ms(void *ctx)
{
    struct account_world *world = ctx;
    const struct gk_clock clock = gk_clock_system();
    return gk_clock_mono_ms(&clock) + atomic_load(&world->ahead_ms);
}

static inline int64_t account_world_wall_ms(void *ctx)
{
    struct account_world *world = ctx;
    const struct gk_clock clock = gk_clock_system();
    return gk_clock_wall_ms(&clock) + atomic_load(&world->ahead_ms);
}

/* A gateway's half of it, without the store. */
static inline void account_world_open(struct account_world *world)
{
    const struct gk_plugin_setting settings[] = {{"service_key_file", world->key_path, NULL}};
    struct gk_error error = {0};
    if (gk_plugin_host_open(GATEKEY_MODULE, settings, 1, world->store, &world->clock, NULL,
                            &world->host, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(
        gk_accounts_new(world->store, world->host, &world->clock, &world->accounts, NULL), GK_OK);
}

static inline void account_world_close(struct account_world *world)
{
    gk_accounts_free(world->accounts);
    gk_plugin_host_close(world->host);
}

static inline void account_world_begin(struct account_world *world)
{
    assert_int_equal(gk_store_embedded_open(world->store_path, &world->store, NULL), GK_OK);
    account_world_store.world = world;
    account_world_store.engine = world->store->ops;
    account_world_store.ops = *world->store->ops;
    account_world_store.ops.write = account_world_write;
    world->store->ops = &account_world_store.ops;
    account_world_open(world);
}

static inline void account_world_end(struct account_world *world)
{
    account_world_close(world);
    gk_store_close(world->store);
}

static inline void account_world_restart(struct account_world *world)
{
    account_world_end(world);
    account_world_begin(world);
}

static inline int account_world_setup(void **state)
{
    struct account_world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    world->clock = (struct gk_clock){
        .ctx = world, .mono_ms = account_world_mono_ms, .wall_ms = account_world_wall_ms};
    assert_true(store_place_make(world->directory));
    snprintf(world->key_path, sizeof world->key_path, "%s/key", world->directory);
    snprintf(world->store_path, sizeof world->store_path, "%s/store", world->directory);
    const int fd = open(world->key_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, SERVICE_KEY, strlen(SERVICE_KEY)), strlen(SERVICE_KEY));
    close(fd);
    account_world_begin(world);
    *state = world;
    return 0;
}

static inline int account_world_teardown(void **state)
{
    struct account_world *world = *state;
    account_world_end(world);
    store_place_remove(world->directory);
    free(world);
    return 0;
}

static inline struct gk_gateway account_world_gateway(struct account_world *world)
{
    return (struct gk_gateway){.clock = world->clock,
                               .store = world->store,
                               .host = world->host,
                               .accounts = world->accounts};
}

/* Behind everybody's back, of an object of GK_POOL_META. */
static inline void account_world_change(struct account_world *world, const char *object,
                                        struct gk_change change)
{
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .changes = &change, .changes_count = 1};
    assert_int_equal(gk_store_write(world->store, &op, NULL, NULL), GK_OK);
}

static inline bool account_world_has(struct account_world *world, const char *object)
{
    struct gk_store_stat stat;
    return gk_store_stat(world->store, GK_POOL_META, object, &stat, NULL) == GK_OK;
}

/* Creates or completes; true: created. */
static inline bool account_world_create(struct account_world *world, const char *name)
{
    bool created = false;
    struct gk_error error = {0};
    if (gk_accounts_create(world->accounts, name, &service_managed, "westeurope", "{\"a\":1}",
                           &by_tester, &created, &error) != GK_OK) {
        fail_msg("%s: %s", name, error.message);
    }
    return created;
}

static inline struct gk_gateway_account *account_world_get(struct account_world *world,
                                                           const char *name)
{
    struct gk_gateway_account *account = NULL;
    assert_int_equal(gk_accounts_get(world->accounts, name, &account, NULL), GK_OK);
    assert_non_null(account);
    return account;
}

#endif
