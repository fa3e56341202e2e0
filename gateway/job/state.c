/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/job/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"

#define STATUSES (GK_JOB_DONE + 1)

static void name_statuses(const char *stopped, const char *names[STATUSES])
{
    names[GK_JOB_RUNNING] = "running";
    names[GK_JOB_STOPPED] = stopped;
    names[GK_JOB_INTERRUPTED] = "interrupted";
    names[GK_JOB_FAILED] = "failed";
    names[GK_JOB_DONE] = "done";
}

/* --- to JSON ------------------------------------------------------------------------------------*/

static json_t *time_json(int64_t wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    gk_time_iso(wall_ms, text);
    return wall_ms == 0 ? json_null() : json_string(text);
}

void gk_job_state_show(const struct gk_job_state *state, const char *stopped, json_t *object)
{
    const char *names[STATUSES];
    name_statuses(stopped, names);
    json_object_set_new(object, "id", json_string(state->id));
    json_object_set_new(object, "status", json_string(names[state->status]));
    json_object_set_new(object, "gateway", json_string(state->gateway));
    json_object_set_new(object, "failure", json_string(state->failure));
    json_object_set_new(object, "started", time_json(state->started_wall_ms));
    json_object_set_new(object, "updated", time_json(state->updated_wall_ms));
    json_object_set_new(object, "ended", time_json(state->ended_wall_ms));
    json_object_set_new(object, "progress", json_real(state->progress));
}

void gk_job_state_show_times(const struct gk_job_state *state, json_t *object)
{
    json_object_set_new(object, "startedMs", json_integer((json_int_t)state->started_wall_ms));
    json_object_set_new(object, "updatedMs", json_integer((json_int_t)state->updated_wall_ms));
    json_object_set_new(object, "endedMs", json_integer((json_int_t)state->ended_wall_ms));
}

void gk_job_cursor_show(const struct gk_job_cursor *cursor, json_t *object)
{
    json_object_set_new(object, "container", json_string(cursor->container));
    json_object_set_new(object, "shard", json_integer((json_int_t)cursor->shard));
}

static uint64_t count_at(const void *counts, size_t offset)
{
    uint64_t count = 0;
    memcpy(&count, (const char *)counts + offset, sizeof count);
    return count;
}

json_t *gk_job_counts_json(const struct gk_job_count *names, size_t count, const void *counts)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(object, names[i].name,
                            json_integer((json_int_t)count_at(counts, names[i].offset)));
    }
    return object;
}

/* --- from JSON ----------------------------------------------------------------------------------*/

bool gk_job_parse_name(const json_t *object, const char *member, const char *const *names,
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

bool gk_job_parse_text(const json_t *object, const char *member, char *out, size_t out_bytes)
{
    const char *text = json_string_value(json_object_get(object, member));
    if (text == NULL || strlen(text) >= out_bytes) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

bool gk_job_parse_number(const json_t *object, const char *member, uint64_t max, uint64_t *out)
{
    const json_t *value = json_object_get(object, member);
    *out = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0 && *out <= max;
}

bool gk_job_counts_parse(const json_t *object, const struct gk_job_count *names, size_t count,
                         void *counts)
{
    bool good = json_is_object(object);
    for (size_t i = 0; good && i < count; i++) {
        uint64_t value = 0;
        good = gk_job_parse_number(object, names[i].name, INT64_MAX, &value);
        memcpy((char *)counts + names[i].offset, &value, sizeof value);
    }
    return good;
}

bool gk_job_state_parse(const json_t *object, const json_t *times, const char *stopped,
                        struct gk_job_state *state)
{
    const char *names[STATUSES];
    name_statuses(stopped, names);
    unsigned status = 0;
    uint64_t started_ms = 0;
    uint64_t updated_ms = 0;
    uint64_t ended_ms = 0;
    const json_t *progress = json_object_get(object, "progress");
    const bool good = gk_job_parse_name(object, "status", names, STATUSES, &status) &&
                      gk_job_parse_text(object, "id", state->id, sizeof state->id) &&
                      gk_job_parse_text(object, "gateway", state->gateway, sizeof state->gateway) &&
                      gk_job_parse_text(object, "failure", state->failure, sizeof state->failure) &&
                      gk_job_parse_number(times, "startedMs", INT64_MAX, &started_ms) &&
                      gk_job_parse_number(times, "updatedMs", INT64_MAX, &updated_ms) &&
                      gk_job_parse_number(times, "endedMs", INT64_MAX, &ended_ms) &&
                      json_is_number(progress);
    state->status = (enum gk_job_status)status;
    state->started_wall_ms = (int64_t)started_ms;
    state->updated_wall_ms = (int64_t)updated_ms;
    state->ended_wall_ms = (int64_t)ended_ms;
    state->progress = json_number_value(progress);
    return good;
}

bool gk_job_cursor_parse(const json_t *object, struct gk_job_cursor *cursor)
{
    uint64_t shard = 0;
    const bool good =
        gk_job_parse_text(object, "container", cursor->container, sizeof cursor->container) &&
        gk_job_parse_number(object, "shard", UINT32_MAX, &shard);
    cursor->shard = (uint32_t)shard;
    return good;
}

/* --- in the store -------------------------------------------------------------------------------*/

enum gk_status gk_job_row_read(struct gk_store *store, const char *object, const char *key,
                               size_t bytes_max, json_t **out, struct gk_error *error)
{
    struct gk_buf text;
    gk_buf_init(&text, bytes_max);
    *out = NULL;
    const enum gk_status status =
        gk_store_map_get(store, GK_POOL_META, object, gk_span_str(key), &text, error);
    if (status == GK_OK) {
        *out = json_loadb(gk_buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
    }
    gk_buf_cleanup(&text);
    return status;
}

static enum gk_status write_row(struct gk_store *store, const char *object, bool there,
                                const struct gk_change *change, struct gk_error *error)
{
    const struct gk_guard guard = {.kind = GK_GUARD_EXISTS};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = object,
                                   .guards = there ? &guard : NULL,
                                   .guards_count = there,
                                   .changes = change,
                                   .changes_count = 1};
    return gk_store_write(store, &op, NULL, error);
}

enum gk_status gk_job_row_write(struct gk_store *store, const char *object, const char *key,
                                bool there, json_t *json, struct gk_error *error)
{
    char *text = json == NULL ? NULL : json_dumps(json, JSON_COMPACT);
    json_decref(json);
    if (text == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(key), .value = gk_span_str(text)};
    const enum gk_status status = write_row(store, object, there, &change, error);
    free(text);
    return status;
}

enum gk_status gk_job_order_write(struct gk_store *store, const char *object, const char *key,
                                  const char *id, struct gk_error *error)
{
    const struct gk_change change = {.kind =
                                         id[0] == '\0' ? GK_CHANGE_MAP_REMOVE : GK_CHANGE_MAP_SET,
                                     .key = gk_span_str(key),
                                     .value = gk_span_str(id)};
    return write_row(store, object, true, &change, error);
}

enum gk_status gk_job_order_read(struct gk_store *store, const char *object, const char *key,
                                 const char *id, bool *ordered, struct gk_error *error)
{
    struct gk_buf order;
    gk_buf_init(&order, GK_UUID_TEXT_BYTES);
    const enum gk_status status =
        gk_store_map_get(store, GK_POOL_META, object, gk_span_str(key), &order, error);
    *ordered = status == GK_OK && gk_span_equal(gk_buf_span(&order), gk_span_str(id));
    gk_buf_cleanup(&order);
    if (status == GK_E_NOT_FOUND || status == GK_E_LIMIT) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}
