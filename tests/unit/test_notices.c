/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what one gateway changes of an account the other obeys, at once when it hears of it and an
 * interval later when it does not.
 * Method: two gateways, each with an instance of the real module, over one embedded store, whose
 * notices the test takes down and brings to whom it likes, on a clock that it moves.
 */
#include "gateway/notices.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/store/engine.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

#define DEADLINE_MS 1000u

static const struct gk_call by_tester = {.deadline_ms = DEADLINE_MS, .actor = "tester"};
#define INTERVAL_MS 60000
#define UNTIL_MS    20000
#define SERVICE_KEY "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

struct side {
    struct gk_plugin_host *host;
    struct gk_accounts *accounts;
};

struct world {
    char directory[STORE_PLACE_BYTES];
    char key_path[STORE_PLACE_BYTES + 16];
    char store_path[STORE_PLACE_BYTES + 16];
    struct gk_store *store;
    struct side here;
    struct side there;
};

/* --- a clock and a store with faults ------------------------------------------------------------ */

static atomic_int_fast64_t moved_ms;
static atomic_bool silent;
static _Thread_local unsigned reads;             /* the plugin's are on its own threads */
static _Thread_local void (*on_read)(void *ctx); /* once, after the next read */
static _Thread_local void *on_read_ctx;
static const struct gk_store_ops *engine;
static struct gk_store_ops ops;

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static char told[1024];
static gk_store_notice_fn *watcher;
static void *watcher_ctx;

static int64_t test_mono_ms(void *ctx)
{
    (void)ctx;
    const struct gk_clock clock = gk_clock_system();
    return gk_clock_mono_ms(&clock) + atomic_load(&moved_ms);
}

static int64_t test_wall_ms(void *ctx)
{
    (void)ctx;
    const struct gk_clock clock = gk_clock_system();
    return gk_clock_wall_ms(&clock) + atomic_load(&moved_ms);
}

static const struct gk_clock test_clock = {.mono_ms = test_mono_ms, .wall_ms = test_wall_ms};

static enum gk_status attrs(struct gk_store *store, enum gk_store_pool pool, const char *object,
                            gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                            struct gk_error *error)
{
    reads++;
    const enum gk_status status =
        atomic_load(&silent) ? gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy", "no answer")
                             : engine->attrs(store, pool, object, visit, ctx, version, error);
    void (*const hook)(void *ctx) = on_read;
    on_read = NULL;
    if (hook != NULL) {
        hook(on_read_ctx);
    }
    return status;
}

static void notify(struct gk_store *store, const char *object, struct gk_span bytes)
{
    (void)store;
    assert_string_equal(object, GK_NOTICES_OBJECT);
    pthread_mutex_lock(&told_lock);
    strncat(told, (const char *)bytes.data, bytes.len);
    strcat(told, " ");
    pthread_mutex_unlock(&told_lock);
}

static enum gk_status watch(struct gk_store *store, const char *object, gk_store_notice_fn *notice,
                            void *ctx, struct gk_store_watch **out, struct gk_error *error)
{
    (void)error;
    assert_string_equal(object, GK_NOTICES_OBJECT);
    *out = calloc(1, sizeof **out);
    (*out)->store = store;
    watcher = notice;
    watcher_ctx = ctx;
    return GK_OK;
}

static void unwatch(struct gk_store_watch *watch_)
{
    watcher = NULL;
    free(watch_);
}

static void wrap_engine(struct gk_store *store)
{
    engine = store->ops;
    ops = *engine;
    ops.attrs = attrs;
    ops.notify = notify;
    ops.watch = watch;
    ops.unwatch = unwatch;
    store->ops = &ops;
}

/* --- the world ---------------------------------------------------------------------------------- */

