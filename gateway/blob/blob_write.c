/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/blob_write.h"

#include <assert.h>

#include "common/error.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/key_floor.h"
#include "gateway/blob/lease_action.h"
#include "gateway/blob/protection.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/states.h"

void gk_blob_write_init(struct gk_blob_write *write, const struct gk_blob_target *target)
{
    gk_changes_init(&write->changes);
    gk_garbage_init(&write->garbage);
    gk_garbage_init(&write->shared);
    write->newest = target->record.history.newest;
    write->ended = (struct gk_id){{0}};
    write->ends_wall_ms = 0;
    gk_index_guards(write->guards, target->opening, write->door);
    write->guards[GK_INDEX_GUARDS] = gk_blob_guard(target);
    write->guards_count = GK_INDEX_GUARDS + 1;
    gk_buf_init(&write->bar_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&write->mark_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&write->mark, GK_STAGED_BYTES_MAX);
}

void gk_blob_write_cleanup(struct gk_blob_write *write)
{
    gk_changes_cleanup(&write->changes);
    gk_garbage_cleanup(&write->garbage);
    gk_garbage_cleanup(&write->shared);
    gk_buf_cleanup(&write->bar_key);
    gk_buf_cleanup(&write->mark_key);
    gk_buf_cleanup(&write->mark);
}

void gk_blob_write_closed_too(struct gk_blob_write *write)
{
    write->guards[1] = write->guards[0]; /* that it is there */
}

void gk_blob_write_guard(struct gk_blob_write *write, struct gk_guard guard)
{
    assert(write->guards_count < sizeof write->guards / sizeof *write->guards);
    write->guards[write->guards_count++] = guard;
}

void gk_blob_write_guard_staging(struct gk_blob_write *write, const struct gk_blob_target *target,
                                 struct gk_span mark)
{
    gk_staged_prefix(&write->mark_key, &target->record.object, target->record.epoch);
    gk_buf_append(&write->mark, mark.data, mark.len);
    gk_blob_write_guard(
        write, (struct gk_guard){.kind = mark.len > 0 ? GK_GUARD_MAP_EQUAL : GK_GUARD_MAP_ABSENT,
                                 .key = gk_buf_span(&write->mark_key),
                                 .value = gk_buf_span(&write->mark)});
}

enum gk_status gk_blob_write_discard_staged(struct gk_blob_write *write,
                                            const struct gk_request *request,
                                            const struct gk_blob_target *target,
                                            struct gk_error *error)
{
    if (!target->exists) {
        return GK_OK;
    }
    bool any = false;
    struct gk_buf mark;
    gk_buf_init(&mark, GK_STAGED_BYTES_MAX);
    const enum gk_status status = gk_staging_mark_read(request, target, &any, &mark, error);
    if (status == GK_OK) {
        if (any) {
            gk_garbage_add(&write->garbage, GK_GARBAGE_STAGED, &target->record.object,
                           target->record.epoch);
        }
        gk_blob_write_guard_staging(write, target, gk_buf_span(&mark));
    }
    gk_buf_cleanup(&mark);
    return status;
}

enum gk_status gk_blob_write_discard(struct gk_blob_write *write, struct gk_request *request,
                                     const struct gk_blob_target *target, struct gk_error *error)
{
    const enum gk_status status = gk_blob_write_discard_staged(write, request, target, error);
    if (status == GK_OK && gk_state_is_kept(request, target)) {
        return gk_state_keep(write, request, target, error);
    }
    if (status == GK_OK) {
        gk_blob_write_drop(write, target);
    }
    return status;
}

void gk_blob_write_drop(struct gk_blob_write *write, const struct gk_blob_target *target)
{
    gk_garbage_add_blob(write->newest > 0 ? &write->shared : &write->garbage, target);
}

