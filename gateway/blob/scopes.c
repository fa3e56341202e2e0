/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/scopes.h"

#include <stdio.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/fields.h"
#include "gateway/blob/value.h"
#include "gateway/http/key_policy.h"

#define VERSION            1u
#define SCOPE_RECORD_BYTES (18u + GK_RECORD_OVERHEAD_BYTES)
#define KEY_BYTES          (sizeof GK_SCOPE_KEY_KIND + GK_SCOPE_NAME_BYTES_MAX)
#define NAMES_AT_ONCE      256u
#define ATTEMPTS_MAX       16u

void gk_scope_path(const char *account, const char *scope, char path[GK_ACCOUNT_PATH_BYTES_MAX])
{
    snprintf(path, GK_ACCOUNT_PATH_BYTES_MAX, "%s/%s", account, scope);
}

/* --- the record ---------------------------------------------------------------------------------*/

static struct gk_place place_of(const struct gk_gateway *gateway,
                                const struct gk_gateway_account *account, struct gk_span key)
{
    return (struct gk_place){.plugin = gateway->host->plugin,
                             .account = account->handle,
                             .kind = GK_VALUE_SCOPE,
                             .container = account->id,
                             .key = key};
}

static void make_key(struct gk_buf *key, const char *name)
{
    gk_buf_init(key, KEY_BYTES);
    gk_buf_append_str(key, GK_SCOPE_KEY_KIND);
    gk_buf_append_str(key, name);
}

static enum gk_status decode(struct gk_span in, struct gk_scope *scope, struct gk_error *error)
{
    struct gk_reader reader = gk_reader_of(in);
    const uint8_t version = gk_read_u8(&reader);
    const uint8_t disabled = gk_read_u8(&reader);
    scope->disabled = disabled != 0;
    scope->created_wall_ms = (int64_t)gk_read_u64(&reader);
    scope->modified_wall_ms = (int64_t)gk_read_u64(&reader);
    return version == VERSION && disabled <= 1 && gk_read_done(&reader)
               ? GK_OK
               : gk_fail(error, GK_E_INTEGRITY, "an encryption scope's record is not well-formed");
}

static void encode(const struct gk_scope *scope, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_buf_append_u8(out, scope->disabled);
    gk_buf_append_u64(out, (uint64_t)scope->created_wall_ms);
    gk_buf_append_u64(out, (uint64_t)scope->modified_wall_ms);
}

/* stored receives the row's value. */
static enum gk_status read_row(const struct gk_place *place, const struct gk_gateway *gateway,
                               const struct gk_gateway_account *account, struct gk_buf *stored,
                               struct gk_scope *scope, struct gk_error *error)
{
    struct gk_buf open;
    gk_buf_init(&open, SCOPE_RECORD_BYTES);
    enum gk_status status =
        gk_value_get(gateway->store, account->object, place->key, stored, error);
    if (status == GK_OK) {
        status = gk_value_open(place, gk_buf_span(stored), &open, error);
    }
    if (status == GK_OK) {
        status = decode(gk_buf_span(&open), scope, error);
    }
    gk_buf_cleanup(&open);
    return status;
}

enum gk_status gk_scope_find(const struct gk_gateway *gateway,
                             const struct gk_gateway_account *account, const char *name,
                             struct gk_scope *scope, struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf stored;
    make_key(&key, name);
    gk_buf_init(&stored, SCOPE_RECORD_BYTES);
    const struct gk_place place = place_of(gateway, account, gk_buf_span(&key));
    const enum gk_status status = read_row(&place, gateway, account, &stored, scope, error);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&stored);
    return status;
}

