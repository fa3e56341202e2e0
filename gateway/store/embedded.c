/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"

#define PATH_BYTES_MAX 4096u
/* The write-ahead log is copied back into the database beside the commits from the first figure on
 * (16 MiB); a commit does it by itself, holding others up, at the second (256 MiB). */
#define CHECKPOINT_FRAMES     4096
#define CHECKPOINT_FRAMES_MAX 65536

static struct gk_embedded *own(struct gk_store *store)
{
    return (struct gk_embedded *)store;
}

/* --- reads ------------------------------------------------------------------------------------- */

/*
 * The row of an object in a reader's statement, GK_E_NOT_FOUND without one. The caller resets it
 * when it is done with the object, not before: while the statement is open, further ones see the
 * same state. Else the object could be removed in between, and its id be another's.
 */
static enum gk_status find(struct gk_db *db, enum gk_db_statement which, enum gk_store_pool pool,
                           const char *object, sqlite3_stmt **row, struct gk_error *error)
{
    *row = gk_db_use(db, which);
    sqlite3_bind_int(*row, 1, (int)pool);
    gk_db_bind_span(*row, 2, gk_span_str(object));
    const enum gk_status status = gk_db_row(db, *row, error);
    return status == GK_E_NOT_FOUND ? gk_fail(error, GK_E_NOT_FOUND, "no such object") : status;
}

/* Reads [offset, offset + len) of an object that stands in extents. */
static enum gk_status read_extents(struct gk_embedded *store, struct gk_db *db, int64_t id,
                                   uint64_t offset, uint8_t *buffer, size_t len,
                                   struct gk_error *error)
{
    const uint64_t end = offset + len;
    sqlite3_stmt *row = gk_db_use(db, GK_DB_EXTENT_FIND);
    sqlite3_bind_int64(row, 1, id);
    sqlite3_bind_int64(row, 2, (sqlite3_int64)offset);
    sqlite3_bind_int64(row, 3, (sqlite3_int64)end);
    size_t done = 0;
    enum gk_status status;
    while ((status = gk_db_row(db, row, error)) == GK_OK) {
        const uint64_t start = (uint64_t)sqlite3_column_int64(row, 0);
        const struct gk_extent extent = {
            .volume = (uint32_t)sqlite3_column_int64(row, 1),
            .offset = (uint64_t)sqlite3_column_int64(row, 2),
            .length = (uint64_t)sqlite3_column_int64(row, 3),
        };
        if (start > offset + done) {
            break; /* a gap: reported below as too few bytes */
        }
        const uint64_t position = offset + done - start;
        const uint64_t there = extent.length - position;
        const size_t part = there < len - done ? (size_t)there : len - done;
        status = gk_volumes_read(store->volumes, &extent, position, buffer + done, part, error);
        if (status != GK_OK) {
            break;
        }
        done += part;
    }
    sqlite3_reset(row);
    if (status == GK_E_NOT_FOUND || status == GK_OK) {
        status = done == len
                     ? GK_OK
                     : gk_fail(error, GK_E_INTEGRITY, "an object lacks a part of its bytes");
    }
    return status;
}

/* Of the object of a row of GK_DB_OBJECT_BYTES. */
static enum gk_status read_part(struct gk_embedded *store, struct gk_db *db, sqlite3_stmt *row,
                                struct gk_read_part *part, struct gk_error *error)
{
    const int64_t id = sqlite3_column_int64(row, 0);
    const uint64_t size = (uint64_t)sqlite3_column_int64(row, 2);
    const uint64_t there = part->offset < size ? size - part->offset : 0;
    const size_t len = there < part->len ? (size_t)there : part->len;
    enum gk_status status = GK_OK;
    if (sqlite3_column_type(row, 3) == SQLITE_NULL) {
        status =
            len == 0 ? GK_OK : read_extents(store, db, id, part->offset, part->buffer, len, error);
    } else if (sqlite3_column_bytes(row, 3) == 0) {
        status = len == 0 ? GK_OK
                          : gk_embedded_blocks_read(db, id, part->offset, part->buffer, len, error);
    } else {
        const struct gk_span bytes = gk_db_column_span(row, 3);
        if (bytes.len != size) {
            status = gk_fail(error, GK_E_INTEGRITY, "an object lacks a part of its bytes");
        } else if (len > 0) {
            memcpy(part->buffer, bytes.data + part->offset, len);
        }
    }
    part->read_len = status == GK_OK ? len : 0;
    return status;
}

