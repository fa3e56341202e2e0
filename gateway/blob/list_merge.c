/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/list_merge.h"

#include <stdlib.h>

#include "common/error.h"

#define LEAST_PIECE_BYTES (16u << 10)

/* --- the heap ----------------------------------------------------------------------------------- */

static bool before(const struct gk_list_walk *a, const struct gk_list_walk *b)
{
    struct gk_span a_key = {0};
    struct gk_span b_key = {0};
    struct gk_span value;
    (void)gk_list_walk_at(a, &a_key, &value);
    (void)gk_list_walk_at(b, &b_key, &value);
    return gk_span_compare(a_key, b_key) < 0;
}

static void swap(struct gk_list_walk **a, struct gk_list_walk **b)
{
    struct gk_list_walk *was = *a;
    *a = *b;
    *b = was;
}

static void sift_down(struct gk_list_merge *merge, uint32_t at)
{
    struct gk_list_walk **heap = merge->heap;
    for (;;) {
        uint32_t least = at;
        for (uint32_t child = 2 * at + 1; child <= 2 * at + 2 && child < merge->heap_count;
             child++) {
            least = before(heap[child], heap[least]) ? child : least;
        }
        if (least == at) {
            return;
        }
        swap(&heap[at], &heap[least]);
        at = least;
    }
}

static void sift_up(struct gk_list_merge *merge, uint32_t at)
{
    struct gk_list_walk **heap = merge->heap;
    while (at > 0 && before(heap[at], heap[(at - 1) / 2])) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

/* A walk that is in neither list goes where it belongs; one at its end nowhere. */
static void place_walk(struct gk_list_merge *merge, struct gk_list_walk *walk)
{
    struct gk_span key;
    struct gk_span value;
    if (gk_list_walk_at(walk, &key, &value)) {
        merge->heap[merge->heap_count] = walk;
        sift_up(merge, merge->heap_count++);
    } else if (gk_list_walk_dry(walk)) {
        merge->dry[merge->dry_count++] = walk;
    }
}

static void take_first_out(struct gk_list_merge *merge)
{
    merge->heap[0] = merge->heap[--merge->heap_count];
    sift_down(merge, 0);
}

/* --- the merge ---------------------------------------------------------------------------------- */

/* Shards hold about as much each: a page costs one round of reads when each gives its share and a
 * little more. */
static struct gk_list_piece piece_for(uint32_t count, uint32_t expected)
{
    const uint32_t share = expected / count;
    const uint32_t entries = share + share / 4 + 8;
    const size_t bytes = GK_LIST_MERGE_BYTES / count;
    return (struct gk_list_piece){.entries = entries < GK_LIST_WALK_ENTRIES ? entries
                                                                            : GK_LIST_WALK_ENTRIES,
                                  .bytes = bytes > GK_LIST_WALK_BYTES  ? GK_LIST_WALK_BYTES
                                           : bytes < LEAST_PIECE_BYTES ? LEAST_PIECE_BYTES
                                                                       : bytes};
}

enum gk_status gk_list_merge_init(struct gk_list_merge *merge, struct gk_store *store,
                                  struct gk_list_maps maps, struct gk_span prefix,
                                  struct gk_span after, uint32_t expected, struct gk_error *error)
{
    *merge = (struct gk_list_merge){.store = store};
    merge->walks = calloc(maps.count, sizeof *merge->walks);
    merge->heap = calloc(maps.count, sizeof(struct gk_list_walk *));
    merge->dry = calloc(maps.count, sizeof(struct gk_list_walk *));
    if (merge->walks == NULL || merge->heap == NULL || merge->dry == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    const struct gk_list_piece piece = piece_for(maps.count, expected);
    for (; merge->count < maps.count; merge->count++) {
        struct gk_list_walk *walk = &merge->walks[merge->count];
        gk_list_walk_init(walk, maps.objects[merge->count], prefix, after, piece);
        place_walk(merge, walk);
    }
    return GK_OK;
}

void gk_list_merge_cleanup(struct gk_list_merge *merge)
{
    for (uint32_t i = 0; i < merge->count; i++) {
        gk_list_walk_cleanup(&merge->walks[i]);
    }
    free(merge->walks);
    free(merge->heap);
    free(merge->dry);
}

static void pass_given(struct gk_list_merge *merge)
{
    struct gk_list_walk *walk = merge->heap[0];
    struct gk_span key;
    struct gk_span value;
    merge->given = false;
    gk_list_walk_pass(walk);
    if (gk_list_walk_at(walk, &key, &value)) {
        sift_down(merge, 0);
    } else {
        take_first_out(merge);
        place_walk(merge, walk);
    }
}

static enum gk_status fill_dry(struct gk_list_merge *merge, struct gk_error *error)
{
    const uint32_t count = merge->dry_count;
    const enum gk_status status = gk_list_walk_fill(merge->store, merge->dry, count, error);
    merge->dry_count = 0;
    for (uint32_t i = 0; i < count && status == GK_OK; i++) {
        place_walk(merge, merge->dry[i]);
    }
    return status;
}

enum gk_status gk_list_merge_next(struct gk_list_merge *merge, struct gk_span *key,
                                  struct gk_span *value, struct gk_error *error)
{
    if (merge->given) {
        pass_given(merge);
    }
    if (merge->dry_count > 0) {
        const enum gk_status status = fill_dry(merge, error);
        if (status != GK_OK) {
            return status;
        }
    }
    *key = *value = gk_span_of(NULL, 0);
    if (merge->heap_count > 0) {
        merge->given = gk_list_walk_at(merge->heap[0], key, value);
    }
    return GK_OK;
}

void gk_list_merge_skip(struct gk_list_merge *merge, struct gk_span key)
{
    if (merge->given) {
        gk_list_walk_pass(merge->heap[0]);
    }
    merge->given = false;
    merge->heap_count = 0;
    merge->dry_count = 0;
    for (uint32_t i = 0; i < merge->count; i++) {
        gk_list_walk_skip(&merge->walks[i], key);
        place_walk(merge, &merge->walks[i]);
    }
}
