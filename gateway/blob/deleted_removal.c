/* SPDX-License-Identifier: Apache-2.0 */
/* What the marks of deleted accounts list. */
#include <stdlib.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/blob/removal.h"
#include "gateway/registry.h"

#define CONTAINER_BYTES (sizeof(struct gk_id) + sizeof(uint32_t))
#define NAMES_AT_ONCE   512u

/* --- the marks ----------------------------------------------------------------------------------*/

/* What the marks of accounts that are gone list. */
struct deleted {
    struct gk_gateway *gateway;
    size_t bytes_max;
    gk_removal_stop_fn *stop;
    void *stop_ctx;
    struct gk_buf accounts;   /* ids of accounts */
    struct gk_buf containers; /* id 16 | shards 4, in order */
    bool more;                /* marks are left that did not fit beside */
};

/* One of them. */
struct mark {
    struct gk_id id; /* the account's */
    char object[GK_INDEX_NAME_BYTES];
    char account[GK_ACCOUNT_NAME_BYTES_MAX]; /* its name; "" when the mark has lost it */
    uint64_t version;
};

static bool copy_name(void *ctx, struct gk_span key, struct gk_span value)
{
    struct mark *mark = ctx;
    if (gk_span_equal(key, gk_span_str(GK_DELETED_NAME_ATTR)) && value.len < sizeof mark->account) {
        memcpy(mark->account, value.data, value.len);
    }
    return true;
}

/* What one of them lists, on its way beside what others do. */
struct listing {
    struct gk_buf *containers;
    bool full; /* it does not fit */
};

/* An earlier version wrote one byte 1: a container of one shard. */
static bool copy_container(void *ctx, struct gk_span key, struct gk_span value)
{
    struct listing *listing = ctx;
    struct gk_buf *containers = listing->containers;
    struct gk_reader in = gk_reader_of(value);
    const uint32_t shards = value.len == 1 ? gk_read_u8(&in) : gk_read_u32(&in);
    if (key.len == sizeof(struct gk_id) && gk_read_done(&in) && shards <= GK_INDEX_SHARDS_MAX) {
        listing->full = containers->max - containers->len < CONTAINER_BYTES;
        if (listing->full) {
            return false;
        }
        gk_buf_append(containers, key.data, key.len);
        gk_buf_append_u32(containers, shards);
    }
    return gk_buf_status(containers) == GK_OK;
}

/* A mark that does not fit beside others is for the next round. */
static enum gk_status add_mark(struct deleted *deleted, const struct mark *mark,
                               struct gk_error *error)
{
    struct gk_buf *containers = &deleted->containers;
    struct listing listing = {.containers = containers};
    const size_t before = containers->len;
    const struct gk_map_range all = {.prefix = {0}};
    enum gk_status status = gk_store_map_walk(deleted->gateway->store, GK_POOL_META, mark->object,
                                              &all, copy_container, &listing, error);
    if (status == GK_OK && listing.full) {
        deleted->more = before > 0;
        status = before > 0 ? GK_OK
                            : gk_fail(error, GK_E_RESOURCE,
                                      "the containers of account %s do not fit into memory",
                                      mark->account);
    } else if (status == GK_OK) {
        gk_buf_append(&deleted->accounts, mark->id.bytes, sizeof mark->id.bytes);
        return GK_OK;
    }
    containers->len = before;
    return status;
}

/* Of a deletion that broke off, whose account lives on: left there, it would be taken for true on the day on which the
 * account is lost. A deletion that begins now has written its row before it writes the mark anew, and the mark after. */
static enum gk_status forget_mark(const struct deleted *deleted, const struct mark *mark,
                                  const struct gk_registry_row *row, struct gk_error *error)
{
    struct gk_store *store = deleted->gateway->store;
    if (gk_clock_wall_ms(&deleted->gateway->clock) - row->written_wall_ms <
        GK_REMOVAL_BROKEN_OFF_MS) {
        return GK_OK;
    }
    const struct gk_guard guard = {.kind = GK_GUARD_VERSION, .number = mark->version};
    const struct gk_change removal = {.kind = GK_CHANGE_REMOVE};
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = mark->object,
                                   .guards = &guard,
                                   .guards_count = 1,
                                   .changes = &removal,
                                   .changes_count = 1};
    enum gk_status status = gk_registry_remove_row(store, row, error);
    if (status == GK_OK) {
        status = gk_store_write(store, &op, NULL, error);
    }
    return status;
}

