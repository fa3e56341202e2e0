/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whoever asks whether the store answers is told within a second or so, whatever the store does;
 * many who ask are one look. Method: gk_store_stat is replaced by one that can be held up.
 */
#include "gateway/store/probe.h"

#include <pthread.h>
#include <time.h>

#include "common/error.h"
#include "unit/cmocka_all.h"

#define ASKERS 8

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool held;
    enum gk_status status[2]; /* by pool */
    unsigned looks;
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

enum gk_status __wrap_gk_store_stat(struct gk_store *store, enum gk_store_pool pool,
                                    const char *object, struct gk_store_stat *out,
                                    struct gk_error *error);
enum gk_status __wrap_gk_store_stat(struct gk_store *store, enum gk_store_pool pool,
                                    const char *object, struct gk_store_stat *out,
                                    struct gk_error *error)
{
    (void)store, (void)object, (void)out, (void)error;
    pthread_mutex_lock(&fake.mutex);
    fake.looks++;
    while (fake.held) {
        pthread_cond_wait(&fake.changed, &fake.mutex);
    }
    const enum gk_status status = fake.status[pool];
    pthread_mutex_unlock(&fake.mutex);
    return status;
}

static void set_fake(bool held, enum gk_status meta, enum gk_status data)
{
    pthread_mutex_lock(&fake.mutex);
    fake.held = held;
    fake.status[GK_POOL_META] = meta;
    fake.status[GK_POOL_DATA] = data;
    fake.looks = 0;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.mutex);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct gk_store_probe *start(void)
{
    struct gk_store_probe *probe = NULL;
    struct gk_error error = {0};
    assert_int_equal(gk_store_probe_start(NULL, &probe, &error), GK_OK);
    return probe;
}

static void test_store_probe__an_absent_object_is_an_answer(void **state)
{
    (void)state;
    set_fake(false, GK_E_NOT_FOUND, GK_OK);
    struct gk_store_probe *probe = start();
    assert_true(gk_store_probe_answers(probe));
    gk_store_probe_stop(probe);
}

static void test_store_probe__both_pools_must_answer(void **state)
{
    (void)state;
    set_fake(false, GK_E_UNAVAILABLE, GK_OK);
    struct gk_store_probe *probe = start();
    assert_false(gk_store_probe_answers(probe));
    gk_store_probe_stop(probe);
    set_fake(false, GK_OK, GK_E_UNAVAILABLE);
    probe = start();
    assert_false(gk_store_probe_answers(probe));
    gk_store_probe_stop(probe);
}

static void test_store_probe__a_look_is_good_for_a_while(void **state)
{
    (void)state;
    set_fake(false, GK_OK, GK_OK);
    struct gk_store_probe *probe = start();
    assert_true(gk_store_probe_answers(probe));
    assert_true(gk_store_probe_answers(probe));
    assert_int_equal(fake.looks, 2); /* one of each pool */
    gk_store_probe_stop(probe);
}

static void *ask(void *ctx)
{
    return gk_store_probe_answers(ctx) ? ctx : NULL;
}

static void test_store_probe__a_silent_store_holds_up_nobody(void **state)
{
    (void)state;
    set_fake(true, GK_OK, GK_OK);
    struct gk_store_probe *probe = start();
    const int64_t began_ms = now_ms();
    pthread_t askers[ASKERS];
    for (size_t i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_create(&askers[i], NULL, ask, probe), 0);
    }
    for (size_t i = 0; i < ASKERS; i++) {
        void *answers = probe;
        pthread_join(askers[i], &answers);
        assert_null(answers);
    }
    assert_in_range(now_ms() - began_ms, GK_STORE_PROBE_WAIT_MS - 1, 10 * GK_STORE_PROBE_WAIT_MS);
    pthread_mutex_lock(&fake.mutex);
    assert_int_equal(fake.looks, 1); /* all of them waited for one */
    pthread_mutex_unlock(&fake.mutex);
    set_fake(false, GK_OK, GK_OK);
    assert_true(gk_store_probe_answers(probe));
    gk_store_probe_stop(probe);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_probe__an_absent_object_is_an_answer),
        cmocka_unit_test(test_store_probe__both_pools_must_answer),
        cmocka_unit_test(test_store_probe__a_look_is_good_for_a_while),
        cmocka_unit_test(test_store_probe__a_silent_store_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
