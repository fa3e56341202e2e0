/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy_source.h"

#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/auth/auth.h"
#include "gateway/blob/copy_pend.h"
#include "gateway/blob/data_keys.h"
#include "gateway/blob/reader.h"
#include "gateway/blob/remote_answer.h"
#include "gateway/blob/remote_source.h"
#include "gateway/gateway.h"
#include "gateway/http/key_policy.h"
#include "gateway/http/route.h"
#include "gateway/terms.h"

#define URL_BYTES_MAX 16384u /* of a request's own target, too; documented are 2 KiB */
#define PIECE_BYTES   (128u << 10)
/* Of a host and a port; no user stands before them. The copy keeps them, for answers and listings. */
#define AUTHORITY_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:[]"

/* What a source's own headers are called in the request that names it. */
static const struct {
    const char *from;
    const char *to;
} source_headers[] = {
    {"x-ms-copy-source-authorization", "Authorization"},
    {"x-ms-version", "x-ms-version"},
    {"x-ms-source-if-match", "If-Match"},
    {"x-ms-source-if-none-match", "If-None-Match"},
    {"x-ms-source-if-modified-since", "If-Modified-Since"},
    {"x-ms-source-if-unmodified-since", "If-Unmodified-Since"},
    {"x-ms-source-if-tags", "x-ms-if-tags"},
    {"x-ms-source-lease-id", "x-ms-lease-id"},
    {"x-ms-source-range", "x-ms-range"},
    {"x-ms-source-encryption-key", "x-ms-encryption-key"},
    {"x-ms-source-encryption-key-sha256", "x-ms-encryption-key-sha256"},
    {"x-ms-source-encryption-algorithm", "x-ms-encryption-algorithm"},
};
#define SOURCE_HEADERS (sizeof source_headers / sizeof *source_headers)

struct gk_copy_source {
    struct gk_request request; /* a Get Blob that nobody sent */
    struct gk_route route;
    bool routed;
    struct gk_pair headers[SOURCE_HEADERS];
    size_t headers_count;
    char *authority; /* owned: "host:port" */
    const char *url; /* the header, as it came */
    struct gk_blob_target target;
    struct gk_data_key *data_key;
    struct gk_range range;
    bool rehydrates; /* a copy into another tier is a way to bring an archived blob back */
    const struct gk_copy_host *host; /* on which it is, when it is not this gateway */
    struct gk_remote_source *remote;
    struct gk_remote_answer answer; /* of remote */
};

/* --- where it is --------------------------------------------------------------------------------*/

static enum gk_status not_a_url(struct gk_error *error)
{
    return gk_refuse_because(error, 400, "InvalidHeaderValue",
                             "x-ms-copy-source is the URL of a blob.");
}

