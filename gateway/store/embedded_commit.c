/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/error.h"
#include "gateway/store/embedded.h"

/* What one transaction leaves to do when it has been committed. */
struct freed {
    struct gk_extent *extents;
    size_t count;
    size_t max;
};

struct found {
    bool exists;
    int64_t id;
    uint64_t version;
};

static enum gk_status freed_add(struct freed *freed, struct gk_extent extent,
                                struct gk_error *error)
{
    if (freed->count == freed->max) {
        const size_t max = freed->max == 0 ? 16 : 2 * freed->max;
        struct gk_extent *extents = realloc(freed->extents, max * sizeof *extents);
        if (extents == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        freed->extents = extents;
        freed->max = max;
    }
    freed->extents[freed->count++] = extent;
    return GK_OK;
}

static enum gk_status find_object(struct gk_db *db, enum gk_store_pool pool, const char *name,
                                  struct found *found, struct gk_error *error)
{
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_OBJECT_FIND);
    sqlite3_bind_int(statement, 1, (int)pool);
    gk_db_bind_span(statement, 2, gk_span_str(name));
    *found = (struct found){0};
    const enum gk_status status = gk_db_row(db, statement, error);
    if (status == GK_OK) {
        *found = (struct found){.exists = true,
                                .id = sqlite3_column_int64(statement, 0),
                                .version = (uint64_t)sqlite3_column_int64(statement, 1)};
        sqlite3_reset(statement);
    }
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

/* Versions only grow, also over a removal and a new creation of the same name: what an object had
 * before it was removed is not known any more, hence one count for all. */
static uint64_t next_version(struct gk_embedded *store, uint64_t old)
{
    const struct gk_clock clock = gk_clock_system();
    const uint64_t now = (uint64_t)gk_clock_wall_ms(&clock) << GK_VERSION_TIME_BITS;
    const uint64_t last = old > store->last_version ? old : store->last_version;
    store->last_version = last >= now ? last + 1 : now;
    return store->last_version;
}

static enum gk_status insert_object(struct gk_embedded *store, enum gk_store_pool pool,
                                    const char *name, uint64_t size, const struct gk_span *bytes,
                                    struct found *found, struct gk_error *error)
{
    struct gk_db *db = &store->writer;
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_OBJECT_INSERT);
    const uint64_t version = next_version(store, 0);
    sqlite3_bind_int(statement, 1, (int)pool);
    gk_db_bind_span(statement, 2, gk_span_str(name));
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)version);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)size);
    if (bytes != NULL) {
        gk_db_bind_span(statement, 5, *bytes);
    } else {
        sqlite3_bind_null(statement, 5);
    }
    const enum gk_status status = gk_db_run(db, statement, error);
    if (status == GK_OK) {
        *found = (struct found){
            .exists = true, .id = sqlite3_last_insert_rowid(db->handle), .version = version};
    }
    return status;
}

/* --- guards ------------------------------------------------------------------------------------ */

static enum gk_status check_map_guard(struct gk_db *db, const struct gk_guard *guard,
                                      const struct found *found, struct gk_error *error)
{
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_MAP_GET);
    sqlite3_bind_int64(statement, 1, found->id);
    gk_db_bind_span(statement, 2, guard->key);
    enum gk_status status = found->exists ? gk_db_row(db, statement, error) : GK_E_NOT_FOUND;
    if (status != GK_OK && status != GK_E_NOT_FOUND) {
        return status;
    }
    const bool there = status == GK_OK;
    if (guard->kind == GK_GUARD_MAP_ABSENT) {
        status = there ? gk_fail(error, GK_E_EXISTS, "the map key exists") : GK_OK;
    } else if (!there) {
        status = guard->kind == GK_GUARD_MAP_EXISTS
                     ? gk_fail(error, GK_E_NOT_FOUND, "there is no such map key")
                     : gk_fail(error, GK_E_CONFLICT, "the map key is gone");
    } else if (guard->kind == GK_GUARD_MAP_EQUAL &&
               !gk_span_equal(gk_db_column_span(statement, 0), guard->value)) {
        status = gk_fail(error, GK_E_CONFLICT, "the map value has changed");
    }
    sqlite3_reset(statement);
    return status;
}

