/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers over struct gk_span. No allocation anywhere here. */
#ifndef COMMON_SPAN_H
#define COMMON_SPAN_H

#include <stdbool.h>
#include <string.h>

#include "gatekey/types.h"

static inline struct gk_span gk_span_of(const void *data, size_t len)
{
    return (struct gk_span){.data = (const uint8_t *)data, .len = len};
}

/* The characters of a C string, without its NUL. */
static inline struct gk_span gk_span_str(const char *text)
{
    return gk_span_of(text, strlen(text));
}

/* Not constant time: for secrets use gk_secret_equal(). */
static inline bool gk_span_equal(struct gk_span a, struct gk_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The order of bytes, a shorter one before what it begins: less than 0, 0 or more than 0. */
static inline int gk_span_compare(struct gk_span a, struct gk_span b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len == 0 ? 0 : memcmp(a.data, b.data, len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* As a C string. False, and nothing is written, when it does not fit into room or has a NUL in it. */
static inline bool gk_span_to_str(struct gk_span text, char *out, size_t room)
{
    if (text.len >= room || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
        return false;
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = '\0';
    return true;
}

#endif
