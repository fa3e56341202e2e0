/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/scrub/walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/garbage.h"
#include "gateway/blob/names.h"
#include "gateway/scrub/scopes.h"
#include "gateway/scrub/shard.h"

#define NAMES_BYTES_MAX ((size_t)256 << 20)
#define ATTEMPTS_MAX    16u

struct walk {
    struct gk_gateway *gateway;
    const struct gk_scrub_visitor *visitor;
    struct gk_known *known;
    double begin; /* where the account that is walked lies between 0 and 1 */
    double width;
    struct gk_error *error;
};

static enum gk_status go_on(const struct walk *walk)
{
    return walk->visitor->go_on(walk->visitor->ctx)
               ? GK_OK
               : gk_fail(walk->error, GK_E_UNAVAILABLE, "broken off");
}

/* --- names --------------------------------------------------------------------------------------*/

struct name_list {
    const char *prefix;
    struct gk_buf *names; /* without the prefix, each with its NUL */
};

static bool collect_name(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct name_list *list = ctx;
    const size_t prefix = strlen(list->prefix);
    if (key.len > prefix && memcmp(key.data, list->prefix, prefix) == 0) {
        gk_buf_append(list->names, key.data + prefix, key.len - prefix);
        gk_buf_append_u8(list->names, 0);
    }
    return gk_buf_status(list->names) == GK_OK;
}

static enum gk_status list_names(struct gk_store *store, struct name_list *list,
                                 struct gk_error *error)
{
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    const enum gk_status status =
        gk_store_list(store, GK_POOL_META, &cursor, collect_name, list, error);
    gk_buf_cleanup(&cursor);
    return status == GK_OK && gk_buf_status(list->names) != GK_OK
               ? gk_fail(error, GK_E_RESOURCE, "the names of accounts do not fit into memory")
               : status;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The texts of from in order, each once, to out. */
static enum gk_status sort_names(const struct gk_buf *from, struct gk_buf *out,
                                 struct gk_error *error)
{
    size_t count = 0;
    for (size_t at = 0; at < from->len; at += strlen((const char *)from->data + at) + 1) {
        count++;
    }
    const char **names = calloc(count + 1, sizeof *names);
    if (names == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    count = 0;
    for (size_t at = 0; at < from->len; at += strlen((const char *)from->data + at) + 1) {
        names[count++] = (const char *)from->data + at;
    }
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0) {
            gk_buf_append(out, names[i], strlen(names[i]) + 1);
        }
    }
    free(names);
    return gk_buf_status(out);
}

enum gk_status gk_scrub_account_names(struct gk_gateway *gateway, struct gk_buf *names,
                                      struct gk_error *error)
{
    struct gk_buf found;
    gk_buf_init(&found, NAMES_BYTES_MAX);
    struct name_list list = {.prefix = GK_ACCOUNT_OBJECT_PREFIX, .names = &found};
    enum gk_status status = list_names(gateway->store, &list, error);
    if (status == GK_OK) {
        status = sort_names(&found, names, error);
    }
    gk_buf_cleanup(&found);
    return status;
}

/* --- containers of an account -------------------------------------------------------------------*/

struct collecting {
    struct gk_gateway *gateway;
    const struct gk_gateway_account *account;
    const struct gk_scrub_visitor *visitor;
    struct gk_scrub_containers *out;
    bool failed;
};

static void add_container(struct collecting *collecting, struct gk_span name,
                          const struct gk_scrub_container *container)
{
    struct gk_scrub_containers *out = collecting->out;
    if (out->count == out->cap) {
        const size_t cap = out->cap == 0 ? 16 : 2 * out->cap;
        struct gk_scrub_container *items = reallocarray(out->items, cap, sizeof *items);
        if (items == NULL) {
            collecting->failed = true;
            return;
        }
        out->items = items;
        out->cap = cap;
    }
    struct gk_scrub_container *item = &out->items[out->count++];
    *item = *container;
    if (name.len > 0 && name.len < sizeof item->name) {
        memcpy(item->name, name.data, name.len);
    }
}