static enum gk_status judge_mark(struct deleted *deleted, struct mark *mark,
                                 const struct gk_registry_row *row, struct gk_error *error)
{
    struct gk_gateway *gateway = deleted->gateway;
    enum gk_account_presence presence = GK_PRESENCE_UNKNOWN;
    enum gk_status status = gk_store_attrs(gateway->store, GK_POOL_META, mark->object, copy_name,
                                           mark, &mark->version, error);
    if (status == GK_E_NOT_FOUND) { /* a removal ended before it had forgotten the mark */
        gk_error_clear(error);
        return gk_registry_remove_row(gateway->store, row, error);
    }
    if (status == GK_OK) {
        status =
            gk_accounts_presence(gateway->accounts, mark->account, &mark->id, &presence, error);
    }
    if (status != GK_OK || presence == GK_PRESENCE_GONE) {
        return status == GK_OK ? add_mark(deleted, mark, error) : status;
    }
    return presence == GK_PRESENCE_THERE
               ? forget_mark(deleted, mark, row, error)
               : gk_fail(error, GK_E_INTEGRITY, "account %s may be there, and cannot be read",
                         mark->account);
}

/* One mark that cannot be read now does not keep the others. */
static bool visit_mark(void *ctx, const struct gk_registry_row *row)
{
    struct deleted *deleted = ctx;
    struct gk_error error = {0};
    struct mark mark = {.account = ""};
    if (row->name.len != sizeof mark.id.bytes) {
        return true;
    }
    memcpy(mark.id.bytes, row->name.data, sizeof mark.id.bytes);
    gk_deleted_name(&mark.id, mark.object);
    if (judge_mark(deleted, &mark, row, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "reaper", "%s: removal will be tried later: %s", mark.object,
               error.message);
    }
    deleted->more = deleted->more || deleted->containers.len >= deleted->bytes_max / 2 ||
                    deleted->accounts.len >= deleted->bytes_max / 2;
    return !deleted->more;
}

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct gk_id));
}

static bool stopped(const struct deleted *deleted, struct gk_error *error)
{
    if (deleted->stop == NULL || !deleted->stop(deleted->stop_ctx)) {
        return false;
    }
    (void)gk_fail(error, GK_E_UNAVAILABLE, "broken off");
    return true;
}

/* First the indexes: a write that comes late finds none and fails, so no data can come after. */
static enum gk_status remove_indexes(const struct deleted *deleted, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    struct gk_reader in = gk_reader_of(gk_buf_span(&deleted->containers));
    while (status == GK_OK && in.rest.len > 0) {
        struct gk_id id;
        memcpy(id.bytes, gk_read_span(&in, sizeof id.bytes).data, sizeof id.bytes);
        const uint32_t shards = gk_read_u32(&in);
        for (uint32_t shard = 0; status == GK_OK && shard < shards; shard++) {
            char index[GK_INDEX_NAME_BYTES];
            const char *names[] = {index};
            gk_index_name(&id, shard, index);
            status = stopped(deleted, error)
                         ? GK_E_UNAVAILABLE
                         : gk_store_remove(deleted->gateway->store, GK_POOL_META, names, 1, error);
        }
    }
    return status;
}

/* Names of data objects that go together. */
struct some_data {
    const struct deleted *deleted;
    size_t visited;
    size_t count;
    char names[NAMES_AT_ONCE][GK_DATA_NAME_BYTES];
};

static bool collect_data(void *ctx, struct gk_span name, struct gk_span value)
{
    (void)value;
    struct some_data *some = ctx;
    const struct gk_buf *containers = &some->deleted->containers;
    struct gk_id id = {{0}};
    const size_t digits = 2 * sizeof id.bytes;
    if (name.len > digits && name.len < GK_DATA_NAME_BYTES &&
        gk_hex_decode(gk_span_of(name.data, digits), id.bytes, sizeof id.bytes) &&
        bsearch(&id, containers->data, containers->len / CONTAINER_BYTES, CONTAINER_BYTES,
                compare_ids) != NULL) {
        memcpy(some->names[some->count], name.data, name.len);
        some->names[some->count++][name.len] = '\0';
    }
    return some->count < NAMES_AT_ONCE && ++some->visited % NAMES_AT_ONCE != 0;
}

