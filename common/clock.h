/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks. A process reads time through one struct gk_clock, so that a test can move days.
 * The system clock may be offset by the number of milliseconds in a file (see gk_clock_system).
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

struct gk_clock {
    void *ctx;
    int64_t (*mono_ms)(void *ctx);
    int64_t (*wall_ms)(void *ctx);
};

static inline int64_t gk_clock_mono_ms(const struct gk_clock *clock)
{
    return clock->mono_ms(clock->ctx);
}

static inline int64_t gk_clock_wall_ms(const struct gk_clock *clock)
{
    return clock->wall_ms(clock->ctx);
}

/* CLOCK_MONOTONIC and CLOCK_REALTIME. */
struct gk_clock gk_clock_system(void);

/*
 * For tests: both clocks run ahead of the system's by the decimal number of milliseconds in the
 * file at path, which is read again at most every 20 ms of real time. A missing file is offset 0;
 * an offset never goes back. A second number there, after a blank, sets the wall clock alone back by so
 * many: as whoever keeps it may do at any time, to and fro. One instance per process; the path is kept, not
 * copied.
 */
struct gk_clock gk_clock_offset_file(const char *path);

#endif