static enum gk_status check_guard(struct gk_db *db, const struct gk_guard *guard,
                                  const struct found *found, struct gk_error *error)
{
    switch (guard->kind) {
    case GK_GUARD_EXISTS:
        return found->exists ? GK_OK : gk_fail(error, GK_E_NOT_FOUND, "no such object");
    case GK_GUARD_ABSENT:
        return found->exists ? gk_fail(error, GK_E_EXISTS, "the object exists") : GK_OK;
    case GK_GUARD_VERSION:
        if (!found->exists) {
            return gk_fail(error, GK_E_NOT_FOUND, "no such object");
        }
        return found->version == guard->number
                   ? GK_OK
                   : gk_fail(error, GK_E_CONFLICT, "the object has changed");
    case GK_GUARD_MAP_EQUAL:
    case GK_GUARD_MAP_EXISTS:
    case GK_GUARD_MAP_ABSENT:
        return check_map_guard(db, guard, found, error);
    }
    return gk_fail(error, GK_E_INTERNAL, "an unknown guard");
}

/* --- changes ----------------------------------------------------------------------------------- */

static enum gk_status collect_extents(struct gk_db *db, int64_t id, struct freed *freed,
                                      struct gk_error *error)
{
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_EXTENT_FIND);
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, 0);
    sqlite3_bind_int64(statement, 3, INT64_MAX);
    enum gk_status status;
    while ((status = gk_db_row(db, statement, error)) == GK_OK) {
        const struct gk_extent extent = {
            .volume = (uint32_t)sqlite3_column_int64(statement, 1),
            .offset = (uint64_t)sqlite3_column_int64(statement, 2),
            .length = (uint64_t)sqlite3_column_int64(statement, 3),
        };
        status = freed_add(freed, extent, error);
        if (status != GK_OK) {
            sqlite3_reset(statement);
            return status;
        }
    }
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

static enum gk_status remove_object(struct gk_db *db, enum gk_store_pool pool, int64_t id,
                                    struct freed *freed, struct gk_error *error)
{
    static const enum gk_db_statement of_meta[] = {GK_DB_ATTR_DELETE_ALL, GK_DB_MAP_DELETE_ALL,
                                                   GK_DB_OBJECT_DELETE};
    static const enum gk_db_statement of_data[] = {GK_DB_EXTENT_DELETE_ALL, GK_DB_BLOCK_DELETE_ALL,
                                                   GK_DB_OBJECT_DELETE};
    static_assert(sizeof of_meta == sizeof of_data, "one count for both");
    const enum gk_db_statement *statements = pool == GK_POOL_DATA ? of_data : of_meta;
    enum gk_status status = pool == GK_POOL_DATA ? collect_extents(db, id, freed, error) : GK_OK;
    for (size_t i = 0; status == GK_OK && i < sizeof of_data / sizeof *of_data; i++) {
        sqlite3_stmt *statement = gk_db_use(db, statements[i]);
        sqlite3_bind_int64(statement, 1, id);
        status = gk_db_run(db, statement, error);
    }
    return status;
}

static enum gk_status apply_change(struct gk_db *db, enum gk_store_pool pool,
                                   const struct gk_change *change, int64_t id, struct freed *freed,
                                   struct gk_error *error)
{
    static const enum gk_db_statement statements[] = {
        [GK_CHANGE_ATTR_SET] = GK_DB_ATTR_SET,
        [GK_CHANGE_ATTR_REMOVE] = GK_DB_ATTR_DELETE,
        [GK_CHANGE_MAP_SET] = GK_DB_MAP_SET,
        [GK_CHANGE_MAP_REMOVE] = GK_DB_MAP_DELETE,
    };
    if (change->kind == GK_CHANGE_CREATE) {
        return GK_OK;
    }
    if (change->kind == GK_CHANGE_REMOVE) {
        return remove_object(db, pool, id, freed, error);
    }
    if (change->kind == GK_CHANGE_BYTES) {
        return gk_embedded_blocks_write(db, id, change, error);
    }
    sqlite3_stmt *statement = gk_db_use(db, statements[change->kind]);
    sqlite3_bind_int64(statement, 1, id);
    gk_db_bind_span(statement, 2, change->key);
    if (change->kind == GK_CHANGE_ATTR_SET || change->kind == GK_CHANGE_MAP_SET) {
        gk_db_bind_span(statement, 3, change->value);
    }
    return gk_db_run(db, statement, error);
}

static enum gk_status touch_object(struct gk_db *db, const struct found *found, uint64_t version,
                                   struct gk_error *error)
{
    sqlite3_stmt *statement = gk_db_use(db, GK_DB_OBJECT_TOUCH);
    sqlite3_bind_int64(statement, 1, found->id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)version);
    return gk_db_run(db, statement, error);
}

