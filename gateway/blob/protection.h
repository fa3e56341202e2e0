/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which shards of a container hold blobs that may not be deleted, so that Delete Container need not look
 * at every blob. The write of a record with a policy or a legal hold sets a mark in its shard with it:
 *   map "w" := 16 random bytes, others each time
 * A mark says that there was such a blob. Delete Container looks for one that still is, takes the mark
 * away where there is none, unless it was set anew meanwhile, and closes shards without a mark alone.
 */
#ifndef GATEWAY_BLOB_PROTECTION_H
#define GATEWAY_BLOB_PROTECTION_H

#include "gateway/blob/changes.h"
#include "gateway/blob/target.h"

/* Into the changes of a write of this record; nothing for one without policy and hold. */
enum gk_status gk_protection_mark(struct gk_change_list *changes,
                                  const struct gk_blob_record *record,
                                  struct gk_error *error) GK_MUST_USE;
/* Whether the container may be deleted with its blobs: 409 ContainerImmutabilityPolicyLocked,
 * ContainerHasLegalHold. Afterwards no shard has a mark but by a later write. */
enum gk_status gk_protection_check(const struct gk_request *request,
                                   const struct gk_container *container,
                                   struct gk_error *error) GK_MUST_USE;

#endif