static void begin(struct world *world, struct side *side)
{
    const struct gk_plugin_setting settings[] = {{"service_key_file", world->key_path, NULL}};
    struct gk_error error = {0};
    if (gk_plugin_host_open(GATEKEY_MODULE, settings, 1, world->store, &test_clock, NULL,
                            &side->host, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    assert_int_equal(gk_accounts_new(world->store, side->host, &test_clock, &side->accounts, NULL),
                     GK_OK);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    assert_true(store_place_make(world->directory));
    snprintf(world->key_path, sizeof world->key_path, "%s/key", world->directory);
    snprintf(world->store_path, sizeof world->store_path, "%s/store", world->directory);
    const int fd = open(world->key_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, SERVICE_KEY, strlen(SERVICE_KEY)), strlen(SERVICE_KEY));
    close(fd);
    assert_int_equal(gk_store_embedded_open(world->store_path, &world->store, NULL), GK_OK);
    wrap_engine(world->store);
    begin(world, &world->here);
    begin(world, &world->there);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    atomic_store(&silent, false);
    gk_accounts_free(world->here.accounts);
    gk_accounts_free(world->there.accounts);
    gk_plugin_host_close(world->here.host);
    gk_plugin_host_close(world->there.host);
    gk_store_close(world->store);
    store_place_remove(world->directory);
    free(world);
    return 0;
}

static void create(struct side *side, const char *name)
{
    const struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_SERVICE};
    bool created = false;
    struct gk_error error = {0};
    if (gk_accounts_create(side->accounts, name, &settings, "here", "{}", &by_tester, &created,
                           &error) != GK_OK) {
        fail_msg("%s: %s", name, error.message);
    }
    assert_true(created);
}

/* As the removal of an account does it (gateway/blob/account_removal.c). */
static void delete_account(struct world *world, struct side *side, const char *name)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    const char *names[] = {object};
    assert_int_equal(gk_account_object(name, object, NULL), GK_OK);
    assert_int_equal(gk_store_remove(world->store, GK_POOL_META, names, 1, NULL), GK_OK);
    side->host->plugin->account_forget(side->host->instance, name);
    gk_accounts_drop(side->accounts, name);
    gk_account_attrs_gone(world->store, name);
}

static struct gk_gateway_account *get(struct side *side, const char *name)
{
    struct gk_gateway_account *account = NULL;
    assert_int_equal(gk_accounts_get(side->accounts, name, &account, NULL), GK_OK);
    return account;
}

static enum gk_status try_get(struct side *side, const char *name)
{
    struct gk_gateway_account *account = NULL;
    const enum gk_status status = gk_accounts_get(side->accounts, name, &account, NULL);
    gk_accounts_put(account);
    return status;
}

static struct gk_access_keys keys_of(struct side *side, const char *name)
{
    struct gk_gateway_account *account = get(side, name);
    const struct gk_access_keys keys = *account->keys;
    gk_accounts_put(account);
    return keys;
}

static bool same_keys(const struct gk_access_keys *a, const struct gk_access_keys *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static enum gk_status authorize(struct side *side, struct gk_gateway_account *account)
{
    return side->host->plugin->authorize(account->handle, GK_OP_BLOB_GET_BLOB, 0, NULL);
}

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
}

static void until_gone(struct side *side, struct gk_gateway_account *account)
{
    for (int i = 0; i < UNTIL_MS && authorize(side, account) != GK_E_NOT_FOUND; i++) {
        nap();
    }
    assert_int_equal(authorize(side, account), GK_E_NOT_FOUND);
}

/* HALF_TOLD: the accounts come upon it before the plugin has heard of it. */
enum news { TOLD, TOLD_OF_ALL, HALF_TOLD, UNTOLD };

static void let_know(struct side *side, enum news news, const char *name)
{
    if (news == UNTOLD) {
        atomic_fetch_add(&moved_ms, INTERVAL_MS);
    } else if (news == HALF_TOLD) {
        gk_accounts_expire(side->accounts, name);
    } else {
        gk_notices_obey(side->accounts, side->host,
                        news == TOLD ? gk_span_str(name) : (struct gk_span){0});
    }
}

static void assert_told(const char *expected)
{
    pthread_mutex_lock(&told_lock);
    assert_string_equal(told, expected);
    told[0] = '\0';
    pthread_mutex_unlock(&told_lock);
}

/* --- telling ------------------------------------------------------------------------------------ */

static void test_notices__every_change_is_told(void **state)
{
    struct world *world = *state;
    told[0] = '\0';
    create(&world->here, "acct");
    assert_told("acct acct "); /* the plugin's record, and ours */
    assert_int_equal(gk_accounts_set_arm(world->here.accounts, "acct", "{\"a\":2}", NULL), GK_OK);
    assert_told("acct ");
    assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", 0, NULL), GK_OK);
    assert_told("acct ");
    assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", 9, NULL),
                     GK_E_INVALID);
    assert_told("");
    delete_account(world, &world->here, "acct");
    assert_told("acct ");
}

