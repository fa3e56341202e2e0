/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: who changes a record takes turns, and nobody who sets the wall clock makes a turn come too late or never.
 * Method: threads that count without any other lock, and a look at which clock is asked.
 */
#include "gateway/blob/locks.h"

#include <stdatomic.h>

#include "unit/asked_clocks.h"

#define THREADS 4u
#define ROUNDS  500u

static struct gk_blob_target target;
static struct gk_span block;
static unsigned counted; /* what the locks are there for */

static int begin(void **state)
{
    (void)state;
    gk_buf_init(&target.key, 64);
    gk_buf_append_str(&target.key, "blob");
    block = gk_span_str("block");
    counted = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    gk_buf_cleanup(&target.key);
    return 0;
}

static void *count_records(void *failed)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (gk_record_lock_write(&target, NULL) != GK_OK) {
            atomic_store((atomic_bool *)failed, true);
            return NULL;
        }
        counted++;
        gk_record_unlock(&target);
    }
    return NULL;
}

static void *count_blocks(void *failed)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (gk_block_lock(block, NULL) != GK_OK) {
            atomic_store((atomic_bool *)failed, true);
            return NULL;
        }
        counted++;
        gk_block_unlock(block);
    }
    return NULL;
}

static void count_together(void *(*count)(void *))
{
    pthread_t threads[THREADS];
    atomic_bool failed = false;
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count, &failed), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_false(atomic_load(&failed));
    assert_int_equal(counted, THREADS * ROUNDS);
}

static void test_locks__writers_take_turns(void **state)
{
    (void)state;
    count_together(count_records);
}

static void test_locks__a_block_has_one_at_a_time(void **state)
{
    (void)state;
    count_together(count_blocks);
}

static void *read_too(void *failed)
{
    if (gk_record_lock_read(&target, NULL) != GK_OK) {
        atomic_store((atomic_bool *)failed, true);
    } else {
        gk_record_unlock(&target);
    }
    return NULL;
}

static void test_locks__readers_share(void **state)
{
    (void)state;
    pthread_t thread;
    atomic_bool failed = false;
    assert_int_equal(gk_record_lock_read(&target, NULL), GK_OK);
    assert_int_equal(pthread_create(&thread, NULL, read_too, &failed), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    gk_record_unlock(&target);
    assert_false(atomic_load(&failed));
}

static void test_locks__wait_by_a_clock_that_nobody_sets(void **state)
{
    (void)state;
#ifdef GATEKEY_SANITIZED_THREADS
    skip(); /* locks.c says why */
#endif
    asked_clocks_begin();
    assert_int_equal(gk_record_lock_write(&target, NULL), GK_OK);
    gk_record_unlock(&target);
    assert_int_equal(gk_record_lock_read(&target, NULL), GK_OK);
    gk_record_unlock(&target);
    assert_int_equal(gk_block_lock(block, NULL), GK_OK);
    gk_block_unlock(block);
    assert_asked_mono_clock(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_locks__writers_take_turns, begin, end),
        cmocka_unit_test_setup_teardown(test_locks__a_block_has_one_at_a_time, begin, end),
        cmocka_unit_test_setup_teardown(test_locks__readers_share, begin, end),
        cmocka_unit_test_setup_teardown(test_locks__wait_by_a_clock_that_nobody_sets, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