static enum gk_status open_row(const struct collecting *collecting, const char *kind,
                               struct gk_span key, struct gk_span value, struct gk_buf *open,
                               struct gk_error *error)
{
    const struct gk_place place = {.plugin = collecting->gateway->host->plugin,
                                   .account = collecting->account->handle,
                                   .kind = kind,
                                   .container = collecting->account->id,
                                   .key = key};
    return gk_value_open(&place, value, open, error);
}

static bool collect_container(void *ctx, struct gk_span key, struct gk_span value)
{
    struct collecting *collecting = ctx;
    const struct gk_span name = gk_span_of(key.data + 2, key.len - 2);
    struct gk_error error = {0};
    struct gk_container container;
    struct gk_buf open;
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    enum gk_status status = open_row(collecting, GK_VALUE_CONTAINER, key, value, &open, &error);
    if (status == GK_OK) {
        status = gk_container_decode(gk_buf_span(&open), &container, &error);
    }
    gk_buf_cleanup(&open);
    if (status == GK_OK) {
        add_container(collecting, name,
                      &(struct gk_scrub_container){.id = container.id, .shards = container.shards});
        gk_container_cleanup(&container);
    } else {
        char text[GK_CONTAINER_NAME_BYTES_MAX + 1] = "";
        memcpy(text, name.data, name.len < sizeof text ? name.len : 0);
        collecting->out->hidden = true;
        collecting->visitor->damaged(collecting->visitor->ctx, collecting->account->name, text,
                                     (struct gk_span){0}, error.message);
    }
    return !collecting->failed;
}

static bool collect_garbage(void *ctx, struct gk_span key, struct gk_span value)
{
    struct collecting *collecting = ctx;
    struct gk_error error = {0};
    struct gk_garbage garbage;
    int64_t freed_wall_ms = 0;
    struct gk_buf open;
    gk_garbage_init(&garbage);
    gk_buf_init(&open, GK_GARBAGE_BYTES_MAX);
    enum gk_status status = open_row(collecting, GK_VALUE_GARBAGE, key, value, &open, &error);
    if (status == GK_OK) {
        status = gk_garbage_decode(gk_buf_span(&open), &garbage, &freed_wall_ms, &error);
    }
    gk_buf_cleanup(&open);
    for (size_t i = 0; status == GK_OK && i < garbage.count; i++) {
        const struct gk_garbage_item *item = &garbage.items[i];
        add_container(
            collecting, (struct gk_span){0},
            &(struct gk_scrub_container){.id = item->id,
                                         .shards = gk_garbage_shards(item),
                                         .kept = item->kind == GK_GARBAGE_KEPT_CONTAINER});
    }
    gk_garbage_cleanup(&garbage);
    if (status != GK_OK) {
        collecting->out->hidden = true;
        collecting->visitor->damaged(collecting->visitor->ctx, collecting->account->name, "",
                                     (struct gk_span){0}, error.message);
    }
    return !collecting->failed;
}

static bool take_mark(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    gk_buf_append(ctx, value.data, value.len);
    return true;
}

/* Changed by whoever renames or restores a container of the account. */
static enum gk_status read_mark(const struct collecting *collecting, struct gk_buf *mark,
                                struct gk_error *error)
{
    const struct gk_span key = gk_span_str(GK_FLOORS_KEY);
    gk_buf_reset(mark);
    return gk_store_map_find(collecting->gateway->store, GK_POOL_META, collecting->account->object,
                             &key, 1, take_mark, mark, error);
}

static enum gk_status collect(struct collecting *collecting, struct gk_error *error)
{
    struct gk_store *store = collecting->gateway->store;
    const char *object = collecting->account->object;
    const struct gk_map_range named = {.prefix = gk_span_str("c/")};
    const struct gk_map_range removed = {.prefix = gk_span_str("g/")};
    enum gk_status status = gk_store_map_walk(store, GK_POOL_META, object, &named,
                                              collect_container, collecting, error);
    if (status == GK_OK) {
        status = gk_store_map_walk(store, GK_POOL_META, object, &removed, collect_garbage,
                                   collecting, error);
    }
    return status == GK_OK && collecting->failed ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                                 : status;
}

