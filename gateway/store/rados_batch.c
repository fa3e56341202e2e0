/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data objects are written while their bytes still come, and are there, unnamed, until the commit names
 * them. A piece is as large as nearly every object: those are one write each, whole or not there.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/rados.h"

/* The most that one write takes: an object of 4 MiB of content with its tags, and some more. */
#define PIECE_BYTES ((4u << 20) + (64u << 10))
/* Parts shorter than this are gathered, up to the second figure, before they go into a write. */
#define CRUMB_BYTES  (16u << 10)
#define CRUMBS_BYTES (64u << 10)
/* Smaller gathering buffers are not worth keeping. */
#define BUFFER_BYTES_KEPT (256u << 10)
/* What one batch has under way; a batch alone must not fill what all share. */
#define BATCH_BYTES_MAX  (16u << 20)
#define BATCH_WRITES_MAX 16u

enum created {
    CREATED_UNKNOWN,
    CREATED_YES,
    CREATED_NO /* there was one of that name: it is not ours to remove */
};

struct data_object {
    char *name;
    enum created created;
};

/* A write that is under way. */
struct piece {
    rados_completion_t completion;
    size_t object;
    size_t bytes;
    bool creates;
};

struct rados_batch {
    struct gk_store_batch base;
    struct data_object *objects;
    size_t objects_count;
    size_t objects_max;
    /* The object that is being written is the last one. */
    uint64_t size;
    uint64_t sent;
    rados_write_op_t piece; /* the write that is being made, NULL while it has no bytes */
    size_t piece_bytes;
    uint8_t *buffer; /* what follows in it, gathered from small parts */
    size_t buffer_bytes;
    size_t gathered;
    struct piece pieces[BATCH_WRITES_MAX]; /* a ring */
    size_t pieces_begun;
    size_t pieces_ended;
    size_t bytes_under_way;
    int code;    /* of the first write that failed, 0 while all is well */
    bool unsure; /* a write has timed out, and may be carried out yet */
};

static struct rados_batch *own(struct gk_store_batch *batch)
{
    return (struct rados_batch *)batch;
}

static struct gk_rados *store_of(const struct rados_batch *batch)
{
    return gk_rados_own(batch->base.store);
}

/* --- buffers ----------------------------------------------------------------------------------- */

enum gk_status gk_rados_buffers_init(struct gk_rados *store, struct gk_error *error)
{
    pthread_mutex_init(&store->buffers.mutex, NULL);
    uint64_t alignment = 1;
    int aligned = 0;
    int code = rados_ioctx_pool_requires_alignment2(store->io[GK_POOL_DATA], &aligned);
    if (code == 0 && aligned != 0) {
        code = rados_ioctx_pool_required_alignment2(store->io[GK_POOL_DATA], &alignment);
    }
    if (code < 0) {
        return gk_rados_fail(error, code, "asking about a pool");
    }
    if (alignment == 0 || alignment > PIECE_BYTES) {
        return gk_fail(error, GK_E_INVALID, "the data pool has stripes of %llu bytes",
                       (unsigned long long)alignment);
    }
    store->in_stripes = aligned != 0;
    store->piece_bytes = (size_t)(PIECE_BYTES - PIECE_BYTES % alignment);
    return GK_OK;
}

void gk_rados_buffers_cleanup(struct gk_rados *store)
{
    for (size_t i = 0; i < store->buffers.spare_count; i++) {
        free(store->buffers.spare[i]);
    }
    if (store->piece_bytes != 0) {
        pthread_mutex_destroy(&store->buffers.mutex);
    }
}

static uint8_t *take_buffer(struct gk_rados *store, size_t *bytes)
{
    struct gk_rados_buffers *buffers = &store->buffers;
    if (*bytes < BUFFER_BYTES_KEPT) {
        return malloc(*bytes);
    }
    *bytes = store->piece_bytes;
    uint8_t *buffer = NULL;
    pthread_mutex_lock(&buffers->mutex);
    if (buffers->spare_count > 0) {
        buffer = buffers->spare[--buffers->spare_count];
    }
    pthread_mutex_unlock(&buffers->mutex);
    return buffer != NULL ? buffer : malloc(*bytes);
}

static void give_buffer(struct gk_rados *store, uint8_t *buffer, size_t bytes)
{
    struct gk_rados_buffers *buffers = &store->buffers;
    if (bytes == store->piece_bytes) {
        pthread_mutex_lock(&buffers->mutex);
        if (buffers->spare_count < GK_RADOS_SPARE_BUFFERS) {
            buffers->spare[buffers->spare_count++] = buffer;
            buffer = NULL;
        }
        pthread_mutex_unlock(&buffers->mutex);
    }
    free(buffer);
}

/* --- pieces ------------------------------------------------------------------------------------ */

