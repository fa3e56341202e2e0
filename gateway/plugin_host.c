/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/plugin_host.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/cause.h"
#include "gateway/metrics.h"
#include "gateway/terms.h"

struct gk_plugin_host_private {
    void *module;
    struct gk_host host;
    struct gk_clock clock;
    struct gk_store *store; /* NULL while only checking */
    struct gk_audit_log *audit;
    struct gk_terms_slot *terms; /* NULL: nothing is demanded of keys */
    bool started;
};

/* The bench's pass-through module carries this bit in its version, so that nothing that is
 * installed can load a module that stores data in the clear. */
#ifdef GATEKEY_BENCH_PASSTHROUGH
#define PASSTHROUGH_BIT 0x80000000u
#else
#define PASSTHROUGH_BIT 0u
#endif

/* --- callbacks ---------------------------------------------------------------------------------*/

static void host_log(void *ctx, enum gk_log_level level, const char *component, const char *message)
{
    (void)ctx;
    gk_log_text(level, component, message);
}

static int64_t host_mono_ms(void *ctx)
{
    const struct gk_plugin_host_private *private_ = ctx;
    return gk_clock_mono_ms(&private_->clock);
}

static int64_t host_wall_ms(void *ctx)
{
    const struct gk_plugin_host_private *private_ = ctx;
    return gk_clock_wall_ms(&private_->clock);
}

static void host_count(void *ctx, const char *name, const char *labels, double add)
{
    (void)ctx;
    gk_metrics_count(name, labels, add);
}

/* What an event counts has many causes. */
static void tell(const struct gk_plugin_host_private *private_, const struct gk_audit_event *event)
{
    gk_audit_log_write(private_->audit, event, event->count == 0 ? gk_cause() : "");
}

static void host_audit(void *ctx, const struct gk_audit_event *event)
{
    tell(ctx, event);
}

static enum gk_status host_attrs_get(void *ctx, const char *account, gk_attr_visit_fn *visit,
                                     void *visit_ctx, uint64_t *version, struct gk_error *error)
{
    const struct gk_plugin_host_private *private_ = ctx;
    return gk_account_attrs_get(private_->store, account, visit, visit_ctx, version, error);
}

static enum gk_status host_attrs_set_if(void *ctx, const char *account, uint64_t expected_version,
                                        const struct gk_attr *changes, size_t changes_count,
                                        uint64_t *new_version, struct gk_error *error)
{
    const struct gk_plugin_host_private *private_ = ctx;
    return gk_account_attrs_set_if(private_->store, account, expected_version, changes,
                                   changes_count, new_version, error);
}

static enum gk_status host_lease_take(void *ctx, const char *account, uint32_t duration_ms,
                                      struct gk_error *error)
{
    const struct gk_plugin_host_private *private_ = ctx;
    return gk_account_lease_take(private_->store, account, duration_ms, error);
}

static void host_lease_release(void *ctx, const char *account)
{
    const struct gk_plugin_host_private *private_ = ctx;
    gk_account_lease_release(private_->store, account);
}

/* An event for what an operator wants to hear of. */
static void tell_policy(const struct gk_plugin_host_private *private_, enum gk_audit_event_id event,
                        const char *actor, const char *account, enum gk_policy_rule rule,
                        const char *outcome)
{
    const struct gk_policy_text *text = gk_policy_text(rule);
    const struct gk_audit_event what = {
        .wall_ms = gk_clock_wall_ms(&private_->clock),
        .event = event,
        .account = account,
        .key_id = "",
        .outcome = outcome,
        .reason = text->setting,
        .detail = text->name,
        .request_id = "",
        .actor = actor,
    };
    tell(private_, &what);
}

