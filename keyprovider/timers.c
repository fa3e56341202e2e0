/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/timers.h"

#include <stddef.h>

static bool comes_before(const struct gk_kv_timer *one, const struct gk_kv_timer *other)
{
    return one->at_ms != other->at_ms ? one->at_ms < other->at_ms : one->turn < other->turn;
}

/* Makes one of two heaps, each of which may be empty. */
static struct gk_kv_timer *meld(struct gk_kv_timer *one, struct gk_kv_timer *other)
{
    if (one == NULL || other == NULL) {
        return one == NULL ? other : one;
    }
    struct gk_kv_timer *first = comes_before(one, other) ? one : other;
    struct gk_kv_timer *later = first == one ? other : one;
    later->next = first->child;
    if (later->next != NULL) {
        later->next->up = later;
    }
    later->up = first;
    first->child = later;
    return first;
}

/* Takes the head off a list of heaps, and makes a heap of its own of it; NULL at the end. */
static struct gk_kv_timer *take_head(struct gk_kv_timer **list)
{
    struct gk_kv_timer *head = *list;
    if (head != NULL) {
        *list = head->next;
        head->next = NULL;
        head->up = NULL;
    }
    return head;
}

/* Two by two, and then one by one from the last: what makes taking out logarithmic. */
static struct gk_kv_timer *meld_all(struct gk_kv_timer *list)
{
    struct gk_kv_timer *pairs = NULL;
    while (list != NULL) {
        struct gk_kv_timer *one = take_head(&list);
        struct gk_kv_timer *pair = meld(one, take_head(&list));
        pair->next = pairs;
        pairs = pair;
    }
    struct gk_kv_timer *heap = NULL;
    while (pairs != NULL) {
        heap = meld(heap, take_head(&pairs));
    }
    return heap;
}

/* Takes one that is not the first out of its place, with its children. */
static void cut(struct gk_kv_timer *timer)
{
    if (timer->up->child == timer) {
        timer->up->child = timer->next;
    } else {
        timer->up->next = timer->next;
    }
    if (timer->next != NULL) {
        timer->next->up = timer->up;
    }
}

void gk_kv_timers_add(struct gk_kv_timers *timers, struct gk_kv_timer *timer)
{
    timer->child = NULL;
    timer->next = NULL;
    timer->up = NULL;
    timer->turn = timers->turns++;
    timer->armed = true;
    timers->first = meld(timers->first, timer);
}

void gk_kv_timers_remove(struct gk_kv_timers *timers, struct gk_kv_timer *timer)
{
    struct gk_kv_timer *children = meld_all(timer->child);
    if (timer == timers->first) {
        timers->first = children;
    } else {
        cut(timer);
        timers->first = meld(timers->first, children);
    }
    timer->child = NULL;
    timer->next = NULL;
    timer->up = NULL;
    timer->armed = false;
}

/* Who comes after it when all are visited, each before its children; NULL: it was the last. */
static struct gk_kv_timer *visit_next(struct gk_kv_timer *timer)
{
    if (timer->child != NULL) {
        return timer->child;
    }
    while (timer->next == NULL) {
        while (timer->up != NULL && timer->up->next == timer) {
            timer = timer->up;
        }
        if (timer->up == NULL) {
            return NULL;
        }
        timer = timer->up; /* all of whose children are visited */
    }
    return timer->next;
}

struct gk_kv_timer *gk_kv_timers_find(const struct gk_kv_timers *timers,
                                      const struct gk_kv_timer *timer)
{
    struct gk_kv_timer *at = timers->first;
    while (at != NULL && at != timer) {
        at = visit_next(at);
    }
    return at;
}

struct gk_kv_timer *gk_kv_timers_take_due(struct gk_kv_timers *timers, int64_t now_ms)
{
    struct gk_kv_timer *timer = timers->first;
    if (timer == NULL || timer->at_ms > now_ms) {
        return NULL;
    }
    gk_kv_timers_remove(timers, timer);
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
