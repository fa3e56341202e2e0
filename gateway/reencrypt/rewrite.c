/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/states_change.h"
#include "gateway/reencrypt/run.h"

/* What records of before had before they were moved is copied: their own is freed with them. */
static enum gk_status move_manifest(const struct gk_regroup *group, const struct gk_manifest *old,
                                    struct gk_manifest *anew, struct gk_error *error)
{
    *anew = (struct gk_manifest){.paged = old->paged};
    if (old->pages_count > 0) {
        anew->pages = calloc(old->pages_count, sizeof *anew->pages);
    }
    if (old->entries_count > 0) {
        anew->entries = calloc(old->entries_count, sizeof *anew->entries);
    }
    if ((old->pages_count > 0 && anew->pages == NULL) ||
        (old->entries_count > 0 && anew->entries == NULL)) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (uint32_t i = 0; i < old->pages_count; i++) {
        const struct gk_id *id = gk_moves_find(&group->pages, &old->id, old->pages[i].number);
        if (id == NULL) {
            return gk_fail(error, GK_E_CONFLICT, "a blob was changed while it was written anew");
        }
        anew->id = *id;
        anew->pages[anew->pages_count++] = old->pages[i];
    }
    for (uint32_t i = 0; i < old->entries_count; i++) {
        anew->entries[anew->entries_count++] = old->entries[i];
    }
    return gk_regroup_move_entries(group, anew->entries, anew->entries_count, error);
}

