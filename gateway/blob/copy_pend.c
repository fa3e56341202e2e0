/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_pend.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/copy_source.h"

/* A blob onto itself: while the copy were pending, its source would be gone. A state of it stays. */
static bool is_onto_itself(const struct gk_blob_target *source, const struct gk_blob_target *target)
{
    return target->committed && !gk_is_state_key(gk_buf_span(&source->key)) &&
           gk_id_equal(&source->record.object, &target->record.object);
}

bool gk_copy_pends(const struct gk_request *request, const struct gk_upload *upload)
{
    const struct gk_blob_record *source = gk_copy_source_record(request->source);
    const struct gk_writer_sums sums = gk_body_sums_wanted(&upload->sums);
    return request->operation == GK_OP_BLOB_COPY_BLOB &&
           !gk_copy_source_is_remote(request->source) &&
           request->content_length > request->gateway->copy_wait_bytes && !sums.md5 &&
           !sums.crc64 && source->kind.type != GK_BLOB_PAGE &&
           !is_onto_itself(gk_copy_source_target(request->source), &upload->target) &&
           source->encryption.kind != GK_ENCRYPTION_CLIENT_KEY &&
           upload->record.encryption.kind != GK_ENCRYPTION_CLIENT_KEY;
}

static enum gk_status set_origin(const struct gk_request *request, struct gk_copy_origin *origin,
                                 struct gk_error *error)
{
    const struct gk_request *own = gk_copy_source_request(request->source);
    const struct gk_blob_target *source = gk_copy_source_target(request->source);
    snprintf(origin->account, sizeof origin->account, "%s", own->account->name);
    origin->account_id = own->account->id;
    origin->container = strdup(own->container);
    origin->blob = strdup(own->blob);
    origin->kind = source->kind;
    origin->time = source->time;
    origin->object = source->record.object;
    origin->etag = source->record.etag;
    return origin->container != NULL && origin->blob != NULL
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

enum gk_status gk_copy_pend(const struct gk_request *request, struct gk_upload *upload,
                            struct gk_error *error)
{
    struct gk_blob_record *record = &upload->record;
    struct gk_copy_unfinished *unfinished = &record->copy.unfinished;
    record->copy.completed_wall_ms = 0;
    unfinished->status = GK_COPY_PENDING;
    unfinished->asked_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    record->size = 0;
    record->kind.blocks_count = 0;
    gk_blob_md5_clear(record);
    return set_origin(request, &unfinished->origin, error);
}

enum gk_status gk_copy_pend_list(const struct gk_request *request, const struct gk_upload *upload,
                                 struct gk_error *error)
{
    const struct gk_blob_target *target = &upload->target;
    const struct gk_span name = gk_span_of(target->key.data + 2, target->key.len - 2);
    struct gk_copy_row row = {.id = upload->record.copy.id,
                              .written_wall_ms = gk_clock_wall_ms(&request->gateway->clock),
                              .account_id = request->account->id,
                              .container = target->container,
                              .shard = target->shard,
                              .blob_len = name.len};
    snprintf(row.account, sizeof row.account, "%s", request->account->name);
    memcpy(row.blob, name.data, name.len);
    return gk_copy_list_add(request->gateway->store, &row, error);
}

bool gk_copy_is_pending(const struct gk_blob_target *target)
{
    return target->committed && target->record.copy.source != NULL &&
           target->record.copy.unfinished.status == GK_COPY_PENDING;
}

enum gk_status gk_copy_end(struct gk_blob_write *write, const struct gk_request *request,
                           struct gk_blob_target *target, enum gk_copy_status ended,
                           const char *description, struct gk_error *error)
{
    struct gk_blob_record *record = &target->record;
    struct gk_copy_unfinished *unfinished = &record->copy.unfinished;
    gk_blob_write_drop(write, target);
    free(record->manifest.pages);
    free(record->manifest.entries);
    record->manifest = (struct gk_manifest){.paged = false};
    unfinished->status = ended;
    snprintf(unfinished->description, sizeof unfinished->description, "%s", description);
    gk_copy_origin_clear(&unfinished->origin);
    record->copy.completed_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    gk_blob_touch(request, record);
    return gk_blob_write_open_part(write, request, target, record, error);
}
