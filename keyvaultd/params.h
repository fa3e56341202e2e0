/* SPDX-License-Identifier: Apache-2.0 */
/* Names and values of a query string or of a form: decoded, bounded, wiped at the end. */
#ifndef KEYVAULTD_PARAMS_H
#define KEYVAULTD_PARAMS_H

#include "common/buf.h"

#define KV_PARAMS_MAX       32u
#define KV_PARAMS_BYTES_MAX 16384u

struct kv_params {
    struct gk_buf texts; /* name NUL value NUL ... */
    size_t names[KV_PARAMS_MAX];
    size_t values[KV_PARAMS_MAX];
    size_t count;
};

/* False when it is malformed or too much; clean up in either case. A form has '+' for a blank. */
bool kv_params_parse(struct kv_params *params, struct gk_span text, bool form) GK_MUST_USE;
void kv_params_cleanup(struct kv_params *params);
/* The first value with that name, NULL when there is none. */
const char *kv_params_get(const struct kv_params *params, const char *name);

#endif
