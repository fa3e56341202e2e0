/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/locks.h"
#include "gateway/blob/page_fence.h"
#include "gateway/blob/page_piece.h"
#include "gateway/blob/page_rows.h"
#include "gateway/reencrypt/run.h"

#define PIECES_FEW 16u /* 64 MiB: what the blob's writers may have to wait for */
#define ROUNDS_MAX 16u

enum gk_status gk_regroup_begin_pages(struct gk_regroup *group, struct gk_error *error)
{
    struct gk_page_image *image = &group->image;
    if (!gk_id_random(&image->space) || !gk_id_random(&image->objects)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for another space");
    }
    gk_hold_add(&group->hold, GK_GARBAGE_PAGES, &image->space, 0);
    return GK_OK;
}

/* --- the rows of a record -----------------------------------------------------------------------*/

struct pouring {
    struct gk_regroup *group;
    struct gk_data_key *key; /* that they have been under */
    struct gk_page_space from;
    struct gk_page_space to;
    uint32_t end; /* rows of eras before this one */
    struct gk_page_rows rows;
    struct gk_page_row items[GK_PAGE_ROWS_MAX];
    struct gk_page_ages ages[GK_PAGE_ROWS_MAX];
    struct gk_page_piece piece;
};

/* The same for the same object, whichever row names it and however often. */
static struct gk_id moved(const struct gk_page_image *image, const struct gk_id *object)
{
    struct gk_id id = *object;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        id.bytes[i] ^= image->objects.bytes[i];
    }
    return id;
}

/* What an earlier record has named was poured then; what is of a later era may still change. */
static bool is_to_be_poured(const struct pouring *pouring, const struct gk_page_row *row)
{
    return row->era >= pouring->group->image.eras && row->era < pouring->end;
}

static enum gk_status add_rows(struct pouring *pouring, bool first, struct gk_change_list *changes,
                               struct gk_error *error)
{
    const struct gk_page_rows *rows = &pouring->rows;
    enum gk_status status = GK_OK;
    if (first) {
        status =
            gk_page_group_set(&pouring->to, rows->group, pouring->from.eras.groups[rows->group],
                              &rows->present, changes, error);
    }
    for (uint32_t i = 0; i < rows->count && status == GK_OK; i++) {
        struct gk_page_row row = rows->items[i];
        row.map.object = moved(&pouring->group->image, &row.map.object);
        if (is_to_be_poured(pouring, &row)) {
            status = gk_page_row_set(&pouring->to, &row, row.era == 0 ? NULL : &rows->ages[i],
                                     changes, error);
        }
    }
    return status;
}

/* The rows before the objects that they name, and the group before all: so whatever was written is found by the
 * space. */
static enum gk_status put_rows(struct pouring *pouring, bool first, struct gk_error *error)
{
    struct gk_regroup *group = pouring->group;
    struct gk_change_list changes;
    gk_changes_init(&changes);
    enum gk_status status = add_rows(pouring, first, &changes, error);
    if (status == GK_OK && changes.count > 0) {
        status = gk_hold_commit(&group->hold, NULL, &changes, error);
    }
    gk_changes_cleanup(&changes);
    return status;
}

