/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From where an address of the Internet can be reached. What a client names must not make a server reach for
 * what only the server can (IANA's special-purpose address registries, RFC 6890).
 */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <sys/socket.h>

enum gk_reach {
    GK_REACH_PUBLIC,  /* by everybody: an address of the Internet */
    GK_REACH_PRIVATE, /* from a site or machine: private, unique local, shared (CGNAT), loopback */
    GK_REACH_NEVER    /* by nobody on purpose: link-local, multicast, unspecified, reserved,
                       * documentation, obsolete tunnels, instance metadata wherever that stands */
};

/* An IPv6 address that carries an IPv4 one (mapped, NAT64) reaches what that reaches. What is neither is
 * GK_REACH_NEVER. Pure. */
enum gk_reach gk_address_reach(const struct sockaddr *address);

#endif
