/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which guard did not hold. RADOS checks the parts of an operation in their order and ends with the
 * first that fails: its code, with the result of each comparison of a map's value, mostly says which
 * one it was. Where it does not, the state is read and checked here.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/rados.h"

/* What an operation's guards are about, of one state. */
struct seen {
    bool exists;
    uint64_t version;
    const struct gk_span *values; /* for each guard; data is NULL without a value */
};

static bool is_on_map(const struct gk_guard *guard)
{
    return guard->kind == GK_GUARD_MAP_EQUAL || guard->kind == GK_GUARD_MAP_EXISTS ||
           guard->kind == GK_GUARD_MAP_ABSENT;
}

static enum gk_status check_guard(const struct gk_guard *guard, const struct seen *seen,
                                  struct gk_span value, struct gk_error *error)
{
    switch (guard->kind) {
    case GK_GUARD_EXISTS:
        return seen->exists ? GK_OK : gk_fail(error, GK_E_NOT_FOUND, "no such object");
    case GK_GUARD_ABSENT:
        return seen->exists ? gk_fail(error, GK_E_EXISTS, "the object exists") : GK_OK;
    case GK_GUARD_VERSION:
        if (!seen->exists) {
            return gk_fail(error, GK_E_NOT_FOUND, "no such object");
        }
        return seen->version == guard->number
                   ? GK_OK
                   : gk_fail(error, GK_E_CONFLICT, "the object has changed");
    case GK_GUARD_MAP_EQUAL:
        return value.data != NULL && gk_span_equal(value, guard->value)
                   ? GK_OK
                   : gk_fail(error, GK_E_CONFLICT, "the map value has changed");
    case GK_GUARD_MAP_EXISTS:
        return value.data != NULL ? GK_OK
                                  : gk_fail(error, GK_E_NOT_FOUND, "there is no such map key");
    case GK_GUARD_MAP_ABSENT:
        return value.data == NULL ? GK_OK : gk_fail(error, GK_E_EXISTS, "the map key exists");
    }
    return gk_fail(error, GK_E_INTERNAL, "an unknown guard");
}

static enum gk_status check_guards(const struct gk_write_op *op, const struct seen *seen,
                                   struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < op->guards_count; i++) {
        const struct gk_span value = seen->values == NULL ? gk_span_of(NULL, 0) : seen->values[i];
        status = check_guard(&op->guards[i], seen, value, error);
    }
    return status;
}

enum gk_status gk_rados_guards_without_object(const struct gk_write_op *op, struct gk_error *error)
{
    const struct seen seen = {.exists = false};
    return check_guards(op, &seen, error);
}

/* --- reading the state ------------------------------------------------------------------------- */

static enum gk_status guard_keys(const struct gk_write_op *op, struct gk_rados_keys *keys,
                                 struct gk_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < op->guards_count; i++) {
        bytes += gk_rados_key_stored_len(op->guards[i].key) + 1;
    }
    const enum gk_status status = gk_rados_keys_init(keys, op->guards_count, bytes, error);
    for (size_t i = 0; status == GK_OK && i < op->guards_count; i++) {
        if (is_on_map(&op->guards[i])) {
            gk_rados_keys_add(keys, op->guards[i].key);
        }
    }
    return status;
}

/* The values that were found, put beside the guards that ask for them; they live as long as found. */
static void take_values(const struct gk_write_op *op, rados_omap_iter_t found,
                        struct gk_span *values)
{
    uint8_t space[GK_MAP_KEY_BYTES_MAX];
    char *stored = NULL;
    char *value = NULL;
    size_t stored_len = 0;
    size_t value_len = 0;
    struct gk_span key;
    while (rados_omap_get_next2(found, &stored, &value, &stored_len, &value_len) == 0 &&
           stored != NULL) {
        const bool loaded = gk_rados_key_load(gk_span_of(stored, stored_len), space, &key);
        for (size_t i = 0; loaded && i < op->guards_count; i++) {
            if (is_on_map(&op->guards[i]) && gk_span_equal(op->guards[i].key, key)) {
                values[i] = gk_span_of(value, value_len);
            }
        }
    }
}

