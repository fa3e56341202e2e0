/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reencrypt/run.h"

#include "common/error.h"
#include "common/log.h"
#include "gateway/blob/names.h"

#define STEP            256u
#define NAMES_BYTES_MAX ((size_t)STEP * (GK_MAP_KEY_BYTES_MAX + 2u))
#define MIB             (UINT64_C(1) << 20)
#define PASSES_MAX                                                                                 \
    16u /* else it would not end while something that is left is copied again and again */

void gk_reencrypt_take_turns(struct gk_reencrypt_run *run)
{
    for (; run->poured >= MIB; run->poured -= MIB) {
        gk_job_take_turn(&run->common.job);
    }
}

static void tell_damaged(struct gk_reencrypt_run *run, const char *container, const char *what)
{
    gk_log(GK_LOG_ERROR, "reencrypt", "account %s, container %s: %s", run->common.account->name,
           container, what);
}

/* --- a shard ------------------------------------------------------------------------------------*/

/* The names of some blobs. */
struct some_names {
    struct gk_buf last;  /* key of the last one */
    struct gk_buf names; /* length 2 | name ... */
    uint32_t count;
};

static bool collect(void *ctx, struct gk_span key, struct gk_span value)
{
    struct some_names *some = ctx;
    (void)value;
    gk_buf_append_u16(&some->names, (uint16_t)(key.len - 2));
    gk_buf_append(&some->names, key.data + 2, key.len - 2);
    gk_buf_reset(&some->last);
    gk_buf_append(&some->last, key.data, key.len);
    some->count++;
    return true;
}

static enum gk_status reencrypt_names(struct gk_reencrypt_run *run,
                                      const struct gk_scrub_container *container, uint32_t shard,
                                      const struct some_names *some, struct gk_error *error)
{
    enum gk_status status = gk_buf_status(&some->names);
    struct gk_reader in = gk_reader_of(gk_buf_span(&some->names));
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span name = gk_read_span(&in, gk_read_u16(&in));
        gk_reencrypt_take_turns(run);
        status = gk_job_go_on(&run->common.job, error);
        if (status == GK_OK) {
            status = gk_reencrypt_blob(run, container, shard, name, error);
        }
        if (status == GK_E_INTEGRITY) {
            run->left.damaged++;
            tell_damaged(run, container->name, error->message);
            gk_error_clear(error);
            status = GK_OK;
        }
    }
    return status;
}

/* All that a blob was has its base in the same shard. */
static enum gk_status walk(struct gk_reencrypt_run *run, const struct gk_scrub_container *container,
                           uint32_t shard, struct some_names *some, struct gk_error *error)
{
    char index[GK_INDEX_NAME_BYTES];
    struct gk_buf after;
    enum gk_status status = GK_OK;
    gk_index_name(&container->id, shard, index);
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    do {
        gk_buf_reset(&after);
        gk_buf_append(&after, some->last.data, some->last.len);
        const struct gk_map_range range = {
            .prefix = gk_span_str("b/"), .after = gk_buf_span(&after), .limit = STEP};
        some->count = 0;
        gk_buf_reset(&some->names);
        status = gk_job_go_on(&run->common.job, error);
        if (status == GK_OK) {
            status = gk_store_map_walk(run->common.job.gateway->store, GK_POOL_META, index, &range,
                                       collect, some, error);
        }
        if (status == GK_OK) {
            status = reencrypt_names(run, container, shard, some, error);
        }
    } while (status == GK_OK && some->count > 0);
    gk_buf_cleanup(&after);
    return status;
}

static enum gk_status reencrypt_shard(void *ctx, const struct gk_scrub_container *container,
                                      uint32_t shard, struct gk_error *error)
{
    struct gk_reencrypt_run *run = ctx;
    struct some_names some = {.count = 0};
    gk_buf_init(&some.last, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&some.names, NAMES_BYTES_MAX);
    run->left = (struct gk_reencrypt_left){0};
    run->records = 0;
    enum gk_status status = walk(run, container, shard, &some, error);
    gk_buf_cleanup(&some.last);
    gk_buf_cleanup(&some.names);
    if (status == GK_E_NOT_FOUND) { /* the container was removed meanwhile */
        gk_error_clear(error);
        status = GK_OK;
    }
    if (status == GK_OK) {
        gk_reencrypt_left_add(&run->state.counts.left, &run->left);
        run->state.counts.records += run->records;
    }
    return status;
}

/* --- all of it ----------------------------------------------------------------------------------*/

/* One that goes on has told of it before. */
static void tell_hidden(void *ctx, const char *container, const char *what)
{
    struct gk_reencrypt_run *run = ctx;
    if (run->state.at.container[0] == '\0') {
        run->state.counts.left.damaged++;
        tell_damaged(run, container, what);
    }
}

static void begin_pass(struct gk_reencrypt_state *state)
{
    state->at = (struct gk_job_cursor){.shard = 0};
    state->passes++;
    state->found = 0;
    state->counts.records = 0;
    state->counts.left = (struct gk_reencrypt_left){0};
}

enum gk_status gk_reencrypt_run_all(struct gk_reencrypt_run *run, struct gk_error *error)
{
    struct gk_reencrypt_state *state = &run->state;
    const struct gk_job_shards shards = {
        .account = run->common.account, .ctx = run, .work = reencrypt_shard, .hidden = tell_hidden};
    enum gk_status status = GK_OK;
    while (status == GK_OK && state->phase != GK_REENCRYPT_END) {
        status = gk_job_each_shard(&run->common.job, &shards, &state->at, error);
        if (status == GK_OK && state->phase == GK_REENCRYPT_PROOF &&
            (state->found == 0 || state->passes >= PASSES_MAX)) {
            state->counts.left.changing += state->found; /* and so there may be more */
            state->phase = GK_REENCRYPT_END;
            state->job.progress = 1;
        } else if (status == GK_OK) {
            state->phase = GK_REENCRYPT_PROOF;
            begin_pass(state);
        }
    }
    return status;
}
