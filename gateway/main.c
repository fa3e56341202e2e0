/* SPDX-License-Identifier: Apache-2.0 */
/* gatekey-gateway: puts the parts together, serves until a signal, takes them apart again. */
#include <getopt.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/process.h"
#include "common/secret.h"
#include "gateway/auth/bearer.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/copier.h"
#include "gateway/blob/hasher.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/remote_source.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/http/dispatch.h"
#include "gateway/manage/manage_server.h"
#include "gateway/notices.h"
#include "gateway/pem_file.h"
#include "gateway/registry.h"
#include "gateway/reseal/reseal.h"
#include "gateway/scrub/scrub.h"

#define EXIT_USAGE          2
#define BLOB_IDLE_TIMEOUT_S 120u
#define URL_BYTES           128u
/* One file holds all shards of the embedded engine: several would only be more to look into. On RADOS
 * each is written by an OSD of its own and should hold no more than some 200,000 entries. */
#define INDEX_SHARDS_EMBEDDED 1u
#define INDEX_SHARDS_RADOS    64u

struct options {
    const char *config;
    const char *ready_file;
    bool check;
};

/* Everything that runs, in the order it is started. */
struct process {
    struct gk_gateway gateway;
    struct gk_http_server *blob;
    struct gk_http_server *blob_tls;
    struct gk_manage_server *manage;
    char blob_url[URL_BYTES]; /* "" without that listener */
    char blob_tls_url[URL_BYTES];
    char manage_url[URL_BYTES];
};

/* --- command line -------------------------------------------------------------------------------*/

static void print_usage(FILE *out)
{
    fputs("usage: gatekey-gateway --config FILE [--ready-file FILE]\n"
          "       gatekey-gateway --config FILE --check-config\n"
          "       gatekey-gateway --version | --help\n"
          "\n"
          "  --config FILE      settings; gatekey.conf.example explains them\n"
          "  --ready-file FILE  write the endpoints to FILE, as JSON, once everything answers\n"
          "  --check-config     check the settings, the plugin's included, and exit\n",
          out);
}

/* The exit code, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        {"config", required_argument, NULL, 'c'}, {"ready-file", required_argument, NULL, 'r'},
        {"check-config", no_argument, NULL, 'k'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->config = optarg;
            break;
        case 'r':
            options->ready_file = optarg;
            break;
        case 'k':
            options->check = true;
            break;
        case 'v':
            puts("gatekey-gateway " GATEKEY_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_usage(stdout);
            return EXIT_SUCCESS;
        default:
            print_usage(stderr);
            return EXIT_USAGE;
        }
    }
    if (options->config == NULL || optind != argc) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* --- start and stop -----------------------------------------------------------------------------*/

static void format_url(const char *scheme, const struct gk_config_listen *listen, uint16_t port,
                       char out[URL_BYTES])
{
    snprintf(out, URL_BYTES, listen->ipv6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme, listen->host,
             port);
}

static enum gk_status open_store(const struct gk_config *config, struct gk_store **out,
                                 struct gk_error *error)
{
    return config->state_dir != NULL ? gk_store_embedded_open(config->state_dir, out, error)
                                     : gk_store_rados_open(&config->rados, out, error);
}

static uint32_t index_shards(const struct gk_config *config)
{
    if (config->blob.index_shards != 0) {
        return config->blob.index_shards;
    }
    return config->state_dir != NULL ? INDEX_SHARDS_EMBEDDED : INDEX_SHARDS_RADOS;
}

