/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/changes.h"

#include <stdlib.h>

void gk_changes_init(struct gk_change_list *list)
{
    memset(list, 0, sizeof *list);
}

void gk_changes_cleanup(struct gk_change_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->owned[i].key);
        free(list->owned[i].value);
    }
    free(list->items);
    free(list->owned);
    gk_changes_init(list);
}

/* The content of buf, which is left empty; NULL for none. */
static uint8_t *take(struct gk_change_list *list, struct gk_buf *buf, struct gk_span *span)
{
    uint8_t *data = buf->data;
    *span = gk_buf_span(buf);
    if (list->status == GK_OK) {
        list->status = gk_buf_status(buf);
    }
    gk_buf_init(buf, buf->max);
    return data;
}

static bool reserve(struct gk_change_list *list)
{
    if (list->count < list->cap) {
        return true;
    }
    const size_t cap = list->cap == 0 ? 4 : 2 * list->cap;
    struct gk_change *items = reallocarray(list->items, cap, sizeof *items);
    if (items == NULL) {
        return false;
    }
    list->items = items;
    struct gk_owned_change *owned = reallocarray(list->owned, cap, sizeof *owned);
    if (owned == NULL) {
        return false;
    }
    list->owned = owned;
    list->cap = cap;
    return true;
}

static void add(struct gk_change_list *list, enum gk_change_kind kind, struct gk_buf *key,
                struct gk_buf *value)
{
    struct gk_change change = {.kind = kind};
    struct gk_owned_change owned = {.key = take(list, key, &change.key)};
    if (value != NULL) {
        owned.value = take(list, value, &change.value);
    }
    if (!reserve(list)) {
        list->status = GK_E_RESOURCE;
        free(owned.key);
        free(owned.value);
        return;
    }
    list->owned[list->count] = owned;
    list->items[list->count++] = change;
}

void gk_changes_set(struct gk_change_list *list, struct gk_buf *key, struct gk_buf *value)
{
    add(list, GK_CHANGE_MAP_SET, key, value);
}

void gk_changes_set_attr(struct gk_change_list *list, struct gk_buf *name, struct gk_buf *value)
{
    add(list, GK_CHANGE_ATTR_SET, name, value);
}

void gk_changes_remove(struct gk_change_list *list, struct gk_buf *key)
{
    add(list, GK_CHANGE_MAP_REMOVE, key, NULL);
}

enum gk_status gk_changes_status(const struct gk_change_list *list)
{
    return list->status;
}
