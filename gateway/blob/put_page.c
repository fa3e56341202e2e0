/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Put Page, update and clear (Storage REST reference, "Put Page"). How writes of several gateways to one
 * blob, and to one block, stay apart: docs/decisions/0011-page-blobs.md.
 */
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/page_blocks.h"
#include "gateway/blob/page_clear.h"
#include "gateway/blob/page_fence.h"
#include "gateway/blob/page_headers.h"
#include "gateway/blob/upload.h"
#include "gateway/metrics.h"

#define UPDATE_BYTES_MAX (4u << 20)
#define BLOCK_PAGES      (GK_PAGE_BLOCK_BYTES / GK_PAGE_BYTES)
#define ATTEMPTS         16u /* each but the first because another gateway got in between */

struct put_page {
    struct gk_upload upload;
    struct gk_page_range range;
    struct gk_id object; /* the incarnation that the data key is of */
    uint64_t etag;       /* what this request has made of the blob so far; 0: nothing */
};

/* The part of an update that lies in one object, and what becomes of the object. */
struct part {
    const uint8_t *plain; /* what is written */
    uint32_t from;        /* bytes of the object */
    uint32_t to;
    uint32_t first; /* blocks that are written: those that it touches, and of a copy all others */
    uint32_t count;
    struct gk_page_space space;
    struct gk_page_row row;
    struct gk_page_rows rows; /* that row */
    struct gk_pages *pages;   /* of the row's object, or of a new one */
    bool copies;              /* the row's object is of an earlier era: a new one takes its place */
    bool is_new;
    uint64_t version; /* of the object, as it was read */
    uint8_t *blocks;
    uint8_t *seals;
};

/* --- what both check ----------------------------------------------------------------------------*/

/* Conditions that held are not asked again once they have let this request change the blob. */
static enum gk_status check_blob(const struct gk_request *request, const struct put_page *put,
                                 struct gk_error *error)
{
    const struct gk_blob_target *target = &put->upload.target;
    if (!target->committed) {
        return gk_refuse(error, 404, "BlobNotFound");
    }
    enum gk_status status = gk_blob_check_type(target, GK_BLOB_PAGE, error);
    if (status == GK_OK && (put->etag == 0 || put->etag != target->record.etag)) {
        status = gk_blob_conditions(request, target, GK_ACCESS_WRITE, error);
        if (status == GK_OK) {
            status = gk_sequence_check(request, target->record.kind.sequence, error);
        }
    }
    if (status == GK_OK) {
        status = gk_encryption_match(request, &target->record.encryption, error);
    }
    return status == GK_OK && put->range.to > target->record.size
               ? gk_refuse(error, 416, "InvalidPageRange")
               : status;
}

static enum gk_status begin(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = gk_upload_new(request, sizeof(struct put_page), error);
    struct put_page *put = request->state;
    if (status == GK_OK) {
        status = gk_page_range_read(request, &put->range, error);
    }
    if (status == GK_OK) {
        status = gk_blob_target_load(request, &put->upload.target, error);
    }
    return status == GK_OK ? check_blob(request, put, error) : status;
}

static enum gk_status respond(struct gk_request *request)
{
    const struct gk_upload *upload = request->state;
    gk_respond_sequence(request, &upload->target.record);
    return gk_upload_respond(request, &upload->target.record);
}

/* --- an object's blocks -------------------------------------------------------------------------*/

static void part_cleanup(const struct gk_request *request, struct part *part)
{
    request->gateway->host->plugin->pages_free(part->pages);
    if (part->blocks != NULL) {
        gk_wipe(part->blocks, (size_t)part->count * GK_PAGE_BLOCK_BYTES);
    }
    free(part->blocks);
    free(part->seals);
    free(part->rows.ages);
}

static void object_name(const struct part *part, char name[GK_DATA_NAME_BYTES])
{
    gk_data_name(&part->space.place.container, &part->row.map.object, 0, name);
}

