/* SPDX-License-Identifier: Apache-2.0 */
/* Rules for other origins as the management API has them (CorsRules of the resource provider's specification,
 * common.json). Pure. */
#ifndef GATEWAY_MANAGE_CORS_JSON_H
#define GATEWAY_MANAGE_CORS_JSON_H

#include <jansson.h>

#include "gateway/blob_service.h"

/*
 * Reads properties.cors; *given: it is there, and cors has its rules, none of them when there is no list.
 * 400 InvalidRequestContent for what is of the wrong type or no member, InvalidRequestPropertyValue for what is
 * missing in a rule or not allowed.
 */
enum gk_status gk_cors_json_read(const json_t *properties, struct gk_cors *cors, bool *given,
                                 struct gk_error *error) GK_MUST_USE;

/* NULL when there is no memory. The caller owns it. */
json_t *gk_cors_json_write(const struct gk_cors *cors);

#endif