/* The manifest of a chunk beside the record, and the chunk as part of write. */
static enum gk_status rewrite_beside(struct gk_regroup *group, struct gk_blob_write *write,
                                     struct gk_blob_target *target, struct gk_manifest *anew,
                                     struct gk_error *error)
{
    struct gk_buf chunk;
    *anew = (struct gk_manifest){.beside = true, .entries = calloc(1, sizeof *anew->entries)};
    if (anew->entries == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    anew->entries_count = 1;
    gk_buf_init(&chunk, GK_CHUNK_SEALED_BYTES);
    const enum gk_status status =
        gk_regroup_pour_beside(group, target, &anew->entries[0], &chunk, error);
    if (status == GK_OK) {
        gk_blob_write_beside(write, target, gk_buf_span(&chunk));
    }
    gk_buf_cleanup(&chunk);
    return status;
}

static enum gk_status read_metadata(const struct gk_regroup *group,
                                    const struct gk_blob_target *target,
                                    struct gk_metadata *metadata, struct gk_error *error)
{
    struct gk_data_key *old_key = NULL;
    enum gk_status status = gk_blob_open_data_key(group->request, target, &old_key, error);
    if (status == GK_OK) {
        status = gk_blob_metadata(group->request, target, old_key, metadata, error);
    }
    group->request->gateway->host->plugin->data_key_free(old_key);
    return status;
}

/* The record with all that it says, but other data under another data key. */
static enum gk_status write_record(struct gk_regroup *group, struct gk_blob_write *write,
                                   struct gk_blob_target *target, struct gk_blob_record *record,
                                   struct gk_error *error)
{
    struct gk_metadata metadata;
    gk_metadata_init(&metadata);
    enum gk_status status =
        target->record.manifest.beside
            ? rewrite_beside(group, write, target, &record->manifest, error)
            : move_manifest(group, &target->record.manifest, &record->manifest, error);
    if (status == GK_OK) {
        status = read_metadata(group, target, &metadata, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_record(write, group->request, target, record, group->data_key,
                                      &metadata, error);
    }
    gk_metadata_cleanup(&metadata);
    return status;
}

/* Another space, which the blob's clients do not come to see. */
static enum gk_status move_pages(const struct gk_regroup *group,
                                 const struct gk_blob_target *target, struct gk_blob_record *record,
                                 struct gk_error *error)
{
    record->kind.lineage = *gk_page_lineage(&target->record.kind);
    record->kind.space = group->image.space;
    return gk_regroup_has_pages_of(group, target)
               ? GK_OK
               : gk_fail(error, GK_E_CONFLICT, "a page blob was changed while it was written anew");
}

static enum gk_status rewrite(struct gk_regroup *group, struct gk_blob_write *write,
                              struct gk_blob_target *target, struct gk_error *error)
{
    struct gk_blob_record record = target->record; /* borrows all but its manifest */
    record.object = group->anew.object;
    record.keyed_wall_ms = group->anew.keyed_wall_ms;
    record.loan = (struct gk_loan){.shard = 0}; /* what it had borrowed it has itself */
    memcpy(record.sealed_data_key, group->anew.sealed_data_key, sizeof record.sealed_data_key);
    enum gk_status status = group->paged ? move_pages(group, target, &record, error) : GK_OK;
    if (status == GK_OK) {
        status = gk_blob_use_scope(group->request, target, error);
    }
    if (status != GK_OK) {
        return status;
    }
    status = write_record(group, write, target, &record, error);
    free(record.manifest.pages);
    free(record.manifest.entries);
    if (status == GK_OK) {
        gk_blob_write_drop(write, target);
        gk_hold_guard(&group->hold, write);
        group->records++;
    }
    return status;
}

/* What a state in the space that the base comes to have needs there, also one that was moved to it before. */
static void note_shared(struct gk_regroup *group, const struct gk_blob_target *state)
{
    struct gk_page_image *image = &group->image;
    if (group->paged &&
        (gk_regroup_has(group, state) || gk_id_equal(&state->record.kind.space, &image->space))) {
        const uint32_t shared = state->record.eras.era + 1;
        image->shared = shared > image->shared ? shared : image->shared;
    }
}

/* --- the write ----------------------------------------------------------------------------------*/

static enum gk_status rewrite_state(void *ctx, struct gk_blob_write *write,
                                    struct gk_blob_target *state, enum gk_state_action *action,
                                    struct gk_error *error)
{
    struct gk_regroup *group = ctx;
    *action = GK_STATE_KEEP; /* its record is written here */
    note_shared(group, state);
    if (!gk_regroup_has(group, state)) {
        return GK_OK;
    }
    gk_buf_init(&state->floor, GK_MAP_VALUE_BYTES_MAX); /* the shard's, which is read with a base */
    gk_buf_append(&state->floor, group->base->floor.data, group->base->floor.len);
    return rewrite(group, write, state, error);
}

/* A block that is staged meanwhile is under the data key of before. */
static enum gk_status rewrite_base(void *ctx, struct gk_blob_write *write,
                                   struct gk_blob_target *base, bool remain, struct gk_error *error)
{
    struct gk_regroup *group = ctx;
    enum gk_status status = GK_OK;
    if (gk_regroup_has(group, base)) {
        base->record.eras.shared = group->paged ? group->image.shared : base->record.eras.shared;
        gk_blob_write_guard_staging(write, base, (struct gk_span){0});
        status = rewrite(group, write, base, error);
    } else {
        status = gk_state_settle_base(write, group->request, base, remain, error);
    }
    if (status == GK_OK) {
        gk_hold_settle(&group->hold, write, group->whole);
    }
    return status;
}

enum gk_status gk_regroup_write(struct gk_regroup *group, struct gk_error *error)
{
    const struct gk_states_change change = {
        .ctx = group, .closed_too = true, .state = rewrite_state, .base = rewrite_base};
    bool closed = false;
    group->records = 0;
    group->image.shared = 0;
    enum gk_status status = gk_record_lock_write(group->base, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_blob_target_fetch(group->request, group->base, &closed, error);
    if (status == GK_OK && group->paged) {
        status = gk_regroup_follow_pages(group, error);
    }
    group->whole = group->whole &&
                   gk_span_equal(gk_buf_span(&group->poured), gk_buf_span(&group->base->stored));
    if (status == GK_OK && group->base->stored.len > 0) {
        status = gk_states_change(group->request, group->base, &change, error);
    }
    gk_record_unlock(group->base);
    return status;
}
