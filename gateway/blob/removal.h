/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking things out of the store: what garbage stands for, whole containers, and the
 * mark that a deleted account leaves. All of it may be repeated: what is gone already is fine.
 */
#ifndef GATEWAY_BLOB_REMOVAL_H
#define GATEWAY_BLOB_REMOVAL_H

#include "gateway/blob/garbage.h"

/* What a removal needs; an account's handle is only needed to open values. */
struct gk_removal {
    struct gk_store *store;
    const struct gk_plugin *plugin;
    struct gk_account *account;
};

/* Removes what garbage stands for, in this container; many data objects at once. */
enum gk_status gk_removal_items(const struct gk_removal *removal, const struct gk_id *container,
                                const struct gk_garbage *garbage,
                                struct gk_error *error) GK_MUST_USE;
/* Removes a container's index and all data objects that its name is on. First the index: a write
 * that comes late finds it gone and fails, so no data can come after. */
enum gk_status gk_removal_container(struct gk_store *store, const struct gk_id *container,
                                    struct gk_error *error) GK_MUST_USE;

/*
 * Deletes an account: writes the mark "deleted/<id>" with its containers, then removes the
 * account's object, and with it the wrapped root key, and drops it from memory. The containers are
 * the reaper's. GK_E_NOT_FOUND.
 */
enum gk_status gk_removal_account(struct gk_gateway *gateway, const char *name,
                                  struct gk_error *error) GK_MUST_USE;
/* Removes what the mark of that name lists, and the mark; nothing when its account still exists: the
 * deletion has not come to its end, or never did. */
enum gk_status gk_removal_marked(struct gk_gateway *gateway, const char *mark,
                                 struct gk_error *error) GK_MUST_USE;

#endif
