/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/run.h"

#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/key_floor.h"

void gk_reseal_tell_damaged(struct gk_reseal_run *run, const char *container, const char *what,
                            bool found_again)
{
    run->unsure = true;
    if (run->state.phase != GK_RESEAL_PROOF && found_again) {
        return;
    }
    run->state.counts.damaged++;
    gk_log(GK_LOG_ERROR, "reseal", "account %s, container %s: %s", run->account->name, container,
           what);
}

/* --- containers ---------------------------------------------------------------------------------*/

static bool visit_go_on(void *ctx)
{
    struct gk_reseal_run *run = ctx;
    return gk_job_go_on(&run->job, NULL) == GK_OK;
}

static void visit_damaged(void *ctx, const char *account, const char *container,
                          struct gk_span blob, const char *what)
{
    (void)account, (void)blob;
    gk_reseal_tell_damaged(ctx, container, what, true);
}

/* Those that clients can come to see: with a name, or deleted and kept. */
static enum gk_status list_containers(struct gk_reseal_run *run,
                                      struct gk_scrub_containers *containers,
                                      struct gk_error *error)
{
    const struct gk_scrub_visitor visitor = {
        .ctx = run, .go_on = visit_go_on, .damaged = visit_damaged};
    const enum gk_status status =
        gk_scrub_containers_of(run->job.gateway, run->account, &visitor, containers, error);
    size_t kept = 0;
    for (size_t i = 0; status == GK_OK && i < containers->count; i++) {
        if (containers->items[i].name[0] != '\0' || containers->items[i].kept) {
            containers->items[kept++] = containers->items[i];
        }
    }
    containers->count = kept;
    return status;
}

/* Where to go on: the first one, when the one of the cursor is gone. */
static size_t first_container(const struct gk_scrub_containers *containers,
                              const struct gk_reseal_cursor *at)
{
    for (size_t i = 0; i < containers->count; i++) {
        char id[GK_UUID_TEXT_BYTES];
        gk_id_format(&containers->items[i].id, id);
        if (strcmp(id, at->container) == 0) {
            return i;
        }
    }
    return 0;
}

/* To this container, unless it is there. */
static void move_to(struct gk_reseal_cursor *at, const struct gk_scrub_container *container)
{
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&container->id, id);
    if (strcmp(id, at->container) != 0) {
        memcpy(at->container, id, sizeof id);
        at->shard = 0;
    }
}

typedef enum gk_status shard_fn(struct gk_reseal_run *run,
                                const struct gk_scrub_container *container, uint32_t shard,
                                struct gk_error *error);

/* From at on, which moves along. */
static enum gk_status each_shard(struct gk_reseal_run *run, struct gk_reseal_cursor *at,
                                 shard_fn *work, struct gk_error *error)
{
    struct gk_scrub_containers containers;
    enum gk_status status = list_containers(run, &containers, error);
    for (size_t i = first_container(&containers, at); status == GK_OK && i < containers.count;
         i++) {
        const struct gk_scrub_container *container = &containers.items[i];
        move_to(at, container);
        while (status == GK_OK && at->shard < container->shards) {
            const double part = (double)at->shard / (double)container->shards;
            run->state.job.progress = ((double)i + part) / (double)containers.count;
            status = work(run, container, at->shard, error);
            at->shard += status == GK_OK;
        }
    }
    gk_scrub_containers_cleanup(&containers);
    return status;
}

/* --- phases -------------------------------------------------------------------------------------*/

static struct gk_key_bar bar_of(const struct gk_reseal_owner *owner)
{
    return (struct gk_key_bar){
        .scope = owner->scope, .oldest = owner->oldest, .active = owner->active};
}

static enum gk_status bar_shard(struct gk_reseal_run *run,
                                const struct gk_scrub_container *container, uint32_t shard,
                                struct gk_error *error)
{
    enum gk_status status = gk_job_go_on(&run->job, error);
    for (size_t i = 0; status == GK_OK && i < run->owners_count; i++) {
        const struct gk_key_bar bar = bar_of(&run->owners[i]);
        status = gk_key_bar_shard(run->job.gateway->store, &container->id, shard, &bar, error);
    }
    return status;
}

/* The account's first: what is given a name from then on has it. */
static enum gk_status bar(struct gk_reseal_run *run, struct gk_error *error)
{
    struct gk_reseal_cursor at = {.shard = 0};
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < run->owners_count; i++) {
        const struct gk_key_bar bar = bar_of(&run->owners[i]);
        status = gk_key_bar_account(run->job.gateway->store, run->account->object, &bar, error);
    }
    return status == GK_OK ? each_shard(run, &at, bar_shard, error) : status;
}

static enum gk_status prove(struct gk_reseal_run *run, struct gk_error *error)
{
    struct gk_reseal_cursor at = {.shard = 0};
    return each_shard(run, &at, gk_reseal_shard, error);
}

/* Those that a proof which has read everything has found nothing under. */
static enum gk_status retire(struct gk_reseal_run *run, struct gk_error *error)
{
    const struct gk_plugin_host *host = run->job.gateway->host;
    const struct gk_call call = {.deadline_ms = run->job.gateway->vault_deadline_ms};
    enum gk_status status = GK_OK;
    for (size_t i = 0; !run->unsure && status == GK_OK && i < run->owners_count; i++) {
        const struct gk_reseal_owner *owner = &run->owners[i];
        const struct gk_retirement retirement = {
            .below = owner->active, .kept = owner->met, .kept_count = owner->met_count};
        uint32_t retired = 0;
        status = host->plugin->account_retire_root_keys(owner->handle, &retirement, &retired, &call,
                                                        error);
        run->state.counts.retired += retired;
    }
    return status;
}

/* One that goes on has no proof yet, for a proof is of one run, and what is barred is so anew: there may be later root
 * keys than when it was paused. What was sealed anew under the one before is found by the proof. */
enum gk_status gk_reseal_run_all(struct gk_reseal_run *run, struct gk_error *error)
{
    struct gk_reseal_state *state = &run->state;
    state->counts.damaged = 0;
    state->counts.left = 0;
    state->counts.left_behind = 0;
    enum gk_status status = gk_reseal_owners_load(run, error);
    if (status == GK_OK) {
        status = bar(run, error);
    }
    if (status == GK_OK && state->phase <= GK_RESEAL_KEYS) {
        state->phase = GK_RESEAL_KEYS;
        status = each_shard(run, &state->at, gk_reseal_shard, error);
    }
    if (status == GK_OK) {
        state->phase = GK_RESEAL_PROOF;
        status = prove(run, error);
    }
    if (status == GK_OK) {
        state->phase = GK_RESEAL_RETIRE;
        status = retire(run, error);
    }
    if (status == GK_OK) {
        state->phase = GK_RESEAL_END;
        state->job.progress = 1;
    }
    gk_reseal_owners_free(run);
    return status;
}
