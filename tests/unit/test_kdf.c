/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: HMAC and HKDF give the published values, and a label's derivation is what docs/format.md
 * says. Method: RFC 4231, RFC 5869, and the expansion written out with HMAC. */
#include "plugin/kdf.h"

#include "unit/crypto_fixture.h"

static void test_kdf__hmac_gives_rfc4231(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        const char *key;
        const char *data;
        const char *mac;
    } rows[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdc"
         "d"
         "cdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t key[64];
        uint8_t data[64];
        uint8_t mac[GK_SHA256_BYTES];
        size_t key_len = from_hex(rows[i].key, key, sizeof key);
        size_t data_len = from_hex(rows[i].data, data, sizeof data);
        /* In three parts, one of them empty. */
        const struct gk_span parts[] = {gk_span_of(data, 3), gk_span_of(NULL, 0),
                                        gk_span_of(data + 3, data_len - 3)};
        assert_int_equal(gk_hmac_sha256(crypto, gk_span_of(key, key_len), parts, 3, mac), GK_OK);
        assert_hex(mac, sizeof mac, rows[i].mac);
    }
}

static void test_kdf__hmac_takes_an_empty_key_and_no_data(void **state)
{
    const struct gk_crypto *crypto = *state;
    uint8_t mac[GK_SHA256_BYTES];
    assert_int_equal(gk_hmac_sha256(crypto, gk_span_of(NULL, 0), NULL, 0, mac), GK_OK);
    assert_hex(mac, sizeof mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_kdf__hkdf_gives_rfc5869(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        const char *key;
        const char *salt;
        const char *info;
        const char *out;
    } rows[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
         "f0f1f2f3f4f5f6f7f8f9",
         "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
         "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t key[32];
        uint8_t salt[32];
        uint8_t info[32];
        uint8_t out[42];
        struct gk_span key_span = gk_span_of(key, from_hex(rows[i].key, key, sizeof key));
        struct gk_span salt_span = gk_span_of(salt, from_hex(rows[i].salt, salt, sizeof salt));
        struct gk_span info_span = gk_span_of(info, from_hex(rows[i].info, info, sizeof info));
        assert_int_equal(gk_hkdf_sha256(crypto, key_span, salt_span, info_span, out, sizeof out),
                         GK_OK);
        assert_hex(out, sizeof out, rows[i].out);
    }
}

static void test_kdf__expand_is_hmac_over_label_nul_parts_and_counter(void **state)
{
    const struct gk_crypto *crypto = *state;
    uint8_t key[GK_KEY_BYTES];
    memset(key, 7, sizeof key);
    const struct gk_span parts[] = {gk_span_str("one"), gk_span_str("two")};
    uint8_t out[44];
    assert_int_equal(gk_hkdf_expand_sha256(crypto, key, "label", parts, 2, out, sizeof out), GK_OK);

    static const char first_input[] = "label\0onetwo\x01"; /* its NUL at the end is not counted */
    uint8_t first[GK_SHA256_BYTES];
    const struct gk_span first_span = gk_span_of(first_input, sizeof first_input - 1);
    assert_int_equal(gk_hmac_sha256(crypto, gk_span_of(key, sizeof key), &first_span, 1, first),
                     GK_OK);
    assert_memory_equal(out, first, sizeof first);

    static const char second_input[] = "label\0onetwo\x02";
    const struct gk_span second_spans[] = {gk_span_of(first, sizeof first),
                                           gk_span_of(second_input, sizeof second_input - 1)};
    uint8_t second[GK_SHA256_BYTES];
    assert_int_equal(gk_hmac_sha256(crypto, gk_span_of(key, sizeof key), second_spans, 2, second),
                     GK_OK);
    assert_memory_equal(out + sizeof first, second, sizeof out - sizeof first);
}

static void test_kdf__labels_and_parts_do_not_run_into_each_other(void **state)
{
    const struct gk_crypto *crypto = *state;
    const uint8_t key[GK_KEY_BYTES] = {1};
    uint8_t a[32];
    uint8_t b[32];
    const struct gk_span part = gk_span_str("b");
    assert_int_equal(gk_hkdf_expand_sha256(crypto, key, "a", &part, 1, a, sizeof a), GK_OK);
    assert_int_equal(gk_hkdf_expand_sha256(crypto, key, "ab", NULL, 0, b, sizeof b), GK_OK);
    assert_memory_not_equal(a, b, sizeof a);
}

static void test_kdf__refuses_lengths_out_of_range(void **state)
{
    const struct gk_crypto *crypto = *state;
    const uint8_t key[GK_KEY_BYTES] = {1};
    static uint8_t out[GK_HKDF_BYTES_MAX + 1];
    struct gk_span span = gk_span_of(key, sizeof key);
    struct gk_span none = gk_span_of(NULL, 0);
    assert_int_equal(gk_hkdf_sha256(crypto, span, none, none, out, GK_HKDF_BYTES_MAX), GK_OK);
    assert_int_equal(gk_hkdf_sha256(crypto, span, none, none, out, GK_HKDF_BYTES_MAX + 1),
                     GK_E_LIMIT);
    assert_int_equal(gk_hkdf_sha256(crypto, span, none, none, out, 0), GK_E_LIMIT);
    assert_int_equal(gk_hkdf_expand_sha256(crypto, key, "x", NULL, 0, out, 0), GK_E_LIMIT);
    struct gk_span parts[GK_HKDF_LABEL_PARTS_MAX + 1] = {{NULL, 0}};
    assert_int_equal(
        gk_hkdf_expand_sha256(crypto, key, "x", parts, GK_HKDF_LABEL_PARTS_MAX + 1, out, 32),
        GK_E_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kdf__hmac_gives_rfc4231),
        cmocka_unit_test(test_kdf__hmac_takes_an_empty_key_and_no_data),
        cmocka_unit_test(test_kdf__hkdf_gives_rfc5869),
        cmocka_unit_test(test_kdf__expand_is_hmac_over_label_nul_parts_and_counter),
        cmocka_unit_test(test_kdf__labels_and_parts_do_not_run_into_each_other),
        cmocka_unit_test(test_kdf__refuses_lengths_out_of_range),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