static void end_oldest(struct rados_batch *batch)
{
    const struct piece *piece = &batch->pieces[batch->pieces_ended++ % BATCH_WRITES_MAX];
    const int code = gk_rados_wait(store_of(batch), GK_POOL_DATA, piece->completion, NULL);
    batch->bytes_under_way -= piece->bytes;
    if (piece->creates && code >= 0) {
        batch->objects[piece->object].created = CREATED_YES;
    } else if (piece->creates && code == -EEXIST) {
        batch->objects[piece->object].created = CREATED_NO;
    }
    if (code < 0) {
        batch->unsure |= gk_rados_fail(NULL, code, "") == GK_E_UNAVAILABLE;
        batch->code = batch->code == 0 ? code : batch->code;
    }
}

static void end_all(struct rados_batch *batch)
{
    while (batch->pieces_ended < batch->pieces_begun) {
        end_oldest(batch);
    }
}

/* Waits for room, and for the object: what follows its first piece must not be written into another's
 * of the same name. */
static void wait_for_room(struct rados_batch *batch, size_t bytes)
{
    const struct data_object *object = &batch->objects[batch->objects_count - 1];
    while (
        batch->pieces_ended < batch->pieces_begun &&
        (batch->pieces_begun - batch->pieces_ended == BATCH_WRITES_MAX ||
         batch->bytes_under_way + bytes > BATCH_BYTES_MAX ||
         (batch->sent > 0 && object->created == CREATED_UNKNOWN) ||
         rados_aio_is_complete(batch->pieces[batch->pieces_ended % BATCH_WRITES_MAX].completion))) {
        end_oldest(batch);
    }
}

/* Adds bytes to the piece that is being made; librados copies them. */
static void add_bytes(struct rados_batch *batch, const uint8_t *bytes, size_t len)
{
    if (batch->piece == NULL) {
        batch->piece = rados_create_write_op();
        if (batch->sent == 0) {
            rados_write_op_create(batch->piece, LIBRADOS_CREATE_EXCLUSIVE, NULL);
        }
    }
    if (len > 0) {
        rados_write_op_write(batch->piece, (const char *)bytes, len,
                             batch->sent + batch->piece_bytes);
    }
    batch->piece_bytes += len;
}

static void drop_piece(struct rados_batch *batch)
{
    if (batch->piece != NULL) {
        rados_release_write_op(batch->piece);
    }
    batch->piece = NULL;
    batch->piece_bytes = 0;
}

static int begin_piece(struct rados_batch *batch, struct piece *piece)
{
    const int code = rados_aio_create_completion2(NULL, NULL, &piece->completion);
    if (code < 0) {
        return code;
    }
    const int begun = rados_aio_write_op_operate(
        batch->piece, store_of(batch)->io[GK_POOL_DATA], piece->completion,
        batch->objects[piece->object].name, NULL, LIBRADOS_OPERATION_FULL_TRY);
    if (begun < 0) {
        rados_aio_release(piece->completion);
    }
    return begun;
}

static enum gk_status send_piece(struct rados_batch *batch, struct gk_error *error)
{
    const size_t bytes = batch->piece_bytes;
    wait_for_room(batch, bytes);
    struct piece *piece = &batch->pieces[batch->pieces_begun % BATCH_WRITES_MAX];
    *piece = (struct piece){
        .object = batch->objects_count - 1, .bytes = bytes, .creates = batch->sent == 0};
    batch->code = batch->code == 0 ? begin_piece(batch, piece) : batch->code;
    drop_piece(batch);
    if (batch->code != 0) {
        return gk_rados_fail(error, batch->code, "writing data");
    }
    batch->pieces_begun++;
    batch->bytes_under_way += bytes;
    batch->sent += bytes;
    return GK_OK;
}

/* --- the engine's functions -------------------------------------------------------------------- */

enum gk_status gk_rados_batch_begin(struct gk_store *store, struct gk_store_batch **out,
                                    struct gk_error *error)
{
    struct rados_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    batch->base.store = store;
    *out = &batch->base;
    return GK_OK;
}

