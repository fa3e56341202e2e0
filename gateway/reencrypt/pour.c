/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/manifest.h"
#include "gateway/blob/reader.h"
#include "gateway/reencrypt/run.h"

#define RUN_BYTES_MAX   (UINT64_C(64) << 20) /* of a run of segments, but for one that is larger */
#define RUN_ENTRIES_MAX 1024u
#define PIECE_BYTES     (128u << 10)

static const struct gk_writer_sums no_sums = {.md5 = false};

/* --- segments -----------------------------------------------------------------------------------*/

/* Entries that follow each other and were not moved yet. */
struct entries {
    uint64_t offset; /* of the first, in the blob */
    uint64_t bytes;
    uint32_t count;
    struct gk_manifest_entry items[RUN_ENTRIES_MAX];
};

struct pouring {
    struct gk_regroup *group;
    struct gk_blob_target *target;
    struct gk_reader_stream *stream;
    struct gk_writer *writer;
    uint8_t *piece;
    bool locked; /* the record's lock is held: no turn is waited for */
};

static enum gk_status open_stream(const struct pouring *pouring, uint64_t offset, uint64_t length,
                                  struct gk_reader_stream **out, struct gk_error *error)
{
    struct gk_request *request = pouring->group->request;
    struct gk_data_key *data_key = NULL;
    *out = NULL;
    const enum gk_status status = gk_blob_open_data_key(request, pouring->target, &data_key, error);
    return status == GK_OK ? gk_reader_stream_new(request, pouring->target, data_key, offset,
                                                  length, out, error)
                           : status;
}

/* The next bytes of the stream, as many as that, to the writer. */
static enum gk_status pour_bytes(struct pouring *pouring, uint64_t bytes, struct gk_error *error)
{
    struct gk_reencrypt_run *run = pouring->group->run;
    enum gk_status status = GK_OK;
    while (status == GK_OK && bytes > 0) {
        size_t len = 0;
        const size_t max = bytes < PIECE_BYTES ? (size_t)bytes : PIECE_BYTES;
        if (!pouring->locked) {
            gk_reencrypt_take_turns(run);
        }
        status = gk_job_go_on(&run->common.job, error);
        if (status == GK_OK) {
            status = gk_hold_keep(&pouring->group->hold, error);
        }
        if (status == GK_OK) {
            status = gk_reader_stream_next(pouring->stream, pouring->piece, max, &len, error);
        }
        if (status == GK_OK && len == 0) {
            status = gk_fail(error, GK_E_INTEGRITY, "a blob is shorter than its record says");
        }
        if (status == GK_OK) {
            status = gk_writer_append(pouring->writer, gk_span_of(pouring->piece, len), error);
        }
        bytes -= len;
        run->poured += len;
    }
    return status;
}

/* A segment of as many bytes as entry's. */
static enum gk_status pour_entry(struct pouring *pouring, const struct gk_manifest_entry *entry,
                                 struct gk_id *anew, struct gk_error *error)
{
    struct gk_regroup *group = pouring->group;
    struct gk_manifest_entry written[GK_WRITER_SEGMENTS_MAX];
    enum gk_status status = pouring->writer != NULL
                                ? gk_writer_again(pouring->writer, entry->length, error)
                                : gk_writer_new(group->run->common.job.gateway, group->data_key,
                                                &pouring->target->container, entry->length, no_sums,
                                                false, &pouring->writer, error);
    if (status == GK_OK) {
        status = pour_bytes(pouring, entry->length, error);
    }
    if (status == GK_OK) {
        (void)gk_writer_segments(pouring->writer, written); /* one, as the entry is */
        *anew = written[0].segment;
        gk_hold_add(&group->hold, GK_GARBAGE_SEGMENT, anew, entry->length);
    }
    return status;
}

static enum gk_status note_moves(struct gk_regroup *group, const struct entries *entries,
                                 const struct gk_id *anew, struct gk_error *error)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        if (!gk_moves_add(&group->segments, &entries->items[i].segment, 0, &anew[i])) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    group->run->state.counts.bytes += entries->bytes;
    return GK_OK;
}

static enum gk_status pour_into(struct pouring *pouring, const struct entries *entries,
                                struct gk_id *anew, struct gk_error *error)
{
    enum gk_status status =
        open_stream(pouring, entries->offset, entries->bytes, &pouring->stream, error);
    for (uint32_t i = 0; status == GK_OK && i < entries->count; i++) {
        status = pour_entry(pouring, &entries->items[i], &anew[i], error);
    }
    if (status == GK_OK) {
        status = gk_hold_commit(&pouring->group->hold, pouring->writer, NULL, error);
    }
    return status == GK_OK ? note_moves(pouring->group, entries, anew, error) : status;
}

