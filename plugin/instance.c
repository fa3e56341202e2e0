/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/instance.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/hash.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/absent_accounts.h"
#include "plugin/key_news.h"
#include "plugin/ticker.h"
#include "plugin/unwrap_counts.h"
#include "plugin/vault_silences.h"

#define COMPONENT   "gatekey"
#define TICK_MS_MAX 250u
#define TICK_MS_MIN 50u
#define TICKS_CHECK 4u /* ticks in a check interval, at least */
#define MS_PER_S    1000
#define HOUR_S      3600
#define DAY_S       86400u

/* --- settings --------------------------------------------------------------------------------- */

enum setting {
    CHECK_INTERVAL_MS,
    GRACE_S,
    VERSION_CHECK_INTERVAL_S,
    WRAP_KEEP_S,
    EXPIRY_WARNING_DAYS,
    AGE_WARNING_DAYS,
    DEADLINE_MS,
    UNWRAP_AUDIT_INTERVAL_S,
    ACCOUNT_IDLE_S
};

static const struct {
    const char *key;
    enum setting setting;
    uint64_t min;
    uint64_t max;
} known_settings[] = {
    {"check_interval_ms", CHECK_INTERVAL_MS, 1000, DAY_S * 1000u},
    {"grace_s", GRACE_S, 0, 30u * DAY_S},
    {"version_check_interval_s", VERSION_CHECK_INTERVAL_S, 60, 7u * DAY_S},
    {"previous_wrap_keep_s", WRAP_KEEP_S, 0, 30u * DAY_S},
    {"key_expiry_warning_days", EXPIRY_WARNING_DAYS, 0, 3650},
    {"key_age_warning_days", AGE_WARNING_DAYS, 0, 36500},
    {"vault_deadline_ms", DEADLINE_MS, 100, 600000},
    {"unwrap_audit_interval_s", UNWRAP_AUDIT_INTERVAL_S, 1, DAY_S},
    {"account_idle_s", ACCOUNT_IDLE_S, 60, 365u * DAY_S},
};

static void set(struct gk_instance_settings *settings, enum setting setting, uint64_t value)
{
    switch (setting) {
    case CHECK_INTERVAL_MS:
        settings->check_interval_ms = (uint32_t)value;
        break;
    case GRACE_S:
        settings->grace_ms = (int64_t)value * MS_PER_S;
        break;
    case VERSION_CHECK_INTERVAL_S:
        settings->version_check_interval_ms = (int64_t)value * MS_PER_S;
        break;
    case WRAP_KEEP_S:
        settings->previous_wrap_keep_ms = (int64_t)value * MS_PER_S;
        break;
    case EXPIRY_WARNING_DAYS:
        settings->key_expiry_warning_ms = (int64_t)value * DAY_S * MS_PER_S;
        break;
    case AGE_WARNING_DAYS:
        settings->key_age_warning_ms = (int64_t)value * DAY_S * MS_PER_S;
        break;
    case DEADLINE_MS:
        settings->vault_deadline_ms = (uint32_t)value;
        break;
    case UNWRAP_AUDIT_INTERVAL_S:
        settings->unwrap_audit_interval_ms = (int64_t)value * MS_PER_S;
        break;
    case ACCOUNT_IDLE_S:
        settings->account_idle_ms = (int64_t)value * MS_PER_S;
        break;
    }
}

static enum gk_status set_flag(const char *key, const char *value, bool *flag,
                               struct gk_error *error)
{
    *flag = strcmp(value, "true") == 0;
    return *flag || strcmp(value, "false") == 0
               ? GK_OK
               : gk_fail(error, GK_E_INVALID, "%s: give true or false", key);
}

enum gk_status gk_instance_config(struct gk_instance *instance, const char *key, const char *value,
                                  struct gk_error *error)
{
    if (instance->started) {
        return gk_fail(error, GK_E_INVALID, "%.64s: settings are made before start", key);
    }
    for (size_t i = 0; i < sizeof known_settings / sizeof known_settings[0]; i++) {
        if (strcmp(known_settings[i].key, key) != 0) {
            continue;
        }
        uint64_t number = 0;
        if (!gk_parse_u64(gk_span_str(value), known_settings[i].max, &number) ||
            number < known_settings[i].min) {
            return gk_fail(error, GK_E_INVALID, "%s: give a whole number from %llu to %llu", key,
                           (unsigned long long)known_settings[i].min,
                           (unsigned long long)known_settings[i].max);
        }
        set(&instance->settings, known_settings[i].setting, number);
        return GK_OK;
    }
    if (strcmp(key, "pinned_key_without_get") == 0) {
        return set_flag(key, value, &instance->settings.pinned_key_without_get, error);
    }
    if (strcmp(key, "read_rotation_policy") == 0) {
        return set_flag(key, value, &instance->settings.read_rotation_policy, error);
    }
    return instance->ops->config(instance->provider, key, value, error);
}

