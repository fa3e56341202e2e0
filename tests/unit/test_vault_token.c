/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: only a token of ours, whole and within its time, is read; form data is parsed strictly. */
#include "keyvaultd/token.h"

#include <stdio.h>
#include <string.h>

#include "keyvaultd/params.h"
#include "unit/cmocka_all.h"

#define NOW_S INT64_C(1800000000)

static const uint8_t secret_bytes[32] = {7};
static const struct kv_token sample = {.issuer = "https://localhost:1/t/",
                                       .audience = "https://vault.azure.net",
                                       .tenant_id = "t",
                                       .client_id = "client",
                                       .object_id = "object",
                                       .not_before_s = NOW_S,
                                       .expires_s = NOW_S + 3600};

static struct gk_span secret(void)
{
    return gk_span_of(secret_bytes, sizeof secret_bytes);
}

static void make(struct gk_buf *text)
{
    gk_buf_init(text, KV_TOKEN_BYTES_MAX);
    assert_true(kv_token_make(&sample, secret(), text));
}

static void test_vault_token__says_what_was_put_in(void **state)
{
    (void)state;
    struct gk_buf text;
    struct kv_token_claims claims;
    make(&text);
    assert_true(kv_token_read(gk_buf_str(&text), secret(), NOW_S, &claims));
    assert_string_equal(claims.audience, sample.audience);
    assert_string_equal(claims.tenant_id, sample.tenant_id);
    assert_string_equal(claims.client_id, sample.client_id);
    gk_buf_cleanup(&text);
}

static void test_vault_token__has_a_time(void **state)
{
    (void)state;
    static const struct {
        int64_t now_s;
        bool good;
    } cases[] = {{NOW_S - 301, false}, {NOW_S - 300, true},   {NOW_S, true},
                 {NOW_S + 3599, true}, {NOW_S + 3600, false}, {INT64_C(1) << 40, false}};
    struct gk_buf text;
    struct kv_token_claims claims;
    make(&text);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(kv_token_read(gk_buf_str(&text), secret(), cases[i].now_s, &claims),
                         cases[i].good);
    }
    gk_buf_cleanup(&text);
}

static void test_vault_token__refuses_every_changed_character(void **state)
{
    (void)state;
    struct gk_buf text;
    struct kv_token_claims claims;
    make(&text);
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t before = text.data[i];
        text.data[i] = before == 'A' ? 'B' : 'A';
        assert_false(kv_token_read(gk_buf_str(&text), secret(), NOW_S, &claims));
        text.data[i] = before;
    }
    for (size_t len = 0; len < text.len; len++) {
        const uint8_t before = text.data[len];
        text.data[len] = 0;
        assert_false(kv_token_read(gk_buf_str(&text), secret(), NOW_S, &claims));
        text.data[len] = before;
    }
    const uint8_t other[32] = {8};
    assert_false(kv_token_read(gk_buf_str(&text), gk_span_of(other, sizeof other), NOW_S, &claims));
    assert_true(kv_token_read(gk_buf_str(&text), secret(), NOW_S, &claims));
    gk_buf_cleanup(&text);
}

static void test_vault_token__refuses_what_is_no_token(void **state)
{
    (void)state;
    static const char *const cases[] = {"", ".", "..", "a", "a.b", "a.b.c", "...."};
    struct kv_token_claims claims;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(kv_token_read(cases[i], secret(), NOW_S, &claims));
    }
}

static void test_vault_params__are_decoded(void **state)
{
    (void)state;
    static const char text[] = "a=1&b=x%2By+z&&c&d=&%61b=last&a=2";
    struct kv_params params;
    assert_true(kv_params_parse(&params, gk_span_str(text), true));
    assert_string_equal(kv_params_get(&params, "a"), "1");
    assert_string_equal(kv_params_get(&params, "b"), "x+y z");
    assert_string_equal(kv_params_get(&params, "c"), "");
    assert_string_equal(kv_params_get(&params, "d"), "");
    assert_string_equal(kv_params_get(&params, "ab"), "last");
    assert_null(kv_params_get(&params, "e"));
    kv_params_cleanup(&params);
    assert_true(kv_params_parse(&params, gk_span_str("b=x+y"), false));
    assert_string_equal(kv_params_get(&params, "b"), "x+y");
    kv_params_cleanup(&params);
}

static void test_vault_params__are_bounded_and_strict(void **state)
{
    (void)state;
    static const char *const broken[] = {"a=%", "a=%4", "a=%zz", "%00=b", "a=b%00"};
    struct kv_params params;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        assert_false(kv_params_parse(&params, gk_span_str(broken[i]), false));
        kv_params_cleanup(&params);
    }
    char many[4 * (KV_PARAMS_MAX + 1) + 1];
    for (size_t i = 0; i <= KV_PARAMS_MAX; i++) {
        memcpy(many + 4 * i, "a=b&", 5);
    }
    assert_false(kv_params_parse(&params, gk_span_str(many), false));
    kv_params_cleanup(&params);
    many[4 * KV_PARAMS_MAX] = '\0';
    assert_true(kv_params_parse(&params, gk_span_str(many), false));
    kv_params_cleanup(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vault_token__says_what_was_put_in),
        cmocka_unit_test(test_vault_token__has_a_time),
        cmocka_unit_test(test_vault_token__refuses_every_changed_character),
        cmocka_unit_test(test_vault_token__refuses_what_is_no_token),
        cmocka_unit_test(test_vault_params__are_decoded),
        cmocka_unit_test(test_vault_params__are_bounded_and_strict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
