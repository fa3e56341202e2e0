/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/registry.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/names.h"

#define VERSION_KEY        "v"
#define SEARCH_KEY         "s"
#define PREFIX_BYTES       2u
#define ROWS_BYTES_MAX     ((size_t)256 << 20)
#define ROW_NAME_MAX       64u
#define BUILD_ROWS_AT_ONCE 256u

static const char *const prefixes[] = {[GK_REGISTRY_ACCOUNT] = "a/", [GK_REGISTRY_DELETED] = "d/"};

/* --- single rows --------------------------------------------------------------------------------*/

/* A row's key and value, in the memory that comes with them. */
struct encoded {
    struct gk_buf key;
    struct gk_buf value;
    uint8_t key_bytes[PREFIX_BYTES + ROW_NAME_MAX + 1];
    uint8_t value_bytes[sizeof(uint64_t) + 1];
};

static void encode(struct encoded *out, enum gk_registry_kind kind, struct gk_span name,
                   int64_t wall_ms)
{
    gk_buf_init_over(&out->key, out->key_bytes, sizeof out->key_bytes);
    gk_buf_init_over(&out->value, out->value_bytes, sizeof out->value_bytes);
    gk_buf_append_str(&out->key, prefixes[kind]);
    gk_buf_append(&out->key, name.data, name.len);
    gk_buf_append_u64(&out->value, (uint64_t)wall_ms);
}

static enum gk_status write_one(struct gk_store *store, const struct gk_guard *guard,
                                struct gk_change change, struct gk_error *error)
{
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = GK_REGISTRY_OBJECT,
                                   .guards = guard,
                                   .guards_count = guard == NULL ? 0 : 1,
                                   .changes = &change,
                                   .changes_count = 1};
    return gk_store_write(store, &op, NULL, error);
}

enum gk_status gk_registry_set(struct gk_store *store, const struct gk_registry_row *row,
                               struct gk_error *error)
{
    struct encoded encoded;
    encode(&encoded, row->kind, row->name, row->written_wall_ms);
    const struct gk_change change = {.kind = GK_CHANGE_MAP_SET,
                                     .key = gk_buf_span(&encoded.key),
                                     .value = gk_buf_span(&encoded.value)};
    return write_one(store, NULL, change, error);
}

enum gk_status gk_registry_remove(struct gk_store *store, enum gk_registry_kind kind,
                                  struct gk_span name, struct gk_error *error)
{
    struct encoded encoded;
    encode(&encoded, kind, name, 0);
    const struct gk_change change = {.kind = GK_CHANGE_MAP_REMOVE,
                                     .key = gk_buf_span(&encoded.key)};
    return write_one(store, NULL, change, error);
}

enum gk_status gk_registry_remove_row(struct gk_store *store, const struct gk_registry_row *row,
                                      struct gk_error *error)
{
    struct encoded encoded;
    encode(&encoded, row->kind, row->name, row->written_wall_ms);
    const struct gk_guard same = {.kind = GK_GUARD_MAP_EQUAL,
                                  .key = gk_buf_span(&encoded.key),
                                  .value = gk_buf_span(&encoded.value)};
    const struct gk_change change = {.kind = GK_CHANGE_MAP_REMOVE, .key = same.key};
    return write_one(store, &same, change, error);
}

static bool note_row(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key, (void)value;
    *(bool *)ctx = true;
    return false;
}

enum gk_status gk_registry_has(struct gk_store *store, enum gk_registry_kind kind,
                               struct gk_span name, bool *has, struct gk_error *error)
{
    struct encoded encoded;
    encode(&encoded, kind, name, 0);
    const struct gk_span key = gk_buf_span(&encoded.key);
    *has = false;
    return gk_store_map_find(store, GK_POOL_META, GK_REGISTRY_OBJECT, &key, 1, note_row, has,
                             error);
}

/* --- lists --------------------------------------------------------------------------------------*/

