/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: several processes on one store hear each other's notices, learn when they may have missed some,
 * and share a lease. Method: each has a connection of its own; two in one process are as good as two. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "unit/rados_place.h"

/* Two stores on one place. */
struct pair {
    struct rados_place *place;
    struct gk_store *a;
    struct gk_store *b;
};

static int setup(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    assert_non_null(pair);
    pair->place = rados_place_new();
    pair->a = rados_place_open(pair->place);
    pair->b = rados_place_open(pair->place);
    *state = pair;
    return 0;
}

static int teardown(void **state)
{
    struct pair *pair = *state;
    gk_store_close(pair->a);
    gk_store_close(pair->b);
    rados_place_free(pair->place);
    free(pair);
    return 0;
}

static struct timespec in_time(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += RADOS_WAIT_S;
    return until;
}

/* --- what a watcher hears ---------------------------------------------------------------------- */

struct ear {
    pthread_mutex_t mutex;
    pthread_cond_t heard;
    struct gk_store *store; /* what it uses while it is called; may be NULL */
    char text[1024];        /* each notice and a blank, "-" for one without bytes */
};

static void hear(void *ctx, struct gk_span bytes)
{
    struct ear *ear = ctx;
    bool used = true;
    if (ear->store != NULL) {
        used = store_change(ear->store, "used", NULL, GK_CHANGE_MAP_SET, "k", "v") == GK_OK;
    }
    pthread_mutex_lock(&ear->mutex);
    const size_t len = strlen(ear->text);
    snprintf(ear->text + len, sizeof ear->text - len, "%.*s%s ", (int)bytes.len,
             bytes.len == 0 ? "" : (const char *)bytes.data,
             !used            ? "!"
             : bytes.len == 0 ? "-"
                              : "");
    pthread_cond_broadcast(&ear->heard);
    pthread_mutex_unlock(&ear->mutex);
}

/* Waits until the ear has heard exactly that since the last time. */
static void expect_heard(struct ear *ear, const char *text)
{
    const struct timespec until = in_time();
    pthread_mutex_lock(&ear->mutex);
    int code = 0;
    while (code == 0 && strlen(ear->text) < strlen(text)) {
        code = pthread_cond_timedwait(&ear->heard, &ear->mutex, &until);
    }
    char heard[sizeof ear->text];
    memcpy(heard, ear->text, sizeof heard);
    ear->text[0] = '\0';
    pthread_mutex_unlock(&ear->mutex);
    assert_string_equal(heard, text);
}

#define EAR                                                                                        \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER                      \
    }

