/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what every engine may take for granted, then calls the engine. */
#include "gateway/store/store.h"

#include "common/buf.h"
#include "common/error.h"
#include "gateway/store/engine.h"

static enum gk_status check_name(const char *object, struct gk_error *error)
{
    const size_t len = strlen(object);
    if (len == 0 || len > GK_OBJECT_NAME_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "an object name of %zu bytes", len);
    }
    return GK_OK;
}

static enum gk_status check_part(struct gk_span key, struct gk_span value, struct gk_error *error)
{
    if (key.len > GK_MAP_KEY_BYTES_MAX || value.len > GK_MAP_VALUE_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "a key of %zu bytes with a value of %zu", key.len,
                       value.len);
    }
    return GK_OK;
}

static enum gk_status check_attr_name(struct gk_span name, struct gk_error *error)
{
    if (name.len > GK_ATTR_NAME_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "an attribute's name of %zu bytes", name.len);
    }
    if (name.len == 0 || memchr(name.data, 0, name.len) != NULL) {
        return gk_fail(error, GK_E_INVALID, "an attribute's name is not empty and has no NUL");
    }
    return GK_OK;
}

static enum gk_status check_bytes(const struct gk_change *change, struct gk_error *error)
{
    if (change->number > GK_OBJECT_BYTES_MAX ||
        change->value.len > GK_OBJECT_BYTES_MAX - change->number) {
        return gk_fail(error, GK_E_LIMIT, "%zu bytes at %llu of an object", change->value.len,
                       (unsigned long long)change->number);
    }
    return change->value.len > 0 ? GK_OK : gk_fail(error, GK_E_INVALID, "a write of no bytes");
}

static enum gk_status check_change(const struct gk_change *change, struct gk_error *error)
{
    if (change->kind == GK_CHANGE_BYTES) {
        return check_bytes(change, error);
    }
    const enum gk_status status = check_part(change->key, change->value, error);
    if (status != GK_OK) {
        return status;
    }
    switch (change->kind) {
    case GK_CHANGE_ATTR_SET:
    case GK_CHANGE_ATTR_REMOVE:
        return check_attr_name(change->key, error);
    case GK_CHANGE_MAP_SET:
        return change->value.len > 0
                   ? GK_OK
                   : gk_fail(error, GK_E_INVALID, "a map value has one byte at least");
    default:
        return GK_OK;
    }
}

/* Whether a guard or change is about the object as such, not about an attribute or a map. */
static bool is_about_object(const struct gk_write_op *op)
{
    for (size_t i = 0; i < op->guards_count; i++) {
        const enum gk_guard_kind kind = op->guards[i].kind;
        if (kind != GK_GUARD_EXISTS && kind != GK_GUARD_ABSENT && kind != GK_GUARD_VERSION) {
            return false;
        }
    }
    for (size_t i = 0; i < op->changes_count; i++) {
        const enum gk_change_kind kind = op->changes[i].kind;
        if (kind != GK_CHANGE_CREATE && kind != GK_CHANGE_REMOVE && kind != GK_CHANGE_BYTES) {
            return false;
        }
    }
    return true;
}

static bool writes_bytes(const struct gk_write_op *op)
{
    for (size_t i = 0; i < op->changes_count; i++) {
        if (op->changes[i].kind == GK_CHANGE_BYTES) {
            return true;
        }
    }
    return false;
}

static enum gk_status check_op(const struct gk_write_op *op, struct gk_error *error)
{
    enum gk_status status = check_name(op->object, error);
    for (size_t i = 0; status == GK_OK && i < op->guards_count; i++) {
        status = check_part(op->guards[i].key, op->guards[i].value, error);
        if (status == GK_OK && op->guards[i].kind == GK_GUARD_MAP_EQUAL &&
            op->guards[i].value.len == 0) {
            status = gk_fail(error, GK_E_INVALID, "no map value is empty");
        }
    }
    for (size_t i = 0; status == GK_OK && i < op->changes_count; i++) {
        status = check_change(&op->changes[i], error);
        if (status == GK_OK && op->changes[i].kind == GK_CHANGE_REMOVE && op->changes_count != 1) {
            status = gk_fail(error, GK_E_INVALID, "removing an object stands alone");
        }
    }
    if (status == GK_OK && op->pool == GK_POOL_DATA && !is_about_object(op)) {
        status = gk_fail(error, GK_E_INVALID, "the data pool has neither attributes nor maps");
    }
    if (status == GK_OK && op->pool == GK_POOL_META && writes_bytes(op)) {
        status = gk_fail(error, GK_E_INVALID, "the meta pool has no bytes");
    }
    return status;
}

