/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON read in place: every value is a view into the text, nothing is copied or allocated, so that
 * a key or a token in an answer exists only where the answer is, and is wiped with it.
 *
 * A document is checked as a whole before anything is read from it. Depth is bounded, there is no
 * recursion.
 */
#ifndef KEYPROVIDER_JSON_VIEW_H
#define KEYPROVIDER_JSON_VIEW_H

#include <stdbool.h>

#include "common/span.h"

#define GK_KV_JSON_DEPTH_MAX 16u

enum gk_kv_json_kind {
    GK_KV_JSON_MISSING, /* no such member, or it stands there twice */
    GK_KV_JSON_OBJECT,
    GK_KV_JSON_ARRAY,
    GK_KV_JSON_STRING,
    GK_KV_JSON_NUMBER,
    GK_KV_JSON_TRUE,
    GK_KV_JSON_FALSE,
    GK_KV_JSON_NULL
};

struct gk_kv_json {
    enum gk_kv_json_kind kind;
    struct gk_span text; /* of a string: what is between the quotes, escapes as they are */
};

/* False, and *root missing, on anything but exactly one JSON value. */
bool gk_kv_json_parse(struct gk_span text, struct gk_kv_json *root) GK_MUST_USE;

/* The member of that name; missing in anything but an object. */
struct gk_kv_json gk_kv_json_get(struct gk_kv_json object, const char *name);

/* Goes through an array: start with *rest = array.text; false at the end. */
bool gk_kv_json_next(struct gk_span *rest, struct gk_kv_json *item) GK_MUST_USE;

/* Copies a string of printable ASCII with a NUL; false (out is "") for all else or a longer one. */
bool gk_kv_json_copy(struct gk_kv_json string, char *out, size_t out_bytes) GK_MUST_USE;

/* A string for people: cut to fit, everything but printable ASCII becomes a blank. */
void gk_kv_json_show(struct gk_kv_json string, char *out, size_t out_bytes);

/* Whole numbers from 0 to max. Managed identities send theirs as strings; those count too. */
bool gk_kv_json_u64(struct gk_kv_json value, uint64_t max, uint64_t *out) GK_MUST_USE;

bool gk_kv_json_string_is(struct gk_kv_json value, const char *text);

#endif