static enum gk_status open_gateway(const struct gk_config *config, struct gk_gateway *gateway,
                                   struct gk_error *error)
{
    gateway->clock = config->clock_offset_file == NULL
                         ? gk_clock_system()
                         : gk_clock_offset_file(config->clock_offset_file);
    gateway->blob_domain = config->blob.domain;
    gateway->web_domain = config->blob.web_domain;
    gateway->copy_hosts = config->blob.copy_hosts;
    gateway->copy_hosts_count = config->blob.copy_hosts_count;
    gateway->vault_deadline_ms = config->vault_deadline_ms;
    gateway->inline_bytes = config->blob.inline_bytes;
    gateway->index_shards = index_shards(config);
    gateway->rehydrate_standard_s = config->blob.rehydrate_standard_s;
    gateway->rehydrate_high_s = config->blob.rehydrate_high_s;
    gateway->copy_wait_bytes = config->blob.copy_wait_bytes;
    enum gk_status status = gk_remote_source_start(error);
    if (status == GK_OK) {
        status = open_store(config, &gateway->store, error);
    }
    if (status == GK_OK) {
        status = gk_registry_open(gateway->store, gk_clock_wall_ms(&gateway->clock), error);
    }
    if (status == GK_OK) {
        status = gk_plugin_host_open(config->plugin, config->settings, config->settings_count,
                                     gateway->store, &gateway->clock, &config->audit,
                                     &gateway->host, error);
    }
    if (status == GK_OK) {
        gateway->policy = &config->policy;
        gk_plugin_host_set_policy(gateway->host, gateway->policy);
        status = gk_accounts_new(gateway->store, gateway->host, &gateway->clock, &gateway->accounts,
                                 error);
    }
    if (status == GK_OK && config->bearer.given) {
        status = gk_bearer_new(&config->bearer, &gateway->bearer, error);
    }
    if (status == GK_OK) {
        status = gk_container_cache_new(&gateway->containers, error);
    }
    if (status == GK_OK) {
        status = gk_hasher_new(&gateway->hasher, error);
    }
    if (status == GK_OK) {
        status = gk_notices_start(gateway->store, gateway->accounts, gateway->host,
                                  &gateway->notices, error);
    }
    if (status == GK_OK) {
        status =
            gk_reaper_start(gateway, config->blob.removal_delay_s * 1000u, &gateway->reaper, error);
    }
    if (status == GK_OK) {
        status = gk_copier_start(gateway, config->blob.copy_threads, &gateway->copier, error);
    }
    if (status == GK_OK) {
        status = gk_scrub_new(gateway, &gateway->scrub, error);
    }
    if (status == GK_OK) {
        status = gk_reseal_new(gateway, &gateway->reseal, error);
    }
    return status;
}

static void close_gateway(struct gk_gateway *gateway)
{
    gk_reseal_free(gateway->reseal);
    gk_scrub_free(gateway->scrub);
    gk_copier_stop(gateway->copier);
    gk_reaper_stop(gateway->reaper);
    gk_notices_stop(gateway->notices);
    gk_hasher_free(gateway->hasher);
    gk_container_cache_free(gateway->containers);
    gk_bearer_free(gateway->bearer);
    gk_accounts_free(gateway->accounts);
    gk_plugin_host_close(gateway->host);
    gk_store_close(gateway->store);
    gk_remote_source_end();
}

static enum gk_status listen_blob(const struct gk_config *config, struct process *process,
                                  struct gk_error *error)
{
    const struct gk_config_listen *listen = &config->blob.listen;
    const struct gk_http_service service = gk_dispatch_service(&process->gateway);
    const struct gk_http_options options = {.host = listen->host,
                                            .ipv6 = listen->ipv6,
                                            .port = listen->port,
                                            .connections_max = config->blob.connections_max,
                                            .idle_timeout_s = BLOB_IDLE_TIMEOUT_S};
    if (!listen->given) {
        return GK_OK;
    }
    const enum gk_status status = gk_http_server_start(&options, &service, &process->blob, error);
    if (status == GK_OK) {
        format_url("http", listen, gk_http_server_port(process->blob), process->blob_url);
    }
    return status;
}

static enum gk_status listen_blob_tls(const struct gk_config *config, struct process *process,
                                      struct gk_error *error)
{
    const struct gk_config_listen *listen = &config->blob.tls_listen;
    const struct gk_http_service service = gk_dispatch_service(&process->gateway);
    if (!listen->given) {
        return GK_OK;
    }
    char *certificate = NULL;
    char *key = NULL;
    enum gk_status status = gk_pem_file_read(config->blob.tls_certificate, &certificate, error);
    if (status == GK_OK) {
        status = gk_pem_file_read(config->blob.tls_key, &key, error);
    }
    if (status == GK_OK) {
        const struct gk_http_options options = {.host = listen->host,
                                                .ipv6 = listen->ipv6,
                                                .port = listen->port,
                                                .certificate_pem = certificate,
                                                .key_pem = key,
                                                .connections_max = config->blob.connections_max,
                                                .idle_timeout_s = BLOB_IDLE_TIMEOUT_S};
        status = gk_http_server_start(&options, &service, &process->blob_tls, error);
    }
    if (status == GK_OK) {
        format_url("https", listen, gk_http_server_port(process->blob_tls), process->blob_tls_url);
    }
    gk_pem_file_free(&certificate);
    gk_pem_file_free(&key);
    return status;
}