static enum gk_status pour_entries(struct gk_regroup *group, struct gk_blob_target *target,
                                   const struct entries *entries, struct gk_error *error)
{
    struct pouring pouring = {.group = group, .target = target, .piece = malloc(PIECE_BYTES)};
    struct gk_id *anew = calloc(entries->count, sizeof *anew);
    const enum gk_status status = pouring.piece == NULL || anew == NULL
                                      ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                      : pour_into(&pouring, entries, anew, error);
    gk_writer_free(pouring.writer);
    gk_reader_stream_free(pouring.stream);
    gk_wipe(pouring.piece, pouring.piece == NULL ? 0 : PIECE_BYTES);
    free(pouring.piece);
    free(anew);
    return status;
}

/* A block may stand in a manifest several times. */
static bool has_segment(const struct entries *entries, const struct gk_id *segment)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        if (gk_id_equal(&entries->items[i].segment, segment)) {
            return true;
        }
    }
    return false;
}

/* The next run: none when all were moved. *offset is moved behind what was looked at; entry, when *pending, is what
 * was read and belongs to no run yet. */
static enum gk_status next_entries(const struct gk_regroup *group, struct gk_manifest_walk *walk,
                                   struct gk_manifest_entry *entry, bool *pending, uint64_t *offset,
                                   struct entries *entries, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    entries->count = 0;
    entries->bytes = 0;
    while (entries->count < RUN_ENTRIES_MAX) {
        if (!*pending) {
            status = gk_manifest_walk_next(walk, entry, error);
        }
        if (status != GK_OK) {
            break;
        }
        const bool moved = gk_moves_find(&group->segments, &entry->segment, 0) != NULL;
        *pending = entries->count > 0 && (moved || has_segment(entries, &entry->segment) ||
                                          entry->length > RUN_BYTES_MAX - entries->bytes);
        if (*pending) {
            return GK_OK;
        }
        if (!moved) {
            entries->offset = entries->count == 0 ? *offset : entries->offset;
            entries->bytes += entry->length;
            entries->items[entries->count++] = *entry;
            if (entries->bytes >= RUN_BYTES_MAX) {
                *offset += entry->length;
                return GK_OK;
            }
        }
        *offset += entry->length;
    }
    if (status == GK_E_NOT_FOUND) { /* behind the last one */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static enum gk_status pour_segments(struct gk_regroup *group, struct gk_blob_target *target,
                                    struct gk_error *error)
{
    struct gk_gateway *gateway = group->run->common.job.gateway;
    struct gk_manifest_walk *walk = NULL;
    struct gk_manifest_entry entry;
    bool pending = false;
    uint64_t offset = 0;
    struct entries *entries = calloc(1, sizeof *entries);
    enum gk_status status =
        entries == NULL
            ? gk_fail(error, GK_E_RESOURCE, "out of memory")
            : gk_manifest_walk_new(gateway->store, gateway->host->plugin,
                                   group->run->common.account->handle, target, &walk, error);
    while (status == GK_OK) {
        status = next_entries(group, walk, &entry, &pending, &offset, entries, error);
        if (status != GK_OK || entries->count == 0) {
            break;
        }
        status = pour_entries(group, target, entries, error);
    }
    gk_manifest_walk_free(walk);
    free(entries);
    return status;
}

/* --- pages of manifests -------------------------------------------------------------------------*/

/* The id that the manifest has from now on. */
static enum gk_status move_manifest(struct gk_regroup *group, const struct gk_id *manifest,
                                    struct gk_id *anew, struct gk_error *error)
{
    const struct gk_id *moved = gk_moves_find(&group->manifests, manifest, 0);
    if (moved != NULL) {
        *anew = *moved;
        return GK_OK;
    }
    if (!gk_id_random(anew) || !gk_moves_add(&group->manifests, manifest, 0, anew)) {
        return gk_fail(error, GK_E_RESOURCE, "no memory or no entropy for a new manifest");
    }
    gk_hold_add(&group->hold, GK_GARBAGE_MANIFEST, anew, 0);
    return GK_OK;
}

static enum gk_status read_page(const struct gk_regroup *group, const struct gk_blob_target *target,
                                uint32_t number, struct gk_manifest_entry **entries,
                                uint32_t *count, struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf value;
    struct gk_buf open;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&value, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_manifest_key(&key, &target->record.manifest.id, number);
    const struct gk_place place =
        gk_index_place(group->request, &target->container, GK_VALUE_MANIFEST, gk_buf_span(&key));
    enum gk_status status = gk_value_get(group->run->common.job.gateway->store, target->index,
                                         place.key, &value, error);
    if (status == GK_E_NOT_FOUND) {
        status =
            gk_fail(error, GK_E_CONFLICT, "a manifest was changed while its data were written");
    }
    if (status == GK_OK) {
        status = gk_value_open(&place, gk_buf_span(&value), &open, error);
    }
    if (status == GK_OK) {
        status = gk_manifest_page_decode(gk_buf_span(&open), entries, count, error);
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&value);
    gk_buf_cleanup(&open);
    return status;
}

static enum gk_status write_page(struct gk_regroup *group, const struct gk_id *manifest,
                                 uint32_t number, const struct gk_manifest_entry *entries,
                                 uint32_t count, struct gk_error *error)
{
    struct gk_change_list changes;
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_changes_init(&changes);
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_buf_init(&value, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_manifest_key(&key, manifest, number);
    gk_manifest_page_encode(entries, count, &open);
    const struct gk_place place = gk_index_place(group->request, &group->base->container,
                                                 GK_VALUE_MANIFEST, gk_buf_span(&key));
    enum gk_status status =
        gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        gk_changes_set(&changes, &key, &value);
        status = gk_hold_commit(&group->hold, NULL, &changes, error);
    }
    gk_changes_cleanup(&changes);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_regroup_move_entries(const struct gk_regroup *group,
                                       struct gk_manifest_entry *entries, uint32_t count,
                                       struct gk_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct gk_id *anew = gk_moves_find(&group->segments, &entries[i].segment, 0);
        if (anew == NULL) {
            return gk_fail(error, GK_E_CONFLICT, "a blob was changed while it was written anew");
        }
        entries[i].segment = *anew;
        entries[i].lent = false;
    }
    return GK_OK;
}

static enum gk_status pour_page(struct gk_regroup *group, const struct gk_blob_target *target,
                                uint32_t number, struct gk_error *error)
{
    const struct gk_id *manifest = &target->record.manifest.id;
    struct gk_manifest_entry *entries = NULL;
    uint32_t count = 0;
    struct gk_id anew;
    if (gk_moves_find(&group->pages, manifest, number) != NULL) {
        return GK_OK;
    }
    enum gk_status status = move_manifest(group, manifest, &anew, error);
    if (status == GK_OK) {
        status = read_page(group, target, number, &entries, &count, error);
    }
    if (status == GK_OK) {
        status = gk_regroup_move_entries(group, entries, count, error);
    }
    if (status == GK_OK) {
        status = write_page(group, &anew, number, entries, count, error);
    }
    free(entries);
    if (status == GK_OK && !gk_moves_add(&group->pages, manifest, number, &anew)) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    return status;
}

/* --- a record -----------------------------------------------------------------------------------*/

enum gk_status gk_regroup_pour(struct gk_regroup *group, struct gk_blob_target *target,
                               struct gk_error *error)
{
    const struct gk_manifest *manifest = &target->record.manifest;
    if (manifest->beside) {
        return GK_OK; /* is poured with the record */
    }
    enum gk_status status = gk_blob_use_scope(group->request, target, error);
    if (status == GK_OK) {
        status = pour_segments(group, target, error);
    }
    for (uint32_t i = 0; status == GK_OK && i < manifest->pages_count; i++) {
        status = pour_page(group, target, manifest->pages[i].number, error);
    }
    return status;
}

static enum gk_status read_beside(const struct gk_regroup *group, struct gk_blob_target *target,
                                  struct gk_error *error)
{
    struct gk_buf key;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_blob_data_key(&key, gk_buf_span(&target->key));
    gk_buf_reset(&target->beside);
    const enum gk_status status = gk_value_get(group->run->common.job.gateway->store, target->index,
                                               gk_buf_span(&key), &target->beside, error);
    gk_buf_cleanup(&key);
    return status == GK_E_NOT_FOUND
               ? gk_fail(error, GK_E_CONFLICT, "a blob was changed while it was written anew")
               : status;
}

enum gk_status gk_regroup_pour_beside(struct gk_regroup *group, struct gk_blob_target *target,
                                      struct gk_manifest_entry *entry, struct gk_buf *chunk,
                                      struct gk_error *error)
{
    struct pouring pouring = {
        .group = group, .target = target, .piece = malloc(PIECE_BYTES), .locked = true};
    struct gk_manifest_entry written[GK_WRITER_SEGMENTS_MAX];
    const uint64_t size = target->record.size;
    enum gk_status status = pouring.piece == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                  : read_beside(group, target, error);
    if (status == GK_OK) {
        status = open_stream(&pouring, 0, size, &pouring.stream, error);
    }
    if (status == GK_OK) {
        status = gk_writer_new(group->run->common.job.gateway, group->data_key, &target->container,
                               size, no_sums, true, &pouring.writer, error);
    }
    if (status == GK_OK) {
        status = pour_bytes(&pouring, size, error);
    }
    if (status == GK_OK) {
        (void)gk_writer_segments(pouring.writer, written);
        *entry = written[0];
        gk_buf_append(chunk, gk_writer_kept(pouring.writer).data,
                      gk_writer_kept(pouring.writer).len);
        group->run->state.counts.bytes += size;
        status = gk_buf_status(chunk);
    }
    gk_writer_free(pouring.writer);
    gk_reader_stream_free(pouring.stream);
    gk_wipe(pouring.piece, pouring.piece == NULL ? 0 : PIECE_BYTES);
    free(pouring.piece);
    return status;
}
