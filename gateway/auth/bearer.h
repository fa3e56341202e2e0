/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens of the operator's identity provider, and what their principals may do: group "bearer" of
 * the configuration. The provider's public keys stand in a file, which is read again when it was changed.
 * Source: "Authorize with Microsoft Entra ID". Any thread.
 */
#ifndef GATEWAY_AUTH_BEARER_H
#define GATEWAY_AUTH_BEARER_H

#include "gateway/config.h"
#include "gateway/http/request.h"

struct gk_bearer;

/* settings must outlive it. GK_E_INVALID: the key file cannot be used. */
enum gk_status gk_bearer_new(const struct gk_config_bearer *settings, struct gk_bearer **out,
                             struct gk_error *error) GK_MUST_USE;
void gk_bearer_free(struct gk_bearer *bearer); /* NULL is fine */

/* token: what follows "Bearer ". Sets permissions, principal and tenant of request. 401
 * InvalidAuthenticationInfo; 403 AuthenticationFailed over plain HTTP. */
enum gk_status gk_bearer_check(struct gk_request *request, const char *token,
                               struct gk_error *error) GK_MUST_USE;
/* What the principal may do in the account, GK_PERMIT_*; 0: nothing. bearer NULL: nobody may anything. */
uint32_t gk_bearer_permissions(const struct gk_bearer *bearer, const struct gk_id *principal,
                               const char *account);
/* The value of WWW-Authenticate. */
const char *gk_bearer_challenge(const struct gk_bearer *bearer);

#endif
