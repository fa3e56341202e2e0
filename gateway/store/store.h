/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: RADOS's own model, small. An object, named within a pool, has bytes, extended
 * attributes, an ordered map of byte-string keys to byte-string values, and a version that grows
 * with each change. One write operation checks guards and changes several parts of one object
 * atomically. Engines: embedded (SQLite and volume files, one process) and, behind the same
 * interface, librados, where several processes share a store. tests/unit/store_suite.h is the one
 * suite that every engine passes.
 *
 * Durability: a write that returned GK_OK is on stable storage. Readers see only durable writes.
 *
 * A batch publishes: data objects first, then one guarded operation that makes them visible. When
 * it fails, or the process dies, nothing refers to the data objects and they are removed: at once, at
 * the next start, or by scrub, as the engine can. After GK_E_UNAVAILABLE it is not known whether the
 * commit was carried out, or will be: then the data objects stay.
 *
 * Threads: every function may be called from any thread; a batch belongs to one thread at a time.
 * Names and keys are copied; values passed in must live until the call returns.
 *
 * Errors: GK_E_NOT_FOUND (no such object or map key), GK_E_EXISTS (GK_GUARD_ABSENT or
 * GK_GUARD_MAP_ABSENT found something, or a batch's name is taken), GK_E_CONFLICT (another guard did
 * not hold), GK_E_LIMIT (a name, value or buffer is too long), GK_E_INVALID (an operation that no
 * state allows), GK_E_RESOURCE (disk full or broken), GK_E_UNAVAILABLE.
 */
#ifndef GATEWAY_STORE_STORE_H
#define GATEWAY_STORE_STORE_H

#include "common/span.h"

#define GK_OBJECT_NAME_BYTES_MAX 512u /* without NUL */
#define GK_MAP_KEY_BYTES_MAX     2064u
#define GK_ATTR_NAME_BYTES_MAX   100u /* of any bytes but NUL, one at least: RADOS takes no more */
#define GK_MAP_VALUE_BYTES_MAX   (1u << 20)
/* One object's bytes; larger things are striped over several by the caller. */
#define GK_OBJECT_BYTES_MAX (16u << 20)

enum gk_store_pool {
    GK_POOL_META = 0, /* replicated: accounts and indexes, with attributes and maps */
    GK_POOL_DATA = 1  /* may be erasure coded: bytes only */
};

struct gk_store;

/* --- write operations ------------------------------------------------------------------------ */

enum gk_guard_kind {
    GK_GUARD_EXISTS,     /* the object exists */
    GK_GUARD_ABSENT,     /* it does not (exclusive create) */
    GK_GUARD_VERSION,    /* its version equals number */
    GK_GUARD_MAP_EQUAL,  /* map[key] exists and equals value */
    GK_GUARD_MAP_EXISTS, /* map[key] exists */
    GK_GUARD_MAP_ABSENT  /* it does not */
};

struct gk_guard {
    enum gk_guard_kind kind;
    uint64_t number;
    struct gk_span key;
    struct gk_span value;
};

enum gk_change_kind {
    GK_CHANGE_CREATE,   /* nothing more than making the object exist */
    GK_CHANGE_ATTR_SET, /* attribute key := value */
    GK_CHANGE_ATTR_REMOVE,
    GK_CHANGE_MAP_SET,    /* map[key] := value, of one byte at least: RADOS compares an absent value
                           * as an empty one */
    GK_CHANGE_MAP_REMOVE, /* absent is fine */
    GK_CHANGE_BYTES, /* in GK_POOL_DATA: the bytes from number on := value, of one byte at least. What
                           * was never written before the object's end reads as zeros. Of an object
                           * that no batch made: such a one never changes. */
    GK_CHANGE_REMOVE /* the whole object; must stand alone */
};

struct gk_change {
    enum gk_change_kind kind;
    struct gk_span key;
    struct gk_span value;
    uint64_t
        number; /* of GK_CHANGE_BYTES: the offset, with value's end up to GK_OBJECT_BYTES_MAX */
};

/* Checks all guards, then makes all changes, atomically. Creates the object when a change needs it
 * and no guard forbids. Without changes it only checks. */
struct gk_write_op {
    enum gk_store_pool pool;
    const char *object;
    const struct gk_guard *guards;
    size_t guards_count;
    const struct gk_change *changes;
    size_t changes_count;
};

/* new_version may be NULL; the version as it is when nothing changes, 0 for no object. */
enum gk_status gk_store_write(struct gk_store *store, const struct gk_write_op *op,
                              uint64_t *new_version, struct gk_error *error) GK_MUST_USE;
/* Operations that do not depend on each other, under way together where the engine can. The first
 * error, in their order, is returned; all are tried, but for what is left when the store is away. */
enum gk_status gk_store_write_many(struct gk_store *store, const struct gk_write_op *ops,
                                   size_t count, struct gk_error *error) GK_MUST_USE;

/* --- batches ---------------------------------------------------------------------------------- */

struct gk_store_batch;

