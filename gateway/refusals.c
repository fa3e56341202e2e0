/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/refusals.h"

#include <stdatomic.h>

#include "common/log.h"

#define MS_PER_S 1000

/* Two threads that begin a second together may tell one or the other more than the bound. */
static struct {
    _Atomic int64_t second;
    atomic_uint taken; /* in that second */
    atomic_uint left;  /* that no line told of, and no count yet */
} refusals;

void gk_refusals_end(void)
{
    const unsigned left = atomic_exchange(&refusals.left, 0);
    if (left > 0) {
        gk_log(GK_LOG_INFO, "request", "%u more requests were refused, without a line of their own",
               left);
    }
}

bool gk_refusals_take(int64_t now_ms)
{
    const int64_t now_s = now_ms / MS_PER_S;
    int64_t second = atomic_load(&refusals.second);
    if (second != now_s && atomic_compare_exchange_strong(&refusals.second, &second, now_s)) {
        atomic_store(&refusals.taken, 0);
        gk_refusals_end();
    }
    if (atomic_fetch_add(&refusals.taken, 1) < GK_REFUSALS_TOLD_MAX) {
        return true;
    }
    atomic_fetch_add(&refusals.left, 1);
    return false;
}