/* Splits scheme://authority/path?query; makes the exchange that the source's request has. */
static enum gk_status split_url(const struct gk_request *request, struct gk_copy_source *source,
                                struct gk_error *error)
{
    const char *url = source->url;
    struct gk_request *own = &source->request;
    const bool https = strncasecmp(url, "https://", 8) == 0;
    if (strlen(url) > URL_BYTES_MAX || (!https && strncasecmp(url, "http://", 7) != 0)) {
        return not_a_url(error);
    }
    const char *authority = url + (https ? 8 : 7);
    const size_t len = strspn(authority, AUTHORITY_CHARACTERS);
    const char *path = authority + len;
    if (len == 0 || *path != '/' || strchr(path, '#') != NULL) {
        return not_a_url(error);
    }
    source->authority = strndup(authority, len);
    own->exchange = gk_http_part_new(request->exchange, own->method, path, source->headers,
                                     source->headers_count);
    if (source->authority == NULL || own->exchange == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    own->headers = own->exchange->headers;
    own->headers_count = own->exchange->headers_count;
    own->raw_path = own->exchange->path;
    own->raw_query = own->exchange->query;
    return GK_OK;
}

/* Of "host:port" or "[address]:port". */
static size_t host_len(const char *authority)
{
    const char *bracket = authority[0] == '[' ? strchr(authority, ']') : NULL;
    return bracket != NULL ? (size_t)(bracket + 1 - authority) : strcspn(authority, ":");
}

/* Whether it is this gateway: as the client itself names it, or by a name below the gateway's domain. At
 * whatever port: there is one for TLS and one without, and nothing is connected to. */
static bool is_ours(const struct gk_request *request, const struct gk_copy_source *source)
{
    const char *host = gk_request_header(request, "Host");
    const size_t len = host_len(source->authority);
    return (host != NULL && len == host_len(host) &&
            strncasecmp(source->authority, host, len) == 0) ||
           gk_route_is_below(source->authority, request->gateway->blob_domain);
}

/* Sent as it is, and kept with the copy. */
static bool is_plain(const char *url)
{
    while (*url > 0x20 && *url < 0x7f) {
        url++;
    }
    return *url == '\0';
}

/* Over TLS, and of those that may be asked; which know nothing of each other's snapshots. */
static enum gk_status find_host(const struct gk_request *request, struct gk_copy_source *source,
                                struct gk_error *error)
{
    const struct gk_config *config = request->terms->config;
    if (!is_plain(source->url)) {
        return not_a_url(error);
    }
    if (request->operation == GK_OP_BLOB_INCREMENTAL_COPY_BLOB) {
        return gk_refuse_because(error, 501, "NotImplemented",
                                 "Incremental copies are of accounts of this gateway.");
    }
    if (strncasecmp(source->url, "https://", 8) == 0) {
        source->host = gk_copy_host_find(config->blob.copy_hosts, config->blob.copy_hosts_count,
                                         source->authority);
    }
    return source->host != NULL ? GK_OK
                                : gk_refuse_because(error, 403, "CannotVerifyCopySource",
                                                    "This gateway does not copy from there.");
}

static enum gk_status locate(const struct gk_request *request, struct gk_copy_source *source,
                             struct gk_error *error)
{
    enum gk_status status = split_url(request, source, error);
    if (status != GK_OK) {
        return status;
    }
    if (!is_ours(request, source)) {
        return find_host(request, source, error);
    }
    struct gk_request *own = &source->request;
    source->routed = true;
    status = gk_route_parse(&source->route, own->raw_path, own->raw_query, source->authority,
                            request->gateway->blob_domain, error);
    if (status != GK_OK) {
        return status;
    }
    gk_route_apply(&source->route, own);
    return own->blob[0] == '\0' ? not_a_url(error) : GK_OK;
}

static void take_headers(const struct gk_request *request, struct gk_copy_source *source)
{
    for (size_t i = 0; i < SOURCE_HEADERS; i++) {
        const char *value = gk_request_header(request, source_headers[i].from);
        if (value != NULL) {
            source->headers[source->headers_count++] =
                (struct gk_pair){.name = source_headers[i].to, .value = value};
        }
    }
}

/* --- may it be read -----------------------------------------------------------------------------*/

static enum gk_status authenticate(const struct gk_request *request, struct gk_copy_source *source,
                                   struct gk_error *error)
{
    struct gk_request *own = &source->request;
    const bool credential =
        gk_request_query(own, "sig") != NULL || gk_request_header(own, "Authorization") != NULL;
    if (credential || !request->credential_is_account_key ||
        strcmp(own->account_name, request->account_name) != 0) {
        return gk_authenticate(own, error);
    }
    own->permissions = GK_PERMIT_ALL;
    own->credential_is_account_key = true;
    return gk_accounts_get(request->gateway->accounts, own->account_name, &own->account, error);
}

/* Documented of what a source refuses: with which status, and why. */
static void tell_refusal(struct gk_request *request, unsigned status, const char *code)
{
    gk_respond_headerf(request, "x-ms-copy-source-status-code", "%u", status);
    if (code[0] != '\0') {
        gk_respond_header(request, "x-ms-copy-source-error-code", code);
    }
}

/* What an answer to a Get Blob is in the answer to who wanted a copy. */
static enum gk_status as_refusal_of_source(struct gk_request *request, enum gk_status status,
                                           struct gk_error *error)
{
    char why[sizeof error->message];
    if (error->http_status >= 300) {
        tell_refusal(request, error->http_status, error->code);
    }
    switch (error->http_status) {
    case 304:
    case 412:
        return gk_refuse(error, 412, "SourceConditionNotMet");
    case 401:
        return gk_refuse(error, 403, "CannotVerifyCopySource");
    case 403:
    case 404:
        /* The text says what it was; a refusal by a vault keeps its code, on which operators act. */
        if (status == GK_E_DENIED) {
            return status;
        }
        memcpy(why, error->message, sizeof why);
        return gk_fail_http(error, GK_E_INVALID, error->http_status, "CannotVerifyCopySource", "%s",
                            why);
    default:
        return status;
    }
}

static enum gk_status read_source(struct gk_copy_source *source, struct gk_error *error)
{
    struct gk_request *own = &source->request;
    enum gk_status status = gk_blob_target_load_content(own, &source->target, error);
    if (status == GK_OK) {
        status = gk_blob_conditions(own, &source->target, GK_ACCESS_READ, error);
    }
    if (status == GK_OK && gk_copy_is_pending(&source->target)) {
        status = gk_refuse_because(error, 409, "PendingCopyOperation",
                                   "The source is itself still being copied.");
    }
    if (status == GK_OK && !source->rehydrates) {
        status = gk_blob_online_check(own, &source->target, error);
    }
    if (status == GK_OK) {
        status = gk_blob_open_data_key(own, &source->target, &source->data_key, error);
    }
    return status == GK_OK ? gk_range_read(own, source->target.record.size, &source->range, error)
                           : status;
}

/* Documented of Copy Blob within an account, into a tier that is read from. */
static bool brings_back(const struct gk_request *request, const struct gk_request *own)
{
    const char *tier = gk_request_header(request, "x-ms-access-tier");
    return request->operation == GK_OP_BLOB_COPY_BLOB && tier != NULL &&
           strcasecmp(tier, "Archive") != 0 &&
           gk_id_equal(&request->account->id, &own->account->id);
}

static enum gk_status open_source(struct gk_request *request, struct gk_copy_source *source,
                                  struct gk_error *error)
{
    struct gk_request *own = &source->request;
    enum gk_status status = authenticate(request, source, error);
    source->rehydrates = status == GK_OK && brings_back(request, own);
    if (status == GK_OK && (own->permissions & GK_PERMIT_READ) == 0) {
        status = gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    if (status == GK_OK) {
        status = gk_key_policy_check(own, error);
    }
    return status == GK_OK ? read_source(source, error) : status;
}

/* --- from another host --------------------------------------------------------------------------*/

/* A page blob's ranges are not in its bytes. */
static enum gk_status check_type(const struct gk_request *request,
                                 const struct gk_copy_source *source, struct gk_error *error)
{
    const bool as_it_is = request->operation == GK_OP_BLOB_COPY_BLOB ||
                          request->operation == GK_OP_BLOB_COPY_BLOB_FROM_URL;
    return as_it_is && source->target.record.kind.type == GK_BLOB_PAGE
               ? gk_refuse_because(error, 501, "NotImplemented",
                                   "A page blob of another host is copied by Put Page From URL.")
               : GK_OK;
}

static enum gk_status open_remote(struct gk_request *request, struct gk_copy_source *source,
                                  struct gk_error *error)
{
    const struct gk_request *own = &source->request;
    struct gk_remote_answer *answer = &source->answer;
    size_t count = 0;
    enum gk_status status =
        gk_remote_source_open(own, source->host, source->url, &source->remote, error);
    if (status == GK_OK) {
        const struct gk_pair *headers = gk_remote_source_headers(source->remote, &count);
        status = gk_remote_answer_init(answer, request, gk_remote_source_status(source->remote),
                                       headers, count, error);
    }
    if (status == GK_OK && answer->status >= 300) {
        tell_refusal(request, answer->status, gk_remote_answer_code(answer));
    }
    if (status == GK_OK) {
        status = gk_remote_answer_read(answer, own, &source->target.record, &source->range, error);
    }
    return status == GK_OK ? check_type(request, source, error) : status;
}

/* --- life ---------------------------------------------------------------------------------------*/

static enum gk_status new_source(struct gk_request *request, struct gk_error *error)
{
    struct gk_copy_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    request->source = source;
    source->url = gk_request_header(request, "x-ms-copy-source");
    struct gk_request *own = &source->request;
    own->gateway = request->gateway;
    own->terms = request->terms;
    memcpy(own->id, request->id, sizeof own->id);
    memcpy(own->client_address, request->client_address, sizeof own->client_address);
    own->method = "GET";
    own->operation = GK_OP_BLOB_GET_BLOB;
    own->tls = request->tls; /* how the source's credential came, whatever scheme its URL has */
    own->version = request->version;
    own->received_wall_ms = request->received_wall_ms;
    take_headers(request, source);
    return GK_OK;
}

enum gk_status gk_copy_source_open(struct gk_request *request, struct gk_error *error)
{
    if (request->content_length != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "With x-ms-copy-source there is no body: Content-Length: 0");
    }
    if (gk_request_header(request, "x-ms-copy-source") == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader", "x-ms-copy-source");
    }
    enum gk_status status = new_source(request, error);
    if (status == GK_OK) {
        status = locate(request, request->source, error);
    }
    if (status == GK_OK && request->source->host != NULL) {
        status = open_remote(request, request->source, error);
    } else if (status == GK_OK) {
        status = open_source(request, request->source, error);
        status = status == GK_OK ? GK_OK : as_refusal_of_source(request, status, error);
    }
    if (status == GK_OK) {
        request->content_length = request->source->range.length;
    }
    return status;
}

void gk_copy_source_close(struct gk_request *request)
{
    struct gk_copy_source *source = request->source;
    if (source == NULL) {
        return;
    }
    request->gateway->host->plugin->data_key_free(source->data_key);
    gk_blob_target_cleanup(&source->target);
    gk_remote_answer_cleanup(&source->answer);
    gk_remote_source_close(source->remote);
    if (source->request.account != NULL) {
        gk_accounts_put(source->request.account);
    }
    if (source->routed) {
        gk_route_cleanup(&source->route);
    }
    gk_http_part_free(source->request.exchange);
    free(source->authority);
    free(source);
    request->source = NULL;
}

/* --- what it holds ------------------------------------------------------------------------------*/

bool gk_copy_source_is_remote(const struct gk_copy_source *source)
{
    return source->host != NULL;
}

const struct gk_blob_record *gk_copy_source_record(const struct gk_copy_source *source)
{
    return &source->target.record;
}

const struct gk_request *gk_copy_source_request(const struct gk_copy_source *source)
{
    return &source->request;
}

const struct gk_blob_target *gk_copy_source_target(const struct gk_copy_source *source)
{
    return &source->target;
}

enum gk_status gk_copy_source_check_unchanged(struct gk_request *request, struct gk_error *error)
{
    struct gk_copy_source *source = request->source;
    struct gk_blob_target now;
    enum gk_status status = gk_blob_target_load_existing(&source->request, &now, error);
    if (status == GK_OK && now.record.etag != source->target.record.etag) {
        status = gk_refuse_because(error, 412, "SourceConditionNotMet",
                                   "The source was changed while it was copied.");
    }
    gk_blob_target_cleanup(&now);
    return status == GK_OK ? GK_OK : as_refusal_of_source(request, status, error);
}

/* No such operation has a source's range in its documentation: a part would pass for the whole. */
enum gk_status gk_copy_source_whole(const struct gk_request *request, struct gk_error *error)
{
    return gk_request_header(request, "x-ms-source-range") != NULL
               ? gk_refuse_because(error, 400, "UnsupportedHeader", "Header: x-ms-source-range")
               : GK_OK;
}

enum gk_status gk_copy_source_tags(const struct gk_request *request, struct gk_metadata *tags,
                                   struct gk_error *error)
{
    const struct gk_copy_source *source = request->source;
    const char *option = gk_request_header(request, "x-ms-copy-source-tag-option");
    if (option == NULL || strcasecmp(option, "REPLACE") == 0) {
        return GK_OK;
    }
    if (strcasecmp(option, "COPY") != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-ms-copy-source-tag-option is COPY or REPLACE.");
    }
    if (gk_request_header(request, "x-ms-tags") != NULL) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "Tags are those of the source, or x-ms-tags.");
    }
    if (gk_copy_source_is_remote(source)) {
        return gk_refuse_because(error, 501, "NotImplemented",
                                 "Tags are copied from accounts of this gateway alone.");
    }
    if ((source->request.permissions & request->permissions & GK_PERMIT_TAGS) == 0) {
        return gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    gk_metadata_cleanup(tags);
    gk_metadata_init(tags);
    while (gk_metadata_next(&source->target.record.tags, &at, &name, &value)) {
        gk_metadata_add(tags, name, value);
    }
    return gk_buf_status(&tags->bytes) == GK_OK ? GK_OK
                                                : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

enum gk_status gk_copy_source_inherit(const struct gk_copy_source *source,
                                      struct gk_blob_record *record, struct gk_error *error)
{
    char *const *from = source->target.record.headers;
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        if (record->headers[i] != NULL || from[i] == NULL) {
            continue;
        }
        record->headers[i] = strdup(from[i]);
        if (record->headers[i] == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
    }
    return GK_OK;
}

enum gk_status gk_copy_source_metadata(const struct gk_copy_source *source,
                                       struct gk_metadata *metadata, struct gk_error *error)
{
    if (gk_copy_source_is_remote(source)) {
        return gk_metadata_from_headers(&source->answer.told, metadata, error);
    }
    return gk_blob_metadata(&source->request, &source->target, source->data_key, metadata, error);
}

static void append_name(const struct gk_copy_source *source, struct gk_buf *out)
{
    static const char *const states[] = {"snapshot", "versionid"};
    gk_buf_append(out, source->url, strcspn(source->url, "?"));
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        const char *time = gk_request_query(&source->request, states[i]);
        if (time != NULL) { /* one of them, and a time */
            gk_buf_printf(out, "?%s=", states[i]);
            gk_percent_encode(out, gk_span_str(time), "");
        }
    }
}

