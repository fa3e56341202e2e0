/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: picks the scheme. */
#ifndef GATEWAY_AUTH_AUTH_H
#define GATEWAY_AUTH_AUTH_H

#include "gateway/http/request.h"

/*
 * Sets account and permissions of the request. An unknown account is answered like a wrong
 * signature, so that account names cannot be guessed; one whose record is damaged or lost is GK_E_INTEGRITY, for which
 * there must be an account of that name. Without any credential: as anonymous.h has it, 403 AuthenticationFailed and its
 * kin otherwise; 503 while the store does not answer.
 */
enum gk_status gk_authenticate(struct gk_request *request, struct gk_error *error) GK_MUST_USE;

#endif
