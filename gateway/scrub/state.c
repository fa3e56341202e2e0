/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"

#define STATE_KEY        "state"
#define STATE_BYTES_MAX  ((size_t)1 << 20)
#define BLOB_BYTES_SHOWN 512u
#define STOPPED          "stopped"

static const char *const phase_names[] = {"references", "data", "meta", "verify", "end"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct gk_job_count count_names[] = {
    {"accounts", offsetof(struct gk_scrub_counts, accounts)},
    {"containers", offsetof(struct gk_scrub_counts, containers)},
    {"blobs", offsetof(struct gk_scrub_counts, blobs)},
    {"segments", offsetof(struct gk_scrub_counts, segments)},
    {"referencedObjects", offsetof(struct gk_scrub_counts, objects)},
    {"verifiedBlobs", offsetof(struct gk_scrub_counts, verified_blobs)},
    {"verifiedBytes", offsetof(struct gk_scrub_counts, verified_bytes)},
    {"notVerifiableBlobs", offsetof(struct gk_scrub_counts, not_verifiable)},
    {"damaged", offsetof(struct gk_scrub_counts, damaged)},
    {"unreferencedObjects", offsetof(struct gk_scrub_counts, unreferenced)},
    {"unreferencedBytes", offsetof(struct gk_scrub_counts, unreferenced_bytes)},
    {"removedObjects", offsetof(struct gk_scrub_counts, removed)},
    {"removedBytes", offsetof(struct gk_scrub_counts, removed_bytes)},
    {"recentObjects", offsetof(struct gk_scrub_counts, recent)},
    {"undecidedObjects", offsetof(struct gk_scrub_counts, undecided)},
    {"waitingObjects", offsetof(struct gk_scrub_counts, waiting)},
    {"foreignObjects", offsetof(struct gk_scrub_counts, foreign)},
    {"relisted", offsetof(struct gk_scrub_counts, relisted)},
};

void gk_scrub_state_init(struct gk_scrub_state *state)
{
    memset(state, 0, sizeof *state);
    gk_buf_init(&state->after, GK_MAP_KEY_BYTES_MAX);
    state->damaged = json_array();
    state->not_verifiable = json_array();
    state->unreferenced = json_array();
}

void gk_scrub_state_cleanup(struct gk_scrub_state *state)
{
    gk_buf_cleanup(&state->after);
    json_decref(state->damaged);
    json_decref(state->not_verifiable);
    json_decref(state->unreferenced);
    state->damaged = state->not_verifiable = state->unreferenced = NULL;
}

/* --- to JSON ------------------------------------------------------------------------------------*/

static json_t *counts_json(const struct gk_scrub_counts *counts)
{
    return gk_job_counts_json(count_names, COUNT(count_names), counts);
}

json_t *gk_scrub_state_json(const struct gk_scrub_state *state)
{
    const struct gk_scrub_options *options = &state->options;
    json_t *object = json_pack(
        "{s:s, s:{s:b, s:b, s:I, s:I}, s:o, s:O, s:O, s:O}", "phase", phase_names[state->phase],
        "options", "verify", options->verify, "remove", options->remove, "olderThanSeconds",
        (json_int_t)options->older_than_s, "rate", (json_int_t)state->job.rate, "counts",
        counts_json(&state->counts), "damaged", state->damaged, "notVerifiable",
        state->not_verifiable, "unreferenced", state->unreferenced);
    gk_job_state_show(&state->job, STOPPED, object);
    return object;
}

static json_t *cursor_json(const struct gk_scrub_state *state)
{
    struct gk_buf after;
    char range[32];
    gk_buf_init(&after, 2 * (size_t)GK_MAP_KEY_BYTES_MAX);
    gk_hex_encode(&after, gk_buf_span(&state->after));
    snprintf(range, sizeof range, "%016" PRIx64, state->range_first);
    json_t *cursor =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:o}", "range", range, "account", state->account,
                  "container", state->container, "shard", (json_int_t)state->shard, "after",
                  gk_buf_str(&after), "before", counts_json(&state->before));
    gk_job_state_show_times(&state->job, cursor);
    gk_buf_cleanup(&after);
    return cursor;
}

/* --- from JSON ----------------------------------------------------------------------------------*/

static bool read_counts(const json_t *object, struct gk_scrub_counts *counts)
{
    return gk_job_counts_parse(object, count_names, COUNT(count_names), counts);
}

static bool read_options(const json_t *object, struct gk_scrub_state *state)
{
    uint64_t rate = 0;
    state->options.verify = json_is_true(json_object_get(object, "verify"));
    state->options.remove = json_is_true(json_object_get(object, "remove"));
    const bool good =
        gk_job_parse_number(object, "olderThanSeconds", INT64_MAX, &state->options.older_than_s) &&
        gk_job_parse_number(object, "rate", UINT32_MAX, &rate);
    state->job.rate = (uint32_t)rate;
    return good;
}

static bool read_cursor(const json_t *cursor, struct gk_scrub_state *state)
{
    char range[32];
    char after[2 * GK_MAP_KEY_BYTES_MAX + 1];
    uint64_t shard = 0;
    if (!gk_job_parse_text(cursor, "range", range, sizeof range) ||
        !gk_job_parse_text(cursor, "account", state->account, sizeof state->account) ||
        !gk_job_parse_text(cursor, "container", state->container, sizeof state->container) ||
        !gk_job_parse_text(cursor, "after", after, sizeof after) ||
        !gk_job_parse_number(cursor, "shard", UINT32_MAX, &shard) ||
        !read_counts(json_object_get(cursor, "before"), &state->before)) {
        return false;
    }
    state->range_first = strtoull(range, NULL, 16);
    state->shard = (uint32_t)shard;
    uint8_t *key = gk_buf_extend(&state->after, strlen(after) / 2);
    return strlen(after) == 0 ||
           (key != NULL && gk_hex_decode(gk_span_str(after), key, strlen(after) / 2));
}