enum gk_status gk_instance_config_check(struct gk_instance *instance, struct gk_error *error)
{
    return instance->ops->config_check(instance->provider, error);
}

/* --- create and destroy ----------------------------------------------------------------------- */

static enum gk_status check_host(const struct gk_host *host, struct gk_error *error)
{
    if (host == NULL || host->abi_version != GK_PLUGIN_ABI_VERSION ||
        host->struct_size < sizeof *host) {
        return gk_fail(error, GK_E_UNSUPPORTED,
                       "the host speaks another version of the plugin interface than %u",
                       GK_PLUGIN_ABI_VERSION);
    }
    if (host->log == NULL || host->clock_mono_ms == NULL || host->clock_wall_ms == NULL ||
        host->count == NULL || host->audit == NULL || host->account_attrs_get == NULL ||
        host->account_attrs_set_if == NULL || host->account_lease_take == NULL ||
        host->account_lease_release == NULL || host->key_permitted == NULL) {
        return gk_fail(error, GK_E_INVALID, "the host lacks a callback");
    }
    return GK_OK;
}

static enum gk_status create_parts(struct gk_instance *instance, struct gk_error *error)
{
    const struct gk_host *host = &instance->host;
    const struct gk_provider_host provider_host = {
        .ctx = host->ctx,
        .log = host->log,
        .clock_mono_ms = host->clock_mono_ms,
        .clock_wall_ms = host->clock_wall_ms,
        .count = host->count,
    };
    instance->unwraps = gk_unwrap_counts_new(gk_instance_now(instance).mono_ms);
    instance->absents = gk_absents_new();
    instance->news = gk_key_news_new();
    instance->silences = gk_vault_silences_new();
    if (instance->unwraps == NULL || instance->absents == NULL || instance->news == NULL ||
        instance->silences == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = gk_crypto_new(&instance->crypto, error);
    return status == GK_OK ? instance->ops->create(&provider_host, &instance->provider, error)
                           : status;
}

enum gk_status gk_instance_create_with(const struct gk_provider_ops *ops,
                                       const struct gk_host *host, struct gk_instance **out,
                                       struct gk_error *error)
{
    *out = NULL;
    enum gk_status status = check_host(host, error);
    if (status != GK_OK) {
        return status;
    }
    if (ops->api_version != GK_PROVIDER_API_VERSION || ops->struct_size < sizeof *ops) {
        return gk_fail(error, GK_E_UNSUPPORTED, "the key provider is of another version");
    }
    struct gk_instance *instance = calloc(1, sizeof *instance);
    if (instance == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    instance->host = *host;
    instance->ops = ops;
    instance->settings = (struct gk_instance_settings){
        .check_interval_ms = 60000,
        .grace_ms = 43200 * (int64_t)MS_PER_S,
        .account_idle_ms = 3600 * (int64_t)MS_PER_S,
        .version_check_interval_ms = DAY_S * (int64_t)MS_PER_S,
        .previous_wrap_keep_ms = DAY_S * (int64_t)MS_PER_S,
        .key_expiry_warning_ms = 30 * DAY_S * (int64_t)MS_PER_S,
        .vault_deadline_ms = 10000,
        .unwrap_audit_interval_ms = HOUR_S * (int64_t)MS_PER_S,
    };
    atomic_init(&instance->stopping, false);
    pthread_mutex_init(&instance->accounts_lock, NULL);
    for (unsigned i = 0; i < GK_REFRESHERS; i++) {
        gk_worker_init(&instance->refreshers[i]);
    }
    gk_worker_init(&instance->reader);
    gk_worker_init(&instance->rotator);
    status = create_parts(instance, error);
    if (status != GK_OK) {
        gk_instance_destroy(instance);
        return status;
    }
    *out = instance;
    return GK_OK;
}

void gk_instance_destroy(struct gk_instance *instance)
{
    if (instance == NULL) {
        return;
    }
    gk_instance_stop(instance);
    gk_accounts_clear(instance);
    gk_absents_free(&instance->absents);
    gk_key_news_free(&instance->news);
    if (instance->provider != NULL) {
        instance->ops->destroy(instance->provider);
    }
    for (unsigned i = 0; i < GK_REFRESHERS; i++) {
        gk_worker_cleanup(&instance->refreshers[i]);
    }
    gk_worker_cleanup(&instance->reader);
    gk_worker_cleanup(&instance->rotator);
    pthread_mutex_destroy(&instance->accounts_lock);
    gk_unwrap_counts_free(instance->unwraps);
    gk_vault_silences_free(&instance->silences);
    gk_secret_free(&instance->keys);
    gk_crypto_free(&instance->crypto);
    free(instance);
}

/* --- start and stop --------------------------------------------------------------------------- */

static enum gk_status derive(struct gk_instance *instance, const char *label,
                             uint8_t key[GK_ROOT_KEY_BYTES], struct gk_error *error)
{
    return instance->ops->service_key_derive(instance->provider, label, key, error);
}

static enum gk_status derive_keys(struct gk_instance *instance, struct gk_error *error)
{
    struct gk_service_keys *keys = gk_secret_alloc(sizeof *keys);
    if (keys == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "no memory for keys");
    }
    instance->keys = keys;
    enum gk_status status = derive(instance, GK_ACCOUNT_RECORD_LABEL, keys->record.bytes, error);
    if (status == GK_OK) {
        status = derive(instance, GK_ROOT_WRAP_LABEL, keys->wrap.bytes, error);
    }
    if (status == GK_OK) {
        status = derive(instance, GK_RECORD_OPEN_LABEL, keys->open_parts.bytes, error);
    }
    if (status == GK_OK) {
        instance->ops->service_key_id(instance->provider, instance->service_key_id);
    }
    return status;
}

static bool arm_ticker(struct gk_instance *instance, int64_t from_mono_ms);

static void on_tick(void *ctx)
{
    struct gk_instance *instance = ctx;
    if (atomic_load(&instance->stopping)) {
        return;
    }
    /* From when it began: what a tick takes must not push the next away. */
    const int64_t began_mono_ms = gk_instance_now(instance).mono_ms;
    gk_ticker_look(instance);
    gk_unwrap_counts_tell_due(instance);
    if (!arm_ticker(instance, began_mono_ms)) {
        gk_instance_log(instance, GK_LOG_ERROR,
                        "memory is out: keys are no longer re-checked; restart the gateway");
    }
}

static bool arm_ticker(struct gk_instance *instance, int64_t from_mono_ms)
{
    const int64_t at_ms = from_mono_ms + instance->tick_ms;
    return instance->ops->call_at(instance->provider, at_ms, on_tick, instance) != NULL;
}

enum gk_status gk_instance_start(struct gk_instance *instance, struct gk_error *error)
{
    const uint32_t wanted_ms = instance->settings.check_interval_ms / TICKS_CHECK;
    instance->tick_ms = wanted_ms > TICK_MS_MAX   ? TICK_MS_MAX
                        : wanted_ms < TICK_MS_MIN ? TICK_MS_MIN
                                                  : wanted_ms;
    enum gk_status status = instance->ops->start(instance->provider, error);
    if (status != GK_OK) {
        return status;
    }
    instance->started = true;
    status = derive_keys(instance, error);
    for (unsigned i = 0; status == GK_OK && i < GK_REFRESHERS; i++) {
        status = gk_worker_start(&instance->refreshers[i], error);
    }
    if (status == GK_OK) {
        status = gk_worker_start(&instance->reader, error);
    }
    if (status == GK_OK) {
        status = gk_worker_start(&instance->rotator, error);
    }
    if (status == GK_OK && !arm_ticker(instance, gk_instance_now(instance).mono_ms)) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (status != GK_OK) {
        gk_instance_stop(instance);
    }
    return status;
}

/* The provider first: it ends every call under way, and with that whatever a worker waits for. */
void gk_instance_stop(struct gk_instance *instance)
{
    atomic_store(&instance->stopping, true);
    if (instance->started) {
        instance->ops->stop(instance->provider);
        instance->started = false;
    }
    gk_worker_stop(&instance->rotator);
    for (unsigned i = 0; i < GK_REFRESHERS; i++) {
        gk_worker_stop(&instance->refreshers[i]);
    }
    gk_worker_stop(&instance->reader);
    if (instance->unwraps != NULL) {
        gk_unwrap_counts_tell(instance);
    }
}

/* --- small things ----------------------------------------------------------------------------- */

struct gk_moment gk_instance_now(const struct gk_instance *instance)
{
    return (struct gk_moment){.mono_ms = instance->host.clock_mono_ms(instance->host.ctx),
                              .wall_ms = instance->host.clock_wall_ms(instance->host.ctx)};
}

unsigned gk_instance_bucket(const char *name)
{
    return (unsigned)(gk_hash(GK_HASH_START, gk_span_str(name)) % GK_ACCOUNT_BUCKETS);
}

struct gk_worker *gk_instance_refresher(struct gk_instance *instance, const char *name)
{
    return &instance->refreshers[gk_instance_bucket(name) % GK_REFRESHERS];
}

uint32_t gk_instance_retry_after_s(const struct gk_instance *instance)
{
    return (instance->settings.check_interval_ms + MS_PER_S - 1) / MS_PER_S;
}

void gk_instance_log(const struct gk_instance *instance, enum gk_log_level level,
                     const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    instance->host.log(instance->host.ctx, level, COMPONENT, line);
}
