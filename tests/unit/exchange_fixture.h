/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In place of the transport's exchanges, in a test that is linked with --wrap of gk_kv_exchange_start and
 * gk_kv_exchange_cancel: one that is begun is under way until the test ends it. The test says whether it can be begun, and
 * forgets one that is cancelled. One thread.
 */
#ifndef TESTS_UNIT_EXCHANGE_FIXTURE_H
#define TESTS_UNIT_EXCHANGE_FIXTURE_H

#include <stdlib.h>

#include "keyprovider/timers.h"
#include "keyprovider/transport.h"
#include "unit/cmocka_all.h"

struct gk_kv_exchange {
    gk_kv_http_done_fn *done;
    void *ctx;
    bool of_host;
    uint32_t timeout_ms;
    bool answered;          /* the test's own */
    struct gk_kv_timer end; /* the test's own */
};

static bool exchange_begins(struct gk_kv_exchange *exchange);
static void exchange_is_cancelled(struct gk_kv_exchange *exchange);

struct gk_kv_exchange *__wrap_gk_kv_exchange_start(struct gk_kv_transport *transport,
                                                   const struct gk_kv_http_request *request,
                                                   gk_kv_http_done_fn *done, void *ctx);
struct gk_kv_exchange *__wrap_gk_kv_exchange_start(struct gk_kv_transport *transport,
                                                   const struct gk_kv_http_request *request,
                                                   gk_kv_http_done_fn *done, void *ctx)
{
    (void)transport;
    struct gk_kv_exchange *exchange = calloc(1, sizeof *exchange);
    assert_non_null(exchange);
    exchange->done = done;
    exchange->ctx = ctx;
    exchange->of_host = request->of_host;
    exchange->timeout_ms = request->timeout_ms;
    if (!exchange_begins(exchange)) {
        free(exchange);
        return NULL;
    }
    return exchange;
}

void __wrap_gk_kv_exchange_cancel(struct gk_kv_exchange *exchange);
void __wrap_gk_kv_exchange_cancel(struct gk_kv_exchange *exchange)
{
    if (exchange != NULL) {
        exchange_is_cancelled(exchange);
        free(exchange);
    }
}

/* With body of an answer, or with failure of none. */
static inline void exchange_end(struct gk_kv_exchange *exchange, enum gk_kv_outcome outcome,
                                uint16_t http_status, const char *body, const char *failure)
{
    const struct gk_kv_exchange ended = *exchange;
    const struct gk_kv_http_answer answer = {.outcome = outcome,
                                             .http_status = http_status,
                                             .body = gk_span_str(body),
                                             .challenge = "",
                                             .request_id = "",
                                             .failure = failure};
    free(exchange);
    ended.done(ended.ctx, &answer);
}

#endif