/* Of a copy all blocks are written, from the first to the last that has anything. */
static void widen(struct part *part)
{
    const uint8_t *written = part->row.map.written;
    const uint32_t end = part->first + part->count;
    uint32_t last = GK_PAGE_OBJECT_PAGES;
    const uint32_t first = gk_bits_find(written, 0, GK_PAGE_OBJECT_PAGES, true) / BLOCK_PAGES;
    while (last > 0 && !gk_bits_get(written, last - 1)) {
        last--;
    }
    last = (last + BLOCK_PAGES - 1) / BLOCK_PAGES;
    part->first = first < part->first ? first : part->first;
    part->count = (last > end ? last : end) - part->first;
}

static enum gk_status load_part(struct gk_request *request, const struct put_page *put,
                                struct part *part, struct gk_error *error)
{
    gk_page_space_init(&part->space, request, &put->upload.target);
    part->rows = (struct gk_page_rows){
        .group = part->row.index / GK_PAGE_GROUP_OBJECTS, .count = 1, .items = &part->row};
    const bool aged = part->space.eras.era > 0;
    part->rows.ages = aged ? calloc(1, sizeof *part->rows.ages) : NULL;
    if (aged && part->rows.ages == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = gk_page_rows_read(&part->space, &part->rows, error);
    if (status != GK_OK) {
        return status;
    }
    part->copies = part->row.exists && part->row.map.made != part->space.eras.era;
    part->is_new = !part->row.exists || part->copies;
    part->first = part->from / GK_PAGE_BLOCK_BYTES;
    part->count = (part->to + GK_PAGE_BLOCK_BYTES - 1) / GK_PAGE_BLOCK_BYTES - part->first;
    if (part->copies) {
        widen(part);
    }
    part->blocks = calloc(part->count, GK_PAGE_BLOCK_BYTES);
    part->seals = calloc(part->count, GK_PAGE_SEAL_BYTES);
    return part->blocks == NULL || part->seals == NULL
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : GK_OK;
}

/* The keys of the object that is written to. */
static enum gk_status load_pages(struct gk_request *request, const struct put_page *put,
                                 struct part *part, struct gk_error *error)
{
    struct gk_page_map *map = &part->row.map;
    if (part->is_new) {
        map->made = part->space.eras.era;
        if (!gk_id_random(&map->object)) {
            return gk_fail(error, GK_E_RESOURCE, "no entropy for a page object");
        }
    }
    return request->gateway->host->plugin->pages_load(put->upload.data_key, &map->object,
                                                      &part->pages, error);
}

/* Reads what the object of an earlier era has, into blocks. */
static enum gk_status copy_old(struct gk_request *request, const struct put_page *put,
                               struct part *part, struct gk_error *error)
{
    const struct gk_page_blocks old = {.map = &part->row.map,
                                       .first = part->first,
                                       .count = part->count,
                                       .bytes = part->blocks,
                                       .seals = part->seals};
    const enum gk_status status = gk_page_blocks_read_under(
        &old, request->gateway, &part->space.place.container, put->upload.data_key, error);
    memset(part->seals, 0, (size_t)part->count * GK_PAGE_SEAL_BYTES);
    return status;
}

/* Block number at of the part: whether it has pages that stay as they are. */
static bool keeps_pages(const struct part *part, uint32_t at)
{
    const uint32_t begin = (part->first + at) * BLOCK_PAGES;
    const uint32_t end = begin + BLOCK_PAGES;
    const uint32_t from = part->from / GK_PAGE_BYTES;
    const uint32_t to = part->to / GK_PAGE_BYTES;
    const uint8_t *written = part->row.map.written;
    return (begin < from && gk_bits_find(written, begin, from, true) < from) ||
           (to < end && gk_bits_find(written, to, end, true) < end);
}

/* Reads the object's version and, with it, the first and the last block where pages of them stay. */
static enum gk_status read_old(struct gk_request *request, struct part *part,
                               struct gk_error *error)
{
    const uint32_t edges[] = {0, part->count - 1};
    const size_t edges_count = part->count > 1 ? 2 : 1;
    struct gk_read_part parts[4];
    size_t count = 0;
    for (size_t i = 0; i < edges_count; i++) {
        const uint32_t at = edges[i];
        if (keeps_pages(part, at)) {
            const uint64_t block = part->first + at;
            parts[count++] =
                (struct gk_read_part){.offset = block * GK_PAGE_BLOCK_BYTES,
                                      .buffer = part->blocks + (size_t)at * GK_PAGE_BLOCK_BYTES,
                                      .len = GK_PAGE_BLOCK_BYTES};
            parts[count++] =
                (struct gk_read_part){.offset = GK_PAGE_SEALS_OFFSET + block * GK_PAGE_SEAL_BYTES,
                                      .buffer = part->seals + (size_t)at * GK_PAGE_SEAL_BYTES,
                                      .len = GK_PAGE_SEAL_BYTES};
        }
    }
    char name[GK_DATA_NAME_BYTES];
    object_name(part, name);
    enum gk_status status = gk_store_read_parts(request->gateway->store, GK_POOL_DATA, name, parts,
                                                count, &part->version, error);
    for (size_t i = 0; i < count && status == GK_OK; i += 2) {
        const struct gk_page_blocks old = {.map = &part->row.map,
                                           .first =
                                               (uint32_t)(parts[i].offset / GK_PAGE_BLOCK_BYTES),
                                           .count = 1,
                                           .bytes = parts[i].buffer,
                                           .seals = parts[i + 1].buffer};
        status = gk_page_blocks_open(&old, request->gateway->host->plugin, part->pages,
                                     parts[i + 1].read_len == GK_PAGE_SEAL_BYTES ? 1 : 0, error);
    }
    return status;
}

/* Seals the blocks, but for those of a copy that have nothing. */
static enum gk_status seal_blocks(const struct gk_request *request, struct part *part,
                                  struct gk_error *error)
{
    const uint8_t *written = part->row.map.written;
    memcpy(part->blocks + (part->from - (size_t)part->first * GK_PAGE_BLOCK_BYTES), part->plain,
           part->to - part->from);
    const double begun = gk_metrics_now();
    enum gk_status status = GK_OK;
    for (uint32_t i = 0; i < part->count && status == GK_OK; i++) {
        const uint32_t begin = (part->first + i) * GK_PAGE_BLOCK_BYTES;
        const uint32_t page = begin / GK_PAGE_BYTES;
        const bool touched = begin < part->to && begin + GK_PAGE_BLOCK_BYTES > part->from;
        uint8_t *block = part->blocks + (size_t)i * GK_PAGE_BLOCK_BYTES;
        if (touched || gk_bits_find(written, page, page + BLOCK_PAGES, true) < page + BLOCK_PAGES) {
            status = request->gateway->host->plugin->page_seal(
                part->pages, part->first + i, block, block,
                part->seals + (size_t)i * GK_PAGE_SEAL_BYTES, error);
        }
    }
    gk_metrics_encryption(GK_METRICS_SEAL, begun);
    return status;
}

/* Blocks and seals in one operation, over the object as it was read. */
static enum gk_status write_blocks(struct gk_request *request, const struct part *part,
                                   struct gk_error *error)
{
    const struct gk_guard guard = {.kind = part->is_new ? GK_GUARD_ABSENT : GK_GUARD_VERSION,
                                   .number = part->version};
    const struct gk_change changes[] = {
        {.kind = GK_CHANGE_BYTES,
         .value = gk_span_of(part->blocks, (size_t)part->count * GK_PAGE_BLOCK_BYTES),
         .number = (uint64_t)part->first * GK_PAGE_BLOCK_BYTES},
        {.kind = GK_CHANGE_BYTES,
         .value = gk_span_of(part->seals, (size_t)part->count * GK_PAGE_SEAL_BYTES),
         .number = GK_PAGE_SEALS_OFFSET + (uint64_t)part->first * GK_PAGE_SEAL_BYTES}};
    char name[GK_DATA_NAME_BYTES];
    object_name(part, name);
    const struct gk_write_op op = {.pool = GK_POOL_DATA,
                                   .object = name,
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = changes,
                                   .changes_count = 2};
    return gk_store_write(request->gateway->store, &op, NULL, error);
}

/* --- the record ---------------------------------------------------------------------------------*/

static void show_pages(struct part *part)
{
    const uint32_t from = part->from / GK_PAGE_BYTES;
    const uint32_t to = part->to / GK_PAGE_BYTES;
    gk_bits_set(part->row.map.written, from, to, true);
    for (uint32_t page = from; page < to && part->rows.ages != NULL; page++) {
        part->rows.ages->eras[page] = part->space.eras.era;
    }
}

/* Whether the row must say something that it does not say yet. */
static bool shows_pages(const struct part *part)
{
    const uint32_t to = part->to / GK_PAGE_BYTES;
    uint32_t page = part->from / GK_PAGE_BYTES;
    if (part->is_new || gk_bits_find(part->row.map.written, page, to, false) < to) {
        return true;
    }
    while (page < to && part->rows.ages != NULL &&
           part->rows.ages->eras[page] == part->space.eras.era) {
        page++;
    }
    return part->rows.ages != NULL && page < to;
}

/* Writes the record anew, with the part's row when it is to be shown. */
static enum gk_status write_record(struct gk_request *request, struct put_page *put,
                                   struct part *part, bool shows, struct gk_error *error)
{
    struct gk_blob_target *target = &put->upload.target;
    struct gk_blob_write write;
    gk_blob_write_init(&write, target);
    enum gk_status status = GK_OK;
    if (shows) {
        show_pages(part);
        status = gk_page_rows_write(&part->space, &part->rows, &write, &target->record, error);
    }
    if (status == GK_OK) {
        gk_blob_touch(request, &target->record);
        status = gk_blob_write_open_part(&write, request, target, &target->record, error);
    }
    if (status == GK_OK) {
        status = gk_blob_write_commit(&write, request, target, NULL, error);
    }
    gk_blob_write_cleanup(&write);
    if (status == GK_OK) {
        put->etag = target->record.etag;
    }
    return status;
}

/* An object that others may look at is written to once the record says that something changes: then the
 * conditions held. */
static enum gk_status decide(struct gk_request *request, struct put_page *put, struct part *part,
                             struct gk_error *error)
{
    struct gk_blob_target *target = &put->upload.target;
    enum gk_status status = gk_page_fence_announce(request, target, &part->row.map.object, error);
    if (status == GK_OK) {
        status = write_record(request, put, part, false, error);
    }
    if (status == GK_OK) {
        status = gk_blob_target_read(request, target, error);
    }
    return status == GK_OK && (!target->committed || target->record.etag != put->etag)
               ? gk_fail(error, GK_E_CONFLICT, "a page blob was changed while it was written to")
               : status;
}

/* A new object that no row will name. Best effort: scrub finds what stays. */
static void drop_new(struct gk_request *request, const struct part *part, enum gk_status status)
{
    if (part->is_new && (status == GK_E_CONFLICT || status == GK_E_EXISTS)) {
        char name[GK_DATA_NAME_BYTES];
        const char *names[] = {name};
        object_name(part, name);
        if (gk_store_remove(request->gateway->store, GK_POOL_DATA, names, 1, NULL) != GK_OK) {
            gk_log(GK_LOG_DEBUG, "request", "page object %s is left to scrub", name);
        }
    }
}

/* --- update -------------------------------------------------------------------------------------*/

static bool got_in_between(enum gk_status status)
{
    return status == GK_E_CONFLICT || status == GK_E_EXISTS || status == GK_E_NOT_FOUND;
}

static enum gk_status read_and_seal(struct gk_request *request, const struct put_page *put,
                                    struct part *part, struct gk_error *error)
{
    enum gk_status status = load_part(request, put, part, error);
    if (status == GK_OK && part->copies) {
        status = copy_old(request, put, part, error);
    }
    if (status == GK_OK) {
        status = load_pages(request, put, part, error);
    }
    if (status == GK_OK && !part->is_new) {
        status = read_old(request, part, error);
    }
    return status == GK_OK ? seal_blocks(request, part, error) : status;
}

static enum gk_status write_part(struct gk_request *request, struct put_page *put,
                                 struct part *part, struct gk_error *error)
{
    enum gk_status status = read_and_seal(request, put, part, error);
    const bool shows = shows_pages(part);
    if (status == GK_OK && !part->is_new) {
        status = decide(request, put, part, error);
    }
    if (status == GK_OK) {
        status = write_blocks(request, part, error);
        if (status != GK_OK && !got_in_between(status)) {
            gk_page_fence_disown(request->gateway);
        }
    }
    if (status == GK_OK && shows) {
        status = write_record(request, put, part, true, error);
        drop_new(request, part, status);
    }
    return status;
}

/* Reads the blob again, the first time too, and writes the part that begins at *at. */
static enum gk_status write_next(struct gk_request *request, struct put_page *put, uint64_t *at,
                                 struct gk_error *error)
{
    struct gk_blob_target *target = &put->upload.target;
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK) {
        status = check_blob(request, put, error);
    }
    if (status == GK_OK && !gk_id_equal(&put->object, &target->record.object)) {
        status = gk_fail(error, GK_E_UNAVAILABLE, "a page blob was replaced by another");
    }
    if (status != GK_OK) {
        return status;
    }
    const uint32_t index = (uint32_t)(*at / GK_PAGE_OBJECT_BYTES);
    const uint64_t end = ((uint64_t)index + 1) * GK_PAGE_OBJECT_BYTES;
    const uint64_t to = put->range.to < end ? put->range.to : end;
    struct part part = {.plain = request->body.data + (*at - put->range.from),
                        .from = (uint32_t)(*at % GK_PAGE_OBJECT_BYTES),
                        .row = {.index = index}};
    part.to = part.from + (uint32_t)(to - *at);
    status = write_part(request, put, &part, error);
    part_cleanup(request, &part);
    if (status == GK_OK) {
        *at = to;
    }
    return status;
}

