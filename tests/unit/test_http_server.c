/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: how long a server waits for its requests when it ends is nobody's to change who sets the wall clock.
 * Method: a look at which clock is asked.
 */
#include "gateway/http/server.h"

#include "unit/asked_clocks.h"

static void test_http_server__ends_by_a_clock_that_nobody_sets(void **state)
{
    (void)state;
    const struct gk_http_options options = {
        .host = "127.0.0.1", .connections_max = 1, .idle_timeout_s = 1};
    struct gk_http_server *server = NULL;
    asked_clocks_begin();
    assert_int_equal(gk_http_server_bind(&options, &server, NULL), GK_OK);
    assert_true(gk_http_server_port(server) > 0);
    gk_http_server_close(server);
    assert_asked_mono_clock(1);
    gk_http_server_stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_http_server__ends_by_a_clock_that_nobody_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
