/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists a pool in the order of its objects' hashes, which is RADOS' own. librados fetches a thousand
 * names or so at a time and can begin anew at a hash. So a cursor is the hash, 4 bytes, at which the
 * fetch of the last name visited began, and that name: the fetch is made once more, and what comes up
 * to the name is passed over. Where the name is gone by then, all of the fetch comes twice.
 */
#include <errno.h>

#include "common/error.h"
#include "gateway/store/rados.h"

#define HASH_BYTES      4u
#define FETCH_BYTES_MAX (1u << 20)

struct list {
    const struct gk_rados *store;
    enum gk_store_pool pool;
    rados_list_ctx_t names;
    uint32_t fetch;    /* the hash at which the present fetch began */
    uint32_t position; /* and the one at which the next one will */
    const char *name;  /* the present name, until the next is asked for; NULL after the last */
    gk_store_visit_fn *visit;
    void *ctx;
    struct gk_buf *cursor;
    bool stopped;
};

/* Goes to the next name; *fetched tells that it is the first of a new fetch. */
static enum gk_status next_name(struct list *list, bool *fetched, struct gk_error *error)
{
    const int code = gk_rados_code(list->store, list->pool,
                                   rados_nobjects_list_next(list->names, &list->name, NULL, NULL));
    const uint32_t position = rados_nobjects_list_get_pg_hash_position(list->names);
    *fetched = position != list->position;
    if (*fetched) {
        list->fetch = list->position;
        list->position = position;
    }
    if (code < 0) {
        list->name = NULL;
    }
    return code < 0 && code != -ENOENT ? gk_rados_fail(error, code, "listing a pool") : GK_OK;
}

static void visit_name(struct list *list, uint32_t fetch, struct gk_span name)
{
    if (list->visit(list->ctx, name, gk_span_of(NULL, 0))) {
        return;
    }
    list->stopped = true;
    gk_buf_reset(list->cursor);
    gk_buf_append_u32(list->cursor, fetch);
    gk_buf_append(list->cursor, name.data, name.len);
}

/* Goes past last, if it is among the names of the first fetch. If not, these are visited: they stand
 * in passed, each with its NUL. */
static enum gk_status pass_over(struct list *list, struct gk_span last, struct gk_buf *passed,
                                struct gk_error *error)
{
    const uint32_t fetch = list->position;
    bool fetched = false;
    enum gk_status status = next_name(list, &fetched, error);
    fetched = false; /* the first one is no news */
    while (status == GK_OK && list->name != NULL && !fetched) {
        if (gk_span_equal(gk_span_str(list->name), last)) {
            return next_name(list, &fetched, error);
        }
        gk_buf_append(passed, list->name, strlen(list->name) + 1);
        status = next_name(list, &fetched, error);
    }
    if (status == GK_OK) {
        status = gk_buf_status(passed);
    }
    for (size_t at = 0; status == GK_OK && at < passed->len && !list->stopped;) {
        const struct gk_span name = gk_span_str((const char *)passed->data + at);
        visit_name(list, fetch, name);
        at += name.len + 1;
    }
    return status;
}

static enum gk_status run(struct list *list, struct gk_span last, struct gk_error *error)
{
    struct gk_buf passed;
    bool fetched = false;
    gk_buf_init(&passed, FETCH_BYTES_MAX);
    enum gk_status status =
        last.len > 0 ? pass_over(list, last, &passed, error) : next_name(list, &fetched, error);
    gk_buf_cleanup(&passed);
    while (status == GK_OK && list->name != NULL && !list->stopped) {
        visit_name(list, list->fetch, gk_span_str(list->name));
        if (!list->stopped) {
            status = next_name(list, &fetched, error);
        }
    }
    return status;
}

enum gk_status gk_rados_list(struct gk_store *base, enum gk_store_pool pool, struct gk_buf *cursor,
                             gk_store_visit_fn *visit, void *ctx, struct gk_error *error)
{
    struct list list = {
        .store = gk_rados_own(base), .pool = pool, .visit = visit, .ctx = ctx, .cursor = cursor};
    /* librados ends the process that goes through a pool which is there no more. */
    const int code = gk_rados_has_pool(list.store, pool)
                         ? rados_nobjects_list_open(list.store->io[pool], &list.names)
                         : GK_RADOS_NO_POOL;
    if (code < 0) {
        return gk_rados_fail(error, code, "listing a pool");
    }
    char last[GK_LIST_CURSOR_BYTES_MAX] = "";
    struct gk_reader reader = gk_reader_of(gk_buf_span(cursor));
    const uint32_t hash = cursor->len == 0 ? 0 : gk_read_u32(&reader);
    const size_t last_len = reader.rest.len;
    enum gk_status status = GK_OK;
    if (reader.failed || last_len >= sizeof last) {
        status = gk_fail(error, GK_E_INVALID, "a cursor that no list has given");
    } else {
        if (last_len > 0) {
            memcpy(last, reader.rest.data, last_len);
        }
        list.fetch = hash;
        (void)rados_nobjects_list_seek(list.names, hash);
        list.position = hash;
        status = run(&list, gk_span_of(last, last_len), error);
    }
    rados_nobjects_list_close(list.names);
    if (status == GK_OK && !list.stopped) {
        gk_buf_reset(cursor);
    }
    return status == GK_OK ? gk_buf_status(cursor) : status;
}
