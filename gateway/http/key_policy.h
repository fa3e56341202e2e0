/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's word on a request's operation: what the state of the account's key makes of it. */
#ifndef GATEWAY_HTTP_KEY_POLICY_H
#define GATEWAY_HTTP_KEY_POLICY_H

#include "gateway/http/request.h"

/* request is authenticated. Waits for the vault only while nobody has asked it yet. GK_E_DENIED,
 * GK_E_UNAVAILABLE, both with the answer that is documented. */
enum gk_status gk_key_policy_check(struct gk_request *request, struct gk_error *error) GK_MUST_USE;
/* The same for a request without metadata that needs a key as if it had some: what it makes is new, and gets a
 * data key. */
enum gk_status gk_key_policy_check_new(struct gk_request *request,
                                       struct gk_error *error) GK_MUST_USE;

#endif
