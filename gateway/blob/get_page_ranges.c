/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get Page Ranges (Storage REST reference, "Get Page Ranges"): which pages were written and not cleared
 * since, by the blob's rows; or, with an earlier snapshot, which were written and which were cleared since
 * that. Needs the service key alone, and goes on while the customer's key is revoked.
 */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/handlers.h"
#include "gateway/blob/headers.h"
#include "gateway/blob/page_before.h"
#include "gateway/blob/page_diff.h"
#include "gateway/blob/xml.h"

#define RANGES_MAX       10000u /* documented */
#define ANSWER_BYTES_MAX (RANGES_MAX * 96u + 4096u)

struct listing {
    struct gk_request *request;
    struct gk_xml_writer xml;
    uint64_t from; /* of the blob, in whole pages */
    uint64_t to;
    uint32_t index; /* the next piece of 4 MiB */
    uint32_t end;
    uint32_t results_max;
    uint32_t results;
    const char *range_name; /* of the range at hand */
    uint64_t range_from;
    uint64_t range_to; /* range_from: there is none */
    uint64_t next;     /* where another page of results begins; 0: this was the last */
};

/* --- what is asked for --------------------------------------------------------------------------*/

static enum gk_status read_results_max(struct listing *listing, struct gk_error *error)
{
    const char *text = gk_request_query(listing->request, "maxresults");
    uint64_t max = RANGES_MAX;
    if (text != NULL && (!gk_parse_u64(gk_span_str(text), UINT32_MAX, &max) || max == 0)) {
        return gk_refuse_because(error, 400, "OutOfRangeQueryParameterValue",
                                 "maxresults is a number from 1 on.");
    }
    listing->results_max = max < RANGES_MAX ? (uint32_t)max : RANGES_MAX;
    return GK_OK;
}

/* The marker is the byte that the next range begins at or after. */
static enum gk_status read_query(struct listing *listing, uint64_t size, struct gk_error *error)
{
    struct gk_range range;
    uint64_t from = 0;
    const char *marker = gk_request_query(listing->request, "marker");
    enum gk_status status = read_results_max(listing, error);
    if (status == GK_OK) {
        status = gk_range_read(listing->request, size, &range, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (marker != NULL && marker[0] != '\0' &&
        (!gk_parse_u64(gk_span_str(marker), GK_PAGE_BLOB_BYTES_MAX, &from) ||
         from % GK_PAGE_BYTES != 0)) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                 "The marker is not ours.");
    }
    const uint64_t end = range.from + range.length + GK_PAGE_BYTES - 1;
    listing->from = range.from - range.from % GK_PAGE_BYTES;
    listing->from = from > listing->from ? from : listing->from;
    listing->to = end - end % GK_PAGE_BYTES;
    return GK_OK;
}

/* --- ranges -------------------------------------------------------------------------------------*/

static void write_range(struct listing *listing)
{
    if (listing->range_to == listing->range_from) {
        return;
    }
    gk_xml_open(&listing->xml, listing->range_name);
    gk_xml_u64(&listing->xml, "Start", listing->range_from);
    gk_xml_u64(&listing->xml, "End", listing->range_to - 1);
    gk_xml_close(&listing->xml);
    listing->results++;
}

/* False when the page of results is full: what comes goes into the next. */
static bool add_range(struct listing *listing, const char *name, uint64_t from, uint64_t to)
{
    const bool none = listing->range_to == listing->range_from;
    if (!none && listing->range_to == from && listing->range_name == name) {
        listing->range_to = to;
        return true;
    }
    write_range(listing);
    listing->range_name = name;
    listing->range_from = from;
    listing->range_to = to;
    if (listing->results < listing->results_max) {
        return true;
    }
    listing->next = from;
    listing->range_to = from;
    return false;
}

static const char page_range[] = "PageRange";
static const char clear_range[] = "ClearRange";

/* A piece's ranges, in order. cleared NULL: none are. */
static bool add_piece(struct listing *listing, uint32_t index, const uint8_t *written,
                      const uint8_t *cleared)
{
    const uint64_t start = (uint64_t)index * GK_PAGE_OBJECT_BYTES;
    const uint64_t first = listing->from > start ? listing->from - start : 0;
    const uint64_t end = listing->to - start;
    const uint32_t last =
        end < GK_PAGE_OBJECT_BYTES ? (uint32_t)(end / GK_PAGE_BYTES) : GK_PAGE_OBJECT_PAGES;
    for (uint32_t at = (uint32_t)(first / GK_PAGE_BYTES); at < last;) {
        const uint32_t page = gk_bits_find(written, at, last, true);
        const uint32_t clear = cleared == NULL ? last : gk_bits_find(cleared, at, last, true);
        const bool is_page = page <= clear;
        at = is_page ? page : clear;
        if (at == last) {
            break;
        }
        const uint32_t to = gk_bits_find(is_page ? written : cleared, at, last, false);
        if (!add_range(listing, is_page ? page_range : clear_range,
                       start + (uint64_t)at * GK_PAGE_BYTES,
                       start + (uint64_t)to * GK_PAGE_BYTES)) {
            return false;
        }
        at = to;
    }
    return true;
}

