/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blob Batch, of an account and of a container (Storage REST reference, "Blob Batch"). Each of its
 * requests is taken through all that it would be taken through alone, credential and key included; what
 * becomes of one is told by its part of the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/batch_body.h"
#include "gateway/blob/handlers.h"
#include "gateway/gateway.h"
#include "gateway/http/dispatch.h"
#include "gateway/http/route.h"

#define ANSWER_BYTES_MAX (16u << 20)
#define TARGET_BYTES_MAX 16384u
#define BOUNDARY_PREFIX  "batchresponse_"

struct batch {
    struct gk_batch_part *parts;
    size_t count;
    char boundary[sizeof BOUNDARY_PREFIX + GK_UUID_TEXT_BYTES]; /* of the answer */
    struct gk_buf answer;
};

/* --- which requests can be part of one ----------------------------------------------------------*/

static const char *query_of(const struct gk_route *route, const char *name)
{
    for (size_t i = 0; i < route->query_count; i++) {
        if (strcasecmp(route->query[i].name, name) == 0) {
            return route->query[i].value;
        }
    }
    return "";
}

/* Delete Blob or Set Blob Tier, in the account that the batch is for. */
static bool is_welcome(const struct gk_request *request, const struct gk_batch_part *part,
                       const struct gk_route *route)
{
    const char *comp = query_of(route, "comp");
    const bool deletes = strcmp(part->method, "DELETE") == 0 && comp[0] == '\0';
    const bool sets_tier = strcmp(part->method, "PUT") == 0 && strcasecmp(comp, "tier") == 0;
    return (deletes || sets_tier) && query_of(route, "restype")[0] == '\0' &&
           route->blob[0] != '\0' && strcmp(route->account, request->account_name) == 0;
}

static enum gk_status check_part(const struct gk_request *request, const struct gk_batch_part *part,
                                 struct gk_error *error)
{
    char path[TARGET_BYTES_MAX];
    const char *question = strchr(part->target, '?');
    const size_t len = question == NULL ? strlen(part->target) : (size_t)(question - part->target);
    if (len >= sizeof path) {
        return gk_refuse(error, 400, "InvalidUri");
    }
    memcpy(path, part->target, len);
    path[len] = '\0';
    struct gk_route route;
    enum gk_status status = gk_route_parse_part(
        &route, path, question == NULL ? "" : question + 1, gk_request_header(request, "Host"),
        request->gateway->blob_domain, request->account_name, error);
    if (status == GK_OK && !is_welcome(request, part, &route)) {
        status =
            gk_refuse_because(error, 400, "InvalidInput",
                              "A batch has Delete Blob and Set Blob Tier alone, in one account.");
    }
    gk_route_cleanup(&route);
    return status;
}

/* --- the answer ---------------------------------------------------------------------------------*/

static const char *reason_of(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 202:
        return "Accepted";
    case 404:
        return "The specified resource does not exist.";
    default:
        return status < 400 ? "OK" : "The request was refused.";
    }
}

static void append_part(struct batch *batch, const struct gk_batch_part *part,
                        const struct gk_http_exchange *exchange)
{
    struct gk_buf *out = &batch->answer;
    const struct gk_span body = gk_http_part_body(exchange);
    struct gk_pair header;
    gk_buf_printf(out, "--%s\r\nContent-Type: application/http\r\n", batch->boundary);
    if (part->content_id != NULL) {
        gk_buf_printf(out, "Content-ID: %s\r\n", part->content_id);
    }
    gk_buf_printf(out, "\r\nHTTP/1.1 %u %s\r\n", exchange->answer_status,
                  reason_of(exchange->answer_status));
    for (size_t i = 0; gk_http_answer_header_at(exchange, i, &header); i++) {
        gk_buf_append_str(out, header.name);
        gk_buf_append_str(out, ": ");
        gk_buf_append_str(out, header.value);
        gk_buf_append_str(out, "\r\n");
    }
    if (body.len > 0) {
        gk_buf_printf(out, "Content-Length: %zu\r\n", body.len);
    }
    gk_buf_append_str(out, "\r\n");
    gk_buf_append(out, body.data, body.len);
    gk_buf_append_str(out, body.len > 0 ? "\r\n" : "");
}

/* In a host-style request it is the host that names the account. */
static size_t headers_of(const struct gk_request *request, const struct gk_batch_part *part,
                         struct gk_pair headers[GK_BATCH_PART_HEADERS_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < part->headers_count; i++) {
        if (strcasecmp(part->headers[i].name, "Host") != 0) {
            headers[count++] = part->headers[i];
        }
    }
    const char *host = gk_request_header(request, "Host");
    if (host != NULL) {
        headers[count++] = (struct gk_pair){.name = "Host", .value = host};
    }
    return count;
}

static enum gk_status run_part(struct gk_request *request, struct batch *batch,
                               const struct gk_batch_part *part, struct gk_error *error)
{
    struct gk_pair headers[GK_BATCH_PART_HEADERS_MAX + 1];
    const size_t count = headers_of(request, part, headers);
    struct gk_http_exchange *exchange =
        gk_http_part_new(request->exchange, part->method, part->target, headers, count);
    if (exchange == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_dispatch_part(request, exchange);
    append_part(batch, part, exchange);
    gk_http_part_free(exchange);
    return GK_OK;
}

/* --- the operation ------------------------------------------------------------------------------*/

static enum gk_status read_parts(struct gk_request *request, struct batch *batch,
                                 struct gk_error *error)
{
    char boundary[GK_BATCH_BOUNDARY_BYTES];
    if (!gk_batch_boundary(gk_request_header(request, "Content-Type"), boundary)) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "Content-Type is multipart/mixed with a boundary.");
    }
    enum gk_status status =
        gk_batch_body_parse(&request->body, boundary, &batch->parts, &batch->count, error);
    for (size_t i = 0; status == GK_OK && i < batch->count; i++) {
        status = check_part(request, &batch->parts[i], error);
    }
    return status;
}

static enum gk_status respond(struct gk_request *request, struct batch *batch,
                              struct gk_error *error)
{
    char content_type[sizeof batch->boundary + 32];
    gk_buf_printf(&batch->answer, "--%s--\r\n", batch->boundary);
    if (gk_buf_status(&batch->answer) != GK_OK) {
        return gk_fail(error, GK_E_RESOURCE, "the answer to a batch does not fit");
    }
    snprintf(content_type, sizeof content_type, "multipart/mixed; boundary=%s", batch->boundary);
    return gk_respond_buf(request, 202, content_type, &batch->answer);
}

static enum gk_status blob_batch(struct gk_request *request, struct gk_error *error)
{
    struct batch batch = {.parts = NULL};
    gk_buf_init(&batch.answer, ANSWER_BYTES_MAX);
    snprintf(batch.boundary, sizeof batch.boundary, BOUNDARY_PREFIX "%s", request->id);
    enum gk_status status = read_parts(request, &batch, error);
    for (size_t i = 0; status == GK_OK && i < batch.count; i++) {
        status = run_part(request, &batch, &batch.parts[i], error);
    }
    if (status == GK_OK) {
        status = respond(request, &batch, error);
    }
    free(batch.parts);
    gk_buf_cleanup(&batch.answer);
    return status;
}

const struct gk_handler gk_blob_batch_handler = {.body = GK_BODY_BUFFERED,
                                                 .body_max = GK_BATCH_BODY_BYTES_MAX,
                                                 .permissions = GK_PERMIT_DELETE | GK_PERMIT_WRITE,
                                                 .finish = blob_batch};
