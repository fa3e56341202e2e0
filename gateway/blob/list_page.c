/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/list_page.h"

#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/list.h"
#include "gateway/blob/names.h"
#include "gateway/gateway.h"

#define MARKER_VERSION    1u
#define MARKER_BYTES_MAX  (1u + sizeof(struct gk_id) + GK_LIST_AFTER_BYTES_MAX)
#define HEADER_BYTES_MAX  65536u
#define METADATA_TEXT_MAX (2u * GK_METADATA_BYTES_MAX)
#define DAY_MS            INT64_C(86400000)

/* --- what is asked for -------------------------------------------------------------------------- */

static enum gk_status read_max_results(struct gk_list_page *page, struct gk_error *error)
{
    uint64_t max = GK_LIST_RESULTS_MAX;
    if (page->max_results != NULL &&
        !gk_parse_u64(gk_span_str(page->max_results), INT32_MAX, &max)) {
        return gk_refuse_because(error, 400, "InvalidQueryParameterValue", "maxresults");
    }
    if (max == 0) {
        return gk_refuse_because(error, 400, "OutOfRangeQueryParameterValue",
                                 "maxresults is 1 to %u.", GK_LIST_RESULTS_MAX);
    }
    page->results_max = max < GK_LIST_RESULTS_MAX ? (uint32_t)max : GK_LIST_RESULTS_MAX;
    return GK_OK;
}

static const struct gk_list_include *find_include(const struct gk_list_include *known,
                                                  struct gk_span name)
{
    for (; known->name != NULL; known++) {
        if (strlen(known->name) == name.len &&
            strncasecmp(known->name, (const char *)name.data, name.len) == 0) {
            return known;
        }
    }
    return NULL;
}

static enum gk_status read_include(struct gk_list_page *page, const struct gk_list_include *known,
                                   struct gk_error *error)
{
    const char *at = gk_request_query(page->request, "include");
    while (at != NULL && *at != '\0') {
        const size_t len = strcspn(at, ",");
        const struct gk_list_include *item = find_include(known, gk_span_of(at, len));
        if (item == NULL && len > 0) {
            return gk_refuse_because(error, 400, "InvalidQueryParameterValue", "include: %.*s",
                                     (int)(len < 80 ? len : 80), at);
        }
        page->include |= item == NULL ? 0 : item->flag;
        at += at[len] == ',' ? len + 1 : len;
    }
    return GK_OK;
}

static bool starts_with(struct gk_span text, struct gk_span prefix)
{
    return text.len >= prefix.len && gk_span_equal(gk_span_of(text.data, prefix.len), prefix);
}

static bool decode_marker(struct gk_list_page *page, struct gk_span bytes)
{
    struct gk_reader in = gk_reader_of(bytes);
    const uint8_t version = gk_read_u8(&in);
    const struct gk_span scope = gk_read_span(&in, sizeof page->scope.bytes);
    if (in.failed || version != MARKER_VERSION ||
        !gk_span_equal(scope, gk_span_of(page->scope.bytes, sizeof page->scope.bytes)) ||
        !starts_with(in.rest, gk_buf_span(&page->prefix))) {
        return false;
    }
    gk_buf_append(&page->after, in.rest.data, in.rest.len);
    return gk_buf_status(&page->after) == GK_OK;
}

static enum gk_status read_marker(struct gk_list_page *page, struct gk_error *error)
{
    if (page->marker == NULL || page->marker[0] == '\0') {
        return GK_OK;
    }
    struct gk_buf bytes;
    gk_buf_init(&bytes, MARKER_BYTES_MAX);
    const bool valid = gk_base64url_decode(&bytes, gk_span_str(page->marker)) &&
                       decode_marker(page, gk_buf_span(&bytes));
    gk_buf_cleanup(&bytes);
    return valid ? GK_OK
                 : gk_refuse_because(error, 400, "InvalidQueryParameterValue",
                                     "marker is none that this listing gave.");
}

enum gk_status gk_list_page_init(struct gk_list_page *page, const struct gk_request *request,
                                 const char *kind, const struct gk_id *scope,
                                 const struct gk_list_include *known, struct gk_error *error)
{
    *page = (struct gk_list_page){.request = request,
                                  .max_results = gk_request_query(request, "maxresults"),
                                  .marker = gk_request_query(request, "marker"),
                                  .scope = *scope};
    gk_buf_init(&page->prefix, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&page->after, GK_LIST_AFTER_BYTES_MAX);
    gk_buf_init(&page->body, GK_LIST_PAGE_BYTES_MAX);
    const char *prefix = gk_request_query(request, "prefix");
    gk_buf_append_str(&page->prefix, kind);
    gk_buf_append_str(&page->prefix, prefix == NULL ? "" : prefix);
    if (gk_buf_status(&page->prefix) != GK_OK) {
        return gk_refuse_because(error, 400, "OutOfRangeQueryParameterValue",
                                 "prefix is too long.");
    }
    enum gk_status status = read_max_results(page, error);
    if (status == GK_OK) {
        status = read_include(page, known, error);
    }
    return status == GK_OK ? read_marker(page, error) : status;
}

void gk_list_page_cleanup(struct gk_list_page *page)
{
    gk_xml_writer_cleanup(&page->xml);
    gk_buf_cleanup(&page->prefix);
    gk_buf_cleanup(&page->after);
    gk_buf_cleanup(&page->body);
}

/* --- the answer --------------------------------------------------------------------------------- */