/* Over what stored is of the row: empty for none. */
static enum gk_status write_row(const struct gk_place *place, const struct gk_gateway *gateway,
                                const struct gk_gateway_account *account, struct gk_span stored,
                                const struct gk_scope *scope, struct gk_error *error)
{
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&open, SCOPE_RECORD_BYTES);
    gk_buf_init(&value, SCOPE_RECORD_BYTES);
    encode(scope, &open);
    enum gk_status status =
        gk_value_seal(place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, error);
    if (status == GK_OK) {
        const struct gk_guard guards[] = {
            {.kind = GK_GUARD_EXISTS},
            {.kind = stored.len > 0 ? GK_GUARD_MAP_EQUAL : GK_GUARD_MAP_ABSENT,
             .key = place->key,
             .value = stored}};
        const struct gk_change change = {
            .kind = GK_CHANGE_MAP_SET, .key = place->key, .value = gk_buf_span(&value)};
        const struct gk_write_op op = {.pool = GK_POOL_META,
                                       .object = account->object,
                                       .guards = guards,
                                       .guards_count = 2,
                                       .changes = &change,
                                       .changes_count = 1};
        status = gk_store_write(gateway->store, &op, NULL, error);
    }
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    return status;
}

static enum gk_status put_once(const struct gk_place *place, const struct gk_gateway *gateway,
                               const struct gk_gateway_account *account, bool disabled,
                               struct gk_error *error)
{
    const int64_t now = gk_clock_wall_ms(&gateway->clock);
    struct gk_scope scope = {.created_wall_ms = now};
    struct gk_buf stored;
    gk_buf_init(&stored, SCOPE_RECORD_BYTES);
    enum gk_status status = read_row(place, gateway, account, &stored, &scope, error);
    /* There is none yet, or no account: the guard tells. Or it is damaged, and is written anew. */
    if (status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY) {
        gk_error_clear(error);
        scope.created_wall_ms = now;
        status = GK_OK;
    }
    scope.disabled = disabled;
    scope.modified_wall_ms = now;
    if (status == GK_OK) {
        status = write_row(place, gateway, account, gk_buf_span(&stored), &scope, error);
    }
    gk_buf_cleanup(&stored);
    return status;
}

enum gk_status gk_scope_put(const struct gk_gateway *gateway,
                            const struct gk_gateway_account *account, const char *name,
                            bool disabled, struct gk_error *error)
{
    struct gk_buf key;
    make_key(&key, name);
    const struct gk_place place = place_of(gateway, account, gk_buf_span(&key));
    enum gk_status status = GK_E_CONFLICT;
    for (unsigned i = 0; i < ATTEMPTS_MAX && (status == GK_E_CONFLICT || status == GK_E_EXISTS);
         i++) {
        gk_error_clear(error);
        status = put_once(&place, gateway, account, disabled, error);
    }
    gk_buf_cleanup(&key);
    return status;
}

/* --- all of an account --------------------------------------------------------------------------*/

struct listing {
    struct gk_buf *names;
    struct gk_buf last; /* key */
    size_t count;
};

static bool take_name(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct listing *listing = ctx;
    const size_t kind = strlen(GK_SCOPE_KEY_KIND);
    gk_buf_append(listing->names, key.data + kind, key.len - kind);
    gk_buf_append_u8(listing->names, 0);
    gk_buf_reset(&listing->last);
    gk_buf_append(&listing->last, key.data, key.len);
    listing->count++;
    return gk_buf_status(listing->names) == GK_OK;
}

enum gk_status gk_scopes_list(const struct gk_gateway *gateway, const char *account,
                              struct gk_buf *names, struct gk_error *error)
{
    struct listing listing = {.names = names};
    struct gk_buf after;
    char object[GK_ACCOUNT_OBJECT_BYTES_MAX];
    enum gk_status status = gk_account_object(account, object, error);
    if (status != GK_OK) {
        return status;
    }
    gk_buf_init(&listing.last, KEY_BYTES);
    gk_buf_init(&after, KEY_BYTES);
    do {
        const struct gk_map_range range = {.prefix = gk_span_str(GK_SCOPE_KEY_KIND),
                                           .after = gk_buf_span(&after),
                                           .limit = NAMES_AT_ONCE};
        listing.count = 0;
        status = gk_store_map_walk(gateway->store, GK_POOL_META, object, &range, take_name,
                                   &listing, error);
        gk_buf_reset(&after);
        gk_buf_append(&after, listing.last.data, listing.last.len);
    } while (status == GK_OK && listing.count == NAMES_AT_ONCE);
    gk_buf_cleanup(&listing.last);
    gk_buf_cleanup(&after);
    return status == GK_OK && gk_buf_status(names) != GK_OK
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : status;
}

