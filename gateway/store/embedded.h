/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the embedded engine.
 *
 *   embedded.c         opening, closing, the reads
 *   embedded_batch.c   data objects on their way to a commit
 *   embedded_commit.c  group commit: guards and changes, one transaction for all who wait
 *   embedded_blocks.c  bytes of objects that are written in place
 *   database.c readers.c volume.c   what they stand on
 *
 * A commit is led by one of those who wait for it: it takes what has queued up, syncs the volumes
 * that were written to, applies everything in order in one transaction, and wakes the others. So a
 * lone writer pays no thread switch, and many share one sync.
 */
#ifndef GATEWAY_STORE_EMBEDDED_H
#define GATEWAY_STORE_EMBEDDED_H

#include <pthread.h>
#include <semaphore.h>

#include "common/buf.h"
#include "gateway/store/database.h"
#include "gateway/store/engine.h"
#include "gateway/store/readers.h"
#include "gateway/store/volume.h"

/* Contents up to this size stand in the database: one sync instead of two, at the price of being
 * written twice. */
#define GK_INLINE_BYTES_MAX 16384u

/*
 * An object that is written in place has its bytes in the database as well, in blocks of this size: so
 * what one operation writes is one transaction with its guards, wherever it lies. Its own bytes are empty,
 * whatever its size; a block that is not there is zeros.
 */
#define GK_STORE_BLOCK_BYTES 4096u

/* A version is a time in milliseconds and, below it, a count of what was changed within one. */
#define GK_VERSION_TIME_BITS 10u

/* A data object of a batch: inline bytes, or an extent. */
struct gk_new_object {
    char *name;
    uint64_t size;
    struct gk_buf bytes;
    bool in_volume;
    struct gk_extent extent;
    uint64_t written;
};

struct gk_embedded_batch {
    struct gk_store_batch base;
    struct gk_new_object *objects;
    size_t objects_count;
};

/* What waits for a commit. Lives on the waiting thread's stack. */
struct gk_commit {
    struct gk_commit *next;
    const struct gk_write_op *op;          /* NULL for a removal */
    const struct gk_embedded_batch *batch; /* NULL without data objects */
    enum gk_store_pool pool;               /* of a removal */
    const char *const *removed;
    size_t removed_count;
    enum gk_status status;
    uint64_t version;
    struct gk_error error;
    bool must_lead; /* when woken: nobody leads, do it */
    sem_t woken;
};

struct gk_embedded {
    struct gk_store base;
    int lock_fd;
    struct gk_volumes *volumes;
    struct gk_readers *readers;
    struct gk_db writer;   /* of whoever leads, like the next */
    uint64_t last_version; /* given to any object since the start */

    pthread_mutex_t mutex; /* guards the queue and what the janitor gets */
    struct gk_commit *queue_head;
    struct gk_commit **queue_tail;
    bool leading;

    /* The janitor frees extents and runs checkpoints beside the commits. */
    pthread_t janitor;
    bool janitor_running;
    pthread_cond_t work;
    bool closing;
    struct gk_extent *freed;
    size_t freed_count;
    size_t freed_max;
    int wal_frames;
    struct gk_db checkpointer;
};

/* embedded_commit.c: runs the commit to its end and returns its status. */
enum gk_status gk_embedded_commit(struct gk_embedded *store, struct gk_commit *commit,
                                  struct gk_error *error);
/* Hands extents to the janitor; frees them at once where memory is out. */
void gk_embedded_free_extents(struct gk_embedded *store, const struct gk_extent *extents,
                              size_t count);

/* embedded_blocks.c */
enum gk_status gk_embedded_blocks_write(struct gk_db *db, int64_t object,
                                        const struct gk_change *change,
                                        struct gk_error *error) GK_MUST_USE;
enum gk_status gk_embedded_blocks_read(struct gk_db *db, int64_t object, uint64_t offset,
                                       uint8_t *buffer, size_t len,
                                       struct gk_error *error) GK_MUST_USE;

/* embedded_batch.c */
enum gk_status gk_embedded_batch_begin(struct gk_store *store, struct gk_store_batch **out,
                                       struct gk_error *error);
enum gk_status gk_embedded_batch_object(struct gk_store_batch *batch, const char *object,
                                        uint64_t size_bytes, struct gk_error *error);
enum gk_status gk_embedded_batch_append(struct gk_store_batch *batch, struct gk_span bytes,
                                        struct gk_error *error);
enum gk_status gk_embedded_batch_commit(struct gk_store_batch *batch, const struct gk_write_op *op,
                                        uint64_t *new_version, struct gk_error *error);
void gk_embedded_batch_abort(struct gk_store_batch *batch);

#endif
