/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container that was deleted and kept for a while. Who deletes it queues an entry for the time
 * when that ends (GK_GARBAGE_KEPT_CONTAINER); the reaper then makes garbage of it, unless it was restored.
 */
#ifndef GATEWAY_BLOB_CONTAINER_EXPIRY_H
#define GATEWAY_BLOB_CONTAINER_EXPIRY_H

#include "gateway/blob/target.h"

/* Into changes, for the write that deletes the container: its row as a kept one, and the entry. kept, whose
 * life says until when, is the container; version is a new one, and its row's key, which must be absent, is
 * appended to key. */
struct gk_change_list;
enum gk_status gk_container_keep(const struct gk_request *request, const struct gk_container *kept,
                                 uint64_t version, struct gk_buf *key,
                                 struct gk_change_list *changes,
                                 struct gk_error *error) GK_MUST_USE;

/* named: what the entry names. GK_E_UNAVAILABLE: another time. */
enum gk_status gk_container_expire(struct gk_gateway *gateway, struct gk_gateway_account *account,
                                   struct gk_span named, struct gk_error *error) GK_MUST_USE;

#endif
