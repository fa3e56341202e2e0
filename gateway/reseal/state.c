/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reseal/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"

#define STATE_KEY       "r"
#define ORDER_KEY       "r/pause"
#define STATE_BYTES_MAX 4096u

static const char *const status_names[] = {"running", "paused", "interrupted", "failed", "done"};
static const char *const phase_names[] = {"bar", "keys", "proof", "retire", "end"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct {
    const char *name;
    size_t offset;
} count_names[] = {
    {"records", offsetof(struct gk_reseal_counts, blobs)},
    {"resealed", offsetof(struct gk_reseal_counts, resealed)},
    {"underClientKeys", offsetof(struct gk_reseal_counts, left)},
    {"scopesLeftOut", offsetof(struct gk_reseal_counts, scopes_left_out)},
    {"damaged", offsetof(struct gk_reseal_counts, damaged)},
    {"retiredRootKeys", offsetof(struct gk_reseal_counts, retired)},
};

static uint64_t *count_at(struct gk_reseal_counts *counts, size_t index)
{
    return (uint64_t *)(void *)((char *)counts + count_names[index].offset);
}

/* --- to JSON ------------------------------------------------------------------------------------*/

static json_t *counts_json(const struct gk_reseal_counts *counts)
{
    struct gk_reseal_counts copy = *counts;
    json_t *object = json_object();
    for (size_t i = 0; i < COUNT(count_names); i++) {
        json_object_set_new(object, count_names[i].name,
                            json_integer((json_int_t)*count_at(&copy, i)));
    }
    return object;
}

static json_t *time_json(int64_t wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    gk_time_iso(wall_ms, text);
    return wall_ms == 0 ? json_null() : json_string(text);
}

json_t *gk_reseal_state_json(const struct gk_reseal_state *state)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:f, s:I, s:o, s:s, s:I, s:I, s:I, s:I}", "id",
        state->id, "status", status_names[state->status], "phase", phase_names[state->phase],
        "gateway", state->gateway, "failure", state->failure, "started",
        time_json(state->started_wall_ms), "updated", time_json(state->updated_wall_ms), "ended",
        time_json(state->ended_wall_ms), "progress", state->progress, "rate",
        (json_int_t)state->rate, "counts", counts_json(&state->counts), "container",
        state->at.container, "shard", (json_int_t)state->at.shard, "startedMs",
        (json_int_t)state->started_wall_ms, "updatedMs", (json_int_t)state->updated_wall_ms,
        "endedMs", (json_int_t)state->ended_wall_ms);
}

/* --- from JSON ----------------------------------------------------------------------------------*/

static bool read_name(const json_t *object, const char *member, const char *const *names,
                      size_t count, unsigned *out)
{
    const char *text = json_string_value(json_object_get(object, member));
    for (unsigned i = 0; text != NULL && i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool read_text(const json_t *object, const char *member, char *out, size_t out_bytes)
{
    const char *text = json_string_value(json_object_get(object, member));
    if (text == NULL || strlen(text) >= out_bytes) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool read_number(const json_t *object, const char *member, uint64_t max, uint64_t *out)
{
    const json_t *value = json_object_get(object, member);
    *out = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0 && *out <= max;
}

static bool read_counts(const json_t *object, struct gk_reseal_counts *counts)
{
    bool good = json_is_object(object);
    for (size_t i = 0; good && i < COUNT(count_names); i++) {
        good = read_number(object, count_names[i].name, INT64_MAX, count_at(counts, i));
    }
    return good;
}

static bool read_state(const json_t *object, struct gk_reseal_state *state)
{
    unsigned status = 0;
    unsigned phase = 0;
    uint64_t numbers[5] = {0};
    const json_t *progress = json_object_get(object, "progress");
    const bool good =
        read_name(object, "status", status_names, COUNT(status_names), &status) &&
        read_name(object, "phase", phase_names, COUNT(phase_names), &phase) &&
        read_text(object, "id", state->id, sizeof state->id) &&
        read_text(object, "gateway", state->gateway, sizeof state->gateway) &&
        read_text(object, "failure", state->failure, sizeof state->failure) &&
        read_text(object, "container", state->at.container, sizeof state->at.container) &&
        read_number(object, "shard", UINT32_MAX, &numbers[0]) &&
        read_number(object, "rate", UINT32_MAX, &numbers[1]) &&
        read_number(object, "startedMs", INT64_MAX, &numbers[2]) &&
        read_number(object, "updatedMs", INT64_MAX, &numbers[3]) &&
        read_number(object, "endedMs", INT64_MAX, &numbers[4]) &&
        read_counts(json_object_get(object, "counts"), &state->counts) && json_is_number(progress);
    state->status = (enum gk_reseal_status)status;
    state->phase = (enum gk_reseal_phase)phase;
    state->at.shard = (uint32_t)numbers[0];
    state->rate = (uint32_t)numbers[1];
    state->started_wall_ms = (int64_t)numbers[2];
    state->updated_wall_ms = (int64_t)numbers[3];
    state->ended_wall_ms = (int64_t)numbers[4];
    state->progress = json_number_value(progress);
    return good;
}

/* --- in the store -------------------------------------------------------------------------------*/

enum gk_status gk_reseal_state_read(struct gk_store *store, const char *object,
                                    struct gk_reseal_state *state, struct gk_error *error)
{
    struct gk_buf text;
    gk_buf_init(&text, STATE_BYTES_MAX);
    *state = (struct gk_reseal_state){0};
    enum gk_status status =
        gk_store_map_get(store, GK_POOL_META, object, gk_span_str(STATE_KEY), &text, error);
    if (status == GK_OK) {
        json_t *json = json_loadb(gk_buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
        if (!read_state(json, state)) {
            status = gk_fail(error, GK_E_INTEGRITY, "the state of the last reseal cannot be read");
        }
        json_decref(json);
    }
    gk_buf_cleanup(&text);
    return status;
}

static enum gk_status write_row(struct gk_store *store, const char *object,
                                const struct gk_change *change, struct gk_error *error)
{
    const struct gk_guard there = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = object,
                                   .guards = &there,
                                   .guards_count = 1,
                                   .changes = change,
                                   .changes_count = 1};
    return gk_store_write(store, &op, NULL, error);
}

enum gk_status gk_reseal_state_write(struct gk_store *store, const char *object,
                                     const struct gk_reseal_state *state, struct gk_error *error)
{
    json_t *json = gk_reseal_state_json(state);
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(STATE_KEY), .value = gk_span_str(text)};
    const enum gk_status status = write_row(store, object, &change, error);
    free(text);
    return status;
}

enum gk_status gk_reseal_order_write(struct gk_store *store, const char *object, const char *id,
                                     struct gk_error *error)
{
    const struct gk_change change = {.kind =
                                         id[0] == '\0' ? GK_CHANGE_MAP_REMOVE : GK_CHANGE_MAP_SET,
                                     .key = gk_span_str(ORDER_KEY),
                                     .value = gk_span_str(id)};
    return write_row(store, object, &change, error);
}

enum gk_status gk_reseal_order_read(struct gk_store *store, const char *object, const char *id,
                                    bool *ordered, struct gk_error *error)
{
    struct gk_buf order;
    gk_buf_init(&order, GK_UUID_TEXT_BYTES);
    const enum gk_status status =
        gk_store_map_get(store, GK_POOL_META, object, gk_span_str(ORDER_KEY), &order, error);
    *ordered = status == GK_OK && gk_span_equal(gk_buf_span(&order), gk_span_str(id));
    gk_buf_cleanup(&order);
    if (status == GK_E_NOT_FOUND || status == GK_E_LIMIT) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}
