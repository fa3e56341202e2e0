/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_share.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/manifest.h"

#define ATTEMPTS_MAX 8u /* each but the first because another copy of the source came in between */

/* --- may it be shared ---------------------------------------------------------------------------*/

/* What can be said without the manifest. */
static enum gk_status is_sharable(const struct gk_request *request,
                                  const struct gk_blob_target *copy, bool *sharable,
                                  struct gk_error *error)
{
    const struct gk_request *own = gk_copy_source_request(request->source);
    const struct gk_blob_record *record = gk_copy_source_record(request->source);
    struct gk_encryption encryption = {.kind = GK_ENCRYPTION_ACCOUNT};
    const enum gk_status status = gk_encryption_of_new(request, &copy->for_new, &encryption, error);
    *sharable = !gk_copy_source_is_remote(request->source) &&
                gk_id_equal(&own->account->id, &request->account->id) &&
                record->kind.type != GK_BLOB_PAGE && record->size > 0 && !record->manifest.beside &&
                record->encryption.kind == GK_ENCRYPTION_ACCOUNT &&
                encryption.kind == GK_ENCRYPTION_ACCOUNT;
    return status;
}

static enum gk_status add_entry(struct gk_copy_share *share, uint32_t *cap,
                                const struct gk_manifest_entry *entry, struct gk_error *error)
{
    if (share->entries_count == *cap) {
        const uint32_t more = *cap == 0 ? GK_MANIFEST_INLINE_MAX : 2 * *cap;
        struct gk_manifest_entry *entries = reallocarray(share->entries, more, sizeof *entries);
        if (entries == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        share->entries = entries;
        *cap = more;
    }
    share->entries[share->entries_count++] = *entry;
    return GK_OK;
}

/* The source's entries, as the copy's. *lent: how many are lent to the source itself. */
static enum gk_status read_entries(const struct gk_request *request, struct gk_copy_share *share,
                                   uint32_t *lent, struct gk_error *error)
{
    const struct gk_request *own = gk_copy_source_request(request->source);
    struct gk_manifest_walk *walk = NULL;
    uint32_t cap = 0;
    *lent = 0;
    enum gk_status status =
        gk_manifest_walk_new(own->gateway->store, own->gateway->host->plugin, own->account->handle,
                             gk_copy_source_target(request->source), &walk, error);
    while (status == GK_OK) {
        struct gk_manifest_entry entry;
        status = gk_manifest_walk_next(walk, &entry, error);
        if (status == GK_OK) {
            *lent += entry.lent;
            entry.lent = true;
            status = add_entry(share, &cap, &entry, error);
        }
    }
    gk_manifest_walk_free(walk);
    if (status == GK_E_NOT_FOUND) { /* behind the last one */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

static void set_name(struct gk_copy_share *share, struct gk_span name)
{
    memcpy(share->lender_name, name.data, name.len);
    share->lender.name = gk_span_of(share->lender_name, name.len);
}

/* The source has its data itself. */
static void lend_by_source(const struct gk_blob_target *source, struct gk_copy_share *share)
{
    const struct gk_span key = gk_buf_span(&source->key);
    const bool state = gk_is_state_key(key);
    share->lender.container = source->container;
    share->lender.shard = source->shard;
    share->lender.time = state ? gk_state_key_time(key) : 0;
    share->lender.object = source->record.object;
    share->lender.etag = source->record.etag;
    set_name(share, state ? gk_state_key_name(key) : gk_span_of(key.data + 2, key.len - 2));
}

/* The source has borrowed its data: the copy borrows of the same lender. */
static enum gk_status lend_by_lender(const struct gk_request *request,
                                     const struct gk_blob_target *source,
                                     struct gk_copy_share *share, struct gk_error *error)
{
    const struct gk_loan *loan = &source->record.loan;
    const struct gk_place place =
        gk_index_place(request, &source->container, GK_VALUE_LOAN, (struct gk_span){0});
    struct gk_loan_row row;
    const enum gk_status status =
        gk_borrow_read(request->gateway->store, place, source->index, &loan->id, &row, error);
    if (status == GK_E_NOT_FOUND) { /* the source is gone by now */
        gk_error_clear(error);
        return GK_OK;
    }
    if (status != GK_OK) {
        return status;
    }
    share->lender.container = row.container;
    share->lender.shard = row.shard;
    share->lender.time = row.time;
    share->lender.loan = loan->id;
    set_name(share, gk_span_of(row.name, row.name_len));
    return GK_OK;
}

/* A container that is being deleted gives back what it lends, and lends nothing any more. */
static enum gk_status is_open(const struct gk_request *request, const struct gk_lender *lender,
                              bool *open, struct gk_error *error)
{
    char index[GK_INDEX_NAME_BYTES];
    struct gk_buf value;
    gk_index_name(&lender->container, lender->shard, index);
    gk_buf_init(&value, GK_MAP_VALUE_BYTES_MAX);
    const enum gk_status status =
        gk_value_get(request->gateway->store, index, gk_span_str(GK_DOOR_KEY), &value, error);
    *open = !gk_index_door_of(gk_buf_span(&value)).closed;
    gk_buf_cleanup(&value);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

enum gk_status gk_copy_share_begin(const struct gk_request *request, const struct gk_upload *upload,
                                   struct gk_copy_share *share, struct gk_error *error)
{
    const struct gk_blob_target *source = gk_copy_source_target(request->source);
    bool sharable = false;
    uint32_t lent = 0;
    enum gk_status status = is_sharable(request, &upload->target, &sharable, error);
    if (status != GK_OK || !sharable || upload->sums.md5_sent || upload->sums.crc64_sent) {
        return status;
    }
    status = read_entries(request, share, &lent, error);
    if (status != GK_OK || (lent != 0 && lent != share->entries_count)) {
        return status;
    }
    if (lent == 0) {
        lend_by_source(source, share);
    } else {
        status = lend_by_lender(request, source, share, error);
    }
    return status == GK_OK && share->lender.name.len > 0
               ? is_open(request, &share->lender, &share->shares, error)
               : status;
}

/* --- making it ----------------------------------------------------------------------------------*/

enum gk_status gk_copy_share_key(const struct gk_request *request, struct gk_upload *upload,
                                 struct gk_error *error)
{
    const struct gk_plugin *plugin = request->gateway->host->plugin;
    const struct gk_blob_target *source = gk_copy_source_target(request->source);
    struct gk_blob_record *record = &upload->record;
    const struct gk_object_scope from = {.container = source->container,
                                         .object = source->record.object};
    struct gk_object_scope to = {.container = upload->target.container};
    if (!gk_id_random(&to.object)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new object");
    }
    record->object = to.object;
    record->keyed_wall_ms = source->record.keyed_wall_ms;
    const enum gk_status status = plugin->data_key_reseal(
        request->account->handle, &from,
        gk_span_of(source->record.sealed_data_key, sizeof source->record.sealed_data_key), &to,
        record->sealed_data_key, error);
    return status == GK_OK ? plugin->data_key_open(request->account->handle, &to,
                                                   gk_span_of(record->sealed_data_key,
                                                              sizeof record->sealed_data_key),
                                                   &upload->data_key, error)
                           : status;
}

/* The loan's row before the state that is lent, so that there is never one that nobody knows of. */
static enum gk_status borrow_once(struct gk_request *request, struct gk_upload *upload,
                                  struct gk_copy_share *share, struct gk_error *error)
{
    struct gk_gateway *gateway = request->gateway;
    struct gk_loan_row row = {.container = share->lender.container,
                              .shard = share->lender.shard,
                              .name_len = share->lender.name.len};
    memcpy(row.name, share->lender_name, row.name_len);
    enum gk_status status =
        gk_lend_time(gateway, request->account, &share->lender, &row.time, error);
    if (status != GK_OK) {
        return status;
    }
    gk_borrow_cleanup(&share->borrow);
    status = gk_borrow_begin(request, &upload->target, &row, &share->borrow, error);
    const struct gk_loan to = {.id = share->borrow.id,
                               .container = upload->target.container,
                               .shard = upload->target.shard};
    if (status == GK_OK) {
        status = gk_lend(gateway, request->account, &share->lender, row.time, &to, error);
    }
    upload->record.loan = (struct gk_loan){
        .id = to.id, .container = share->lender.container, .shard = share->lender.shard};
    return status;
}

enum gk_status gk_copy_share_borrow(struct gk_request *request, struct gk_upload *upload,
                                    struct gk_copy_share *share, struct gk_error *error)
{
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; status == GK_E_CONFLICT && i < ATTEMPTS_MAX; i++) {
        gk_error_clear(error);
        status = borrow_once(request, upload, share, error);
    }
    return status;
}

enum gk_status gk_copy_share_write(const struct gk_request *request, struct gk_upload *upload,
                                   const struct gk_copy_share *share, struct gk_blob_write *write,
                                   struct gk_error *error)
{
    gk_borrow_settle(&share->borrow, write);
    return gk_manifest_make(request, &upload->target.container, share->entries,
                            share->entries_count, &upload->record.manifest, &write->changes, error);
}

void gk_copy_share_cleanup(struct gk_copy_share *share)
{
    gk_borrow_cleanup(&share->borrow);
    free(share->entries);
}
