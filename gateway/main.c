/* SPDX-License-Identifier: Apache-2.0 */
/* gatekey-gateway: puts the parts together, serves until a signal, takes them apart again. */
#include <getopt.h>
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/process.h"
#include "common/secret.h"
#include "common/supervisor.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/copier.h"
#include "gateway/blob/hasher.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/remote_source.h"
#include "gateway/gateway.h"
#include "gateway/http/dispatch.h"
#include "gateway/manage/manage_server.h"
#include "gateway/metrics.h"
#include "gateway/notices.h"
#include "gateway/reencrypt/reencrypt.h"
#include "gateway/refusals.h"
#include "gateway/registry.h"
#include "gateway/reseal/reseal.h"
#include "gateway/scrub/scrub.h"
#include "gateway/setup.h"

#define EXIT_USAGE          2
#define BLOB_IDLE_TIMEOUT_S 120u
#define URL_BYTES           128u
#define CHANGES_BYTES_MAX   512u
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
    struct gk_terms_slot terms;
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
    const bool embedded = config->state_dir != NULL;
    const enum gk_status status = embedded ? gk_store_embedded_open(config->state_dir, out, error)
                                           : gk_store_rados_open(&config->rados, out, error);
    return status == GK_OK ? GK_OK
                           : gk_config_blame(config, embedded ? "state_dir" : "store", error);
}

static uint32_t index_shards(const struct gk_config *config)
{
    if (config->blob.index_shards != 0) {
        return config->blob.index_shards;
    }
    return config->state_dir != NULL ? INDEX_SHARDS_EMBEDDED : INDEX_SHARDS_RADOS;
}

static enum gk_status open_gateway(const struct gk_setup *setup, struct gk_gateway *gateway,
                                   struct gk_error *error)
{
    const struct gk_config *config = setup->config;
    gateway->clock = config->clock_offset_file == NULL
                         ? gk_clock_system()
                         : gk_clock_offset_file(config->clock_offset_file);
    gateway->blob_domain = config->blob.domain;
    gateway->web_domain = config->blob.web_domain;
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
    if (status != GK_OK) {
        return gk_config_blame(config, config->state_dir != NULL ? "state_dir" : "store", error);
    }
    status =
        gk_plugin_host_open(config->plugin, config->settings, config->settings_count,
                            gateway->store, &gateway->clock, &config->audit, &gateway->host, error);
    if (status == GK_OK) {
        gk_plugin_host_set_terms(gateway->host, gateway->terms);
        status = gk_accounts_new(gateway->store, gateway->host, &gateway->clock, &gateway->accounts,
                                 error);
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
        status = gk_account_job_new(gateway, &gk_reseal_kind, &gateway->reseal, error);
    }
    if (status == GK_OK) {
        status = gk_account_job_new(gateway, &gk_reencrypt_kind, &gateway->reencrypt, error);
    }
    return status;
}

static void close_gateway(struct gk_gateway *gateway)
{
    gk_account_job_free(gateway->reencrypt);
    gk_account_job_free(gateway->reseal);
    gk_scrub_free(gateway->scrub);
    gk_copier_stop(gateway->copier);
    gk_reaper_stop(gateway->reaper);
    gk_notices_stop(gateway->notices);
    gk_hasher_free(gateway->hasher);
    gk_container_cache_free(gateway->containers);
    gk_accounts_free(gateway->accounts);
    gk_plugin_host_close(gateway->host);
    gk_store_close(gateway->store);
    gk_remote_source_end();
}

/* tls NULL: plain HTTP. */
static enum gk_status bind_blob(const struct gk_config *config, const char *setting,
                                const struct gk_config_listen *listen, struct gk_tls *tls,
                                struct gk_http_server **out, char url[URL_BYTES],
                                struct gk_error *error)
{
    const struct gk_http_options options = {.host = listen->host,
                                            .ipv6 = listen->ipv6,
                                            .port = listen->port,
                                            .tls = tls,
                                            .connections_max = config->blob.connections_max,
                                            .idle_timeout_s = BLOB_IDLE_TIMEOUT_S};
    if (!listen->given) {
        return GK_OK;
    }
    if (gk_http_server_bind(&options, out, error) != GK_OK) {
        return gk_config_blame(config, setting, error);
    }
    format_url(tls == NULL ? "http" : "https", listen, gk_http_server_port(*out), url);
    return GK_OK;
}

