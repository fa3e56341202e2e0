/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/auth/auth.h"
#include "gateway/auth/bearer.h"
#include "gateway/auth/signature.h"
#include "gateway/cause.h"
#include "gateway/http/key_policy.h"
#include "gateway/http/request.h"
#include "gateway/http/route.h"
#include "gateway/metrics.h"
#include "gateway/refusals.h"
#include "gateway/terms.h"

#define HEADERS_BYTES_MAX   32768u /* name and value lengths together */
#define CLIENT_ID_BYTES_MAX 1024u
#define ERROR_BYTES_MAX     8192u

/* A request with what only dispatch knows of it. */
struct call {
    struct gk_request request;
    struct gk_route route;
    struct gk_terms
        *terms; /* its own; NULL for a part, which goes by those of what it is a part of */
    const struct gk_handler *handler;
    const struct gk_request *around; /* of a part; NULL for a request of its own */
    const char *cause_around;        /* what gk_cause() was before it */
    bool routed;
    double begun;  /* gk_metrics_now() */
    char code[64]; /* of a refusal, as in struct gk_error */
};

/* --- answers ------------------------------------------------------------------------------------ */

static void append_xml_text(struct gk_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            gk_buf_append_str(out, "&lt;");
            break;
        case '>':
            gk_buf_append_str(out, "&gt;");
            break;
        case '&':
            gk_buf_append_str(out, "&amp;");
            break;
        default:
            /* Control characters have no place in XML 1.0, nor has half a character, to which a text of the
             * client's may have been cut. */
            gk_buf_append_u8(out, (unsigned char)*text >= 0x80                   ? '?'
                                  : (unsigned char)*text < 0x20 && *text != '\n' ? ' '
                                                                                 : (uint8_t)*text);
        }
    }
}

/* What a failure of ours looks like to a client. Inner messages stay in the log. */
static void as_answer(const struct gk_request *request, struct gk_error *error)
{
    if (error->http_status != 0) {
        return;
    }
    gk_log_request(GK_LOG_WARNING, "request", request->id, "%s: %s", gk_status_name(error->status),
                   error->message);
    switch (error->status) {
    case GK_E_INTEGRITY:
        (void)gk_refuse(error, 500, "IntegrityCheckFailed");
        break;
    case GK_E_UNAVAILABLE:
    case GK_E_COLD:     /* the key was dropped since the operation was authorized */
    case GK_E_CONFLICT: /* another gateway got in between */
    case GK_E_EXISTS:
        (void)gk_refuse(error, 503, "ServerBusy");
        error->retry_after_s = 1;
        break;
    default:
        (void)gk_refuse(error, 500, "InternalError");
    }
}

static void common_headers(struct gk_request *request)
{
    gk_respond_header(request, "Server", "Gatekey-Blob/1.0");
    gk_respond_header(request, "x-ms-request-id", request->id);
    gk_respond_header(request, "x-ms-version", GK_SERVICE_VERSION);
    const char *client_id = gk_request_header(request, "x-ms-client-request-id");
    if (client_id != NULL && strlen(client_id) <= CLIENT_ID_BYTES_MAX) {
        gk_respond_header(request, "x-ms-client-request-id", client_id);
    }
}

/* Why a credential was not accepted stands in an element of its own, and not in the message; NULL for any
 * other failure. */
static const char *authentication_detail(const struct gk_error *error)
{
    const size_t len = strlen(gk_error_text(error->code));
    return strcmp(error->code, "AuthenticationFailed") == 0 && strlen(error->message) > len
               ? error->message + len + 1
               : NULL;
}