static enum gk_status judge_key(const struct gk_plugin_host_private *private_,
                                const struct gk_site_policy *policy, const char *actor,
                                const char *account, const struct gk_encryption_settings *settings,
                                const struct gk_key_info *key, struct gk_error *error)
{
    static const struct gk_key_info nothing = {0};
    const struct gk_policy_subject subject = {.name = account,
                                              .settings = settings,
                                              .key = key == NULL ? &nothing : key,
                                              .now_wall_ms = gk_clock_wall_ms(&private_->clock)};
    /* What is not known by now will not be: a rule that denies is not kept by silence. */
    const bool last = key != NULL || settings->source == GK_KEY_SOURCE_SERVICE;
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        const enum gk_policy_rule rule = (enum gk_policy_rule)i;
        const enum gk_policy_finding finding = gk_policy_judge(policy, rule, &subject);
        const bool broken = finding == GK_POLICY_BROKEN || (last && finding == GK_POLICY_UNKNOWN);
        if (broken && policy->effects[i] == GK_POLICY_DENY) {
            tell_policy(private_, GK_AUDIT_POLICY_DENIED, actor, account, rule, "refused");
            return gk_policy_refuse(rule, account, error);
        }
        if (broken && last && policy->effects[i] == GK_POLICY_AUDIT) {
            tell_policy(private_, GK_AUDIT_POLICY_BROKEN, actor, account, rule, "ok");
        }
    }
    return GK_OK;
}

static enum gk_status host_key_permitted(void *ctx, const char *actor, const char *account,
                                         const struct gk_encryption_settings *settings,
                                         const struct gk_key_info *key, struct gk_error *error)
{
    const struct gk_plugin_host_private *private_ = ctx;
    if (private_->terms == NULL) {
        return GK_OK;
    }
    struct gk_terms *terms = gk_terms_now(private_->terms);
    const enum gk_status status =
        judge_key(private_, &terms->config->policy, actor, account, settings, key, error);
    gk_terms_release(terms);
    return status;
}

static void fill_host(struct gk_plugin_host_private *private_)
{
    private_->host = (struct gk_host){
        .abi_version = GK_PLUGIN_ABI_VERSION,
        .struct_size = sizeof private_->host,
        .ctx = private_,
        .log = host_log,
        .clock_mono_ms = host_mono_ms,
        .clock_wall_ms = host_wall_ms,
        .count = host_count,
        .audit = host_audit,
        .account_attrs_get = host_attrs_get,
        .account_attrs_set_if = host_attrs_set_if,
        .account_lease_take = host_lease_take,
        .account_lease_release = host_lease_release,
        .key_permitted = host_key_permitted,
    };
}

/* Who writes to the file alone can put lines at its end while no gateway runs; that they are there without the head's
 * knowledge is then in the chain itself. */
static void tell_behind(const struct gk_plugin_host_private *private_)
{
    uint64_t last = 0;
    const uint64_t behind = gk_audit_log_behind(private_->audit, &last);
    if (behind == 0) {
        return;
    }
    char detail[128];
    snprintf(detail, sizeof detail,
             "events %" PRIu64 " to %" PRIu64 " were in the file, and not in its head",
             last - behind + 1, last);
    const struct gk_audit_event event = {
        .wall_ms = gk_clock_wall_ms(&private_->clock),
        .event = GK_AUDIT_AUDIT_HEAD_BEHIND,
        .account = "",
        .key_id = "",
        .outcome = "failed",
        .reason = "",
        .detail = detail,
        .request_id = "",
        .actor = GK_AUDIT_ACTOR_SELF,
    };
    tell(private_, &event);
}

/* --- loading -----------------------------------------------------------------------------------*/

static bool version_is_ours(uint32_t version)
{
    return (version & ~PASSTHROUGH_BIT) == GK_PLUGIN_ABI_VERSION;
}

/* Everything that can be told without running the module's code comes first. */
static enum gk_status load_module(const char *path, void **module, struct gk_error *error)
{
    if (path[0] != '/') {
        return gk_fail(error, GK_E_INVALID,
                       "%s: a module is named by its path from the root, so that no search path "
                       "decides what is loaded",
                       path);
    }
    *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (*module == NULL) {
        return gk_fail(error, GK_E_INVALID, "%s: cannot be loaded: %s", path, dlerror());
    }
    const uint32_t *version = dlsym(*module, GK_PLUGIN_ABI_SYMBOL);
    if (version == NULL) {
        return gk_fail(error, GK_E_INVALID,
                       "%s: is not a Gatekey module: it has no symbol %s; name gatekey.so", path,
                       GK_PLUGIN_ABI_SYMBOL);
    }
    if (!version_is_ours(*version)) {
        return gk_fail(error, GK_E_UNSUPPORTED,
                       "%s: has ABI version %u, this gateway needs version %u; install a module "
                       "and a gateway of the same release",
                       path, *version, GK_PLUGIN_ABI_VERSION);
    }
    return GK_OK;
}