enum gk_status gk_store_write(struct gk_store *store, const struct gk_write_op *op,
                              uint64_t *new_version, struct gk_error *error)
{
    const enum gk_status status = check_op(op, error);
    return status != GK_OK ? status : store->ops->write(store, op, new_version, error);
}

enum gk_status gk_store_write_many(struct gk_store *store, const struct gk_write_op *ops,
                                   size_t count, struct gk_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const enum gk_status status = check_op(&ops[i], error);
        if (status != GK_OK) {
            return status;
        }
    }
    return store->ops->write_many(store, ops, count, error);
}

enum gk_status gk_store_batch_begin(struct gk_store *store, struct gk_store_batch **out,
                                    struct gk_error *error)
{
    *out = NULL;
    const enum gk_status status = store->ops->batch_begin(store, out, error);
    if (status == GK_OK) {
        (*out)->store = store;
        (*out)->expected = 0;
    }
    return status;
}

enum gk_status gk_store_batch_object(struct gk_store_batch *batch, const char *object,
                                     uint64_t size_bytes, struct gk_error *error)
{
    if (batch->expected != 0) {
        return gk_fail(error, GK_E_INVALID, "the object before %s is not complete", object);
    }
    if (size_bytes > GK_OBJECT_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "an object of %llu bytes",
                       (unsigned long long)size_bytes);
    }
    enum gk_status status = check_name(object, error);
    if (status == GK_OK) {
        status = batch->store->ops->batch_object(batch, object, size_bytes, error);
    }
    if (status == GK_OK) {
        batch->expected = size_bytes;
    }
    return status;
}

enum gk_status gk_store_batch_append(struct gk_store_batch *batch, struct gk_span bytes,
                                     struct gk_error *error)
{
    if (bytes.len > batch->expected) {
        return gk_fail(error, GK_E_INVALID, "more bytes than the object was announced with");
    }
    batch->expected -= bytes.len;
    return bytes.len == 0 ? GK_OK : batch->store->ops->batch_append(batch, bytes, error);
}

enum gk_status gk_store_batch_commit(struct gk_store_batch *batch, const struct gk_write_op *op,
                                     uint64_t *new_version, struct gk_error *error)
{
    enum gk_status status = check_op(op, error);
    if (status == GK_OK && batch->expected != 0) {
        status = gk_fail(error, GK_E_INVALID, "the last object is not complete");
    }
    if (status != GK_OK) {
        gk_store_batch_abort(batch);
        return status;
    }
    return batch->store->ops->batch_commit(batch, op, new_version, error);
}

void gk_store_batch_abort(struct gk_store_batch *batch)
{
    if (batch != NULL) {
        batch->store->ops->batch_abort(batch);
    }
}

enum gk_status gk_store_read(struct gk_store *store, enum gk_store_pool pool, const char *object,
                             uint64_t offset, uint8_t *buffer, size_t len, size_t *read_len,
                             struct gk_error *error)
{
    *read_len = 0;
    return store->ops->read(store, pool, object, offset, buffer, len, read_len, error);
}

enum gk_status gk_store_read_begin(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, uint64_t offset, uint8_t *buffer, size_t len,
                                   struct gk_store_read **out, struct gk_error *error)
{
    *out = NULL;
    const enum gk_status status =
        store->ops->read_begin(store, pool, object, offset, buffer, len, out, error);
    if (status == GK_OK) {
        (*out)->store = store;
    }
    return status;
}

enum gk_status gk_store_read_end(struct gk_store_read *read, size_t *read_len,
                                 struct gk_error *error)
{
    *read_len = 0;
    return read->store->ops->read_end(read, read_len, error);
}

enum gk_status gk_store_read_parts(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, struct gk_read_part *parts, size_t count,
                                   uint64_t *version, struct gk_error *error)
{
    *version = 0;
    for (size_t i = 0; i < count; i++) {
        parts[i].read_len = 0;
    }
    return store->ops->read_parts(store, pool, object, parts, count, version, error);
}

enum gk_status gk_store_stat(struct gk_store *store, enum gk_store_pool pool, const char *object,
                             struct gk_store_stat *out, struct gk_error *error)
{
    *out = (struct gk_store_stat){0};
    return store->ops->stat(store, pool, object, out, error);
}

