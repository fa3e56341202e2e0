/* SPDX-License-Identifier: Apache-2.0 */
#include "common/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 5, 0))) static enum gk_status
fill(struct gk_error *error, enum gk_status status, uint16_t http_status, const char *code,
     const char *format, va_list args)
{
    if (error == NULL) {
        return status;
    }
    char message[sizeof error->message];
    /* The message may quote the error that is being replaced, so it is made first. */
    vsnprintf(message, sizeof message, format, args);
    *error = (struct gk_error){.status = status, .http_status = http_status};
    snprintf(error->code, sizeof error->code, "%s", code);
    memcpy(error->message, message, sizeof message);
    return status;
}

/* The parentheses keep the analyzer's macros away. */
enum gk_status(gk_fail)(struct gk_error *error, enum gk_status status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, status, 0, "", format, args);
    va_end(args);
    return status;
}

enum gk_status(gk_fail_http)(struct gk_error *error, enum gk_status status, uint16_t http_status,
                             const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fill(error, status, http_status, code, format, args);
    va_end(args);
    return status;
}

void gk_error_clear(struct gk_error *error)
{
    if (error != NULL) {
        *error = (struct gk_error){.status = GK_OK};
    }
}

const char *gk_status_name(enum gk_status status)
{
    static const char *const names[] = {
        [GK_OK] = "ok",
        [GK_E_INVALID] = "invalid",
        [GK_E_NOT_FOUND] = "not found",
        [GK_E_EXISTS] = "exists",
        [GK_E_CONFLICT] = "conflict",
        [GK_E_DENIED] = "denied",
        [GK_E_UNAVAILABLE] = "unavailable",
        [GK_E_INTEGRITY] = "integrity error",
        [GK_E_LIMIT] = "limit exceeded",
        [GK_E_RESOURCE] = "out of a resource",
        [GK_E_UNSUPPORTED] = "unsupported",
        [GK_E_INTERNAL] = "internal error",
        [GK_E_COLD] = "cold",
    };
    return (size_t)status < sizeof names / sizeof *names ? names[status] : "unknown";
}
