/* SPDX-License-Identifier: Apache-2.0 */
/* The management listener: the HTTP layer on one side, gk_manage_handle() on the other. */
#ifndef GATEWAY_MANAGE_MANAGE_SERVER_H
#define GATEWAY_MANAGE_MANAGE_SERVER_H

#include "gateway/config.h"
#include "gateway/gateway.h"

struct gk_manage_server;

/*
 * Reads certificate, key and token of config->management, and listens over TLS. gateway and
 * blob_base_url (see manage.h) must outlive the server. GK_E_INVALID names the file that is wrong.
 */
enum gk_status gk_manage_server_start(const struct gk_config *config, struct gk_gateway *gateway,
                                      const char *blob_base_url, struct gk_manage_server **out,
                                      struct gk_error *error) GK_MUST_USE;
uint16_t gk_manage_server_port(const struct gk_manage_server *server);
/* From now on /readyz answers 503, so that a load balancer looks elsewhere. */
void gk_manage_server_announce_stop(struct gk_manage_server *server);
/* Ends requests under way and closes. NULL is fine. */
void gk_manage_server_stop(struct gk_manage_server *server);

#endif
