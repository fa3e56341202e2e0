/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as a client sends it, to the public emulator account: its name and first key are
 * published, and known answers are made with them.
 */
#ifndef TESTS_UNIT_AUTH_FIXTURE_H
#define TESTS_UNIT_AUTH_FIXTURE_H

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/text.h"
#include "gateway/auth/signature.h"
#include "gateway/http/route.h"

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define AUTH_ACCOUNT "devstoreaccount1"
#define AUTH_KEY                                                                                   \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define AUTH_DATE "Mon, 23 Nov 2026 12:00:00 GMT" /* when every request is received */

struct auth_case {
    struct headed headed;
    struct gk_request *request; /* headed's */
    struct gk_route route;
    struct gk_access_keys keys; /* the first is AUTH_KEY, the second all zeros */
    struct gk_gateway_account account;
};

/* headers ends with a NULL name. host_style: the host names the account and the path does not. */
static inline void auth_case_init(struct auth_case *test, const char *method, const char *path,
                                  const char *query, const struct gk_pair *headers, bool host_style)
{
    static const char host[] = AUTH_ACCOUNT ".blob.localhost";
    memset(test, 0, sizeof *test);
    headed_init(&test->headed, headers);
    struct gk_request *request = test->request = &test->headed.request;
    assert_int_equal(gk_route_parse(&test->route, path, query,
                                    host_style ? host : "localhost:10000", "blob.localhost", NULL),
                     GK_OK);
    assert_string_equal(test->route.account, AUTH_ACCOUNT);
    request->method = method;
    request->raw_path = path;
    request->raw_query = query;
    request->account_name = test->route.account;
    request->path_style = test->route.path_style;
    request->container = test->route.container;
    request->blob = test->route.blob;
    request->query = test->route.query;
    request->query_count = test->route.query_count;
    const char *version = gk_request_header(request, "x-ms-version");
    request->version = version == NULL ? 0 : gk_service_version(version);
    assert_true(gk_time_http_parse(AUTH_DATE, &request->received_wall_ms));
    snprintf(request->client_address, sizeof request->client_address, "192.0.2.7");
    struct gk_buf key;
    gk_buf_init(&key, GK_ACCESS_KEY_BYTES);
    assert_true(gk_base64_decode(&key, gk_span_str(AUTH_KEY)));
    assert_int_equal(key.len, GK_ACCESS_KEY_BYTES);
    memcpy(test->keys.key[0], key.data, key.len);
    gk_buf_cleanup(&key);
    test->account.keys = &test->keys;
    request->account = &test->account;
}

static inline void auth_case_cleanup(struct auth_case *test)
{
    gk_route_cleanup(&test->route);
}

/* Appends the signature of text under key number index. */
static inline void auth_sign(const struct auth_case *test, unsigned index, struct gk_span text,
                             struct gk_buf *out)
{
    uint8_t made[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    assert_non_null(HMAC(EVP_sha256(), test->keys.key[index], GK_ACCESS_KEY_BYTES, text.data,
                         text.len, made, &len));
    gk_base64_encode(out, gk_span_of(made, len));
}

#endif
