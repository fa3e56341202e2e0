/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/verify.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "gateway/blob/names.h"

#define STEP            32u
#define STEP_BYTES      ((size_t)4 << 20)
#define NAMES_BYTES_MAX ((size_t)256 << 20)

struct verification {
    struct gk_scrub_run *run;
    struct gk_scrub_place place;
    bool has_key; /* of the account; without it, its blobs are counted */
    struct gk_error *error;
};

/* Some blobs of a shard, copied out of a walk. */
struct some_blobs {
    struct gk_buf rows; /* key length 2 | key | value length 4 | value ... */
    uint32_t count;
};

static bool collect(void *ctx, struct gk_span key, struct gk_span value)
{
    struct some_blobs *some = ctx;
    gk_buf_append_u16(&some->rows, (uint16_t)key.len);
    gk_buf_append(&some->rows, key.data, key.len);
    gk_buf_append_u32(&some->rows, (uint32_t)value.len);
    gk_buf_append(&some->rows, value.data, value.len);
    some->count++;
    return some->rows.len < STEP_BYTES;
}

/* --- keys ---------------------------------------------------------------------------------------*/

/* Fetches the account's key; its absence is noted with the reason, and is no error. */
static enum gk_status take_key(struct verification *verification)
{
    const struct gk_gateway *gateway = verification->run->job.gateway;
    struct gk_gateway_account *account = verification->place.account;
    struct gk_error why = {0};
    const enum gk_status status =
        gateway->host->plugin->account_warm(account->handle, gateway->vault_deadline_ms, &why);
    verification->has_key = status == GK_OK;
    if (status == GK_E_RESOURCE) {
        return gk_fail(verification->error, status, "%s", why.message);
    }
    if (status != GK_OK) {
        char reason[400];
        snprintf(reason, sizeof reason, "%s%s%.250s", why.code, why.code[0] == '\0' ? "" : ": ",
                 why.message);
        gk_scrub_add_not_verifiable(&verification->run->state, account->name, reason);
    }
    return GK_OK;
}

/* An error that is perhaps of the key: it is fetched again. When it is there, it was not. */
static enum gk_status explain(struct verification *verification, enum gk_status status,
                              const struct gk_error *why)
{
    if (verification->run->job.stopped || verification->run->job.status != GK_OK ||
        (status != GK_E_DENIED && status != GK_E_UNAVAILABLE && status != GK_E_COLD)) {
        return gk_fail(verification->error, status, "%s", why->message);
    }
    const enum gk_status again = take_key(verification);
    if (again == GK_OK && verification->has_key) {
        return gk_fail(verification->error, status, "%s", why->message);
    }
    verification->run->state.counts.not_verifiable += again == GK_OK;
    return again;
}

/* --- blobs --------------------------------------------------------------------------------------*/

static enum gk_status verify_one(struct verification *verification, struct gk_span key,
                                 struct gk_span value)
{
    struct gk_scrub_state *state = &verification->run->state;
    struct gk_error why = {0};
    if (!verification->has_key) {
        state->counts.not_verifiable++;
        return GK_OK;
    }
    const enum gk_status status =
        gk_scrub_verify_blob(verification->run, &verification->place, key, value, &why);
    if (status == GK_E_UNSUPPORTED) {
        state->counts.not_verifiable++;
        return GK_OK;
    }
    if (status != GK_OK) {
        return explain(verification, status, &why);
    }
    state->counts.verified_blobs++;
    return GK_OK;
}

static enum gk_status verify_some(struct verification *verification, const struct some_blobs *some)
{
    struct gk_scrub_state *state = &verification->run->state;
    enum gk_status status = gk_buf_status(&some->rows);
    struct gk_reader in = gk_reader_of(gk_buf_span(&some->rows));
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
        status = verify_one(verification, key, value);
        if (status == GK_OK) {
            gk_buf_reset(&state->after);
            gk_buf_append(&state->after, key.data, key.len);
            /* Only now: what is resumed from the state does not count this one again. */
            status = gk_job_go_on(&verification->run->job, verification->error);
        }
    }
    return status;
}

