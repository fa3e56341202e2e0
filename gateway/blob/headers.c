/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/headers.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/blob/conditions.h"
#include "gateway/blob/immutability_headers.h"
#include "gateway/blob/lease_headers.h"

#define META_PREFIX "x-ms-meta-"

/* --- metadata -----------------------------------------------------------------------------------*/

/* A C# identifier, as documented, of ASCII. */
static bool metadata_name_valid(const char *name)
{
    if (!(isalpha((unsigned char)name[0]) || name[0] == '_')) {
        return false;
    }
    for (; *name != '\0'; name++) {
        if (!(isalnum((unsigned char)*name) || *name == '_')) {
            return false;
        }
    }
    return true;
}

static enum gk_status add_metadata(const struct gk_pair *header, struct gk_metadata *metadata,
                                   size_t *bytes, struct gk_error *error)
{
    const char *name = header->name + strlen(META_PREFIX);
    if (name[0] == '\0') {
        return gk_refuse(error, 400, "EmptyMetadataKey");
    }
    if (!metadata_name_valid(name)) {
        return gk_refuse(error, 400, "InvalidMetadata");
    }
    *bytes += strlen(name) + strlen(header->value);
    if (*bytes > GK_METADATA_BYTES_MAX || metadata->count >= GK_METADATA_COUNT_MAX) {
        return gk_refuse(error, 400, "MetadataTooLarge");
    }
    size_t at = 0;
    struct gk_span other;
    struct gk_span value;
    while (gk_metadata_next(metadata, &at, &other, &value)) {
        if (other.len == strlen(name) &&
            strncasecmp((const char *)other.data, name, other.len) == 0) {
            return gk_refuse(error, 400, "InvalidMetadata");
        }
    }
    gk_metadata_add(metadata, gk_span_str(name), gk_span_str(header->value));
    return gk_buf_status(&metadata->bytes) == GK_OK ? GK_OK
                                                    : gk_refuse(error, 400, "MetadataTooLarge");
}

