/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_work.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/blob/copy_pend.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/manifest.h"
#include "gateway/blob/reader.h"
#include "gateway/http/key_policy.h"

#define PART_BYTES       (UINT64_C(64) << 20)
#define BLOCK_PARTS_MAX  50000u
#define APPEND_PARTS_MAX 1600u /* blocks may be appended to the copy: room is left for them */
#define APPEND_BLOCKS    50000u
#define PIECE_BYTES      (128u << 10)
#define ROW_YOUNG_MS     (10 * 60 * 1000) /* a row's copy is written within this of the row */
#define WAIT_MS_MAX      (INT64_C(14) * 24 * 60 * 60 * 1000)
static_assert(BLOCK_PARTS_MAX <= GK_MANIFEST_PAGES_MAX * GK_MANIFEST_INLINE_MAX, "all parts");
static_assert(APPEND_BLOCKS + APPEND_PARTS_MAX <= GK_MANIFEST_PAGES_MAX * GK_MANIFEST_INLINE_MAX,
              "all parts and all blocks");

struct step {
    const struct gk_copy_work *work;
    const struct gk_copy_row *row;
    struct gk_request to; /* of nobody: the Copy Blob */
    struct gk_blob_target target;
    struct gk_data_key *key;
    struct gk_request from; /* of nobody: the Get Blob of the source */
    struct gk_pair state;   /* its query, when that is a snapshot or a version */
    char time[GK_STATE_TIME_TEXT_BYTES];
    struct gk_blob_target source;
    struct gk_data_key *source_key;
    struct gk_writer *writer;
    uint64_t offset; /* of the part */
    uint64_t length;
    bool final; /* what went wrong will not be otherwise another time */
    bool moved; /* it went wrong because the source has other data by now, of the same content */
};

uint64_t gk_copy_part_bytes(const struct gk_blob_record *source, uint64_t done)
{
    const uint64_t parts = source->kind.type == GK_BLOB_APPEND ? APPEND_PARTS_MAX : BLOCK_PARTS_MAX;
    const uint64_t chunks =
        source->size / GK_CHUNK_PLAIN_BYTES / parts + 1; /* of a part, at least */
    const uint64_t least = chunks * GK_CHUNK_PLAIN_BYTES;
    const uint64_t part = least > PART_BYTES ? least : PART_BYTES;
    return source->size - done < part ? source->size - done : part;
}

/* --- the copy -----------------------------------------------------------------------------------*/

static bool is_this_copy(const struct step *step)
{
    return step->target.exists && gk_id_equal(&step->target.record.copy.id, &step->row->id);
}

/* The blob as it is now. *closed: its container was deleted, and may be restored. */
static enum gk_status read_target(struct step *step, bool *closed, struct gk_error *error)
{
    return gk_blob_target_fetch(&step->to, &step->target, closed, error);
}

static enum gk_status open_target(struct step *step, struct gk_error *error)
{
    enum gk_status status = gk_key_policy_check(&step->to, error);
    if (status == GK_OK) {
        status = gk_blob_use_scope(&step->to, &step->target, error);
    }
    return status == GK_OK ? gk_blob_open_data_key(&step->to, &step->target, &step->key, error)
                           : status;
}

/* --- its source ---------------------------------------------------------------------------------*/

static enum gk_status source_is_gone(struct gk_error *error)
{
    return gk_refuse(error, 404, "BlobNotFound");
}

static enum gk_status open_source_account(struct step *step, struct gk_error *error)
{
    const struct gk_copy_origin *origin = &step->target.record.copy.unfinished.origin;
    struct gk_request *from = &step->from;
    const enum gk_status status =
        gk_accounts_get(step->work->gateway->accounts, origin->account, &from->account, error);
    if (status == GK_E_NOT_FOUND ||
        (status == GK_OK && !gk_id_equal(&from->account->id, &origin->account_id))) {
        return source_is_gone(error);
    }
    return status;
}

/* The request that its client could have made, of names that live until the copy's record is read again. */
static void describe_source(struct step *step)
{
    const struct gk_copy_origin *origin = &step->target.record.copy.unfinished.origin;
    struct gk_request *from = &step->from;
    from->gateway = step->work->gateway;
    from->operation = GK_OP_BLOB_GET_BLOB;
    from->permissions = GK_PERMIT_ALL;
    from->account_name = origin->account;
    from->container = origin->container;
    from->blob = origin->blob;
    if (origin->kind != GK_STATE_BASE) {
        gk_state_time_format(origin->time, step->time);
        step->state =
            (struct gk_pair){.name = origin->kind == GK_STATE_SNAPSHOT ? "snapshot" : "versionid",
                             .value = step->time};
        from->query = &step->state;
        from->query_count = 1;
    }
}

