/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the two clocks is asked how often, for a test that is linked with --wrap=clock_gettime. */
#ifndef TESTS_UNIT_ASKED_CLOCKS_H
#define TESTS_UNIT_ASKED_CLOCKS_H

#include <stdatomic.h>
#include <time.h>

#include "unit/cmocka_all.h"

static atomic_uint asked_wall_clock;
static atomic_uint asked_mono_clock;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock == CLOCK_REALTIME) {
        atomic_fetch_add(&asked_wall_clock, 1);
    } else if (clock == CLOCK_MONOTONIC) {
        atomic_fetch_add(&asked_mono_clock, 1);
    }
    return __real_clock_gettime(clock, now);
}

static inline void asked_clocks_begin(void)
{
    atomic_store(&asked_wall_clock, 0);
    atomic_store(&asked_mono_clock, 0);
}

/* Since the begin that one, so often, and never the one that somebody may set. */
static inline void assert_asked_mono_clock(unsigned times)
{
    assert_int_equal(atomic_load(&asked_wall_clock), 0);
    assert_int_equal(atomic_load(&asked_mono_clock), times);
}

#endif