/* Once more when one was moved meanwhile: it may have gone from where nothing was read yet to where all was. */
static enum gk_status collect_unmoved(struct collecting *collecting, struct gk_error *error)
{
    struct gk_buf before;
    struct gk_buf after;
    bool moved = true;
    gk_buf_init(&before, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&after, GK_MAP_VALUE_BYTES_MAX);
    enum gk_status status = read_mark(collecting, &after, error);
    for (unsigned i = 0; i < ATTEMPTS_MAX && moved && status == GK_OK; i++) {
        gk_buf_reset(&before);
        gk_buf_append(&before, after.data, after.len);
        gk_scrub_containers_cleanup(collecting->out);
        status = collect(collecting, error);
        if (status == GK_OK) {
            status = read_mark(collecting, &after, error);
        }
        moved = !gk_span_equal(gk_buf_span(&before), gk_buf_span(&after));
    }
    gk_buf_cleanup(&before);
    gk_buf_cleanup(&after);
    return status == GK_OK && moved
               ? gk_fail(error, GK_E_UNAVAILABLE,
                         "containers of account %s are renamed or restored all the while",
                         collecting->account->name)
               : status;
}

enum gk_status gk_scrub_containers_of(struct gk_gateway *gateway,
                                      const struct gk_gateway_account *account,
                                      const struct gk_scrub_visitor *visitor,
                                      struct gk_scrub_containers *containers,
                                      struct gk_error *error)
{
    struct collecting collecting = {
        .gateway = gateway, .account = account, .visitor = visitor, .out = containers};
    *containers = (struct gk_scrub_containers){0};
    return collect_unmoved(&collecting, error);
}

void gk_scrub_containers_cleanup(struct gk_scrub_containers *containers)
{
    free(containers->items);
    *containers = (struct gk_scrub_containers){0};
}

/* --- accounts -----------------------------------------------------------------------------------*/

static enum gk_status walk_container(const struct walk *walk,
                                     const struct gk_gateway_account *account,
                                     const struct gk_scrub_container *container)
{
    const struct gk_scrub_visitor *visitor = walk->visitor;
    bool whole = true;
    enum gk_status status = GK_OK;
    for (uint32_t shard = 0; visitor->segment != NULL && shard < container->shards; shard++) {
        status = gk_scrub_walk_shard(walk->gateway, account, container, shard, visitor, &whole,
                                     walk->error);
        if (status != GK_OK) {
            return status;
        }
    }
    const bool removing = container->name[0] == '\0' && !container->kept;
    const enum gk_known_state state = !whole     ? GK_KNOWN_UNDECIDED
                                      : removing ? GK_KNOWN_REMOVING
                                                 : GK_KNOWN_READ;
    return gk_known_add(walk->known, &container->id, state) == GK_OK
               ? GK_OK
               : gk_fail(walk->error, GK_E_RESOURCE, "out of memory");
}

static enum gk_status walk_account(const struct walk *walk,
                                   const struct gk_gateway_account *account)
{
    struct gk_scrub_containers containers;
    enum gk_status status =
        gk_scrub_containers_of(walk->gateway, account, walk->visitor, &containers, walk->error);
    walk->known->has_hidden = walk->known->has_hidden || containers.hidden;
    if (status == GK_OK) {
        status = gk_scrub_scopes_of(walk->gateway, account, walk->visitor, walk->error);
    }
    for (size_t i = 0; i < containers.count && status == GK_OK; i++) {
        status = walk_container(walk, account, &containers.items[i]);
        walk->visitor->container(walk->visitor->ctx);
        walk->visitor->progress(walk->visitor->ctx, walk->begin + walk->width * (double)(i + 1) /
                                                                      (double)containers.count);
    }
    gk_scrub_containers_cleanup(&containers);
    if (status == GK_E_NOT_FOUND) { /* deleted meanwhile: its mark has its containers */
        gk_error_clear(walk->error);
        status = GK_OK;
    }
    return status;
}

static bool note_row(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key, (void)value;
    *(bool *)ctx = true;
    return false;
}