/* As the client knows it: with the host that it asked. */
static void write_endpoint(struct gk_list_page *page)
{
    const struct gk_request *request = page->request;
    const char *host = gk_request_header(request, "Host");
    struct gk_buf endpoint;
    gk_buf_init(&endpoint, HEADER_BYTES_MAX);
    gk_buf_append_str(&endpoint, request->tls ? "https://" : "http://");
    gk_buf_append_str(&endpoint, host == NULL ? "" : host);
    gk_buf_append_str(&endpoint, "/");
    if (request->path_style) {
        gk_buf_append_str(&endpoint, request->account_name);
        gk_buf_append_str(&endpoint, "/");
    }
    gk_xml_attribute(&page->xml, "ServiceEndpoint", gk_buf_str(&endpoint));
    gk_buf_cleanup(&endpoint);
}

/* Parameters stand in the answer when they stood in the query. */
static void write_parameter(struct gk_list_page *page, const char *element, const char *value)
{
    if (value != NULL) {
        gk_xml_name(&page->xml, element, value);
    }
}

void gk_list_page_begin(struct gk_list_page *page, const char *container, const char *delimiter,
                        const char *element)
{
    gk_xml_writer_init(&page->xml, &page->body);
    gk_xml_open(&page->xml, "EnumerationResults");
    write_endpoint(page);
    if (container != NULL) {
        gk_xml_attribute(&page->xml, "ContainerName", container);
    }
    write_parameter(page, "Prefix", gk_request_query(page->request, "prefix"));
    write_parameter(page, "Marker", page->marker);
    if (page->max_results != NULL) {
        gk_xml_u64(&page->xml, "MaxResults", page->results_max);
    }
    write_parameter(page, "Delimiter", delimiter);
    gk_xml_open(&page->xml, element);
}

void gk_list_page_begin_search(struct gk_list_page *page, const char *where)
{
    gk_xml_writer_init(&page->xml, &page->body);
    gk_xml_open(&page->xml, "EnumerationResults");
    write_endpoint(page);
    gk_xml_text(&page->xml, "Where", where);
    gk_xml_open(&page->xml, "Blobs");
}

bool gk_list_page_full(struct gk_list_page *page)
{
    page->more = page->results == page->results_max || page->body.len >= GK_LIST_PAGE_BYTES;
    return page->more;
}

void gk_list_page_pass(struct gk_list_page *page, struct gk_span key)
{
    gk_buf_reset(&page->after);
    gk_buf_append(&page->after, key.data, key.len);
}

void gk_list_page_metadata(struct gk_list_page *page, const struct gk_metadata *metadata)
{
    struct gk_buf text;
    gk_buf_init(&text, METADATA_TEXT_MAX);
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    gk_xml_open(&page->xml, "Metadata");
    while (gk_metadata_next(metadata, &at, &name, &value)) {
        gk_buf_reset(&text);
        gk_buf_append(&text, name.data, name.len);
        gk_buf_append_u8(&text, 0);
        const size_t value_at = text.len;
        gk_buf_append(&text, value.data, value.len);
        if (gk_buf_status(&text) == GK_OK) {
            gk_xml_text(&page->xml, gk_buf_str(&text), (const char *)text.data + value_at);
        }
    }
    gk_xml_close(&page->xml);
    gk_buf_cleanup_wipe(&text);
}

void gk_list_page_lease(struct gk_list_page *page, const struct gk_lease *lease)
{
    const struct gk_lease_view view =
        gk_lease_view_of(lease, gk_clock_wall_ms(&page->request->gateway->clock));
    gk_xml_text(&page->xml, "LeaseStatus", view.status);
    gk_xml_text(&page->xml, "LeaseState", view.state);
    if (view.duration != NULL) {
        gk_xml_text(&page->xml, "LeaseDuration", view.duration);
    }
}

void gk_list_page_deleted(struct gk_list_page *page, int64_t deleted_wall_ms,
                          int64_t kept_until_wall_ms)
{
    const int64_t left_ms = kept_until_wall_ms - gk_clock_wall_ms(&page->request->gateway->clock);
    char time[GK_TIME_TEXT_BYTES];
    gk_time_http(deleted_wall_ms, time);
    gk_xml_text(&page->xml, "DeletedTime", time);
    gk_xml_u64(&page->xml, "RemainingRetentionDays",
               left_ms <= 0 ? 0 : (uint64_t)((left_ms + DAY_MS - 1) / DAY_MS));
}

static void write_next_marker(struct gk_list_page *page)
{
    struct gk_buf bytes;
    struct gk_buf text;
    gk_buf_init(&bytes, MARKER_BYTES_MAX);
    gk_buf_init(&text, 2 * MARKER_BYTES_MAX);
    if (page->more) {
        gk_buf_append_u8(&bytes, MARKER_VERSION);
        gk_buf_append(&bytes, page->scope.bytes, sizeof page->scope.bytes);
        gk_buf_append(&bytes, page->after.data, page->after.len);
        gk_base64url_encode(&text, gk_buf_span(&bytes));
    }
    gk_xml_text(&page->xml, "NextMarker", gk_buf_str(&text));
    gk_buf_cleanup(&bytes);
    gk_buf_cleanup(&text);
}

enum gk_status gk_list_page_end(struct gk_list_page *page, struct gk_request *request,
                                struct gk_error *error)
{
    gk_xml_close(&page->xml);
    write_next_marker(page);
    gk_xml_close(&page->xml);
    const enum gk_status status = gk_xml_writer_finish(&page->xml, error);
    return status == GK_OK ? gk_respond_buf(request, 200, "application/xml", &page->body) : status;
}