enum gk_status gk_metadata_from_headers(const struct gk_request *request,
                                        struct gk_metadata *metadata, struct gk_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < request->headers_count; i++) {
        const struct gk_pair *header = &request->headers[i];
        if (strncasecmp(header->name, META_PREFIX, strlen(META_PREFIX)) != 0) {
            continue;
        }
        const enum gk_status status = add_metadata(header, metadata, &bytes, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return GK_OK;
}

void gk_metadata_to_headers(struct gk_request *request, const struct gk_metadata *metadata)
{
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    struct gk_buf text;
    gk_buf_init(&text, 2 * GK_METADATA_BYTES_MAX);
    while (gk_metadata_next(metadata, &at, &name, &value)) {
        gk_buf_reset(&text);
        gk_buf_append_str(&text, META_PREFIX);
        gk_buf_append(&text, name.data, name.len);
        gk_buf_append_u8(&text, 0);
        const size_t value_at = text.len;
        gk_buf_append(&text, value.data, value.len);
        if (gk_buf_status(&text) == GK_OK) {
            gk_respond_header(request, gk_buf_str(&text), (const char *)text.data + value_at);
        }
    }
    gk_buf_cleanup_wipe(&text);
}

/* --- content headers ----------------------------------------------------------------------------*/

static const struct {
    const char *set;   /* in requests */
    const char *plain; /* in answers, and in Put Blob where the other is missing */
} content_headers[GK_CONTENT_HEADERS] = {
    [GK_CONTENT_TYPE] = {"x-ms-blob-content-type", "Content-Type"},
    [GK_CONTENT_ENCODING] = {"x-ms-blob-content-encoding", "Content-Encoding"},
    [GK_CONTENT_LANGUAGE] = {"x-ms-blob-content-language", "Content-Language"},
    [GK_CONTENT_DISPOSITION] = {"x-ms-blob-content-disposition", NULL},
    [GK_CACHE_CONTROL] = {"x-ms-blob-cache-control", "Cache-Control"},
};
static const char *const answer_headers[GK_CONTENT_HEADERS] = {
    "Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control"};

enum gk_status gk_tier_header_read(const struct gk_request *request, enum gk_tier *tier,
                                   struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-access-tier");
    *tier = GK_TIER_INFERRED;
    return value == NULL || gk_tier_parse(value, tier)
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-access-tier is Hot, Cool, Cold or Archive.");
}

enum gk_status gk_header_bytes(const struct gk_request *request, const char *name, uint8_t *out,
                               size_t len, bool *given, const char *code, struct gk_error *error)
{
    const char *value = gk_request_header(request, name);
    *given = value != NULL;
    if (!*given) {
        return GK_OK;
    }
    struct gk_buf bytes;
    gk_buf_init(&bytes, 256);
    const bool valid = gk_base64_decode(&bytes, gk_span_str(value)) && bytes.len == len;
    if (valid) {
        memcpy(out, bytes.data, len);
    }
    gk_buf_cleanup_wipe(&bytes); /* a client's key, for one */
    return valid ? GK_OK : gk_refuse_because(error, 400, code, "Header: %s", name);
}

enum gk_status gk_header_u64(const struct gk_request *request, const char *name, uint64_t *out,
                             bool *given, struct gk_error *error)
{
    const char *value = gk_request_header(request, name);
    *given = value != NULL;
    return value == NULL || gk_parse_u64(gk_span_str(value), INT64_MAX, out)
               ? GK_OK
               : gk_refuse_because(error, 400, "InvalidHeaderValue", "Header: %s", name);
}

enum gk_status gk_append_position_check(const struct gk_request *request, uint64_t size,
                                        struct gk_error *error)
{
    uint64_t position = 0;
    bool given = false;
    const enum gk_status status =
        gk_header_u64(request, "x-ms-blob-condition-appendpos", &position, &given, error);
    return status == GK_OK && given && position != size
               ? gk_refuse(error, 412, "AppendPositionConditionNotMet")
               : status;
}

static enum gk_status read_md5(const struct gk_request *request, struct gk_blob_record *record,
                               struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-blob-content-md5");
    struct gk_content_md5 *odd = &record->odd_md5;
    struct gk_buf bytes;
    if (value == NULL) {
        return GK_OK;
    }
    gk_buf_init(&bytes, GK_CONTENT_MD5_BYTES_MAX);
    const bool valid = gk_base64_decode(&bytes, gk_span_str(value));
    record->has_md5 = valid && bytes.len == sizeof record->md5;
    if (record->has_md5) {
        memcpy(record->md5, bytes.data, bytes.len);
    } else if (valid && bytes.len > 0) {
        odd->len = (uint8_t)bytes.len;
        memcpy(odd->bytes, bytes.data, bytes.len);
    }
    gk_buf_cleanup(&bytes);
    return valid ? GK_OK
                 : gk_refuse_because(error, 400, "InvalidMd5", "Header: x-ms-blob-content-md5");
}

enum gk_status gk_content_headers_read(const struct gk_request *request, bool fallback,
                                       struct gk_blob_record *record, struct gk_error *error)
{
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        const char *value = gk_request_header(request, content_headers[i].set);
        if (value == NULL && fallback && content_headers[i].plain != NULL) {
            value = gk_request_header(request, content_headers[i].plain);
        }
        if (value == NULL || value[0] == '\0') {
            continue;
        }
        if (strlen(value) >= GK_CONTENT_HEADER_BYTES) {
            return gk_refuse_because(error, 400, "InvalidHeaderValue", "%s is too long.",
                                     content_headers[i].set);
        }
        record->headers[i] = strdup(value);
        if (record->headers[i] == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    return read_md5(request, record, error);
}

bool gk_content_headers_given(const struct gk_request *request)
{
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        if (gk_request_header(request, content_headers[i].set) != NULL) {
            return true;
        }
    }
    return gk_request_header(request, "x-ms-blob-content-md5") != NULL;
}

void gk_content_headers_clear(struct gk_blob_record *record)
{
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        free(record->headers[i]);
        record->headers[i] = NULL;
    }
    gk_blob_md5_clear(record);
}

/* --- public access ------------------------------------------------------------------------------*/

