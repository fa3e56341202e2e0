/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/run.h"

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
    gk_log(GK_LOG_ERROR, "reseal", "account %s, container %s: %s", run->common.account->name,
           container, what);
}

/* --- phases -------------------------------------------------------------------------------------*/

static void tell_hidden(void *ctx, const char *container, const char *what)
{
    gk_reseal_tell_damaged(ctx, container, what, true);
}

static enum gk_status each_shard(struct gk_reseal_run *run, struct gk_job_cursor *at,
                                 gk_job_shard_fn *work, struct gk_error *error)
{
    const struct gk_job_shards shards = {
        .account = run->common.account, .ctx = run, .work = work, .hidden = tell_hidden};
    return gk_job_each_shard(&run->common.job, &shards, at, error);
}

static struct gk_key_bar bar_of(const struct gk_reseal_owner *owner)
{
    return (struct gk_key_bar){
        .scope = owner->scope, .oldest = owner->oldest, .active = owner->active};
}

static enum gk_status bar_shard(void *ctx, const struct gk_scrub_container *container,
                                uint32_t shard, struct gk_error *error)
{
    struct gk_reseal_run *run = ctx;
    enum gk_status status = gk_job_go_on(&run->common.job, error);
    for (size_t i = 0; status == GK_OK && i < run->owners_count; i++) {
        const struct gk_key_bar bar = bar_of(&run->owners[i]);
        status =
            gk_key_bar_shard(run->common.job.gateway->store, &container->id, shard, &bar, error);
    }
    return status;
}

/* What is barred stays so: another account that has the name by now must not get it. */
static enum gk_status still_there(void *ctx, struct gk_error *error)
{
    const struct gk_reseal_run *run = ctx;
    const struct gk_gateway_account *account = run->common.account;
    enum gk_account_presence presence = GK_PRESENCE_UNKNOWN;
    const enum gk_status status = gk_accounts_presence(
        run->common.job.gateway->accounts, account->name, &account->id, &presence, error);
    return status == GK_OK && presence != GK_PRESENCE_THERE
               ? gk_fail(error, GK_E_NOT_FOUND, "the account is gone, or its record cannot be read")
               : status;
}

/* The account's first: what is given a name from then on has it. */
static enum gk_status bar(struct gk_reseal_run *run, struct gk_error *error)
{
    struct gk_job_cursor at = {.shard = 0};
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < run->owners_count; i++) {
        const struct gk_key_bar bar = bar_of(&run->owners[i]);
        status = gk_key_bar_account(run->common.job.gateway->store, run->common.account->object,
                                    &bar, still_there, run, error);
    }
    return status == GK_OK ? each_shard(run, &at, bar_shard, error) : status;
}

static enum gk_status prove(struct gk_reseal_run *run, struct gk_error *error)
{
    struct gk_job_cursor at = {.shard = 0};
    return each_shard(run, &at, gk_reseal_shard, error);
}

/* Those that a proof which has read everything has found nothing under. */
static enum gk_status retire(struct gk_reseal_run *run, struct gk_error *error)
{
    const struct gk_plugin_host *host = run->common.job.gateway->host;
    const struct gk_call call = {.deadline_ms = run->common.job.gateway->vault_deadline_ms};
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