/* The source is still what the copy was asked of; its object is another once it was re-encrypted. */
static enum gk_status check_source(const struct step *step, struct gk_error *error)
{
    const struct gk_copy_origin *origin = &step->target.record.copy.unfinished.origin;
    const struct gk_blob_record *record = &step->source.record;
    return record->etag == origin->etag && record->size == step->target.record.copy.bytes
               ? GK_OK
               : gk_refuse(error, 412, "SourceConditionNotMet");
}

static enum gk_status open_source(struct step *step, struct gk_error *error)
{
    describe_source(step);
    enum gk_status status = open_source_account(step, error);
    if (status == GK_OK) {
        status = gk_key_policy_check(&step->from, error);
    }
    if (status == GK_OK) {
        status = gk_blob_target_load_content(&step->from, &step->source, error);
    }
    if (status == GK_OK) {
        status = check_source(step, error);
    }
    return status == GK_OK
               ? gk_blob_open_data_key(&step->from, &step->source, &step->source_key, error)
               : status;
}

/* --- a part -------------------------------------------------------------------------------------*/

static enum gk_status pour(struct step *step, struct gk_reader_stream *stream,
                           struct gk_error *error)
{
    uint8_t *bytes = malloc(PIECE_BYTES);
    enum gk_status status = bytes == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    size_t len = 1;
    while (status == GK_OK && len > 0) {
        status = step->work->stop(step->work->stop_ctx)
                     ? gk_fail(error, GK_E_UNAVAILABLE, "broken off")
                     : gk_reader_stream_next(stream, bytes, PIECE_BYTES, &len, error);
        if (status == GK_OK && len > 0) {
            status = gk_writer_append(step->writer, gk_span_of(bytes, len), error);
        }
    }
    gk_wipe(bytes, bytes == NULL ? 0 : PIECE_BYTES);
    free(bytes);
    return status;
}

