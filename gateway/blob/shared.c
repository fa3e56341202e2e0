/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/shared.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/borrow.h"
#include "gateway/blob/refs.h"
#include "gateway/blob/rows.h"
#include "gateway/blob/shared_pages.h"

#define ATTEMPTS_MAX 16u

/* A segment, a manifest's pages or a loan, and whether a record refers to it. */
struct candidate {
    struct gk_id id;
    uint64_t length;
    bool named;
};

/* Sorted by id; none twice that differ. */
struct candidates {
    struct candidate *items;
    size_t count;
    size_t cap;
};

struct sifting {
    struct gk_rows rows;
    struct gk_span blob;
    struct candidates segments;
    struct candidates manifests;
    struct candidates loans;
    struct gk_error *error;
};

/* --- candidates ---------------------------------------------------------------------------------*/

static enum gk_status add(struct candidates *list, const struct gk_id *id, uint64_t length,
                          struct gk_error *error)
{
    if (list->count == list->cap) {
        const size_t cap = list->cap == 0 ? 16 : 2 * list->cap;
        struct candidate *items = reallocarray(list->items, cap, sizeof *items);
        if (items == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = (struct candidate){.id = *id, .length = length};
    return GK_OK;
}

static int by_id(const void *left, const void *right)
{
    const struct candidate *a = left;
    const struct candidate *b = right;
    return memcmp(a->id.bytes, b->id.bytes, sizeof a->id.bytes);
}

static void sort(struct candidates *list)
{
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof *list->items, by_id);
    }
}

static void forget_names(struct candidates *list)
{
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].named = false;
    }
}

/* One may be there several times. */
static void name(struct candidates *list, const struct gk_id *id)
{
    const struct candidate wanted = {.id = *id};
    struct candidate *found =
        list->count == 0 ? NULL
                         : bsearch(&wanted, list->items, list->count, sizeof *list->items, by_id);
    if (found == NULL) {
        return;
    }
    for (struct candidate *at = found; at >= list->items && by_id(at, &wanted) == 0; at--) {
        at->named = true;
    }
    for (struct candidate *at = found; at < list->items + list->count && by_id(at, &wanted) == 0;
         at++) {
        at->named = true;
    }
}

/* --- rows ---------------------------------------------------------------------------------------*/

static enum gk_status for_pages(struct sifting *sifting, const struct gk_id *manifest,
                                gk_row_fn *fn)
{
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_manifest_prefix(&prefix, manifest);
    const enum gk_status status = gk_rows_walk(&sifting->rows, gk_buf_span(&prefix), fn, sifting);
    gk_buf_cleanup(&prefix);
    return status;
}

/* --- what is to be removed ----------------------------------------------------------------------*/

static enum gk_status add_page(void *ctx, struct gk_span key, struct gk_span value)
{
    struct sifting *sifting = ctx;
    struct gk_refs refs;
    gk_refs_init(&refs);
    enum gk_status status = gk_refs_of_row(sifting->rows.place, key, value, &refs, sifting->error);
    for (size_t i = 0; i < refs.count && status == GK_OK; i++) {
        status =
            add(&sifting->segments, &refs.items[i].segment, refs.items[i].length, sifting->error);
    }
    gk_refs_cleanup(&refs);
    return status;
}

static enum gk_status gather(struct sifting *sifting, const struct gk_garbage *garbage)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < garbage->count && status == GK_OK; i++) {
        const struct gk_garbage_item *item = &garbage->items[i];
        if (item->kind == GK_GARBAGE_SEGMENT) {
            status = add(&sifting->segments, &item->id, item->number, sifting->error);
        } else if (item->kind == GK_GARBAGE_MANIFEST) {
            status = add(&sifting->manifests, &item->id, 0, sifting->error);
            if (status == GK_OK) {
                status = for_pages(sifting, &item->id, add_page);
            }
        } else if (item->kind == GK_GARBAGE_LOAN) {
            status = add(&sifting->loans, &item->id, 0, sifting->error);
        }
    }
    sort(&sifting->segments);
    sort(&sifting->manifests);
    sort(&sifting->loans);
    return status;
}

