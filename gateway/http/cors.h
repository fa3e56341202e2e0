/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which requests of other origins an account's rules allow, and what answers tell browsers of it
 * (Storage REST reference, "Cross-Origin Resource Sharing (CORS) support for Azure Storage").
 */
#ifndef GATEWAY_HTTP_CORS_H
#define GATEWAY_HTTP_CORS_H

#include "gateway/http/request.h"

/*
 * The first rule that allows a request, or NULL. origin NULL: only one that allows all origins.
 * headers: a list of those that it will have, or NULL for none. Pure.
 */
const struct gk_cors_rule *gk_cors_match(const struct gk_cors *cors, const char *origin,
                                         const char *method, const char *headers);

/* Sets the headers for browsers of an answer whose other headers are set: none without rules. */
void gk_cors_answer(struct gk_request *request);

#endif
