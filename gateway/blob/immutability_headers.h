/* SPDX-License-Identifier: Apache-2.0 */
/* Immutability policies and legal holds in requests and answers. */
#ifndef GATEWAY_BLOB_IMMUTABILITY_HEADERS_H
#define GATEWAY_BLOB_IMMUTABILITY_HEADERS_H

#include "gateway/blob/immutability.h"
#include "gateway/http/request.h"

/* What a new blob is to have, of the operations that make one: nothing without the headers. 400
 * InvalidHeaderValue, MissingRequiredHeader; 403 AuthorizationPermissionMismatch for who may not. */
enum gk_status gk_immutability_read(const struct gk_request *request, struct gk_immutability *out,
                                    struct gk_error *error) GK_MUST_USE;
/* x-ms-immutability-policy-until-date and -mode; none when neither is there. */
enum gk_status gk_policy_read(const struct gk_request *request, struct gk_immutability *out,
                              struct gk_error *error) GK_MUST_USE;
/* x-ms-legal-hold; *given tells whether it was there. */
enum gk_status gk_legal_hold_read(const struct gk_request *request, bool *hold, bool *given,
                                  struct gk_error *error) GK_MUST_USE;

void gk_respond_policy(struct gk_request *request, const struct gk_immutability *immutability);
/* The policy, and the hold when there is one. */
void gk_respond_immutability(struct gk_request *request,
                             const struct gk_immutability *immutability);

#endif
