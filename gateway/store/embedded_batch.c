/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/embedded.h"

static struct gk_embedded_batch *own(struct gk_store_batch *batch)
{
    return (struct gk_embedded_batch *)batch;
}

enum gk_status gk_embedded_batch_begin(struct gk_store *store, struct gk_store_batch **out,
                                       struct gk_error *error)
{
    struct gk_embedded_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    batch->base.store = store;
    *out = &batch->base;
    return GK_OK;
}

enum gk_status gk_embedded_batch_object(struct gk_store_batch *batch, const char *object,
                                        uint64_t size_bytes, struct gk_error *error)
{
    struct gk_embedded_batch *self = own(batch);
    struct gk_embedded *store = (struct gk_embedded *)batch->store;
    for (size_t i = 0; i < self->objects_count; i++) {
        if (strcmp(self->objects[i].name, object) == 0) {
            return gk_fail(error, GK_E_EXISTS, "the batch has an object of that name");
        }
    }
    struct gk_new_object *objects =
        realloc(self->objects, (self->objects_count + 1) * sizeof *objects);
    if (objects == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    self->objects = objects;
    struct gk_new_object *added = &objects[self->objects_count];
    *added = (struct gk_new_object){.name = strdup(object), .size = size_bytes};
    if (added->name == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_buf_init(&added->bytes, GK_INLINE_BYTES_MAX);
    if (size_bytes > GK_INLINE_BYTES_MAX) {
        const enum gk_status status =
            gk_volumes_allocate(store->volumes, size_bytes, &added->extent, error);
        if (status != GK_OK) {
            free(added->name);
            return status;
        }
        added->in_volume = true;
    }
    self->objects_count++;
    return GK_OK;
}

enum gk_status gk_embedded_batch_append(struct gk_store_batch *batch, struct gk_span bytes,
                                        struct gk_error *error)
{
    struct gk_embedded_batch *self = own(batch);
    struct gk_embedded *store = (struct gk_embedded *)batch->store;
    struct gk_new_object *object = &self->objects[self->objects_count - 1];
    if (!object->in_volume) {
        gk_buf_append(&object->bytes, bytes.data, bytes.len);
        return gk_buf_status(&object->bytes) == GK_OK
                   ? GK_OK
                   : gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const enum gk_status status =
        gk_volumes_write(store->volumes, &object->extent, object->written, bytes, error);
    object->written += bytes.len;
    return status;
}

/* Frees the batch; its extents too unless the database names them, or may name them. */
static void batch_free(struct gk_embedded_batch *batch, bool named)
{
    struct gk_embedded *store = (struct gk_embedded *)batch->base.store;
    for (size_t i = 0; i < batch->objects_count; i++) {
        struct gk_new_object *object = &batch->objects[i];
        if (object->in_volume && !named) {
            gk_embedded_free_extents(store, &object->extent, 1);
        }
        gk_buf_cleanup(&object->bytes);
        free(object->name);
    }
    free(batch->objects);
    free(batch);
}

enum gk_status gk_embedded_batch_commit(struct gk_store_batch *batch, const struct gk_write_op *op,
                                        uint64_t *new_version, struct gk_error *error)
{
    struct gk_commit commit = {.op = op, .batch = own(batch)};
    const enum gk_status status =
        gk_embedded_commit((struct gk_embedded *)batch->store, &commit, error);
    if (status == GK_OK && new_version != NULL) {
        *new_version = commit.version;
    }
    /* Only a guard says for sure that nothing was committed. After a failure of the disk the log may
     * hold the commit all the same, and a start may bring it back: what it names must still be there.
     * The sweep of that start frees what it does not name. */
    const bool refused =
        status == GK_E_NOT_FOUND || status == GK_E_EXISTS || status == GK_E_CONFLICT;
    batch_free(own(batch), !refused);
    return status;
}

void gk_embedded_batch_abort(struct gk_store_batch *batch)
{
    batch_free(own(batch), false);
}