static void answer_error(struct call *call, struct gk_error *error)
{
    struct gk_request *request = &call->request;
    as_answer(request, error);
    snprintf(call->code, sizeof call->code, "%s", error->code);
    if (error->http_status == 304) {
        (void)gk_respond(request, 304);
        return;
    }
    gk_respond_header(request, "x-ms-error-code", error->code);
    if (error->retry_after_s > 0) {
        gk_respond_headerf(request, "Retry-After", "%u", error->retry_after_s);
    }
    if (error->http_status == 401) {
        const struct gk_bearer *bearer = request->terms->bearer;
        gk_respond_header(request, "WWW-Authenticate",
                          bearer == NULL ? "SharedKey" : gk_bearer_challenge(bearer));
    }
    char time[GK_TIME_TEXT_BYTES];
    gk_time_iso(request->received_wall_ms, time);
    struct gk_buf body;
    gk_buf_init(&body, ERROR_BYTES_MAX);
    gk_buf_append_str(&body, "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>");
    append_xml_text(&body, error->code);
    gk_buf_append_str(&body, "</Code><Message>");
    const char *detail = authentication_detail(error);
    append_xml_text(&body, detail == NULL ? error->message : gk_error_text(error->code));
    gk_buf_printf(&body, "\nRequestId:%s\nTime:%s</Message>", request->id, time);
    if (detail != NULL) {
        gk_buf_append_str(&body, "<AuthenticationErrorDetail>");
        append_xml_text(&body, detail);
        gk_buf_append_str(&body, "</AuthenticationErrorDetail>");
    }
    gk_buf_append_str(&body, "</Error>");
    if (strcmp(request->method, "HEAD") == 0) {
        (void)gk_respond(request, error->http_status);
    } else {
        (void)gk_respond_buf(request, error->http_status, "application/xml", &body);
    }
    gk_buf_cleanup(&body);
}

/* --- the order of things ------------------------------------------------------------------------- */

static enum gk_status check_head(const struct gk_http_exchange *exchange, struct gk_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < exchange->headers_count; i++) {
        bytes += strlen(exchange->headers[i].name) + strlen(exchange->headers[i].value);
    }
    if (exchange->headers_too_many || bytes > HEADERS_BYTES_MAX) {
        return gk_refuse(error, 400, "RequestHeaderTooLarge");
    }
    if (exchange->headers_malformed) {
        return gk_refuse(error, 400, "InvalidHeaderValue");
    }
    const bool has_body =
        strcmp(exchange->method, "PUT") == 0 || strcmp(exchange->method, "POST") == 0;
    if (exchange->is_chunked || (has_body && !exchange->has_content_length)) {
        return gk_refuse(error, 411, "MissingContentLengthHeader");
    }
    return GK_OK;
}

static enum gk_status route(struct call *call, struct gk_error *error)
{
    struct gk_request *request = &call->request;
    const struct gk_http_exchange *exchange = request->exchange;
    const struct gk_gateway *gateway = request->gateway;
    const char *host = gk_http_header(exchange, "Host");
    call->routed = true;
    const char *domain = gateway->blob_domain;
    enum gk_status status;
    request->website = gk_route_is_below(host, gateway->web_domain);
    if (request->website) {
        status =
            gk_route_parse_website(&call->route, exchange->path, host, gateway->web_domain, error);
    } else if (call->around != NULL) {
        status = gk_route_parse_part(&call->route, exchange->path, exchange->query, host, domain,
                                     call->around->account_name, error);
    } else {
        status = gk_route_parse(&call->route, exchange->path, exchange->query, host, domain, error);
    }
    if (status != GK_OK) {
        return status;
    }
    gk_route_apply(&call->route, request);
    const char *batched = call->around == NULL ? "" : call->around->container;
    return batched[0] != '\0' && strcmp(batched, request->container) != 0
               ? gk_refuse_because(error, 400, "InvalidInput",
                                   "The batch is for another container.")
               : GK_OK;
}

/* A website's page is a blob that is read, whatever the path and the query. */
static enum gk_status find_operation(struct gk_request *request, struct gk_error *error)
{
    if (!request->website) {
        return gk_route_operation(request, &request->operation, error);
    }
    const bool head = strcmp(request->method, "HEAD") == 0;
    request->operation = head ? GK_OP_BLOB_GET_BLOB_PROPERTIES : GK_OP_BLOB_GET_BLOB;
    return head || strcmp(request->method, "GET") == 0
               ? GK_OK
               : gk_refuse(error, 405, "UnsupportedHttpVerb");
}

