/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/page_rows.h"
#include "gateway/blob/reader.h"
#include "gateway/blob/target.h"
#include "gateway/scrub/verify.h"
#include "gateway/scrub/verify_loan.h"

#define READ_BYTES   ((size_t)GK_READ_CHUNKS * GK_CHUNK_PLAIN_BYTES)
#define ATTEMPTS_MAX 8u
#define STAGED_STEP  64u

struct subject {
    struct gk_scrub_run *run;
    const struct gk_scrub_place *place;
    struct gk_request request; /* of nobody: the gateway and the account, for what opens blobs */
    struct gk_blob_target target;
    uint8_t *buffer;
    struct gk_error *error;
};

/* --- one record ---------------------------------------------------------------------------------*/

static void subject_init(struct subject *subject, struct gk_scrub_run *run,
                         const struct gk_scrub_place *place, struct gk_error *error)
{
    *subject = (struct subject){.run = run,
                                .place = place,
                                .request = {.gateway = run->job.gateway,
                                            .account = place->account,
                                            .operation = GK_OP_BLOB_GET_BLOB},
                                .error = error};
    subject->target.container = place->container->id;
    subject->target.shard = place->shard;
    gk_index_name(&place->container->id, place->shard, subject->target.index);
    gk_buf_init(&subject->target.key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&subject->target.stored, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&subject->target.beside, GK_CHUNK_SEALED_BYTES);
}

/* False for one that cannot be opened. */
static bool open_record(struct subject *subject)
{
    return gk_blob_target_open(&subject->request, &subject->target, NULL) == GK_OK;
}

/* Fetches the record again. *changed: it is another one, or gone, which leaves stored empty. */
static enum gk_status read_again(struct subject *subject, bool *changed)
{
    struct gk_blob_target *target = &subject->target;
    struct gk_buf now;
    gk_buf_init(&now, GK_MAP_VALUE_BYTES_MAX);
    enum gk_status status =
        gk_store_map_get(subject->run->job.gateway->store, GK_POOL_META, target->index,
                         gk_buf_span(&target->key), &now, subject->error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(subject->error);
        status = GK_OK;
    }
    *changed = !gk_span_equal(gk_buf_span(&now), gk_buf_span(&target->stored));
    gk_buf_cleanup(&target->stored);
    target->stored = now;
    return status;
}

/* --- content ------------------------------------------------------------------------------------*/

static enum gk_status read_stream(struct subject *subject, struct gk_reader_stream *stream,
                                  uint64_t length)
{
    struct gk_scrub_run *run = subject->run;
    enum gk_status status = GK_OK;
    for (uint64_t left = length; left > 0 && status == GK_OK;) {
        size_t got = 0;
        gk_job_take_turn(&run->job);
        status = gk_job_go_on(&run->job, subject->error);
        if (status == GK_OK) {
            status =
                gk_reader_stream_next(stream, subject->buffer, READ_BYTES, &got, subject->error);
        }
        left -= got;
        run->state.counts.verified_bytes += got;
    }
    return status;
}

/* The chunk that stands beside the record, when one does. */
static enum gk_status read_beside(struct subject *subject)
{
    struct gk_blob_target *target = &subject->target;
    struct gk_buf key;
    gk_buf_reset(&target->beside);
    if (!target->record.manifest.beside) {
        return GK_OK;
    }
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_blob_data_key(&key, gk_buf_span(&target->key));
    const enum gk_status status = gk_value_get(subject->run->job.gateway->store, target->index,
                                               gk_buf_span(&key), &target->beside, subject->error);
    gk_buf_cleanup(&key);
    return status == GK_E_NOT_FOUND
               ? gk_fail(subject->error, GK_E_INTEGRITY, "its data beside the record is missing")
               : status;
}

static enum gk_status read_range(struct subject *subject, uint64_t from, uint64_t length)
{
    const struct gk_blob_target *target = &subject->target;
    struct gk_data_key *data_key = NULL;
    struct gk_reader_stream *stream = NULL;
    enum gk_status status =
        gk_blob_open_data_key(&subject->request, target, &data_key, subject->error);
    if (status == GK_OK) {
        status = gk_reader_stream_new(&subject->request, target, data_key, from, length, &stream,
                                      subject->error);
    }
    if (status == GK_OK) {
        status = read_stream(subject, stream, length);
    }
    gk_reader_stream_free(stream);
    return status;
}

