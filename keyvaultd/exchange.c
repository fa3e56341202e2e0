/* SPDX-License-Identifier: Apache-2.0 */
/* From the listener's calls to a request and back, with the faults in between. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyvaultd/fault_answer.h"
#include "keyvaultd/request.h"

static void on_headers(void *ctx, struct gk_http_exchange *exchange)
{
    const struct kv_listener *listener = ctx;
    exchange->state = kv_request_new(listener->server, exchange);
    if (exchange->state == NULL) {
        gk_http_answer(exchange, 500, 0);
    }
}

static void on_body(void *ctx, struct gk_http_exchange *exchange, struct gk_span bytes)
{
    (void)ctx;
    struct kv_request *request = exchange->state;
    gk_buf_append(&request->body, bytes.data, bytes.len);
}

static void set_headers(struct kv_request *request, const struct kv_fault *fault)
{
    struct gk_http_exchange *exchange = request->exchange;
    const struct kv_server *server = request->server;
    char text[1600];
    gk_http_answer_header(exchange, "Cache-Control", "no-store");
    gk_http_answer_header(exchange, "X-Content-Type-Options", "nosniff");
    gk_http_answer_header(exchange, "x-ms-keyvault-region", "local");
    if (request->call.request_id[0] != '\0') {
        gk_http_answer_header(exchange, "x-ms-request-id", request->call.request_id);
    }
    const char *client_id = gk_http_header(exchange, "x-ms-client-request-id");
    if (client_id != NULL && strlen(client_id) <= 128) {
        gk_http_answer_header(exchange, "x-ms-client-request-id", client_id);
    }
    if (request->challenge) {
        snprintf(text, sizeof text, "Bearer authorization=\"%s/%s\", resource=\"%s\"",
                 server->authority, server->config->tenant_id, server->config->resource);
        gk_http_answer_header(exchange, "WWW-Authenticate", text);
    }
    if (request->basic_realm[0] != '\0') {
        snprintf(text, sizeof text, "Basic realm=%s", request->basic_realm);
        gk_http_answer_header(exchange, "WWW-Authenticate", text);
    }
    if (fault->challenge[0] != '\0') {
        gk_http_answer_header(exchange, "WWW-Authenticate", fault->challenge);
    }
    if (request->retry_after_s > 0) {
        snprintf(text, sizeof text, "%lld", (long long)request->retry_after_s);
        gk_http_answer_header(exchange, "Retry-After", text);
    }
}

static void send_answer(struct kv_request *request, const struct kv_fault *fault)
{
    set_headers(request, fault);
    if (kv_fault_sends(fault, request)) {
        return;
    }
    if (request->answer == NULL) {
        gk_http_answer(request->exchange, request->status, 0);
        return;
    }
    char *text = json_dumps(request->answer, JSON_COMPACT);
    struct gk_buf body;
    gk_buf_init(&body, SIZE_MAX);
    if (text == NULL) {
        body.status = GK_E_RESOURCE;
    } else {
        gk_buf_append_str(&body, text);
        gk_wipe(text, strlen(text)); /* it may hold what was unwrapped */
    }
    free(text);
    gk_http_answer_header(request->exchange, "Content-Type", "application/json; charset=utf-8");
    gk_http_answer_buf(request->exchange, request->status, &body);
    gk_buf_cleanup(&body);
}

static void name_call(struct kv_call *call)
{
    struct gk_id id;
    if (gk_id_random(&id)) {
        gk_id_format(&id, call->request_id);
    }
}

static void log_call(struct kv_request *request)
{
    if (request->route == NULL || request->route->area == KV_AREA_CONTROL) {
        return;
    }
    request->call.status = request->status;
    request->call.time_ms = kv_server_now_ms(request->server);
    kv_calls_add(request->server->calls, &request->call);
}

/* A vault that is gone closes the connection, and so does the fault. Not answering does that. */
static bool is_dropped(struct kv_request *request, const struct kv_fault *fault)
{
    const bool gone = request->route != NULL && request->route->area == KV_AREA_VAULT &&
                      atomic_load(&request->server->vault_deleted);
    if (!gone && fault->action != KV_FAULT_DROP) {
        return false;
    }
    request->status = 0;
    snprintf(request->call.code, sizeof request->call.code, "%s", gone ? "VaultGone" : "Dropped");
    return true;
}

static bool take_fault(struct kv_request *request, struct kv_fault *fault)
{
    if (request->route == NULL || request->route->area == KV_AREA_CONTROL) {
        return false;
    }
    const bool open = request->route->area == KV_AREA_OPEN;
    struct kv_params form;
    const bool parsed =
        kv_params_parse(&form, open ? gk_buf_span(&request->body) : gk_span_of(NULL, 0), true);
    const char *client_id = parsed ? kv_params_get(&form, "client_id") : NULL;
    const struct kv_fault_call call = {.operation = request->route->operation,
                                       .key = request->call.key,
                                       .client_id = client_id == NULL ? "" : client_id};
    const bool taken = kv_faults_take(request->server->faults, &call, fault);
    kv_params_cleanup(&form);
    return taken;
}

static void on_complete(void *ctx, struct gk_http_exchange *exchange)
{
    const struct kv_listener *listener = ctx;
    struct kv_server *server = listener->server;
    struct kv_request *request = exchange->state;
    struct kv_fault fault = {.action = KV_FAULT_NONE};
    if (!atomic_load(&server->ready)) {
        return;
    }
    name_call(&request->call);
    kv_router_find(request, listener->imds);
    if (take_fault(request, &fault)) {
        kv_faults_delay(server->faults, fault.delay_ms);
    }
    if (is_dropped(request, &fault)) {
        log_call(request);
        return;
    }
    if (fault.status != 0) {
        kv_fault_answer(&fault, request);
    } else if (request->status == 0) {
        kv_router_run(request);
        kv_fault_change(&fault, request);
    }
    if (request->status == 0) {
        kv_answer_empty(request, 500);
    }
    log_call(request);
    send_answer(request, &fault);
}

static void on_end(void *ctx, struct gk_http_exchange *exchange)
{
    (void)ctx;
    kv_request_free(exchange->state);
    exchange->state = NULL;
}

struct gk_http_service kv_exchange_service(struct kv_listener *listener)
{
    return (struct gk_http_service){.ctx = listener,
                                    .on_headers = on_headers,
                                    .on_body = on_body,
                                    .on_complete = on_complete,
                                    .on_end = on_end};
}