static enum gk_status embedded_read_parts(struct gk_store *base, enum gk_store_pool pool,
                                          const char *object, struct gk_read_part *parts,
                                          size_t count, uint64_t *version, struct gk_error *error)
{
    struct gk_embedded *store = own(base);
    struct gk_db *db = gk_readers_take(store->readers, error);
    if (db == NULL) {
        return GK_E_RESOURCE;
    }
    gk_volumes_hold(store->volumes);
    sqlite3_stmt *row;
    enum gk_status status = find(db, GK_DB_OBJECT_BYTES, pool, object, &row, error);
    if (status == GK_OK) {
        *version = (uint64_t)sqlite3_column_int64(row, 1);
        for (size_t i = 0; i < count && status == GK_OK; i++) {
            status = read_part(store, db, row, &parts[i], error);
        }
        sqlite3_reset(row);
    }
    gk_volumes_unhold(store->volumes);
    gk_readers_give(store->readers, db);
    return status;
}

static enum gk_status embedded_read(struct gk_store *base, enum gk_store_pool pool,
                                    const char *object, uint64_t offset, uint8_t *buffer,
                                    size_t len, size_t *read_len, struct gk_error *error)
{
    uint64_t version = 0;
    struct gk_read_part part = {.offset = offset, .buffer = buffer, .len = len};
    const enum gk_status status =
        embedded_read_parts(base, pool, object, &part, 1, &version, error);
    *read_len = part.read_len;
    return status;
}

/* --- asynchronous reads: done when they are waited for -------------------------------------------- */

struct later_read {
    struct gk_store_read base;
    enum gk_store_pool pool;
    uint64_t offset;
    uint8_t *buffer;
    size_t len;
    char object[];
};

