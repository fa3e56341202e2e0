/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/rows.h"

#include "common/error.h"
#include "gateway/blob/record.h"

#define STEP 64u /* rows that are read at once */

void gk_rows_init(struct gk_rows *rows, const struct gk_removal *removal,
                  const struct gk_id *container, const char *index, struct gk_error *error)
{
    *rows = (struct gk_rows){
        .removal = removal,
        .place = {.plugin = removal->plugin, .account = removal->account, .container = *container},
        .index = index,
        .error = error};
}

/* Some rows, copied out of a walk. */
struct some_rows {
    struct gk_buf rows; /* key length 2 | key | value length 4 | value ... */
    struct gk_buf last; /* key */
    size_t count;
};

static bool collect(void *ctx, struct gk_span key, struct gk_span value)
{
    struct some_rows *some = ctx;
    gk_buf_append_u16(&some->rows, (uint16_t)key.len);
    gk_buf_append(&some->rows, key.data, key.len);
    gk_buf_append_u32(&some->rows, (uint32_t)value.len);
    gk_buf_append(&some->rows, value.data, value.len);
    gk_buf_reset(&some->last);
    gk_buf_append(&some->last, key.data, key.len);
    some->count++;
    return true;
}

static bool less(struct gk_span a, struct gk_span b)
{
    const int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order < 0 || (order == 0 && a.len < b.len);
}

/* *more: there may be others, of those that are wanted. */
static enum gk_status for_some(const struct some_rows *some, struct gk_span before, gk_row_fn *fn,
                               void *ctx, bool *more)
{
    enum gk_status status = gk_buf_status(&some->rows);
    struct gk_reader in = gk_reader_of(gk_buf_span(&some->rows));
    *more = some->count == STEP;
    while (status == GK_OK && in.rest.len > 0) {
        const struct gk_span key = gk_read_span(&in, gk_read_u16(&in));
        const struct gk_span value = gk_read_span(&in, gk_read_u32(&in));
        if (before.len > 0 && !less(key, before)) {
            *more = false;
            break;
        }
        status = fn(ctx, key, value);
    }
    return status;
}

enum gk_status gk_rows_walk_part(const struct gk_rows *rows, struct gk_span prefix,
                                 struct gk_span from, struct gk_span before, gk_row_fn *fn,
                                 void *ctx)
{
    const struct gk_removal *removal = rows->removal;
    struct some_rows some = {.count = 0};
    struct gk_buf after;
    gk_buf_init(&some.rows, STEP * (size_t)(GK_MANIFEST_PAGE_BYTES_MAX + GK_MAP_KEY_BYTES_MAX + 6));
    gk_buf_init(&some.last, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&after, from.data, from.len);
    enum gk_status status = GK_OK;
    bool first = true;
    bool more = true;
    while (status == GK_OK && more) {
        const struct gk_map_range range = {.prefix = prefix,
                                           .after = gk_buf_span(&after),
                                           .after_inclusive = first && from.len > 0,
                                           .limit = STEP};
        gk_buf_reset(&some.rows);
        some.count = 0;
        status = removal->stop != NULL && removal->stop(removal->stop_ctx)
                     ? gk_fail(rows->error, GK_E_UNAVAILABLE, "broken off")
                     : gk_store_map_walk(removal->store, GK_POOL_META, rows->index, &range, collect,
                                         &some, rows->error);
        if (status == GK_OK) {
            status = for_some(&some, before, fn, ctx, &more);
        }
        gk_buf_reset(&after);
        gk_buf_append(&after, some.last.data, some.last.len);
        first = false;
    }
    gk_buf_cleanup(&some.rows);
    gk_buf_cleanup(&some.last);
    gk_buf_cleanup(&after);
    return status;
}

enum gk_status gk_rows_walk(const struct gk_rows *rows, struct gk_span prefix, gk_row_fn *fn,
                            void *ctx)
{
    const struct gk_span all = {0};
    return gk_rows_walk_part(rows, prefix, all, all, fn, ctx);
}