/* One that cannot be opened may have containers. One that is half created has none. */
static enum gk_status hide_account(const struct walk *walk, const char *name, enum gk_status opened,
                                   const char *what)
{
    bool rows = opened == GK_E_INTEGRITY;
    if (opened == GK_E_NOT_FOUND) {
        char object[GK_OBJECT_NAME_BYTES_MAX + 1];
        const struct gk_map_range one = {.limit = 1};
        struct gk_buf path;
        gk_buf_init_over(&path, object, sizeof object);
        gk_buf_append_str(&path, GK_ACCOUNT_OBJECT_PREFIX);
        gk_buf_append_str(&path, name);
        const enum gk_status status =
            gk_store_map_walk(walk->gateway->store, GK_POOL_META, gk_buf_str(&path), &one, note_row,
                              &rows, walk->error);
        if (status != GK_OK && status != GK_E_NOT_FOUND) {
            return status;
        }
    }
    gk_error_clear(walk->error);
    if (rows) {
        walk->known->has_hidden = true;
        walk->visitor->damaged(walk->visitor->ctx, name, "", (struct gk_span){0}, what);
    }
    return GK_OK;
}

static enum gk_status walk_name(const struct walk *walk, const char *name)
{
    struct gk_gateway_account *account = NULL;
    struct gk_error why = {0};
    enum gk_status status = go_on(walk);
    if (status != GK_OK) {
        return status;
    }
    status = gk_accounts_look(walk->gateway->accounts, name, &account, &why);
    if (status == GK_E_NOT_FOUND || status == GK_E_INTEGRITY) {
        return hide_account(walk, name, status, why.message);
    }
    if (status != GK_OK) {
        return gk_fail(walk->error, status, "account %s: %s", name, why.message);
    }
    walk->visitor->account(walk->visitor->ctx, name);
    status = walk_account(walk, account);
    gk_accounts_put(account);
    return status;
}

/* --- deleted accounts ---------------------------------------------------------------------------*/

static bool add_marked(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct walk *walk = ctx;
    struct gk_id id;
    if (key.len != sizeof id.bytes) {
        return true;
    }
    memcpy(id.bytes, key.data, sizeof id.bytes);
    /* Of an account that lives on, whose deletion broke off, too: its data is left alone. */
    return gk_known_add(walk->known, &id, GK_KNOWN_REMOVING) == GK_OK;
}

static enum gk_status walk_mark(struct walk *walk, const char *mark)
{
    const struct gk_map_range all = {.prefix = {0}};
    const enum gk_status status = gk_store_map_walk(walk->gateway->store, GK_POOL_META, mark, &all,
                                                    add_marked, walk, walk->error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(walk->error);
        return GK_OK;
    }
    return status;
}

static enum gk_status walk_marks(struct walk *walk)
{
    struct gk_buf names;
    gk_buf_init(&names, NAMES_BYTES_MAX);
    struct name_list list = {.prefix = GK_DELETED_NAME_PREFIX, .names = &names};
    enum gk_status status = list_names(walk->gateway->store, &list, walk->error);
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *id = (const char *)names.data + at;
        char mark[GK_OBJECT_NAME_BYTES_MAX + 1];
        struct gk_buf path;
        gk_buf_init_over(&path, mark, sizeof mark);
        gk_buf_append_str(&path, GK_DELETED_NAME_PREFIX);
        gk_buf_append_str(&path, id);
        status = walk_mark(walk, gk_buf_str(&path));
        at += strlen(id) + 1;
    }
    gk_buf_cleanup(&names);
    return status;
}

enum gk_status gk_scrub_walk(struct gk_gateway *gateway, const struct gk_scrub_visitor *visitor,
                             struct gk_known *known, struct gk_error *error)
{
    struct walk walk = {.gateway = gateway, .visitor = visitor, .known = known, .error = error};
    struct gk_buf names;
    gk_known_reset(known);
    gk_buf_init(&names, NAMES_BYTES_MAX);
    enum gk_status status = gk_scrub_account_names(gateway, &names, error);
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *name = (const char *)names.data + at;
        walk.begin = (double)at / (double)names.len;
        walk.width = (double)(strlen(name) + 1) / (double)names.len;
        status = walk_name(&walk, name);
        at += strlen(name) + 1;
    }
    gk_buf_cleanup(&names);
    return status == GK_OK ? walk_marks(&walk) : status;
}