static enum gk_status embedded_read_begin(struct gk_store *base, enum gk_store_pool pool,
                                          const char *object, uint64_t offset, uint8_t *buffer,
                                          size_t len, struct gk_store_read **out,
                                          struct gk_error *error)
{
    (void)base;
    const size_t name_bytes = strlen(object) + 1;
    struct later_read *read = malloc(sizeof *read + name_bytes);
    if (read == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *read = (struct later_read){.pool = pool, .offset = offset, .buffer = buffer, .len = len};
    memcpy(read->object, object, name_bytes);
    *out = &read->base;
    return GK_OK;
}

static enum gk_status embedded_read_end(struct gk_store_read *base, size_t *read_len,
                                        struct gk_error *error)
{
    struct later_read *read = (struct later_read *)base;
    const enum gk_status status = embedded_read(base->store, read->pool, read->object, read->offset,
                                                read->buffer, read->len, read_len, error);
    free(read);
    return status;
}

/* --- objects and maps ---------------------------------------------------------------------------- */

/* What a batch writes is not in the database before its commit. What is written in place is there before
 * anything refers to it; its version tells when it was written last. */
static enum gk_status embedded_stat(struct gk_store *base, enum gk_store_pool pool,
                                    const char *object, struct gk_store_stat *out,
                                    struct gk_error *error)
{
    struct gk_db *db = gk_readers_take(own(base)->readers, error);
    if (db == NULL) {
        return GK_E_RESOURCE;
    }
    sqlite3_stmt *row;
    const enum gk_status status = find(db, GK_DB_OBJECT_FIND, pool, object, &row, error);
    if (status == GK_OK) {
        out->size_bytes = (uint64_t)sqlite3_column_int64(row, 2);
        if (out->size_bytes > 0 && sqlite3_column_type(row, 3) != SQLITE_NULL &&
            sqlite3_column_int64(row, 3) == 0) {
            out->modified_wall_ms = sqlite3_column_int64(row, 1) >> GK_VERSION_TIME_BITS;
        }
        sqlite3_reset(row);
    }
    gk_readers_give(own(base)->readers, db);
    return status;
}

static enum gk_status map_find(struct gk_db *db, enum gk_store_pool pool, const char *object,
                               const struct gk_span *keys, size_t count, gk_store_visit_fn *visit,
                               void *ctx, struct gk_error *error)
{
    sqlite3_stmt *found;
    enum gk_status status = find(db, GK_DB_OBJECT_FIND, pool, object, &found, error);
    if (status != GK_OK) {
        return status;
    }
    bool more = true;
    for (size_t i = 0; i < count && more && status == GK_OK; i++) {
        sqlite3_stmt *row = gk_db_use(db, GK_DB_MAP_GET);
        sqlite3_bind_int64(row, 1, sqlite3_column_int64(found, 0));
        gk_db_bind_span(row, 2, keys[i]);
        status = gk_db_row(db, row, error);
        if (status == GK_OK) {
            more = visit(ctx, keys[i], gk_db_column_span(row, 0));
            sqlite3_reset(row);
        } else if (status == GK_E_NOT_FOUND) {
            status = GK_OK;
        }
    }
    sqlite3_reset(found);
    return status;
}

static enum gk_status embedded_map_find(struct gk_store *base, enum gk_store_pool pool,
                                        const char *object, const struct gk_span *keys,
                                        size_t count, gk_store_visit_fn *visit, void *ctx,
                                        struct gk_error *error)
{
    struct gk_db *db = gk_readers_take(own(base)->readers, error);
    if (db == NULL) {
        return GK_E_RESOURCE;
    }
    const enum gk_status status = map_find(db, pool, object, keys, count, visit, ctx, error);
    gk_readers_give(own(base)->readers, db);
    return status;
}

static bool starts_with(struct gk_span text, struct gk_span prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

static int compare(struct gk_span a, struct gk_span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static enum gk_status map_walk(struct gk_db *db, enum gk_store_pool pool, const char *object,
                               const struct gk_map_range *range, gk_store_visit_fn *visit,
                               void *ctx, struct gk_error *error)
{
    sqlite3_stmt *found;
    enum gk_status status = find(db, GK_DB_OBJECT_FIND, pool, object, &found, error);
    if (status != GK_OK) {
        return status;
    }
    const bool after_first = compare(range->after, range->prefix) >= 0 && range->after.len > 0;
    sqlite3_stmt *row = gk_db_use(db, GK_DB_MAP_WALK);
    sqlite3_bind_int64(row, 1, sqlite3_column_int64(found, 0));
    gk_db_bind_span(row, 2, after_first ? range->after : range->prefix);
    uint32_t visited = 0;
    while ((status = gk_db_row(db, row, error)) == GK_OK) {
        const struct gk_span key = gk_db_column_span(row, 0);
        if (after_first && !range->after_inclusive && gk_span_equal(key, range->after)) {
            continue;
        }
        if (!starts_with(key, range->prefix) || !visit(ctx, key, gk_db_column_span(row, 1)) ||
            ++visited == range->limit) {
            sqlite3_reset(row);
            break;
        }
    }
    sqlite3_reset(found);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

static enum gk_status embedded_map_walk(struct gk_store *base, enum gk_store_pool pool,
                                        const char *object, const struct gk_map_range *range,
                                        gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    struct gk_db *db = gk_readers_take(own(base)->readers, error);
    if (db == NULL) {
        return GK_E_RESOURCE;
    }
    const enum gk_status status = map_walk(db, pool, object, range, visit, ctx, error);
    gk_readers_give(own(base)->readers, db);
    return status;
}

static enum gk_status attrs(struct gk_db *db, enum gk_store_pool pool, const char *object,
                            gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                            struct gk_error *error)
{
    sqlite3_stmt *found;
    enum gk_status status = find(db, GK_DB_OBJECT_FIND, pool, object, &found, error);
    if (status != GK_OK) {
        return status;
    }
    *version = (uint64_t)sqlite3_column_int64(found, 1);
    sqlite3_stmt *row = gk_db_use(db, GK_DB_ATTR_ALL);
    sqlite3_bind_int64(row, 1, sqlite3_column_int64(found, 0));
    while ((status = gk_db_row(db, row, error)) == GK_OK) {
        if (!visit(ctx, gk_db_column_span(row, 0), gk_db_column_span(row, 1))) {
            sqlite3_reset(row);
            break;
        }
    }
    sqlite3_reset(found);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

static enum gk_status embedded_attrs(struct gk_store *base, enum gk_store_pool pool,
                                     const char *object, gk_store_visit_fn *visit, void *ctx,
                                     uint64_t *version, struct gk_error *error)
{
    struct gk_db *db = gk_readers_take(own(base)->readers, error);
    if (db == NULL) {
        return GK_E_RESOURCE;
    }
    const enum gk_status status = attrs(db, pool, object, visit, ctx, version, error);
    gk_readers_give(own(base)->readers, db);
    return status;
}

/* The cursor is the last name visited. */
static enum gk_status list(struct gk_db *db, enum gk_store_pool pool, struct gk_buf *cursor,
                           gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    sqlite3_stmt *row = gk_db_use(db, GK_DB_OBJECT_LIST);
    sqlite3_bind_int(row, 1, (int)pool);
    gk_db_bind_span(row, 2, gk_buf_span(cursor));
    enum gk_status status;
    bool more = true;
    while (more && (status = gk_db_row(db, row, error)) == GK_OK) {
        const struct gk_span name = gk_db_column_span(row, 0);
        more = visit(ctx, name, gk_span_of(NULL, 0));
        if (!more) {
            gk_buf_reset(cursor);
            gk_buf_append(cursor, name.data, name.len);
            sqlite3_reset(row);
            return gk_buf_status(cursor);
        }
    }
    gk_buf_reset(cursor);
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

static enum gk_status embedded_list(struct gk_store *base, enum gk_store_pool pool,
                                    struct gk_buf *cursor, gk_store_visit_fn *visit, void *ctx,
                                    struct gk_error *error)
{
    struct gk_db *db = gk_readers_take(own(base)->readers, error);
    if (db == NULL) {
        return GK_E_RESOURCE;
    }
    const enum gk_status status = list(db, pool, cursor, visit, ctx, error);
    gk_readers_give(own(base)->readers, db);
    return status;
}

/* --- writes ------------------------------------------------------------------------------------ */

static enum gk_status embedded_write(struct gk_store *base, const struct gk_write_op *op,
                                     uint64_t *new_version, struct gk_error *error)
{
    struct gk_commit commit = {.op = op};
    const enum gk_status status = gk_embedded_commit(own(base), &commit, error);
    if (status == GK_OK && new_version != NULL) {
        *new_version = commit.version;
    }
    return status;
}

static enum gk_status embedded_write_many(struct gk_store *base, const struct gk_write_op *ops,
                                          size_t count, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < count; i++) {
        const enum gk_status one =
            embedded_write(base, &ops[i], NULL, status == GK_OK ? error : NULL);
        status = status == GK_OK ? one : status;
    }
    return status;
}

static enum gk_status embedded_remove(struct gk_store *base, enum gk_store_pool pool,
                                      const char *const *objects, size_t count,
                                      struct gk_error *error)
{
    struct gk_commit commit = {.pool = pool, .removed = objects, .removed_count = count};
    return count == 0 ? GK_OK : gk_embedded_commit(own(base), &commit, error);
}

/* --- between processes: there is one ------------------------------------------------------------- */

static enum gk_status embedded_watch(struct gk_store *base, const char *object,
                                     gk_store_notice_fn *notice, void *ctx,
                                     struct gk_store_watch **out, struct gk_error *error)
{
    (void)base, (void)object, (void)notice, (void)ctx;
    *out = calloc(1, sizeof **out);
    return *out == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
}

static void embedded_unwatch(struct gk_store_watch *watch)
{
    free(watch);
}

static void embedded_notify(struct gk_store *base, const char *object, struct gk_span bytes)
{
    (void)base, (void)object, (void)bytes;
}

static enum gk_status embedded_lease_take(struct gk_store *base, const char *object,
                                          uint32_t duration_ms, struct gk_error *error)
{
    (void)base, (void)object, (void)duration_ms, (void)error;
    return GK_OK;
}

static void embedded_lease_release(struct gk_store *base, const char *object)
{
    (void)base, (void)object;
}

/* --- the janitor ------------------------------------------------------------------------------- */

void gk_embedded_free_extents(struct gk_embedded *store, const struct gk_extent *extents,
                              size_t count)
{
    if (count == 0) {
        return;
    }
    pthread_mutex_lock(&store->mutex);
    if (store->freed_count + count > store->freed_max) {
        const size_t max = 2 * (store->freed_count + count);
        struct gk_extent *grown = realloc(store->freed, max * sizeof *grown);
        if (grown == NULL) {
            /* The sweep at the next start finds them. */
            pthread_mutex_unlock(&store->mutex);
            return;
        }
        store->freed = grown;
        store->freed_max = max;
    }
    memcpy(store->freed + store->freed_count, extents, count * sizeof *extents);
    store->freed_count += count;
    pthread_cond_signal(&store->work);
    pthread_mutex_unlock(&store->mutex);
}

/* Runs in the thread that leads a commit, after it. */
static int on_commit(void *ctx, sqlite3 *handle, const char *database, int frames)
{
    struct gk_embedded *store = ctx;
    if (frames >= CHECKPOINT_FRAMES_MAX) {
        (void)sqlite3_wal_checkpoint_v2(handle, database, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
        return SQLITE_OK;
    }
    if (frames >= CHECKPOINT_FRAMES) {
        pthread_mutex_lock(&store->mutex);
        store->wal_frames = frames;
        pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->mutex);
    }
    return SQLITE_OK;
}

static void *janitor(void *ctx)
{
    struct gk_embedded *store = ctx;
    pthread_mutex_lock(&store->mutex);
    while (!store->closing || store->freed_count > 0) {
        if (store->freed_count == 0 && store->wal_frames == 0) {
            pthread_cond_wait(&store->work, &store->mutex);
            continue;
        }
        struct gk_extent *freed = store->freed;
        const size_t freed_count = store->freed_count;
        const bool checkpoint = store->wal_frames != 0;
        store->freed = NULL;
        store->freed_count = store->freed_max = 0;
        store->wal_frames = 0;
        pthread_mutex_unlock(&store->mutex);
        gk_volumes_release(store->volumes, freed, freed_count);
        free(freed);
        if (checkpoint) {
            (void)sqlite3_wal_checkpoint_v2(store->checkpointer.handle, NULL,
                                            SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        }
        pthread_mutex_lock(&store->mutex);
    }
    pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* --- opening and closing ------------------------------------------------------------------------ */

static void embedded_close(struct gk_store *base)
{
    struct gk_embedded *store = own(base);
    if (store->janitor_running) {
        pthread_mutex_lock(&store->mutex);
        store->closing = true;
        pthread_cond_signal(&store->work);
        pthread_mutex_unlock(&store->mutex);
        pthread_join(store->janitor, NULL);
    }
    gk_readers_free(store->readers);
    gk_db_close(&store->checkpointer);
    gk_db_close(&store->writer); /* the last connection folds the log into the database */
    gk_volumes_close(store->volumes);
    if (store->lock_fd >= 0) {
        close(store->lock_fd);
    }
    pthread_cond_destroy(&store->work);
    pthread_mutex_destroy(&store->mutex);
    free(store->freed);
    free(store);
}

static const struct gk_store_ops embedded_ops = {
    .close = embedded_close,
    .write = embedded_write,
    .write_many = embedded_write_many,
    .batch_begin = gk_embedded_batch_begin,
    .batch_object = gk_embedded_batch_object,
    .batch_append = gk_embedded_batch_append,
    .batch_commit = gk_embedded_batch_commit,
    .batch_abort = gk_embedded_batch_abort,
    .read = embedded_read,
    .read_begin = embedded_read_begin,
    .read_end = embedded_read_end,
    .read_parts = embedded_read_parts,
    .stat = embedded_stat,
    .map_find = embedded_map_find,
    .map_walk = embedded_map_walk,
    .attrs = embedded_attrs,
    .list = embedded_list,
    .remove = embedded_remove,
    .watch = embedded_watch,
    .unwatch = embedded_unwatch,
    .notify = embedded_notify,
    .lease_take = embedded_lease_take,
    .lease_release = embedded_lease_release,
};

static enum gk_status lock_directory(struct gk_embedded *store, const char *directory,
                                     struct gk_error *error)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/lock", directory);
    store->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock_fd < 0) {
        return gk_fail(error, GK_E_RESOURCE, "%s cannot be opened (errno %d)", path, errno);
    }
    if (flock(store->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return gk_fail(error, GK_E_CONFLICT,
                       "%s is in use by another process; end that one, or name another directory",
                       directory);
    }
    return GK_OK;
}

struct sweep {
    struct gk_db *db;
    sqlite3_stmt *row;
};

static enum gk_status next_extent(void *ctx, struct gk_extent *extent, struct gk_error *error)
{
    struct sweep *sweep = ctx;
    const enum gk_status status = gk_db_row(sweep->db, sweep->row, error);
    if (status != GK_OK) {
        return status;
    }
    *extent = (struct gk_extent){
        .volume = (uint32_t)sqlite3_column_int64(sweep->row, 0),
        .offset = (uint64_t)sqlite3_column_int64(sweep->row, 1),
        .length = (uint64_t)sqlite3_column_int64(sweep->row, 2),
    };
    return GK_OK;
}

static enum gk_status open_parts(struct gk_embedded *store, const char *directory,
                                 struct gk_error *error)
{
    char path[PATH_BYTES_MAX];
    enum gk_status status = lock_directory(store, directory, error);
    snprintf(path, sizeof path, "%s/volumes", directory);
    if (status == GK_OK) {
        status = gk_volumes_open(path, &store->volumes, error);
    }
    snprintf(path, sizeof path, "%s/store.sqlite", directory);
    if (status == GK_OK) {
        status = gk_db_open(path, true, &store->writer, error);
    }
    if (status == GK_OK) {
        status = gk_db_open(path, false, &store->checkpointer, error);
    }
    if (status == GK_OK) {
        status = gk_readers_new(path, &store->readers, error);
    }
    if (status == GK_OK) {
        struct sweep sweep = {.db = &store->writer,
                              .row = gk_db_use(&store->writer, GK_DB_EXTENT_EACH)};
        status = gk_volumes_sweep(store->volumes, next_extent, &sweep, error);
        sqlite3_reset(sweep.row);
    }
    return status;
}

enum gk_status gk_store_embedded_open(const char *directory, struct gk_store **out,
                                      struct gk_error *error)
{
    struct gk_embedded *store = calloc(1, sizeof *store);
    *out = NULL;
    if (store == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    store->base.ops = &embedded_ops;
    store->lock_fd = -1;
    store->queue_tail = &store->queue_head;
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->work, NULL);
    /* The files that SQLite makes take the process's mask. */
    const mode_t mask = umask(0077);
    enum gk_status status =
        mkdir(directory, 0700) != 0 && errno != EEXIST
            ? gk_fail(error, GK_E_RESOURCE, "%s cannot be made (errno %d)", directory, errno)
            : open_parts(store, directory, error);
    umask(mask);
    if (status == GK_OK && pthread_create(&store->janitor, NULL, janitor, store) != 0) {
        status = gk_fail(error, GK_E_RESOURCE, "no thread for the store");
    }
    if (status != GK_OK) {
        embedded_close(&store->base);
        return status;
    }
    store->janitor_running = true;
    sqlite3_wal_hook(store->writer.handle, on_commit, store);
    *out = &store->base;
    return GK_OK;
}