static bool has_candidates(const struct sifting *sifting)
{
    return sifting->segments.count + sifting->manifests.count + sifting->loans.count > 0;
}

/* --- what is referred to ------------------------------------------------------------------------*/

static enum gk_status name_page(void *ctx, struct gk_span key, struct gk_span value)
{
    struct sifting *sifting = ctx;
    struct gk_refs refs;
    gk_refs_init(&refs);
    const enum gk_status status =
        gk_refs_of_row(sifting->rows.place, key, value, &refs, sifting->error);
    for (size_t i = 0; i < refs.count; i++) {
        name(&sifting->segments, &refs.items[i].segment);
    }
    gk_refs_cleanup(&refs);
    return status;
}

/* What a base or a state refers to. */
static enum gk_status name_record(void *ctx, struct gk_span key, struct gk_span value)
{
    struct sifting *sifting = ctx;
    struct gk_refs refs;
    gk_refs_init(&refs);
    enum gk_status status = gk_refs_of_row(sifting->rows.place, key, value, &refs, sifting->error);
    for (size_t i = 0; i < refs.count; i++) {
        name(&sifting->segments, &refs.items[i].segment);
    }
    if (status == GK_OK && refs.borrows) {
        name(&sifting->loans, &refs.loan.id);
    }
    if (status == GK_OK && refs.paged) {
        name(&sifting->manifests, &refs.manifest);
        status = for_pages(sifting, &refs.manifest, name_page);
    }
    gk_refs_cleanup(&refs);
    return status;
}

/* Empty for none. */
static enum gk_status read_base(const struct sifting *sifting, struct gk_span key,
                                struct gk_buf *value)
{
    gk_buf_reset(value);
    const enum gk_status status =
        gk_value_get(sifting->rows.removal->store, sifting->rows.index, key, value, sifting->error);
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(sifting->error);
        return GK_OK;
    }
    return status;
}

static enum gk_status name_all(struct sifting *sifting, struct gk_span base_key,
                               struct gk_span base)
{
    struct gk_buf prefix;
    gk_buf_init(&prefix, GK_MAP_KEY_BYTES_MAX);
    gk_state_prefix(&prefix, base_key);
    forget_names(&sifting->segments);
    forget_names(&sifting->manifests);
    forget_names(&sifting->loans);
    enum gk_status status = base.len > 0 ? name_record(sifting, base_key, base) : GK_OK;
    if (status == GK_OK) {
        status = gk_rows_walk(&sifting->rows, gk_buf_span(&prefix), name_record, sifting);
    }
    gk_buf_cleanup(&prefix);
    return status;
}

/* A loan that no record names may be one that is just being made: nothing can come to name it once it was
 * closed while the base is as it was. */
static enum gk_status close_unnamed(const struct sifting *sifting, struct gk_span base_key,
                                    struct gk_span base)
{
    const struct gk_guard guard = {.kind = base.len > 0 ? GK_GUARD_MAP_EQUAL : GK_GUARD_MAP_ABSENT,
                                   .key = base_key,
                                   .value = base};
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < sifting->loans.count && status == GK_OK; i++) {
        const struct candidate *at = &sifting->loans.items[i];
        if (!at->named) {
            status = gk_borrow_close(sifting->rows.removal, &sifting->rows.place.container,
                                     sifting->rows.index, &at->id, &guard, sifting->error);
        }
    }
    return status;
}

/* Who makes a state writes the base, too: while the base is the same, no reference was passed over that
 * moved from it to a state. */
