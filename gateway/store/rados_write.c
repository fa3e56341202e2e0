/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/rados.h"

/* A full cluster or quota is an answer at once (-ENOSPC, -EDQUOT), not a wait until there is room;
 * removals go through all the same. */
#define WRITE_FLAGS LIBRADOS_OPERATION_FULL_TRY

/* --- guards ------------------------------------------------------------------------------------ */

static bool needs_object(const struct gk_write_op *op)
{
    for (size_t i = 0; i < op->guards_count; i++) {
        switch (op->guards[i].kind) {
        case GK_GUARD_ABSENT:
        case GK_GUARD_MAP_ABSENT:
            break;
        default:
            return true;
        }
    }
    return false;
}

static bool has_guard(const struct gk_write_op *op, enum gk_guard_kind kind)
{
    for (size_t i = 0; i < op->guards_count; i++) {
        if (op->guards[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static bool has_map_guard(const struct gk_write_op *op)
{
    return has_guard(op, GK_GUARD_MAP_EQUAL) || has_guard(op, GK_GUARD_MAP_EXISTS) ||
           has_guard(op, GK_GUARD_MAP_ABSENT);
}

static bool is_removal(const struct gk_write_op *op)
{
    return op->changes_count == 1 && op->changes[0].kind == GK_CHANGE_REMOVE;
}

/*
 * What makes the object, or says that it must be there. A comparison with the map of an absent object
 * ends in -ENOENT, also one that asks for a key's absence: where no guard needs the object, it is made
 * first, and unmade with the rest if a guard fails. Where a guard on the map needs it, that -ENOENT
 * is what tells, and GK_GUARD_EXISTS costs nothing.
 */
static void add_existence(rados_write_op_t sent, const struct gk_write_op *op)
{
    if (has_guard(op, GK_GUARD_ABSENT)) {
        rados_write_op_create(sent, LIBRADOS_CREATE_EXCLUSIVE, NULL);
    } else if (!needs_object(op) && !is_removal(op)) {
        rados_write_op_create(sent, LIBRADOS_CREATE_IDEMPOTENT, NULL);
    } else if (!has_map_guard(op) && !has_guard(op, GK_GUARD_VERSION)) {
        rados_write_op_assert_exists(sent);
    }
}

static void add_guards(struct gk_rados_write *write, struct gk_rados_keys *keys)
{
    const struct gk_write_op *op = write->op;
    for (size_t i = 0; i < op->guards_count; i++) {
        const struct gk_guard *guard = &op->guards[i];
        struct gk_span value = gk_span_str("");
        uint8_t comparison = LIBRADOS_CMPXATTR_OP_EQ;
        switch (guard->kind) {
        case GK_GUARD_EXISTS:
        case GK_GUARD_ABSENT:
            continue;
        case GK_GUARD_VERSION:
            rados_write_op_assert_version(write->sent, guard->number);
            continue;
        case GK_GUARD_MAP_EQUAL:
            value = guard->value;
            break;
        case GK_GUARD_MAP_EXISTS: /* values are not empty, and an absent one counts as empty */
            comparison = LIBRADOS_CMPXATTR_OP_GT;
            break;
        case GK_GUARD_MAP_ABSENT:
            break;
        }
        gk_rados_keys_add(keys, guard->key);
        rados_write_op_omap_cmp2(write->sent, keys->each[keys->count - 1], comparison,
                                 (const char *)value.data, keys->lens[keys->count - 1], value.len,
                                 &write->compared[i]);
    }
}

/* --- changes ----------------------------------------------------------------------------------- */

static void add_attr(rados_write_op_t sent, const struct gk_change *change)
{
    char name[GK_ATTR_NAME_BYTES_MAX + 1];
    memcpy(name, change->key.data, change->key.len);
    name[change->key.len] = '\0';
    if (change->kind == GK_CHANGE_ATTR_SET) {
        rados_write_op_setxattr(sent, name, (const char *)change->value.data, change->value.len);
    } else {
        rados_write_op_rmxattr(sent, name);
    }
}

/* Values beside the keys of a run of map changes. */
struct values {
    const char **each;
    size_t *lens;
};

/* RADOS carries out the parts of an operation in order. Changes of one kind that follow each other are
 * one part; within it the last of a key counts, in librados. Returns where the next run begins. */
static size_t add_map_run(rados_write_op_t sent, const struct gk_write_op *op, size_t from,
                          struct gk_rados_keys *keys, const struct values *values)
{
    const enum gk_change_kind kind = op->changes[from].kind;
    const size_t first = keys->count;
    size_t i = from;
    for (; i < op->changes_count && op->changes[i].kind == kind; i++) {
        values->each[i - from] = (const char *)op->changes[i].value.data;
        values->lens[i - from] = op->changes[i].value.len;
        gk_rados_keys_add(keys, op->changes[i].key);
    }
    if (kind == GK_CHANGE_MAP_SET) {
        rados_write_op_omap_set2(sent, keys->each + first, values->each, keys->lens + first,
                                 values->lens, i - from);
    } else {
        rados_write_op_omap_rm_keys2(sent, keys->each + first, keys->lens + first, i - from);
    }
    return i;
}

static void add_changes(rados_write_op_t sent, const struct gk_write_op *op,
                        struct gk_rados_keys *keys, const struct values *values)
{
    for (size_t i = 0; i < op->changes_count;) {
        switch (op->changes[i].kind) {
        case GK_CHANGE_MAP_SET:
        case GK_CHANGE_MAP_REMOVE:
            i = add_map_run(sent, op, i, keys, values);
            continue;
        case GK_CHANGE_ATTR_SET:
        case GK_CHANGE_ATTR_REMOVE:
            add_attr(sent, &op->changes[i]);
            break;
        case GK_CHANGE_CREATE:
            rados_write_op_create(sent, LIBRADOS_CREATE_IDEMPOTENT, NULL);
            break;
        case GK_CHANGE_BYTES:
            rados_write_op_write(sent, (const char *)op->changes[i].value.data,
                                 op->changes[i].value.len, op->changes[i].number);
            break;
        case GK_CHANGE_REMOVE:
            rados_write_op_remove(sent);
            break;
        }
        i++;
    }
}

/* --- one operation ----------------------------------------------------------------------------- */

static size_t stored_keys_bytes(const struct gk_write_op *op)
{
    size_t bytes = 0;
    for (size_t i = 0; i < op->guards_count; i++) {
        bytes += gk_rados_key_stored_len(op->guards[i].key) + 1;
    }
    for (size_t i = 0; i < op->changes_count; i++) {
        bytes += gk_rados_key_stored_len(op->changes[i].key) + 1;
    }
    return bytes;
}

/* librados copies keys, values and bytes into the operation. */
static enum gk_status build(struct gk_rados_write *write, struct gk_error *error)
{
    const struct gk_write_op *op = write->op;
    struct gk_rados_keys keys;
    enum gk_status status = gk_rados_keys_init(&keys, op->guards_count + op->changes_count,
                                               stored_keys_bytes(op), error);
    if (status != GK_OK) {
        return status;
    }
    const struct values values = {.each = calloc(op->changes_count, sizeof(char *)),
                                  .lens = calloc(op->changes_count, sizeof(size_t))};
    write->compared = calloc(op->guards_count + 1, sizeof *write->compared);
    if (values.each != NULL && values.lens != NULL && write->compared != NULL) {
        write->sent = rados_create_write_op();
        add_existence(write->sent, op);
        add_guards(write, &keys);
        add_changes(write->sent, op, &keys, &values);
    } else {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    free(values.each);
    free(values.lens);
    gk_rados_keys_cleanup(&keys);
    return status;
}

static void write_cleanup(struct gk_rados_write *write)
{
    if (write->sent != NULL) {
        rados_release_write_op(write->sent);
    }
    free(write->compared);
}

/* RADOS has no operation that a read would not do better when there is nothing to change; it refuses
 * version 0, which no object has; and it would carry out a removal of what it has just made. */
static bool only_checks(const struct gk_write_op *op)
{
    for (size_t i = 0; i < op->guards_count; i++) {
        if (op->guards[i].kind == GK_GUARD_VERSION && op->guards[i].number == 0) {
            return true;
        }
    }
    return op->changes_count == 0 || (is_removal(op) && has_guard(op, GK_GUARD_ABSENT));
}

enum gk_status gk_rados_write_begin(struct gk_rados *store, const struct gk_write_op *op,
                                    struct gk_rados_write *write, struct gk_error *error)
{
    *write = (struct gk_rados_write){.op = op};
    if (only_checks(op)) {
        return GK_OK;
    }
    enum gk_status status = build(write, error);
    if (status == GK_OK) {
        status = gk_rados_completion(&write->completion, error);
    }
    if (status == GK_OK) {
        const int code = rados_aio_write_op_operate(
            write->sent, store->io[op->pool], write->completion, op->object, NULL, WRITE_FLAGS);
        if (code < 0) {
            rados_aio_release(write->completion);
            status = gk_rados_fail(error, code, "writing");
        }
    }
    if (status != GK_OK) {
        write_cleanup(write);
    }
    return status;
}

enum gk_status gk_rados_write_end(struct gk_rados *store, struct gk_rados_write *write,
                                  uint64_t *new_version, struct gk_error *error)
{
    uint64_t version = 0;
    enum gk_status status;
    if (write->sent == NULL) {
        status = gk_rados_guards_check(store, write->op, &version, error);
        if (status == GK_OK && write->op->changes_count > 0) {
            status = gk_fail(error, GK_E_NOT_FOUND, "no such object");
        }
    } else {
        const int code = gk_rados_wait(store, write->op->pool, write->completion, &version);
        status = code >= 0 ? GK_OK : gk_rados_guards_explain(store, write, code, error);
        write_cleanup(write);
    }
    if (status == GK_OK && new_version != NULL) {
        *new_version = is_removal(write->op) ? 0 : version;
    }
    return status;
}

enum gk_status gk_rados_write(struct gk_store *base, const struct gk_write_op *op,
                              uint64_t *new_version, struct gk_error *error)
{
    struct gk_rados_write write;
    const enum gk_status status = gk_rados_write_begin(gk_rados_own(base), op, &write, error);
    return status != GK_OK ? status
                           : gk_rados_write_end(gk_rados_own(base), &write, new_version, error);
}

/* --- many -------------------------------------------------------------------------------------- */

enum gk_status gk_rados_write_many(struct gk_store *base, const struct gk_write_op *ops,
                                   size_t count, struct gk_error *error)
{
    struct gk_rados *store = gk_rados_own(base);
    struct gk_rados_write writes[GK_RADOS_WINDOW];
    enum gk_status began[GK_RADOS_WINDOW];
    struct gk_error why[GK_RADOS_WINDOW];
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < count + GK_RADOS_WINDOW; i++) {
        const size_t slot = i % GK_RADOS_WINDOW;
        if (i >= GK_RADOS_WINDOW && i - GK_RADOS_WINDOW < count) {
            if (began[slot] == GK_OK) {
                began[slot] = gk_rados_write_end(store, &writes[slot], NULL, &why[slot]);
            }
            if (status == GK_OK && began[slot] != GK_OK) {
                status = began[slot];
                if (error != NULL) {
                    *error = why[slot];
                }
            }
        }
        if (i < count) {
            began[slot] = status == GK_E_UNAVAILABLE
                              ? status
                              : gk_rados_write_begin(store, &ops[i], &writes[slot], &why[slot]);
        }
    }
    return status;
}

static enum gk_status remove_begin(struct gk_rados *store, enum gk_store_pool pool,
                                   const char *object, rados_completion_t *out,
                                   struct gk_error *error)
{
    const enum gk_status status = gk_rados_completion(out, error);
    if (status != GK_OK) {
        return status;
    }
    rados_write_op_t op = rados_create_write_op();
    rados_write_op_remove(op);
    const int code =
        rados_aio_write_op_operate(op, store->io[pool], *out, object, NULL, WRITE_FLAGS);
    rados_release_write_op(op);
    if (code < 0) {
        rados_aio_release(*out);
        return gk_rados_fail(error, code, "removing");
    }
    return GK_OK;
}

/* Ends with the first failure: when the cluster is away, each further one would wait for as long. */
enum gk_status gk_rados_remove(struct gk_store *base, enum gk_store_pool pool,
                               const char *const *objects, size_t count, struct gk_error *error)
{
    rados_completion_t under_way[GK_RADOS_WINDOW];
    size_t begun = 0;
    size_t ended = 0;
    enum gk_status status = GK_OK;
    while (ended < begun || (status == GK_OK && begun < count)) {
        if (status == GK_OK && begun < count && begun - ended < GK_RADOS_WINDOW) {
            status = remove_begin(gk_rados_own(base), pool, objects[begun],
                                  &under_way[begun % GK_RADOS_WINDOW], error);
            begun += status == GK_OK;
            continue;
        }
        const int code =
            gk_rados_wait(gk_rados_own(base), pool, under_way[ended++ % GK_RADOS_WINDOW], NULL);
        if (status == GK_OK && code < 0 && code != -ENOENT) {
            status = gk_rados_fail(error, code, "removing");
        }
    }
    return status;
}