static enum gk_status commit_update(struct gk_request *request, struct gk_error *error)
{
    struct put_page *put = request->state;
    uint64_t at = put->range.from;
    enum gk_status status = GK_OK;
    for (unsigned tries = 0; at < put->range.to && tries < ATTEMPTS;) {
        gk_error_clear(error);
        status = write_next(request, put, &at, error);
        if (status != GK_OK && (!got_in_between(status) || error->http_status != 0)) {
            return status;
        }
        tries += status != GK_OK;
    }
    return status == GK_E_NOT_FOUND
               ? gk_fail(error, GK_E_INTEGRITY, "a page object of a blob is missing")
               : status;
}

static enum gk_status begin_update(struct gk_request *request, struct gk_error *error)
{
    enum gk_status status = begin(request, error);
    struct put_page *put = request->state;
    if (status == GK_OK && request->content_length != put->range.to - put->range.from) {
        status = gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "There are not as many bytes as the range has.");
    }
    if (status == GK_OK) {
        status = gk_body_sums_read(request, false, &put->upload.sums, error);
    }
    if (status != GK_OK) {
        return status;
    }
    put->object = put->upload.target.record.object;
    return gk_blob_open_data_key(request, &put->upload.target, &put->upload.data_key, error);
}

static enum gk_status finish_update(struct gk_request *request, struct gk_error *error)
{
    struct put_page *put = request->state;
    enum gk_status status =
        gk_body_sums_check_bytes(&put->upload.sums, gk_buf_span(&request->body), error);
    if (status == GK_OK) {
        status = gk_upload_locked(request, GK_ACCESS_WRITE, commit_update, error);
    }
    return status == GK_OK ? respond(request) : status;
}

