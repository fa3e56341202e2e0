/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: so many refused requests a second have a line in the log, and none is left out of its counts. Method: the log is
 * replaced by one that keeps its last line; the time is the test's.
 */
#include "gateway/refusals.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "unit/cmocka_all.h"

static char last_line[256];

void __wrap_gk_log(enum gk_log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void __wrap_gk_log(enum gk_log_level level, const char *component, const char *format, ...)
{
    va_list args;
    assert_int_equal(level, GK_LOG_INFO);
    assert_string_equal(component, "request");
    va_start(args, format);
    vsnprintf(last_line, sizeof last_line, format, args);
    va_end(args);
}

/* How many of so many are told, at that time. */
static unsigned take(unsigned count, int64_t now_ms)
{
    unsigned told = 0;
    for (unsigned i = 0; i < count; i++) {
        told += gk_refusals_take(now_ms) ? 1 : 0;
    }
    return told;
}

static void assert_line(const char *wanted)
{
    assert_string_equal(last_line, wanted);
    last_line[0] = '\0';
}

static void test_refusals__so_many_a_second_are_told_and_the_others_counted(void **state)
{
    (void)state;
    assert_int_equal(take(GK_REFUSALS_TOLD_MAX, 5000), GK_REFUSALS_TOLD_MAX);
    assert_int_equal(take(7, 5999), 0);
    assert_line("");
    assert_int_equal(take(1, 6000), 1);
    assert_line("7 more requests were refused, without a line of their own");
    assert_int_equal(take(1, 7000), 1);
    assert_line("");
}

static void test_refusals__what_was_not_told_is_counted_at_the_end(void **state)
{
    (void)state;
    (void)take(GK_REFUSALS_TOLD_MAX + 3, 9000);
    gk_refusals_end();
    assert_line("3 more requests were refused, without a line of their own");
    gk_refusals_end();
    assert_line("");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals__so_many_a_second_are_told_and_the_others_counted),
        cmocka_unit_test(test_refusals__what_was_not_told_is_counted_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