static enum gk_status check_body(const struct gk_request *request, const struct gk_handler *handler,
                                 struct gk_error *error)
{
    const uint64_t max = handler->body == GK_BODY_NONE ? 0 : handler->body_max;
    return request->content_length > max
               ? gk_refuse_because(error, 413, "RequestBodyTooLarge", "It takes %llu bytes.",
                                   (unsigned long long)max)
               : GK_OK;
}

static enum gk_status begin(struct call *call, struct gk_error *error)
{
    struct gk_request *request = &call->request;
    enum gk_status status = check_head(request->exchange, error);
    if (status == GK_OK) {
        status = route(call, error);
    }
    if (status == GK_OK) {
        status = find_operation(request, error);
    }
    if (status == GK_OK) {
        status = gk_authenticate(request, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (request->secondary && !gk_operation_reads(request->operation)) {
        return gk_refuse_because(error, 403, "InsufficientAccountPermissions",
                                 "Write operations are not allowed.");
    }
    const struct gk_handler *handler =
        request->website ? &gk_website_handler : gk_blob_handler(request->operation);
    if (handler == NULL) {
        return gk_refuse(error, 501, "NotImplemented");
    }
    if ((request->permissions & handler->permissions) == 0) {
        return gk_refuse(error, 403, "AuthorizationPermissionMismatch");
    }
    status = gk_key_policy_check(request, error);
    if (status == GK_OK) {
        status = check_body(request, handler, error);
    }
    if (status != GK_OK) {
        return status;
    }
    call->handler = handler;
    gk_buf_init(&request->body, handler->body == GK_BODY_BUFFERED ? handler->body_max : 0);
    return handler->begin == NULL ? GK_OK : handler->begin(request, error);
}

static void fill_request(struct call *call, struct gk_gateway *gateway,
                         struct gk_http_exchange *exchange)
{
    struct gk_id id;
    struct gk_request *request = &call->request;
    if (gk_id_random(&id)) {
        gk_id_format(&id, request->id);
    }
    request->gateway = gateway;
    call->terms = call->around == NULL ? gk_terms_now(gateway->terms) : NULL;
    request->terms = call->around == NULL ? call->terms : call->around->terms;
    request->exchange = exchange;
    request->method = exchange->method;
    request->raw_path = exchange->path;
    request->raw_query = exchange->query;
    request->tls = exchange->tls;
    snprintf(request->client_address, sizeof request->client_address, "%s",
             exchange->client_address);
    request->account_name = "";
    request->container = "";
    request->blob = "";
    request->operation = GK_OPERATIONS_COUNT;
    request->headers = exchange->headers;
    request->headers_count = exchange->headers_count;
    request->content_length = exchange->content_length;
    request->has_content_length = exchange->has_content_length;
    request->received_wall_ms = gk_clock_wall_ms(&gateway->clock);
    call->begun = gk_metrics_now();
    const char *version = gk_http_header(exchange, "x-ms-version");
    request->version = version != NULL        ? gk_service_version(version)
                       : call->around != NULL ? call->around->version
                                              : 0;
}

/* around: of a part, else NULL. */
static void begin_call(struct gk_gateway *gateway, struct gk_http_exchange *exchange,
                       const struct gk_request *around)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        gk_http_answer(exchange, 503, 0);
        return;
    }
    exchange->state = call;
    call->around = around;
    fill_request(call, gateway, exchange);
    call->cause_around = gk_cause_set(call->request.id);
    common_headers(&call->request);
    struct gk_error error = {0};
    if (begin(call, &error) != GK_OK) {
        answer_error(call, &error);
    }
}

static void on_headers(void *ctx, struct gk_http_exchange *exchange)
{
    begin_call(ctx, exchange, NULL);
}

