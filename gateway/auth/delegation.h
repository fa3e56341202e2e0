/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User delegation keys, and the shared access signatures that are made with them ("Get User Delegation
 * Key", "Create a user delegation SAS"). A key stands nowhere: it is made again of the account's secret and
 * of what the signature says of it. Another secret ends them all. Such a signature gives what it says, and
 * no more than its principal may at the time.
 */
#ifndef GATEWAY_AUTH_DELEGATION_H
#define GATEWAY_AUTH_DELEGATION_H

#include "gateway/auth/signature.h"
#include "gateway/http/request.h"

#define GK_DELEGATION_DAYS_MAX 7

/* As texts, the way clients repeat them. */
struct gk_delegation {
    const char *object;  /* skoid */
    const char *tenant;  /* sktid */
    const char *start;   /* skt */
    const char *expiry;  /* ske */
    const char *service; /* sks */
    const char *version; /* skv */
};

/* The key; false for an account without a secret, or when libcrypto fails. */
bool gk_delegation_key(const struct gk_access_keys *keys, const struct gk_delegation *delegation,
                       uint8_t key[GK_SIGNATURE_BYTES]) GK_MUST_USE;

/* Reads skoid and its sisters of a request's query. */
void gk_delegation_read(const struct gk_request *request, struct gk_delegation *delegation);
/* Whether the request's sig is that of text under the key, which is valid now, and what its principal may
 * do, into allowed. 403 AuthenticationFailed. */
enum gk_status gk_delegation_check(const struct gk_request *request, struct gk_span text,
                                   uint32_t *allowed, struct gk_error *error) GK_MUST_USE;

#endif
