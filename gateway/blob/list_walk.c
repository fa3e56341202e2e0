/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/list_walk.h"

#include "common/error.h"

#define TOGETHER 64u /* walks that are read for at once */

void gk_list_walk_init(struct gk_list_walk *walk, const char *object, struct gk_span prefix,
                       struct gk_span after, struct gk_list_piece first)
{
    *walk = (struct gk_list_walk){
        .object = object, .prefix = prefix, .first = first, .entries = first.entries, .more = true};
    gk_buf_init(&walk->after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&walk->after, after.data, after.len);
    gk_buf_init(&walk->bytes, first.bytes + GK_MAP_KEY_BYTES_MAX + GK_MAP_VALUE_BYTES_MAX);
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

bool gk_list_walk_at(const struct gk_list_walk *walk, struct gk_span *key, struct gk_span *value)
{
    if (walk->next == walk->count) {
        return false;
    }
    *key = part(walk, 2 * walk->next);
    *value = part(walk, 2 * walk->next + 1);
    return true;
}

bool gk_list_walk_dry(const struct gk_list_walk *walk)
{
    return walk->next == walk->count && walk->more;
}

void gk_list_walk_pass(struct gk_list_walk *walk)
{
    walk->next++;
}

static void set_after(struct gk_list_walk *walk, struct gk_span key)
{
    gk_buf_reset(&walk->after);
    gk_buf_append(&walk->after, key.data, key.len);
}

/* A walk that goes straight on takes more at once each time, for less work in all, and so does one
 * whose skips are shorter than its pieces. One that skips far goes back to little, which is soon passed
 * over. */
static void adapt(struct gk_list_walk *walk, bool skipped)
{
    const uint32_t more = 2 * walk->entries;
    walk->entries = skipped                       ? walk->first.entries
                    : more < GK_LIST_WALK_ENTRIES ? more
                                                  : GK_LIST_WALK_ENTRIES;
}

void gk_list_walk_skip(struct gk_list_walk *walk, struct gk_span key)
{
    while (walk->next < walk->count && gk_span_compare(part(walk, 2 * walk->next), key) <= 0) {
        walk->next++;
    }
    if (walk->next < walk->count) {
        walk->landed = true;
    } else if (gk_span_compare(key, gk_buf_span(&walk->after)) > 0) {
        set_after(walk, key);
        if (!walk->landed) {
            adapt(walk, true);
        }
    }
}

/* --- reading ------------------------------------------------------------------------------------ */

static bool take_entry(void *ctx, struct gk_span key, struct gk_span value)
{
    struct gk_list_walk *walk = ctx;
    gk_buf_append(&walk->bytes, key.data, key.len);
    walk->ends[2 * walk->count] = walk->bytes.len;
    gk_buf_append(&walk->bytes, value.data, value.len);
    walk->ends[2 * walk->count + 1] = walk->bytes.len;
    walk->count++;
    walk->more = walk->count == walk->entries || walk->bytes.len >= walk->first.bytes;
    return !walk->more && gk_buf_status(&walk->bytes) == GK_OK;
}

static struct gk_map_walk begin_piece(struct gk_list_walk *walk)
{
    gk_buf_reset(&walk->bytes);
    walk->count = 0;
    walk->next = 0;
    walk->landed = false;
    walk->more = false;
    return (struct gk_map_walk){.object = walk->object,
                                .range = {.prefix = walk->prefix,
                                          .after = gk_buf_span(&walk->after),
                                          .limit = walk->entries},
                                .visit = take_entry,
                                .ctx = walk};
}

static enum gk_status end_piece(struct gk_list_walk *walk, struct gk_error *error)
{
    if (gk_buf_status(&walk->bytes) == GK_E_LIMIT) {
        return gk_fail(error, GK_E_INTEGRITY, "a value in %s is longer than any is", walk->object);
    }
    if (walk->count > 0) {
        set_after(walk, part(walk, 2 * (walk->count - 1)));
    }
    adapt(walk, false);
    return gk_buf_status(&walk->bytes) == GK_OK && gk_buf_status(&walk->after) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "out of memory");
}

static enum gk_status fill_some(struct gk_store *store, struct gk_list_walk *const *walks,
                                size_t count, struct gk_error *error)
{
    struct gk_map_walk reads[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        reads[i] = begin_piece(walks[i]);
    }
    enum gk_status status = gk_store_map_walk_many(store, GK_POOL_META, reads, count, error);
    for (size_t i = 0; i < count && status == GK_OK; i++) {
        status = end_piece(walks[i], error);
    }
    return status;
}

enum gk_status gk_list_walk_fill(struct gk_store *store, struct gk_list_walk *const *walks,
                                 size_t count, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    for (size_t at = 0; at < count && status == GK_OK; at += TOGETHER) {
        const size_t left = count - at;
        status = fill_some(store, walks + at, left < TOGETHER ? left : TOGETHER, error);
    }
    return status;
}