static enum gk_status pour_part(struct step *step, struct gk_error *error)
{
    static const struct gk_writer_sums none = {.md5 = false};
    struct gk_reader_stream *stream = NULL;
    step->offset = step->target.record.copy.unfinished.done_bytes;
    step->length = gk_copy_part_bytes(&step->source.record, step->offset);
    enum gk_status status = gk_writer_new(step->work->gateway, step->key, &step->target.container,
                                          step->length, none, false, &step->writer, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_reader_stream_new(&step->from, &step->source, step->source_key, step->offset,
                                  step->length, &stream, error);
    step->source_key = NULL; /* the stream has it */
    if (status == GK_OK) {
        status = pour(step, stream, error);
    }
    gk_reader_stream_free(stream);
    return status;
}

/* What went wrong with the source: another time it would again. Keys come back, and vaults. */
static bool is_final(const struct gk_error *error)
{
    return error->status == GK_E_INTEGRITY ||
           (error->status == GK_E_INVALID && error->http_status != 403);
}

/* What could not be read was of before: the source was encrypted anew, and what it had is removed. */
static bool source_has_moved(struct step *step)
{
    const struct gk_id object = step->source.record.object;
    struct gk_error why = {0};
    gk_blob_target_cleanup(&step->source);
    step->source = (struct gk_blob_target){.kind = GK_STATE_BASE};
    return gk_blob_target_load_content(&step->from, &step->source, &why) == GK_OK &&
           check_source(step, &why) == GK_OK && !gk_id_equal(&object, &step->source.record.object);
}

static enum gk_status copy_part(struct step *step, struct gk_error *error)
{
    enum gk_status status = open_target(step, error);
    if (status != GK_OK) {
        return status;
    }
    status = open_source(step, error);
    if (status == GK_OK) {
        status = pour_part(step, error);
        step->moved = status == GK_E_INTEGRITY && source_has_moved(step);
    }
    step->final = status != GK_OK && !step->moved && is_final(error);
    return status;
}

/* --- its write ----------------------------------------------------------------------------------*/

/* All is there: the copy shows it. */
static void complete(const struct step *step, struct gk_blob_record *record)
{
    const struct gk_blob_record *source = &step->source.record;
    record->size = source->size;
    record->has_md5 = source->has_md5;
    memcpy(record->md5, source->md5, sizeof record->md5);
    record->odd_md5 = source->odd_md5;
    record->kind.blocks_count = source->kind.blocks_count;
    gk_copy_origin_clear(&record->copy.unfinished.origin);
    record->copy.unfinished = (struct gk_copy_unfinished){.status = GK_COPY_SUCCESS};
    record->copy.completed_wall_ms = gk_clock_wall_ms(&step->work->gateway->clock);
    gk_blob_touch(&step->to, record);
}

static enum gk_status add_part(struct step *step, struct gk_blob_write *write,
                               struct gk_buf *page_key, struct gk_error *error)
{
    struct gk_blob_record *record = &step->target.record;
    struct gk_copy_unfinished *unfinished = &record->copy.unfinished;
    struct gk_manifest_entry entries[GK_WRITER_SEGMENTS_MAX];
    (void)gk_writer_segments(step->writer, entries); /* a part is one segment */
    const enum gk_status status =
        gk_manifest_append(&step->to, &step->target.container, &entries[0], &record->manifest,
                           &write->changes, page_key, error);
    if (status != GK_OK) {
        return status;
    }
    if (page_key->len > 0) {
        gk_blob_write_guard(
            write, (struct gk_guard){.kind = GK_GUARD_MAP_ABSENT, .key = gk_buf_span(page_key)});
    }
    unfinished->done_bytes += step->length;
    unfinished->description[0] = '\0';
    if (unfinished->done_bytes == record->copy.bytes) {
        complete(step, record);
    }
    return gk_blob_write_open_part(write, &step->to, &step->target, record, error);
}

static enum gk_status write_part(struct step *step, struct gk_error *error)
{
    struct gk_blob_write write;
    struct gk_buf page_key;
    gk_buf_init(&page_key, GK_MAP_KEY_BYTES_MAX);
    gk_blob_write_init(&write, &step->target);
    enum gk_status status = add_part(step, &write, &page_key, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, &step->to, &step->target, step->writer, error);
    }
    gk_blob_write_cleanup(&write);
    gk_buf_cleanup(&page_key);
    return status;
}

/* As documented: an answer's status, its code and text. An answer of the store's alone has none of these. */
static void describe(const struct gk_error *trouble, char out[GK_COPY_DESCRIPTION_BYTES])
{
    const bool damaged = trouble->status == GK_E_INTEGRITY;
    const bool told = !damaged && trouble->http_status != 0 && trouble->code[0] != '\0';
    const unsigned http_status = damaged ? 500 : told ? trouble->http_status : 503;
    const char *code = damaged ? "IntegrityCheckFailed" : told ? trouble->code : "ServerBusy";
    snprintf(out, GK_COPY_DESCRIPTION_BYTES, "%u %s \"%s\"", http_status, code,
             gk_error_text(code));
}