static enum gk_status remove_some(struct some_data *some, struct gk_error *error)
{
    const char *names[NAMES_AT_ONCE];
    for (size_t i = 0; i < some->count; i++) {
        names[i] = some->names[i];
    }
    const size_t count = some->count;
    some->count = 0;
    return gk_store_remove(some->deleted->gateway->store, GK_POOL_DATA, names, count, error);
}

/* Everything in the data pool whose name begins with the id of one of the containers. */
static enum gk_status remove_data(const struct deleted *deleted, struct gk_error *error)
{
    struct some_data *some = calloc(1, sizeof *some);
    if (some == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    some->deleted = deleted;
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    enum gk_status status = GK_OK;
    do {
        status = stopped(deleted, error) ? GK_E_UNAVAILABLE
                                         : gk_store_list(deleted->gateway->store, GK_POOL_DATA,
                                                         &cursor, collect_data, some, error);
        if (status == GK_OK) {
            status = remove_some(some, error);
        }
    } while (status == GK_OK && cursor.len > 0);
    gk_buf_cleanup(&cursor);
    free(some);
    return status;
}

static enum gk_status remove_marks(const struct deleted *deleted, struct gk_error *error)
{
    struct gk_store *store = deleted->gateway->store;
    enum gk_status status = GK_OK;
    struct gk_reader in = gk_reader_of(gk_buf_span(&deleted->accounts));
    while (status == GK_OK && in.rest.len > 0) {
        struct gk_id id;
        memcpy(id.bytes, gk_read_span(&in, sizeof id.bytes).data, sizeof id.bytes);
        char mark[GK_INDEX_NAME_BYTES];
        const char *names[] = {mark};
        gk_deleted_name(&id, mark);
        status = gk_store_remove(store, GK_POOL_META, names, 1, error);
        if (status == GK_OK) {
            status = gk_registry_remove(store, GK_REGISTRY_DELETED,
                                        gk_span_of(id.bytes, sizeof id.bytes), error);
        }
    }
    return status;
}

static enum gk_status remove_all(struct deleted *deleted, struct gk_error *error)
{
    if (deleted->accounts.len == 0) {
        return GK_OK;
    }
    enum gk_status status = remove_indexes(deleted, error);
    if (status == GK_OK && deleted->containers.len > 0) {
        qsort(deleted->containers.data, deleted->containers.len / CONTAINER_BYTES, CONTAINER_BYTES,
              compare_ids);
        status = remove_data(deleted, error);
    }
    return status == GK_OK ? remove_marks(deleted, error) : status;
}

static enum gk_status remove_once(struct deleted *deleted, struct gk_error *error)
{
    gk_buf_init(&deleted->accounts, deleted->bytes_max);
    gk_buf_init(&deleted->containers, deleted->bytes_max);
    deleted->more = false;
    enum gk_status status = gk_registry_list(deleted->gateway->store, GK_REGISTRY_DELETED,
                                             gk_span_of(NULL, 0), visit_mark, deleted, error);
    if (status == GK_OK && (gk_buf_status(&deleted->accounts) != GK_OK ||
                            gk_buf_status(&deleted->containers) != GK_OK)) {
        status = gk_fail(error, GK_E_RESOURCE, "what they had does not fit into memory");
    }
    if (status == GK_OK) {
        status = remove_all(deleted, error);
    }
    gk_buf_cleanup(&deleted->accounts);
    gk_buf_cleanup(&deleted->containers);
    return status;
}

enum gk_status gk_removal_deleted(struct gk_gateway *gateway, size_t bytes_max,
                                  gk_removal_stop_fn *stop, void *stop_ctx, struct gk_error *error)
{
    struct deleted deleted = {.gateway = gateway,
                              .bytes_max = bytes_max,
                              .stop = stop,
                              .stop_ctx = stop_ctx,
                              .more = true};
    enum gk_status status = GK_OK;
    while (status == GK_OK && deleted.more) {
        status = remove_once(&deleted, error);
    }
    return status;
}
