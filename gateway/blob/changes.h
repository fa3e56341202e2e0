/* SPDX-License-Identifier: Apache-2.0 */
/* The changes of one write operation, with the keys and values that were made for it. */
#ifndef GATEWAY_BLOB_CHANGES_H
#define GATEWAY_BLOB_CHANGES_H

#include "common/buf.h"
#include "gateway/store/store.h"

/* What an item's key and value point to. */
struct gk_owned_change {
    uint8_t *key;
    uint8_t *value;
};

/* All owned. A failure sticks, as in a buffer. */
struct gk_change_list {
    struct gk_change *items;
    struct gk_owned_change *owned; /* as many */
    size_t count;
    size_t cap;
    enum gk_status status;
};

void gk_changes_init(struct gk_change_list *list);
void gk_changes_cleanup(struct gk_change_list *list);
/* map[key] := value; both are taken over and left empty. */
void gk_changes_set(struct gk_change_list *list, struct gk_buf *key, struct gk_buf *value);
/* attribute name := value; the same. */
void gk_changes_set_attr(struct gk_change_list *list, struct gk_buf *name, struct gk_buf *value);
/* Removes map[key]; key is taken over. */
void gk_changes_remove(struct gk_change_list *list, struct gk_buf *key);
enum gk_status gk_changes_status(const struct gk_change_list *list) GK_MUST_USE;

#endif
