/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/list_walk.h"

#include "common/error.h"

#define FIRST_PIECE_ENTRIES 16u

void gk_list_walk_init(struct gk_list_walk *walk, struct gk_store *store, const char *object,
                       struct gk_span prefix, struct gk_span after)
{
    *walk = (struct gk_list_walk){.store = store,
                                  .object = object,
                                  .prefix = prefix,
                                  .piece = FIRST_PIECE_ENTRIES,
                                  .more = true};
    gk_buf_init(&walk->after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&walk->after, after.data, after.len);
    gk_buf_init(&walk->bytes, GK_LIST_WALK_BYTES + GK_MAP_KEY_BYTES_MAX + GK_MAP_VALUE_BYTES_MAX);
}

void gk_list_walk_cleanup(struct gk_list_walk *walk)
{
    gk_buf_cleanup(&walk->after);
    gk_buf_cleanup(&walk->bytes);
}

static struct gk_span part(const struct gk_list_walk *walk, uint32_t index)
{
    const size_t from = index == 0 ? 0 : walk->ends[index - 1];
    return gk_span_of(walk->bytes.data + from, walk->ends[index] - from);
}

static bool take_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    struct gk_list_walk *walk = ctx;
    if (walk->count == walk->piece || walk->bytes.len >= GK_LIST_WALK_BYTES) {
        walk->more = true;
        return false;
    }
    gk_buf_append(&walk->bytes, key.data, key.len);
    walk->ends[2 * walk->count] = walk->bytes.len;
    gk_buf_append(&walk->bytes, value.data, value.len);
    walk->ends[2 * walk->count + 1] = walk->bytes.len;
    walk->count++;
    return gk_buf_status(&walk->bytes) == GK_OK;
}

/* A walk that goes straight on takes more at once each time, for less work in all; one that skips
 * goes back to little, which is soon passed over. */
static void adapt(struct gk_list_walk *walk, bool skipped)
{
    if (skipped) {
        walk->piece = FIRST_PIECE_ENTRIES;
    } else if (walk->piece < GK_LIST_WALK_ENTRIES) {
        walk->piece *= 2;
    }
}

static void set_after(struct gk_list_walk *walk, struct gk_span key)
{
    gk_buf_reset(&walk->after);
    gk_buf_append(&walk->after, key.data, key.len);
}

static enum gk_status read_piece(struct gk_list_walk *walk, struct gk_error *error)
{
    gk_buf_reset(&walk->bytes);
    walk->count = 0;
    walk->next = 0;
    walk->more = false;
    const struct gk_map_range range = {.prefix = walk->prefix, .after = gk_buf_span(&walk->after)};
    enum gk_status status = gk_buf_status(&walk->after);
    if (status == GK_OK) {
        status = gk_store_map_walk(walk->store, GK_POOL_META, walk->object, &range, take_entry,
                                   walk, error);
    }
    if (status == GK_OK && gk_buf_status(&walk->bytes) == GK_E_LIMIT) {
        status =
            gk_fail(error, GK_E_INTEGRITY, "a value in %s is longer than any is", walk->object);
    } else if (status == GK_OK && gk_buf_status(&walk->bytes) != GK_OK) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (status == GK_OK && walk->count > 0) {
        set_after(walk, part(walk, 2 * (walk->count - 1)));
    }
    return status;
}

enum gk_status gk_list_walk_next(struct gk_list_walk *walk, struct gk_span *key,
                                 struct gk_span *value, struct gk_error *error)
{
    if (walk->next == walk->count && walk->more) {
        const enum gk_status status = read_piece(walk, error);
        if (status != GK_OK) {
            return status;
        }
        adapt(walk, false);
    }
    if (walk->next == walk->count) {
        *key = *value = gk_span_of(NULL, 0);
        return GK_OK;
    }
    *key = part(walk, 2 * walk->next);
    *value = part(walk, 2 * walk->next + 1);
    walk->next++;
    return GK_OK;
}

static bool is_greater(struct gk_span a, struct gk_span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order > 0 : a.len > b.len;
}

void gk_list_walk_skip(struct gk_list_walk *walk, struct gk_span key)
{
    while (walk->next < walk->count && !is_greater(part(walk, 2 * walk->next), key)) {
        walk->next++;
    }
    if (walk->next == walk->count && is_greater(key, gk_buf_span(&walk->after))) {
        set_after(walk, key);
        adapt(walk, true);
    }
}