static void test_notices__a_watch_hears_until_it_is_stopped(void **state)
{
    struct world *world = *state;
    struct gk_notices *notices = NULL;
    create(&world->here, "acct");
    const struct gk_access_keys before = keys_of(&world->there, "acct");
    assert_int_equal(
        gk_notices_start(world->store, world->there.accounts, world->there.host, &notices, NULL),
        GK_OK);
    assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", 0, NULL), GK_OK);
    watcher(watcher_ctx, gk_span_str("acct"));
    const struct gk_access_keys after = keys_of(&world->there, "acct");
    assert_false(same_keys(&before, &after));
    gk_notices_stop(notices);
    assert_null(watcher);
    gk_notices_stop(NULL);
}

/* --- obeying ------------------------------------------------------------------------------------ */

static void test_notices__a_regenerated_key_and_https_only(void **state)
{
    struct world *world = *state;
    create(&world->here, "acct");
    for (enum news news = TOLD; news <= UNTOLD; news++) {
        const struct gk_access_keys before = keys_of(&world->there, "acct");
        const bool https_only = news != TOLD_OF_ALL;
        assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", 1, NULL), GK_OK);
        assert_int_equal(gk_accounts_set_arm(world->here.accounts, "acct",
                                             https_only ? "{\"httpsOnly\":true}" : "{}", NULL),
                         GK_OK);
        const struct gk_access_keys now = keys_of(&world->here, "acct");
        const struct gk_access_keys still = keys_of(&world->there, "acct");
        assert_true(same_keys(&still, &before)); /* else the rest shows nothing */
        let_know(&world->there, news, "acct");
        struct gk_gateway_account *account = get(&world->there, "acct");
        assert_true(same_keys(account->keys, &now));
        assert_int_equal(account->https_only, https_only);
        gk_accounts_put(account);
    }
}

static void test_notices__an_account_that_did_not_change_is_kept(void **state)
{
    struct world *world = *state;
    create(&world->here, "acct");
    struct gk_gateway_account *before = get(&world->there, "acct");
    for (enum news news = TOLD; news <= UNTOLD; news++) {
        let_know(&world->there, news, "acct");
        struct gk_gateway_account *after = get(&world->there, "acct");
        assert_ptr_equal(after, before);
        gk_accounts_put(after);
    }
    gk_accounts_put(before);
    /* And then the store is not asked again. */
    const unsigned asked = reads;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(try_get(&world->there, "acct"), GK_OK);
    }
    assert_int_equal(reads, asked);
}

static void test_notices__nonsense_is_passed_over(void **state)
{
    struct world *world = *state;
    static const char *const rows[] = {"acct2",
                                       "ac",
                                       "ACCT",
                                       "acct/",
                                       "v2 {\"account\":\"acct\"}",
                                       "0123456789abcdefghijklmnopqrstuvwxyz"};
    create(&world->here, "acct");
    const struct gk_access_keys before = keys_of(&world->there, "acct");
    assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", 0, NULL), GK_OK);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        let_know(&world->there, TOLD, rows[i]);
    }
    gk_notices_obey(world->there.accounts, world->there.host, gk_span_of("acct\0x", 6));
    const struct gk_access_keys after = keys_of(&world->there, "acct");
    assert_true(same_keys(&after, &before));
}

static void test_notices__an_account_that_was_deleted(void **state)
{
    struct world *world = *state;
    for (enum news news = TOLD; news <= UNTOLD; news++) {
        create(&world->here, "acct");
        let_know(&world->there, news, "acct");
        struct gk_gateway_account *held = get(&world->there, "acct");
        assert_int_equal(authorize(&world->there, held), GK_OK);
        delete_account(world, &world->here, "acct");
        let_know(&world->there, news, "acct");
        assert_int_equal(try_get(&world->there, "acct"), GK_E_NOT_FOUND);
        until_gone(&world->there, held);
        gk_accounts_put(held);
    }
}

/* The plugin may hear of it a moment after the accounts; until then nothing of either is served. */
static void test_notices__an_account_that_was_made_anew(void **state)
{
    struct world *world = *state;
    create(&world->here, "acct");
    for (enum news news = TOLD; news <= UNTOLD; news++) {
        struct gk_gateway_account *held = get(&world->there, "acct");
        const struct gk_id old_id = held->id;
        delete_account(world, &world->here, "acct");
        create(&world->here, "acct");
        const struct gk_access_keys keys = keys_of(&world->here, "acct");
        let_know(&world->there, news, "acct");
        enum gk_status status = GK_E_INTEGRITY;
        for (int i = 0; i < UNTIL_MS && status != GK_OK; i++) {
            status = try_get(&world->there, "acct");
            assert_true(status == GK_OK || status == GK_E_INTEGRITY);
            nap();
        }
        struct gk_gateway_account *account = get(&world->there, "acct");
        assert_false(gk_id_equal(&account->id, &old_id));
        assert_true(same_keys(account->keys, &keys));
        assert_int_equal(authorize(&world->there, account), GK_OK);
        until_gone(&world->there, held);
        gk_accounts_put(account);
        gk_accounts_put(held);
    }
}

