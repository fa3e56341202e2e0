/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared Key and Shared Key Lite for the Blob service. Source: "Authorize with Shared Key", and for
 * the order of headers, which is a culture's and not ASCII's, the vendor's SDK.
 */
#ifndef GATEWAY_AUTH_SHARED_KEY_H
#define GATEWAY_AUTH_SHARED_KEY_H

#include "gateway/http/request.h"

/* authorization is the header's value. 403 AuthenticationFailed; the reason never shows a signature. */
enum gk_status gk_shared_key_check(const struct gk_request *request, const char *authorization,
                                   struct gk_error *error) GK_MUST_USE;

/* The order of header names in a string to sign: negative, zero, positive. */
int gk_shared_key_compare(const char *left, const char *right);
/* Appends the string to sign. culture_order false sorts as ASCII, as some older clients do. */
void gk_shared_key_string(const struct gk_request *request, bool lite, bool culture_order,
                          struct gk_buf *out);

#endif
