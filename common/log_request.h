/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines of requests: as log.h's, with a member "requestId", by which its client knows the request. */
#ifndef COMMON_LOG_REQUEST_H
#define COMMON_LOG_REQUEST_H

#include "common/log.h"

void gk_log_request(enum gk_log_level level, const char *component, const char *request_id,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
