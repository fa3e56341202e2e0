/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/server.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
                                const char *setting, uint16_t port, struct gk_tls *tls,
                                struct gk_error *error)
{
    const struct gk_http_service service = kv_exchange_service(listener);
    const struct gk_http_options options = {.host = listen->address,
                                            .ipv6 = is_ipv6(listen->address),
                                            .port = listen->port != 0 ? listen->port : port,
                                            .tls = tls,
                                            .connections_max = CONNECTIONS_MAX,
                                            .idle_timeout_s = IDLE_TIMEOUT_S};
    if (gk_http_server_bind(&options, &listener->http, error) != GK_OK) {
        return kv_config_blame(listener->server->config, setting, error);
    }
    return gk_http_server_start(listener->http, &service, error);
}

/* Requests that come before the origin is known are dropped (ready), so nothing is answered under
 * a wrong name. */
static enum gk_status listen_all(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config *config = server->config;
    uint16_t imds_port = 0;
    enum gk_status status = listen_on(&server->https, &config->listen, "listen",
                                      server->store->port, server->tls, error);
    if (status == GK_OK && config->imds_given) {
        status =
            listen_on(&server->imds, &config->imds, "imds", server->store->imds_port, NULL, error);
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

/* --- what files hold ----------------------------------------------------------------------------*/

static enum gk_status read_tls(struct kv_server *server, struct gk_error *error)
{
    static const char *const settings[] = {
        [GK_TLS_CERTIFICATE] = "listen.certificate_file", [GK_TLS_KEY] = "listen.key_file"};
    const struct gk_tls_files files = {.certificate = server->config->listen.certificate_file,
                                       .key = server->config->listen.key_file};
    enum gk_tls_part part = GK_TLS_CERTIFICATE;
    const enum gk_status status = gk_tls_read(&files, time(NULL), &server->tls, &part, error);
    return status == GK_OK ? GK_OK : kv_config_blame(server->config, settings[part], error);
}

/* path NULL: it is not configured. */
static enum gk_status read_secret(const struct kv_server *server, const char *setting,
                                  const char *path, char **out, size_t *len, struct gk_error *error)
{
    return path == NULL || gk_secret_file_read(path, out, len, error) == GK_OK
               ? GK_OK
               : kv_config_blame(server->config, setting, error);
}

static enum gk_status read_secrets(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config *config = server->config;
    const char *control = config->control_enabled ? config->control_token_file : NULL;
    size_t pin_len = 0;
    enum gk_status status = read_secret(server, "control.token_file", control,
                                        &server->control_token, &server->control_token_len, error);
    if (status == GK_OK) {
        status = read_secret(server, "token_secret_file", config->token_secret_file,
                             &server->shared_secret, &server->shared_secret_len, error);
    }
    if (status == GK_OK) {
        status =
            read_secret(server, "imds.app_service_header_file", config->app_service_header_file,
                        &server->identity_header, &server->identity_header_len, error);
    }
    return status == GK_OK ? read_secret(server, "hsm.pin_file", config->hsm.pin_file, &server->pin,
                                         &pin_len, error)
                           : status;
}

/* The directory is made when it is missing; the token is asked nothing before the start. */
static enum gk_status check_paths(const struct kv_config *config, struct gk_error *error)
{
    struct stat info;
    if (stat(config->state_dir, &info) == 0 && !S_ISDIR(info.st_mode)) {
        (void)gk_fail(error, GK_E_INVALID,
                      "%s is not a directory; name one, it is made when it is missing",
                      config->state_dir);
        return kv_config_blame(config, "state_dir", error);
    }
    if (config->managed_hsm && access(config->hsm.module, R_OK) != 0) {
        (void)gk_fail(error, GK_E_INVALID,
                      "%s cannot be read; install the token's library, or correct the path",
                      config->hsm.module);
        return kv_config_blame(config, "hsm.module", error);
    }
    return GK_OK;
}

static enum gk_status read_files(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config *config = server->config;
    enum gk_status status = check_paths(config, error);
    if (status == GK_OK) {
        status = read_tls(server, error);
    }
    if (status == GK_OK) {
        status = kv_identities_init(&server->identities, config, error);
    }
    if (status == GK_OK) {
        status = read_secrets(server, error);
    }
    if (status == GK_OK && config->arc_challenge_directory != NULL &&
        kv_arc_open(config->arc_challenge_directory, &server->arc, error) != GK_OK) {
        status = kv_config_blame(config, "imds.arc_challenge_directory", error);
    }
    return status;
}

/* --- life ---------------------------------------------------------------------------------------*/

enum gk_status kv_server_new(const struct kv_config *config, struct kv_server **out,
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
    server->faults = kv_faults_new();
    server->calls = kv_calls_new();
    const enum gk_status status = server->faults != NULL && server->calls != NULL
                                      ? read_files(server, error)
                                      : gk_fail(error, GK_E_RESOURCE, "out of memory");
    if (status != GK_OK) {
        kv_server_stop(server);
        return status;
    }
    *out = server;
    return GK_OK;
}

static enum gk_status open_hsm(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config_hsm *hsm = &server->config->hsm;
    const enum gk_status status =
        kv_hsm_open(hsm->module, hsm->token_label, server->pin, &server->hsm, error);
    gk_secret_free(&server->pin);
    return status == GK_OK ? GK_OK : kv_config_blame(server->config, "hsm", error);
}

static enum gk_status open_store(struct kv_server *server, struct gk_error *error)
{
    const struct kv_config *config = server->config;
    const enum gk_status status =
        kv_store_open(config->state_dir, server->hsm, &server->store, error);
    return status == GK_OK ? GK_OK : kv_config_blame(config, "state_dir", error);
}

enum gk_status kv_server_start(struct kv_server *server, struct gk_error *error)
{
    enum gk_status status = server->config->managed_hsm ? open_hsm(server, error) : GK_OK;
    if (status == GK_OK) {
        status = open_store(server, error);
    }
    return status == GK_OK ? listen_all(server, error) : status;
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
    gk_tls_release(server->tls);
    gk_secret_free(&server->pin);
    gk_secret_free(&server->control_token);
    gk_secret_free(&server->shared_secret);
    gk_secret_free(&server->identity_header);
    kv_arc_close(server->arc);
    kv_faults_free(server->faults);
    kv_calls_free(server->calls);
    free(server);
}