static enum gk_status start(const struct gk_config *config, struct process *process,
                            struct gk_error *error)
{
    enum gk_status status = open_gateway(config, &process->gateway, error);
    if (status == GK_OK) {
        status = listen_blob(config, process, error);
    }
    if (status == GK_OK) {
        status = listen_blob_tls(config, process, error);
    }
    if (status == GK_OK) {
        const char *base = process->blob_url[0] != '\0' ? process->blob_url : process->blob_tls_url;
        status = gk_manage_server_start(config, &process->gateway, base, &process->manage, error);
    }
    if (status == GK_OK) {
        format_url("https", &config->management.listen, gk_manage_server_port(process->manage),
                   process->manage_url);
    }
    return status;
}

static void stop(struct process *process)
{
    if (process->manage != NULL) {
        gk_manage_server_announce_stop(process->manage);
    }
    gk_http_server_stop(process->blob);
    gk_http_server_stop(process->blob_tls);
    gk_manage_server_stop(process->manage);
    close_gateway(&process->gateway);
}

/* Connections and volume files need more descriptors than the usual soft limit gives. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Buffers of requests come and go all the time: giving their memory back to the system for each, and
 * faulting it in again, costs more than a request. What is kept is bounded by the connections. */
static void keep_memory(void)
{
    (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 16 << 20);
    (void)mallopt(M_TOP_PAD, 1 << 20);
    (void)mallopt(M_ARENA_MAX, 8);
}

/* --- life ---------------------------------------------------------------------------------------*/

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static enum gk_status write_ready(const struct process *process, const char *path,
                                  struct gk_error *error)
{
    json_t *root =
        json_pack("{s:o, s:o, s:s, s:i}", "blob_endpoint", text_or_null(process->blob_url),
                  "blob_endpoint_tls", text_or_null(process->blob_tls_url), "management_endpoint",
                  process->manage_url, "pid", (int)getpid());
    char *text = json_dumps(root, JSON_INDENT(2));
    const enum gk_status status = text == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                               : gk_ready_file_write(path, text, error);
    free(text);
    json_decref(root);
    return status;
}

static int serve(const struct gk_config *config, const struct options *options)
{
    struct process process = {0};
    struct gk_error error = {0};
    sigset_t signals;
    gk_process_block_signals(&signals);
    enum gk_status status = start(config, &process, &error);
    if (status == GK_OK && options->ready_file != NULL) {
        status = write_ready(&process, options->ready_file, &error);
    }
    if (status != GK_OK) {
        gk_log_text(GK_LOG_ERROR, "main", error.message);
        stop(&process);
        return EXIT_FAILURE;
    }
    gk_log(GK_LOG_INFO, "main", "version %s serves Blob at %s %s, management at %s",
           GATEKEY_VERSION, process.blob_url, process.blob_tls_url, process.manage_url);
    gk_log(GK_LOG_INFO, "main", "ending on signal %d", gk_process_wait(&signals));
    if (options->ready_file != NULL) {
        unlink(options->ready_file);
    }
    stop(&process);
    return EXIT_SUCCESS;
}

static int check_config(const struct gk_config *config)
{
    struct gk_error error = {0};
    const struct gk_clock clock = gk_clock_system();
    if (gk_plugin_host_check(config->plugin, config->settings, config->settings_count, &clock,
                             &error) != GK_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    puts("the settings are good");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct gk_error error = {0};
    struct gk_config *config = NULL;
    const int code = parse_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    if (gk_config_load(options.config, &config, &error) != GK_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    int result = EXIT_FAILURE;
    if (options.check) {
        result = check_config(config);
    } else {
        gk_log_set_level(config->log_level);
        raise_descriptors();
        keep_memory();
        if (!gk_process_harden()) {
            gk_log(GK_LOG_WARNING, "main", "memory could not be locked: raise RLIMIT_MEMLOCK");
        }
        result = serve(config, &options);
    }
    gk_config_free(config);
    return result;
}
