/* SPDX-License-Identifier: Apache-2.0 */
/* keyvaultd: a Key Vault compatible server with its own token endpoints. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/process.h"
#include "common/secret.h"
#include "common/supervisor.h"
#include "keyvaultd/json_memory.h"
#include "keyvaultd/server.h"

#ifndef GATEKEY_VERSION
#define GATEKEY_VERSION "unknown"
#endif

#define EXIT_USAGE 2

static const char notice[] =
    "keyvaultd " GATEKEY_VERSION " is for development, tests and air-gapped sites.\n"
    "What it does not protect:\n"
    "  - a vault's keys from whoever can read its state directory, its memory or a backup of\n"
    "    either: private keys lie there in the clear, there is no hardware module behind them\n"
    "    (a key of type RSA-HSM is software as well). A Managed HSM's private keys stay in the\n"
    "    PKCS#11 token that is configured, and are as safe as that one: SoftHSM is software;\n"
    "  - the key from the host's administrator, who is the same as the one of the data;\n"
    "  - itself from guessing or floods: there is no lock-out, no rate limit, no replica,\n"
    "    and its own log of calls is no audit trail that holds against an administrator;\n"
    "  - against a revoked administrator: client secrets are files, tokens cannot be recalled.\n"
    "Use a real vault or hardware module for keys that protect production data elsewhere.\n";

struct options {
    const char *config;
    const char *ready_file;
    bool check;
};

static void print_usage(FILE *out)
{
    fputs("usage: keyvaultd --config FILE [--ready-file FILE]\n"
          "       keyvaultd --config FILE --check-config\n"
          "       keyvaultd --version | --help\n"
          "\n"
          "  --config FILE      settings; docs/keyvaultd.md explains them\n"
          "  --ready-file FILE  write the endpoints to FILE, as JSON, once everything answers\n"
          "  --check-config     check the settings and the files that they name, and exit\n",
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
            puts("keyvaultd " GATEKEY_VERSION);
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

static enum gk_status write_ready(const struct kv_server *server, const char *path,
                                  struct gk_error *error)
{
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:i}", "vault_uri", server->origin, "authority", server->origin,
                  "imds_endpoint", server->imds_origin, "pid", (int)getpid());
    char *text = json_dumps(root, JSON_INDENT(2));
    const enum gk_status status = text == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                               : gk_ready_file_write(path, text, error);
    free(text);
    json_decref(root);
    return status;
}

static int serve(struct kv_server *server, const struct options *options, const sigset_t *signals)
{
    const struct kv_config *config = server->config;
    struct gk_error error = {0};
    enum gk_status status = kv_server_start(server, &error);
    if (status == GK_OK && options->ready_file != NULL) {
        status = write_ready(server, options->ready_file, &error);
    }
    if (status != GK_OK) {
        gk_log_text(GK_LOG_ERROR, "main", error.message);
        return EXIT_FAILURE;
    }
    gk_log(GK_LOG_INFO, "main", "%s and authority at %s",
           config->managed_hsm ? "Managed HSM" : "vault", server->origin);
    if (server->control_token != NULL) {
        gk_log(GK_LOG_WARNING, "main", "the control API is on: this is a vault for tests");
    }
    gk_supervisor_tell_ready();
    gk_log(GK_LOG_INFO, "main", "ending on signal %d", gk_process_wait(signals));
    gk_supervisor_tell_stopping();
    if (options->ready_file != NULL) {
        unlink(options->ready_file);
    }
    return EXIT_SUCCESS;
}

static int run(struct kv_server *server, const struct options *options, bool locked)
{
    sigset_t signals;
    gk_process_block_signals(&signals);
    fputs(notice, stderr);
    if (!locked) {
        gk_log(GK_LOG_WARNING, "main",
               "memory could not be locked: RLIMIT_MEMLOCK unlimited, or CAP_IPC_LOCK, would allow "
               "it");
    }
    return serve(server, options, &signals);
}

/* Checks config and what its files hold, and serves unless no more than that was asked for. */
static int check_and_run(struct kv_config *config, const struct options *options)
{
    const bool locked = gk_process_harden(); /* before keys are read */
    kv_json_memory_wipe_freed();
    struct kv_server *server = NULL;
    struct gk_error error = {0};
    enum gk_status status = kv_config_read(options->config, config, &error);
    if (status != GK_OK) {
        fprintf(stderr, "%s\n", error.message);
        return EXIT_FAILURE;
    }
    int result = EXIT_SUCCESS;
    status = kv_server_new(config, &server, &error);
    if (status != GK_OK) {
        fprintf(stderr, "%s\n", error.message);
        result = EXIT_FAILURE;
    } else if (options->check) {
        puts("the settings are good");
    } else {
        result = run(server, options, locked);
    }
    kv_server_stop(server);
    kv_config_cleanup(config);
    return result;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const int code = parse_options(argc, argv, &options);
    if (code >= 0) {
        return code;
    }
    struct kv_config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        fputs("out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    const int result = check_and_run(config, &options);
    free(config);
    return result;
}
