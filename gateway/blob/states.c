/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/states.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/page_fence.h"

#define DAY_MS INT64_C(86400000)

/* --- reading ------------------------------------------------------------------------------------*/

void gk_state_target_init(const struct gk_blob_target *base, uint64_t time,
                          struct gk_blob_target *out)
{
    *out = (struct gk_blob_target){.container = base->container,
                                   .shard = base->shard,
                                   .opening = base->opening,
                                   .kind = base->kind,
                                   .time = time};
    memcpy(out->index, base->index, sizeof out->index);
    gk_buf_init(&out->key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&out->stored, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&out->beside, GK_CHUNK_SEALED_BYTES);
    gk_state_key(&out->key, gk_buf_span(&base->key), time);
}

enum gk_status gk_state_read(const struct gk_request *request, const struct gk_blob_target *base,
                             uint64_t time, struct gk_blob_target *out, struct gk_error *error)
{
    gk_state_target_init(base, time, out);
    const enum gk_status status = gk_value_get(request->gateway->store, out->index,
                                               gk_buf_span(&out->key), &out->stored, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status == GK_OK ? gk_blob_target_open(request, out, error) : status;
}

struct reading {
    const struct gk_blob_target *base;
    struct gk_states *states;
    bool failed;
};

static bool take_state(void *ctx, struct gk_span key, struct gk_span value)
{
    struct reading *reading = ctx;
    struct gk_blob_target *state = &reading->states->items[reading->states->count++];
    gk_state_target_init(reading->base, gk_state_key_time(key), state);
    gk_buf_append(&state->stored, value.data, value.len);
    reading->failed = gk_buf_status(&state->stored) != GK_OK;
    return !reading->failed;
}

enum gk_status gk_states_read(struct gk_request *request, const struct gk_blob_target *base,
                              uint64_t after, struct gk_states *out, struct gk_error *error)
{
    *out = (struct gk_states){.items = calloc(GK_STATES_STEP, sizeof *out->items)};
    if (out->items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct reading reading = {.base = base, .states = out};
    struct gk_buf prefix;
    struct gk_buf last;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&last, GK_MAP_KEY_BYTES_MAX);
    gk_state_prefix(&prefix, gk_buf_span(&base->key));
    gk_state_key(&last, gk_buf_span(&base->key), after);
    const struct gk_map_range range = {
        .prefix = gk_buf_span(&prefix), .after = gk_buf_span(&last), .limit = GK_STATES_STEP};
    enum gk_status status = gk_store_map_walk(request->gateway->store, GK_POOL_META, base->index,
                                              &range, take_state, &reading, error);
    gk_buf_cleanup(&prefix);
    gk_buf_cleanup(&last);
    if (status == GK_OK && reading.failed) {
        status = gk_fail(error, GK_E_INTEGRITY, "a state of a blob is longer than any is");
    }
    for (size_t i = 0; i < out->count && status == GK_OK; i++) {
        status = gk_blob_target_open(request, &out->items[i], error);
    }
    out->more = out->count == GK_STATES_STEP;
    return status;
}

void gk_states_cleanup(struct gk_states *states)
{
    for (size_t i = 0; i < states->count; i++) {
        gk_blob_target_cleanup(&states->items[i]);
    }
    free(states->items);
    *states = (struct gk_states){0};
}

/* --- making -------------------------------------------------------------------------------------*/

/* A chunk that stands beside the base stands beside the state, too. */
static enum gk_status copy_beside(struct gk_blob_write *write, const struct gk_request *request,
                                  const struct gk_blob_target *base,
                                  const struct gk_blob_target *state, struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf chunk;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&chunk, GK_CHUNK_SEALED_BYTES);
    gk_blob_data_key(&key, gk_buf_span(&base->key));
    enum gk_status status =
        gk_value_get(request->gateway->store, base->index, gk_buf_span(&key), &chunk, error);
    if (status == GK_OK) {
        gk_blob_write_beside(write, state, gk_buf_span(&chunk));
    } else if (status == GK_E_NOT_FOUND) { /* it went with the record, or it was lost */
        status = gk_fail(error, GK_E_CONFLICT, "a blob was changed while a state of it was made");
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&chunk);
    return status;
}