static void copy_key(const struct gk_blob_target *target, struct gk_buf *key)
{
    gk_buf_init(key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(key, target->key.data, target->key.len);
}

/* The open part of a record. A base goes on counting its states' times, and a page blob its eras. */
static enum gk_status encode(const struct gk_blob_write *write, const struct gk_blob_record *record,
                             struct gk_buf *out)
{
    struct gk_blob_record with = *record;
    if (with.history.kind == GK_STATE_BASE) {
        with.history.newest = write->newest;
    }
    if (with.history.kind == GK_STATE_BASE && with.kind.type == GK_BLOB_PAGE &&
        gk_id_equal(&with.kind.space, &write->ended)) {
        gk_page_eras_end(&with.eras);
    }
    gk_blob_record_encode(&with, out);
    return gk_buf_status(out);
}

/* Takes value over as the blob's new value, which is record's, when status is good, else frees it. */
static enum gk_status put_value(struct gk_blob_write *write, const struct gk_blob_target *target,
                                const struct gk_blob_record *record, struct gk_buf *value,
                                enum gk_status status, struct gk_error *error)
{
    if (status == GK_OK) {
        status = gk_protection_mark(&write->changes, record, error);
    }
    if (status == GK_OK) {
        struct gk_buf key;
        copy_key(target, &key);
        gk_changes_set(&write->changes, &key, value);
    } else {
        gk_buf_cleanup(value);
    }
    return status;
}

/* A record's value. The sealed part of a state's is bound to the base, where states have theirs from. */
static enum gk_status seal_value(const struct gk_request *request,
                                 const struct gk_blob_target *target, struct gk_data_key *data_key,
                                 struct gk_span open_part, struct gk_span sealed_part,
                                 struct gk_buf *value, struct gk_error *error)
{
    const struct gk_place place = gk_blob_place(request, target);
    if (sealed_part.len == 0 || !gk_is_state_key(place.key)) {
        return gk_value_seal(&place, data_key, open_part, sealed_part, value, error);
    }
    struct gk_place base = place;
    struct gk_buf base_key;
    struct gk_buf of_base;
    gk_buf_init(&base_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&of_base, 2 * GK_BLOB_RECORD_BYTES_MAX);
    gk_base_key(&base_key, place.key);
    base.key = gk_buf_span(&base_key);
    enum gk_status status = gk_value_seal(&base, data_key, open_part, sealed_part, &of_base, error);
    if (status == GK_OK) {
        status = gk_value_rebind(&base, &place, gk_buf_span(&of_base), open_part, value, error);
    }
    gk_buf_cleanup(&base_key);
    gk_buf_cleanup(&of_base);
    return status;
}

enum gk_status gk_blob_write_record(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    const struct gk_blob_record *record,
                                    struct gk_data_key *data_key,
                                    const struct gk_metadata *metadata, struct gk_error *error)
{
    const bool sealed = metadata != NULL && metadata->count > 0;
    struct gk_buf open_part;
    struct gk_buf sealed_part;
    struct gk_buf value;
    gk_buf_init(&open_part, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&sealed_part, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&value, GK_BLOB_RECORD_BYTES_MAX);
    struct gk_blob_record with = *record;
    enum gk_status status = data_key == NULL
                                ? GK_OK
                                : gk_key_floor_keep(write, request, target, data_key, &with, error);
    if (status == GK_OK) {
        status = encode(write, &with, &open_part);
    }
    if (sealed) {
        gk_metadata_encode(metadata, &sealed_part);
    }
    if (status == GK_OK) {
        status = seal_value(request, target, sealed ? data_key : NULL, gk_buf_span(&open_part),
                            gk_buf_span(&sealed_part), &value, error);
    }
    gk_buf_cleanup(&open_part);
    gk_buf_cleanup_wipe(&sealed_part);
    return put_value(write, target, record, &value, status, error);
}

enum gk_status gk_blob_write_open_part(struct gk_blob_write *write,
                                       const struct gk_request *request,
                                       const struct gk_blob_target *target,
                                       const struct gk_blob_record *record, struct gk_error *error)
{
    const struct gk_place place = gk_blob_place(request, target);
    struct gk_buf open_part;
    struct gk_buf value;
    gk_buf_init(&open_part, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&value, 2 * GK_BLOB_RECORD_BYTES_MAX);
    enum gk_status status = encode(write, record, &open_part);
    if (status == GK_OK) {
        status = gk_value_reseal_open(&place, gk_buf_span(&target->stored), gk_buf_span(&open_part),
                                      &value, error);
    }
    gk_buf_cleanup(&open_part);
    return put_value(write, target, record, &value, status, error);
}

void gk_blob_touch(const struct gk_request *request, struct gk_blob_record *record)
{
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    record->etag = gk_etag_new(now);
    record->modified_wall_ms = now;
    record->lease = gk_lease_after_write(&record->lease, now);
}

void gk_blob_write_beside(struct gk_blob_write *write, const struct gk_blob_target *target,
                          struct gk_span chunk)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_CHUNK_SEALED_BYTES);
    gk_blob_data_key(&key, gk_buf_span(&target->key));
    gk_buf_append(&value, chunk.data, chunk.len);
    if (chunk.len > 0) {
        gk_changes_set(&write->changes, &key, &value);
    } else if (target->record.manifest.beside) {
        gk_changes_remove(&write->changes, &key);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
}

