/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's word on a request's operation: what the state of a key makes of it. */
#ifndef GATEWAY_HTTP_KEY_POLICY_H
#define GATEWAY_HTTP_KEY_POLICY_H

#include "gateway/http/request.h"

/* The account's key; request is authenticated. Waits for the vault only while nobody has asked it yet.
 * GK_E_DENIED, GK_E_UNAVAILABLE, both with the answer that is documented. */
enum gk_status gk_key_policy_check(const struct gk_request *request,
                                   struct gk_error *error) GK_MUST_USE;
/* The same for a request without metadata that needs a key as if it had some: what it makes is new, and gets a
 * data key. */
enum gk_status gk_key_policy_check_new(const struct gk_request *request,
                                       struct gk_error *error) GK_MUST_USE;

/* Whether the operation needs a key at all: what does not, goes on whatever the state of any. */
bool gk_key_policy_needs_key(const struct gk_request *request) GK_MUST_USE;

/* An encryption scope of the account, which the request has come to. */
struct gk_policy_scope {
    struct gk_account *handle; /* the plugin's */
    bool disabled;
    bool of_new; /* as in check_new */
};
/* The key of the scope: the same, and 403 AuthorizationFailure for what needs the key of one that is
 * disabled. */
enum gk_status gk_key_policy_check_scope(const struct gk_request *request,
                                         const struct gk_policy_scope *scope,
                                         struct gk_error *error) GK_MUST_USE;

#endif