const struct gk_handler gk_put_page_update_handler = {
    .body = GK_BODY_BUFFERED,
    .body_max = UPDATE_BYTES_MAX,
    .permissions = GK_PERMIT_WRITE,
    .begin = begin_update,
    .finish = finish_update,
    .cleanup = gk_upload_free,
};

/* --- clear --------------------------------------------------------------------------------------*/

static enum gk_status commit_clear(struct gk_request *request, struct gk_error *error)
{
    struct put_page *put = request->state;
    struct gk_blob_target *target = &put->upload.target;
    enum gk_status status = gk_blob_target_read(request, target, error);
    if (status == GK_OK) {
        status = check_blob(request, put, error);
    }
    return status == GK_OK ? gk_pages_clear(request, target, put->range.from, put->range.to, error)
                           : status;
}

static enum gk_status finish_clear(struct gk_request *request, struct gk_error *error)
{
    const enum gk_status status = gk_upload_locked(request, GK_ACCESS_WRITE, commit_clear, error);
    return status == GK_OK ? respond(request) : status;
}

const struct gk_handler gk_put_page_clear_handler = {
    .body = GK_BODY_NONE,
    .permissions = GK_PERMIT_WRITE,
    .begin = begin,
    .finish = finish_clear,
    .cleanup = gk_upload_free,
};
