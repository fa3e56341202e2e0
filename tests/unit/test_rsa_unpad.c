/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a token leaves of a decryption comes to what OpenSSL's own decryption comes to, and
 * nothing else passes. Method: the bare private operation (no padding) in software in the place of
 * the token, on what kv_rsa_encrypt() made.
 */
#include "keyvaultd/rsa_unpad.h"

#include <openssl/rsa.h>
#include <string.h>

#include "unit/cmocka_all.h"

static const enum kv_rsa_padding paddings[] = {KV_RSA_OAEP_256, KV_RSA_OAEP, KV_RSA_PKCS1};
#define PADDINGS (sizeof paddings / sizeof paddings[0])

static void bare_decrypt(EVP_PKEY *key, struct gk_span in, uint8_t *out, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
    assert_int_equal(EVP_PKEY_decrypt(ctx, out, len, in.data, in.len), 1);
    EVP_PKEY_CTX_free(ctx);
}

static void test_rsa_unpad__takes_its_own_padding_alone(void **state)
{
    (void)state;
    static const uint8_t secret[32] = {0, 1, 2, 3};
    EVP_PKEY *key = kv_rsa_generate(2048);
    for (size_t made = 0; made < PADDINGS; made++) {
        uint8_t block[KV_RSA_BYTES_MAX];
        size_t len = 0;
        do { /* every 256th block of OAEP begins as one of the old padding does, and would be taken for that */
            struct gk_buf wrapped;
            gk_buf_init(&wrapped, KV_RSA_BYTES_MAX);
            len = sizeof block;
            assert_true(
                kv_rsa_encrypt(key, paddings[made], gk_span_of(secret, sizeof secret), &wrapped));
            bare_decrypt(key, gk_buf_span(&wrapped), block, &len);
            gk_buf_cleanup(&wrapped);
        } while (paddings[made] != KV_RSA_PKCS1 && block[1] == 2);
        assert_int_equal(len, 256);
        for (size_t asked = 0; asked < PADDINGS; asked++) {
            struct gk_buf plain;
            gk_buf_init(&plain, KV_RSA_BYTES_MAX);
            assert_int_equal(kv_rsa_unpad(paddings[asked], gk_span_of(block, len), &plain),
                             asked == made);
            if (asked == made) {
                assert_int_equal(plain.len, sizeof secret);
                assert_memory_equal(plain.data, secret, sizeof secret);
            }
            gk_buf_cleanup(&plain);
        }
    }
    EVP_PKEY_free(key);
}

static void test_rsa_unpad__refuses_a_changed_block(void **state)
{
    (void)state;
    EVP_PKEY *key = kv_rsa_generate(2048);
    uint8_t block[KV_RSA_BYTES_MAX];
    size_t len = sizeof block;
    struct gk_buf wrapped;
    gk_buf_init(&wrapped, KV_RSA_BYTES_MAX);
    assert_true(kv_rsa_encrypt(key, KV_RSA_OAEP_256, gk_span_str("secret"), &wrapped));
    bare_decrypt(key, gk_buf_span(&wrapped), block, &len);
    for (size_t i = 0; i < len; i++) {
        struct gk_buf plain;
        gk_buf_init(&plain, KV_RSA_BYTES_MAX);
        block[i] ^= 1;
        assert_false(kv_rsa_unpad(KV_RSA_OAEP_256, gk_span_of(block, len), &plain));
        assert_int_equal(plain.len, 0);
        block[i] ^= 1;
        gk_buf_cleanup(&plain);
    }
    gk_buf_cleanup(&wrapped);
    EVP_PKEY_free(key);
}

static void test_rsa_unpad__knows_what_is_below_the_modulus(void **state)
{
    (void)state;
    EVP_PKEY *key = kv_rsa_generate(2048);
    uint8_t number[257] = {0};
    assert_true(kv_rsa_is_ciphertext(key, gk_span_of(number, 256)));
    assert_false(kv_rsa_is_ciphertext(key, gk_span_of(number, 255)));
    assert_false(kv_rsa_is_ciphertext(key, gk_span_of(number, 257)));
    memset(number, 0xff, sizeof number);
    assert_false(kv_rsa_is_ciphertext(key, gk_span_of(number, 256)));
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rsa_unpad__takes_its_own_padding_alone),
        cmocka_unit_test(test_rsa_unpad__refuses_a_changed_block),
        cmocka_unit_test(test_rsa_unpad__knows_what_is_below_the_modulus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
