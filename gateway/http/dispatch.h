/* SPDX-License-Identifier: Apache-2.0 */
/* The Blob listener's service: takes each exchange through the order that request.h tells. */
#ifndef GATEWAY_HTTP_DISPATCH_H
#define GATEWAY_HTTP_DISPATCH_H

#include "gateway/gateway.h"
#include "gateway/http/server.h"

/* The version of the REST API that we implement, as answers name it. */
#define GK_SERVICE_VERSION "2024-08-04"

/* Takes a part (server.h) of the body of around through the same order, and answers it. What it does not
 * name, version and account, is that of the request around it. */
struct gk_request;
void gk_dispatch_part(const struct gk_request *around, struct gk_http_exchange *part);

/* gateway outlives the listener. */
struct gk_http_service gk_dispatch_service(struct gk_gateway *gateway);

#endif
