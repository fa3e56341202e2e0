/* SPDX-License-Identifier: Apache-2.0 */
/* The Blob listener's service: takes each exchange through the order that request.h tells. */
#ifndef GATEWAY_HTTP_DISPATCH_H
#define GATEWAY_HTTP_DISPATCH_H

#include "gateway/gateway.h"
#include "gateway/http/server.h"

/* The version of the REST API that we implement, as answers name it. */
#define GK_SERVICE_VERSION "2024-08-04"

/* Takes a part of a body (server.h) through the same order, and answers it. version: of the request
 * around it, for a part that names none. */
void gk_dispatch_part(struct gk_gateway *gateway, struct gk_http_exchange *part, int64_t version);

/* gateway outlives the listener. */
struct gk_http_service gk_dispatch_service(struct gk_gateway *gateway);

#endif
