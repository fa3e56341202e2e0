/* SPDX-License-Identifier: Apache-2.0 */
/* Deleting an account, but for what its mark lists. */
#include <stdio.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/protection.h"
#include "gateway/blob/reaper.h"
#include "gateway/blob/removal.h"
#include "gateway/blob/scopes.h"
#include "gateway/registry.h"

#define ATTEMPTS_MAX       64u
#define CONTAINERS_BYTES   ((size_t)64 << 20)
#define CONTAINER_KEY_KIND "c/"
#define GARBAGE_KEY_KIND   "g/"

/* --- deletion -----------------------------------------------------------------------------------*/

/* Everything of the account's map, as key length 2 | key | value length 4 | value. */
static bool copy_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    struct gk_buf *copy = ctx;
    gk_buf_append_u16(copy, (uint16_t)key.len);
    gk_buf_append(copy, key.data, key.len);
    gk_buf_append_u32(copy, (uint32_t)value.len);
    gk_buf_append(copy, value.data, value.len);
    return gk_buf_status(copy) == GK_OK;
}

static bool key_begins(struct gk_span key, const char *prefix)
{
    return key.len > strlen(prefix) && memcmp(key.data, prefix, strlen(prefix)) == 0;
}

static void note_container(struct gk_change_list *changes, const struct gk_id *id, uint32_t shards)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, sizeof id->bytes);
    gk_buf_init(&value, sizeof shards);
    gk_buf_append(&key, id->bytes, sizeof id->bytes);
    gk_buf_append_u32(&value, shards);
    gk_changes_set(changes, &key, &value);
}

/* What is under a policy or a legal hold is deleted by nobody. */
static enum gk_status check_protection(const struct gk_removal *removal, struct gk_span name,
                                       const struct gk_container *container, struct gk_error *error)
{
    const struct gk_request request = {/* of nobody */
                                       .gateway = removal->gateway,
                                       .account = removal->owner,
                                       .container = ""};
    struct gk_error why = {0};
    const enum gk_status status = gk_protection_check(&request, container, &why);
    if (status == GK_E_INVALID) {
        return gk_fail_http(error, status, why.http_status, why.code, "%.*s: %s", (int)name.len,
                            (const char *)name.data, why.message);
    }
    if (status != GK_OK && error != NULL) {
        *error = why;
    }
    return status;
}

/* One by its own record, which may be deleted then. */
static enum gk_status note_record(const struct gk_removal *removal, struct gk_span key,
                                  struct gk_span open, struct gk_change_list *changes,
                                  struct gk_error *error)
{
    struct gk_container container;
    enum gk_status status = gk_container_decode(open, &container, error);
    if (status != GK_OK) {
        return status;
    }
    note_container(changes, &container.id, container.shards);
    if (key_begins(key, CONTAINER_KEY_KIND)) {
        const size_t kind = strlen(CONTAINER_KEY_KIND);
        status = check_protection(removal, gk_span_of(key.data + kind, key.len - kind), &container,
                                  error);
    }
    gk_container_cleanup(&container);
    return status;
}

/* The containers that one entry of the account's map names: its own record, also of one that was deleted and
 * is kept, or garbage. */
static enum gk_status note_entry(const struct gk_removal *removal, const struct gk_id *account,
                                 struct gk_span key, struct gk_span value,
                                 struct gk_change_list *changes, struct gk_error *error)
{
    const bool is_container =
        key_begins(key, CONTAINER_KEY_KIND) || key_begins(key, GK_KEPT_CONTAINER_KIND);
    if (!is_container && !key_begins(key, GARBAGE_KEY_KIND)) {
        return GK_OK;
    }
    const struct gk_place place = {.plugin = removal->plugin,
                                   .account = removal->account,
                                   .kind = is_container ? GK_VALUE_CONTAINER : GK_VALUE_GARBAGE,
                                   .container = *account,
                                   .key = key};
    struct gk_buf open;
    gk_buf_init(&open, GK_GARBAGE_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, error);
    if (status == GK_OK && is_container) {
        status = note_record(removal, key, gk_buf_span(&open), changes, error);
    } else if (status == GK_OK) {
        struct gk_garbage garbage;
        int64_t freed_wall_ms = 0;
        status = gk_garbage_decode(gk_buf_span(&open), &garbage, &freed_wall_ms, error);
        for (size_t i = 0; status == GK_OK && i < garbage.count; i++) {
            note_container(changes, &garbage.items[i].id, gk_garbage_shards(&garbage.items[i]));
        }
        gk_garbage_cleanup(&garbage);
    }
    gk_buf_cleanup(&open);
    return status;
}

static void note_name(struct gk_change_list *changes, const char *name)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, sizeof GK_DELETED_NAME_ATTR);
    gk_buf_init(&value, GK_ACCOUNT_NAME_BYTES_MAX);
    gk_buf_append_str(&key, GK_DELETED_NAME_ATTR);
    gk_buf_append_str(&value, name);
    gk_changes_set_attr(changes, &key, &value);
}

