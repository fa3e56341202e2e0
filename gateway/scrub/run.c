/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/run.h"

#include <stdio.h>

#include "common/error.h"
#include "common/log.h"

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
    gk_plugin_host_audit(run->job.gateway->host, &event);
    gk_scrub_add_damaged(&run->state, account, container, blob, what);
}

static bool visit_go_on(void *ctx)
{
    struct gk_scrub_run *run = ctx;
    gk_job_take_turn(&run->job);
    return gk_job_go_on(&run->job, NULL) == GK_OK;
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
        run->state.job.progress = fraction;
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
        state->job.progress = 0;
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
        state->job.progress = 1;
    }
    return status;
}
