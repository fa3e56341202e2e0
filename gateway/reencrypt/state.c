/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/reencrypt/state.h"

#include "common/error.h"

#define STATE_KEY       "n"
#define STATE_BYTES_MAX 4096u
#define PAUSED          "paused"

static const char *const phase_names[] = {"data", "proof", "end"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct gk_job_count count_names[] = {
    {"records", offsetof(struct gk_reencrypt_counts, records)},
    {"reencrypted", offsetof(struct gk_reencrypt_counts, reencrypted)},
    {"reencryptedBytes", offsetof(struct gk_reencrypt_counts, bytes)},
    {"underClientKeys", offsetof(struct gk_reencrypt_counts, left.client_keys)},
    {"withUncommittedBlocks", offsetof(struct gk_reencrypt_counts, left.uncommitted)},
    {"pendingCopies", offsetof(struct gk_reencrypt_counts, left.pending)},
    {"inScopesWithoutKey", offsetof(struct gk_reencrypt_counts, left.scopes)},
    {"changing", offsetof(struct gk_reencrypt_counts, left.changing)},
    {"damaged", offsetof(struct gk_reencrypt_counts, left.damaged)},
};

void gk_reencrypt_left_add(struct gk_reencrypt_left *left, const struct gk_reencrypt_left *more)
{
    left->client_keys += more->client_keys;
    left->uncommitted += more->uncommitted;
    left->pending += more->pending;
    left->scopes += more->scopes;
    left->changing += more->changing;
    left->damaged += more->damaged;
}

uint64_t gk_reencrypt_left_sum(const struct gk_reencrypt_left *left)
{
    return left->client_keys + left->uncommitted + left->pending + left->scopes + left->changing +
           left->damaged;
}

json_t *gk_reencrypt_state_json(const struct gk_reencrypt_state *state)
{
    json_t *object = json_object();
    gk_job_state_show(&state->job, PAUSED, object);
    json_object_set_new(object, "phase", json_string(phase_names[state->phase]));
    json_object_set_new(object, "rate", json_integer((json_int_t)state->job.rate));
    json_object_set_new(object, "counts",
                        gk_job_counts_json(count_names, COUNT(count_names), &state->counts));
    json_object_set_new(object, "passes", json_integer((json_int_t)state->passes));
    json_object_set_new(object, "found", json_integer((json_int_t)state->found));
    gk_job_cursor_show(&state->at, object);
    gk_job_state_show_times(&state->job, object);
    return object;
}

static bool parse(const json_t *object, struct gk_reencrypt_state *state)
{
    unsigned phase = 0;
    uint64_t rate = 0;
    const bool good = gk_job_state_parse(object, object, PAUSED, &state->job) &&
                      gk_job_parse_name(object, "phase", phase_names, COUNT(phase_names), &phase) &&
                      gk_job_cursor_parse(object, &state->at) &&
                      gk_job_parse_number(object, "rate", UINT32_MAX, &rate) &&
                      gk_job_parse_number(object, "passes", UINT32_MAX, &state->passes) &&
                      gk_job_parse_number(object, "found", INT64_MAX, &state->found) &&
                      gk_job_counts_parse(json_object_get(object, "counts"), count_names,
                                          COUNT(count_names), &state->counts);
    state->phase = (enum gk_reencrypt_phase)phase;
    state->job.rate = (uint32_t)rate;
    return good;
}

enum gk_status gk_reencrypt_state_read(struct gk_store *store, const char *object,
                                       struct gk_reencrypt_state *state, struct gk_error *error)
{
    json_t *json = NULL;
    *state = (struct gk_reencrypt_state){0};
    enum gk_status status =
        gk_job_row_read(store, object, STATE_KEY, STATE_BYTES_MAX, &json, error);
    if (status == GK_OK && !parse(json, state)) {
        status =
            gk_fail(error, GK_E_INTEGRITY, "the state of the last re-encryption cannot be read");
    }
    json_decref(json);
    return status;
}

enum gk_status gk_reencrypt_state_write(struct gk_store *store, const char *object,
                                        const struct gk_reencrypt_state *state,
                                        struct gk_error *error)
{
    return gk_job_row_write(store, object, STATE_KEY, true, gk_reencrypt_state_json(state), error);
}
