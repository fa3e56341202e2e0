/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/manage_server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/cause.h"
#include "gateway/http/server.h"
#include "gateway/manage/account_metrics.h"
#include "gateway/manage/denials.h"
#include "gateway/manage/manage.h"
#include "gateway/store/probe.h"

#define CONNECTIONS_MAX 64u
#define IDLE_TIMEOUT_S  60u
#define PARAMETER_BYTES 128u

struct gk_manage_server {
    struct gk_http_server *http;
    struct gk_manage manage;
    pthread_mutex_t mutex; /* of callers */
    struct gk_callers *callers;
};

/* --- one exchange ------------------------------------------------------------------------------*/

struct state {
    struct gk_buf body;
};

static void on_headers(void *ctx, struct gk_http_exchange *exchange)
{
    (void)ctx;
    struct state *state = calloc(1, sizeof *state);
    exchange->state = state;
    if (state == NULL || exchange->headers_too_many || exchange->headers_malformed) {
        gk_http_answer(exchange, state == NULL ? 503 : 400, 0);
        return;
    }
    gk_buf_init(&state->body, GK_MANAGE_BODY_BYTES_MAX);
    if (exchange->content_length > GK_MANAGE_BODY_BYTES_MAX) {
        gk_http_answer(exchange, 413, 0);
    }
}

static void on_body(void *ctx, struct gk_http_exchange *exchange, struct gk_span bytes)
{
    (void)ctx;
    struct state *state = exchange->state;
    gk_buf_append(&state->body, bytes.data, bytes.len);
    if (gk_buf_status(&state->body) != GK_OK) {
        gk_http_answer(exchange, 413, 0);
    }
}

/* The value of a parameter, decoded: one client percent-encodes the name too. "" when absent. */
static void find_parameter(const char *query, const char *wanted, char out[PARAMETER_BYTES])
{
    out[0] = '\0';
    while (*query != '\0') {
        const size_t len = strcspn(query, "&");
        const size_t name_len = strcspn(query, "=&");
        struct gk_buf name;
        struct gk_buf value;
        gk_buf_init(&name, 64);
        gk_buf_init(&value, PARAMETER_BYTES - 1);
        const size_t value_at = name_len < len ? name_len + 1 : len;
        if (gk_percent_decode(&name, gk_span_of(query, name_len)) &&
            strcasecmp(gk_buf_str(&name), wanted) == 0 &&
            gk_percent_decode(&value, gk_span_of(query + value_at, len - value_at)) &&
            gk_buf_status(&value) == GK_OK) {
            snprintf(out, PARAMETER_BYTES, "%s", gk_buf_str(&value));
        }
        gk_buf_cleanup(&name);
        gk_buf_cleanup(&value);
        query += len + (query[len] == '&' ? 1 : 0);
    }
}

/* Wiped when it was sent: it may hold access keys. */
static void send_body(struct gk_http_exchange *exchange, struct gk_manage_answer *answer)
{
    const struct gk_buf body = answer->body;
    gk_buf_init(&answer->body, 0);
    gk_http_answer_bytes(exchange, answer->status, body.data, body.len);
}

/* One of our own; "" without random bytes. */
static void make_id(char text[GK_UUID_TEXT_BYTES])
{
    struct gk_id id;
    text[0] = '\0';
    if (gk_id_random(&id)) {
        gk_id_format(&id, text);
    }
}

/* The request's, and the one by which a client knows all requests of one piece of work: this one's, if it says none. */
static void answer_ids(struct gk_http_exchange *exchange, const char *id)
{
    const char *given = gk_http_header(exchange, "x-ms-correlation-request-id");
    struct gk_id correlation;
    char text[GK_UUID_TEXT_BYTES];
    if (id[0] == '\0') {
        return;
    }
    gk_http_answer_header(exchange, "x-ms-request-id", id);
    if (given == NULL || !gk_id_parse(given, &correlation)) {
        gk_http_answer_header(exchange, "x-ms-correlation-request-id", id);
        return;
    }
    gk_id_format(&correlation, text);
    gk_http_answer_header(exchange, "x-ms-correlation-request-id", text);
}

static void send_answer(struct gk_http_exchange *exchange, const char *id,
                        struct gk_manage_answer *answer)
{
    answer_ids(exchange, id);
    gk_http_answer_header(exchange, "Cache-Control", "no-store");
    if (answer->page) {
        /* Its own files and this listener, and nothing else: no frame around it, no form that is sent. */
        gk_http_answer_header(exchange, "Content-Security-Policy",
                              "default-src 'none'; script-src 'self'; style-src 'self'; "
                              "connect-src 'self'; img-src data:; base-uri 'none'; "
                              "form-action 'none'; frame-ancestors 'none'");
        gk_http_answer_header(exchange, "X-Content-Type-Options", "nosniff");
        gk_http_answer_header(exchange, "Referrer-Policy", "no-referrer");
        gk_http_answer_header(exchange, "Cross-Origin-Opener-Policy", "same-origin");
    }
    if (answer->challenge) {
        gk_http_answer_header(exchange, "WWW-Authenticate", "Bearer realm=\"gatekey\"");
    }
    if (answer->retry_after_s > 0) {
        char seconds[16];
        snprintf(seconds, sizeof seconds, "%u", answer->retry_after_s);
        gk_http_answer_header(exchange, "Retry-After", seconds);
    }
    if (answer->body.len == 0) {
        gk_http_answer(exchange, answer->status, 0);
        return;
    }
    gk_http_answer_header(exchange, "Content-Type", answer->content_type);
    send_body(exchange, answer);
}

