/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines for our processes: one JSON object a line on standard error, {"time", "level",
 * "component", "message"}. The message is escaped, so a hostile name cannot forge a line. Never log
 * a key, token, signature, Authorization header, query string or body. Thread-safe; a line is one
 * write(2).
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "gatekey/types.h"

/* Lines above this level are dropped. Default GK_LOG_INFO. */
void gk_log_set_level(enum gk_log_level level);
void gk_log(enum gk_log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void gk_log_text(enum gk_log_level level, const char *component, const char *message);
/* With a member "requestId", by which its client knows the request. */
void gk_log_request(enum gk_log_level level, const char *component, const char *request_id,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
