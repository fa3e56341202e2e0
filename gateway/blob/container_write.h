/* SPDX-License-Identifier: Apache-2.0 */
/* Writing the record of a container: one guarded write of its entry in the account's map. */
#ifndef GATEWAY_BLOB_CONTAINER_WRITE_H
#define GATEWAY_BLOB_CONTAINER_WRITE_H

#include "gateway/blob/target.h"

/* Appends the value that holds this container, under its key. */
enum gk_status gk_container_seal(const struct gk_request *request,
                                 const struct gk_container *container, struct gk_span key,
                                 struct gk_buf *value, struct gk_error *error) GK_MUST_USE;
/* GK_E_EXISTS: there is an entry under key. */
enum gk_status gk_container_absent(const struct gk_request *request, struct gk_span key,
                                   struct gk_error *error) GK_MUST_USE;
/* The entry under key becomes this container. GK_E_EXISTS or GK_E_CONFLICT when guard, on that key, or also,
 * which may be NULL, does not hold; GK_E_NOT_FOUND when the account went. */
enum gk_status gk_container_write(const struct gk_request *request,
                                  const struct gk_container *container, struct gk_guard guard,
                                  const struct gk_guard *also, struct gk_error *error) GK_MUST_USE;

/* What an operation does to a container, its conditions first. May be called more than once, each time
 * with the container as it is by then. */
typedef enum gk_status gk_container_change_fn(const struct gk_request *request,
                                              struct gk_container *container, const void *ctx,
                                              struct gk_error *error);

/* As gk_container_target_load, then change and one guarded write, again when somebody else's came in
 * between. target is cleaned up by the caller, always. */
enum gk_status gk_container_change(struct gk_request *request, struct gk_container_target *target,
                                   gk_container_change_fn *change, const void *ctx,
                                   struct gk_error *error) GK_MUST_USE;

/* A new ETag, and the time. */
void gk_container_touch(const struct gk_request *request, struct gk_container *container);
/* The request's conditional headers. Containers take dates alone, and Get none. */
enum gk_status gk_container_conditions(const struct gk_request *request,
                                       const struct gk_container *container,
                                       struct gk_error *error) GK_MUST_USE;

#endif
