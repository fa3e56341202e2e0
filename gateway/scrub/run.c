/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/run.h"

#include <stdio.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"

#define SAVE_MS  500 /* also how soon an order to stop that came through another gateway is seen */
#define RENEW_MS 10000
#define NAP_MS   100
#define STOP_KEY "stop"

/* --- going on -----------------------------------------------------------------------------------*/

/* Whether somebody wrote an order to stop this scrub into the store. */
static enum gk_status read_order(struct gk_scrub_run *run)
{
    struct gk_buf order;
    gk_buf_init(&order, GK_UUID_TEXT_BYTES);
    enum gk_status status = gk_store_map_get(run->gateway->store, GK_POOL_META, GK_SCRUB_OBJECT,
                                             gk_span_str(STOP_KEY), &order, &run->why);
    if (status == GK_OK && gk_span_equal(gk_buf_span(&order), gk_span_str(run->state.id))) {
        run->stopped = true;
    }
    gk_buf_cleanup(&order);
    return status == GK_E_NOT_FOUND || status == GK_E_LIMIT ? GK_OK : status;
}

static enum gk_status keep_up(struct gk_scrub_run *run, int64_t now_mono_ms)
{
    struct gk_store *store = run->gateway->store;
    enum gk_status status = GK_OK;
    if (now_mono_ms >= run->renew_mono_ms) {
        run->renew_mono_ms = now_mono_ms + RENEW_MS;
        status = gk_store_lease_take(store, GK_SCRUB_LEASE, GK_SCRUB_LEASE_MS, &run->why);
    }
    if (status == GK_OK) {
        status = read_order(run);
    }
    if (status == GK_OK) {
        run->state.updated_wall_ms = gk_clock_wall_ms(&run->gateway->clock);
        status = gk_scrub_state_write(store, &run->state, &run->why);
    }
    return status;
}

bool gk_scrub_go_on(struct gk_scrub_run *run)
{
    const int64_t now_mono_ms = gk_clock_mono_ms(&run->gateway->clock);
    run->stopped = run->stopped || run->stop(run->stop_ctx);
    if (run->status == GK_OK && !run->stopped && now_mono_ms >= run->save_mono_ms) {
        run->save_mono_ms = now_mono_ms + SAVE_MS;
        run->status = keep_up(run, now_mono_ms);
    }
    return run->status == GK_OK && !run->stopped;
}

enum gk_status gk_scrub_check(struct gk_scrub_run *run, struct gk_error *error)
{
    if (gk_scrub_go_on(run)) {
        return GK_OK;
    }
    return run->status == GK_OK ? gk_fail(error, GK_E_UNAVAILABLE, "stopped")
                                : gk_fail(error, run->status, "%s", run->why.message);
}

void gk_scrub_take_turn(struct gk_scrub_run *run)
{
    const uint32_t rate = run->state.options.rate;
    int64_t now_mono_ms = gk_clock_mono_ms(&run->gateway->clock);
    if (rate == 0) {
        return;
    }
    /* Several turns in one millisecond are one of the clock's steps. */
    while (now_mono_ms * rate < run->read_mono_ms && gk_scrub_go_on(run)) {
        const int64_t left_ms = (run->read_mono_ms - now_mono_ms * rate) / rate + 1;
        const struct timespec nap = {.tv_nsec = (left_ms < NAP_MS ? left_ms : NAP_MS) * 1000000};
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
        now_mono_ms = gk_clock_mono_ms(&run->gateway->clock);
    }
    const int64_t from = now_mono_ms * rate;
    run->read_mono_ms = (run->read_mono_ms > from - 1000 ? run->read_mono_ms : from) + 1000;
}

/* --- what a walk tells --------------------------------------------------------------------------*/

void gk_scrub_tell_damaged(struct gk_scrub_run *run, const char *account, const char *container,
                           struct gk_span blob, const char *what)
{
    char detail[512];
    const int blob_len = blob.len < 256 ? (int)blob.len : 256;
    snprintf(detail, sizeof detail, "%s/%.*s: %s", container, blob_len,
             blob.data == NULL ? "" : (const char *)blob.data, what);
    gk_log(GK_LOG_ERROR, "scrub", "damaged: account %s, %s", account, detail);
    const struct gk_audit_event event = {.event = GK_AUDIT_SCRUB_DAMAGED,
                                         .account = account,
                                         .key_id = "",
                                         .outcome = "failed",
                                         .reason = "",
                                         .detail = detail,
                                         .request_id = "",
                                         .actor = GK_AUDIT_ACTOR_SELF};
    gk_plugin_host_audit(run->gateway->host, &event);
    gk_scrub_add_damaged(&run->state, account, container, blob, what);
}

static bool visit_go_on(void *ctx)
{
    struct gk_scrub_run *run = ctx;
    gk_scrub_take_turn(run);
    return gk_scrub_go_on(run);
}

static void visit_account(void *ctx, const char *name)
{
    (void)name;
    struct gk_scrub_run *run = ctx;
    run->state.counts.accounts += run->counting;
}

static void visit_container(void *ctx)
{
    struct gk_scrub_run *run = ctx;
    run->state.counts.containers += run->counting;
}

static void visit_blob(void *ctx)
{
    struct gk_scrub_run *run = ctx;
    run->state.counts.blobs += run->counting;
}

static void visit_progress(void *ctx, double fraction)
{
    struct gk_scrub_run *run = ctx;
    if (run->state.phase == GK_SCRUB_REFERENCES) {
        run->state.progress = fraction;
    }
}

static void visit_damaged(void *ctx, const char *account, const char *container,
                          struct gk_span blob, const char *what)
{
    struct gk_scrub_run *run = ctx;
    if (run->counting) {
        gk_scrub_tell_damaged(run, account, container, blob, what);
    }
}

struct gk_scrub_visitor gk_scrub_run_visitor(struct gk_scrub_run *run)
{
    return (struct gk_scrub_visitor){.ctx = run,
                                     .go_on = visit_go_on,
                                     .account = visit_account,
                                     .container = visit_container,
                                     .blob = visit_blob,
                                     .progress = visit_progress,
                                     .damaged = visit_damaged};
}

/* --- all phases ---------------------------------------------------------------------------------*/

enum gk_status gk_scrub_run_all(struct gk_scrub_run *run, struct gk_error *error)
{
    struct gk_scrub_state *state = &run->state;
    enum gk_status status = GK_OK;
    if (state->phase < GK_SCRUB_META) {
        status = gk_scrub_data(run, error);
        if (status == GK_OK) {
            gk_scrub_end_part(state);
            state->phase = GK_SCRUB_META;
        }
    }
    if (status == GK_OK && state->phase == GK_SCRUB_META) {
        gk_scrub_begin_part(state);
        state->progress = 0;
        status = gk_scrub_meta(run, error);
        if (status == GK_OK) {
            state->phase = state->options.verify ? GK_SCRUB_VERIFY : GK_SCRUB_END;
        }
    }
    if (status == GK_OK && state->phase == GK_SCRUB_VERIFY) {
        status = gk_scrub_verify(run, error);
    }
    if (status == GK_OK) {
        state->phase = GK_SCRUB_END;
        state->progress = 1;
    }
    return status;
}
