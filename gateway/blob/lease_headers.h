/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases in requests and answers (Storage REST reference, "Lease Blob", "Lease Container"). The times are
 * those of the gateway's clock when it is called.
 */
#ifndef GATEWAY_BLOB_LEASE_HEADERS_H
#define GATEWAY_BLOB_LEASE_HEADERS_H

#include "gateway/blob/lease_action.h"
#include "gateway/http/request.h"

/* Of a lease operation: 400 MissingRequiredHeader, InvalidHeaderValue. Who acquires without an id gets
 * one. */
enum gk_status gk_lease_request_read(const struct gk_request *request, struct gk_lease_request *out,
                                     struct gk_error *error) GK_MUST_USE;
/* Answers a lease operation that made lease what it is. */
enum gk_status gk_lease_request_respond(struct gk_request *request,
                                        const struct gk_lease_request *asked,
                                        const struct gk_lease *lease) GK_MUST_USE;

/* Of all other operations: x-ms-lease-id, or that it is missing, against the lease, as gk_lease_allows;
 * 400 InvalidHeaderValue. */
enum gk_status gk_lease_check(const struct gk_request *request, const struct gk_lease *lease,
                              enum gk_access access, enum gk_lease_of of,
                              struct gk_error *error) GK_MUST_USE;
/* The same by another header than x-ms-lease-id. */
enum gk_status gk_lease_check_by(const struct gk_request *request, const char *header,
                                 const struct gk_lease *lease, enum gk_access access,
                                 enum gk_lease_of of, struct gk_error *error) GK_MUST_USE;
/* x-ms-lease-status and its sisters. */
void gk_respond_lease(struct gk_request *request, const struct gk_lease *lease);

#endif