static bool collect_row(void *ctx, struct gk_span key, struct gk_span value)
{
    struct gk_buf *rows = ctx;
    struct gk_reader in = gk_reader_of(value);
    const uint64_t written = gk_read_u64(&in);
    if (gk_read_done(&in) && key.len > PREFIX_BYTES && key.len <= PREFIX_BYTES + ROW_NAME_MAX) {
        gk_buf_append_u64(rows, written);
        gk_buf_append_u8(rows, (uint8_t)(key.len - PREFIX_BYTES));
        gk_buf_append(rows, key.data + PREFIX_BYTES, key.len - PREFIX_BYTES);
    }
    return gk_buf_status(rows) == GK_OK;
}

static void visit_rows(enum gk_registry_kind kind, const struct gk_buf *rows,
                       gk_registry_visit_fn *visit, void *ctx)
{
    struct gk_reader in = gk_reader_of(gk_buf_span(rows));
    bool more = true;
    while (more && in.rest.len > 0) {
        struct gk_registry_row row = {.kind = kind};
        row.written_wall_ms = (int64_t)gk_read_u64(&in);
        row.name = gk_read_span(&in, gk_read_u8(&in));
        more = visit(ctx, &row);
    }
}

enum gk_status gk_registry_list(struct gk_store *store, enum gk_registry_kind kind,
                                struct gk_span after, gk_registry_visit_fn *visit, void *ctx,
                                struct gk_error *error)
{
    struct gk_buf rows;
    struct encoded from;
    encode(&from, kind, after, 0);
    gk_buf_init(&rows, ROWS_BYTES_MAX);
    const struct gk_map_range range = {.prefix = gk_span_str(prefixes[kind]),
                                       .after = gk_buf_span(&from.key)};
    enum gk_status status = gk_store_map_walk(store, GK_POOL_META, GK_REGISTRY_OBJECT, &range,
                                              collect_row, &rows, error);
    if (status == GK_E_NOT_FOUND) { /* somebody removed it: the next start makes it anew */
        gk_error_clear(error);
        status = GK_OK;
    }
    if (status == GK_OK && gk_buf_status(&rows) != GK_OK) {
        status = gk_fail(error, GK_E_RESOURCE, "the registry does not fit into memory");
    }
    if (status == GK_OK) {
        visit_rows(kind, &rows, visit, ctx);
    }
    gk_buf_cleanup(&rows);
    return status;
}

/* --- the last search ----------------------------------------------------------------------------*/

enum gk_status gk_registry_last_search(struct gk_store *store, int64_t *began_wall_ms,
                                       struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, sizeof(uint64_t));
    *began_wall_ms = 0;
    enum gk_status status = gk_store_map_get(store, GK_POOL_META, GK_REGISTRY_OBJECT,
                                             gk_span_str(SEARCH_KEY), &value, error);
    if (status == GK_OK) {
        struct gk_reader in = gk_reader_of(gk_buf_span(&value));
        const uint64_t began = gk_read_u64(&in);
        *began_wall_ms = gk_read_done(&in) ? (int64_t)began : 0;
    } else if (status == GK_E_NOT_FOUND || status == GK_E_LIMIT) {
        gk_error_clear(error);
        status = GK_OK;
    }
    gk_buf_cleanup(&value);
    return status;
}

enum gk_status gk_registry_set_last_search(struct gk_store *store, int64_t began_wall_ms,
                                           struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, sizeof(uint64_t));
    gk_buf_append_u64(&value, (uint64_t)began_wall_ms);
    const struct gk_change change = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(SEARCH_KEY), .value = gk_buf_span(&value)};
    const enum gk_status status = write_one(store, NULL, change, error);
    gk_buf_cleanup(&value);
    return status;
}

/* --- the first time -----------------------------------------------------------------------------*/

/* Rows for the objects of a list, some at a time. */
struct build {
    int64_t wall_ms;
    size_t count;
    struct encoded rows[BUILD_ROWS_AT_ONCE];
};

