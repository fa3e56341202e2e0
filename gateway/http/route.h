/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a request's target to account, container, blob and operation. Pure; strict: a name is valid
 * UTF-8 without control characters, an escape is whole, nothing is encoded twice over.
 */
#ifndef GATEWAY_HTTP_ROUTE_H
#define GATEWAY_HTTP_ROUTE_H

#include "gateway/http/request.h"

#define GK_QUERY_MAX 64u

struct gk_route {
    char account[GK_ACCOUNT_NAME_BYTES_MAX];
    bool path_style;
    bool secondary;        /* <account>-secondary was named */
    const char *container; /* "" when there is none; these point into texts */
    const char *blob;
    struct gk_pair query[GK_QUERY_MAX];
    size_t query_count;
    struct gk_buf texts;
};

/*
 * Splits path and query (both as on the wire). host is the Host header; with domain, a host
 * <account>.<domain> names the account, else the path's first segment does; <account>-secondary names its
 * secondary endpoint. A container's name alone, without restype, is that of a blob in $root. 400 InvalidUri
 * and InvalidQueryParameterValue.
 */
enum gk_status gk_route_parse(struct gk_route *route, const char *path, const char *query,
                              const char *host, const char *domain,
                              struct gk_error *error) GK_MUST_USE;
/* The same for a part of a request of that account (dispatch.h): in path style, too, it may leave the
 * account's name out, as some of the vendor's SDKs do. */
enum gk_status gk_route_parse_part(struct gk_route *route, const char *path, const char *query,
                                   const char *host, const char *domain, const char *account,
                                   struct gk_error *error) GK_MUST_USE;
/* Whether the host is one of an account's, <account>.<domain>. */
bool gk_route_is_below(const char *host, const char *domain);
/* The same for the path of a website: the blob of that name in $web, "" for its root. Queries mean
 * nothing there. 400 InvalidUri. */
enum gk_status gk_route_parse_website(struct gk_route *route, const char *path, const char *host,
                                      const char *domain, struct gk_error *error) GK_MUST_USE;
void gk_route_cleanup(struct gk_route *route);
/* What the request is about; its strings live as long as route. */
void gk_route_apply(const struct gk_route *route, struct gk_request *request);

/*
 * The row of operations.def that the request asks for. 405 UnsupportedHttpVerb, 400
 * InvalidQueryParameterValue (no such comp or restype here), 400 MissingRequiredHeader, or InvalidHeaderValue
 * when the header that tells operations apart is there and names none. request needs method, container, blob,
 * query and headers.
 */
enum gk_status gk_route_operation(const struct gk_request *request, enum gk_operation *operation,
                                  struct gk_error *error) GK_MUST_USE;
/* As documented, for logs. */
const char *gk_operation_name(enum gk_operation operation);
/* Whether it changes nothing, as its row says. */
bool gk_operation_reads(enum gk_operation operation);

#endif