static bool has_all_members(const struct gk_plugin *plugin)
{
    /* From the first function on, the struct is function pointers alone. */
    const unsigned char *first = (const unsigned char *)&plugin->create;
    const size_t count = (sizeof *plugin - offsetof(struct gk_plugin, create)) / sizeof(void *);
    for (size_t i = 0; i < count; i++) {
        void *function = NULL;
        memcpy(&function, first + i * sizeof function, sizeof function);
        if (function == NULL) {
            return false;
        }
    }
    return plugin->name != NULL && plugin->version != NULL;
}

static enum gk_status enter_module(const char *path, void *module, const struct gk_plugin **out,
                                   struct gk_error *error)
{
    gk_plugin_entry_fn *entry = NULL;
    void *symbol = dlsym(module, GK_PLUGIN_ENTRY_SYMBOL);
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast between the two */
    if (entry == NULL) {
        return gk_fail(error, GK_E_INVALID, "%s: has no symbol %s; it is damaged", path,
                       GK_PLUGIN_ENTRY_SYMBOL);
    }
    const struct gk_plugin *plugin = entry();
    if (plugin == NULL || !version_is_ours(plugin->abi_version) ||
        plugin->struct_size < sizeof *plugin || !has_all_members(plugin)) {
        return gk_fail(error, GK_E_UNSUPPORTED,
                       "%s: its table of functions is older or smaller than this gateway needs, or "
                       "has holes; install a module and a gateway of the same release",
                       path);
    }
    *out = plugin;
    return GK_OK;
}

/* Where the setting stands that a message begins with; for one that is missing ("identity.0.kind"), where what it
 * would be a part of does. NULL: nowhere. */
static const char *origin_of(const struct gk_plugin_setting *settings, size_t count,
                             const char *message)
{
    const size_t len = strcspn(message, ":");
    size_t group_len = len;
    while (group_len > 0 && message[group_len - 1] != '.') {
        group_len--;
    }
    for (size_t i = 0; i < count; i++) {
        if (strlen(settings[i].key) == len && strncmp(settings[i].key, message, len) == 0) {
            return settings[i].origin;
        }
    }
    for (size_t i = 0; i < count && group_len > 0; i++) {
        if (strncmp(settings[i].key, message, group_len) == 0) {
            return settings[i].origin;
        }
    }
    return NULL;
}

static enum gk_status configure(struct gk_plugin_host *host,
                                const struct gk_plugin_setting *settings, size_t settings_count,
                                struct gk_error *error)
{
    for (size_t i = 0; i < settings_count; i++) {
        struct gk_error why = {0};
        const enum gk_status status =
            host->plugin->config(host->instance, settings[i].key, settings[i].value, &why);
        if (status == GK_OK) {
            continue;
        }
        const char *origin = settings[i].origin;
        return gk_fail(error, GK_E_INVALID, "%s%sprovider: %s: %s", origin == NULL ? "" : origin,
                       origin == NULL ? "" : ": ", settings[i].key,
                       why.message[0] == '\0' ? "there is no such setting" : why.message);
    }
    return GK_OK;
}

static void unload(void *module)
{
    /* A sanitizer needs the module's symbols for what it reports at the end. */
#ifndef GATEKEY_SANITIZED
    if (module != NULL) {
        dlclose(module);
    }
#else
    (void)module;
#endif
}

static struct gk_plugin_host *new_host(struct gk_store *store, const struct gk_clock *clock)
{
    struct gk_plugin_host *host = calloc(1, sizeof *host);
    struct gk_plugin_host_private *private_ = calloc(1, sizeof *private_);
    if (host == NULL || private_ == NULL) {
        free(host);
        free(private_);
        return NULL;
    }
    private_->store = store;
    private_->clock = *clock;
    fill_host(private_);
    host->private_ = private_;
    return host;
}

