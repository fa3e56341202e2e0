/* SPDX-License-Identifier: Apache-2.0 */
/* The table of functions that provider.h describes. */
#include "keyprovider/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "keyprovider/call.h"
#include "keyprovider/request.h"
#include "keyprovider/route.h"

/* --- life --------------------------------------------------------------------------------------- */

static void on_transfer(void *owner, CURL *easy, CURLcode result)
{
    (void)owner;
    gk_kv_exchange_ended(easy, result);
}

static void on_stop(void *owner)
{
    gk_kv_calls_end(owner);
}

static void stop(struct gk_provider *provider)
{
    gk_kv_loop_stop(&provider->loop);
    gk_kv_lookups_cleanup(&provider->lookups);
}

static void destroy(struct gk_provider *provider)
{
    if (provider == NULL) {
        return;
    }
    stop(provider);
    gk_kv_tokens_cleanup(&provider->tokens);
    gk_kv_paces_cleanup(&provider->paces);
    gk_kv_breakers_cleanup(&provider->breakers);
    gk_kv_tenants_cleanup(&provider->tenants);
    gk_kv_loop_cleanup(&provider->loop);
    gk_kv_service_key_free(provider->service_key);
    free(provider);
    curl_global_cleanup();
}

static enum gk_status create(const struct gk_provider_host *host, struct gk_provider **out,
                             struct gk_error *error)
{
    *out = NULL;
    /* Counted by the library, and safe against other threads that do the same. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return gk_fail(error, GK_E_RESOURCE, "the network library cannot be set up");
    }
    struct gk_provider *provider = calloc(1, sizeof *provider);
    if (provider == NULL) {
        curl_global_cleanup();
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    provider->host = *host;
    gk_kv_config_init(&provider->config);
    const enum gk_status status = gk_kv_loop_init(&provider->loop, &provider->host, error);
    if (status != GK_OK) {
        free(provider);
        curl_global_cleanup();
        return status;
    }
    provider->loop.owner = provider;
    provider->loop.on_transfer = on_transfer;
    provider->loop.on_stop = on_stop;
    provider->transport.loop = &provider->loop;
    provider->transport.config = &provider->config;
    provider->tokens.transport = &provider->transport;
    provider->lookups.loop = &provider->loop;
    *out = provider;
    return GK_OK;
}

static enum gk_status config(struct gk_provider *provider, const char *key, const char *value,
                             struct gk_error *error)
{
    return gk_kv_config_set(&provider->config, key, value, error);
}

/* A secret that cannot be read should be told at start, and not to the first customer. */
static enum gk_status check_client_secrets(const struct gk_kv_config *settings,
                                           struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < GK_KV_IDENTITIES_MAX; i++) {
        const struct gk_kv_identity *identity = &settings->identities[i];
        const bool approle = identity->source == GK_KV_SOURCE_APPROLE;
        char *secret = NULL;
        size_t len = 0;
        struct gk_error why = {0};
        if (!approle && identity->source != GK_KV_SOURCE_CLIENT_SECRET) {
            continue;
        }
        if (gk_secret_file_read(approle ? identity->secret_id_file : identity->client_secret_file,
                                &secret, &len, &why) != GK_OK) {
            status = gk_fail(error, GK_E_INVALID, "identity.%zu.%s: %s", i,
                             approle ? "secret_id_file" : "client_secret_file", why.message);
        }
        gk_secret_free(&secret);
    }
    return status;
}

static enum gk_status check_ca_file(const struct gk_kv_config *settings, struct gk_error *error)
{
    return settings->ca_file[0] == '\0' || access(settings->ca_file, R_OK) == 0
               ? GK_OK
               : gk_fail(error, GK_E_INVALID, "ca_file: %s cannot be read", settings->ca_file);
}

static enum gk_status read_service_key(struct gk_provider *provider, struct gk_error *error)
{
    if (provider->service_key != NULL) {
        return GK_OK;
    }
    const enum gk_status status =
        gk_kv_service_key_read(provider->config.service_key_file, &provider->service_key, error);
    return status == GK_OK
               ? gk_kv_service_key_id(provider->service_key, provider->service_key_id, error)
               : status;
}

/* What is weaker than it need be is not done in silence. */
static void warn_of_algorithms(const struct gk_provider *provider)
{
    for (size_t i = 0; i < GK_KV_VAULTS_MAX; i++) {
        const struct gk_kv_vault *vault = &provider->config.vaults[i];
        if (strcmp(vault->wrap_algorithm, GK_KV_WRAP_ALGORITHM_SHA1) == 0) {
            char line[GK_VAULT_URI_BYTES_MAX + 160];
            snprintf(line, sizeof line,
                     "%s: root keys are wrapped by " GK_KV_WRAP_ALGORITHM_SHA1
                     ", as is configured; a vault that has " GK_KV_WRAP_ALGORITHM
                     " does not need it",
                     vault->uri);
            provider->host.log(provider->host.ctx, GK_LOG_WARNING, "keyprovider", line);
        }
    }
}

