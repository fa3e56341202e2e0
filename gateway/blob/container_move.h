/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving a container a name: its entry moves from one key of the account's map to another, and nothing else
 * does; its blobs stay where they are. Before that the doors of its index are closed, after that they are
 * opened for the new name alone (index.h), so that no gateway finds it by the old one.
 */
#ifndef GATEWAY_BLOB_CONTAINER_MOVE_H
#define GATEWAY_BLOB_CONTAINER_MOVE_H

#include "gateway/blob/target.h"

/* Closes its doors. 409 ContainerImmutabilityPolicyLocked, ContainerHasLegalHold: it has blobs that have to
 * stay where they are. A container that is closed and keeps its name answers ContainerBeingDeleted, until it
 * is deleted or renamed after all. */
enum gk_status gk_container_close(const struct gk_request *request,
                                  const struct gk_container *container,
                                  struct gk_error *error) GK_MUST_USE;

struct gk_container_move {
    struct gk_container *container; /* closed; its life is changed */
    struct gk_span from;            /* keys, perhaps one and the same */
    struct gk_span to;
    struct gk_span stored; /* the entry as it stands under from */
};

/* Moves and opens it. GK_E_EXISTS: another has the name; GK_E_CONFLICT: the entry is another by now. */
enum gk_status gk_container_move(const struct gk_request *request,
                                 const struct gk_container_move *move,
                                 struct gk_error *error) GK_MUST_USE;

/* Drops what this gateway remembers of the container of that name. */
void gk_container_forget(const struct gk_request *request, const char *name);

#endif