static enum gk_status add_rows(struct listing *listing, const struct gk_blob_target *target,
                               struct gk_error *error)
{
    struct gk_page_space space;
    struct gk_page_rows rows = {.items = calloc(GK_PAGE_ROWS_MAX, sizeof *rows.items)};
    if (rows.items == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_page_space_init(&space, listing->request, target);
    enum gk_status status = GK_OK;
    bool more = true;
    while (status == GK_OK && more && listing->index < listing->end) {
        status = gk_page_rows_next(&space, &listing->index, listing->end, &rows, error);
        for (uint32_t i = 0; i < rows.count && status == GK_OK && more; i++) {
            more = add_piece(listing, rows.items[i].index, rows.items[i].map.written, NULL);
        }
    }
    free(rows.items);
    return status;
}

static enum gk_status add_changes(struct listing *listing, const struct gk_blob_target *target,
                                  const struct gk_blob_target *before, struct gk_error *error)
{
    struct gk_page_diff *diff = NULL;
    struct gk_page_change *changes = calloc(GK_PAGE_CHANGES_MAX, sizeof *changes);
    enum gk_status status = changes == NULL
                                ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                : gk_page_diff_new(listing->request, target, before, &diff, error);
    bool more = true;
    while (status == GK_OK && more && listing->index < listing->end) {
        uint32_t count = 0;
        status = gk_page_diff_next(diff, &listing->index, listing->end, changes, &count, error);
        for (uint32_t i = 0; i < count && more; i++) {
            more = add_piece(listing, changes[i].index, changes[i].written, changes[i].cleared);
        }
    }
    gk_page_diff_free(diff);
    free(changes);
    return status;
}

/* before NULL: none was named. */
static enum gk_status respond(struct listing *listing, const struct gk_blob_target *target,
                              const struct gk_blob_target *before, struct gk_error *error)
{
    struct gk_buf body;
    gk_buf_init(&body, ANSWER_BYTES_MAX);
    listing->index = (uint32_t)(listing->from / GK_PAGE_OBJECT_BYTES);
    listing->end = (uint32_t)((listing->to + GK_PAGE_OBJECT_BYTES - 1) / GK_PAGE_OBJECT_BYTES);
    gk_xml_writer_init(&listing->xml, &body);
    gk_xml_open(&listing->xml, "PageList");
    enum gk_status status = before == NULL ? add_rows(listing, target, error)
                                           : add_changes(listing, target, before, error);
    write_range(listing);
    if (listing->next > 0) {
        gk_xml_u64(&listing->xml, "NextMarker", listing->next);
    }
    gk_xml_close(&listing->xml);
    if (status == GK_OK) {
        status = gk_xml_writer_finish(&listing->xml, error);
    }
    gk_xml_writer_cleanup(&listing->xml);
    if (status == GK_OK) {
        gk_respond_version(listing->request, target->record.etag, target->record.modified_wall_ms);
        gk_respond_headerf(listing->request, "x-ms-blob-content-length", "%llu",
                           (unsigned long long)target->record.size);
        status = gk_respond_buf(listing->request, 200, "application/xml", &body);
    }
    gk_buf_cleanup(&body);
    return status;
}

static enum gk_status finish(struct gk_request *request, struct gk_error *error)
{
    struct gk_blob_target target;
    struct gk_blob_target before = {0};
    struct listing listing = {.request = request};
    bool compares = false;
    enum gk_status status = gk_blob_target_load_existing(request, &target, error);
    if (status == GK_OK) {
        status = gk_blob_check_type(&target, GK_BLOB_PAGE, error);
    }
    if (status == GK_OK) {
        status = gk_blob_conditions(request, &target, GK_ACCESS_READ, error);
    }
    if (status == GK_OK) {
        status = read_query(&listing, target.record.size, error);
    }
    if (status == GK_OK) {
        status = gk_page_before_load(request, &target, &before, &compares, error);
    }
    if (status == GK_OK) {
        status = respond(&listing, &target, compares ? &before : NULL, error);
    }
    gk_blob_target_cleanup(&before);
    gk_blob_target_cleanup(&target);
    return status;
}

const struct gk_handler gk_get_page_ranges_handler = {
    .body = GK_BODY_NONE, .permissions = GK_PERMIT_READ, .finish = finish};
