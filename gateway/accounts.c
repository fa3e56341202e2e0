/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/accounts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/account_cache.h"
#include "gateway/account_profile.h"
#include "gateway/metrics.h"
#include "gateway/registry.h"

/* How often a guarded write is tried again: each conflict means that another writer got through. */
#define ATTEMPTS_MAX 64u

/* For a plugin that does not say how long what it knows is good. */
#define INTERVAL_MS 60000u

/* Of an account whose description has none. */
#define SKU_DEFAULT "Standard_LRS"

struct gk_accounts {
    struct gk_store *store;
    struct gk_plugin_host *host;
    struct gk_clock clock;
    struct gk_account_cache cache;
};

void gk_accounts_put(struct gk_gateway_account *account)
{
    gk_account_entry_put((struct gk_account_entry *)(void *)account);
}

void gk_accounts_drop(struct gk_accounts *accounts, const char *name)
{
    gk_account_cache_drop(&accounts->cache, name);
}

void gk_accounts_expire(struct gk_accounts *accounts, const char *name)
{
    gk_account_cache_expire(&accounts->cache, name);
}

enum gk_status gk_accounts_new(struct gk_store *store, struct gk_plugin_host *host,
                               const struct gk_clock *clock, struct gk_accounts **out,
                               struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    (*out)->store = store;
    (*out)->host = host;
    (*out)->clock = *clock;
    gk_account_cache_init(&(*out)->cache);
    return GK_OK;
}

void gk_accounts_free(struct gk_accounts *accounts)
{
    if (accounts == NULL) {
        return;
    }
    gk_account_cache_cleanup(&accounts->cache);
    free(accounts);
}

/* --- stored state ------------------------------------------------------------------------------*/

struct stored {
    uint64_t version;
    bool has_record;
    struct gk_buf record; /* sealed */
};

static void collect_record(void *ctx, const struct gk_attr *attr)
{
    struct stored *stored = ctx;
    if (strcmp(attr->name, GK_ACCOUNT_PROFILE_ATTR) == 0) {
        stored->has_record = true;
        gk_buf_append(&stored->record, attr->value.data, attr->value.len);
    }
}

static enum gk_status refuse_unknown(const char *name, struct gk_error *error)
{
    return gk_fail_http(error, GK_E_NOT_FOUND, 404, "ResourceNotFound",
                        "there is no account named %s", name);
}

/* The caller frees stored->record whatever the result. */
static enum gk_status read_stored(struct gk_accounts *accounts, const char *name,
                                  struct stored *stored, struct gk_error *error)
{
    *stored = (struct stored){0};
    gk_buf_init(&stored->record, GK_ACCOUNT_PROFILE_BYTES_MAX);
    enum gk_status status = gk_account_attrs_get(accounts->store, name, collect_record, stored,
                                                 &stored->version, error);
    if (status == GK_E_NOT_FOUND || (status == GK_OK && !stored->has_record)) {
        return refuse_unknown(name, error);
    }
    if (status == GK_OK && gk_buf_status(&stored->record) != GK_OK) {
        status = gk_fail(error, GK_E_INTEGRITY, "the record of account %s is too long", name);
    }
    return status;
}

/* A description that cannot be read refuses plain http and the public: the safer of two guesses. */
static void read_description(const char *arm_json, struct gk_gateway_account *account)
{
    json_t *description = json_loads(arm_json, JSON_REJECT_DUPLICATES, NULL);
    const char *sku = json_string_value(json_object_get(description, "sku"));
    account->https_only =
        description == NULL || json_is_true(json_object_get(description, "httpsOnly"));
    account->public_access = json_is_true(json_object_get(description, "publicAccess"));
    snprintf(account->sku, sizeof account->sku, "%s", sku == NULL ? SKU_DEFAULT : sku);
    json_decref(description);
}

