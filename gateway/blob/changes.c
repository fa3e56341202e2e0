/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/changes.h"

#include <stdlib.h>

void gk_changes_init(struct gk_change_list *list)
{
    memset(list, 0, sizeof *list);
}

/* The spans of an owned change point to memory that was allocated for it. */
static void free_span(struct gk_span *span)
{
    free((void *)(uintptr_t)span->data);
    *span = (struct gk_span){0};
}

void gk_changes_cleanup(struct gk_change_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free_span(&list->items[i].key);
        free_span(&list->items[i].value);
    }
    free(list->items);
    gk_changes_init(list);
}

static struct gk_span take(struct gk_change_list *list, struct gk_buf *buf)
{
    const struct gk_span span = gk_buf_span(buf);
    if (list->status == GK_OK) {
        list->status = gk_buf_status(buf);
    }
    const size_t max = buf->max;
    gk_buf_init(buf, max);
    return span;
}

static void add(struct gk_change_list *list, struct gk_change change)
{
    if (list->count == list->cap) {
        const size_t cap = list->cap == 0 ? 4 : 2 * list->cap;
        struct gk_change *items = reallocarray(list->items, cap, sizeof *items);
        if (items == NULL) {
            list->status = GK_E_RESOURCE;
            free_span(&change.key);
            free_span(&change.value);
            return;
        }
        list->items = items;
        list->cap = cap;
    }
    list->items[list->count++] = change;
}

void gk_changes_set(struct gk_change_list *list, struct gk_buf *key, struct gk_buf *value)
{
    const struct gk_span taken_key = take(list, key);
    add(list, (struct gk_change){
                  .kind = GK_CHANGE_MAP_SET, .key = taken_key, .value = take(list, value)});
}

void gk_changes_remove(struct gk_change_list *list, struct gk_buf *key)
{
    add(list, (struct gk_change){.kind = GK_CHANGE_MAP_REMOVE, .key = take(list, key)});
}

enum gk_status gk_changes_status(const struct gk_change_list *list)
{
    return list->status;
}