enum gk_status gk_copy_source_describe(const struct gk_request *request, struct gk_copy *copy,
                                       struct gk_error *error)
{
    struct gk_buf name;
    gk_buf_init(&name, URL_BYTES_MAX);
    append_name(request->source, &name);
    gk_copy_clear(copy);
    copy->source = gk_buf_status(&name) == GK_OK ? strdup(gk_buf_str(&name)) : NULL;
    gk_buf_cleanup(&name);
    if (copy->source == NULL || !gk_id_random(&copy->id)) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    copy->bytes = request->content_length;
    copy->completed_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    return GK_OK;
}

static enum gk_status pour(struct gk_request *request, struct gk_reader_stream *stream,
                           gk_copy_take_fn *take, struct gk_error *error)
{
    uint8_t *bytes = malloc(PIECE_BYTES);
    enum gk_status status = bytes == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    size_t len = 1;
    while (status == GK_OK && len > 0) {
        status = gk_reader_stream_next(stream, bytes, PIECE_BYTES, &len, error);
        if (status == GK_OK && len > 0) {
            status = take(request, gk_span_of(bytes, len), error);
        }
    }
    gk_wipe(bytes, bytes == NULL ? 0 : PIECE_BYTES);
    free(bytes);
    return status;
}

enum gk_status gk_copy_source_pour(struct gk_request *request, gk_copy_take_fn *take,
                                   struct gk_error *error)
{
    struct gk_copy_source *source = request->source;
    if (source->range.length == 0) {
        return GK_OK;
    }
    if (gk_copy_source_is_remote(source)) {
        return gk_remote_source_pour(source->remote, request, take, error);
    }
    struct gk_reader_stream *stream = NULL;
    enum gk_status status =
        gk_reader_stream_new(&source->request, &source->target, source->data_key,
                             source->range.from, source->range.length, &stream, error);
    source->data_key = NULL; /* the stream has it */
    if (status == GK_OK) {
        status = pour(request, stream, take, error);
    }
    gk_reader_stream_free(stream);
    return status;
}
