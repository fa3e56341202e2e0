/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests without any credential: reads of what the public may read (Storage REST reference, "Get Blob"
 * and its sisters; "Configure anonymous read access for containers and blobs"). The account has to permit
 * it, and the container to have a level of public access, which is read from its record each time.
 */
#ifndef GATEWAY_AUTH_ANONYMOUS_H
#define GATEWAY_AUTH_ANONYMOUS_H

#include "gateway/http/request.h"

/* Sets permissions of request, whose account is known. 401 NoAuthenticationInformation for all that is not
 * public, whether it is there or not. */
enum gk_status gk_anonymous_check(struct gk_request *request, struct gk_error *error) GK_MUST_USE;

#endif
