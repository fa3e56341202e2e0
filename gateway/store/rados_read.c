/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/rados.h"

/* --- bytes ------------------------------------------------------------------------------------- */

struct rados_read {
    struct gk_store_read base;
    enum gk_store_pool pool;
    rados_completion_t completion;
    /* For a read of nothing, which asks whether the object is there. */
    bool nothing;
    uint64_t size;
    time_t modified;
};

static int begin_read(struct gk_rados *store, enum gk_store_pool pool, const char *object,
                      uint64_t offset, uint8_t *buffer, struct rados_read *read, size_t len)
{
    /* A read of no bytes is one to the object's end, for RADOS. */
    return read->nothing ? rados_aio_stat(store->io[pool], object, read->completion, &read->size,
                                          &read->modified)
                         : rados_aio_read(store->io[pool], object, read->completion, (char *)buffer,
                                          len, offset);
}

static enum gk_status start(struct gk_rados *store, enum gk_store_pool pool, const char *object,
                            uint64_t offset, uint8_t *buffer, size_t len, struct rados_read *read,
                            struct gk_error *error)
{
    *read = (struct rados_read){.base.store = &store->base, .pool = pool, .nothing = len == 0};
    const enum gk_status status = gk_rados_completion(&read->completion, error);
    if (status != GK_OK) {
        return status;
    }
    const int code = begin_read(store, pool, object, offset, buffer, read, len);
    if (code < 0) {
        rados_aio_release(read->completion);
        return gk_rados_fail(error, code, "reading");
    }
    return GK_OK;
}

static enum gk_status finish(struct rados_read *read, size_t *read_len, struct gk_error *error)
{
    const int code =
        gk_rados_wait(gk_rados_own(read->base.store), read->pool, read->completion, NULL);
    if (code < 0) {
        return gk_rados_fail(error, code, "reading");
    }
    *read_len = read->nothing ? 0 : (size_t)code;
    return GK_OK;
}

enum gk_status gk_rados_read(struct gk_store *base, enum gk_store_pool pool, const char *object,
                             uint64_t offset, uint8_t *buffer, size_t len, size_t *read_len,
                             struct gk_error *error)
{
    struct rados_read read;
    const enum gk_status status =
        start(gk_rados_own(base), pool, object, offset, buffer, len, &read, error);
    return status != GK_OK ? status : finish(&read, read_len, error);
}

enum gk_status gk_rados_read_begin(struct gk_store *base, enum gk_store_pool pool,
                                   const char *object, uint64_t offset, uint8_t *buffer, size_t len,
                                   struct gk_store_read **out, struct gk_error *error)
{
    struct rados_read *read = malloc(sizeof *read);
    if (read == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status =
        start(gk_rados_own(base), pool, object, offset, buffer, len, read, error);
    if (status != GK_OK) {
        free(read);
        return status;
    }
    *out = &read->base;
    return GK_OK;
}

enum gk_status gk_rados_read_end(struct gk_store_read *base, size_t *read_len,
                                 struct gk_error *error)
{
    struct rados_read *read = (struct rados_read *)base;
    const enum gk_status status = finish(read, read_len, error);
    free(read);
    return status;
}

enum gk_status gk_rados_read_parts(struct gk_store *base, enum gk_store_pool pool,
                                   const char *object, struct gk_read_part *parts, size_t count,
                                   uint64_t *version, struct gk_error *error)
{
    int *results = calloc(count + 1, sizeof *results);
    if (results == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    rados_read_op_t op = rados_create_read_op();
    rados_read_op_assert_exists(op);
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) { /* a read of no bytes is one to the object's end, for RADOS */
            rados_read_op_read(op, parts[i].offset, parts[i].len, (char *)parts[i].buffer,
                               &parts[i].read_len, &results[i]);
        }
    }
    int code = gk_rados_read_op(gk_rados_own(base), pool, object, op, version);
    for (size_t i = 0; i < count && code >= 0; i++) {
        code = results[i];
    }
    free(results);
    return code < 0 ? gk_rados_fail(error, code, "reading") : GK_OK;
}

/* RADOS keeps the time of the last change; librados' C functions tell it in whole seconds. */
enum gk_status gk_rados_stat(struct gk_store *base, enum gk_store_pool pool, const char *object,
                             struct gk_store_stat *out, struct gk_error *error)
{
    struct rados_read read;
    size_t none = 0;
    enum gk_status status = start(gk_rados_own(base), pool, object, 0, NULL, 0, &read, error);
    if (status == GK_OK) {
        status = finish(&read, &none, error);
    }
    if (status == GK_OK) {
        out->size_bytes = read.size;
        out->modified_wall_ms = (int64_t)read.modified * 1000;
    }
    return status;
}

/* --- attributes -------------------------------------------------------------------------------- */

static enum gk_status visit_attrs(rados_xattrs_iter_t found, gk_store_visit_fn *visit, void *ctx,
                                  struct gk_error *error)
{
    const char *name = NULL;
    const char *value = NULL;
    size_t len = 0;
    int code;
    bool more = true;
    while (more && (code = rados_getxattrs_next(found, &name, &value, &len)) == 0 && name != NULL) {
        more = visit(ctx, gk_span_str(name), gk_span_of(value, len));
    }
    return more && code < 0 ? gk_rados_fail(error, code, "reading attributes") : GK_OK;
}

enum gk_status gk_rados_attrs(struct gk_store *base, enum gk_store_pool pool, const char *object,
                              gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                              struct gk_error *error)
{
    rados_read_op_t op = rados_create_read_op();
    rados_xattrs_iter_t found = NULL;
    int result = 0;
    uint64_t read_version = 0;
    rados_read_op_getxattrs(op, &found, &result);
    const int code = gk_rados_read_op(gk_rados_own(base), pool, object, op, &read_version);
    enum gk_status status;
    if (code < 0) {
        status = gk_rados_fail(error, code, "reading attributes");
    } else {
        *version = read_version;
        status = visit_attrs(found, visit, ctx, error);
    }
    if (found != NULL) {
        rados_getxattrs_end(found);
    }
    return status;
}
