/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_diff.h"

#include <stdlib.h>

#include "common/error.h"

/* One of the two. */
struct side {
    struct gk_page_space space;
    struct gk_page_rows rows;
    struct gk_page_row items[GK_PAGE_CHANGES_MAX];
};

struct gk_page_diff {
    struct side now;
    struct side before;
    struct gk_page_ages ages[GK_PAGE_CHANGES_MAX]; /* of now's rows */
};

enum gk_status gk_page_diff_new(const struct gk_request *request, const struct gk_blob_target *now,
                                const struct gk_blob_target *before, struct gk_page_diff **out,
                                struct gk_error *error)
{
    struct gk_page_diff *diff = calloc(1, sizeof *diff);
    *out = diff;
    if (diff == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    gk_page_space_init(&diff->now.space, request, now);
    gk_page_space_init(&diff->before.space, request, before);
    diff->now.rows.items = diff->now.items;
    diff->now.rows.ages = diff->ages;
    diff->before.rows.items = diff->before.items;
    return GK_OK;
}

void gk_page_diff_free(struct gk_page_diff *diff)
{
    free(diff);
}

/* --- which pieces -------------------------------------------------------------------------------*/

static bool has_group(const struct side *side, uint32_t group)
{
    return gk_bits_get(side->space.groups, group);
}

/* Whether both have the very same row of the group. */
static bool same_group(const struct gk_page_diff *diff, uint32_t group)
{
    const bool now = has_group(&diff->now, group);
    return now == has_group(&diff->before, group) &&
           (!now || diff->now.space.eras.groups[group] == diff->before.space.eras.groups[group]);
}

/* The rows of the group's pieces from *index on, and before to, that differ; *index is moved behind. */
static void choose(struct gk_page_diff *diff, uint32_t *index, uint32_t to)
{
    const struct gk_page_group *now = &diff->now.rows.present;
    const struct gk_page_group *before = &diff->before.rows.present;
    uint32_t count = 0;
    while (*index < to && count < GK_PAGE_CHANGES_MAX) {
        const uint32_t at = *index % GK_PAGE_GROUP_OBJECTS;
        if (gk_bits_get(now->present, at) != gk_bits_get(before->present, at) ||
            now->eras[at] != before->eras[at]) {
            diff->now.items[count].index = *index;
            diff->before.items[count++].index = *index;
        }
        *index += 1;
    }
    diff->now.rows.count = count;
    diff->before.rows.count = count;
}

static enum gk_status read_both(struct gk_page_diff *diff, struct gk_error *error)
{
    const enum gk_status status = gk_page_rows_read(&diff->now.space, &diff->now.rows, error);
    return status == GK_OK ? gk_page_rows_read(&diff->before.space, &diff->before.rows, error)
                           : status;
}

static enum gk_status read_some(struct gk_page_diff *diff, uint32_t group, uint32_t *index,
                                uint32_t to, struct gk_error *error)
{
    diff->now.rows.group = group;
    diff->before.rows.group = group;
    diff->now.rows.count = 0;
    diff->before.rows.count = 0;
    const enum gk_status status = read_both(diff, error);
    if (status != GK_OK) {
        return status;
    }
    choose(diff, index, to);
    return diff->now.rows.count > 0 ? read_both(diff, error) : GK_OK;
}

/* --- which pages --------------------------------------------------------------------------------*/

static void compare(const struct gk_page_diff *diff, uint32_t at, struct gk_page_change *change)
{
    const uint8_t *now = diff->now.items[at].map.written;
    const uint8_t *before = diff->before.items[at].map.written;
    memset(change, 0, sizeof *change);
    change->index = diff->now.items[at].index;
    for (uint32_t page = 0; page < GK_PAGE_OBJECT_PAGES; page++) {
        if (gk_bits_get(now, page)) {
            if (diff->ages[at].eras[page] > diff->before.space.eras.era) {
                gk_bits_set(change->written, page, page + 1, true);
            }
        } else if (gk_bits_get(before, page)) {
            gk_bits_set(change->cleared, page, page + 1, true);
        }
    }
}

enum gk_status gk_page_diff_next(struct gk_page_diff *diff, uint32_t *index, uint32_t end,
                                 struct gk_page_change *items, uint32_t *count,
                                 struct gk_error *error)
{
    enum gk_status status = GK_OK;
    *count = 0;
    while (status == GK_OK && *count == 0 && *index < end) {
        const uint32_t group = *index / GK_PAGE_GROUP_OBJECTS;
        const uint32_t group_end = (group + 1) * GK_PAGE_GROUP_OBJECTS;
        const uint32_t to = end < group_end ? end : group_end;
        if (same_group(diff, group)) {
            *index = to;
            continue;
        }
        status = read_some(diff, group, index, to, error);
        *count = status == GK_OK ? diff->now.rows.count : 0;
        for (uint32_t i = 0; i < *count; i++) {
            compare(diff, i, &items[i]);
        }
    }
    return status;
}
