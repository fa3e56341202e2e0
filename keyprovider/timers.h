/* SPDX-License-Identifier: Apache-2.0 */
/* Timers in order of their time. No clock and no lock in here: the owner has both. */
#ifndef KEYPROVIDER_TIMERS_H
#define KEYPROVIDER_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

/* Part of whatever waits; all zero is a timer that is not armed. */
struct gk_kv_timer {
    struct gk_kv_timer *next;
    bool armed;
    int64_t at_ms;
    void (*fire)(void *ctx);
    void *ctx;
};

struct gk_kv_timers {
    struct gk_kv_timer *first;
};

/* Arms a timer that is not armed; among equal times the first to come is the first to go. */
void gk_kv_timers_add(struct gk_kv_timers *timers, struct gk_kv_timer *timer);
/* False when it was not among them; timer is only compared, so it may be gone already. */
bool gk_kv_timers_remove(struct gk_kv_timers *timers, const struct gk_kv_timer *timer);
/* Takes out the first whose time has come; NULL when there is none. */
struct gk_kv_timer *gk_kv_timers_take_due(struct gk_kv_timers *timers, int64_t now_ms);
/* How long until the first is due, from 0 to max_ms. */
int gk_kv_timers_wait_ms(const struct gk_kv_timers *timers, int64_t now_ms, int max_ms);

#endif
