/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket of a listener, in two steps: an address is taken before anything else of a start is done, so that
 * one that cannot be had leaves nothing behind, and is opened when there is somebody to answer.
 */
#ifndef GATEWAY_HTTP_LISTENER_H
#define GATEWAY_HTTP_LISTENER_H

#include <stdbool.h>

#include "gatekey/types.h"

/* host is a numeric address, without brackets; port 0: a free one. *bound is the port. The caller closes *fd.
 * GK_E_RESOURCE names the address and what to do. */
enum gk_status gk_listener_bind(const char *host, bool ipv6, uint16_t port, int *fd,
                                uint16_t *bound, struct gk_error *error) GK_MUST_USE;
/* From now on connections are taken. GK_E_RESOURCE: another process was faster. */
enum gk_status gk_listener_open(int fd, struct gk_error *error) GK_MUST_USE;

#endif
