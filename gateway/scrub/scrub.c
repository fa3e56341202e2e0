/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/scrub.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/scrub/run.h"

#define MEMORY_BYTES ((size_t)64 << 20)

struct gk_scrub {
    struct gk_job job;
};

/* --- the run ------------------------------------------------------------------------------------*/

/* The job's run is the first member. */
static struct gk_scrub_run *run_of(struct gk_job_run *run)
{
    return (struct gk_scrub_run *)(void *)run;
}

static enum gk_status read_last(struct gk_job_run *run, struct gk_error *error)
{
    return gk_scrub_state_read(run->gateway->store, &run_of(run)->state, error);
}

static enum gk_status save(struct gk_job_run *run, struct gk_error *error)
{
    return gk_scrub_state_write(run->gateway->store, &run_of(run)->state, error);
}

static enum gk_status work(struct gk_job_run *run, struct gk_error *error)
{
    return gk_scrub_run_all(run_of(run), error);
}

static void free_run(struct gk_job_run *job)
{
    struct gk_scrub_run *run = run_of(job);
    gk_refset_cleanup(&run->refs);
    gk_known_cleanup(&run->known);
    gk_scrub_state_cleanup(&run->state);
    free(run);
}

static const struct gk_job_kind kind = {
    .name = "scrub",
    .lease = "lease/gateway.scrub",
    .order_key = "stop",
    .is_running = {"ScrubIsRunning", "A scrub is running."},
    .is_done = {"ScrubIsDone", "The last scrub came to its end; there is nothing to resume."},
    .not_found = {"ScrubNotFound", "There was no scrub yet."},
    .read = read_last,
    .save = save,
    .work = work,
    .free = free_run,
};

/* --- orders -------------------------------------------------------------------------------------*/

enum gk_status gk_scrub_new(struct gk_gateway *gateway, struct gk_scrub **out,
                            struct gk_error *error)
{
    struct gk_scrub *scrub = calloc(1, sizeof *scrub);
    *out = scrub;
    if (scrub == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_job_init(&scrub->job, &kind, gateway);
    return GK_OK;
}

void gk_scrub_free(struct gk_scrub *scrub)
{
    if (scrub != NULL) {
        gk_job_cleanup(&scrub->job);
        free(scrub);
    }
}

static struct gk_scrub_run *new_run(struct gk_error *error)
{
    struct gk_scrub_run *run = calloc(1, sizeof *run);
    if (run == NULL) {
        (void)gk_fail(error, GK_E_RESOURCE, "out of memory");
        return NULL;
    }
    gk_scrub_state_init(&run->state);
    gk_refset_init(&run->refs, MEMORY_BYTES);
    gk_known_init(&run->known);
    run->job.object = GK_SCRUB_OBJECT;
    run->job.state = &run->state.job;
    return run;
}

enum gk_status gk_scrub_start(struct gk_scrub *scrub, const struct gk_scrub_options *options,
                              uint32_t rate, struct gk_error *error)
{
    struct gk_scrub_run *run = new_run(error);
    if (run == NULL) {
        return GK_E_RESOURCE;
    }
    run->state.options = *options;
    run->state.job.rate = rate;
    return gk_job_begin(&scrub->job, &run->job, false, error);
}

enum gk_status gk_scrub_resume(struct gk_scrub *scrub, struct gk_error *error)
{
    struct gk_scrub_run *run = new_run(error);
    return run == NULL ? GK_E_RESOURCE : gk_job_begin(&scrub->job, &run->job, true, error);
}

enum gk_status gk_scrub_show(struct gk_scrub *scrub, json_t **out, struct gk_error *error)
{
    struct gk_scrub_run *run = new_run(error);
    *out = NULL;
    if (run == NULL) {
        return GK_E_RESOURCE;
    }
    enum gk_status status = gk_job_check(&scrub->job, &run->job, error);
    if (status == GK_OK) {
        *out = gk_scrub_state_json(&run->state);
        status = *out == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    }
    free_run(&run->job);
    return status;
}

enum gk_status gk_scrub_order_stop(struct gk_scrub *scrub, struct gk_error *error)
{
    struct gk_scrub_run *run = new_run(error);
    if (run == NULL) {
        return GK_E_RESOURCE;
    }
    const enum gk_status status = gk_job_stop(&scrub->job, &run->job, error);
    free_run(&run->job);
    return status;
}
