/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a struct gk_error. All accept a NULL error and return the status, for `return
 * gk_fail(..)`. */
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

#include "gatekey/types.h"

enum gk_status gk_fail(struct gk_error *error, enum gk_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with what a gateway should answer. code may be "". */
enum gk_status gk_fail_http(struct gk_error *error, enum gk_status status, uint16_t http_status,
                            const char *code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#ifdef __clang_analyzer__
/* It sees one file at a time and would follow paths on which these return GK_OK. */
#define gk_fail(error, status, ...) (gk_fail((error), (status), __VA_ARGS__), (status))
#define gk_fail_http(error, status, http_status, code, ...)                                        \
    (gk_fail_http((error), (status), (http_status), (code), __VA_ARGS__), (status))
#endif

void gk_error_clear(struct gk_error *error);
/* A short English name of a status, for logs. */
const char *gk_status_name(enum gk_status status);

#endif