static enum gk_status new_entry(struct gk_accounts *accounts, const char *name,
                                struct gk_account *handle, struct gk_account_profile *record,
                                struct gk_account_entry **out, struct gk_error *error)
{
    const struct gk_plugin *plugin = accounts->host->plugin;
    struct gk_account_status state;
    const enum gk_status status =
        plugin->account_status(accounts->host->instance, name, &state, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_account_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    struct gk_gateway_account *account = &entry->account;
    snprintf(account->name, sizeof account->name, "%s", name);
    snprintf(account->object, sizeof account->object, GK_ACCOUNT_OBJECT_PREFIX "%s", name);
    snprintf(account->location, sizeof account->location, "%s", record->location);
    account->id = state.id;
    account->handle = handle;
    account->created_wall_ms = record->created_wall_ms;
    account->keys = record->keys;
    account->arm_json = record->arm_json;
    read_description(record->arm_json, account);
    account->blob_service = record->blob_service;
    entry->keys = record->keys;
    entry->plugin = plugin;
    entry->interval_ms = state.check_interval_ms == 0 ? INTERVAL_MS : state.check_interval_ms;
    atomic_init(&entry->references, 1);
    record->keys = NULL;
    record->arm_json = NULL;
    *out = entry;
    return GK_OK;
}

static enum gk_status load(struct gk_accounts *accounts, const char *name,
                           const struct stored *stored, struct gk_account_entry **out,
                           struct gk_error *error)
{
    const struct gk_plugin_host *host = accounts->host;
    struct gk_account *handle = NULL;
    struct gk_account_profile record = {0};
    enum gk_status status = host->plugin->account_open(host->instance, name, &handle, error);
    if (status == GK_OK) {
        status = gk_account_profile_open(host->plugin, handle, name, gk_buf_span(&stored->record),
                                         &record, error);
    }
    if (status == GK_OK) {
        status = new_entry(accounts, name, handle, &record, out, error);
    }
    if (status == GK_OK) {
        (*out)->version = stored->version;
    } else {
        host->plugin->account_release(handle);
    }
    if (status == GK_E_INTEGRITY) {
        /* Or the plugin has yet to hear that another gateway has made the account anew. */
        host->plugin->account_changed(host->instance, name);
    }
    gk_account_profile_cleanup(&record);
    return status;
}

/*
 * *entry, if there is one, is taken when the store still has it so, and replaced otherwise. A store
 * that does not answer makes the request fail, as it would a moment later for what it is about: to go
 * on with what was known would let who has a regenerated access key go on for as long as the store is
 * away, and the interval is a promise. What was read stays in the cache when the caller uses it.
 */
static enum gk_status read_entry(struct gk_accounts *accounts, const char *name, uint64_t epoch,
                                 bool uses, struct gk_account_entry **entry, struct gk_error *error)
{
    const int64_t mono_ms = gk_clock_mono_ms(&accounts->clock);
    struct gk_account_entry *old = *entry;
    struct stored stored;
    enum gk_status status = read_stored(accounts, name, &stored, error);
    if (status == GK_OK && old != NULL && stored.version == old->version) {
        gk_account_cache_confirm(&accounts->cache, old, mono_ms, epoch);
        gk_buf_cleanup(&stored.record);
        return GK_OK;
    }
    *entry = NULL;
    if (status == GK_OK) {
        status = load(accounts, name, &stored, entry, error);
    } else if (status == GK_E_NOT_FOUND && old != NULL) {
        /* Deleted through another gateway. */
        gk_account_cache_drop(&accounts->cache, name);
        accounts->host->plugin->account_changed(accounts->host->instance, name);
    }
    if (status == GK_OK && uses) {
        (*entry)->read_mono_ms = mono_ms;
        (*entry)->used_mono_ms = mono_ms;
        gk_account_cache_add(&accounts->cache, *entry, epoch);
    }
    gk_account_entry_put(old);
    gk_buf_cleanup(&stored.record);
    return status;
}

static enum gk_status get(struct gk_accounts *accounts, const char *name, bool uses,
                          struct gk_gateway_account **out, struct gk_error *error)
{
    *out = NULL;
    if (!gk_account_name_valid(name)) {
        return refuse_unknown("that", error);
    }
    uint64_t epoch = 0;
    bool fresh = false;
    struct gk_account_entry *entry = gk_account_cache_get(
        &accounts->cache, name, uses, gk_clock_mono_ms(&accounts->clock), &fresh, &epoch);
    gk_metrics_count(
        "gatekey_cache_lookups_total",
        fresh ? "cache=\"accounts\",result=\"hit\"" : "cache=\"accounts\",result=\"miss\"", 1);
    const enum gk_status status =
        fresh ? GK_OK : read_entry(accounts, name, epoch, uses, &entry, error);
    if (status == GK_OK) {
        *out = &entry->account;
    }
    return status;
}

enum gk_status gk_accounts_get(struct gk_accounts *accounts, const char *name,
                               struct gk_gateway_account **out, struct gk_error *error)
{
    return get(accounts, name, true, out, error);
}

enum gk_status gk_accounts_look(struct gk_accounts *accounts, const char *name,
                                struct gk_gateway_account **out, struct gk_error *error)
{
    return get(accounts, name, false, out, error);
}

/* The object alone says that one is gone: a deletion takes it away whole. */
enum gk_status gk_accounts_presence(struct gk_accounts *accounts, const char *name,
                                    const struct gk_id *id, enum gk_account_presence *presence,
                                    struct gk_error *error)
{
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    struct gk_store_stat stat;
    struct gk_gateway_account *account = NULL;
    *presence = GK_PRESENCE_UNKNOWN;
    enum gk_status status = gk_account_object(name, object, error);
    if (status == GK_OK) {
        status = gk_store_stat(accounts->store, GK_POOL_META, object, &stat, error);
    }
    if (status == GK_E_NOT_FOUND) {
        *presence = GK_PRESENCE_GONE;
        gk_error_clear(error);
        return GK_OK;
    }
    if (status == GK_OK) {
        gk_accounts_expire(accounts, name);
        status = gk_accounts_look(accounts, name, &account, error);
    }
    if (status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY) {
        gk_error_clear(error);
        return GK_OK;
    }
    if (status == GK_OK) {
        *presence = gk_id_equal(&account->id, id) ? GK_PRESENCE_THERE : GK_PRESENCE_GONE;
        gk_accounts_put(account);
    }
    return status;
}

/* --- changes -----------------------------------------------------------------------------------*/

static enum gk_status write_record(struct gk_accounts *accounts, const char *name,
                                   struct gk_account *handle,
                                   const struct gk_account_profile *record, uint64_t version,
                                   struct gk_error *error)
{
    struct gk_buf sealed;
    gk_buf_init(&sealed, GK_ACCOUNT_PROFILE_BYTES_MAX);
    enum gk_status status =
        gk_account_profile_seal(accounts->host->plugin, handle, name, record, &sealed, error);
    if (status == GK_OK) {
        const struct gk_attr change = {.name = GK_ACCOUNT_PROFILE_ATTR,
                                       .value = gk_buf_span(&sealed)};
        status = gk_account_attrs_set_if(accounts->store, name, version, &change, 1, NULL, error);
    }
    gk_buf_cleanup(&sealed);
    return status;
}

typedef enum gk_status mutate_fn(void *ctx, struct gk_account_profile *record,
                                 struct gk_error *error);

static enum gk_status change_once(struct gk_accounts *accounts, const char *name,
                                  struct gk_account *handle, mutate_fn *mutate, void *ctx,
                                  struct gk_error *error)
{
    struct gk_account_profile record = {0};
    struct stored stored;
    enum gk_status status = read_stored(accounts, name, &stored, error);
    if (status == GK_OK) {
        status = gk_account_profile_open(accounts->host->plugin, handle, name,
                                         gk_buf_span(&stored.record), &record, error);
    }
    if (status == GK_OK) {
        status = mutate(ctx, &record, error);
    }
    if (status == GK_OK) {
        status = write_record(accounts, name, handle, &record, stored.version, error);
    }
    gk_account_profile_cleanup(&record);
    gk_buf_cleanup(&stored.record);
    return status;
}

static enum gk_status change_record(struct gk_accounts *accounts, const char *name,
                                    mutate_fn *mutate, void *ctx, struct gk_error *error)
{
    struct gk_gateway_account *account = NULL;
    enum gk_status status = gk_accounts_get(accounts, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        status = change_once(accounts, name, account->handle, mutate, ctx, error);
        if (status != GK_E_CONFLICT) {
            break;
        }
    }
    gk_accounts_put(account);
    gk_accounts_drop(accounts, name);
    return status;
}

static enum gk_status mutate_arm(void *ctx, struct gk_account_profile *record,
                                 struct gk_error *error)
{
    return gk_account_profile_set_arm(record, ctx, error);
}

enum gk_status gk_accounts_set_arm(struct gk_accounts *accounts, const char *name,
                                   const char *arm_json, struct gk_error *error)
{
    char *copy = strdup(arm_json);
    if (copy == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status = change_record(accounts, name, mutate_arm, copy, error);
    free(copy);
    return status;
}

struct service_change {
    const struct gk_blob_service *settings;
    uint32_t parts;
};

static enum gk_status mutate_service(void *ctx, struct gk_account_profile *record,
                                     struct gk_error *error)
{
    (void)error;
    const struct service_change *change = ctx;
    gk_blob_service_take(&record->blob_service, change->settings, change->parts);
    return GK_OK;
}

enum gk_status gk_accounts_set_blob_service(struct gk_accounts *accounts, const char *name,
                                            const struct gk_blob_service *settings, uint32_t parts,
                                            struct gk_error *error)
{
    struct service_change change = {.settings = settings, .parts = parts};
    return change_record(accounts, name, mutate_service, &change, error);
}

struct regeneration {
    unsigned index;
    int64_t wall_ms;
};

static enum gk_status mutate_key(void *ctx, struct gk_account_profile *record,
                                 struct gk_error *error)
{
    const struct regeneration *what = ctx;
    return gk_account_profile_regenerate(record, what->index, what->wall_ms, error);
}

enum gk_status gk_accounts_regenerate_key(struct gk_accounts *accounts, const char *name,
                                          unsigned index, struct gk_error *error)
{
    struct regeneration what = {.index = index, .wall_ms = gk_clock_wall_ms(&accounts->clock)};
    return change_record(accounts, name, mutate_key, &what, error);
}

static enum gk_status mutate_delegation(void *ctx, struct gk_account_profile *record,
                                        struct gk_error *error)
{
    const bool *missing = ctx;
    return gk_account_profile_renew_delegation(record, *missing, error);
}

enum gk_status gk_accounts_renew_delegation(struct gk_accounts *accounts, const char *name,
                                            bool missing, struct gk_error *error)
{
    return change_record(accounts, name, mutate_delegation, &missing, error);
}

/* --- create ------------------------------------------------------------------------------------*/

static enum gk_status read_version(struct gk_accounts *accounts, const char *name,
                                   uint64_t *version, bool *has_record, struct gk_error *error)
{
    struct stored stored;
    enum gk_status status = read_stored(accounts, name, &stored, error);
    if (status == GK_E_NOT_FOUND && stored.version != 0) {
        status = GK_OK; /* the object is there, our record is not */
    }
    *version = stored.version;
    *has_record = stored.has_record;
    gk_buf_cleanup(&stored.record);
    return status;
}

/* Writes the gateway's record unless someone else has done so by now. */
static enum gk_status complete(struct gk_accounts *accounts, const char *name,
                               struct gk_account *handle, const struct gk_account_profile *record,
                               bool *created, struct gk_error *error)
{
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        uint64_t version = 0;
        bool has_record = false;
        enum gk_status status = read_version(accounts, name, &version, &has_record, error);
        if (status != GK_OK || has_record) {
            return status;
        }
        status = write_record(accounts, name, handle, record, version, error);
        if (status != GK_E_CONFLICT) {
            *created = status == GK_OK;
            return status;
        }
    }
    return gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                        "account %s is being changed by others; try again", name);
}