enum gk_status gk_store_map_find(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, const struct gk_span *keys, size_t count,
                                 gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    return store->ops->map_find(store, pool, object, keys, count, visit, ctx, error);
}

struct one_value {
    struct gk_buf *value;
    bool found;
};

static bool take_value(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)key;
    struct one_value *one = ctx;
    one->found = true;
    gk_buf_append(one->value, value.data, value.len);
    return false;
}

enum gk_status gk_store_map_get(struct gk_store *store, enum gk_store_pool pool, const char *object,
                                struct gk_span key, struct gk_buf *value, struct gk_error *error)
{
    struct one_value one = {.value = value};
    enum gk_status status =
        store->ops->map_find(store, pool, object, &key, 1, take_value, &one, error);
    if (status == GK_OK && !one.found) {
        status = gk_fail(error, GK_E_NOT_FOUND, "no such map key");
    } else if (status == GK_OK && gk_buf_status(value) != GK_OK) {
        status = gk_fail(error, gk_buf_status(value), "a map value does not fit");
    }
    return status;
}

enum gk_status gk_store_map_walk(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, const struct gk_map_range *range,
                                 gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    return store->ops->map_walk(store, pool, object, range, visit, ctx, error);
}

static enum gk_status walk_each(struct gk_store *store, enum gk_store_pool pool,
                                const struct gk_map_walk *walks, size_t count,
                                struct gk_error *error)
{
    enum gk_status first = GK_OK;
    for (size_t i = 0; i < count; i++) {
        const enum gk_status status =
            store->ops->map_walk(store, pool, walks[i].object, &walks[i].range, walks[i].visit,
                                 walks[i].ctx, first == GK_OK ? error : NULL);
        first = first == GK_OK ? status : first;
    }
    return first;
}

enum gk_status gk_store_map_walk_many(struct gk_store *store, enum gk_store_pool pool,
                                      const struct gk_map_walk *walks, size_t count,
                                      struct gk_error *error)
{
    return store->ops->map_walk_many == NULL
               ? walk_each(store, pool, walks, count, error)
               : store->ops->map_walk_many(store, pool, walks, count, error);
}

enum gk_status gk_store_attrs(struct gk_store *store, enum gk_store_pool pool, const char *object,
                              gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                              struct gk_error *error)
{
    return store->ops->attrs(store, pool, object, visit, ctx, version, error);
}

static bool no_attr(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)ctx, (void)key, (void)value;
    return false;
}

enum gk_status gk_store_version(struct gk_store *store, enum gk_store_pool pool, const char *object,
                                uint64_t *version, struct gk_error *error)
{
    return gk_store_attrs(store, pool, object, no_attr, NULL, version, error);
}

enum gk_status gk_store_list(struct gk_store *store, enum gk_store_pool pool, struct gk_buf *cursor,
                             gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    return store->ops->list(store, pool, cursor, visit, ctx, error);
}

enum gk_status gk_store_remove(struct gk_store *store, enum gk_store_pool pool,
                               const char *const *objects, size_t count, struct gk_error *error)
{
    return store->ops->remove(store, pool, objects, count, error);
}

enum gk_status gk_store_watch(struct gk_store *store, const char *object,
                              gk_store_notice_fn *notice, void *ctx, struct gk_store_watch **out,
                              struct gk_error *error)
{
    *out = NULL;
    enum gk_status status = check_name(object, error);
    if (status == GK_OK) {
        status = store->ops->watch(store, object, notice, ctx, out, error);
    }
    if (status == GK_OK) {
        (*out)->store = store;
    }
    return status;
}

void gk_store_unwatch(struct gk_store_watch *watch)
{
    if (watch != NULL) {
        watch->store->ops->unwatch(watch);
    }
}

void gk_store_notify(struct gk_store *store, const char *object, struct gk_span bytes)
{
    store->ops->notify(store, object, bytes);
}

enum gk_status gk_store_lease_take(struct gk_store *store, const char *object, uint32_t duration_ms,
                                   struct gk_error *error)
{
    const enum gk_status status = check_name(object, error);
    return status != GK_OK ? status : store->ops->lease_take(store, object, duration_ms, error);
}

void gk_store_lease_release(struct gk_store *store, const char *object)
{
    store->ops->lease_release(store, object);
}

void gk_store_close(struct gk_store *store)
{
    if (store != NULL) {
        store->ops->close(store);
    }
}