static bool has_prefix(struct gk_span name, const char *prefix, struct gk_span *rest)
{
    const size_t len = strlen(prefix);
    if (name.len <= len || memcmp(name.data, prefix, len) != 0) {
        return false;
    }
    *rest = gk_span_of(name.data + len, name.len - len);
    return true;
}

static bool add_object(void *ctx, struct gk_span name, struct gk_span value)
{
    (void)value;
    struct build *build = ctx;
    struct gk_span rest;
    struct gk_id id;
    if (has_prefix(name, GK_ACCOUNT_OBJECT_PREFIX, &rest) && rest.len <= ROW_NAME_MAX) {
        encode(&build->rows[build->count++], GK_REGISTRY_ACCOUNT, rest, build->wall_ms);
    } else if (has_prefix(name, GK_DELETED_NAME_PREFIX, &rest) &&
               gk_hex_decode(rest, id.bytes, sizeof id.bytes)) {
        encode(&build->rows[build->count++], GK_REGISTRY_DELETED,
               gk_span_of(id.bytes, sizeof id.bytes), build->wall_ms);
    }
    return build->count < BUILD_ROWS_AT_ONCE;
}

static enum gk_status write_rows(struct gk_store *store, struct build *build,
                                 struct gk_error *error)
{
    struct gk_change changes[BUILD_ROWS_AT_ONCE];
    for (size_t i = 0; i < build->count; i++) {
        changes[i] = (struct gk_change){.kind = GK_CHANGE_MAP_SET,
                                        .key = gk_buf_span(&build->rows[i].key),
                                        .value = gk_buf_span(&build->rows[i].value)};
    }
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = GK_REGISTRY_OBJECT,
                                   .changes = changes,
                                   .changes_count = build->count};
    const enum gk_status status =
        build->count == 0 ? GK_OK : gk_store_write(store, &op, NULL, error);
    build->count = 0;
    return status;
}

static enum gk_status is_complete(struct gk_store *store, bool *complete, struct gk_error *error)
{
    struct gk_buf value;
    gk_buf_init(&value, 1);
    enum gk_status status = gk_store_map_get(store, GK_POOL_META, GK_REGISTRY_OBJECT,
                                             gk_span_str(VERSION_KEY), &value, error);
    *complete = status == GK_OK && value.len == 1 && value.data[0] == 1;
    gk_buf_cleanup(&value);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status == GK_OK && !*complete
               ? gk_fail(error, GK_E_UNSUPPORTED, "the store's registry is of another version")
               : status;
}

/* What other processes add meanwhile stays; what they remove leaves a row without its object. */
static enum gk_status build_all(struct gk_store *store, struct build *build, struct gk_error *error)
{
    struct gk_buf cursor;
    gk_buf_init(&cursor, GK_LIST_CURSOR_BYTES_MAX);
    enum gk_status status = GK_OK;
    do {
        status = gk_store_list(store, GK_POOL_META, &cursor, add_object, build, error);
        if (status == GK_OK) {
            status = write_rows(store, build, error);
        }
    } while (status == GK_OK && cursor.len > 0);
    gk_buf_cleanup(&cursor);
    static const uint8_t one = 1;
    const struct gk_change version = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_span_str(VERSION_KEY), .value = gk_span_of(&one, 1)};
    return status == GK_OK ? write_one(store, NULL, version, error) : status;
}

enum gk_status gk_registry_open(struct gk_store *store, int64_t wall_ms, struct gk_error *error)
{
    bool complete = false;
    const enum gk_status status = is_complete(store, &complete, error);
    if (status != GK_OK || complete) {
        return status;
    }
    struct build *build = calloc(1, sizeof *build);
    if (build == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    build->wall_ms = wall_ms;
    const enum gk_status built = build_all(store, build, error);
    free(build);
    return built;
}
