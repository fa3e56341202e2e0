/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/rados.h"

/* Whom entries are given to, and how many more he wants. */
struct visitor {
    gk_store_visit_fn *visit;
    void *ctx;
    uint64_t left;
    struct gk_buf *last; /* the last key as it is stored; may be NULL */
};

static enum gk_status visit_found(rados_omap_iter_t found, struct visitor *visitor,
                                  struct gk_error *error)
{
    uint8_t space[GK_MAP_KEY_BYTES_MAX];
    char *stored = NULL;
    char *value = NULL;
    size_t stored_len = 0;
    size_t value_len = 0;
    struct gk_span key;
    while (visitor->left > 0) {
        const int code = rados_omap_get_next2(found, &stored, &value, &stored_len, &value_len);
        if (code < 0) {
            return gk_rados_fail(error, code, "reading a map");
        }
        if (stored == NULL) {
            return GK_OK;
        }
        if (!gk_rados_key_load(gk_span_of(stored, stored_len), space, &key)) {
            return gk_fail(error, GK_E_INTEGRITY, "a map has a key that was not stored here");
        }
        visitor->left--;
        if (visitor->last != NULL) {
            gk_buf_reset(visitor->last);
            gk_buf_append(visitor->last, stored, stored_len);
        }
        if (!visitor->visit(visitor->ctx, key, gk_span_of(value, value_len))) {
            visitor->left = 0;
        }
    }
    return GK_OK;
}

enum gk_status gk_rados_map_find(struct gk_store *base, enum gk_store_pool pool, const char *object,
                                 const struct gk_span *keys, size_t count, gk_store_visit_fn *visit,
                                 void *ctx, struct gk_error *error)
{
    struct gk_rados_keys stored;
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += gk_rados_key_stored_len(keys[i]) + 1;
    }
    enum gk_status status = gk_rados_keys_init(&stored, count, bytes, error);
    if (status != GK_OK) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        gk_rados_keys_add(&stored, keys[i]);
    }
    rados_read_op_t op = rados_create_read_op();
    rados_omap_iter_t found = NULL;
    int result = 0;
    rados_read_op_omap_get_vals_by_keys2(op, stored.each, stored.count, stored.lens, &found,
                                         &result);
    /* An absent object is -ENOENT; a key that it does not have is not among those found. */
    const int code = gk_rados_read_op(gk_rados_own(base), pool, object, op, NULL);
    if (code < 0) {
        status = gk_rados_fail(error, code, "reading a map");
    } else {
        struct visitor visitor = {.visit = visit, .ctx = ctx, .left = UINT64_MAX};
        status = visit_found(found, &visitor, error);
    }
    if (found != NULL) {
        rados_omap_get_end(found);
    }
    gk_rados_keys_cleanup(&stored);
    return status;
}

/* --- walks ------------------------------------------------------------------------------------- */

/* A walk on its way; keys as they are stored. */
struct walk {
    char prefix[GK_RADOS_KEY_BYTES_MAX + 1];
    struct gk_buf after; /* go on with what is greater */
    bool with_after;     /* after itself as well */
    bool more;
};

