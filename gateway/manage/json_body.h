/* SPDX-License-Identifier: Apache-2.0 */
/* Strict reading of JSON that came over the network. No thread affinity. */
#ifndef GATEWAY_MANAGE_JSON_BODY_H
#define GATEWAY_MANAGE_JSON_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "common/span.h"

#define GK_JSON_DEPTH_MAX 16u

/*
 * Parses one JSON object of at most GK_JSON_DEPTH_MAX levels; duplicate names, anything after it and
 * text that is not UTF-8 are refused. 400 InvalidRequestContent names the place. The caller owns
 * *out.
 */
enum gk_status gk_json_parse(struct gk_span text, json_t **out, struct gk_error *error) GK_MUST_USE;

/* 400 InvalidRequestContent / InvalidRequestPropertyValue with a text of its own. */
enum gk_status gk_json_refuse(struct gk_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum gk_status gk_json_refuse_value(struct gk_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Member name of object: *out NULL when it is absent or null. where names the object in refusals,
 * "" or with a dot at its end.
 * A value of another type than the function's is refused.
 */
enum gk_status gk_json_object(const json_t *object, const char *where, const char *name,
                              json_t **out, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_json_text(const json_t *object, const char *where, const char *name,
                            const char **out, struct gk_error *error) GK_MUST_USE;
/* Copies into out[out_bytes], which stays as it is when the member is absent; *present tells. */
enum gk_status gk_json_copy(const json_t *object, const char *where, const char *name, char *out,
                            size_t out_bytes, bool *present, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_json_bool(const json_t *object, const char *where, const char *name, bool *out,
                            bool *present, struct gk_error *error) GK_MUST_USE;
/* A whole number from 0 to max; *out stays as it is when the member is absent. */
enum gk_status gk_json_number(const json_t *object, const char *name, uint64_t max, uint64_t *out,
                              struct gk_error *error) GK_MUST_USE;
/* Refuses members that are not in the NULL-terminated list. */
enum gk_status gk_json_only(const json_t *object, const char *where, const char *const *names,
                            struct gk_error *error) GK_MUST_USE;

#endif
