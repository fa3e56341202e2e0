/* SPDX-License-Identifier: Apache-2.0 */
/* What handlers share: finding keys, with the refusal when there is none. Store locked. */
#ifndef KEYVAULTD_KEY_FIND_H
#define KEYVAULTD_KEY_FIND_H

#include "keyvaultd/request.h"

/* The request's key in use; NULL: refused with 404. */
struct kv_key *kv_find_key(struct kv_request *request) GK_MUST_USE;
/* The request's version of it; NULL: refused with 404. Notes the version in the log of calls. */
struct kv_version *kv_find_version(struct kv_request *request,
                                   const struct kv_key *key) GK_MUST_USE;
/* The request's key among the deleted ones; NULL: refused with 404. */
struct kv_key *kv_find_deleted(struct kv_request *request) GK_MUST_USE;
/* Stores the changed key (taken over); false: refused. */
bool kv_put_key(struct kv_request *request, struct kv_key *key) GK_MUST_USE;

#endif
