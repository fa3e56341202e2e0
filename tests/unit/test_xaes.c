/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: XAES-256-GCM gives the values that its specification publishes, and refuses every change.
 * Method: the vectors of https://c2sp.org/XAES-256-GCM, the accumulated ones included. */
#include "plugin/xaes.h"

#include <openssl/evp.h>

#include "unit/crypto_fixture.h"

static void test_xaes__gives_the_published_vectors(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        uint8_t key_byte;
        const char *aad;
        const char *sealed; /* ciphertext | tag */
    } rows[] = {
        /* The top bit of CMAC's subkey is 0 in the first and 1 in the second. */
        {0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
        {0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
    };
    const struct gk_span plain = gk_span_str("XAES-256-GCM");
    static const uint8_t nonce[] = "ABCDEFGHIJKLMNOPQRSTUVWX";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t key[GK_KEY_BYTES];
        memset(key, rows[i].key_byte, sizeof key);
        const struct gk_span aad = gk_span_str(rows[i].aad);
        uint8_t sealed[12 + GK_XAES_OVERHEAD_BYTES];
        assert_int_equal(gk_xaes_seal_with_nonce(crypto, key, nonce, &aad, 1, plain, sealed),
                         GK_OK);
        assert_memory_equal(sealed, nonce, GK_XAES_NONCE_BYTES);
        assert_hex(sealed + GK_XAES_NONCE_BYTES, sizeof sealed - GK_XAES_NONCE_BYTES,
                   rows[i].sealed);
        uint8_t opened[12];
        assert_int_equal(
            gk_xaes_open(crypto, key, &aad, 1, gk_span_of(sealed, sizeof sealed), opened), GK_OK);
        assert_memory_equal(opened, plain.data, plain.len);
    }
}