/* Of a page blob, the pieces that have an object. */
static enum gk_status read_pages(struct subject *subject)
{
    const struct gk_blob_target *target = &subject->target;
    const uint64_t size = target->record.size;
    const uint32_t end = (uint32_t)((size + GK_PAGE_OBJECT_BYTES - 1) / GK_PAGE_OBJECT_BYTES);
    struct gk_page_rows rows = {.items = calloc(GK_PAGE_ROWS_MAX, sizeof *rows.items)};
    struct gk_page_space space;
    uint32_t index = 0;
    enum gk_status status =
        rows.items == NULL ? gk_fail(subject->error, GK_E_RESOURCE, "out of memory") : GK_OK;
    gk_page_space_init(&space, &subject->request, target);
    while (status == GK_OK && index < end) {
        status = gk_page_rows_next(&space, &index, end, &rows, subject->error);
        for (uint32_t i = 0; i < rows.count && status == GK_OK; i++) {
            const uint64_t from = (uint64_t)rows.items[i].index * GK_PAGE_OBJECT_BYTES;
            const uint64_t left = size - from;
            status = read_range(subject, from,
                                left < GK_PAGE_OBJECT_BYTES ? left : GK_PAGE_OBJECT_BYTES);
        }
    }
    free(rows.items);
    return status;
}

/* All chunks, or blocks, of what the target's record says. */
static enum gk_status read_content(struct subject *subject)
{
    if (subject->target.record.kind.type == GK_BLOB_PAGE) {
        return read_pages(subject);
    }
    const enum gk_status status = read_beside(subject);
    return status == GK_OK ? read_range(subject, 0, subject->target.record.size) : status;
}

static enum gk_status read_metadata(struct subject *subject)
{
    struct gk_data_key *data_key = NULL;
    struct gk_metadata metadata;
    gk_metadata_init(&metadata);
    enum gk_status status =
        gk_blob_open_data_key(&subject->request, &subject->target, &data_key, subject->error);
    if (status == GK_OK) {
        status = gk_blob_metadata(&subject->request, &subject->target, data_key, &metadata,
                                  subject->error);
    }
    subject->run->job.gateway->host->plugin->data_key_free(data_key);
    gk_metadata_cleanup(&metadata);
    return status;
}

static enum gk_status verify_record(struct subject *subject)
{
    const struct gk_blob_record *record = &subject->target.record;
    if (!subject->target.exists) { /* it says that there are states alone */
        return GK_OK;
    }
    enum gk_status status = read_metadata(subject);
    if (status == GK_OK) {
        status =
            gk_scrub_verify_loan(subject->run, &subject->request, &subject->target, subject->error);
    }
    return status == GK_OK && record->state == GK_BLOB_COMMITTED && record->size > 0
               ? read_content(subject)
               : status;
}

/* --- blocks that are staged ---------------------------------------------------------------------*/

/* Some of them, copied out of a walk. */
struct staged {
    struct gk_buf rows; /* key length 2 | key | value length 2 | value ... */
    struct gk_buf last;
    size_t count;
};

static bool collect_staged(void *ctx, struct gk_span key, struct gk_span value)
{
    struct staged *staged = ctx;
    gk_buf_append_u16(&staged->rows, (uint16_t)key.len);
    gk_buf_append(&staged->rows, key.data, key.len);
    gk_buf_append_u16(&staged->rows, (uint16_t)value.len);
    gk_buf_append(&staged->rows, value.data, value.len);
    gk_buf_reset(&staged->last);
    gk_buf_append(&staged->last, key.data, key.len);
    staged->count++;
    return gk_buf_status(&staged->rows) == GK_OK;
}

/* Reads a block as if the blob were that block alone. */
static enum gk_status read_block(struct subject *subject, const struct gk_staged *block)
{
    struct gk_blob_record *record = &subject->target.record;
    const struct gk_manifest manifest = record->manifest;
    const uint64_t size = record->size;
    struct gk_manifest_entry entry = {.segment = block->segment, .length = block->length};
    record->manifest = (struct gk_manifest){.entries_count = 1, .entries = &entry};
    record->size = block->length;
    const enum gk_status status = block->length == 0 ? GK_OK : read_content(subject);
    record->manifest = manifest;
    record->size = size;
    return status;
}

static enum gk_status still_staged(struct subject *subject, struct gk_span key,
                                   struct gk_span value, bool *still)
{
    struct gk_buf now;
    gk_buf_init(&now, GK_MAP_VALUE_BYTES_MAX);
    enum gk_status status = gk_store_map_get(subject->run->job.gateway->store, GK_POOL_META,
                                             subject->target.index, key, &now, subject->error);
    *still = status == GK_OK && gk_span_equal(gk_buf_span(&now), value);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(subject->error);
        status = GK_OK;
    }
    gk_buf_cleanup(&now);
    return status;
}

static void tell(struct subject *subject, const char *what)
{
    const struct gk_span key = gk_buf_span(&subject->target.key);
    gk_scrub_tell_damaged(
        subject->run, subject->place->account->name, subject->place->container->name,
        gk_is_state_key(key) ? gk_state_key_name(key) : gk_span_of(key.data + 2, key.len - 2),
        what);
}

