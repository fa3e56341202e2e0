/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put Block List (Storage REST reference, "Put Block List"): the blob becomes the listed blocks, in
 * one guarded write. Without metadata it needs the service key alone, and so goes on while the
 * customer's key is revoked.
 */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/block_id.h"
#include "gateway/blob/block_list_xml.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/manifest.h"
#include "gateway/blob/states.h"
#include "gateway/blob/upload.h"
#include "gateway/http/key_policy.h"

/* A block that can be listed, and whether it was. */
struct known {
    struct gk_manifest_entry entry;
    bool used;
};

/* Sorted by name. */
struct known_list {
    struct known *items;
    uint32_t count;
};

struct put_block_list {
    struct gk_upload upload;
    struct gk_block_ref *refs;
    uint32_t refs_count;
    struct known_list committed;
    struct known_list staged;
    struct gk_buf mark; /* of the staging that staged is of; empty for none */
    struct gk_manifest_entry *entries;
};

/* --- the blocks that there are ------------------------------------------------------------------*/

static int compare_names(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    const size_t len = a_len < b_len ? a_len : b_len;
    const int order = len == 0 ? 0 : memcmp(a, b, len);
    return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_name(const void *left, const void *right)
{
    const struct known *a = left;
    const struct known *b = right;
    return compare_names(a->entry.name, a->entry.name_len, b->entry.name, b->entry.name_len);
}

/* One name may stand for several segments, when a list took a block and its restaged successor. */
static int by_name_and_segment(const void *left, const void *right)
{
    const struct known *a = left;
    const struct known *b = right;
    const int order = by_name(left, right);
    return order != 0
               ? order
               : memcmp(a->entry.segment.bytes, b->entry.segment.bytes, sizeof a->entry.segment);
}

static struct known *find(const struct known_list *list, const struct gk_block_ref *ref)
{
    struct known wanted = {.entry = {.name_len = ref->name_len}};
    memcpy(wanted.entry.name, ref->name, ref->name_len);
    return list->count == 0
               ? NULL
               : bsearch(&wanted, list->items, list->count, sizeof *list->items, by_name);
}

static enum gk_status grow(struct known_list *list, uint32_t *max, struct gk_error *error)
{
    if (list->count < *max) {
        return GK_OK;
    }
    const uint32_t more = *max == 0 ? GK_MANIFEST_INLINE_MAX : 2 * *max;
    struct known *items = reallocarray(list->items, more, sizeof *items);
    if (items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    list->items = items;
    *max = more;
    return GK_OK;
}

static enum gk_status load_committed(struct gk_request *request, struct put_block_list *put,
                                     struct gk_error *error)
{
    struct gk_manifest_walk *walk = NULL;
    struct known_list *list = &put->committed;
    uint32_t max = 0;
    enum gk_status status =
        gk_manifest_walk_new(request->gateway->store, request->gateway->host->plugin,
                             request->account->handle, &put->upload.target, &walk, error);
    while (status == GK_OK) {
        struct gk_manifest_entry entry;
        status = gk_manifest_walk_next(walk, &entry, error);
        if (status == GK_OK) {
            status = grow(list, &max, error);
        }
        if (status == GK_OK) {
            list->items[list->count++] = (struct known){.entry = entry};
        }
    }
    gk_manifest_walk_free(walk);
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof *list->items, by_name_and_segment);
    }
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

/* What stands beside the record came as a whole blob: no list can name it. Nor what was deleted. */
static enum gk_status load_listed(struct gk_request *request, struct put_block_list *put,
                                  struct gk_error *error)
{
    return put->upload.target.record.manifest.beside || !put->upload.target.committed
               ? GK_OK
               : load_committed(request, put, error);
}

/* The store gives them in the order of their names already. */
static enum gk_status load_staged(struct gk_request *request, struct put_block_list *put,
                                  struct gk_error *error)
{
    struct gk_staged_block *blocks = NULL;
    uint32_t count = 0;
    enum gk_status status =
        gk_staged_blocks(request, &put->upload.target, &blocks, &count, &put->mark, error);
    if (status != GK_OK || count == 0) {
        return status;
    }
    put->staged.items = calloc(count, sizeof *put->staged.items);
    if (put->staged.items == NULL) {
        free(blocks);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gk_manifest_entry *entry = &put->staged.items[i].entry;
        entry->segment = blocks[i].staged.segment;
        entry->length = blocks[i].staged.length;
        entry->name_len = blocks[i].id.len;
        memcpy(entry->name, blocks[i].id.bytes, blocks[i].id.len);
    }
    put->staged.count = count;
    free(blocks);
    return GK_OK;
}

/* --- the new blob -------------------------------------------------------------------------------*/

static struct known *resolve(const struct put_block_list *put, const struct gk_block_ref *ref)
{
    struct known *found = NULL;
    if (ref->list != GK_BLOCK_COMMITTED) {
        found = find(&put->staged, ref);
    }
    if (found == NULL && ref->list != GK_BLOCK_UNCOMMITTED) {
        found = find(&put->committed, ref);
    }
    return found;
}

static enum gk_status resolve_all(struct put_block_list *put, struct gk_error *error)
{
    put->entries = calloc(put->refs_count + 1u, sizeof *put->entries);
    if (put->entries == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    for (uint32_t i = 0; i < put->refs_count; i++) {
        struct known *known = resolve(put, &put->refs[i]);
        if (known == NULL) {
            return gk_refuse(error, 400, "InvalidBlockList");
        }
        known->used = true;
        put->entries[i] = known->entry;
        put->upload.record.size += known->entry.length;
        if (known->entry.lent) {
            put->upload.record.loan = put->upload.target.record.loan;
        }
    }
    return GK_OK;
}

/* A blob that has staged blocks or content keeps its data key; one out of nothing gets one. */
static enum gk_status keep_identity(struct gk_request *request, struct gk_upload *upload,
                                    struct gk_error *error)
{
    const struct gk_blob_record *old = &upload->target.record;
    struct gk_blob_record *record = &upload->record;
    if (!upload->target.exists) {
        return gk_blob_new_data_key(request, &upload->target, record, &upload->data_key, error);
    }
    const enum gk_status status = gk_encryption_match(request, &old->encryption, error);
    if (status != GK_OK) {
        return status;
    }
    record->object = old->object;
    record->encryption = old->encryption;
    record->keyed_wall_ms = old->keyed_wall_ms;
    record->epoch = old->epoch + 1;
    memcpy(record->sealed_data_key, old->sealed_data_key, sizeof old->sealed_data_key);
    return upload->metadata.count == 0
               ? GK_OK
               : gk_blob_open_data_key(request, &upload->target, &upload->data_key, error);
}

static void add_unused(struct gk_garbage *garbage, const struct known_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (!list->items[i].used && !list->items[i].entry.lent) {
            gk_garbage_add(garbage, GK_GARBAGE_SEGMENT, &list->items[i].entry.segment,
                           list->items[i].entry.length);
        }
    }
}

/* A segment may stand in a manifest several times: one that is used anywhere is none. */
static void mark_twins(struct known_list *committed)
{
    for (uint32_t i = 0, end; i < committed->count; i = end) {
        bool used = false;
        for (end = i; end < committed->count &&
                      by_name_and_segment(&committed->items[i], &committed->items[end]) == 0;
             end++) {
            used = used || committed->items[end].used;
        }
        for (uint32_t k = i; k < end; k++) {
            committed->items[k].used = used;
        }
    }
}

/* Of a blob that shares with no states of it, all committed blocks but the used ones are garbage; else, and where what
 * was there had ended already and was not looked through, the reaper finds which. */
static void add_committed(struct put_block_list *put, struct gk_blob_write *write)
{
    const struct gk_manifest *old = &put->upload.target.record.manifest;
    const struct gk_loan *loan = &put->upload.target.record.loan;
    if (write->newest > 0 || !put->upload.target.committed) {
        gk_blob_write_drop(write, &put->upload.target);
        return;
    }
    mark_twins(&put->committed);
    add_unused(&write->garbage, &put->committed);
    if (old->paged) {
        gk_garbage_add(&write->garbage, GK_GARBAGE_MANIFEST_ENTRIES, &old->id, 0);
    }
    if (gk_loan_field.given(loan) && !gk_loan_field.given(&put->upload.record.loan)) {
        gk_garbage_add(&write->garbage, GK_GARBAGE_LOAN, &loan->id, 0);
    }
}

static enum gk_status replace_content(struct gk_request *request, struct put_block_list *put,
                                      struct gk_blob_write *write, struct gk_error *error)
{
    const struct gk_blob_record *old = &put->upload.target.record;
    if (gk_state_is_kept(request, &put->upload.target)) {
        const enum gk_status status = gk_state_keep(write, request, &put->upload.target, error);
        if (status != GK_OK) {
            return status;
        }
    } else {
        add_committed(put, write);
    }
    add_unused(&write->garbage, &put->staged);
    if (put->staged.count > 0) {
        gk_garbage_add(&write->garbage, GK_GARBAGE_STAGED_ENTRIES, &old->object, old->epoch);
    }
    return GK_OK;
}

static enum gk_status write_blob(struct gk_request *request, struct put_block_list *put,
                                 struct gk_error *error)
{
    struct gk_upload *upload = &put->upload;
    const struct gk_blob_target *target = &upload->target;
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    if (target->exists) {
        /* A block that another gateway stages meanwhile would be taken by half: the data of the one that
         * was there before is garbage by then. */
        gk_blob_write_guard_staging(&write, target, gk_buf_span(&put->mark));
    }
    enum gk_status status =
        gk_manifest_make(request, &target->container, put->entries, put->refs_count,
                         &upload->record.manifest, &write.changes, error);
    if (status == GK_OK) {
        status = replace_content(request, put, &write, error);
    }
    if (status == GK_OK) {
        gk_state_begin_version(&write, request, &upload->record.history);
        status = gk_blob_write_record(&write, request, target, &upload->record, upload->data_key,
                                      &upload->metadata, error);
    }
    if (status == GK_OK) {
        gk_blob_write_beside(&write, target, (struct gk_span){0});
        status = gk_blob_write_commit(&write, request, target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    return status;
}

/* --- the operation ------------------------------------------------------------------------------*/

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_upload_new(request, sizeof(struct put_block_list), error);
    if (status != GK_OK) {
        return status;
    }
    struct put_block_list *put = request->state;
    gk_buf_init(&put->mark, GK_STAGED_BYTES_MAX);
    status = gk_blob_target_locate(request, &put->upload.target, error);
    if (status == GK_OK) {
        status = gk_upload_read_headers(request, false, error);
    }
    return status == GK_OK ? gk_tier_header_read(request, &put->upload.record.tier, error) : status;
}

static enum gk_status commit(struct gk_request *request, struct gk_error *error)
{
    struct put_block_list *put = request->state;
    struct gk_blob_target *target = &put->upload.target;
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK) {
        status = gk_blob_may_replace(request, target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_check_type(target, GK_BLOB_BLOCK, error);
    }
    if (status == GK_OK) {
        status = gk_blob_online_check(request, target, error);
    }
    if (status == GK_OK && target->exists) {
        status = load_listed(request, put, error);
    }
    if (status == GK_OK && target->exists) {
        status = load_staged(request, put, error);
    }
    if (status == GK_OK) {
        status = resolve_all(put, error);
    }
    if (status == GK_OK) {
        status = keep_identity(request, &put->upload, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_upload_fill(request, &put->upload);
    return write_blob(request, put, error);
}

/* An empty list makes a blob even where nothing was staged: that one gets a data key. */
static enum gk_status check_key(struct gk_request *request, struct put_block_list *put,
                                struct gk_error *error)
{
    if (put->refs_count > 0) {
        return GK_OK;
    }
    const enum gk_status status = gk_blob_target_read(request, &put->upload.target, error);
    return status == GK_OK && !put->upload.target.exists ? gk_key_policy_check_new(request, error)
                                                         : status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct put_block_list *put = request->state;
    struct gk_body_sums *sums = &put->upload.sums;
    enum gk_status status = gk_body_sums_read(request, false, sums, error);
    if (status == GK_OK) {
        status = gk_body_sums_check_bytes(sums, gk_buf_span(&request->body), error);
    }
    if (status == GK_OK) {
        status =
            gk_block_list_parse(gk_buf_span(&request->body), &put->refs, &put->refs_count, error);
    }
    if (status == GK_OK) {
        status = check_key(request, put, error);
    }
    if (status == GK_OK) {
        status = gk_upload_locked(request, GK_ACCESS_WRITE, commit, error);
    }
    return status == GK_OK ? gk_upload_respond(request, &put->upload.record) : status;
}

static void cleanup(struct gk_request *request)
{
    struct put_block_list *put = request->state;
    if (put != NULL) {
        gk_buf_cleanup(&put->mark);
        free(put->committed.items);
        free(put->staged.items);
        free(put->entries);
        free(put->refs);
    }
    gk_upload_free(request);
}

const struct gk_handler gk_put_block_list_handler = {
    .body = GK_BODY_BUFFERED,
    .body_max = GK_BLOCK_LIST_BODY_BYTES_MAX,
    .permissions = GK_PERMIT_CREATE | GK_PERMIT_WRITE,
    .begin = begin,
    .finish = finish,
    .cleanup = cleanup,
};
