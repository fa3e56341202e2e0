/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: how long a server waits for its requests when it ends is nobody's to change who sets the wall clock.
 * Method: a look at which clock is asked.
 */
#include "gateway/http/server.h"

#include <stdatomic.h>
#include <time.h>

#include "unit/cmocka_all.h"

static atomic_uint asked[2]; /* by CLOCK_REALTIME, by CLOCK_MONOTONIC */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) {
        atomic_fetch_add(&asked[clock == CLOCK_MONOTONIC], 1);
    }
    return __real_clock_gettime(clock, now);
}

static void test_http_server__ends_by_a_clock_that_nobody_sets(void **state)
{
    (void)state;
    const struct gk_http_options options = {
        .host = "127.0.0.1", .connections_max = 1, .idle_timeout_s = 1};
    struct gk_http_server *server = NULL;
    assert_int_equal(gk_http_server_bind(&options, &server, NULL), GK_OK);
    assert_true(gk_http_server_port(server) > 0);
    gk_http_server_close(server);
    assert_int_equal(atomic_load(&asked[0]), 0);
    assert_int_equal(atomic_load(&asked[1]), 1);
    gk_http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_server__ends_by_a_clock_that_nobody_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
