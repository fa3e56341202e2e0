/* SPDX-License-Identifier: Apache-2.0 */
/* The management listener: the HTTP layer on one side, gk_manage_handle() on the other. */
#ifndef GATEWAY_MANAGE_MANAGE_SERVER_H
#define GATEWAY_MANAGE_MANAGE_SERVER_H

#include "gateway/gateway.h"
#include "gateway/setup.h"

struct gk_manage_server;

/* Takes the address of management.listen; see gk_http_server_bind. */
enum gk_status gk_manage_server_bind(const struct gk_setup *setup, struct gk_manage_server **out,
                                     struct gk_error *error) GK_MUST_USE;
/* Answers from now on. gateway and blob_base_url (see manage.h) must outlive the server. */
enum gk_status gk_manage_server_start(struct gk_manage_server *server, struct gk_gateway *gateway,
                                      const char *blob_base_url,
                                      struct gk_error *error) GK_MUST_USE;
/* Certificate and callers of setup, for connections and requests that begin from now on. */
void gk_manage_server_renew(struct gk_manage_server *server, const struct gk_setup *setup);
uint16_t gk_manage_server_port(const struct gk_manage_server *server);
/* From now on /readyz answers 503, so that a load balancer looks elsewhere. */
void gk_manage_server_announce_stop(struct gk_manage_server *server);
/* Ends requests under way and closes. NULL is fine. */
void gk_manage_server_stop(struct gk_manage_server *server);

#endif
