/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the RADOS engine (docs/decisions/0009-librados-engine.md).
 *
 *   rados.c         opening, closing, what librados' errors mean
 *   rados_key.c     map keys as librados can take them
 *   rados_write.c   guarded write operations, removal
 *   rados_guard.c   which guard it was that did not hold
 *   rados_batch.c   data objects on their way to a commit
 *   rados_read.c    bytes and attributes
 *   rados_map.c     maps
 *   rados_list.c    the names in a pool
 *   rados_share.c   notices and leases
 *
 * Everything goes through librados' asynchronous calls, each with a completion of its own: the version
 * of what was read or written stands there (that of an I/O context is whosever came last), and the
 * option rados_osd_op_timeout ends each, wherever it hangs. How much is under way at once is bounded by
 * librados (objecter_inflight_op_bytes): a call that would go beyond waits inside it.
 *
 * A write that timed out may be carried out all the same, later: the OSD may have it already. So after
 * GK_E_UNAVAILABLE nothing is known, and nothing is undone. What was acknowledged stands; what was not
 * may become visible as a whole, never in parts. In particular the data objects of a batch whose commit
 * timed out are left where they are: the commit may name them yet. If it does not, scrub finds them.
 */
#ifndef GATEWAY_STORE_RADOS_H
#define GATEWAY_STORE_RADOS_H

#include <errno.h>
#include <pthread.h>
#include <rados/librados.h>

#include "common/buf.h"
#include "gateway/store/engine.h"

/* Small operations that one call has under way at once. */
#define GK_RADOS_WINDOW 32u

/* Buffers in which pieces of data objects are gathered; used again, since memory that is touched for
 * the first time is dear. */
#define GK_RADOS_SPARE_BUFFERS 16u
struct gk_rados_buffers {
    pthread_mutex_t mutex;
    uint8_t *spare[GK_RADOS_SPARE_BUFFERS];
    size_t spare_count;
};

struct gk_rados_watch;

/* What the thread that calls watchers works from, all under mutex. */
struct gk_rados_notices {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t thread;
    bool running;
    bool closing;
    struct gk_rados_watch *watches;
    unsigned under_way; /* notices that are being sent */
};

#define GK_RADOS_COOKIE_BYTES 33u

struct gk_rados {
    struct gk_store base;
    rados_t cluster;
    rados_ioctx_t io[2]; /* by pool */
    uint32_t op_timeout_s;
    size_t piece_bytes; /* the most that one write to the data pool takes */
    bool in_stripes;    /* the data pool is erasure coded: writes begin at a stripe */
    char cookie[GK_RADOS_COOKIE_BYTES]; /* this process, to the holders of a lease */
    struct gk_rados_buffers buffers;
    struct gk_rados_notices notices;
};

static inline struct gk_rados *gk_rados_own(struct gk_store *store)
{
    return (struct gk_rados *)store;
}

/* The status of a negative code of librados, with a message that says what was tried. */
enum gk_status gk_rados_fail(struct gk_error *error, int code, const char *what);
/* A completion without a callback; GK_E_RESOURCE when there is no memory for it. */
enum gk_status gk_rados_completion(rados_completion_t *out, struct gk_error *error) GK_MUST_USE;
/* Whether the cluster has the pool still; one that was made anew under the name is another. No round trip while it has. */
bool gk_rados_has_pool(const struct gk_rados *store, enum gk_store_pool pool);
/* librados says of an object in a pool that was deleted what it says of one that is not there: the code of an operation
 * on the pool, or GK_RADOS_NO_POOL in that one's place. */
#define GK_RADOS_NO_POOL (-ENXIO)
int gk_rados_code(const struct gk_rados *store, enum gk_store_pool pool, int code);
/* Waits, releases it and returns the code of the operation on the pool. version may be NULL. */
int gk_rados_wait(const struct gk_rados *store, enum gk_store_pool pool,
                  rados_completion_t completion, uint64_t *version);
/* Runs a read operation, whose result is returned, and releases it. */
int gk_rados_read_op(struct gk_rados *store, enum gk_store_pool pool, const char *object,
                     rados_read_op_t op, uint64_t *version);

/* --- keys -------------------------------------------------------------------------------------- */

/*
 * librados takes where a walk begins and its prefix as C strings, but keys are any bytes. Stored keys
 * have 0x01 0x01 for 0x00 and 0x01 0x02 for 0x01: no NUL, the same order, and a prefix stays one.
 */
#define GK_RADOS_KEY_BYTES_MAX (2u * GK_MAP_KEY_BYTES_MAX)

/* How long a key is as it is stored. */
size_t gk_rados_key_stored_len(struct gk_span key);
/* Writes the stored key and a NUL. */
void gk_rados_key_store(struct gk_span key, char *out);
/* The key of a stored one: that itself, or made in space. False when we never stored such a one. */
bool gk_rados_key_load(struct gk_span stored, uint8_t space[GK_MAP_KEY_BYTES_MAX],
                       struct gk_span *key) GK_MUST_USE;

/* Keys as arrays for librados, in one piece of memory. */
struct gk_rados_keys {
    const char **each;
    size_t *lens;
    size_t count;
    char *next; /* where the next key is written */
};
/* For count keys that are stored_bytes long in all (gk_rados_key_stored_len + 1 each). */
enum gk_status gk_rados_keys_init(struct gk_rados_keys *keys, size_t count, size_t stored_bytes,
                                  struct gk_error *error) GK_MUST_USE;