/* What the account's mark is made of. */
static enum gk_status note_entries(struct gk_gateway *gateway, struct gk_gateway_account *account,
                                   const struct gk_buf *entries, struct gk_change_list *changes,
                                   struct gk_error *error)
{
    const struct gk_removal removal = {.store = gateway->store,
                                       .plugin = gateway->host->plugin,
                                       .account = account->handle,
                                       .gateway = gateway,
                                       .owner = account};
    note_name(changes, account->name);
    enum gk_status status = gk_buf_status(entries);
    struct gk_reader in = gk_reader_of(gk_buf_span(entries));
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
        status = note_entry(&removal, &account->id, key, value, changes, error);
    }
    return status == GK_OK ? gk_changes_status(changes) : status;
}

static enum gk_status register_mark(struct gk_gateway *gateway, const struct gk_id *id,
                                    struct gk_error *error)
{
    const struct gk_registry_row row = {.kind = GK_REGISTRY_DELETED,
                                        .name = gk_span_of(id->bytes, sizeof id->bytes),
                                        .written_wall_ms = gk_clock_wall_ms(&gateway->clock)};
    return gk_registry_set(gateway->store, &row, error);
}

/* Its row is written before, for the reaper takes away an old mark of an account that is there, and by the row this one
 * is young; and after, for it takes away a row without a mark. */
static enum gk_status leave_mark(struct gk_gateway *gateway, const struct gk_id *id,
                                 const struct gk_change_list *changes, struct gk_error *error)
{
    char mark[GK_INDEX_NAME_BYTES];
    gk_deleted_name(id, mark);
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = mark,
                                   .changes = changes->items,
                                   .changes_count = changes->count};
    enum gk_status status = register_mark(gateway, id, error);
    if (status == GK_OK) {
        status = gk_store_write(gateway->store, &op, NULL, error);
    }
    return status == GK_OK ? register_mark(gateway, id, error) : status;
}

static bool no_attr(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)ctx, (void)key, (void)value;
    return false;
}

/* What the caller wants done before; fn may be NULL. */
struct before {
    gk_removal_before_fn *fn;
    void *ctx;
};

/* The version is read before the map: what comes in between makes the removal's guard fail. scopes
 * receives what is stored of those that the account had. */
static enum gk_status delete_once(struct gk_gateway *gateway, struct gk_gateway_account *account,
                                  const struct before *before, struct gk_buf *scopes,
                                  struct gk_error *error)
{
    uint64_t version = 0;
    struct gk_change_list changes; /* that make the mark */
    struct gk_buf entries;
    gk_changes_init(&changes);
    gk_buf_init(&entries, CONTAINERS_BYTES);
    enum gk_status status = gk_store_attrs(gateway->store, GK_POOL_META, account->object, no_attr,
                                           NULL, &version, error);
    const struct gk_map_range all = {.prefix = {0}};
    if (status == GK_OK) {
        status = gk_store_map_walk(gateway->store, GK_POOL_META, account->object, &all, copy_entry,
                                   &entries, error);
    }
    gk_buf_reset(scopes);
    if (status == GK_OK) {
        status = gk_scopes_stored(gateway, account, scopes, error);
    }
    if (status == GK_OK) {
        status = note_entries(gateway, account, &entries, &changes, error);
    }
    if (status == GK_OK && before->fn != NULL) {
        status = before->fn(before->ctx, account, error);
    }
    if (status == GK_OK) {
        status = leave_mark(gateway, &account->id, &changes, error);
    }
    gk_changes_cleanup(&changes);
    gk_buf_cleanup(&entries);
    return status == GK_OK
               ? gk_account_attrs_remove_if(gateway->store, account->name, version, error)
               : status;
}

/* The account is gone; a row that stays is passed over, and the reaper removes it. */
static void unregister(struct gk_gateway *gateway, const char *name)
{
    struct gk_error error = {0};
    if (gk_registry_remove(gateway->store, GK_REGISTRY_ACCOUNT, gk_span_str(name), &error) !=
        GK_OK) {
        gk_log(GK_LOG_WARNING, "registry", "account %s is deleted and still listed: %s", name,
               error.message);
    }
}

void gk_removal_forget(struct gk_gateway *gateway, const char *name)
{
    unregister(gateway, name);
    gateway->host->plugin->account_forget(gateway->host->instance, name);
    gk_accounts_drop(gateway->accounts, name);
    gk_account_attrs_gone(gateway->store, name);
}

enum gk_status gk_removal_account(struct gk_gateway *gateway, const char *name,
                                  gk_removal_before_fn *before, void *before_ctx,
                                  struct gk_error *error)
{
    const struct before first = {.fn = before, .ctx = before_ctx};
    struct gk_gateway_account *account = NULL;
    /* What is deleted is what has the name now, also where another gateway has made it anew. */
    gk_accounts_expire(gateway->accounts, name);
    enum gk_status status = gk_accounts_get(gateway->accounts, name, &account, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_buf scopes;
    gk_buf_init(&scopes, GK_SCOPES_STORED_BYTES_MAX);
    for (unsigned attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        status = delete_once(gateway, account, &first, &scopes, error);
        if (status != GK_E_CONFLICT) {
            break;
        }
    }
    if (status == GK_OK) {
        gk_removal_forget(gateway, name);
        gk_scopes_remove(gateway, name, &scopes);
        gk_reaper_note_deleted(gateway->reaper);
    }
    gk_buf_cleanup(&scopes);
    gk_accounts_put(account);
    return status;
}