static enum gk_status sift(struct sifting *sifting)
{
    struct gk_buf key;
    struct gk_buf before;
    struct gk_buf after;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&before, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_init(&after, GK_MAP_VALUE_BYTES_MAX);
    gk_buf_append_str(&key, "b/");
    gk_buf_append(&key, sifting->blob.data, sifting->blob.len);
    bool same = false;
    enum gk_status status = read_base(sifting, gk_buf_span(&key), &before);
    for (unsigned i = 0; status == GK_OK && !same && i < ATTEMPTS_MAX; i++) {
        status = name_all(sifting, gk_buf_span(&key), gk_buf_span(&before));
        if (status == GK_OK) {
            status = read_base(sifting, gk_buf_span(&key), &after);
        }
        same = status == GK_OK && gk_span_equal(gk_buf_span(&before), gk_buf_span(&after));
        if (same) {
            status = close_unnamed(sifting, gk_buf_span(&key), gk_buf_span(&after));
        }
        /* A loan that is gone was closed, or taken along by the write that has named all that it held. */
        if (same && status == GK_OK && sifting->loans.count > 0) {
            status = read_base(sifting, gk_buf_span(&key), &after);
            same = status == GK_OK && gk_span_equal(gk_buf_span(&before), gk_buf_span(&after));
        }
        if (status == GK_E_CONFLICT) {
            gk_error_clear(sifting->error);
            status = read_base(sifting, gk_buf_span(&key), &after);
            same = false;
        }
        const struct gk_buf was = before;
        before = after;
        after = was;
    }
    if (status == GK_OK && !same) {
        status = gk_fail(sifting->error, GK_E_CONFLICT, "a blob is written all the time");
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&before);
    gk_buf_cleanup(&after);
    return status;
}

/* --- removal ------------------------------------------------------------------------------------*/

/* What nothing refers to, as garbage that is nobody's. Data goes before the pages that tell of it. */
static enum gk_status remove_unnamed(const struct sifting *sifting)
{
    struct gk_garbage garbage;
    gk_garbage_init(&garbage);
    for (size_t i = 0; i < sifting->segments.count; i++) {
        const struct candidate *at = &sifting->segments.items[i];
        if (!at->named) {
            gk_garbage_add(&garbage, GK_GARBAGE_SEGMENT, &at->id, at->length);
        }
    }
    for (size_t i = 0; i < sifting->manifests.count; i++) {
        const struct candidate *at = &sifting->manifests.items[i];
        if (!at->named) {
            gk_garbage_add(&garbage, GK_GARBAGE_MANIFEST_ENTRIES, &at->id, 0);
        }
    }
    for (size_t i = 0; i < sifting->loans.count; i++) {
        const struct candidate *at = &sifting->loans.items[i];
        if (!at->named) {
            gk_garbage_add(&garbage, GK_GARBAGE_LOAN, &at->id, 0);
        }
    }
    const enum gk_status status =
        garbage.failed ? gk_fail(sifting->error, GK_E_RESOURCE, "out of memory")
                       : gk_removal_items(sifting->rows.removal, &sifting->rows.place.container,
                                          sifting->rows.index, &garbage, sifting->error);
    gk_garbage_cleanup(&garbage);
    return status;
}

static enum gk_status remove_pages(const struct sifting *sifting, const struct gk_garbage *garbage)
{
    enum gk_status status = GK_OK;
    for (size_t i = 0; i < garbage->count && status == GK_OK; i++) {
        if (garbage->items[i].kind == GK_GARBAGE_PAGES) {
            status = gk_shared_pages_remove(sifting->rows.removal, &sifting->rows.place.container,
                                            sifting->rows.index, sifting->blob,
                                            &garbage->items[i].id, sifting->error);
        }
    }
    return status;
}

enum gk_status gk_shared_remove(const struct gk_removal *removal, const struct gk_id *container,
                                const char *index, const struct gk_garbage *garbage,
                                struct gk_error *error)
{
    struct sifting sifting = {.blob = gk_buf_span(&garbage->blob), .error = error};
    gk_rows_init(&sifting.rows, removal, container, index, error);
    enum gk_status status = gather(&sifting, garbage);
    if (status == GK_OK && has_candidates(&sifting)) {
        status = sift(&sifting);
    }
    /* Of a space that is held, rows go when no record can come to name them any more. */
    if (status == GK_OK) {
        status = remove_pages(&sifting, garbage);
    }
    if (status == GK_OK) {
        status = remove_unnamed(&sifting);
    }
    free(sifting.segments.items);
    free(sifting.manifests.items);
    free(sifting.loans.items);
    return status;
}