void gk_rados_keys_add(struct gk_rados_keys *keys, struct gk_span key);
void gk_rados_keys_cleanup(struct gk_rados_keys *keys);

/* --- write operations -------------------------------------------------------------------------- */

/* One that is under way. */
struct gk_rados_write {
    const struct gk_write_op *op;
    rados_write_op_t sent; /* NULL: there is nothing to change, only to check */
    rados_completion_t completion;
    int *compared; /* what became of each guard on the map */
};

enum gk_status gk_rados_write_begin(struct gk_rados *store, const struct gk_write_op *op,
                                    struct gk_rados_write *write,
                                    struct gk_error *error) GK_MUST_USE;
/* Waits for one that was begun with GK_OK. */
enum gk_status gk_rados_write_end(struct gk_rados *store, struct gk_rados_write *write,
                                  uint64_t *new_version, struct gk_error *error) GK_MUST_USE;

/* The status of the first guard that an absent object does not meet; GK_OK when there is none. */
enum gk_status gk_rados_guards_without_object(const struct gk_write_op *op, struct gk_error *error);
/* The status of a write operation that ended with code, a negative one. */
enum gk_status gk_rados_guards_explain(struct gk_rados *store, const struct gk_rados_write *write,
                                       int code, struct gk_error *error);
/* Reads what the guards are about and checks them; *version is 0 without the object. */
enum gk_status gk_rados_guards_check(struct gk_rados *store, const struct gk_write_op *op,
                                     uint64_t *version, struct gk_error *error) GK_MUST_USE;

/* --- the engine's functions (engine.h) ----------------------------------------------------------- */

enum gk_status gk_rados_write(struct gk_store *store, const struct gk_write_op *op,
                              uint64_t *new_version, struct gk_error *error);
enum gk_status gk_rados_write_many(struct gk_store *store, const struct gk_write_op *ops,
                                   size_t count, struct gk_error *error);
enum gk_status gk_rados_remove(struct gk_store *store, enum gk_store_pool pool,
                               const char *const *objects, size_t count, struct gk_error *error);

enum gk_status gk_rados_buffers_init(struct gk_rados *store, struct gk_error *error) GK_MUST_USE;
void gk_rados_buffers_cleanup(struct gk_rados *store);
enum gk_status gk_rados_batch_begin(struct gk_store *store, struct gk_store_batch **out,
                                    struct gk_error *error);
enum gk_status gk_rados_batch_object(struct gk_store_batch *batch, const char *object,
                                     uint64_t size_bytes, struct gk_error *error);
enum gk_status gk_rados_batch_append(struct gk_store_batch *batch, struct gk_span bytes,
                                     struct gk_error *error);
enum gk_status gk_rados_batch_commit(struct gk_store_batch *batch, const struct gk_write_op *op,
                                     uint64_t *new_version, struct gk_error *error);
void gk_rados_batch_abort(struct gk_store_batch *batch);

enum gk_status gk_rados_read(struct gk_store *store, enum gk_store_pool pool, const char *object,
                             uint64_t offset, uint8_t *buffer, size_t len, size_t *read_len,
                             struct gk_error *error);
enum gk_status gk_rados_read_begin(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, uint64_t offset, uint8_t *buffer, size_t len,
                                   struct gk_store_read **out, struct gk_error *error);
enum gk_status gk_rados_read_end(struct gk_store_read *read, size_t *read_len,
                                 struct gk_error *error);
enum gk_status gk_rados_read_parts(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, struct gk_read_part *parts, size_t count,
                                   uint64_t *version, struct gk_error *error);
enum gk_status gk_rados_stat(struct gk_store *store, enum gk_store_pool pool, const char *object,
                             struct gk_store_stat *out, struct gk_error *error);
enum gk_status gk_rados_attrs(struct gk_store *store, enum gk_store_pool pool, const char *object,
                              gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                              struct gk_error *error);
enum gk_status gk_rados_map_find(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, const struct gk_span *keys, size_t count,
                                 gk_store_visit_fn *visit, void *ctx, struct gk_error *error);
enum gk_status gk_rados_map_walk(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, const struct gk_map_range *range,
                                 gk_store_visit_fn *visit, void *ctx, struct gk_error *error);
enum gk_status gk_rados_map_walk_many(struct gk_store *store, enum gk_store_pool pool,
                                      const struct gk_map_walk *walks, size_t count,
                                      struct gk_error *error);
enum gk_status gk_rados_list(struct gk_store *store, enum gk_store_pool pool, struct gk_buf *cursor,
                             gk_store_visit_fn *visit, void *ctx, struct gk_error *error);

enum gk_status gk_rados_notices_init(struct gk_rados *store, struct gk_error *error) GK_MUST_USE;
void gk_rados_notices_cleanup(struct gk_rados *store);
enum gk_status gk_rados_watch(struct gk_store *store, const char *object,
                              gk_store_notice_fn *notice, void *ctx, struct gk_store_watch **out,
                              struct gk_error *error);
void gk_rados_unwatch(struct gk_store_watch *watch);
void gk_rados_notify(struct gk_store *store, const char *object, struct gk_span bytes);
enum gk_status gk_rados_lease_take(struct gk_store *store, const char *object, uint32_t duration_ms,
                                   struct gk_error *error);
void gk_rados_lease_release(struct gk_store *store, const char *object);

#endif