static enum gk_status load_and_create(struct gk_plugin_host *host, const char *path,
                                      struct gk_error *error)
{
    enum gk_status status = load_module(path, &host->private_->module, error);
    if (status == GK_OK) {
        status = enter_module(path, host->private_->module, &host->plugin, error);
    }
    return status == GK_OK ? host->plugin->create(&host->private_->host, &host->instance, error)
                           : status;
}

enum gk_status gk_plugin_host_open(const char *path, const struct gk_plugin_setting *settings,
                                   size_t settings_count, struct gk_store *store,
                                   const struct gk_clock *clock,
                                   const struct gk_audit_options *audit,
                                   struct gk_plugin_host **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_plugin_host *host = new_host(store, clock);
    if (host == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = gk_audit_log_open(audit, &host->private_->audit, error);
    if (status == GK_OK) {
        tell_behind(host->private_);
        status = load_and_create(host, path, error);
    }
    if (status == GK_OK) {
        status = configure(host, settings, settings_count, error);
    }
    if (status == GK_OK) {
        status = host->plugin->start(host->instance, error);
        host->private_->started = status == GK_OK;
    }
    if (status != GK_OK) {
        gk_plugin_host_close(host);
        return status;
    }
    gk_log(GK_LOG_INFO, "gateway", "loaded %s %s from %s, ABI version %u", host->plugin->name,
           host->plugin->version, path, host->plugin->abi_version);
    *out = host;
    return GK_OK;
}

static enum gk_status check_settings(struct gk_plugin_host *host,
                                     const struct gk_plugin_setting *settings,
                                     size_t settings_count, struct gk_error *error)
{
    struct gk_error why = {0};
    enum gk_status status = configure(host, settings, settings_count, error);
    if (status != GK_OK) {
        return status;
    }
    status = host->plugin->config_check(host->instance, &why);
    if (status == GK_OK) {
        return GK_OK;
    }
    const char *origin = origin_of(settings, settings_count, why.message);
    return gk_fail(error, status, "%s%sprovider: %s", origin == NULL ? "" : origin,
                   origin == NULL ? "" : ": ", why.message);
}

enum gk_status gk_plugin_host_check(const char *path, const char *origin,
                                    const struct gk_plugin_setting *settings, size_t settings_count,
                                    const struct gk_clock *clock, struct gk_error *error)
{
    struct gk_plugin_host *host = new_host(NULL, clock);
    if (host == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct gk_error why = {0};
    enum gk_status status = load_and_create(host, path, &why);
    if (status == GK_OK) {
        status = check_settings(host, settings, settings_count, error);
    } else {
        (void)gk_fail(error, status, "%s%s%s", origin == NULL ? "" : origin,
                      origin == NULL ? "" : ": plugin: ", why.message);
    }
    gk_plugin_host_close(host);
    return status;
}

void gk_plugin_host_set_terms(struct gk_plugin_host *host, struct gk_terms_slot *terms)
{
    host->private_->terms = terms;
}

void gk_plugin_host_audit(struct gk_plugin_host *host, const struct gk_audit_event *event)
{
    struct gk_audit_event dated = *event;
    dated.wall_ms = gk_clock_wall_ms(&host->private_->clock);
    tell(host->private_, &dated);
}

void gk_plugin_host_audit_failure(struct gk_plugin_host *host, const struct gk_audit_event *event,
                                  enum gk_status status, const struct gk_error *why)
{
    struct gk_audit_event told = *event;
    told.outcome = "failed";
    if (status == GK_E_INVALID || status == GK_E_DENIED) {
        told.outcome = "refused";
    } else if (status == GK_E_UNAVAILABLE || status == GK_E_CONFLICT) {
        told.outcome = "unavailable";
    }
    told.reason = why->code;
    told.detail = why->message;
    gk_plugin_host_audit(host, &told);
}

struct gk_recent_events *gk_plugin_host_recent(struct gk_plugin_host *host)
{
    return gk_audit_log_recent(host->private_->audit);
}

void gk_plugin_host_close(struct gk_plugin_host *host)
{
    if (host == NULL) {
        return;
    }
    if (host->instance != NULL) {
        if (host->private_->started) {
            host->plugin->stop(host->instance);
        }
        host->plugin->destroy(host->instance);
    }
    unload(host->private_->module);
    gk_audit_log_close(host->private_->audit);
    free(host->private_);
    free(host);
}