/* The base's record as that of the state. */
static enum gk_status seal_state(const struct gk_request *request,
                                 const struct gk_blob_target *base, struct gk_span stored,
                                 const struct gk_blob_target *state,
                                 const struct gk_blob_record *record, struct gk_buf *value,
                                 struct gk_error *error)
{
    const struct gk_place from = gk_blob_place(request, base);
    const struct gk_place to = gk_blob_place(request, state);
    struct gk_buf open_part;
    gk_buf_init(&open_part, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(record, &open_part);
    enum gk_status status = gk_buf_status(&open_part);
    if (status == GK_OK) {
        status = gk_value_rebind(&from, &to, stored, gk_buf_span(&open_part), value, error);
    }
    gk_buf_cleanup(&open_part);
    return status;
}

enum gk_status gk_state_make(struct gk_blob_write *write, struct gk_request *request,
                             const struct gk_blob_target *base, struct gk_span stored,
                             const struct gk_history *as, uint64_t time, struct gk_error *error)
{
    struct gk_blob_target state;
    struct gk_blob_record record = base->record; /* borrows what the base's owns */
    struct gk_buf value;
    record.history = *as;
    record.lease = (struct gk_lease){0};
    record.lifetime = (struct gk_lifetime){0};
    record.eras.writers_count = 0;
    gk_state_target_init(base, time, &state);
    gk_buf_init(&value, 2 * GK_BLOB_RECORD_BYTES_MAX);
    enum gk_status status = GK_OK;
    if (record.kind.type == GK_BLOB_PAGE) {
        write->ended = record.kind.space;
        status = gk_page_fence_all(request, base, error);
    }
    if (status == GK_OK) {
        status = seal_state(request, base, stored, &state, &record, &value, error);
    }
    if (status == GK_OK) {
        struct gk_buf key;
        gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
        gk_buf_append(&key, state.key.data, state.key.len);
        gk_changes_set(&write->changes, &key, &value);
        write->newest = time > write->newest ? time : write->newest;
    }
    if (status == GK_OK && base->record.manifest.beside) {
        status = copy_beside(write, request, base, &state, error);
    }
    gk_buf_cleanup(&value);
    gk_blob_target_cleanup(&state);
    return status;
}

/* --- keeping ------------------------------------------------------------------------------------*/

bool gk_state_mark_deleted(struct gk_blob_write *write, const struct gk_request *request,
                           struct gk_history *history)
{
    const uint32_t days = gk_account_delete_retention_days(request->account);
    if (days == 0) {
        return false;
    }
    history->deleted_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    history->kept_until_wall_ms = history->deleted_wall_ms + days * DAY_MS;
    write->ends_wall_ms = history->kept_until_wall_ms;
    return true;
}

bool gk_state_is_kept(const struct gk_request *request, const struct gk_blob_target *base)
{
    return base->exists && base->record.state == GK_BLOB_COMMITTED && !base->ended &&
           (!base->committed || request->account->blob_service.versioning ||
            gk_account_delete_retention_days(request->account) > 0);
}

static uint64_t next_time(const struct gk_blob_write *write, const struct gk_request *request)
{
    const struct gk_history so_far = {.newest = write->newest};
    return gk_history_next(&so_far, gk_clock_wall_ms(&request->gateway->clock));
}

enum gk_status gk_state_keep(struct gk_blob_write *write, struct gk_request *request,
                             const struct gk_blob_target *base, struct gk_error *error)
{
    const struct gk_history *was = &base->record.history;
    struct gk_history as = {.kind = GK_STATE_SNAPSHOT,
                            .deleted_wall_ms = was->deleted_wall_ms,
                            .kept_until_wall_ms = was->kept_until_wall_ms};
    uint64_t time = next_time(write, request);
    if (base->committed && request->account->blob_service.versioning) {
        time = was->version != 0 ? was->version : time;
        as = (struct gk_history){.kind = GK_STATE_VERSION, .version = time};
    } else if (base->committed) {
        (void)gk_state_mark_deleted(write, request, &as);
    }
    return gk_state_make(write, request, base, gk_buf_span(&base->stored), &as, time, error);
}

void gk_state_begin_version(struct gk_blob_write *write, const struct gk_request *request,
                            struct gk_history *history)
{
    history->version = 0;
    if (request->account->blob_service.versioning) {
        write->newest = next_time(write, request);
        history->version = write->newest;
    }
}

/* --- the base -----------------------------------------------------------------------------------*/

enum gk_status gk_state_settle_base(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *base, bool remain,
                                    struct gk_error *error)
{
    if (base->exists || remain) {
        return gk_blob_write_open_part(write, request, base, &base->record, error);
    }
    gk_blob_write_removal(write, base);
    return GK_OK;
}

enum gk_status gk_state_remove_base(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *base, bool remain,
                                    struct gk_error *error)
{
    if (!remain) {
        gk_blob_write_removal(write, base);
        return GK_OK;
    }
    const struct gk_blob_record gone = {.state = GK_BLOB_GONE};
    gk_blob_write_beside(write, base, (struct gk_span){0});
    return gk_blob_write_record(write, request, base, &gone, NULL, NULL, error);
}