static enum gk_status config_check(struct gk_provider *provider, struct gk_error *error)
{
    enum gk_status status = gk_kv_config_check(&provider->config, error);
    if (status == GK_OK) {
        status = check_ca_file(&provider->config, error);
    }
    if (status == GK_OK) {
        status = check_client_secrets(&provider->config, error);
    }
    return status == GK_OK ? read_service_key(provider, error) : status;
}

static enum gk_status start(struct gk_provider *provider, struct gk_error *error)
{
    const enum gk_status status = config_check(provider, error);
    if (status != GK_OK) {
        return status;
    }
    provider->tokens.timeout_ms = provider->config.request_timeout_ms;
    provider->paces.gateways = provider->config.gateways;
    /* An alert on its growth has to have seen it at 0. */
    provider->host.count(provider->host.ctx, "gatekey_token_requests_total", "result=\"refused\"",
                         0);
    warn_of_algorithms(provider);
    return gk_kv_loop_start(&provider->loop, error);
}

/* --- keys and references -------------------------------------------------------------------------- */

static enum gk_status service_key_derive(struct gk_provider *provider, const char *label,
                                         uint8_t out[GK_ROOT_KEY_BYTES], struct gk_error *error)
{
    return gk_kv_service_key_derive(provider->service_key, label, out, error);
}

static void service_key_id(struct gk_provider *provider, char id[17])
{
    memcpy(id, provider->service_key_id, sizeof provider->service_key_id);
}

static enum gk_status check_reference(struct gk_provider *provider,
                                      const struct gk_identity_reference *identity,
                                      const struct gk_key_reference *key, struct gk_error *error)
{
    struct gk_kv_route route;
    return gk_kv_route_find(&provider->config, identity, key, &route, error);
}

/* --- calls ---------------------------------------------------------------------------------------- */

static void key_get(struct gk_provider *provider, const struct gk_identity_reference *identity,
                    const struct gk_key_reference *key, uint32_t deadline_ms,
                    gk_vault_done_fn *done, void *ctx)
{
    const struct gk_kv_call_input input = {
        .operation = GK_KV_GET,
        .identity = identity,
        .key = key,
        .deadline_ms = deadline_ms,
        .done = done,
        .ctx = ctx,
    };
    gk_kv_call_start(provider, &input);
}

static void wrap(struct gk_provider *provider, const struct gk_identity_reference *identity,
                 const struct gk_key_reference *key, const uint8_t plain[GK_ROOT_KEY_BYTES],
                 uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    const struct gk_kv_call_input input = {
        .operation = GK_KV_WRAP,
        .identity = identity,
        .key = key,
        .value = gk_span_of(plain, GK_ROOT_KEY_BYTES),
        .deadline_ms = deadline_ms,
        .done = done,
        .ctx = ctx,
    };
    gk_kv_call_start(provider, &input);
}

static void unwrap(struct gk_provider *provider, const struct gk_identity_reference *identity,
                   const struct gk_key_reference *key, const char *algorithm,
                   struct gk_span wrapped, uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    const struct gk_kv_call_input input = {
        .operation = GK_KV_UNWRAP,
        .identity = identity,
        .key = key,
        .algorithm = algorithm,
        .value = wrapped,
        .deadline_ms = deadline_ms,
        .done = done,
        .ctx = ctx,
    };
    gk_kv_call_start(provider, &input);
}

static void rotation_due(struct gk_provider *provider, const struct gk_identity_reference *identity,
                         const struct gk_key_reference *key, const struct gk_key_info *version,
                         uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    const struct gk_kv_call_input input = {
        .operation = GK_KV_GET_POLICY,
        .identity = identity,
        .key = key,
        .version = version,
        .deadline_ms = deadline_ms,
        .done = done,
        .ctx = ctx,
    };
    gk_kv_call_start(provider, &input);
}

static struct gk_provider_timer *call_at(struct gk_provider *provider, int64_t mono_ms,
                                         gk_timer_fn *fn, void *ctx)
{
    return gk_kv_loop_call_at(&provider->loop, mono_ms, fn, ctx);
}

static void cancel(struct gk_provider *provider, struct gk_provider_timer *timer)
{
    gk_kv_loop_cancel(&provider->loop, timer);
}

const struct gk_provider_ops *gk_vault_provider(void)
{
    static const struct gk_provider_ops ops = {
        .api_version = GK_PROVIDER_API_VERSION,
        .struct_size = sizeof ops,
        .name = "vault",
        .create = create,
        .config = config,
        .start = start,
        .stop = stop,
        .destroy = destroy,
        .service_key_derive = service_key_derive,
        .service_key_id = service_key_id,
        .check_reference = check_reference,
        .key_get = key_get,
        .wrap = wrap,
        .unwrap = unwrap,
        .call_at = call_at,
        .cancel = cancel,
        .config_check = config_check,
        .rotation_due = rotation_due,
    };
    return &ops;
}
