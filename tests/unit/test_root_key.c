/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a root key comes back only under the service key, account and generation that it was
 * wrapped for, and only the committed one passes. */
#include "plugin/root_key.h"

#include "unit/crypto_fixture.h"

static const struct gk_root_scope scope = {.account = {{1, 2, 3}}, .generation = 1};

static void test_root_key__unwraps_what_was_wrapped(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_root_wrap_key wrap_key = {{5}};
    struct gk_root_key key;
    struct gk_root_key opened;
    uint8_t wrapped[GK_SERVICE_WRAPPED_ROOT_BYTES];
    assert_int_equal(gk_root_key_random(&key, NULL), GK_OK);
    assert_int_equal(gk_root_key_wrap(crypto, &wrap_key, &scope, &key, wrapped, NULL), GK_OK);
    assert_int_equal(gk_root_key_unwrap(crypto, &wrap_key, &scope,
                                        gk_span_of(wrapped, sizeof wrapped), &opened, NULL),
                     GK_OK);
    assert_memory_equal(&key, &opened, sizeof key);
}

static void assert_refused(const struct gk_crypto *crypto, const struct gk_root_wrap_key *wrap_key,
                           const struct gk_root_scope *where, struct gk_span wrapped)
{
    struct gk_root_key opened;
    struct gk_error error;
    memset(&opened, 0xaa, sizeof opened);
    assert_int_equal(gk_root_key_unwrap(crypto, wrap_key, where, wrapped, &opened, &error),
                     GK_E_INTEGRITY);
    assert_int_equal(error.status, GK_E_INTEGRITY);
    assert_zero(opened.bytes, sizeof opened.bytes);
}

static void test_root_key__refuses_changes_and_other_places(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_root_wrap_key wrap_key = {{5}};
    const struct gk_root_key key = {{0x42}};
    uint8_t wrapped[GK_SERVICE_WRAPPED_ROOT_BYTES + 1] = {0};
    const struct gk_span whole = gk_span_of(wrapped, GK_SERVICE_WRAPPED_ROOT_BYTES);
    assert_int_equal(gk_root_key_wrap(crypto, &wrap_key, &scope, &key, wrapped, NULL), GK_OK);
    for (size_t bit = 0; bit < 8 * whole.len; bit++) {
        wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(crypto, &wrap_key, &scope, whole);
        wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len <= sizeof wrapped; len++) {
        if (len != whole.len) {
            assert_refused(crypto, &wrap_key, &scope, gk_span_of(wrapped, len));
        }
    }
    struct gk_root_scope elsewhere = scope;
    elsewhere.account.bytes[15] ^= 1;
    assert_refused(crypto, &wrap_key, &elsewhere, whole);
    elsewhere = scope;
    elsewhere.generation = 2;
    assert_refused(crypto, &wrap_key, &elsewhere, whole);
    const struct gk_root_wrap_key other_key = {{6}};
    assert_refused(crypto, &other_key, &scope, whole);
}

static void test_root_key__commitment_names_key_account_and_generation(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_root_key key = {{0x42}};
    uint8_t commitment[GK_ROOT_COMMITMENT_BYTES];
    assert_int_equal(gk_root_key_commitment(crypto, &key, &scope, commitment, NULL), GK_OK);
    assert_int_equal(gk_root_key_check(crypto, &key, &scope, commitment, NULL), GK_OK);
    struct gk_root_scope elsewhere = scope;
    elsewhere.account.bytes[0] ^= 1;
    assert_int_equal(gk_root_key_check(crypto, &key, &elsewhere, commitment, NULL), GK_E_INTEGRITY);
    elsewhere = scope;
    elsewhere.generation = 2;
    assert_int_equal(gk_root_key_check(crypto, &key, &elsewhere, commitment, NULL), GK_E_INTEGRITY);
    key.bytes[31] ^= 1;
    assert_int_equal(gk_root_key_check(crypto, &key, &scope, commitment, NULL), GK_E_INTEGRITY);
    key.bytes[31] ^= 1;
    commitment[0] ^= 1;
    assert_int_equal(gk_root_key_check(crypto, &key, &scope, commitment, NULL), GK_E_INTEGRITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_key__unwraps_what_was_wrapped),
        cmocka_unit_test(test_root_key__refuses_changes_and_other_places),
        cmocka_unit_test(test_root_key__commitment_names_key_account_and_generation),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