static bool read_list(const json_t *object, const char *member, json_t **list)
{
    json_t *value = json_object_get(object, member);
    if (!json_is_array(value) || json_array_size(value) > GK_SCRUB_FINDINGS_MAX) {
        return false;
    }
    json_decref(*list);
    *list = json_incref(value);
    return true;
}

static bool read_state(const json_t *object, struct gk_scrub_state *state)
{
    unsigned phase = 0;
    const json_t *cursor = json_object_get(object, "cursor");
    const bool good = gk_job_state_parse(object, cursor, STOPPED, &state->job) &&
                      gk_job_parse_name(object, "phase", phase_names, COUNT(phase_names), &phase) &&
                      read_options(json_object_get(object, "options"), state) &&
                      read_counts(json_object_get(object, "counts"), &state->counts) &&
                      read_cursor(cursor, state) && read_list(object, "damaged", &state->damaged) &&
                      read_list(object, "notVerifiable", &state->not_verifiable) &&
                      read_list(object, "unreferenced", &state->unreferenced);
    state->phase = (enum gk_scrub_phase)phase;
    return good;
}

/* --- in the store -------------------------------------------------------------------------------*/

enum gk_status gk_scrub_state_read(struct gk_store *store, struct gk_scrub_state *state,
                                   struct gk_error *error)
{
    json_t *object = NULL;
    enum gk_status status =
        gk_job_row_read(store, GK_SCRUB_OBJECT, STATE_KEY, STATE_BYTES_MAX, &object, error);
    if (status == GK_OK && !read_state(object, state)) {
        status = gk_fail(error, GK_E_INTEGRITY, "the state of the last scrub cannot be read");
    }
    json_decref(object);
    return status;
}

enum gk_status gk_scrub_state_write(struct gk_store *store, const struct gk_scrub_state *state,
                                    struct gk_error *error)
{
    json_t *object = gk_scrub_state_json(state);
    json_object_set_new(object, "cursor", cursor_json(state));
    return gk_job_row_write(store, GK_SCRUB_OBJECT, STATE_KEY, false, object, error);
}

/* --- parts --------------------------------------------------------------------------------------*/

void gk_scrub_begin_part(struct gk_scrub_state *state)
{
    const struct gk_scrub_counts counts = state->counts;
    const struct gk_scrub_counts *before = &state->before;
    state->counts = *before;
    state->counts.damaged = counts.damaged;
    state->counts.relisted = counts.relisted;
    state->counts.removed = counts.removed;
    state->counts.removed_bytes = counts.removed_bytes;
    state->counts.unreferenced += counts.removed - before->removed;
    state->counts.unreferenced_bytes += counts.removed_bytes - before->removed_bytes;
}

void gk_scrub_end_part(struct gk_scrub_state *state)
{
    state->before = state->counts;
}

/* --- findings -----------------------------------------------------------------------------------*/

/* False when an equal one is there. */
static bool add(json_t *list, json_t *finding)
{
    size_t index = 0;
    json_t *other = NULL;
    json_array_foreach(list, index, other)
    {
        if (json_equal(other, finding)) {
            json_decref(finding);
            return false;
        }
    }
    if (json_array_size(list) < GK_SCRUB_FINDINGS_MAX) {
        json_array_append_new(list, finding);
    } else {
        json_decref(finding);
    }
    return true;
}

/* A name that is not UTF-8 was never a blob's; it is shown with question marks. */
static json_t *name_json(struct gk_span name)
{
    char text[BLOB_BYTES_SHOWN + 1];
    const size_t len = name.len < BLOB_BYTES_SHOWN ? name.len : BLOB_BYTES_SHOWN;
    memcpy(text, name.data == NULL ? (const uint8_t *)"" : name.data, len);
    json_t *value = json_stringn(text, len);
    for (size_t i = 0; value == NULL && i < len; i++) {
        text[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
    }
    return value == NULL ? json_stringn(text, len) : value;
}

void gk_scrub_add_damaged(struct gk_scrub_state *state, const char *account, const char *container,
                          struct gk_span blob, const char *what)
{
    state->counts.damaged +=
        add(state->damaged,
            json_pack("{s:o, s:o, s:o, s:o}", "account", name_json(gk_span_str(account)),
                      "container", name_json(gk_span_str(container)), "blob", name_json(blob),
                      "what", name_json(gk_span_str(what))));
}

void gk_scrub_add_not_verifiable(struct gk_scrub_state *state, const char *account,
                                 const char *reason)
{
    (void)add(state->not_verifiable,
              json_pack("{s:o, s:o}", "account", name_json(gk_span_str(account)), "reason",
                        name_json(gk_span_str(reason))));
}

void gk_scrub_add_unreferenced(struct gk_scrub_state *state, const char *object, bool meta,
                               uint64_t size_bytes)
{
    state->counts.unreferenced++;
    state->counts.unreferenced_bytes += size_bytes;
    (void)add(state->unreferenced,
              json_pack("{s:o, s:s, s:I}", "object", name_json(gk_span_str(object)), "pool",
                        meta ? "meta" : "data", "bytes", (json_int_t)size_bytes));
}