static void on_body(void *ctx, struct gk_http_exchange *exchange, struct gk_span bytes)
{
    (void)ctx;
    struct call *call = exchange->state;
    struct gk_error error = {0};
    enum gk_status status = GK_OK;
    if (call->handler->body == GK_BODY_STREAM) {
        status = call->handler->chunk(&call->request, bytes, &error);
    } else {
        gk_buf_append(&call->request.body, bytes.data, bytes.len);
        if (gk_buf_status(&call->request.body) != GK_OK) {
            status = gk_refuse(&error, 413, "RequestBodyTooLarge");
        }
    }
    if (status != GK_OK) {
        answer_error(call, &error);
    }
}

static void on_complete(void *ctx, struct gk_http_exchange *exchange)
{
    (void)ctx;
    struct call *call = exchange->state;
    struct gk_error error = {0};
    if (exchange->body_received != exchange->content_length) {
        (void)gk_refuse(&error, 400, "InvalidInput");
        answer_error(call, &error);
    } else if (call->handler->finish(&call->request, &error) != GK_OK) {
        answer_error(call, &error);
    }
}

static void count(const struct call *call, unsigned status, double seconds)
{
    const char *operation = gk_operation_name(call->request.operation);
    char labels[160];
    snprintf(labels, sizeof labels, "operation=\"%s\",status=\"%uxx\"", operation, status / 100);
    gk_metrics_count("gatekey_requests_total", labels, 1);
    snprintf(labels, sizeof labels, "operation=\"%s\"", operation);
    gk_metrics_count("gatekey_request_duration_seconds", labels, seconds);
    gk_metrics_count("gatekey_received_bytes_total", "",
                     (double)call->request.exchange->body_received);
    gk_metrics_count("gatekey_sent_bytes_total", "", (double)call->request.exchange->answer_sent);
}

/* A refusal is for whoever a client asks about it by the request's id; the rest is for who looks for a fault. */
static void log_end(const struct call *call, const struct gk_http_exchange *exchange,
                    double seconds)
{
    const struct gk_request *request = &call->request;
    const bool told = exchange->answer_status >= 400 &&
                      gk_refusals_take(gk_clock_mono_ms(&request->gateway->clock));
    gk_log_request(told ? GK_LOG_INFO : GK_LOG_DEBUG, "request", request->id,
                   "%s %s \"%s\" %u%s%s, %llu bytes in, %llu out, %.1f ms", request->method,
                   request->account_name, gk_operation_name(request->operation),
                   exchange->answer_status, call->code[0] == '\0' ? "" : " ", call->code,
                   (unsigned long long)exchange->body_received,
                   (unsigned long long)exchange->answer_sent, seconds * 1000.0);
}

static void on_end(void *ctx, struct gk_http_exchange *exchange)
{
    (void)ctx;
    struct call *call = exchange->state;
    if (call == NULL) {
        return;
    }
    struct gk_request *request = &call->request;
    if (call->handler != NULL && call->handler->cleanup != NULL) {
        call->handler->cleanup(request);
    }
    const double seconds = gk_metrics_now() - call->begun;
    count(call, exchange->answer_status, seconds);
    log_end(call, exchange, seconds);
    if (request->account != NULL) {
        gk_accounts_put(request->account);
    }
    gk_buf_cleanup_wipe(&request->body); /* pages of a blob may be in it */
    gk_http_header_wipe(request->exchange, "x-ms-encryption-key");
    gk_http_header_wipe(request->exchange, "x-ms-source-encryption-key");
    if (call->routed) {
        gk_route_cleanup(&call->route);
    }
    gk_terms_release(call->terms);
    (void)gk_cause_set(call->cause_around);
    free(call);
}

void gk_dispatch_part(const struct gk_request *around, struct gk_http_exchange *part)
{
    begin_call(around->gateway, part, around);
    if (part->answer_status == 0) {
        on_complete(around->gateway, part);
    }
    on_end(around->gateway, part);
}

struct gk_http_service gk_dispatch_service(struct gk_gateway *gateway)
{
    return (struct gk_http_service){.ctx = gateway,
                                    .on_headers = on_headers,
                                    .on_body = on_body,
                                    .on_complete = on_complete,
                                    .on_end = on_end};
}
