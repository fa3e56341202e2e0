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
#include "gateway/shredded.h"

#define ATTEMPTS_MAX       64u
#define STEP_BYTES         ((size_t)1 << 20) /* of the account's map, and what comes with the last entry */
#define MARK_ROWS_AT_ONCE  1024u
#define CONTAINER_KEY_KIND "c/"
#define GARBAGE_KEY_KIND   "g/"

/* --- what the account has -----------------------------------------------------------------------*/

/* What is noted of an account on its way into the mark. */
struct noting {
    const struct gk_removal *removal;
    struct gk_buf containers; /* id 16 | shards 4 of each */
    const char *kind;         /* of the entries that are looked at */
    struct gk_error *error;
};

static void note_container(struct noting *noting, const struct gk_id *id, uint32_t shards)
{
    gk_buf_append(&noting->containers, id->bytes, sizeof id->bytes);
    gk_buf_append_u32(&noting->containers, shards);
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
static enum gk_status note_record(struct noting *noting, struct gk_span key, struct gk_span open)
{
    struct gk_container container;
    enum gk_status status = gk_container_decode(open, &container, noting->error);
    if (status != GK_OK) {
        return status;
    }
    note_container(noting, &container.id, container.shards);
    if (strcmp(noting->kind, CONTAINER_KEY_KIND) == 0) {
        const size_t kind = strlen(noting->kind);
        status = check_protection(noting->removal, gk_span_of(key.data + kind, key.len - kind),
                                  &container, noting->error);
    }
    gk_container_cleanup(&container);
    return status;
}

static enum gk_status note_garbage(struct noting *noting, struct gk_span open)
{
    struct gk_garbage garbage;
    int64_t freed_wall_ms = 0;
    const enum gk_status status = gk_garbage_decode(open, &garbage, &freed_wall_ms, noting->error);
    for (size_t i = 0; status == GK_OK && i < garbage.count; i++) {
        note_container(noting, &garbage.items[i].id, gk_garbage_shards(&garbage.items[i]));
    }
    gk_garbage_cleanup(&garbage);
    return status;
}

/* The containers that one entry of the account's map names. */
static enum gk_status note_entry(struct noting *noting, struct gk_span key, struct gk_span value)
{
    const struct gk_removal *removal = noting->removal;
    const bool is_garbage = strcmp(noting->kind, GARBAGE_KEY_KIND) == 0;
    const struct gk_place place = {.plugin = removal->plugin,
                                   .account = removal->account,
                                   .kind = is_garbage ? GK_VALUE_GARBAGE : GK_VALUE_CONTAINER,
                                   .container = removal->owner->id,
                                   .key = key};
    struct gk_buf open;
    gk_buf_init(&open, GK_GARBAGE_BYTES_MAX);
    enum gk_status status = gk_value_open(&place, value, &open, noting->error);
    if (status == GK_OK) {
        status = is_garbage ? note_garbage(noting, gk_buf_span(&open))
                            : note_record(noting, key, gk_buf_span(&open));
    }
    gk_buf_cleanup(&open);
    return status;
}

/* Some entries of the map, for to note one may take the store. */
struct step {
    struct gk_buf entries; /* key length 2 | key | value length 4 | value of each */
    struct gk_buf last;    /* the last one's key */
    uint32_t count;
    bool full;
};

static bool copy_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    struct step *step = ctx;
    gk_buf_append_u16(&step->entries, (uint16_t)key.len);
    gk_buf_append(&step->entries, key.data, key.len);
    gk_buf_append_u32(&step->entries, (uint32_t)value.len);
    gk_buf_append(&step->entries, value.data, value.len);
    gk_buf_reset(&step->last);
    gk_buf_append(&step->last, key.data, key.len);
    step->full = step->entries.len >= STEP_BYTES || ++step->count == GK_MAP_WALK_ENTRIES;
    return !step->full && gk_buf_status(&step->entries) == GK_OK;
}