/* The first len bytes of SHAKE-128 over nothing, the specification's random source. */
static uint8_t *shake128_stream(size_t len)
{
    uint8_t *stream = malloc(len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_non_null(stream);
    assert_non_null(ctx);
    assert_int_equal(EVP_DigestInit_ex(ctx, EVP_shake128(), NULL), 1);
    assert_int_equal(EVP_DigestFinalXOF(ctx, stream, len), 1);
    EVP_MD_CTX_free(ctx);
    return stream;
}

static void test_xaes__gives_the_accumulated_vectors(void **state)
{
    const struct gk_crypto *crypto = *state;
    enum { ITERATIONS = 10000, ITERATION_BYTES_MAX = 32 + 24 + 2 * (1 + 255) };
    uint8_t *stream = shake128_stream((size_t)ITERATIONS * ITERATION_BYTES_MAX);
    assert_hex(stream, 16, "7f9c2ba4e88f827d616045507605853e");
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    assert_non_null(hash);
    assert_int_equal(EVP_DigestInit_ex(hash, EVP_shake128(), NULL), 1);
    const uint8_t *at = stream;
    for (int i = 0; i < ITERATIONS; i++) {
        const uint8_t *key = at;
        const uint8_t *nonce = key + GK_KEY_BYTES;
        const uint8_t *plain_len = nonce + GK_XAES_NONCE_BYTES;
        const struct gk_span plain = gk_span_of(plain_len + 1, *plain_len);
        const uint8_t *aad_len = plain.data + plain.len;
        const struct gk_span aad = gk_span_of(aad_len + 1, *aad_len);
        at = aad.data + aad.len;

        uint8_t sealed[255 + GK_XAES_OVERHEAD_BYTES];
        uint8_t opened[255];
        size_t sealed_len = plain.len + GK_XAES_OVERHEAD_BYTES;
        assert_int_equal(gk_xaes_seal_with_nonce(crypto, key, nonce, &aad, 1, plain, sealed),
                         GK_OK);
        assert_int_equal(gk_xaes_open(crypto, key, &aad, 1, gk_span_of(sealed, sealed_len), opened),
                         GK_OK);
        assert_memory_equal(opened, plain.data, plain.len);
        assert_int_equal(
            EVP_DigestUpdate(hash, sealed + GK_XAES_NONCE_BYTES, sealed_len - GK_XAES_NONCE_BYTES),
            1);
    }
    uint8_t digest[32];
    assert_int_equal(EVP_DigestFinalXOF(hash, digest, sizeof digest), 1);
    assert_hex(digest, sizeof digest,
               "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
    EVP_MD_CTX_free(hash);
    free(stream);
}

static void test_xaes__refuses_every_changed_bit_and_every_length(void **state)
{
    const struct gk_crypto *crypto = *state;
    uint8_t key[GK_KEY_BYTES] = {9};
    const struct gk_span aad = gk_span_str("context");
    const struct gk_span plain = gk_span_str("what nobody may change");
    uint8_t sealed[64];
    uint8_t opened[64];
    const size_t len = plain.len + GK_XAES_OVERHEAD_BYTES;
    assert_int_equal(gk_xaes_seal(crypto, key, &aad, 1, plain, sealed), GK_OK);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        memset(opened, 0xaa, sizeof opened);
        assert_int_equal(gk_xaes_open(crypto, key, &aad, 1, gk_span_of(sealed, len), opened),
                         GK_E_INTEGRITY);
        assert_zero(opened, plain.len);
        assert_int_equal(gk_xaes_verify(crypto, key, &aad, 1, gk_span_of(sealed, len)),
                         GK_E_INTEGRITY);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t shorter = 0; shorter < len; shorter++) {
        assert_int_equal(gk_xaes_open(crypto, key, &aad, 1, gk_span_of(sealed, shorter), opened),
                         GK_E_INTEGRITY);
        assert_int_equal(gk_xaes_verify(crypto, key, &aad, 1, gk_span_of(sealed, shorter)),
                         GK_E_INTEGRITY);
    }
    assert_int_equal(gk_xaes_open(crypto, key, NULL, 0, gk_span_of(sealed, len), opened),
                     GK_E_INTEGRITY);
    key[31] ^= 1;
    assert_int_equal(gk_xaes_open(crypto, key, &aad, 1, gk_span_of(sealed, len), opened),
                     GK_E_INTEGRITY);
    key[31] ^= 1;
    assert_int_equal(gk_xaes_open(crypto, key, &aad, 1, gk_span_of(sealed, len), opened), GK_OK);
    assert_memory_equal(opened, plain.data, plain.len);
}

static void test_xaes__takes_additional_data_in_parts_and_empty_plaintext(void **state)
{
    const struct gk_crypto *crypto = *state;
    const uint8_t key[GK_KEY_BYTES] = {9};
    const struct gk_span parts[] = {gk_span_str("con"), gk_span_of(NULL, 0), gk_span_str("text")};
    const struct gk_span whole = gk_span_str("context");
    uint8_t sealed[GK_XAES_OVERHEAD_BYTES];
    uint8_t unused[1];
    assert_int_equal(gk_xaes_seal(crypto, key, parts, 3, gk_span_of(NULL, 0), sealed), GK_OK);
    assert_int_equal(
        gk_xaes_open(crypto, key, &whole, 1, gk_span_of(sealed, sizeof sealed), unused), GK_OK);
    assert_int_equal(gk_xaes_verify(crypto, key, &whole, 1, gk_span_of(sealed, sizeof sealed)),
                     GK_OK);
}

static void test_xaes__verifies_long_messages_and_draws_fresh_nonces(void **state)
{
    const struct gk_crypto *crypto = *state;
    const uint8_t key[GK_KEY_BYTES] = {9};
    enum { LEN = 10000 };
    static uint8_t plain[LEN];
    static uint8_t a[LEN + GK_XAES_OVERHEAD_BYTES];
    static uint8_t b[LEN + GK_XAES_OVERHEAD_BYTES];
    assert_int_equal(gk_xaes_seal(crypto, key, NULL, 0, gk_span_of(plain, LEN), a), GK_OK);
    assert_int_equal(gk_xaes_seal(crypto, key, NULL, 0, gk_span_of(plain, LEN), b), GK_OK);
    assert_memory_not_equal(a, b, GK_XAES_NONCE_BYTES);
    assert_int_equal(gk_xaes_verify(crypto, key, NULL, 0, gk_span_of(a, sizeof a)), GK_OK);
    a[GK_XAES_NONCE_BYTES + LEN - 1] ^= 1;
    assert_int_equal(gk_xaes_verify(crypto, key, NULL, 0, gk_span_of(a, sizeof a)), GK_E_INTEGRITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xaes__gives_the_published_vectors),
        cmocka_unit_test(test_xaes__gives_the_accumulated_vectors),
        cmocka_unit_test(test_xaes__refuses_every_changed_bit_and_every_length),
        cmocka_unit_test(test_xaes__takes_additional_data_in_parts_and_empty_plaintext),
        cmocka_unit_test(test_xaes__verifies_long_messages_and_draws_fresh_nonces),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