/* All addresses, before anything is made or opened: one that cannot be had leaves nothing behind. */
static enum gk_status bind_all(const struct gk_setup *setup, struct process *process,
                               struct gk_error *error)
{
    const struct gk_config *config = setup->config;
    enum gk_status status = bind_blob(config, "blob.listen", &config->blob.listen, NULL,
                                      &process->blob, process->blob_url, error);
    if (status == GK_OK) {
        status = bind_blob(config, "blob.tls_listen", &config->blob.tls_listen, setup->blob_tls,
                           &process->blob_tls, process->blob_tls_url, error);
    }
    if (status != GK_OK) {
        return status;
    }
    if (gk_manage_server_bind(setup, &process->manage, error) != GK_OK) {
        return gk_config_blame(config, "management.listen", error);
    }
    format_url("https", &config->management.listen, gk_manage_server_port(process->manage),
               process->manage_url);
    return GK_OK;
}

static enum gk_status listen_all(struct process *process, struct gk_error *error)
{
    const struct gk_http_service service = gk_dispatch_service(&process->gateway);
    const char *base = process->blob != NULL ? process->blob_url : process->blob_tls_url;
    enum gk_status status = GK_OK;
    if (process->blob != NULL) {
        status = gk_http_server_start(process->blob, &service, error);
    }
    if (status == GK_OK && process->blob_tls != NULL) {
        status = gk_http_server_start(process->blob_tls, &service, error);
    }
    return status == GK_OK ? gk_manage_server_start(process->manage, &process->gateway, base, error)
                           : status;
}

static enum gk_status start(const struct gk_setup *setup, struct process *process,
                            struct gk_error *error)
{
    enum gk_status status = bind_all(setup, process, error);
    if (status == GK_OK) {
        status = open_gateway(setup, &process->gateway, error);
    }
    return status == GK_OK ? listen_all(process, error) : status;
}