/* The object of a scope, and its version: 0 when there is none. */
static enum gk_status version_of(const struct gk_gateway *gateway, const char *path,
                                 uint64_t *version, struct gk_error *error)
{
    const enum gk_status status = gk_account_attrs_version(gateway->store, path, version, error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* Each as the length of its name 2 | name | version 8. */
enum gk_status gk_scopes_stored(const struct gk_gateway *gateway,
                                const struct gk_gateway_account *account, struct gk_buf *stored,
                                struct gk_error *error)
{
    struct gk_buf names;
    gk_buf_init(&names, GK_SCOPES_STORED_BYTES_MAX);
    enum gk_status status = gk_scopes_list(gateway, account->name, &names, error);
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *name = (const char *)names.data + at;
        char path[GK_ACCOUNT_PATH_BYTES_MAX];
        uint64_t version = 0;
        at += strlen(name) + 1;
        gk_scope_path(account->name, name, path);
        status = version_of(gateway, path, &version, error);
        gk_append_text(stored, gk_span_str(name));
        gk_buf_append_u64(stored, version);
    }
    gk_buf_cleanup(&names);
    return status == GK_OK && gk_buf_status(stored) != GK_OK
               ? gk_fail(error, GK_E_RESOURCE, "out of memory")
               : status;
}

/* The object may be a scope of an account that has the name by now. */
void gk_scope_remove(const struct gk_gateway *gateway, const char *path, uint64_t version)
{
    struct gk_error error = {0};
    if (version != 0 &&
        gk_account_attrs_remove_if(gateway->store, path, version, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "accounts", "%s stays, of no use: %s", path, error.message);
    }
    gateway->host->plugin->account_forget(gateway->host->instance, path);
    gk_account_attrs_gone(gateway->store, path);
}

void gk_scopes_remove(const struct gk_gateway *gateway, const char *account,
                      const struct gk_buf *stored)
{
    struct gk_reader in = gk_reader_of(gk_buf_span(stored));
    while (in.rest.len > 0 && !in.failed) {
        const struct gk_span text = gk_read_text(&in);
        const uint64_t version = gk_read_u64(&in);
        char name[GK_SCOPE_NAME_BYTES_MAX];
        char path[GK_ACCOUNT_PATH_BYTES_MAX];
        snprintf(name, sizeof name, "%.*s", (int)text.len, (const char *)text.data);
        gk_scope_path(account, name, path);
        gk_scope_remove(gateway, path, version);
    }
}

/* --- in requests --------------------------------------------------------------------------------*/

static enum gk_status open_key(const struct gk_request *request, const char *name,
                               struct gk_account **handle, struct gk_error *error)
{
    const struct gk_plugin_host *host = request->gateway->host;
    char path[GK_ACCOUNT_PATH_BYTES_MAX];
    gk_scope_path(request->account->name, name, path);
    const enum gk_status status = host->plugin->account_open(host->instance, path, handle, error);
    return status == GK_E_NOT_FOUND
               ? gk_fail(error, GK_E_INTEGRITY, "%s has lost its encryption record", path)
               : status;
}

enum gk_status gk_scope_use(const struct gk_request *request, const char *name, bool of_new,
                            struct gk_account **handle, struct gk_error *error)
{
    struct gk_scope scope;
    *handle = NULL;
    enum gk_status status =
        gk_scope_name_valid(name)
            ? gk_scope_find(request->gateway, request->account, name, &scope, error)
            : GK_E_NOT_FOUND;
    if (status == GK_E_NOT_FOUND) {
        return gk_refuse_because(error, 404, "ResourceNotFound",
                                 "The account has no encryption scope of that name.");
    }
    if (status == GK_OK) {
        status = open_key(request, name, handle, error);
    }
    if (status == GK_OK) {
        const struct gk_policy_scope asked = {
            .handle = *handle, .disabled = scope.disabled, .of_new = of_new};
        status = gk_key_policy_check_scope(request, &asked, error);
    }
    if (status != GK_OK) {
        request->gateway->host->plugin->account_release(*handle);
        *handle = NULL;
    }
    return status;
}
