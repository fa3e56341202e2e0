/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/secret_file.h"

#define CONNECTIONS_MAX 512u
#define IDLE_TIMEOUT_S  120u

int64_t kv_server_now_ms(const struct kv_server *server)
{
    return gk_clock_wall_ms(&server->clock) + atomic_load(&server->clock_offset_ms);
}

static bool is_ipv6(const char *address)
{
    return strchr(address, ':') != NULL;
}

static enum gk_status listen_on(struct kv_listener *listener, const struct kv_config_listen *listen,
                                uint16_t port, struct gk_tls *tls, struct gk_error *error)
{
    const struct gk_http_service service = kv_exchange_service(listener);
    const struct gk_http_options options = {.host = listen->address,
                                            .ipv6 = is_ipv6(listen->address),
                                            .port = listen->port != 0 ? listen->port : port,
                                            .tls = tls,
                                            .connections_max = CONNECTIONS_MAX,
                                            .idle_timeout_s = IDLE_TIMEOUT_S};
    const enum gk_status status = gk_http_server_bind(&options, &listener->http, error);
    return status == GK_OK ? gk_http_server_start(listener->http, &service, error) : status;
}

static enum gk_status listen_https(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config_listen *listen = &server->config->listen;
    const struct gk_tls_files files = {.certificate = listen->certificate_file,
                                       .key = listen->key_file};
    struct gk_tls *tls = NULL;
    enum gk_tls_part part;
    enum gk_status status = gk_tls_read(&files, time(NULL), &tls, &part, error);
    if (status == GK_OK) {
        status = listen_on(&server->https, listen, server->store->port, tls, error);
    }
    gk_tls_release(tls); /* the listener has its own reference */
    return status;
}

/* Requests that come before the origin is known are dropped (ready), so nothing is answered under
 * a wrong name. */
static enum gk_status listen_all(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config *config = server->config;
    uint16_t imds_port = 0;
    enum gk_status status = listen_https(server, error);
    if (status == GK_OK && config->imds_given) {
        status = listen_on(&server->imds, &config->imds, server->store->imds_port, NULL, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const uint16_t port = gk_http_server_port(server->https.http);
    snprintf(server->origin, sizeof server->origin, "https://%.250s:%u", config->host, port);
    snprintf(server->authority, sizeof server->authority, "%.300s",
             config->authority != NULL ? config->authority : server->origin);
    if (config->imds_given) {
        imds_port = gk_http_server_port(server->imds.http);
        snprintf(server->imds_origin, sizeof server->imds_origin,
                 is_ipv6(config->imds.address) ? "http://[%.250s]:%u" : "http://%.250s:%u",
                 config->imds.address, imds_port);
    }
    status = kv_store_keep_ports(server->store, port, imds_port, error);
    atomic_store(&server->ready, status == GK_OK);
    return status;
}

static enum gk_status open_hsm(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config_hsm *hsm = &server->config->hsm;
    char *pin = NULL;
    size_t pin_len = 0;
    enum gk_status status = gk_secret_file_read(hsm->pin_file, &pin, &pin_len, error);
    if (status == GK_OK) {
        status = kv_hsm_open(hsm->module, hsm->token_label, pin, &server->hsm, error);
    }
    gk_secret_free(&pin);
    return status;
}

static enum gk_status start(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config *config = server->config;
    server->faults = kv_faults_new();
    server->calls = kv_calls_new();
    if (server->faults == NULL || server->calls == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = kv_identities_init(&server->identities, config, error);
    if (status == GK_OK && config->control_enabled) {
        status = gk_secret_file_read(config->control_token_file, &server->control_token,
                                     &server->control_token_len, error);
    }
    if (status == GK_OK && config->token_secret_file != NULL) {
        status = gk_secret_file_read(config->token_secret_file, &server->shared_secret,
                                     &server->shared_secret_len, error);
    }
    if (status == GK_OK && config->arc_challenge_directory != NULL) {
        status = kv_arc_open(config->arc_challenge_directory, &server->arc, error);
    }
    if (status == GK_OK && config->app_service_header_file != NULL) {
        status = gk_secret_file_read(config->app_service_header_file, &server->identity_header,
                                     &server->identity_header_len, error);
    }
    if (status == GK_OK && config->managed_hsm) {
        status = open_hsm(server, error);
    }
    if (status == GK_OK) {
        status = kv_store_open(config->state_dir, server->hsm, &server->store, error);
    }
    return status == GK_OK ? listen_all(server, error) : status;
}

enum gk_status kv_server_start(const struct kv_config *config, struct kv_server **out,
                               struct gk_error *error)
{
    *out = NULL;
    struct kv_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    server->config = config;
    server->clock = gk_clock_system();
    server->https = (struct kv_listener){.server = server, .imds = false};
    server->imds = (struct kv_listener){.server = server, .imds = true};
    const enum gk_status status = start(server, error);
    if (status != GK_OK) {
        kv_server_stop(server);
        return status;
    }
    *out = server;
    return GK_OK;
}

void kv_server_stop(struct kv_server *server)
{
    if (server == NULL) {
        return;
    }
    if (server->faults != NULL) {
        kv_faults_stop(server->faults);
    }
    gk_http_server_close(server->imds.http);
    gk_http_server_close(server->https.http);
    gk_http_server_stop(server->imds.http);
    gk_http_server_stop(server->https.http);
    kv_store_close(server->store);
    kv_hsm_close(server->hsm);
    kv_identities_cleanup(&server->identities);
    gk_secret_free(&server->control_token);
    gk_secret_free(&server->shared_secret);
    gk_secret_free(&server->identity_header);
    kv_arc_close(server->arc);
    kv_faults_free(server->faults);
    kv_calls_free(server->calls);
    free(server);
}