enum gk_status gk_store_batch_begin(struct gk_store *store, struct gk_store_batch **out,
                                    struct gk_error *error) GK_MUST_USE;
/*
 * Starts a new data object of exactly size_bytes (at most GK_OBJECT_BYTES_MAX; 0 is an empty
 * object) in GK_POOL_DATA; the name must be new. Bytes follow in order through batch_append, in
 * pieces of any size; an object is complete when size_bytes have come, and the next may be started.
 * append may return before the bytes are written; it copies them, waits when too much is under way,
 * and reports an earlier failure.
 */
enum gk_status gk_store_batch_object(struct gk_store_batch *batch, const char *object,
                                     uint64_t size_bytes, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_store_batch_append(struct gk_store_batch *batch, struct gk_span bytes,
                                     struct gk_error *error) GK_MUST_USE;
/*
 * Makes all objects of the batch durable, then applies op; one group commit where the engine can.
 * Consumes the batch whatever the result. On failure nothing is visible.
 */
enum gk_status gk_store_batch_commit(struct gk_store_batch *batch, const struct gk_write_op *op,
                                     uint64_t *new_version, struct gk_error *error) GK_MUST_USE;
/* Drops the batch and what it wrote. NULL is fine. */
void gk_store_batch_abort(struct gk_store_batch *batch);

/* --- reads ------------------------------------------------------------------------------------ */

/*
 * Reads [offset, offset + len) of the object's bytes into buffer. *read_len is shorter only at the
 * object's end.
 */
enum gk_status gk_store_read(struct gk_store *store, enum gk_store_pool pool, const char *object,
                             uint64_t offset, uint8_t *buffer, size_t len, size_t *read_len,
                             struct gk_error *error) GK_MUST_USE;

/*
 * The same without waiting: begin hands the read to the engine, end waits for it. buffer must live
 * until end, which must follow a begin that returned GK_OK, from any thread. How many bytes are under
 * way at once is bounded: begin may wait.
 */
struct gk_store_read;
enum gk_status gk_store_read_begin(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, uint64_t offset, uint8_t *buffer, size_t len,
                                   struct gk_store_read **out, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_store_read_end(struct gk_store_read *read, size_t *read_len,
                                 struct gk_error *error) GK_MUST_USE;

/* Parts of an object's bytes, all of one state, and its version. read_len is as above. */
struct gk_read_part {
    uint64_t offset;
    uint8_t *buffer;
    size_t len;
    size_t read_len;
};
enum gk_status gk_store_read_parts(struct gk_store *store, enum gk_store_pool pool,
                                   const char *object, struct gk_read_part *parts, size_t count,
                                   uint64_t *version, struct gk_error *error) GK_MUST_USE;

struct gk_store_stat {
    uint64_t size_bytes;
    int64_t modified_wall_ms; /* its last change, perhaps to the second below; 0: the engine knows
                               * that no batch is writing it */
};
enum gk_status gk_store_stat(struct gk_store *store, enum gk_store_pool pool, const char *object,
                             struct gk_store_stat *out, struct gk_error *error) GK_MUST_USE;

/* Appends map[key] to value, whose maximum bounds it. */
struct gk_buf;
enum gk_status gk_store_map_get(struct gk_store *store, enum gk_store_pool pool, const char *object,
                                struct gk_span key, struct gk_buf *value,
                                struct gk_error *error) GK_MUST_USE;

/* Return false to end the walk. The spans live during the call only. */
typedef bool gk_store_visit_fn(void *ctx, struct gk_span key, struct gk_span value);

/* Visits those of the keys that exist, with their values, in no order, all of one state and in one
 * round trip. GK_E_NOT_FOUND: no such object. */
enum gk_status gk_store_map_find(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, const struct gk_span *keys, size_t count,
                                 gk_store_visit_fn *visit, void *ctx,
                                 struct gk_error *error) GK_MUST_USE;

/*
 * Visits map entries in byte order of their keys: those that start with prefix and are greater than
 * after (or, with after_inclusive, not less), and no more than limit of them. The visitor must not
 * write to the store. A walk with a limit of GK_MAP_WALK_ENTRIES or less sees one state of the object;
 * a longer one may go on with what was changed meanwhile.
 */
#define GK_MAP_WALK_ENTRIES 512u
struct gk_map_range {
    struct gk_span prefix;
    struct gk_span after;
    bool after_inclusive;
    uint32_t limit; /* 0: none. An engine fetches no more than this: say what is wanted. */
};
enum gk_status gk_store_map_walk(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, const struct gk_map_range *range,
                                 gk_store_visit_fn *visit, void *ctx,
                                 struct gk_error *error) GK_MUST_USE;

/*
 * Walks of several objects, under way together where the engine can; each with a limit of
 * GK_MAP_WALK_ENTRIES at most. Visitors are called on this thread, one at a time. The first error, in
 * their order, is returned; all are tried, but for what is left when the store is away.
 */
struct gk_map_walk {
    const char *object;
    struct gk_map_range range;
    gk_store_visit_fn *visit;
    void *ctx;
};
enum gk_status gk_store_map_walk_many(struct gk_store *store, enum gk_store_pool pool,
                                      const struct gk_map_walk *walks, size_t count,
                                      struct gk_error *error) GK_MUST_USE;

/* Visits all attributes; *version is of the same state. */
enum gk_status gk_store_attrs(struct gk_store *store, enum gk_store_pool pool, const char *object,
                              gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                              struct gk_error *error) GK_MUST_USE;
/* For a guard of what is read afterwards. GK_E_NOT_FOUND. */
enum gk_status gk_store_version(struct gk_store *store, enum gk_store_pool pool, const char *object,
                                uint64_t *version, struct gk_error *error) GK_MUST_USE;

/*
 * Visits the names (as keys; values are empty) of a pool's objects, in an order of the engine's own.
 * cursor, empty at first, says where to go on and is moved past what was visited; it is opaque, may be
 * kept for another day, and is empty again after the last name. Some names may come twice, none that
 * was there all the time is left out. A pool may hold very many objects: this is for scrub.
 */
#define GK_LIST_CURSOR_BYTES_MAX 1024u
enum gk_status gk_store_list(struct gk_store *store, enum gk_store_pool pool, struct gk_buf *cursor,
                             gk_store_visit_fn *visit, void *ctx,
                             struct gk_error *error) GK_MUST_USE;

/* --- removal of many -------------------------------------------------------------------------- */

/* Removes objects that nothing refers to any more; absent ones are fine. Not one atomic step. */
enum gk_status gk_store_remove(struct gk_store *store, enum gk_store_pool pool,
                               const char *const *objects, size_t count,
                               struct gk_error *error) GK_MUST_USE;

/* --- between processes on one store ----------------------------------------------------------- */

/*
 * Notices: notify tells every process that watches the object, its own included, something short, as
 * soon as may be and at best once: one may be lost. A watch that may have missed some is told by a
 * notice without bytes. The function is called on a thread of the engine's, one call at a time, and
 * may use the store. On an engine for one process nobody is told anything.
 */
typedef void gk_store_notice_fn(void *ctx, struct gk_span bytes);
struct gk_store_watch;
/* object, in GK_POOL_META, is made when it is not there. */
enum gk_status gk_store_watch(struct gk_store *store, const char *object,
                              gk_store_notice_fn *notice, void *ctx, struct gk_store_watch **out,
                              struct gk_error *error) GK_MUST_USE;
/* Returns when no call of the function is under way: not to be called from it. NULL is fine. */
void gk_store_unwatch(struct gk_store_watch *watch);
/* Does not wait for those who are told. bytes: GK_NOTICE_BYTES_MAX at most. */
#define GK_NOTICE_BYTES_MAX 256u
void gk_store_notify(struct gk_store *store, const char *object, struct gk_span bytes);

/*
 * A lease: the exclusive right of this process, for duration_ms by the store's own clock, to some
 * work. Taking it again renews it. It saves work and guards nothing: writes have guards for that.
 * object, in GK_POOL_META, is made when it is not there. GK_E_CONFLICT: another process has it. On an
 * engine for one process it is always granted.
 */
enum gk_status gk_store_lease_take(struct gk_store *store, const char *object, uint32_t duration_ms,
                                   struct gk_error *error) GK_MUST_USE;
/* Of a lease that is not held, nothing. */
void gk_store_lease_release(struct gk_store *store, const char *object);

/* --- engines ---------------------------------------------------------------------------------- */

/*
 * The embedded engine in a directory (created with mode 0700 if it is missing), locked against a
 * second process. Ends in GK_E_CONFLICT when another one has it.
 */
enum gk_status gk_store_embedded_open(const char *directory, struct gk_store **out,
                                      struct gk_error *error) GK_MUST_USE;

/* A Ceph cluster, by librados. All strings are copied; NULL where the default will do. */
struct gk_store_rados_options {
    const char *conf;       /* ceph.conf; NULL: librados' own search */
    const char *user;       /* "client.gatekey" when NULL */
    const char *keyring;    /* NULL: as conf says */
    const char *meta_pool;  /* "gatekey.meta" when NULL; replicated */
    const char *data_pool;  /* "gatekey.data" when NULL; may be erasure coded */
    const char *namespace_; /* of both pools; "" when NULL */
    uint32_t op_timeout_s;  /* GK_E_UNAVAILABLE after so long without an answer; 10 when 0 */
};
/*
 * Connects; GK_E_UNAVAILABLE when no monitor answers within op_timeout_s, GK_E_DENIED when the cluster
 * refuses the user, GK_E_NOT_FOUND when a pool is not there, GK_E_INVALID for settings that cannot be
 * used; the message says what to do. A cluster that goes away later makes calls end in
 * GK_E_UNAVAILABLE until it is back.
 */
enum gk_status gk_store_rados_open(const struct gk_store_rados_options *options,
                                   struct gk_store **out, struct gk_error *error) GK_MUST_USE;

/* Waits for what is under way. NULL is fine. */
void gk_store_close(struct gk_store *store);

#endif