static void test_notices__a_silent_store_lets_no_old_key_go_on(void **state)
{
    struct world *world = *state;
    create(&world->here, "acct");
    const struct gk_access_keys before = keys_of(&world->there, "acct");
    atomic_store(&silent, true);
    assert_int_equal(try_get(&world->there, "acct"), GK_OK); /* it need not be asked yet */
    let_know(&world->there, UNTOLD, "acct");
    assert_int_equal(try_get(&world->there, "acct"), GK_E_UNAVAILABLE);
    atomic_store(&silent, false);
    const struct gk_access_keys after = keys_of(&world->there, "acct");
    assert_true(same_keys(&after, &before));
    let_know(&world->there, TOLD, "acct");
    atomic_store(&silent, true);
    assert_int_equal(try_get(&world->there, "acct"), GK_E_UNAVAILABLE);
}

static void change_and_tell(void *ctx)
{
    struct world *world = ctx;
    assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", 0, NULL), GK_OK);
    let_know(&world->there, TOLD, "acct");
}

/* What was read before a notice came says nothing about what the notice was about. */
static void test_notices__a_notice_in_the_middle_of_a_read(void **state)
{
    struct world *world = *state;
    create(&world->here, "acct");
    for (unsigned cached = 0; cached < 2; cached++) {
        if (cached != 0) {
            gk_accounts_put(get(&world->there, "acct"));
            let_know(&world->there, TOLD, "acct");
        }
        on_read_ctx = world;
        on_read = change_and_tell;
        assert_int_equal(try_get(&world->there, "acct"), GK_OK);
        assert_null(on_read);
        const struct gk_access_keys ours = keys_of(&world->here, "acct");
        const struct gk_access_keys theirs = keys_of(&world->there, "acct");
        assert_true(same_keys(&ours, &theirs));
    }
}

/* --- threads ------------------------------------------------------------------------------------ */

struct crowd {
    struct world *world;
    atomic_bool end;
    atomic_uint failures;
};

static void *use_there(void *ctx)
{
    struct crowd *crowd = ctx;
    while (!atomic_load(&crowd->end)) {
        if (try_get(&crowd->world->there, "acct") != GK_OK) {
            atomic_fetch_add(&crowd->failures, 1);
        }
    }
    return NULL;
}

static void test_notices__changes_under_load_are_seen_at_once(void **state)
{
    struct crowd crowd = {.world = *state};
    struct world *world = *state;
    create(&world->here, "acct");
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_there, &crowd), 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(gk_accounts_regenerate_key(world->here.accounts, "acct", i % 2, NULL),
                         GK_OK);
        let_know(&world->there, i % 10 == 9 ? TOLD_OF_ALL : TOLD, "acct");
        const struct gk_access_keys ours = keys_of(&world->here, "acct");
        const struct gk_access_keys theirs = keys_of(&world->there, "acct");
        assert_true(same_keys(&ours, &theirs));
    }
    atomic_store(&crowd.end, true);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(atomic_load(&crowd.failures), 0);
}

#define NOTICES_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NOTICES_TEST(test_notices__every_change_is_told),
        NOTICES_TEST(test_notices__a_watch_hears_until_it_is_stopped),
        NOTICES_TEST(test_notices__a_regenerated_key_and_https_only),
        NOTICES_TEST(test_notices__an_account_that_did_not_change_is_kept),
        NOTICES_TEST(test_notices__nonsense_is_passed_over),
        NOTICES_TEST(test_notices__an_account_that_was_deleted),
        NOTICES_TEST(test_notices__an_account_that_was_made_anew),
        NOTICES_TEST(test_notices__a_silent_store_lets_no_old_key_go_on),
        NOTICES_TEST(test_notices__a_notice_in_the_middle_of_a_read),
        NOTICES_TEST(test_notices__changes_under_load_are_seen_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