static bool starts_with(struct gk_span text, struct gk_span prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/*
 * RADOS' range begins behind a key, or at the prefix when that is greater. So the key itself is asked
 * for beside it where it belongs to the walk: after_inclusive, and the empty key, which is greater than
 * nothing.
 */
static void walk_init(struct walk *walk, const struct gk_map_range *range)
{
    gk_rados_key_store(range->prefix, walk->prefix);
    gk_buf_init(&walk->after, GK_RADOS_KEY_BYTES_MAX);
    uint8_t *after = gk_buf_extend(&walk->after, gk_rados_key_stored_len(range->after));
    if (after != NULL) {
        gk_rados_key_store(range->after, (char *)after);
    }
    walk->with_after = (range->after_inclusive || range->after.len == 0) &&
                       starts_with(range->after, range->prefix);
    walk->more = true;
}

/* What one read of a map is waiting for. */
struct piece {
    rados_read_op_t op;
    rados_completion_t completion;
    rados_omap_iter_t itself; /* NULL: not asked for, or nothing came */
    rados_omap_iter_t found;
    unsigned char more;
    int result[2];
};

static void piece_cleanup(struct piece *piece)
{
    if (piece->itself != NULL) {
        rados_omap_get_end(piece->itself);
    }
    if (piece->found != NULL) {
        rados_omap_get_end(piece->found);
    }
    rados_release_read_op(piece->op);
}

/* Asks for one state's entries from where the walk is, the wanted number of them at most. */
static enum gk_status piece_begin(struct gk_rados *store, enum gk_store_pool pool,
                                  const char *object, const struct walk *walk,
                                  const struct visitor *visitor, struct piece *piece,
                                  struct gk_error *error)
{
    const char *after = gk_buf_str(&walk->after);
    const size_t after_len = walk->after.len;
    const uint64_t wanted =
        visitor->left < GK_MAP_WALK_ENTRIES ? visitor->left : GK_MAP_WALK_ENTRIES;
    *piece = (struct piece){.op = rados_create_read_op()};
    if (walk->with_after) {
        rados_read_op_omap_get_vals_by_keys2(piece->op, &after, 1, &after_len, &piece->itself,
                                             &piece->result[0]);
    }
    rados_read_op_omap_get_vals2(piece->op, after, walk->prefix, wanted, &piece->found,
                                 &piece->more, &piece->result[1]);
    enum gk_status status = gk_rados_completion(&piece->completion, error);
    if (status == GK_OK) {
        const int code =
            rados_aio_read_op_operate(piece->op, store->io[pool], piece->completion, object, 0);
        if (code < 0) {
            rados_aio_release(piece->completion);
            status = gk_rados_fail(error, code, "reading a map");
        }
    }
    if (status != GK_OK) {
        piece_cleanup(piece);
    }
    return status;
}

/* Waits, and visits what came. */
static enum gk_status piece_end(const struct gk_rados *store, enum gk_store_pool pool,
                                struct piece *piece, struct walk *walk, struct visitor *visitor,
                                struct gk_error *error)
{
    const int code = gk_rados_wait(store, pool, piece->completion, NULL);
    enum gk_status status = code < 0 ? gk_rados_fail(error, code, "reading a map") : GK_OK;
    if (status == GK_OK && piece->itself != NULL) {
        status = visit_found(piece->itself, visitor, error);
    }
    if (status == GK_OK) {
        status = visit_found(piece->found, visitor, error);
    }
    walk->with_after = false;
    walk->more = piece->more != 0 && visitor->left > 0;
    piece_cleanup(piece);
    return status == GK_OK ? gk_buf_status(&walk->after) : status;
}

/* A walk with whom it is for, and its read that is under way. */
struct walking {
    const char *object;
    struct walk walk;
    struct visitor visitor;
    struct piece piece;
};

static enum gk_status walking_begin(struct gk_rados *store, enum gk_store_pool pool,
                                    const struct gk_map_walk *wanted, struct walking *walking,
                                    struct gk_error *error)
{
    const struct gk_map_range *range = &wanted->range;
    if (range->prefix.len > GK_MAP_KEY_BYTES_MAX || range->after.len > GK_MAP_KEY_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "a range of keys that are too long");
    }
    *walking = (struct walking){.object = wanted->object};
    walk_init(&walking->walk, range);
    walking->visitor = (struct visitor){.visit = wanted->visit,
                                        .ctx = wanted->ctx,
                                        .left = range->limit == 0 ? UINT64_MAX : range->limit,
                                        .last = &walking->walk.after};
    enum gk_status status = gk_buf_status(&walking->walk.after);
    if (status == GK_OK) {
        status = piece_begin(store, pool, walking->object, &walking->walk, &walking->visitor,
                             &walking->piece, error);
    }
    if (status != GK_OK) {
        gk_buf_cleanup(&walking->walk.after);
    }
    return status;
}

/* To the walk's end, of one that was begun with GK_OK. */
static enum gk_status walking_end(struct gk_rados *store, enum gk_store_pool pool,
                                  struct walking *walking, struct gk_error *error)
{
    enum gk_status status =
        piece_end(store, pool, &walking->piece, &walking->walk, &walking->visitor, error);
    while (status == GK_OK && walking->walk.more) {
        status = piece_begin(store, pool, walking->object, &walking->walk, &walking->visitor,
                             &walking->piece, error);
        if (status == GK_OK) {
            status =
                piece_end(store, pool, &walking->piece, &walking->walk, &walking->visitor, error);
        }
    }
    gk_buf_cleanup(&walking->walk.after);
    return status;
}

enum gk_status gk_rados_map_walk(struct gk_store *base, enum gk_store_pool pool, const char *object,
                                 const struct gk_map_range *range, gk_store_visit_fn *visit,
                                 void *ctx, struct gk_error *error)
{
    struct gk_rados *store = gk_rados_own(base);
    const struct gk_map_walk wanted = {
        .object = object, .range = *range, .visit = visit, .ctx = ctx};
    struct walking walking;
    const enum gk_status status = walking_begin(store, pool, &wanted, &walking, error);
    return status == GK_OK ? walking_end(store, pool, &walking, error) : status;
}

/* Those that were begun; each is waited for, whatever became of others. */
static enum gk_status walk_window(struct gk_rados *store, enum gk_store_pool pool,
                                  const struct gk_map_walk *walks, size_t count,
                                  struct walking *walking, struct gk_error *error)
{
    enum gk_status began[GK_RADOS_WINDOW];
    struct gk_error why[GK_RADOS_WINDOW] = {0};
    enum gk_status first = GK_OK;
    for (size_t i = 0; i < count; i++) {
        began[i] = walking_begin(store, pool, &walks[i], &walking[i], &why[i]);
    }
    for (size_t i = 0; i < count; i++) {
        enum gk_status status = began[i];
        if (status == GK_OK) {
            status = walking_end(store, pool, &walking[i], &why[i]);
        }
        if (first == GK_OK && status != GK_OK) {
            first = gk_fail(error, status, "%s", why[i].message);
        }
    }
    return first;
}

enum gk_status gk_rados_map_walk_many(struct gk_store *base, enum gk_store_pool pool,
                                      const struct gk_map_walk *walks, size_t count,
                                      struct gk_error *error)
{
    struct gk_rados *store = gk_rados_own(base);
    struct walking *walking = calloc(GK_RADOS_WINDOW, sizeof *walking);
    if (walking == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status first = GK_OK;
    for (size_t at = 0; at < count && first != GK_E_UNAVAILABLE; at += GK_RADOS_WINDOW) {
        const size_t left = count - at;
        const enum gk_status status =
            walk_window(store, pool, walks + at, left < GK_RADOS_WINDOW ? left : GK_RADOS_WINDOW,
                        walking, first == GK_OK ? error : NULL);
        first = first == GK_OK ? status : first;
    }
    free(walking);
    return first;
}
