/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what we use of AES-GCM, CMAC, HKDF, HMAC and RSA-OAEP agrees with project Wycheproof's
 * vectors. Method: its JSON files from the directory in GATEKEY_VECTORS; where that is missing the
 * tests say so and are skipped. Rows of sizes or hashes that nothing here uses are left out and counted.
 */
#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <unistd.h>

#include "plugin/kdf.h"

#include "unit/crypto_fixture.h"

static const char *vectors_directory(void)
{
    const char *directory = getenv("GATEKEY_VECTORS");
    return directory != NULL && directory[0] != '\0' ? directory : GATEKEY_VECTORS_DEFAULT;
}

/* NULL when there is no such file; a file that cannot be read as JSON fails the test. */
static json_t *load(const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", vectors_directory(), file);
    if (access(path, F_OK) != 0) {
        print_message("skipped: there is no %s; GATEKEY_VECTORS names the directory with "
                      "Wycheproof's vectors\n",
                      path);
        return NULL;
    }
    json_error_t error;
    json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL) {
        fail_msg("%s: %s", path, error.text);
    }
    return json;
}

/* One vector with its group. text() and bytes() fail the test when a member is missing. */
struct row {
    const json_t *group;
    const json_t *test;
};

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    assert_non_null(value);
    return value;
}

static struct gk_buf bytes(const json_t *object, const char *name)
{
    const char *hex = text(object, name);
    const size_t len = strlen(hex) / 2;
    struct gk_buf buf;
    gk_buf_init(&buf, len);
    if (len > 0) {
        assert_true(gk_hex_decode(gk_span_str(hex), gk_buf_extend(&buf, len), len));
    }
    return buf;
}

static bool is_valid(const struct row *row)
{
    /* "acceptable" rows are weak parameters that decrypt correctly. */
    return strcmp(text(row->test, "result"), "invalid") != 0;
}

static long long number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* True when the row was one of ours, and so was checked. */
typedef bool check_fn(const struct gk_crypto *crypto, const struct row *row);

static void run(const struct gk_crypto *crypto, const char *file, check_fn *check)
{
    json_t *json = load(file);
    if (json == NULL) {
        skip();
    }
    unsigned ran = 0;
    unsigned left_out = 0;
    size_t g;
    size_t t;
    json_t *group;
    json_t *test;
    json_array_foreach(json_object_get(json, "testGroups"), g, group)
    {
        json_array_foreach(json_object_get(group, "tests"), t, test)
        {
            const struct row row = {group, test};
            if (check(crypto, &row)) {
                ran++;
            } else {
                left_out++;
            }
        }
    }
    print_message("%s: %u vectors ran, %u are of sizes or hashes that we do not use\n", file, ran,
                  left_out);
    assert_true(ran > 0);
    json_decref(json);
}

static void assert_result(const struct row *row, bool accepted)
{
    if (accepted != is_valid(row)) {
        fail_msg("tcId %lld (%s): %s", number(row->test, "tcId"), text(row->test, "comment"),
                 accepted ? "accepted" : "refused");
    }
}

static bool check_gcm(const struct gk_crypto *crypto, const struct row *row)
{
    if (number(row->group, "keySize") != 256 || number(row->group, "ivSize") != 96 ||
        number(row->group, "tagSize") != 128) {
        return false;
    }
    struct gk_buf key = bytes(row->test, "key");
    struct gk_buf nonce = bytes(row->test, "iv");
    struct gk_buf aad = bytes(row->test, "aad");
    struct gk_buf plain = bytes(row->test, "msg");
    struct gk_buf ciphertext = bytes(row->test, "ct");
    struct gk_buf tag = bytes(row->test, "tag");
    assert_int_equal(tag.len, GK_GCM_TAG_BYTES);
    const struct gk_span aad_span = gk_buf_span(&aad);
    const struct gk_gcm_input input = {key.data, nonce.data, &aad_span, 1};
    uint8_t out[1024];
    uint8_t out_tag[GK_GCM_TAG_BYTES];
    assert_true(ciphertext.len <= sizeof out);
    enum gk_status status = gk_gcm_open(crypto, &input, gk_buf_span(&ciphertext), tag.data, out);
    assert_result(row, status == GK_OK);
    assert_int_equal(gk_gcm_verify(crypto, &input, gk_buf_span(&ciphertext), tag.data), status);
    if (is_valid(row)) {
        assert_true(gk_span_equal(gk_span_of(out, ciphertext.len), gk_buf_span(&plain)));
        assert_int_equal(gk_gcm_seal(crypto, &input, gk_buf_span(&plain), out, out_tag), GK_OK);
        assert_true(gk_span_equal(gk_span_of(out, plain.len), gk_buf_span(&ciphertext)));
        assert_memory_equal(out_tag, tag.data, sizeof out_tag);
    }
    struct gk_buf *all[] = {&key, &nonce, &aad, &plain, &ciphertext, &tag};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        gk_buf_cleanup(all[i]);
    }
    return true;
}

static void check_mac(const struct row *row, const struct gk_buf *expected, const uint8_t *mac)
{
    assert_result(row, memcmp(mac, expected->data, expected->len) == 0);
}

static bool check_hmac(const struct gk_crypto *crypto, const struct row *row)
{
    struct gk_buf key = bytes(row->test, "key");
    struct gk_buf message = bytes(row->test, "msg");
    struct gk_buf tag = bytes(row->test, "tag");
    const struct gk_span part = gk_buf_span(&message);
    uint8_t mac[GK_SHA256_BYTES];
    assert_true(tag.len <= sizeof mac); /* some groups truncate */
    assert_int_equal(gk_hmac_sha256(crypto, gk_buf_span(&key), &part, 1, mac), GK_OK);
    check_mac(row, &tag, mac);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&message);
    gk_buf_cleanup(&tag);
    return true;
}