/* Those of now, for one request. */
static struct gk_callers *take_callers(struct gk_manage_server *server)
{
    pthread_mutex_lock(&server->mutex);
    struct gk_callers *callers = gk_callers_retain(server->callers);
    pthread_mutex_unlock(&server->mutex);
    return callers;
}

static void on_complete(void *ctx, struct gk_http_exchange *exchange)
{
    struct gk_manage_server *server = ctx;
    const struct state *state = exchange->state;
    char id[GK_UUID_TEXT_BYTES];
    char version[PARAMETER_BYTES];
    char skip_token[PARAMETER_BYTES];
    char page_size[PARAMETER_BYTES];
    char filter[PARAMETER_BYTES];
    char include[PARAMETER_BYTES];
    const char *host = gk_http_header(exchange, "Host");
    make_id(id);
    find_parameter(exchange->query, "api-version", version);
    find_parameter(exchange->query, "$skiptoken", skip_token);
    find_parameter(exchange->query, "$maxpagesize", page_size);
    find_parameter(exchange->query, "$filter", filter);
    find_parameter(exchange->query, "$include", include);
    struct gk_callers *callers = take_callers(server);
    const struct gk_manage_request request = {
        .id = id,
        .callers = callers,
        .method = exchange->method,
        .path = exchange->path,
        .api_version = version,
        .host = host == NULL ? "" : host,
        .skip_token = skip_token,
        .page_size = page_size,
        .filter = filter,
        .include = include,
        .authorization = gk_http_header(exchange, "Authorization"),
        .client_certificate = exchange->client_certificate,
        .body = gk_buf_span(&state->body),
    };
    struct gk_manage_answer answer;
    const char *around = gk_cause_set(id);
    gk_manage_handle(&server->manage, &request, &answer);
    (void)gk_cause_set(around);
    send_answer(exchange, id, &answer);
    gk_manage_answer_cleanup(&answer);
    gk_callers_release(callers);
}

static void on_end(void *ctx, struct gk_http_exchange *exchange)
{
    (void)ctx;
    struct state *state = exchange->state;
    if (state != NULL) {
        gk_buf_cleanup(&state->body);
        free(state);
    }
    exchange->state = NULL;
}

/* --- the listener ------------------------------------------------------------------------------*/

enum gk_status gk_manage_server_bind(const struct gk_setup *setup, struct gk_manage_server **out,
                                     struct gk_error *error)
{
    *out = NULL;
    const struct gk_config_listen *listen = &setup->config->management.listen;
    const struct gk_http_options options = {
        .host = listen->host,
        .ipv6 = listen->ipv6,
        .port = listen->port,
        .tls = setup->management_tls,
        .connections_max = CONNECTIONS_MAX,
        .idle_timeout_s = IDLE_TIMEOUT_S,
    };
    struct gk_manage_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = gk_http_server_bind(&options, &server->http, error);
    if (status != GK_OK) {
        free(server);
        return status;
    }
    server->callers = gk_callers_retain(setup->callers);
    pthread_mutex_init(&server->mutex, NULL);
    atomic_init(&server->manage.stopping, false);
    *out = server;
    return GK_OK;
}

enum gk_status gk_manage_server_start(struct gk_manage_server *server, struct gk_gateway *gateway,
                                      const char *blob_base_url, struct gk_error *error)
{
    const struct gk_http_service service = {
        .ctx = server,
        .on_headers = on_headers,
        .on_body = on_body,
        .on_complete = on_complete,
        .on_end = on_end,
    };
    server->manage.gateway = gateway;
    server->manage.blob_base_url = blob_base_url;
    server->manage.denials = gk_denials_new(gateway);
    if (server->manage.denials == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = gk_store_probe_start(gateway->store, &server->manage.probe, error);
    if (status == GK_OK) {
        status = gk_account_metrics_start(gateway, GK_ACCOUNT_METRICS_WAIT_MS,
                                          &server->manage.account_metrics, error);
    }
    return status == GK_OK ? gk_http_server_start(server->http, &service, error) : status;
}

uint16_t gk_manage_server_port(const struct gk_manage_server *server)
{
    return gk_http_server_port(server->http);
}

void gk_manage_server_renew(struct gk_manage_server *server, const struct gk_setup *setup)
{
    gk_http_server_set_tls(server->http, setup->management_tls);
    pthread_mutex_lock(&server->mutex);
    struct gk_callers *former = server->callers;
    server->callers = gk_callers_retain(setup->callers);
    pthread_mutex_unlock(&server->mutex);
    gk_callers_release(former);
}

void gk_manage_server_announce_stop(struct gk_manage_server *server)
{
    atomic_store(&server->manage.stopping, true);
}

void gk_manage_server_stop(struct gk_manage_server *server)
{
    if (server == NULL) {
        return;
    }
    gk_http_server_stop(server->http);
    gk_account_metrics_stop(server->manage.account_metrics);
    gk_store_probe_stop(server->manage.probe);
    gk_denials_free(&server->manage.denials);
    gk_callers_release(server->callers);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
