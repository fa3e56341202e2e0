/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared access signatures: account SAS, and service SAS of a container or blob, which may name a stored
 * access policy of the container (si). Source: "Create an account SAS", "Create a service SAS", "Define a
 * stored access policy", "Create a user delegation SAS", which is signed with a user delegation key
 * (delegation.h).
 */
#ifndef GATEWAY_AUTH_SAS_H
#define GATEWAY_AUTH_SAS_H

#include "gateway/http/request.h"

/*
 * Checks signature, times, address, protocol, service and resource type; then sets permissions and
 * the overridden headers of request. 403 with the documented code.
 */
enum gk_status gk_sas_check(struct gk_request *request, struct gk_error *error) GK_MUST_USE;
/* A field sip: an IPv4 address, or the first and the last of a range, "192.0.2.1-192.0.2.9". */
bool gk_sas_addresses_parse(const char *text, uint32_t *first, uint32_t *last) GK_MUST_USE;

#endif