enum gk_status gk_public_access_read(const struct gk_request *request, enum gk_public_access *level,
                                     struct gk_error *error)
{
    const char *value = gk_request_header(request, "x-ms-blob-public-access");
    *level = GK_PUBLIC_NONE;
    if (value == NULL) {
        return GK_OK;
    }
    for (size_t i = GK_PUBLIC_BLOB; i < GK_PUBLIC_LEVELS; i++) {
        if (strcasecmp(value, gk_public_access_names[i]) == 0) {
            *level = (enum gk_public_access)i;
        }
    }
    if (*level == GK_PUBLIC_NONE) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-ms-blob-public-access is container or blob.");
    }
    return request->account->public_access ? GK_OK
                                           : gk_refuse(error, 409, "PublicAccessNotPermitted");
}

void gk_respond_public_access(struct gk_request *request, enum gk_public_access level)
{
    if (level != GK_PUBLIC_NONE) {
        gk_respond_header(request, "x-ms-blob-public-access", gk_public_access_names[level]);
    }
}

/* --- answers ------------------------------------------------------------------------------------*/

void gk_respond_version(struct gk_request *request, uint64_t etag, int64_t modified_wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    gk_time_http(modified_wall_ms, text);
    gk_respond_header(request, "Last-Modified", text);
    gk_etag_format(etag, text);
    gk_respond_header(request, "ETag", text);
}

void gk_respond_blocks_count(struct gk_request *request, const struct gk_blob_record *record)
{
    gk_respond_headerf(request, "x-ms-blob-committed-block-count", "%u", record->kind.blocks_count);
}

void gk_respond_sequence(struct gk_request *request, const struct gk_blob_record *record)
{
    gk_respond_headerf(request, "x-ms-blob-sequence-number", "%llu",
                       (unsigned long long)record->kind.sequence);
}

void gk_respond_version_id(struct gk_request *request, const struct gk_history *history)
{
    if (history->version != 0) {
        char time[GK_STATE_TIME_TEXT_BYTES];
        gk_state_time_format(history->version, time);
        gk_respond_header(request, "x-ms-version-id", time);
    }
}

void gk_respond_md5(struct gk_request *request, const char *name, struct gk_span md5)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * GK_CONTENT_MD5_BYTES_MAX);
    gk_base64_encode(&text, md5);
    gk_respond_header(request, name, gk_buf_str(&text));
    gk_buf_cleanup(&text);
}

void gk_respond_copy(struct gk_request *request, const struct gk_copy *copy)
{
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&copy->id, id);
    gk_respond_header(request, "x-ms-copy-id", id);
    gk_respond_header(request, "x-ms-copy-status", gk_copy_status_text(copy));
}

static void respond_copied(struct gk_request *request, const struct gk_copy *copy)
{
    char completed[GK_TIME_TEXT_BYTES];
    if (copy->source == NULL) {
        return;
    }
    gk_respond_copy(request, copy);
    gk_respond_header(request, "x-ms-copy-source", copy->source);
    gk_respond_headerf(request, "x-ms-copy-progress", "%llu/%llu",
                       (unsigned long long)gk_copy_done_bytes(copy),
                       (unsigned long long)copy->bytes);
    if (copy->unfinished.description[0] != '\0') {
        gk_respond_header(request, "x-ms-copy-status-description", copy->unfinished.description);
    }
    if (copy->completed_wall_ms != 0) {
        gk_time_http(copy->completed_wall_ms, completed);
        gk_respond_header(request, "x-ms-copy-completion-time", completed);
    }
}

static void respond_incremental(struct gk_request *request,
                                const struct gk_incremental *incremental)
{
    char snapshot[GK_STATE_TIME_TEXT_BYTES];
    if (gk_incremental_given(incremental)) {
        gk_state_time_format(incremental->snapshot, snapshot);
        gk_respond_header(request, "x-ms-incremental-copy", "true");
        gk_respond_header(request, "x-ms-copy-destination-snapshot", snapshot);
    }
}

