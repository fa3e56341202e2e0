/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

struct kv_request *kv_request_new(struct kv_server *server, struct gk_http_exchange *exchange)
{
    struct kv_request *request = calloc(1, sizeof *request);
    if (request != NULL) {
        request->server = server;
        request->exchange = exchange;
        request->method = exchange->method;
        request->version = "";
        request->name = "";
        gk_buf_init(&request->body, KV_BODY_BYTES_MAX);
        gk_buf_init(&request->path, KV_PARAMS_BYTES_MAX);
        gk_buf_init(&request->query.texts, KV_PARAMS_BYTES_MAX);
    }
    return request;
}

void kv_request_free(struct kv_request *request)
{
    if (request == NULL) {
        return;
    }
    gk_buf_cleanup_wipe(&request->body);
    gk_buf_cleanup(&request->path);
    kv_params_cleanup(&request->query);
    json_decref(request->input);
    json_decref(request->answer);
    free(request);
}

void kv_answer(struct kv_request *request, unsigned status, json_t *body)
{
    if (body == NULL) {
        kv_answer_empty(request, 500);
        return;
    }
    json_decref(request->answer);
    request->answer = body;
    request->status = status;
}

void kv_answer_empty(struct kv_request *request, unsigned status)
{
    json_decref(request->answer);
    request->answer = NULL;
    request->status = status;
}

/* A vault says more in innererror; a Managed HSM has none, and names the request in its message. */
static json_t *error_of(const struct kv_request *request, const char *code, const char *inner,
                        const char *message)
{
    if (request->server->config->managed_hsm) {
        return json_pack("{s:s, s:s+++}", "code", code, "message", message,
                         " (Activity ID: ", request->call.request_id, ")");
    }
    json_t *error = json_pack("{s:s, s:s}", "code", code, "message", message);
    if (error != NULL && inner[0] != '\0') {
        json_object_set_new(error, "innererror", json_pack("{s:s}", "code", inner));
    }
    return error;
}

void kv_refuse(struct kv_request *request, unsigned status, const char *code, const char *inner,
               const char *format, ...)
{
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    json_t *error = error_of(request, code, inner, message);
    snprintf(request->call.code, sizeof request->call.code, "%s", inner[0] != '\0' ? inner : code);
    kv_answer(request, status, json_pack("{s:o}", "error", error));
}

void kv_refuse_status(struct kv_request *request, enum gk_status status,
                      const struct gk_error *error)
{
    if (status == GK_E_LIMIT) {
        kv_refuse(request, 403, "Forbidden", "LimitExceeded", "%s", error->message);
    } else {
        kv_refuse(request, 500, "InternalServerError", "", "The vault cannot store this now.");
    }
}