static enum gk_status check_state(struct gk_rados *store, const struct gk_write_op *op,
                                  const struct gk_rados_keys *keys, struct gk_span *values,
                                  uint64_t *version, struct gk_error *error)
{
    rados_read_op_t read = rados_create_read_op();
    rados_omap_iter_t found = NULL;
    int result = 0;
    if (keys->count > 0) {
        rados_read_op_omap_get_vals_by_keys2(read, keys->each, keys->count, keys->lens, &found,
                                             &result);
    } else {
        rados_read_op_assert_exists(read);
    }
    struct seen seen = {.values = values};
    const int code = gk_rados_read_op(store, op->pool, op->object, read, &seen.version);
    enum gk_status status;
    if (code == -ENOENT) {
        seen.version = 0;
        status = check_guards(op, &seen, error);
    } else if (code < 0) {
        status = gk_rados_fail(error, code, "checking an object");
    } else {
        seen.exists = true;
        if (found != NULL) {
            take_values(op, found, values);
        }
        status = check_guards(op, &seen, error);
    }
    if (found != NULL) {
        rados_omap_get_end(found);
    }
    *version = seen.version;
    return status;
}

enum gk_status gk_rados_guards_check(struct gk_rados *store, const struct gk_write_op *op,
                                     uint64_t *version, struct gk_error *error)
{
    struct gk_rados_keys keys;
    *version = 0;
    enum gk_status status = guard_keys(op, &keys, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_span *values = calloc(op->guards_count + 1, sizeof *values);
    status = values == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                            : check_state(store, op, &keys, values, version, error);
    free(values);
    gk_rados_keys_cleanup(&keys);
    return status;
}

/* --- explaining a failure ---------------------------------------------------------------------- */

static bool is_removal(const struct gk_write_op *op)
{
    return op->changes_count == 1 && op->changes[0].kind == GK_CHANGE_REMOVE;
}

/* The guard whose comparison failed, NULL when the answer does not say. */
static const struct gk_guard *compared_guard(const struct gk_rados_write *write)
{
    for (size_t i = 0; i < write->op->guards_count; i++) {
        if (is_on_map(&write->op->guards[i]) && write->compared[i] == -ECANCELED) {
            return &write->op->guards[i];
        }
    }
    return NULL;
}

static enum gk_status explain_by_reading(struct gk_rados *store, const struct gk_write_op *op,
                                         struct gk_error *error)
{
    uint64_t version = 0;
    const enum gk_status status = gk_rados_guards_check(store, op, &version, error);
    /* All hold by now: someone else was there in between. */
    return status == GK_OK ? gk_fail(error, GK_E_CONFLICT, "the object is changing") : status;
}

static enum gk_status explain_comparison(struct gk_rados *store, const struct gk_rados_write *write,
                                         struct gk_error *error)
{
    const struct gk_guard *guard = compared_guard(write);
    if (guard == NULL) {
        return explain_by_reading(store, write->op, error);
    }
    switch (guard->kind) {
    case GK_GUARD_MAP_ABSENT:
        return gk_fail(error, GK_E_EXISTS, "the map key exists");
    case GK_GUARD_MAP_EXISTS:
        return gk_fail(error, GK_E_NOT_FOUND, "there is no such map key");
    default:
        return gk_fail(error, GK_E_CONFLICT, "the map value has changed");
    }
}

enum gk_status gk_rados_guards_explain(struct gk_rados *store, const struct gk_rados_write *write,
                                       int code, struct gk_error *error)
{
    enum gk_status status;
    switch (code) {
    case -EEXIST:
        return gk_fail(error, GK_E_EXISTS, "the object exists");
    case -ECANCELED:
        return explain_comparison(store, write, error);
    case -ERANGE: /* the version is a later one than the guard's */
        return gk_fail(error, GK_E_CONFLICT, "the object has changed");
    case -EOVERFLOW: /* or an earlier one; an absent object has 0 */
        return explain_by_reading(store, write->op, error);
    case -ENOENT:
        status = gk_rados_guards_without_object(write->op, error);
        if (status == GK_OK && is_removal(write->op)) {
            status = gk_fail(error, GK_E_NOT_FOUND, "no such object");
        }
        return status == GK_OK ? gk_rados_fail(error, code, "writing") : status;
    default:
        return gk_rados_fail(error, code, "writing");
    }
}
