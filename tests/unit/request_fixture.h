/* SPDX-License-Identifier: Apache-2.0 */
/* A request that consists of its headers. */
#ifndef TESTS_UNIT_REQUEST_FIXTURE_H
#define TESTS_UNIT_REQUEST_FIXTURE_H

#include "gateway/http/request.h"

#include "unit/cmocka_all.h"

struct headed {
    struct gk_http_exchange exchange;
    struct gk_request request;
};

/* headers ends with a NULL name. */
static inline void headed_init(struct headed *headed, const struct gk_pair *headers)
{
    memset(headed, 0, sizeof *headed);
    for (; headers->name != NULL; headers++) {
        assert_true(headed->exchange.headers_count < GK_HTTP_HEADERS_MAX);
        headed->exchange.headers[headed->exchange.headers_count++] = *headers;
    }
    headed->request.exchange = &headed->exchange;
    headed->request.headers = headed->exchange.headers;
    headed->request.headers_count = headed->exchange.headers_count;
}

/* Refused with this status and code, or GK_OK for status 0. */
static inline void assert_answer(enum gk_status status, const struct gk_error *error,
                                 unsigned http_status, const char *code)
{
    assert_int_equal(status, http_status == 0 ? GK_OK : GK_E_INVALID);
    assert_int_equal(error->http_status, http_status);
    assert_string_equal(error->code, code);
}

#endif
