/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers in order of their time: a pairing heap, whose links are in the timers, so that nothing here can run out of
 * memory. To arm one takes the same time however many there are, to take one out the logarithm of that (amortized): a
 * vault that thousands wait for has a timer for each. No clock and no lock in here: the owner has both.
 */
#ifndef KEYPROVIDER_TIMERS_H
#define KEYPROVIDER_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

/* Part of whatever waits; all zero is a timer that is not armed. */
struct gk_kv_timer {
    struct gk_kv_timer *child; /* the first of those that come after it; next links them */
    struct gk_kv_timer *next;
    struct gk_kv_timer *up; /* whose child or next it is */
    uint64_t turn;          /* among equal times */
    bool armed;
    int64_t at_ms;
    void (*fire)(void *ctx);
    void *ctx;
};

/* All zero is none. */
struct gk_kv_timers {
    struct gk_kv_timer *first;
    uint64_t turns;
};

/* Arms a timer that is not armed; among equal times the first to come is the first to go. */
void gk_kv_timers_add(struct gk_kv_timers *timers, struct gk_kv_timer *timer);
/* Takes out one that is armed, and among them. */
void gk_kv_timers_remove(struct gk_kv_timers *timers, struct gk_kv_timer *timer);
/* NULL when it is not among them; timer is only compared, so it may be gone already. A look at each of them. */
struct gk_kv_timer *gk_kv_timers_find(const struct gk_kv_timers *timers,
                                      const struct gk_kv_timer *timer);
/* Takes out the first whose time has come; NULL when there is none. */
struct gk_kv_timer *gk_kv_timers_take_due(struct gk_kv_timers *timers, int64_t now_ms);
/* How long until the first is due, from 0 to max_ms. */
int gk_kv_timers_wait_ms(const struct gk_kv_timers *timers, int64_t now_ms, int max_ms);

#endif
