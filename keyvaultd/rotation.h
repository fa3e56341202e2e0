/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are rotated by their policies when somebody asks for them, at or after the time: nobody can
 * tell that from the time itself, and nothing needs a thread or a schedule.
 */
#ifndef KEYVAULTD_ROTATION_H
#define KEYVAULTD_ROTATION_H

#include "keyvaultd/request.h"

/* A version as rotation adds it now: as the current one of the key is, enabled, with the end that the
 * policy sets. rsa and hsm_id are still those of the current one; tags is the caller's. Store locked. */
struct kv_version kv_rotation_next(const struct kv_request *request,
                                   const struct kv_key *key) GK_MUST_USE;

/* Rotates the request's key if its policy says so by now. What fails is logged, and tried again with
 * the next request. Store not locked. */
void kv_rotate_if_due(const struct kv_request *request);

#endif