static enum gk_status insert_data(struct gk_embedded *store, const struct gk_embedded_batch *batch,
                                  struct gk_error *error)
{
    struct gk_db *db = &store->writer;
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && batch != NULL && i < batch->objects_count; i++) {
        const struct gk_new_object *object = &batch->objects[i];
        const struct gk_span bytes = gk_buf_span(&object->bytes);
        struct found added;
        status = insert_object(store, GK_POOL_DATA, object->name, object->size,
                               object->in_volume ? NULL : &bytes, &added, error);
        if (status == GK_OK && object->in_volume) {
            sqlite3_stmt *statement = gk_db_use(db, GK_DB_EXTENT_INSERT);
            sqlite3_bind_int64(statement, 1, added.id);
            sqlite3_bind_int64(statement, 2, 0);
            sqlite3_bind_int64(statement, 3, object->extent.volume);
            sqlite3_bind_int64(statement, 4, (sqlite3_int64)object->extent.offset);
            sqlite3_bind_int64(statement, 5, (sqlite3_int64)object->extent.length);
            status = gk_db_run(db, statement, error);
        }
    }
    return status;
}

static enum gk_status check_names(struct gk_db *db, const struct gk_embedded_batch *batch,
                                  struct gk_error *error)
{
    for (size_t i = 0; batch != NULL && i < batch->objects_count; i++) {
        struct found found;
        const enum gk_status status =
            find_object(db, GK_POOL_DATA, batch->objects[i].name, &found, error);
        if (status != GK_OK) {
            return status;
        }
        if (found.exists) {
            return gk_fail(error, GK_E_EXISTS, "there is a data object of that name");
        }
    }
    return GK_OK;
}

/* All that can be refused, before anything is changed: then a refusal needs no roll-back, and is
 * nobody else's trouble. */
static enum gk_status check_commit(struct gk_db *db, const struct gk_commit *commit,
                                   struct found *found, struct gk_error *error)
{
    const struct gk_write_op *op = commit->op;
    enum gk_status status = find_object(db, op->pool, op->object, found, error);
    for (size_t i = 0; status == GK_OK && i < op->guards_count; i++) {
        status = check_guard(db, &op->guards[i], found, error);
    }
    if (status == GK_OK && op->changes_count == 1 && op->changes[0].kind == GK_CHANGE_REMOVE &&
        !found->exists) {
        status = gk_fail(error, GK_E_NOT_FOUND, "no such object");
    }
    return status == GK_OK ? check_names(db, commit->batch, error) : status;
}

static bool is_refusal(enum gk_status status)
{
    return status == GK_E_NOT_FOUND || status == GK_E_EXISTS || status == GK_E_CONFLICT;
}

static enum gk_status change_object(struct gk_embedded *store, struct gk_commit *commit,
                                    struct found *found, struct freed *freed,
                                    struct gk_error *error)
{
    struct gk_db *db = &store->writer;
    const struct gk_write_op *op = commit->op;
    enum gk_status status = GK_OK;
    if (!found->exists) {
        status = insert_object(store, op->pool, op->object, 0, NULL, found, error);
        commit->version = found->version;
    } else if (op->changes[0].kind != GK_CHANGE_REMOVE) {
        commit->version = next_version(store, found->version);
        status = touch_object(db, found, commit->version, error);
    }
    for (size_t i = 0; status == GK_OK && i < op->changes_count; i++) {
        status = apply_change(db, op->pool, &op->changes[i], found->id, freed, error);
    }
    return status;
}

/* *broken tells that the database failed, and with it the whole transaction. */
static enum gk_status apply_op(struct gk_embedded *store, struct gk_commit *commit,
                               struct freed *freed, bool *broken, struct gk_error *error)
{
    struct found found = {0};
    enum gk_status status = check_commit(&store->writer, commit, &found, error);
    if (status != GK_OK) {
        *broken = !is_refusal(status);
        return status;
    }
    status = insert_data(store, commit->batch, error);
    if (status == GK_OK && commit->op->changes_count > 0) {
        status = change_object(store, commit, &found, freed, error);
    } else {
        commit->version = found.version;
    }
    *broken = status != GK_OK;
    return status;
}

static enum gk_status apply_removal(struct gk_db *db, const struct gk_commit *commit,
                                    struct freed *freed, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < commit->removed_count; i++) {
        struct found found;
        status = find_object(db, commit->pool, commit->removed[i], &found, error);
        if (status == GK_OK && found.exists) {
            status = remove_object(db, commit->pool, found.id, freed, error);
        }
    }
    return status;
}