void gk_blob_write_removal(struct gk_blob_write *write, const struct gk_blob_target *target)
{
    struct gk_buf key;
    copy_key(target, &key);
    gk_changes_remove(&write->changes, &key);
    gk_blob_write_beside(write, target, (struct gk_span){0});
}

/* When something ends of what the blob has. */
static enum gk_status queue_expiry(struct gk_blob_write *write, const struct gk_blob_target *target,
                                   const struct gk_place *place, struct gk_error *error)
{
    const struct gk_id none = {{0}};
    struct gk_garbage expiry;
    gk_garbage_init(&expiry);
    gk_buf_append(&expiry.blob, target->key.data + 2, target->key.len - 2);
    gk_garbage_add(&expiry, GK_GARBAGE_EXPIRED, &none, 0);
    const enum gk_status status =
        gk_garbage_queue(&expiry, place, write->ends_wall_ms, &write->changes, error);
    gk_garbage_cleanup(&expiry);
    return status;
}

static enum gk_status queue_garbage(struct gk_blob_write *write, const struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_error *error)
{
    const struct gk_place place =
        gk_index_place(request, &target->container, GK_VALUE_GARBAGE, (struct gk_span){0});
    const int64_t now = gk_clock_wall_ms(&request->gateway->clock);
    gk_buf_append(&write->shared.blob, target->key.data + 2, target->key.len - 2);
    enum gk_status status = gk_garbage_queue(&write->garbage, &place, now, &write->changes, error);
    if (status == GK_OK) {
        status = gk_garbage_queue(&write->shared, &place, now, &write->changes, error);
    }
    return status == GK_OK && write->ends_wall_ms != 0 ? queue_expiry(write, target, &place, error)
                                                       : status;
}

enum gk_status gk_blob_write_commit(struct gk_blob_write *write, struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_writer *writer,
                                    struct gk_error *error)
{
    enum gk_status status = queue_garbage(write, request, target, error);
    if (status == GK_OK && gk_changes_status(&write->changes) != GK_OK) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (status != GK_OK) {
        return status;
    }
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = target->index,
                                   .guards = write->guards,
                                   .guards_count = write->guards_count,
                                   .changes = write->changes.items,
                                   .changes_count = write->changes.count};
    status = writer != NULL ? gk_writer_commit(writer, &op, error)
                            : gk_store_write(request->gateway->store, &op, NULL, error);
    if (status == GK_E_NOT_FOUND || status == GK_E_EXISTS || status == GK_E_CONFLICT) {
        return gk_blob_write_refused(request, target, status, error);
    }
    if (status == GK_OK &&
        (write->garbage.count + write->shared.count > 0 || write->ends_wall_ms != 0)) {
        gk_reaper_note(request->gateway->reaper, request->account->name, &target->container,
                       target->shard);
    }
    return status;
}