enum gk_status gk_rados_batch_object(struct gk_store_batch *base, const char *object,
                                     uint64_t size_bytes, struct gk_error *error)
{
    struct rados_batch *batch = own(base);
    if (batch->objects_count == batch->objects_max) {
        const size_t max = batch->objects_max == 0 ? 4 : 2 * batch->objects_max;
        struct data_object *objects = realloc(batch->objects, max * sizeof *objects);
        if (objects == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        batch->objects = objects;
        batch->objects_max = max;
    }
    char *name = strdup(object);
    if (name == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    batch->objects[batch->objects_count++] = (struct data_object){.name = name};
    batch->size = size_bytes;
    batch->sent = 0;
    if (size_bytes > 0) {
        return GK_OK;
    }
    add_bytes(batch, NULL, 0);
    return send_piece(batch, error);
}

static void flush_gathered(struct rados_batch *batch)
{
    if (batch->gathered > 0) {
        add_bytes(batch, batch->buffer, batch->gathered);
        batch->gathered = 0;
    }
}

/* Copies what fits into a buffer of the wanted size, and returns how much that is; 0: out of memory. */
static size_t gather(struct rados_batch *batch, struct gk_span bytes, size_t wanted)
{
    struct gk_rados *store = store_of(batch);
    if (batch->buffer != NULL && batch->gathered == 0 && batch->buffer_bytes < wanted) {
        give_buffer(store, batch->buffer, batch->buffer_bytes);
        batch->buffer = NULL;
    }
    if (batch->buffer == NULL) {
        batch->buffer_bytes = wanted;
        batch->buffer = take_buffer(store, &batch->buffer_bytes);
    }
    if (batch->buffer == NULL) {
        return 0;
    }
    const size_t room = batch->buffer_bytes - batch->gathered;
    const size_t part = bytes.len < room ? bytes.len : room;
    memcpy(batch->buffer + batch->gathered, bytes.data, part);
    batch->gathered += part;
    if (batch->gathered == batch->buffer_bytes) {
        flush_gathered(batch);
    }
    return part;
}

/*
 * Appends to a piece that is left bytes short; returns how much, 0: out of memory. What an erasure-coded
 * pool is given at once must begin at a stripe: there only a whole piece goes straight into the
 * operation. Elsewhere all but crumbs do, and the OSD joins them.
 */
static size_t append_to_piece(struct rados_batch *batch, struct gk_span bytes, size_t left)
{
    const size_t len = bytes.len < left ? bytes.len : left;
    const bool in_stripes = store_of(batch)->in_stripes;
    const bool empty = batch->piece_bytes == 0 && batch->gathered == 0;
    if (empty && len == left) {
        add_bytes(batch, bytes.data, len);
        return len;
    }
    if (!in_stripes && len >= CRUMB_BYTES) {
        flush_gathered(batch);
        add_bytes(batch, bytes.data, len);
        return len;
    }
    const size_t wanted = in_stripes || left < CRUMBS_BYTES ? left : CRUMBS_BYTES;
    return gather(batch, gk_span_of(bytes.data, len), wanted);
}

enum gk_status gk_rados_batch_append(struct gk_store_batch *base, struct gk_span bytes,
                                     struct gk_error *error)
{
    struct rados_batch *batch = own(base);
    const size_t piece_max = store_of(batch)->piece_bytes;
    enum gk_status status = GK_OK;
    while (bytes.len > 0 && status == GK_OK) {
        const uint64_t rest = batch->size - batch->sent;
        const size_t piece = rest < piece_max ? (size_t)rest : piece_max;
        const size_t there = batch->piece_bytes + batch->gathered;
        const size_t part = append_to_piece(batch, bytes, piece - there);
        if (part == 0) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        bytes = gk_span_of(bytes.data + part, bytes.len - part);
        if (there + part == piece) {
            flush_gathered(batch);
            status = send_piece(batch, error);
        }
    }
    return status;
}

static void batch_free(struct rados_batch *batch)
{
    for (size_t i = 0; i < batch->objects_count; i++) {
        free(batch->objects[i].name);
    }
    if (batch->buffer != NULL) {
        give_buffer(store_of(batch), batch->buffer, batch->buffer_bytes);
    }
    drop_piece(batch);
    free(batch->objects);
    free(batch);
}

/* Removes what the batch is known to have made. After a time-out nothing is removed: the cluster is
 * away, and a write that comes late would bring an object back. Scrub finds what is left. */
static void remove_objects(struct rados_batch *batch)
{
    size_t count = 0;
    const char **names = calloc(batch->objects_count + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < batch->objects_count; i++) {
        if (batch->objects[i].created == CREATED_YES) {
            names[count++] = batch->objects[i].name;
        }
    }
    if (!batch->unsure && count > 0) {
        (void)gk_rados_remove(batch->base.store, GK_POOL_DATA, names, count, NULL);
    }
    free(names);
}

enum gk_status gk_rados_batch_commit(struct gk_store_batch *base, const struct gk_write_op *op,
                                     uint64_t *new_version, struct gk_error *error)
{
    struct rados_batch *batch = own(base);
    end_all(batch);
    enum gk_status status = GK_OK;
    if (batch->code != 0) {
        status = gk_rados_fail(error, batch->code, "writing data");
    } else {
        status = gk_rados_write(base->store, op, new_version, error);
        /* Only an answer says that nothing was committed. */
        batch->unsure |= status == GK_E_UNAVAILABLE;
    }
    if (status != GK_OK) {
        remove_objects(batch);
    }
    batch_free(batch);
    return status;
}

void gk_rados_batch_abort(struct gk_store_batch *base)
{
    struct rados_batch *batch = own(base);
    end_all(batch);
    remove_objects(batch);
    batch_free(batch);
}