/* --- the group --------------------------------------------------------------------------------- */

/* Data first: what a record will name must be on the disk before the record is. */
static enum gk_status sync_volumes(struct gk_embedded *store, const struct gk_commit *group,
                                   struct gk_error *error)
{
    /* Extents are given out in order, so a group spans one or two neighbouring volumes. */
    uint32_t synced = UINT32_MAX;
    for (const struct gk_commit *commit = group; commit != NULL; commit = commit->next) {
        for (size_t i = 0; commit->batch != NULL && i < commit->batch->objects_count; i++) {
            const struct gk_new_object *object = &commit->batch->objects[i];
            if (object->in_volume && object->extent.volume != synced) {
                const enum gk_status status =
                    gk_volumes_sync(store->volumes, object->extent.volume, error);
                if (status != GK_OK) {
                    return status;
                }
                synced = object->extent.volume;
            }
        }
    }
    return GK_OK;
}

static void fail_group(struct gk_commit *group, const struct gk_error *error)
{
    for (struct gk_commit *commit = group; commit != NULL; commit = commit->next) {
        /* A guard that did not hold was judged by a state that is rolled back now. */
        commit->status = error->status;
        commit->error = *error;
    }
}

static void run_group(struct gk_embedded *store, struct gk_commit *group)
{
    struct gk_db *db = &store->writer;
    struct freed freed = {0};
    struct gk_error error = {0};
    enum gk_status status = sync_volumes(store, group, &error);
    if (status == GK_OK) {
        status = gk_db_run(db, gk_db_use(db, GK_DB_BEGIN), &error);
    }
    bool begun = status == GK_OK;
    for (struct gk_commit *commit = group; status == GK_OK && commit != NULL;
         commit = commit->next) {
        bool broken = false;
        if (commit->op != NULL) {
            commit->status = apply_op(store, commit, &freed, &broken, &commit->error);
        } else {
            commit->status = apply_removal(db, commit, &freed, &commit->error);
            broken = commit->status != GK_OK;
        }
        if (broken) {
            status = commit->status;
            error = commit->error;
        }
    }
    if (status == GK_OK) {
        status = gk_db_run(db, gk_db_use(db, GK_DB_COMMIT), &error);
    }
    if (status != GK_OK) {
        if (begun && sqlite3_get_autocommit(db->handle) == 0) {
            sqlite3_step(gk_db_use(db, GK_DB_ROLLBACK));
        }
        fail_group(group, &error);
    } else {
        gk_embedded_free_extents(store, freed.extents, freed.count);
    }
    free(freed.extents);
}

/* Leads one group: takes what waits, commits it, wakes all of it, and names the next leader. */
static void lead(struct gk_embedded *store, struct gk_commit *self)
{
    pthread_mutex_lock(&store->mutex);
    struct gk_commit *group = store->queue_head;
    store->queue_head = NULL;
    store->queue_tail = &store->queue_head;
    pthread_mutex_unlock(&store->mutex);

    run_group(store, group);

    while (group != NULL) {
        /* A woken commit is gone with its owner's stack. */
        struct gk_commit *next = group->next;
        if (group != self) {
            group->must_lead = false;
            sem_post(&group->woken);
        }
        group = next;
    }
    pthread_mutex_lock(&store->mutex);
    if (store->queue_head != NULL) {
        store->queue_head->must_lead = true;
        sem_post(&store->queue_head->woken);
    } else {
        store->leading = false;
    }
    pthread_mutex_unlock(&store->mutex);
}

enum gk_status gk_embedded_commit(struct gk_embedded *store, struct gk_commit *commit,
                                  struct gk_error *error)
{
    sem_init(&commit->woken, 0, 0);
    commit->next = NULL;
    pthread_mutex_lock(&store->mutex);
    *store->queue_tail = commit;
    store->queue_tail = &commit->next;
    bool leads = !store->leading;
    store->leading = true;
    pthread_mutex_unlock(&store->mutex);
    if (!leads) {
        while (sem_wait(&commit->woken) != 0 && errno == EINTR) {
        }
        leads = commit->must_lead;
    }
    if (leads) {
        lead(store, commit);
    }
    sem_destroy(&commit->woken);
    if (commit->status != GK_OK && error != NULL) {
        *error = commit->error;
    }
    return commit->status;
}