static enum gk_status pour_object(struct pouring *pouring, const struct gk_page_row *row,
                                  struct gk_error *error)
{
    struct gk_regroup *group = pouring->group;
    struct gk_reencrypt_run *run = group->run;
    const struct gk_gateway *gateway = run->common.job.gateway;
    const struct gk_id *container = &pouring->from.place.container;
    const struct gk_id anew = moved(&group->image, &row->map.object);
    enum gk_status status = gk_job_go_on(&run->common.job, error);
    if (status == GK_OK) {
        status = gk_hold_keep(&group->hold, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_page_piece_find(&pouring->piece, &row->map);
    status =
        gk_page_piece_read(gateway, pouring->key, container, &row->map, &pouring->piece, error);
    if (status == GK_E_NOT_FOUND) {
        return gk_fail(error, GK_E_INTEGRITY, "a page object is missing");
    }
    if (status == GK_OK) {
        status =
            gk_page_piece_write(gateway, group->data_key, container, &anew, &pouring->piece, error);
    }
    if (status == GK_E_EXISTS) { /* another row names it, too */
        gk_error_clear(error);
        return GK_OK;
    }
    const uint64_t bytes = (uint64_t)pouring->piece.count * GK_PAGE_BLOCK_BYTES;
    run->poured += bytes;
    run->state.counts.bytes += bytes;
    group->image.pieces++;
    return status;
}

static enum gk_status pour_rows(struct pouring *pouring, bool first, struct gk_error *error)
{
    enum gk_status status = put_rows(pouring, first, error);
    for (uint32_t i = 0; i < pouring->rows.count && status == GK_OK; i++) {
        if (!is_to_be_poured(pouring, &pouring->items[i])) {
            continue;
        }
        if (!pouring->group->image.locked) {
            gk_reencrypt_take_turns(pouring->group->run);
        }
        status = pour_object(pouring, &pouring->items[i], error);
    }
    return status;
}

static enum gk_status pour_group(struct pouring *pouring, uint32_t number, struct gk_error *error)
{
    const uint32_t begin = number * GK_PAGE_GROUP_OBJECTS;
    const uint32_t end = begin + GK_PAGE_GROUP_OBJECTS;
    uint32_t index = begin;
    enum gk_status status = GK_OK;
    do {
        const bool first = index == begin;
        status = gk_page_rows_next(&pouring->from, &index, end, &pouring->rows, error);
        if (status == GK_OK) {
            status = pour_rows(pouring, first, error);
        }
    } while (status == GK_OK && index < end);
    return status;
}

static enum gk_status pour_groups(struct pouring *pouring, struct gk_blob_target *target,
                                  struct gk_error *error)
{
    const struct gk_page_image *image = &pouring->group->image;
    struct gk_request *request = pouring->group->request;
    const struct gk_blob_record *record = &target->record;
    enum gk_status status = gk_blob_use_scope(request, target, error);
    if (status == GK_OK) {
        status = gk_blob_open_data_key(request, target, &pouring->key, error);
    }
    gk_page_space_init(&pouring->from, request, target);
    pouring->to = pouring->from;
    pouring->to.id = image->space;
    pouring->rows = (struct gk_page_rows){.items = pouring->items, .ages = pouring->ages};
    for (uint32_t number = 0; number < GK_PAGE_GROUPS_MAX && status == GK_OK; number++) {
        if (gk_bits_get(record->kind.groups, number) &&
            record->eras.groups[number] >= image->eras) {
            status = pour_group(pouring, number, error);
        }
    }
    return status;
}

/* What the record of target names of eras before end, as far as those before it have not. */
static enum gk_status pour_record(struct gk_regroup *group, struct gk_blob_target *target,
                                  uint32_t end, struct gk_error *error)
{
    if (end <= group->image.eras) {
        return GK_OK;
    }
    struct pouring *pouring = calloc(1, sizeof *pouring);
    if (pouring == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    pouring->group = group;
    pouring->end = end;
    const enum gk_status status = pour_groups(pouring, target, error);
    group->run->common.job.gateway->host->plugin->data_key_free(pouring->key);
    gk_wipe(pouring->piece.blocks, sizeof pouring->piece.blocks);
    free(pouring);
    if (status == GK_OK) {
        group->image.eras = end;
    }
    return status;
}

/* --- the end of an era --------------------------------------------------------------------------*/

/* Whether nothing that it names changes any more while it says the same. */
static bool stands_still(const struct gk_blob_record *record)
{
    for (uint32_t number = 0; number < GK_PAGE_GROUPS_MAX; number++) {
        if (gk_bits_get(record->kind.groups, number) &&
            record->eras.groups[number] == record->eras.era) {
            return false;
        }
    }
    return record->eras.writers_count == 0;
}

bool gk_regroup_has_pages_of(const struct gk_regroup *group, const struct gk_blob_target *target)
{
    const struct gk_page_eras *eras = &target->record.eras;
    return target->record.history.kind == GK_STATE_BASE
               ? stands_still(&target->record) && eras->era <= group->image.eras
               : eras->era < group->image.eras;
}

/* Ends the base's era, as a state that is made of it would: what is written from then on is written beside what it
 * has, which stays for who reads it. No client sees a thing. */
static enum gk_status end_era(struct gk_regroup *group, struct gk_error *error)
{
    struct gk_blob_target *base = group->base;
    struct gk_blob_write write;
    enum gk_status status = gk_page_fence_all(group->request, base, error);
    if (status != GK_OK) {
        return status;
    }
    gk_page_eras_end(&base->record.eras);
    gk_blob_write_init(&write, base);
    gk_blob_write_closed_too(&write);
    status = gk_blob_write_open_part(&write, group->request, base, &base->record, error);
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, group->request, base, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* The base, read under its lock, comes to stand still, if it is of the group. Where it, or a state of it, was changed
 * since another round, what that has poured may have been left behind. */
static enum gk_status stop_base(struct gk_regroup *group, struct gk_error *error)
{
    struct gk_blob_target *base = group->base;
    bool closed = false;
    enum gk_status status = GK_OK;
    if (group->image.rounds > 0 &&
        !gk_span_equal(gk_buf_span(&group->poured), gk_buf_span(&base->stored))) {
        group->whole = false;
    }
    if (gk_regroup_has(group, base) && !stands_still(&base->record)) {
        status = end_era(group, error);
        if (status == GK_OK) {
            status = gk_blob_target_fetch(group->request, base, &closed, error);
        }
        if (status == GK_OK && gk_regroup_has(group, base) && !stands_still(&base->record)) {
            status = gk_fail(error, GK_E_CONFLICT, "a page blob was written to by another gateway");
        }
    }
    gk_buf_reset(&group->poured);
    gk_buf_append(&group->poured, base->stored.data, base->stored.len);
    return status;
}

static enum gk_status read_and_stop_base(struct gk_regroup *group, struct gk_error *error)
{
    bool closed = false;
    enum gk_status status = gk_record_lock_write(group->base, error);
    if (status != GK_OK) {
        return status;
    }
    status = gk_blob_target_fetch(group->request, group->base, &closed, error);
    if (status == GK_OK) {
        status = stop_base(group, error);
    }
    gk_record_unlock(group->base);
    return status;
}

/* --- rounds -------------------------------------------------------------------------------------*/

/* States of the group of which not all was poured. */
struct later_state {
    uint32_t era;
    uint64_t time;
};

struct later_states {
    struct gk_regroup *group;
    struct later_state *items;
    size_t count;
};

static enum gk_status note_state(void *ctx, struct gk_blob_target *state, bool *enough,
                                 struct gk_error *error)
{
    struct later_states *later = ctx;
    (void)enough;
    if (!gk_regroup_has(later->group, state) || gk_regroup_has_pages_of(later->group, state)) {
        return GK_OK;
    }
    struct later_state *items = reallocarray(later->items, later->count + 1, sizeof *items);
    if (items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    later->items = items;
    items[later->count++] =
        (struct later_state){.era = state->record.eras.era, .time = state->time};
    return GK_OK;
}

static int by_era(const void *left, const void *right)
{
    const struct later_state *a = left;
    const struct later_state *b = right;
    return (a->era > b->era) - (a->era < b->era);
}

static enum gk_status pour_state(struct gk_regroup *group, uint64_t time, struct gk_error *error)
{
    struct gk_blob_target state;
    enum gk_status status = gk_state_read(group->request, group->base, time, &state, error);
    if (status == GK_OK && gk_regroup_has(group, &state)) {
        status = pour_record(group, &state, state.record.eras.era + 1, error);
    }
    gk_blob_target_cleanup(&state);
    return status;
}

/* By their eras: a version has the time at which it began, and snapshots of it may have later ones. */
static enum gk_status pour_states(struct gk_regroup *group, struct gk_error *error)
{
    struct later_states later = {.group = group};
    enum gk_status status = gk_regroup_each_state(group, note_state, &later, error);
    if (later.count > 0) {
        qsort(later.items, later.count, sizeof *later.items, by_era);
    }
    for (size_t i = 0; i < later.count && status == GK_OK; i++) {
        status = pour_state(group, later.items[i].time, error);
    }
    free(later.items);
    return status;
}

/* From the state of the earliest era on to the base, as it has come to stand still: a row that one of them names, and
 * that is of an era which the one before it has had, that one has named as well. */
static enum gk_status pour_all(struct gk_regroup *group, struct gk_error *error)
{
    group->image.rounds++;
    group->image.pieces = 0;
    const enum gk_status status = pour_states(group, error);
    return status == GK_OK && gk_regroup_has(group, group->base)
               ? pour_record(group, group->base, group->base->record.eras.era, error)
               : status;
}

enum gk_status gk_regroup_pour_pages(struct gk_regroup *group, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    unsigned rounds = 0;
    do {
        status = read_and_stop_base(group, error);
        if (status == GK_OK) {
            status = pour_all(group, error);
        }
    } while (status == GK_OK && group->image.pieces > PIECES_FEW && ++rounds < ROUNDS_MAX);
    return status == GK_OK && group->image.pieces > PIECES_FEW
               ? gk_fail(error, GK_E_CONFLICT, "a page blob is written faster than it is read")
               : status;
}

enum gk_status gk_regroup_follow_pages(struct gk_regroup *group, struct gk_error *error)
{
    if (gk_regroup_has(group, group->base) && gk_regroup_has_pages_of(group, group->base)) {
        return GK_OK;
    }
    group->image.locked = true;
    enum gk_status status = stop_base(group, error);
    if (status == GK_OK) {
        status = pour_all(group, error);
    }
    group->image.locked = false;
    return status;
}