/* The walk has told of a row that cannot be opened. */
static enum gk_status verify_block(struct subject *subject, struct gk_span key,
                                   struct gk_span value)
{
    const struct gk_place place =
        gk_index_place(&subject->request, &subject->target.container, GK_VALUE_STAGED, key);
    struct gk_staged block;
    struct gk_buf open;
    gk_buf_init(&open, GK_STAGED_BYTES_MAX);
    const bool opened = gk_value_open(&place, value, &open, NULL) == GK_OK &&
                        gk_staged_decode(gk_buf_span(&open), &block, NULL) == GK_OK;
    gk_buf_cleanup(&open);
    if (!opened) {
        return GK_OK;
    }
    struct gk_error why = {0};
    struct gk_error *outer = subject->error;
    subject->error = &why;
    enum gk_status status = read_block(subject, &block);
    subject->error = outer;
    if (status != GK_E_INTEGRITY) {
        return status == GK_OK ? GK_OK : gk_fail(outer, status, "%s", why.message);
    }
    bool still = false;
    status = still_staged(subject, key, value, &still);
    if (status == GK_OK && still) {
        char what[256];
        snprintf(what, sizeof what, "a staged block: %.200s", why.message);
        tell(subject, what);
    }
    return status;
}

static enum gk_status verify_blocks(struct subject *subject, const struct staged *staged)
{
    enum gk_status status = gk_buf_status(&staged->rows);
    struct gk_reader in = gk_reader_of(gk_buf_span(&staged->rows));
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u16(&in));
        status = verify_block(subject, key, value);
    }
    return status;
}

static enum gk_status verify_staged(struct subject *subject)
{
    const struct gk_blob_target *target = &subject->target;
    struct gk_buf prefix;
    struct gk_buf after;
    struct staged staged = {.count = 0};
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&staged.rows, STAGED_STEP * (size_t)(GK_MAP_KEY_BYTES_MAX + UINT16_MAX));
    gk_buf_init(&staged.last, GK_MAP_KEY_BYTES_MAX);
    gk_staged_prefix(&prefix, &target->record.object, target->record.epoch);
    enum gk_status status = GK_OK;
    do {
        const struct gk_map_range range = {
            .prefix = gk_buf_span(&prefix), .after = gk_buf_span(&after), .limit = STAGED_STEP};
        gk_buf_reset(&staged.rows);
        staged.count = 0;
        status = gk_store_map_walk(subject->run->job.gateway->store, GK_POOL_META, target->index,
                                   &range, collect_staged, &staged, subject->error);
        gk_buf_reset(&after);
        gk_buf_append(&after, staged.last.data, staged.last.len);
        if (status == GK_OK) {
            status = verify_blocks(subject, &staged);
        }
    } while (status == GK_OK && staged.count == STAGED_STEP);
    gk_buf_cleanup(&prefix);
    gk_buf_cleanup(&after);
    gk_buf_cleanup(&staged.rows);
    gk_buf_cleanup(&staged.last);
    return status;
}

/* Of its scope, the account's key being there. */
static bool scope_is_dark(const struct gk_error *why)
{
    return why->http_status == 403 || why->http_status == 503;
}

/* --- the blob -----------------------------------------------------------------------------------*/

/* Once for each state that the record is found in: what it named may be gone when it is replaced. */
static enum gk_status verify_states(struct subject *subject)
{
    enum gk_status status = GK_OK;
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX && open_record(subject); attempt++) {
        bool changed = false;
        if (subject->target.record.encryption.kind == GK_ENCRYPTION_CLIENT_KEY) {
            return gk_fail(subject->error, GK_E_UNSUPPORTED, "a client has its key");
        }
        status = gk_blob_use_scope(&subject->request, &subject->target, subject->error);
        if (status != GK_OK) {
            return scope_is_dark(subject->error) ? GK_E_UNSUPPORTED : status;
        }
        struct gk_error why = {0};
        struct gk_error *outer = subject->error;
        subject->error = &why;
        status = verify_record(subject);
        if (status == GK_OK && !gk_is_state_key(gk_buf_span(&subject->target.key))) {
            status = verify_staged(subject);
        }
        subject->error = outer;
        if (status == GK_E_INTEGRITY || status == GK_E_NOT_FOUND) {
            status = read_again(subject, &changed);
            if (status == GK_OK && !changed) {
                tell(subject, why.message);
            }
        } else if (status != GK_OK) {
            (void)gk_fail(subject->error, status, "%s", why.message);
            if (subject->error != NULL) {
                memcpy(subject->error->code, why.code, sizeof why.code);
            }
        }
        if (!changed) {
            return status;
        }
    }
    return status;
}

enum gk_status gk_scrub_verify_blob(struct gk_scrub_run *run, const struct gk_scrub_place *place,
                                    struct gk_span key, struct gk_span value,
                                    struct gk_error *error)
{
    struct subject subject;
    subject_init(&subject, run, place, error);
    gk_buf_append(&subject.target.key, key.data, key.len);
    gk_buf_append(&subject.target.stored, value.data, value.len);
    subject.buffer = malloc(READ_BYTES);
    enum gk_status status = subject.buffer == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                   : verify_states(&subject);
    if (subject.buffer != NULL) {
        gk_wipe(subject.buffer, READ_BYTES);
    }
    free(subject.buffer);
    gk_blob_target_cleanup(&subject.target);
    return status;
}
