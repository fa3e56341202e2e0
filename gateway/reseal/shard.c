/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"
#include "gateway/blob/value.h"
#include "gateway/reseal/run.h"

#define STEP            256u
#define NAMES_BYTES_MAX ((size_t)STEP * (GK_MAP_KEY_BYTES_MAX + 2u))

/* Some rows of a shard, looked at. */
struct look {
    struct gk_reseal_run *run;
    const struct gk_scrub_container *container;
    struct gk_buf last;  /* key of the last one */
    struct gk_buf names; /* of blobs that have to be resealed: length 2 | name ... */
    size_t last_name;    /* where the last one begins there */
    uint32_t rows;
};

/* A blob with all its states is resealed at once, and those stand together. */
static void note_name(struct look *look, struct gk_span name)
{
    const struct gk_span last =
        look->names.len == 0
            ? gk_span_of(NULL, 0)
            : gk_span_of(look->names.data + look->last_name, look->names.len - look->last_name);
    if (look->names.len > 0 && gk_span_equal(last, name)) {
        return;
    }
    gk_buf_append_u16(&look->names, (uint16_t)name.len);
    look->last_name = look->names.len;
    gk_buf_append(&look->names, name.data, name.len);
}

static void note_met(struct gk_reseal_run *run, struct gk_reseal_owner *owner, uint32_t generation)
{
    for (size_t i = 0; i < owner->met_count; i++) {
        if (owner->met[i] == generation) {
            return;
        }
    }
    if (owner->met_count == GK_ACCOUNT_GENERATIONS_MAX) {
        run->unsure = true; /* more than there can be: some are of none */
        return;
    }
    owner->met[owner->met_count++] = generation;
}

/* What a record that was opened says of the root keys in use. */
static void note(struct look *look, struct gk_span key, const struct gk_blob_record *record)
{
    struct gk_reseal_run *run = look->run;
    struct gk_reseal_owner *owner = gk_reseal_owner_of(run, &record->encryption);
    uint32_t generation = 0;
    if (owner == NULL || record->state == GK_BLOB_GONE) {
        return;
    }
    if (run->common.job.gateway->host->plugin->data_key_generation(
            gk_span_of(record->sealed_data_key, sizeof record->sealed_data_key), &generation,
            NULL) != GK_OK) {
        gk_reseal_tell_damaged(run, look->container->name, "a record has no data key", true);
        return;
    }
    if (generation >= owner->active) {
        return;
    }
    const bool clients = record->encryption.kind == GK_ENCRYPTION_CLIENT_KEY;
    if (run->state.phase == GK_RESEAL_PROOF) {
        note_met(run, owner, generation);
        run->state.counts.left += clients;
        run->state.counts.left_behind += !clients;
    } else if (!clients) {
        note_name(look, gk_is_state_key(key) ? gk_state_key_name(key)
                                             : gk_span_of(key.data + 2, key.len - 2));
    }
}

static bool visit(void *ctx, struct gk_span key, struct gk_span value)
{
    struct look *look = ctx;
    struct gk_reseal_run *run = look->run;
    const struct gk_place place = {.plugin = run->common.job.gateway->host->plugin,
                                   .account = run->common.account->handle,
                                   .kind = GK_VALUE_BLOB,
                                   .container = look->container->id,
                                   .key = key};
    struct gk_error why = {0};
    struct gk_blob_record record;
    struct gk_buf open;
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, &why);
    if (status == GK_OK) {
        status = gk_blob_record_decode(gk_buf_span(&open), &record, &why);
    }
    gk_buf_cleanup(&open);
    if (status == GK_OK) {
        note(look, key, &record);
        gk_blob_record_cleanup(&record);
    } else {
        gk_reseal_tell_damaged(run, look->container->name, why.message, true);
    }
    run->state.counts.blobs += run->state.phase == GK_RESEAL_KEYS;
    gk_buf_reset(&look->last);
    gk_buf_append(&look->last, key.data, key.len);
    look->rows++;
    return true;
}

static enum gk_status reseal_names(struct look *look, uint32_t shard, struct gk_error *error)
{
    struct gk_reseal_run *run = look->run;
    enum gk_status status = gk_buf_status(&look->names);
    struct gk_reader in = gk_reader_of(gk_buf_span(&look->names));
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span name = gk_read_span(&in, gk_read_u16(&in));
        gk_job_take_turn(&run->common.job);
        status = gk_job_go_on(&run->common.job, error);
        if (status == GK_OK) {
            status = gk_reseal_blob(run, look->container, shard, name, error);
        }
    }
    return status;
}

/* All rows whose keys begin with kind. */
static enum gk_status walk(struct look *look, const char *index, uint32_t shard, const char *kind,
                           struct gk_error *error)
{
    struct gk_reseal_run *run = look->run;
    struct gk_buf after;
    enum gk_status status = GK_OK;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_reset(&look->last);
    do {
        gk_buf_reset(&after);
        gk_buf_append(&after, look->last.data, look->last.len);
        const struct gk_map_range range = {
            .prefix = gk_span_str(kind), .after = gk_buf_span(&after), .limit = STEP};
        look->rows = 0;
        gk_buf_reset(&look->names);
        status = gk_job_go_on(&run->common.job, error);
        if (status == GK_OK) {
            status = gk_store_map_walk(run->common.job.gateway->store, GK_POOL_META, index, &range,
                                       visit, look, error);
        }
        if (status == GK_OK) {
            status = reseal_names(look, shard, error);
        }
    } while (status == GK_OK && look->rows > 0);
    gk_buf_cleanup(&after);
    return status;
}

/* Bases first: what leaves one becomes a state of the same blob. */
enum gk_status gk_reseal_shard(void *ctx, const struct gk_scrub_container *container,
                               uint32_t shard, struct gk_error *error)
{
    struct gk_reseal_run *run = ctx;
    char index[GK_INDEX_NAME_BYTES];
    struct look look = {.run = run, .container = container};
    gk_index_name(&container->id, shard, index);
    gk_buf_init(&look.last, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&look.names, NAMES_BYTES_MAX);
    enum gk_status status = walk(&look, index, shard, "b/", error);
    if (status == GK_OK) {
        status = walk(&look, index, shard, GK_STATE_KIND, error);
    }
    gk_buf_cleanup(&look.last);
    gk_buf_cleanup(&look.names);
    if (status == GK_E_NOT_FOUND) { /* the container was removed meanwhile */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}