/* Those whose keys begin with kind. */
static enum gk_status verify_rows(struct verification *verification, const char *kind)
{
    struct gk_scrub_run *run = verification->run;
    char index[GK_INDEX_NAME_BYTES];
    struct some_blobs some = {.count = 0};
    struct gk_buf after;
    gk_index_name(&verification->place.container->id, verification->place.shard, index);
    gk_buf_init(&some.rows, STEP_BYTES + GK_MAP_VALUE_BYTES_MAX + GK_MAP_KEY_BYTES_MAX + 16);
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status = GK_OK;
    do {
        gk_buf_reset(&after);
        gk_buf_append(&after, run->state.after.data, run->state.after.len);
        const struct gk_map_range range = {
            .prefix = gk_span_str(kind), .after = gk_buf_span(&after), .limit = STEP};
        gk_buf_reset(&some.rows);
        some.count = 0;
        gk_job_take_turn(&run->job);
        status = gk_store_map_walk(run->job.gateway->store, GK_POOL_META, index, &range, collect,
                                   &some, verification->error);
        if (status == GK_OK) {
            status = verify_some(verification, &some);
        }
    } while (status == GK_OK && some.count > 0);
    gk_buf_cleanup(&some.rows);
    gk_buf_cleanup(&after);
    return status;
}

/* Blobs, and then what they were. */
static enum gk_status verify_shard(struct verification *verification)
{
    enum gk_status status = verify_rows(verification, "b/");
    if (status == GK_OK) {
        status = verify_rows(verification, GK_STATE_KIND);
    }
    if (status == GK_E_NOT_FOUND) { /* the walk has told it, or the container is gone */
        gk_error_clear(verification->error);
        status = GK_OK;
    }
    return status;
}

/* --- containers and accounts --------------------------------------------------------------------*/

/* Behind what was verified before: from shard on of this container when it is the one of the state. Of all that is to
 * be verified it is width, behind begin. */
static enum gk_status verify_container(struct verification *verification,
                                       const struct gk_scrub_container *container, double begin,
                                       double width)
{
    struct gk_scrub_state *state = &verification->run->state;
    const int order = strcmp(container->name, state->container);
    enum gk_status status = GK_OK;
    if (container->name[0] == '\0' || order < 0) {
        return GK_OK;
    }
    if (order > 0) {
        snprintf(state->container, sizeof state->container, "%s", container->name);
        state->shard = 0;
        gk_buf_reset(&state->after);
    }
    verification->place.container = container;
    while (status == GK_OK && state->shard < container->shards) {
        verification->place.shard = state->shard;
        state->job.progress = begin + width * (double)state->shard / (double)container->shards;
        status = verify_shard(verification);
        if (status == GK_OK) {
            state->shard++;
            gk_buf_reset(&state->after);
        }
    }
    return status;
}

static enum gk_status verify_containers(struct verification *verification, double begin,
                                        double width)
{
    struct gk_scrub_run *run = verification->run;
    const struct gk_scrub_visitor visitor = gk_scrub_run_visitor(run);
    struct gk_scrub_containers containers;
    enum gk_status status = gk_scrub_containers_of(run->job.gateway, verification->place.account,
                                                   &visitor, &containers, verification->error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(verification->error);
        status = GK_OK;
    }
    for (size_t i = 0; i < containers.count && status == GK_OK; i++) {
        const double part = width / (double)containers.count;
        status =
            verify_container(verification, &containers.items[i], begin + part * (double)i, part);
    }
    gk_scrub_containers_cleanup(&containers);
    return status;
}

static enum gk_status verify_account(struct gk_scrub_run *run, const char *name, double begin,
                                     double width, struct gk_error *error)
{
    struct verification verification = {.run = run, .error = error};
    enum gk_status status =
        gk_accounts_look(run->job.gateway->accounts, name, &verification.place.account, error);
    if (status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY) { /* the walk has told it */
        gk_error_clear(error);
        return GK_OK;
    }
    if (status == GK_OK) {
        status = take_key(&verification);
    }
    if (status == GK_OK) {
        status = verify_containers(&verification, begin, width);
    }
    if (verification.place.account != NULL) {
        gk_accounts_put(verification.place.account);
    }
    return status;
}

enum gk_status gk_scrub_verify(struct gk_scrub_run *run, struct gk_error *error)
{
    struct gk_scrub_state *state = &run->state;
    struct gk_buf names;
    gk_buf_init(&names, NAMES_BYTES_MAX);
    enum gk_status status = gk_scrub_account_names(run->job.gateway, &names, error);
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *name = (const char *)names.data + at;
        const double begin = (double)at / (double)names.len;
        const double width = (double)(strlen(name) + 1) / (double)names.len;
        const int order = strcmp(name, state->account);
        at += strlen(name) + 1;
        if (order > 0 && strlen(name) < sizeof state->account) {
            snprintf(state->account, sizeof state->account, "%s", name);
            state->container[0] = '\0';
            state->shard = 0;
            gk_buf_reset(&state->after);
        }
        if (order >= 0) {
            status = verify_account(run, name, begin, width, error);
        }
    }
    gk_buf_cleanup(&names);
    return status;
}