void gk_respond_blob_headers(struct gk_request *request, const struct gk_blob_record *record)
{
    const char *const overrides[GK_CONTENT_HEADERS] = {
        request->override_content_type, request->override_content_encoding,
        request->override_content_language, request->override_content_disposition,
        request->override_cache_control};
    gk_respond_version(request, record->etag, record->modified_wall_ms);
    gk_respond_version_id(request, &record->history);
    if (record->history.version != 0 && record->history.kind == GK_STATE_BASE) {
        gk_respond_header(request, "x-ms-is-current-version", "true");
    }
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        const char *value = overrides[i] != NULL ? overrides[i] : record->headers[i];
        if (value != NULL) {
            gk_respond_header(request, answer_headers[i], value);
        }
    }
    char created[GK_TIME_TEXT_BYTES];
    gk_time_http(record->created_wall_ms, created);
    gk_respond_header(request, "x-ms-creation-time", created);
    if (record->lifetime.ends_wall_ms != 0) {
        char ends[GK_TIME_TEXT_BYTES];
        gk_time_http(record->lifetime.ends_wall_ms, ends);
        gk_respond_header(request, "x-ms-expiry-time", ends);
    }
    gk_respond_header(request, "x-ms-blob-type", gk_blob_type_names[record->kind.type]);
    if (record->kind.type == GK_BLOB_APPEND) {
        gk_respond_blocks_count(request, record);
        gk_respond_header(request, "x-ms-blob-sealed", record->kind.sealed ? "true" : "false");
    }
    if (record->kind.type == GK_BLOB_PAGE) {
        gk_respond_sequence(request, record);
    }
    gk_respond_lease(request, &record->lease);
    gk_respond_immutability(request, &record->immutability);
    respond_copied(request, &record->copy);
    respond_incremental(request, &record->incremental);
    gk_respond_header(request, "x-ms-server-encrypted", "true");
    if (record->tags.count > 0 && (request->permissions & GK_PERMIT_TAGS) != 0) {
        gk_respond_headerf(request, "x-ms-tag-count", "%u", record->tags.count);
    }
    gk_respond_header(request, "Accept-Ranges", "bytes");
}

/* --- ranges -------------------------------------------------------------------------------------*/

struct asked {
    bool has_first;
    bool has_last;
    uint64_t first;
    uint64_t last;
};

/* "bytes=a-b", "bytes=a-" or "bytes=-n". */
static bool parse_range(const char *value, struct asked *asked)
{
    static const char unit[] = "bytes=";
    if (strncasecmp(value, unit, sizeof unit - 1) != 0) {
        return false;
    }
    value += sizeof unit - 1;
    const char *dash = strchr(value, '-');
    if (dash == NULL) {
        return false;
    }
    const struct gk_span first = gk_span_of(value, (size_t)(dash - value));
    const struct gk_span last = gk_span_str(dash + 1);
    asked->has_first = first.len > 0;
    asked->has_last = last.len > 0;
    return (asked->has_first || asked->has_last) &&
           (!asked->has_first || gk_parse_u64(first, INT64_MAX, &asked->first)) &&
           (!asked->has_last || gk_parse_u64(last, INT64_MAX, &asked->last)) &&
           !(asked->has_first && asked->has_last && asked->last < asked->first);
}

enum gk_status gk_range_read(const struct gk_request *request, uint64_t size,
                             struct gk_range *range, struct gk_error *error)
{
    *range = (struct gk_range){.length = size};
    const char *own = gk_request_header(request, "x-ms-range");
    const char *value = own != NULL ? own : gk_request_header(request, "Range");
    struct asked asked = {0};
    if (value == NULL) {
        return GK_OK;
    }
    if (!parse_range(value, &asked)) {
        return own == NULL ? GK_OK
                           : gk_refuse_because(error, 400, "InvalidHeaderValue",
                                               "x-ms-range is not bytes=first-last.");
    }
    if (!asked.has_first) { /* the last n bytes */
        asked.first = asked.last < size ? size - asked.last : 0;
        if (asked.last == 0) {
            asked.first = size;
        }
        asked.has_last = false;
    }
    if (asked.first >= size) {
        return gk_refuse(error, 416, "InvalidRange");
    }
    const uint64_t last = asked.has_last && asked.last < size ? asked.last : size - 1;
    *range =
        (struct gk_range){.partial = true, .from = asked.first, .length = last - asked.first + 1};
    return GK_OK;
}
