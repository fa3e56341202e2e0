/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/timers.h"

#include <stddef.h>

void gk_kv_timers_add(struct gk_kv_timers *timers, struct gk_kv_timer *timer)
{
    struct gk_kv_timer **link = &timers->first;
    while (*link != NULL && (*link)->at_ms <= timer->at_ms) {
        link = &(*link)->next;
    }
    timer->next = *link;
    timer->armed = true;
    *link = timer;
}

bool gk_kv_timers_remove(struct gk_kv_timers *timers, const struct gk_kv_timer *timer)
{
    for (struct gk_kv_timer **link = &timers->first; *link != NULL; link = &(*link)->next) {
        if (*link == timer) {
            struct gk_kv_timer *found = *link;
            *link = found->next;
            found->next = NULL;
            found->armed = false;
            return true;
        }
    }
    return false;
}

struct gk_kv_timer *gk_kv_timers_take_due(struct gk_kv_timers *timers, int64_t now_ms)
{
    struct gk_kv_timer *timer = timers->first;
    if (timer == NULL || timer->at_ms > now_ms) {
        return NULL;
    }
    timers->first = timer->next;
    timer->next = NULL;
    timer->armed = false;
    return timer;
}

int gk_kv_timers_wait_ms(const struct gk_kv_timers *timers, int64_t now_ms, int max_ms)
{
    if (timers->first == NULL) {
        return max_ms;
    }
    /* Compared before it is subtracted: a caller may wait for the end of time. */
    if (timers->first->at_ms <= now_ms) {
        return 0;
    }
    if (now_ms >= 0 && timers->first->at_ms - now_ms < max_ms) {
        return (int)(timers->first->at_ms - now_ms);
    }
    return max_ms;
}
