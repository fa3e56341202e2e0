/* SPDX-License-Identifier: Apache-2.0 */
/* What the thread of a job does between its steps. */
#include <time.h>

#include "common/error.h"
#include "gateway/job/job.h"

#define SAVE_MS  500 /* also how soon an order to stop that came through another gateway is seen */
#define RENEW_MS 10000
#define NAP_MS   100

static enum gk_status keep_up(struct gk_job_run *run, int64_t now_mono_ms)
{
    struct gk_store *store = run->gateway->store;
    enum gk_status status = GK_OK;
    bool ordered = false;
    if (now_mono_ms >= run->renew_mono_ms) {
        run->renew_mono_ms = now_mono_ms + RENEW_MS;
        status = gk_store_lease_take(store, run->kind->lease, GK_JOB_LEASE_MS, &run->why);
    }
    if (status == GK_OK) {
        status = gk_job_order_read(store, run->object, run->kind->order_key, run->state->id,
                                   &ordered, &run->why);
    }
    run->stopped = run->stopped || ordered;
    if (status == GK_OK) {
        run->state->updated_wall_ms = gk_clock_wall_ms(&run->gateway->clock);
        status = run->kind->save(run, &run->why);
    }
    return status;
}

enum gk_status gk_job_go_on(struct gk_job_run *run, struct gk_error *error)
{
    const int64_t now_mono_ms = gk_clock_mono_ms(&run->gateway->clock);
    run->stopped = run->stopped || atomic_load(run->stopping);
    if (run->status == GK_OK && !run->stopped && now_mono_ms >= run->save_mono_ms) {
        run->save_mono_ms = now_mono_ms + SAVE_MS;
        run->status = keep_up(run, now_mono_ms);
    }
    if (run->status != GK_OK) {
        return gk_fail(error, run->status, "%s", run->why.message);
    }
    return run->stopped ? gk_fail(error, GK_E_UNAVAILABLE, "stopped") : GK_OK;
}

void gk_job_take_turn(struct gk_job_run *run)
{
    const uint32_t rate = run->state->rate;
    int64_t now_ms = gk_clock_mono_ms(&run->gateway->clock);
    if (rate == 0) {
        return;
    }
    /* Several turns in one millisecond are one of the clock's steps. */
    while (now_ms * rate < run->turn && gk_job_go_on(run, NULL) == GK_OK) {
        const int64_t left_ms = (run->turn - now_ms * rate) / rate + 1;
        const struct timespec nap = {.tv_nsec = (left_ms < NAP_MS ? left_ms : NAP_MS) * 1000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
        now_ms = gk_clock_mono_ms(&run->gateway->clock);
    }
    const int64_t from = now_ms * rate;
    run->turn = (run->turn > from - 1000 ? run->turn : from) + 1000;
}