/* CMAC is not exported by itself, so this checks the algorithm that XAES fetches. */
static bool check_cmac(const struct gk_crypto *crypto, const struct row *row)
{
    struct gk_buf key = bytes(row->test, "key");
    if (key.len != GK_KEY_BYTES) {
        gk_buf_cleanup(&key);
        return false;
    }
    struct gk_buf message = bytes(row->test, "msg");
    struct gk_buf tag = bytes(row->test, "tag");
    uint8_t mac[16];
    size_t mac_len = 0;
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(crypto->cmac_aes_256);
    assert_non_null(ctx);
    assert_int_equal(EVP_MAC_init(ctx, key.data, key.len, NULL), 1);
    assert_int_equal(EVP_MAC_update(ctx, message.data, message.len), 1);
    assert_int_equal(EVP_MAC_final(ctx, mac, &mac_len, sizeof mac), 1);
    EVP_MAC_CTX_free(ctx);
    assert_int_equal(tag.len, mac_len);
    check_mac(row, &tag, mac);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&message);
    gk_buf_cleanup(&tag);
    return true;
}

static bool check_hkdf(const struct gk_crypto *crypto, const struct row *row)
{
    static uint8_t out[GK_HKDF_BYTES_MAX + 1024];
    struct gk_buf key = bytes(row->test, "ikm");
    struct gk_buf salt = bytes(row->test, "salt");
    struct gk_buf info = bytes(row->test, "info");
    struct gk_buf expected = bytes(row->test, "okm");
    const size_t out_len = (size_t)number(row->test, "size");
    assert_true(out_len <= sizeof out);
    enum gk_status status = gk_hkdf_sha256(crypto, gk_buf_span(&key), gk_buf_span(&salt),
                                           gk_buf_span(&info), out, out_len);
    assert_result(row, status == GK_OK);
    if (is_valid(row)) {
        assert_true(gk_span_equal(gk_span_of(out, out_len), gk_buf_span(&expected)));
    }
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&salt);
    gk_buf_cleanup(&info);
    gk_buf_cleanup(&expected);
    return true;
}

static EVP_PKEY *private_key(const json_t *group)
{
    struct gk_buf pkcs8 = bytes(group, "privateKeyPkcs8");
    const unsigned char *at = pkcs8.data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)pkcs8.len);
    gk_buf_cleanup(&pkcs8);
    return key;
}

/* RSA-OAEP-256, as a vault unwraps with it: SHA-256 both as hash and in MGF1. */
static bool check_oaep(const struct gk_crypto *crypto, const struct row *row)
{
    (void)crypto;
    if (strcmp(text(row->group, "sha"), "SHA-256") != 0 ||
        strcmp(text(row->group, "mgfSha"), "SHA-256") != 0) {
        return false;
    }
    struct gk_buf ciphertext = bytes(row->test, "ct");
    struct gk_buf expected = bytes(row->test, "msg");
    struct gk_buf label = bytes(row->test, "label");
    EVP_PKEY *key = private_key(row->group);
    assert_non_null(key);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    assert_non_null(ctx);
    assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()), 1);
    if (label.len > 0) {
        void *copy = OPENSSL_memdup(label.data, label.len); /* taken over by ctx */
        assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.len), 1);
    }
    uint8_t out[1024];
    size_t out_len = sizeof out;
    const bool ok = EVP_PKEY_decrypt(ctx, out, &out_len, ciphertext.data, ciphertext.len) == 1;
    assert_result(row, ok);
    if (ok) {
        assert_true(gk_span_equal(gk_span_of(out, out_len), gk_buf_span(&expected)));
    }
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    gk_buf_cleanup(&ciphertext);
    gk_buf_cleanup(&expected);
    gk_buf_cleanup(&label);
    return true;
}

static void test_wycheproof__aes_gcm(void **state)
{
    run(*state, "aes_gcm_test.json", check_gcm);
}

static void test_wycheproof__aes_cmac(void **state)
{
    run(*state, "aes_cmac_test.json", check_cmac);
}

static void test_wycheproof__hkdf_sha256(void **state)
{
    run(*state, "hkdf_sha256_test.json", check_hkdf);
}

static void test_wycheproof__hmac_sha256(void **state)
{
    run(*state, "hmac_sha256_test.json", check_hmac);
}

static void test_wycheproof__rsa_oaep_2048(void **state)
{
    run(*state, "rsa_oaep_2048_sha256_mgf1sha256_test.json", check_oaep);
}

static void test_wycheproof__rsa_oaep_3072(void **state)
{
    run(*state, "rsa_oaep_3072_sha256_mgf1sha256_test.json", check_oaep);
}

static void test_wycheproof__rsa_oaep_4096(void **state)
{
    run(*state, "rsa_oaep_4096_sha256_mgf1sha256_test.json", check_oaep);
}

static void test_wycheproof__rsa_oaep_other_moduli_and_labels(void **state)
{
    run(*state, "rsa_oaep_misc_test.json", check_oaep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wycheproof__aes_gcm),
        cmocka_unit_test(test_wycheproof__aes_cmac),
        cmocka_unit_test(test_wycheproof__hkdf_sha256),
        cmocka_unit_test(test_wycheproof__hmac_sha256),
        cmocka_unit_test(test_wycheproof__rsa_oaep_2048),
        cmocka_unit_test(test_wycheproof__rsa_oaep_3072),
        cmocka_unit_test(test_wycheproof__rsa_oaep_4096),
        cmocka_unit_test(test_wycheproof__rsa_oaep_other_moduli_and_labels),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