static enum gk_status read_step(const struct noting *noting, struct step *step)
{
    struct gk_buf after;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&after, step->last.data, step->last.len);
    gk_buf_reset(&step->entries);
    step->count = 0;
    step->full = false;
    const struct gk_map_range range = {.prefix = gk_span_str(noting->kind),
                                       .after = gk_buf_span(&after),
                                       .limit = GK_MAP_WALK_ENTRIES};
    const enum gk_status status =
        gk_store_map_walk(noting->removal->store, GK_POOL_META, noting->removal->owner->object,
                          &range, copy_entry, step, noting->error);
    const bool whole = gk_buf_status(&after) == GK_OK && gk_buf_status(&step->entries) == GK_OK &&
                       gk_buf_status(&step->last) == GK_OK;
    gk_buf_cleanup(&after);
    return status == GK_OK && !whole ? gk_fail(noting->error, GK_E_RESOURCE, "out of memory")
                                     : status;
}

static enum gk_status note_kind(struct noting *noting)
{
    struct step step = {.full = true};
    gk_buf_init(&step.entries,
                STEP_BYTES + GK_MAP_KEY_BYTES_MAX + GK_MAP_VALUE_BYTES_MAX + sizeof(uint64_t));
    gk_buf_init(&step.last, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status = GK_OK;
    while (status == GK_OK && step.full) {
        status = read_step(noting, &step);
        struct gk_reader in = gk_reader_of(gk_buf_span(&step.entries));
        while (status == GK_OK && in.rest.len > 0) {
            const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
            const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
            status = note_entry(noting, key, value);
        }
    }
    gk_buf_cleanup(&step.entries);
    gk_buf_cleanup(&step.last);
    return status;
}

/* All containers of the account: those that it has, those that were deleted and are kept, and what waits to be removed. */
static enum gk_status note_containers(struct noting *noting)
{
    static const char *const kinds[] = {CONTAINER_KEY_KIND, GK_KEPT_CONTAINER_KIND,
                                        GARBAGE_KEY_KIND};
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < sizeof kinds / sizeof *kinds; i++) {
        noting->kind = kinds[i];
        status = note_kind(noting);
    }
    return status == GK_OK && gk_buf_status(&noting->containers) != GK_OK
               ? gk_fail(noting->error, GK_E_RESOURCE,
                         "the containers of account %s do not fit into memory",
                         noting->removal->owner->name)
               : status;
}

/* --- the mark -----------------------------------------------------------------------------------*/

static void add_name(struct gk_change_list *changes, const char *name)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, sizeof GK_DELETED_NAME_ATTR);
    gk_buf_init(&value, GK_ACCOUNT_NAME_BYTES_MAX);
    gk_buf_append_str(&key, GK_DELETED_NAME_ATTR);
    gk_buf_append_str(&value, name);
    gk_changes_set_attr(changes, &key, &value);
}

static void add_container(struct gk_change_list *changes, struct gk_reader *in)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, sizeof(struct gk_id));
    gk_buf_init(&value, sizeof(uint32_t));
    const struct gk_span id = gk_read_span(in, sizeof(struct gk_id));
    gk_buf_append(&key, id.data, id.len);
    gk_buf_append_u32(&value, gk_read_u32(in));
    gk_changes_set(changes, &key, &value);
}

/* Its next rows, and always its name: it is never there without. */
static enum gk_status write_some(const struct noting *noting, const char *mark,
                                 struct gk_reader *in)
{
    struct gk_change_list changes;
    gk_changes_init(&changes);
    add_name(&changes, noting->removal->owner->name);
    while (changes.count <= MARK_ROWS_AT_ONCE && in->rest.len > 0) {
        add_container(&changes, in);
    }
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = mark,
                                   .changes = changes.items,
                                   .changes_count = changes.count};
    const enum gk_status status =
        gk_changes_status(&changes) == GK_OK
            ? gk_store_write(noting->removal->store, &op, NULL, noting->error)
            : gk_fail(noting->error, GK_E_RESOURCE, "out of memory");
    gk_changes_cleanup(&changes);
    return status;
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
static enum gk_status leave_mark(struct gk_gateway *gateway, const struct noting *noting)
{
    const struct gk_id *id = &noting->removal->owner->id;
    char mark[GK_INDEX_NAME_BYTES];
    gk_deleted_name(id, mark);
    struct gk_reader in = gk_reader_of(gk_buf_span(&noting->containers));
    enum gk_status status = register_mark(gateway, id, noting->error);
    do {
        if (status == GK_OK) {
            status = write_some(noting, mark, &in);
        }
    } while (status == GK_OK && in.rest.len > 0);
    return status == GK_OK ? register_mark(gateway, id, noting->error) : status;
}