static struct gk_store_watch *watch(struct gk_store *store, const char *object, struct ear *ear)
{
    struct gk_store_watch *out = NULL;
    struct gk_error error = {0};
    if (gk_store_watch(store, object, hear, ear, &out, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    return out;
}

/* --- notices ----------------------------------------------------------------------------------- */

static void test_notices__reach_every_watcher_of_the_object(void **state)
{
    struct pair *pair = *state;
    struct ear ears[3] = {EAR, EAR, EAR};
    ears[0].store = pair->a;
    struct gk_store_watch *watches[] = {watch(pair->a, "notices", &ears[0]),
                                        watch(pair->b, "notices", &ears[1]),
                                        watch(pair->b, "others", &ears[2])};
    assert_string_equal(store_show(pair->a, "notices"), "");
    const char *const texts[] = {"one", "two", "three"};
    for (size_t i = 0; i < 3; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "%s ", texts[i]);
        gk_store_notify(i % 2 == 0 ? pair->a : pair->b, "notices", gk_span_str(texts[i]));
        expect_heard(&ears[0], expected);
        expect_heard(&ears[1], expected);
    }
    assert_string_equal(store_show(pair->a, "used"), "map:k=v ");
    gk_store_unwatch(watches[1]);
    gk_store_notify(pair->b, "notices", gk_span_str("four"));
    expect_heard(&ears[0], "four ");
    gk_store_notify(pair->b, "others", gk_span_str("other"));
    expect_heard(&ears[2], "other ");
    expect_heard(&ears[1], "");
    gk_store_unwatch(watches[0]);
    gk_store_unwatch(watches[2]);
}

static void test_notices__without_a_watcher_or_an_object(void **state)
{
    struct pair *pair = *state;
    gk_store_notify(pair->a, "none", gk_span_str("x"));
    for (int i = 0; i < 1000; i++) {
        gk_store_notify(pair->a, "none", gk_span_str("x")); /* more than are kept under way */
    }
    gk_store_unwatch(NULL);
}

/* Removing the object ends every watch on it, as a cluster does that has lost sight of a watcher. */
static void test_notices__a_lost_watch_is_told_and_made_good(void **state)
{
    struct pair *pair = *state;
    struct ear ear = EAR;
    struct gk_store_watch *watched = watch(pair->a, "notices", &ear);
    const char *const names[] = {"notices"};
    assert_int_equal(gk_store_remove(pair->b, GK_POOL_META, names, 1, NULL), GK_OK);
    expect_heard(&ear, "- - "); /* at once, and when it is watched again */
    assert_string_equal(store_show(pair->b, "notices"), "");
    gk_store_notify(pair->b, "notices", gk_span_str("back"));
    expect_heard(&ear, "back ");
    gk_store_unwatch(watched);
}

static void test_notices__more_than_a_slow_watcher_takes_are_told_as_missed(void **state)
{
    struct pair *pair = *state;
    struct ear ear = EAR;
    struct ear other = EAR;
    struct gk_store_watch *slow = watch(pair->a, "notices", &ear);
    struct gk_store_watch *quick = watch(pair->b, "notices", &other);
    pthread_mutex_lock(&ear.mutex); /* its first call does not return before this is given back */
    for (int i = 0; i < 100; i++) {
        gk_store_notify(pair->b, "notices", gk_span_str("n"));
        expect_heard(&other, "n ");
    }
    pthread_mutex_unlock(&ear.mutex);
    const struct timespec until = in_time();
    pthread_mutex_lock(&ear.mutex);
    int code = 0;
    while (code == 0 && strchr(ear.text, '-') == NULL) {
        code = pthread_cond_timedwait(&ear.heard, &ear.mutex, &until);
    }
    pthread_mutex_unlock(&ear.mutex);
    assert_int_equal(code, 0);
    gk_store_unwatch(slow);
    gk_store_unwatch(quick);
}

/* --- leases ------------------------------------------------------------------------------------ */

#define LEASE "lease/one"

static void test_lease__is_one_holders(void **state)
{
    struct pair *pair = *state;
    assert_int_equal(gk_store_lease_take(pair->a, LEASE, 600000, NULL), GK_OK);
    assert_int_equal(gk_store_lease_take(pair->b, LEASE, 600000, NULL), GK_E_CONFLICT);
    assert_int_equal(gk_store_lease_take(pair->a, LEASE, 600000, NULL), GK_OK);
    gk_store_lease_release(pair->b, LEASE);
    assert_int_equal(gk_store_lease_take(pair->b, LEASE, 600000, NULL), GK_E_CONFLICT);
    assert_int_equal(gk_store_lease_take(pair->b, "lease/two", 600000, NULL), GK_OK);
    gk_store_lease_release(pair->a, LEASE);
    assert_int_equal(gk_store_lease_take(pair->b, LEASE, 600000, NULL), GK_OK);
    assert_int_equal(gk_store_lease_take(pair->a, LEASE, 600000, NULL), GK_E_CONFLICT);
}

/* Its holder has gone without a word. */
static void test_lease__ends_by_itself(void **state)
{
    struct pair *pair = *state;
    const struct timespec until = in_time();
    struct timespec now;
    assert_int_equal(gk_store_lease_take(pair->a, LEASE, 1500, NULL), GK_OK);
    assert_int_equal(gk_store_lease_take(pair->b, LEASE, 600000, NULL), GK_E_CONFLICT);
    gk_store_close(pair->a);
    pair->a = NULL;
    enum gk_status status;
    do {
        status = gk_store_lease_take(pair->b, LEASE, 600000, NULL);
        clock_gettime(CLOCK_REALTIME, &now);
    } while (status == GK_E_CONFLICT && now.tv_sec < until.tv_sec);
    assert_int_equal(status, GK_OK);
}

/* --- guards ------------------------------------------------------------------------------------ */

static void test_guards__see_what_another_process_did(void **state)
{
    struct pair *pair = *state;
    store_set(pair->a, "o", "k", "1");
    const uint64_t version = store_version(pair->b, "o");
    const struct gk_guard by_version = guard_version(version);
    const struct gk_guard by_value = guard_of(GK_GUARD_MAP_EQUAL, "k", "1");
    store_set(pair->a, "o", "k", "2");
    assert_int_equal(store_change(pair->b, "o", &by_version, GK_CHANGE_MAP_SET, "k", "3"),
                     GK_E_CONFLICT);
    assert_int_equal(store_change(pair->b, "o", &by_value, GK_CHANGE_MAP_SET, "k", "3"),
                     GK_E_CONFLICT);
    assert_string_equal(store_show(pair->b, "o"), "map:k=2 ");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    if (!rados_places_begin()) {
        return RADOS_TEST_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        TEST(test_notices__reach_every_watcher_of_the_object),
        TEST(test_notices__without_a_watcher_or_an_object),
        TEST(test_notices__a_lost_watch_is_told_and_made_good),
        TEST(test_notices__more_than_a_slow_watcher_takes_are_told_as_missed),
        TEST(test_lease__is_one_holders),
        TEST(test_lease__ends_by_itself),
        TEST(test_guards__see_what_another_process_did),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rados_places_end();
    return failed;
}