static void stop(struct process *process)
{
    if (process->manage != NULL) {
        gk_manage_server_announce_stop(process->manage);
    }
    gk_http_server_close(process->blob);
    gk_http_server_close(process->blob_tls);
    gk_http_server_stop(process->blob);
    gk_http_server_stop(process->blob_tls);
    gk_manage_server_stop(process->manage);
    gk_refusals_end();
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

/* The file and what its files hold. */
static enum gk_status read_setup(const char *path, struct gk_setup **out, struct gk_error *error)
{
    struct gk_config *config = NULL;
    const enum gk_status status = gk_config_load(path, &config, error);
    return status == GK_OK ? gk_setup_new(config, time(NULL), out, error) : status;
}

static void audit_reload(const struct process *process, bool good, const char *changes)
{
    gk_plugin_host_audit(process->gateway.host, &(const struct gk_audit_event){
                                                    .event = GK_AUDIT_GATEWAY_RELOAD,
                                                    .account = "",
                                                    .key_id = "",
                                                    .outcome = good ? "ok" : "refused",
                                                    .reason = good ? "" : "InvalidConfiguration",
                                                    .detail = changes,
                                                    .request_id = "",
                                                    .actor = GK_AUDIT_ACTOR_SIGNAL,
                                                });
}

/* A series stays: of what a reload took away the former end would be waited for. */
static void tell_end(const char *labels, int64_t ends_s)
{
    gk_metrics_set("gatekey_certificate_expires_timestamp_seconds", labels,
                   ends_s > 0 ? (double)ends_s : (double)NAN);
}

static void tell_certificates(const struct gk_setup *setup)
{
    if (setup->blob_tls != NULL) {
        tell_end("certificate=\"blob\"", gk_tls_certificate_ends_s(setup->blob_tls));
    }
    tell_end("certificate=\"management\"", gk_tls_certificate_ends_s(setup->management_tls));
    tell_end("certificate=\"client-ca\"", gk_tls_client_ca_ends_s(setup->management_tls));
}

/* Connections and requests that begin from now on go by what was read. */
static void take_over(struct process *process, const struct gk_setup *fresh)
{
    gk_log_set_level(fresh->config->log_level);
    gk_terms_renew(&process->terms, fresh->terms);
    if (process->blob_tls != NULL) {
        gk_http_server_set_tls(process->blob_tls, fresh->blob_tls);
    }
    gk_manage_server_renew(process->manage, fresh);
    tell_certificates(fresh);
}

/* Reads the file again: all that can be renewed is, or nothing is. */
static void reload(struct process *process, const char *path)
{
    const struct gk_config *running = process->terms.now->config;
    struct gk_setup *fresh = NULL;
    struct gk_error error = {0};
    struct gk_buf changes;
    gk_buf_init(&changes, CHANGES_BYTES_MAX);
    enum gk_status status = read_setup(path, &fresh, &error);
    if (status == GK_OK) {
        status = gk_config_check_change(running, fresh->config, &error);
    }
    if (status == GK_OK) {
        gk_config_changes(running, fresh->config, &changes);
        take_over(process, fresh);
        gk_log(GK_LOG_INFO, "main", "reloaded %s", path);
    } else {
        gk_log(GK_LOG_ERROR, "main", "nothing was reloaded: %s", error.message);
    }
    audit_reload(process, status == GK_OK, gk_buf_str(&changes));
    gk_buf_cleanup(&changes);
    gk_setup_free(fresh);
    gk_metrics_count("gatekey_config_reloads_total",
                     status == GK_OK ? "result=\"ok\"" : "result=\"refused\"", 1);
}

static int serve(struct gk_setup *setup, const struct options *options, const sigset_t *signals)
{
    struct process process = {0};
    struct gk_error error = {0};
    gk_terms_slot_init(&process.terms, setup->terms);
    process.gateway.terms = &process.terms;
    enum gk_status status = start(setup, &process, &error);
    if (status == GK_OK && options->ready_file != NULL) {
        status = write_ready(&process, options->ready_file, &error);
    }
    if (status != GK_OK) {
        gk_log_text(GK_LOG_ERROR, "main", error.message);
        stop(&process);
        gk_terms_slot_cleanup(&process.terms);
        return EXIT_FAILURE;
    }
    tell_certificates(setup);
    gk_setup_hand_over(setup);
    gk_log(GK_LOG_INFO, "main", "version %s serves Blob at %s %s, management at %s",
           GATEKEY_VERSION, process.blob_url, process.blob_tls_url, process.manage_url);
    gk_supervisor_tell_ready();
    int signal = 0;
    while ((signal = gk_process_wait(signals)) == SIGHUP) {
        gk_supervisor_tell_reloading();
        reload(&process, options->config);
        gk_supervisor_tell_ready();
    }
    gk_supervisor_tell_stopping();
    gk_log(GK_LOG_INFO, "main", "ending on signal %d", signal);
    if (options->ready_file != NULL) {
        unlink(options->ready_file);
    }
    stop(&process);
    gk_terms_slot_cleanup(&process.terms);
    return EXIT_SUCCESS;
}

/* All that can be known of a configuration without a start: also the plugin's part. */
static enum gk_status load(const char *path, struct gk_setup **out, struct gk_error *error)
{
    const struct gk_clock clock = gk_clock_system();
    const enum gk_status status = read_setup(path, out, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_config *config = (*out)->config;
    return gk_plugin_host_check(config->plugin, config->plugin_origin, config->settings,
                                config->settings_count, &clock, error);
}

static int run(struct gk_setup *setup, const struct options *options, bool locked,
               const sigset_t *signals)
{
    gk_log_set_level(setup->config->log_level);
    raise_descriptors();
    keep_memory();
    if (!locked) {
        gk_log(GK_LOG_WARNING, "main",
               "memory could not be locked: RLIMIT_MEMLOCK unlimited, or CAP_IPC_LOCK, would allow "
               "it");
    }
    return serve(setup, options, signals);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct gk_error error = {0};
    struct gk_setup *setup = NULL;
    const int code = parse_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    /* Before anything is read: keys are among it, and a wish to reload may come at once. A check is for people,
     * who may break it off. */
    const bool locked = gk_process_harden();
    sigset_t signals;
    if (!options.check) {
        gk_process_block_signals(&signals);
        gk_process_block_reload(&signals);
    }
    int result = EXIT_SUCCESS;
    if (load(options.config, &setup, &error) != GK_OK) {
        fprintf(stderr, "%s\n", error.message);
        result = EXIT_FAILURE;
    } else if (options.check) {
        puts("the settings are good");
    } else {
        result = run(setup, &options, locked, &signals);
    }
    gk_setup_free(setup);
    return result;
}