/* --- deletion -----------------------------------------------------------------------------------*/

/* What is done before. */
struct before {
    gk_removal_before_fn *fn; /* what the caller wants; may be NULL */
    void *ctx;
    bool notes; /* fn notes a shredding; else one that broke off is not taken for this */
};

/* Another account that has the name by now is not the one that was to be deleted. One that could be read a moment ago
 * and cannot now is mostly such a one, of which the plugin has yet to hear. */
static enum gk_status still_there(const struct gk_gateway *gateway,
                                  const struct gk_gateway_account *account, struct gk_error *error)
{
    enum gk_account_presence presence = GK_PRESENCE_UNKNOWN;
    const enum gk_status status =
        gk_accounts_presence(gateway->accounts, account->name, &account->id, &presence, error);
    if (status != GK_OK || presence == GK_PRESENCE_THERE) {
        return status;
    }
    return presence == GK_PRESENCE_GONE
               ? gk_fail(error, GK_E_NOT_FOUND, "the account is gone")
               : gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                              "account %s is being changed by others; try again", account->name);
}

/* The version is read before the account is asked for, and before the map: what comes in between makes the removal's
 * guard fail. scopes receives what is stored of those that the account had. */
static enum gk_status delete_once(struct gk_gateway *gateway, struct gk_gateway_account *account,
                                  const struct before *before, struct gk_buf *scopes,
                                  struct gk_error *error)
{
    uint64_t version = 0;
    const struct gk_removal removal = {.store = gateway->store,
                                       .plugin = gateway->host->plugin,
                                       .account = account->handle,
                                       .gateway = gateway,
                                       .owner = account};
    struct noting noting = {.removal = &removal, .error = error};
    gk_buf_init(&noting.containers, GK_REMOVAL_BYTES);
    enum gk_status status =
        gk_store_version(gateway->store, GK_POOL_META, account->object, &version, error);
    gk_buf_reset(scopes);
    if (status == GK_OK) {
        status = still_there(gateway, account, error);
    }
    if (status == GK_OK) {
        status = gk_scopes_stored(gateway, account, scopes, error);
    }
    if (status == GK_OK) {
        status = note_containers(&noting);
    }
    if (status == GK_OK && before->fn != NULL) {
        status = before->fn(before->ctx, account, error);
    }
    if (status == GK_OK && !before->notes) {
        status = gk_shredded_withdraw(gateway->store, &account->id, INT64_MAX, error);
    }
    if (status == GK_OK) {
        status = leave_mark(gateway, &noting);
    }
    gk_buf_cleanup(&noting.containers);
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

static enum gk_status delete_account(struct gk_gateway *gateway, const char *name,
                                     const struct before *before, struct gk_error *error)
{
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
        status = delete_once(gateway, account, before, &scopes, error);
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

enum gk_status gk_removal_account(struct gk_gateway *gateway, const char *name,
                                  gk_removal_before_fn *before, void *before_ctx,
                                  struct gk_error *error)
{
    const struct before first = {.fn = before, .ctx = before_ctx};
    return delete_account(gateway, name, &first, error);
}

enum gk_status gk_removal_noted(struct gk_gateway *gateway, const char *name,
                                gk_removal_before_fn *note, void *note_ctx, struct gk_error *error)
{
    const struct before first = {.fn = note, .ctx = note_ctx, .notes = true};
    return delete_account(gateway, name, &first, error);
}