/* The plugin's record: made, or found half-made by an earlier attempt and then set anew. */
static enum gk_status ensure_plugin_record(struct gk_accounts *accounts, const char *name,
                                           const struct gk_encryption_settings *settings,
                                           const struct gk_call *call, bool *exists,
                                           struct gk_error *error)
{
    struct gk_plugin_host *host = accounts->host;
    enum gk_status status =
        host->plugin->account_create(host->instance, name, settings, call, error);
    if (status != GK_E_EXISTS) {
        return status;
    }
    uint64_t version = 0;
    status = read_version(accounts, name, &version, exists, error);
    if (status != GK_OK || *exists) {
        return status;
    }
    gk_log(GK_LOG_WARNING, "accounts", "completing account %s, which was half created", name);
    return host->plugin->account_set_encryption(host->instance, name, settings, call, error);
}

enum gk_status gk_accounts_register(struct gk_accounts *accounts, const char *name,
                                    struct gk_error *error)
{
    const struct gk_registry_row row = {.kind = GK_REGISTRY_ACCOUNT,
                                        .name = gk_span_str(name),
                                        .written_wall_ms = gk_clock_wall_ms(&accounts->clock)};
    return gk_registry_set(accounts->store, &row, error);
}

enum gk_status gk_accounts_create(struct gk_accounts *accounts, const char *name,
                                  const struct gk_encryption_settings *settings,
                                  const char *location, const char *arm_json,
                                  const struct gk_call *call, bool *created, struct gk_error *error)
{
    *created = false;
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    enum gk_status status = gk_account_object(name, object, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_account_profile record = {0};
    struct gk_account *handle = NULL;
    bool exists = false;
    status = gk_account_profile_new(gk_clock_wall_ms(&accounts->clock), location, arm_json, &record,
                                    error);
    if (status == GK_OK) {
        status = gk_accounts_register(accounts, name, error);
    }
    if (status == GK_OK) {
        status = ensure_plugin_record(accounts, name, settings, call, &exists, error);
    }
    if (status == GK_OK && !exists) {
        status =
            accounts->host->plugin->account_open(accounts->host->instance, name, &handle, error);
    }
    if (status == GK_OK && !exists) {
        status = complete(accounts, name, handle, &record, created, error);
    }
    if (status == GK_OK &&
        *created) { /* who deleted an account of that name may have taken the row */
        status = gk_accounts_register(accounts, name, error);
    }
    accounts->host->plugin->account_release(handle);
    gk_account_profile_cleanup(&record);
    gk_accounts_drop(accounts, name);
    return status;
}

/* --- list --------------------------------------------------------------------------------------*/

struct listing {
    gk_accounts_visit_fn *visit;
    void *ctx;
};

static bool visit_row(void *ctx, const struct gk_registry_row *row)
{
    const struct listing *listing = ctx;
    char name[GK_ACCOUNT_NAME_BYTES_MAX] = "";
    if (row->name.len >= sizeof name) {
        return true;
    }
    memcpy(name, row->name.data, row->name.len);
    return !gk_account_name_valid(name) || listing->visit(listing->ctx, name);
}

enum gk_status gk_accounts_list(struct gk_accounts *accounts, const char *after,
                                gk_accounts_visit_fn *visit, void *ctx, struct gk_error *error)
{
    struct listing listing = {.visit = visit, .ctx = ctx};
    return gk_registry_list(accounts->store, GK_REGISTRY_ACCOUNT, gk_span_str(after), visit_row,
                            &listing, error);
}
