/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put Block (Storage REST reference, "Put Block"). A staged block is a segment of its own, under the
 * blob's data key, and an entry in the index that Put Block List will find; the blob's record stays
 * as it is. The first block of a new blob makes a record without content, which holds the data key.
 */
#include <assert.h>

#include "common/error.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/upload.h"

#define BLOCK_BYTES_MAX (UINT64_C(4000) << 20)
static_assert(BLOCK_BYTES_MAX <= GK_SEGMENT_BYTES_MAX, "a block is one segment");

struct put_block {
    struct gk_upload upload;
    struct gk_block_id block;
    struct gk_buf key; /* of the staged block */
};

/* Makes the record that the first staged block of a blob needs. Holds the record's lock. */
static enum gk_status make_record(struct gk_request *request, struct gk_upload *put,
                                  struct gk_error *error)
{
    struct gk_blob_record record = {.state = GK_BLOB_UNCOMMITTED};
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    record.created_wall_ms = now;
    record.modified_wall_ms = now;
    record.etag = gk_etag_new(now);
    enum gk_status status =
        gk_blob_new_data_key(request, &put->target, &record, &put->data_key, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_blob_write write;
    gk_blob_write_init(&write, &put->target);
    status =
        gk_blob_write_record(&write, request, &put->target, &record, put->data_key, NULL, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, &put->target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    if (status == GK_OK || status == GK_E_EXISTS) {
        status = gk_blob_target_read(request, &put->target, error);
    }
    /* Another gateway's record may stand there, also when ours did for a moment. */
    if (status == GK_OK &&
        !(put->target.exists && gk_id_equal(&put->target.record.object, &record.object))) {
        request->gateway->host->plugin->data_key_free(put->data_key);
        put->data_key = NULL;
    }
    return status;
}

/* The blob's data key, of a record that is there or is made now. */
static enum gk_status open_blob(struct gk_request *request, struct gk_upload *put,
                                struct gk_error *error)
{
    enum gk_status status = GK_OK;
    if (!put->target.exists) {
        status = gk_record_lock_write(&put->target, error);
        if (status != GK_OK) {
            return status;
        }
        status = gk_blob_target_read(request, &put->target, error);
        if (status == GK_OK && !put->target.exists) {
            status = make_record(request, put, error);
        }
        gk_record_unlock(&put->target);
    }
    if (status == GK_OK && put->data_key == NULL) {
        status = put->target.exists
                     ? gk_blob_open_data_key(request, &put->target, &put->data_key, error)
                     : gk_fail(error, GK_E_CONFLICT, "a blob was removed while it was made");
    }
    return status;
}

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_upload_new(request, sizeof(struct put_block), error);
    if (status != GK_OK) {
        return status;
    }
    struct put_block *put = request->state;
    struct gk_upload *upload = &put->upload;
    gk_buf_init(&put->key, GK_MAP_KEY_BYTES_MAX);
    if (request->content_length == 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "A block has one byte at least: Content-Length");
    }
    status = gk_block_id_read(request, &put->block, error);
    if (status == GK_OK) {
        status = gk_body_sums_read(request, false, &upload->sums, error);
    }
    if (status == GK_OK) {
        status = gk_blob_target_load(request, &upload->target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_check_type(&upload->target, GK_BLOB_BLOCK, error);
    }
    if (status == GK_OK) {
        status = gk_blob_lease_check(request, &upload->target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) {
        status = gk_blob_pending_check(&upload->target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_online_check(request, &upload->target, error);
    }
    if (status == GK_OK) {
        status = open_blob(request, upload, error);
    }
    return status == GK_OK ? gk_upload_expect(request, false, error) : status;
}

/* --- staging ------------------------------------------------------------------------------------*/

/* What stands under the block's key now: stored is empty when nothing does. */
static enum gk_status read_staged(const struct gk_request *request, const struct put_block *put,
                                  struct gk_buf *stored, struct gk_staged *staged,
                                  struct gk_error *error)
{
    enum gk_status status = gk_value_get(request->gateway->store, put->upload.target.index,
                                         gk_buf_span(&put->key), stored, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status == GK_OK
               ? gk_staged_open(request, &put->upload.target.container, gk_buf_span(&put->key),
                                gk_buf_span(stored), staged, error)
               : status;
}

static enum gk_status add_staged(struct gk_blob_write *write, const struct gk_request *request,
                                 const struct put_block *put, struct gk_error *error)
{
    struct gk_manifest_entry entries[GK_WRITER_SEGMENTS_MAX];
    (void)gk_writer_segments(put->upload.writer,
                             entries); /* a block is never longer than one segment */
    const struct gk_staged staged = {.segment = entries[0].segment, .length = entries[0].length};
    const struct gk_place place = gk_index_place(request, &put->upload.target.container,
                                                 GK_VALUE_STAGED, gk_buf_span(&put->key));
    struct gk_buf open;
    struct gk_buf value;
    struct gk_buf key;
    gk_buf_init(&open, GK_STAGED_BYTES_MAX);
    gk_buf_init(&value, GK_STAGED_BYTES_MAX);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_staged_encode(&staged, &open);
    const enum gk_status status =
        gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_buf_append(&key, put->key.data, put->key.len);
        gk_changes_set(&write->changes, &key, &value);
    }
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    return status;
}

/* Holds the block's lock. */
static enum gk_status stage(struct gk_request *request, struct put_block *put,
                            struct gk_error *error)
{
    struct gk_buf stored;
    struct gk_staged old = {0};
    gk_buf_init(&stored, GK_STAGED_BYTES_MAX);
    enum gk_status status = read_staged(request, put, &stored, &old, error);
    struct gk_blob_write write;
    gk_blob_write_init(&write, &put->upload.target);
    gk_blob_write_guard(
        &write, (struct gk_guard){.kind = stored.len > 0 ? GK_GUARD_MAP_EQUAL : GK_GUARD_MAP_ABSENT,
                                  .key = gk_buf_span(&put->key),
                                  .value = gk_buf_span(&stored)});
    if (status == GK_OK && stored.len > 0) {
        gk_garbage_add(&write.garbage, GK_GARBAGE_SEGMENT, &old.segment, old.length);
    }
    if (status == GK_OK) {
        status = add_staged(&write, request, put, error);
    }
    if (status == GK_OK) {
        status = gk_staging_mark_new(request, &put->upload.target, &write.changes, error);
    }
    if (status == GK_OK) {
        status =
            gk_blob_write_commit(&write, request, &put->upload.target, put->upload.writer, error);
    }
    gk_blob_write_cleanup(&write);
    gk_buf_cleanup(&stored);
    return status;
}

/* Holds the record's lock for reading. The blocks belong to the present record: what was sealed
 * under the data key of a blob that has been replaced meanwhile cannot be kept. */
static enum gk_status commit(struct gk_request *request, struct gk_error *error)
{
    struct put_block *put = request->state;
    struct gk_blob_target *target = &put->upload.target;
    const struct gk_id object = target->record.object;
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK && (!target->exists || !gk_id_equal(&object, &target->record.object))) {
        status = gk_fail(error, GK_E_CONFLICT, "a blob was replaced while a block was staged");
    }
    if (status == GK_OK) {
        status = gk_blob_lease_check(request, target, GK_ACCESS_WRITE, error);
    }
    if (status == GK_OK) {
        status = gk_blob_pending_check(target, error);
    }
    if (status == GK_OK) {
        status = gk_block_id_check_length(request, target, &put->block, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_staged_prefix(&put->key, &target->record.object, target->record.epoch);
    gk_buf_append(&put->key, put->block.bytes, put->block.len);
    status = gk_block_lock(gk_buf_span(&put->key), error);
    if (status == GK_OK) {
        status = stage(request, put, error);
        gk_block_unlock(gk_buf_span(&put->key));
    }
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = gk_upload_commit(request, GK_ACCESS_READ, commit, error);
    return status == GK_OK ? gk_upload_respond(request, NULL) : status;
}

static void cleanup(struct gk_request *request)
{
    struct put_block *put = request->state;
    if (put != NULL) {
        gk_buf_cleanup(&put->key);
    }
    gk_upload_free(request);
}

const struct gk_handler gk_put_block_handler = {
    .body = GK_BODY_STREAM,
    .body_max = BLOCK_BYTES_MAX,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin,
    .chunk = gk_upload_chunk,
    .finish = finish,
    .cleanup = cleanup,
};
