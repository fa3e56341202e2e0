/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers use of a request and to answer it. */
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "common/error.h"
#include "gateway/http/cors.h"
#include "gateway/http/request.h"

const char *gk_request_header(const struct gk_request *request, const char *name)
{
    return request->exchange == NULL ? NULL : gk_http_header(request->exchange, name);
}

const char *gk_request_query(const struct gk_request *request, const char *name)
{
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcasecmp(request->query[i].name, name) == 0) {
            return request->query[i].value;
        }
    }
    return NULL;
}

bool gk_request_has_header_prefix(const struct gk_request *request, const char *prefix)
{
    const size_t len = strlen(prefix);
    for (size_t i = 0; i < request->headers_count; i++) {
        if (strncasecmp(request->headers[i].name, prefix, len) == 0) {
            return true;
        }
    }
    return false;
}

void gk_respond_header(struct gk_request *request, const char *name, const char *value)
{
    gk_http_answer_header(request->exchange, name, value);
}

void gk_respond_headerf(struct gk_request *request, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    gk_http_answer_header(request->exchange, name, value);
}

static unsigned status_of(const struct gk_request *request, unsigned status)
{
    return request->not_found && status < 300 ? 404 : status;
}

enum gk_status gk_respond(struct gk_request *request, unsigned status)
{
    gk_cors_answer(request);
    gk_http_answer(request->exchange, status_of(request, status), 0);
    return GK_OK;
}

enum gk_status gk_respond_head(struct gk_request *request, unsigned status, uint64_t length)
{
    gk_cors_answer(request);
    gk_http_answer(request->exchange, status_of(request, status), length);
    return GK_OK;
}

enum gk_status gk_respond_buf(struct gk_request *request, unsigned status, const char *content_type,
                              struct gk_buf *buf)
{
    gk_http_answer_header(request->exchange, "Content-Type", content_type);
    gk_cors_answer(request);
    gk_http_answer_buf(request->exchange, status_of(request, status), buf);
    return GK_OK;
}

enum gk_status gk_respond_stream(struct gk_request *request, unsigned status, uint64_t length,
                                 gk_body_fn *fn, void *ctx, void (*free_ctx)(void *ctx))
{
    gk_cors_answer(request);
    gk_http_answer_stream(request->exchange, status_of(request, status), length, fn, ctx, free_ctx);
    return GK_OK;
}

enum gk_status gk_respond_bytes(struct gk_request *request, unsigned status, uint8_t *bytes,
                                size_t len)
{
    gk_cors_answer(request);
    gk_http_answer_bytes(request->exchange, status_of(request, status), bytes, len);
    return GK_OK;
}

const char *gk_error_text(const char *code)
{
    static const struct gk_pair texts[] = {
#define GK_ERROR_CODE(name, text) {name, text},
#include "gateway/http/error_codes.def"
#undef GK_ERROR_CODE
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, code) == 0) {
            return texts[i].value;
        }
    }
    return code;
}

enum gk_status gk_refuse(struct gk_error *error, uint16_t http_status, const char *code)
{
    return gk_fail_http(error, GK_E_INVALID, http_status, code, "%s", gk_error_text(code));
}

enum gk_status gk_refuse_because(struct gk_error *error, uint16_t http_status, const char *code,
                                 const char *format, ...)
{
    char because[320];
    va_list args;
    va_start(args, format);
    vsnprintf(because, sizeof because, format, args);
    va_end(args);
    return gk_fail_http(error, GK_E_INVALID, http_status, code, "%s %s", gk_error_text(code),
                        because);
}