/* Fails, or tells what it waits for, once. */
static enum gk_status write_trouble(struct step *step, const struct gk_error *trouble,
                                    struct gk_error *error)
{
    struct gk_blob_record *record = &step->target.record;
    char description[GK_COPY_DESCRIPTION_BYTES];
    describe(trouble, description);
    if (!step->final && (trouble->http_status == 0 ||
                         strcmp(description, record->copy.unfinished.description) == 0)) {
        return GK_OK;
    }
    struct gk_blob_write write;
    enum gk_status status = GK_OK;
    gk_blob_write_init(&write, &step->target);
    if (step->final) {
        status = gk_copy_end(&write, &step->to, &step->target, GK_COPY_FAILED, description, error);
    } else {
        memcpy(record->copy.unfinished.description, description, sizeof description);
        status = gk_blob_write_open_part(&write, &step->to, &step->target, record, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, &step->to, &step->target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* --- a step -------------------------------------------------------------------------------------*/

/* Under the record's lock: the copy is looked at again, and written when it is what it was. */
static enum gk_status write_locked(struct step *step, const struct gk_error *trouble,
                                   struct gk_error *error)
{
    const uint64_t done = step->target.record.copy.unfinished.done_bytes;
    bool closed = false;
    enum gk_status status = read_target(step, &closed, error);
    if (status == GK_OK && (closed || !is_this_copy(step) || !gk_copy_is_pending(&step->target) ||
                            step->target.record.copy.unfinished.done_bytes != done)) {
        status = gk_fail(error, GK_E_CONFLICT, "a pending copy was changed meanwhile");
    }
    if (status != GK_OK) {
        return status;
    }
    return trouble == NULL ? write_part(step, error) : write_trouble(step, trouble, error);
}

static enum gk_status write_step(struct step *step, const struct gk_error *trouble,
                                 struct gk_error *error)
{
    enum gk_status status = gk_record_lock_write(&step->target, error);
    if (status == GK_OK) {
        status = write_locked(step, trouble, error);
        gk_record_unlock(&step->target);
    }
    return status;
}

/* What is to be done after a write that ended so. */
static enum gk_copy_turn turn_after(const struct step *step, enum gk_status status)
{
    switch (status) {
    case GK_OK:
        return gk_copy_is_pending(&step->target) ? GK_COPY_TURN_MORE : GK_COPY_TURN_OVER;
    case GK_E_CONFLICT:
    case GK_E_EXISTS:
        return GK_COPY_TURN_MORE;
    default:
        return GK_COPY_TURN_WAIT;
    }
}

static enum gk_copy_turn copy_some(struct step *step)
{
    struct gk_error trouble = {0};
    struct gk_error error = {0};
    if (copy_part(step, &trouble) == GK_OK) {
        return turn_after(step, write_step(step, NULL, &error));
    }
    if (step->moved) {
        return GK_COPY_TURN_MORE;
    }
    const int64_t asked_wall_ms = step->target.record.copy.unfinished.asked_wall_ms;
    step->final =
        step->final || gk_clock_wall_ms(&step->work->gateway->clock) - asked_wall_ms > WAIT_MS_MAX;
    gk_log(GK_LOG_DEBUG, "copier", "account %s: a pending copy %s: %s", step->row->account,
           step->final ? "fails" : "waits", trouble.message);
    const enum gk_status status = write_step(step, &trouble, &error);
    return step->final ? turn_after(step, status) : GK_COPY_TURN_WAIT;
}

/* Nobody has the copy that the row tells of: it ended, or its record is about to be written. */
static enum gk_copy_turn without_copy(const struct step *step)
{
    const int64_t age_ms =
        gk_clock_wall_ms(&step->work->gateway->clock) - step->row->written_wall_ms;
    return is_this_copy(step) || age_ms > ROW_YOUNG_MS ? GK_COPY_TURN_OVER : GK_COPY_TURN_WAIT;
}

static enum gk_copy_turn take_turn(struct step *step)
{
    struct gk_error error = {0};
    bool closed = false;
    if (read_target(step, &closed, &error) != GK_OK || closed) {
        return GK_COPY_TURN_WAIT;
    }
    return is_this_copy(step) && gk_copy_is_pending(&step->target) ? copy_some(step)
                                                                   : without_copy(step);
}

static void cleanup(struct step *step)
{
    const struct gk_plugin *plugin = step->work->gateway->host->plugin;
    gk_writer_free(step->writer);
    plugin->data_key_free(step->source_key);
    plugin->data_key_free(step->key);
    gk_blob_target_cleanup(&step->source);
    gk_blob_target_cleanup(&step->target);
    if (step->from.account != NULL) {
        gk_accounts_put(step->from.account);
    }
    gk_accounts_put(step->to.account);
}

enum gk_copy_turn gk_copy_work_step(const struct gk_copy_work *work, const struct gk_copy_row *row)
{
    struct step step = {
        .work = work,
        .row = row,
        .to = {.gateway = work->gateway, .operation = GK_OP_BLOB_COPY_BLOB, .container = ""}};
    struct gk_error error = {0};
    const enum gk_status status =
        gk_accounts_get(work->gateway->accounts, row->account, &step.to.account, &error);
    if (status != GK_OK) {
        return status == GK_E_NOT_FOUND ? GK_COPY_TURN_OVER : GK_COPY_TURN_WAIT;
    }
    gk_blob_target_name(&step.target, &row->container, row->shard,
                        gk_span_of(row->blob, row->blob_len));
    const enum gk_copy_turn turn =
        gk_id_equal(&step.to.account->id, &row->account_id) ? take_turn(&step) : GK_COPY_TURN_OVER;
    cleanup(&step);
    return turn;
}
