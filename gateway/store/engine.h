/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine implements behind store.h. Limits are checked before it is called. */
#ifndef GATEWAY_STORE_ENGINE_H
#define GATEWAY_STORE_ENGINE_H

#include "gateway/store/store.h"

struct gk_store_ops {
    void (*close)(struct gk_store *store);
    enum gk_status (*write)(struct gk_store *store, const struct gk_write_op *op,
                            uint64_t *new_version, struct gk_error *error);
    enum gk_status (*write_many)(struct gk_store *store, const struct gk_write_op *ops,
                                 size_t count, struct gk_error *error);
    enum gk_status (*batch_begin)(struct gk_store *store, struct gk_store_batch **out,
                                  struct gk_error *error);
    enum gk_status (*batch_object)(struct gk_store_batch *batch, const char *object,
                                   uint64_t size_bytes, struct gk_error *error);
    enum gk_status (*batch_append)(struct gk_store_batch *batch, struct gk_span bytes,
                                   struct gk_error *error);
    enum gk_status (*batch_commit)(struct gk_store_batch *batch, const struct gk_write_op *op,
                                   uint64_t *new_version, struct gk_error *error);
    void (*batch_abort)(struct gk_store_batch *batch);
    enum gk_status (*read)(struct gk_store *store, enum gk_store_pool pool, const char *object,
                           uint64_t offset, uint8_t *buffer, size_t len, size_t *read_len,
                           struct gk_error *error);
    enum gk_status (*read_begin)(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, uint64_t offset, uint8_t *buffer, size_t len,
                                 struct gk_store_read **out, struct gk_error *error);
    enum gk_status (*read_end)(struct gk_store_read *read, size_t *read_len,
                               struct gk_error *error);
    enum gk_status (*read_parts)(struct gk_store *store, enum gk_store_pool pool,
                                 const char *object, struct gk_read_part *parts, size_t count,
                                 uint64_t *version, struct gk_error *error);
    enum gk_status (*stat)(struct gk_store *store, enum gk_store_pool pool, const char *object,
                           struct gk_store_stat *out, struct gk_error *error);
    enum gk_status (*map_find)(struct gk_store *store, enum gk_store_pool pool, const char *object,
                               const struct gk_span *keys, size_t count, gk_store_visit_fn *visit,
                               void *ctx, struct gk_error *error);
    enum gk_status (*map_walk)(struct gk_store *store, enum gk_store_pool pool, const char *object,
                               const struct gk_map_range *range, gk_store_visit_fn *visit,
                               void *ctx, struct gk_error *error);
    /* NULL: one after the other will do. */
    enum gk_status (*map_walk_many)(struct gk_store *store, enum gk_store_pool pool,
                                    const struct gk_map_walk *walks, size_t count,
                                    struct gk_error *error);
    enum gk_status (*attrs)(struct gk_store *store, enum gk_store_pool pool, const char *object,
                            gk_store_visit_fn *visit, void *ctx, uint64_t *version,
                            struct gk_error *error);
    enum gk_status (*list)(struct gk_store *store, enum gk_store_pool pool, struct gk_buf *cursor,
                           gk_store_visit_fn *visit, void *ctx, struct gk_error *error);
    enum gk_status (*remove)(struct gk_store *store, enum gk_store_pool pool,
                             const char *const *objects, size_t count, struct gk_error *error);
    enum gk_status (*watch)(struct gk_store *store, const char *object, gk_store_notice_fn *notice,
                            void *ctx, struct gk_store_watch **out, struct gk_error *error);
    void (*unwatch)(struct gk_store_watch *watch);
    void (*notify)(struct gk_store *store, const char *object, struct gk_span bytes);
    enum gk_status (*lease_take)(struct gk_store *store, const char *object, uint32_t duration_ms,
                                 struct gk_error *error);
    void (*lease_release)(struct gk_store *store, const char *object);
};

/* First member of every engine's own struct. */
struct gk_store {
    const struct gk_store_ops *ops;
};

/* First member of every engine's batch. expected is what is left of the object under way. */
struct gk_store_batch {
    struct gk_store *store;
    uint64_t expected;
};

/* First members of every engine's reads and watches. */
struct gk_store_read {
    struct gk_store *store;
};

struct gk_store_watch {
    struct gk_store *store;
};

#endif
