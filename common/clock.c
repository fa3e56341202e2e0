/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#define OFFSET_REFRESH_MS 20

static int64_t read_clock_ms(clockid_t id)
{
    struct timespec time;
    clock_gettime(id, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t system_mono_ms(void *ctx)
{
    (void)ctx;
    return read_clock_ms(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    return read_clock_ms(CLOCK_REALTIME);
}

struct gk_clock gk_clock_system(void)
{
    return (struct gk_clock){.ctx = NULL, .mono_ms = system_mono_ms, .wall_ms = system_wall_ms};
}

static struct offset_clock {
    const char *path;
    _Atomic int64_t offset_ms;
    _Atomic int64_t behind_ms; /* of the wall clock alone */
    _Atomic int64_t read_at_ms;
} offset_clock;

static int64_t offset_ms(struct offset_clock *clock)
{
    const int64_t now = system_mono_ms(NULL);
    int64_t last = atomic_load(&clock->read_at_ms);
    if (now - last >= OFFSET_REFRESH_MS &&
        atomic_compare_exchange_strong(&clock->read_at_ms, &last, now)) {
        FILE *file = fopen(clock->path, "re");
        long long value = 0;
        long long behind = 0;
        if (file != NULL) {
            const int count = fscanf(file, "%lld %lld", &value, &behind); // NOLINT(cert-err34-c)
            value = count < 1 ? 0 : value;
            behind = count < 2 ? 0 : behind;
            fclose(file);
        }
        atomic_store(&clock->behind_ms, (int64_t)behind);
        int64_t old = atomic_load(&clock->offset_ms);
        while (value > old &&
               !atomic_compare_exchange_weak(&clock->offset_ms, &old, (int64_t)value)) {
        }
    }
    return atomic_load(&clock->offset_ms);
}

static int64_t offset_mono_ms(void *ctx)
{
    return system_mono_ms(NULL) + offset_ms(ctx);
}

static int64_t offset_wall_ms(void *ctx)
{
    const int64_t offset = offset_ms(ctx);
    return system_wall_ms(NULL) + offset - atomic_load(&offset_clock.behind_ms);
}

struct gk_clock gk_clock_offset_file(const char *path)
{
    offset_clock.path = path;
    atomic_store(&offset_clock.read_at_ms, -OFFSET_REFRESH_MS);
    return (struct gk_clock){
        .ctx = &offset_clock, .mono_ms = offset_mono_ms, .wall_ms = offset_wall_ms};
}
