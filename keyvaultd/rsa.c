/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/rsa.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "common/secret.h"
#include "common/text.h"

static const struct {
    const char *name;
    int padding;
    size_t overhead; /* bytes of the modulus that the padding takes */
} paddings[] = {
    [KV_RSA_OAEP_256] = {"RSA-OAEP-256", RSA_PKCS1_OAEP_PADDING, 2 * 32 + 2},
    [KV_RSA_OAEP] = {"RSA-OAEP", RSA_PKCS1_OAEP_PADDING, 2 * 20 + 2},
    [KV_RSA_PKCS1] = {"RSA1_5", RSA_PKCS1_PADDING, 11},
};

bool kv_rsa_padding_parse(const char *name, enum kv_rsa_padding *padding)
{
    for (size_t i = 0; i < sizeof paddings / sizeof paddings[0]; i++) {
        if (strcmp(paddings[i].name, name) == 0) {
            *padding = (enum kv_rsa_padding)i;
            return true;
        }
    }
    return false;
}

bool kv_rsa_bits_allowed(int64_t bits)
{
    return bits == 2048 || bits == 3072 || bits == 4096;
}

size_t kv_rsa_plain_bytes_max(const EVP_PKEY *key, enum kv_rsa_padding padding)
{
    return (size_t)EVP_PKEY_get_size(key) - paddings[padding].overhead;
}

EVP_PKEY *kv_rsa_generate(unsigned bits)
{
    return EVP_RSA_gen(bits);
}

/* --- JSON web keys ------------------------------------------------------------------------------ */

#define JWK_MEMBERS 8u

static const struct {
    const char *jwk;
    const char *param;
} members[JWK_MEMBERS] = {
    {"n", OSSL_PKEY_PARAM_RSA_N},          {"e", OSSL_PKEY_PARAM_RSA_E},
    {"d", OSSL_PKEY_PARAM_RSA_D},          {"p", OSSL_PKEY_PARAM_RSA_FACTOR1},
    {"q", OSSL_PKEY_PARAM_RSA_FACTOR2},    {"dp", OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {"dq", OSSL_PKEY_PARAM_RSA_EXPONENT2}, {"qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
};

static BIGNUM *number_of(const json_t *jwk, const char *name)
{
    const char *text = json_string_value(json_object_get(jwk, name));
    if (text == NULL) {
        return NULL;
    }
    struct gk_buf bytes;
    gk_buf_init(&bytes, KV_RSA_BYTES_MAX);
    BIGNUM *number = NULL;
    if (gk_base64url_decode(&bytes, gk_span_str(text)) && bytes.len > 0) {
        number = BN_bin2bn(bytes.data, (int)bytes.len, NULL);
    }
    gk_buf_cleanup_wipe(&bytes);
    return number;
}

static EVP_PKEY *key_of(OSSL_PARAM *params)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    const bool made = ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1 &&
                      EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!made) {
        return NULL;
    }
    /* A key whose parts do not belong together could leak itself through its own answers. */
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    const bool good =
        ctx != NULL && kv_rsa_bits_allowed(EVP_PKEY_get_bits(key)) && EVP_PKEY_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (!good) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

EVP_PKEY *kv_rsa_from_jwk(const json_t *jwk)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = NULL;
    BIGNUM *numbers[JWK_MEMBERS] = {0};
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool good = builder != NULL;
    for (size_t i = 0; good && i < JWK_MEMBERS; i++) {
        numbers[i] = number_of(jwk, members[i].jwk);
        good = numbers[i] != NULL &&
               OSSL_PARAM_BLD_push_BN(builder, members[i].param, numbers[i]) == 1;
    }
    if (good) {
        params = OSSL_PARAM_BLD_to_param(builder);
    }
    if (params != NULL) {
        key = key_of(params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    for (size_t i = 0; i < JWK_MEMBERS; i++) {
        BN_clear_free(numbers[i]);
    }
    return key;
}

static bool set_number(const EVP_PKEY *key, const char *param, json_t *jwk, const char *member)
{
    BIGNUM *number = NULL;
    uint8_t bytes[KV_RSA_BYTES_MAX];
    if (EVP_PKEY_get_bn_param(key, param, &number) != 1) {
        return false;
    }
    const int len = BN_num_bytes(number);
    bool good = len > 0 && len <= (int)sizeof bytes && BN_bn2bin(number, bytes) == len;
    BN_free(number);
    if (!good) {
        return false;
    }
    struct gk_buf text;
    gk_buf_init(&text, 2 * KV_RSA_BYTES_MAX);
    gk_base64url_encode(&text, gk_span_of(bytes, (size_t)len));
    good = gk_buf_status(&text) == GK_OK &&
           json_object_set_new(jwk, member, json_string(gk_buf_str(&text))) == 0;
    gk_buf_cleanup(&text);
    return good;
}

bool kv_rsa_public_to_jwk(const EVP_PKEY *key, json_t *jwk)
{
    return set_number(key, OSSL_PKEY_PARAM_RSA_N, jwk, "n") &&
           set_number(key, OSSL_PKEY_PARAM_RSA_E, jwk, "e");
}

/* --- the stored form ---------------------------------------------------------------------------- */

bool kv_rsa_to_der(const EVP_PKEY *key, struct gk_buf *out)
{
    unsigned char *der = NULL;
    const int len = i2d_PrivateKey(key, &der);
    if (len <= 0) {
        return false;
    }
    gk_buf_append(out, der, (size_t)len);
    OPENSSL_clear_free(der, (size_t)len);
    return gk_buf_status(out) == GK_OK;
}

/* key (taken over) when it is a whole RSA key of a vault's size, else NULL. */
static EVP_PKEY *only_good(EVP_PKEY *key, bool whole)
{
    if (key != NULL &&
        (!whole || !EVP_PKEY_is_a(key, "RSA") || !kv_rsa_bits_allowed(EVP_PKEY_get_bits(key)))) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

EVP_PKEY *kv_rsa_from_der(struct gk_span der)
{
    const unsigned char *at = der.data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    return only_good(key, at == der.data + der.len);
}

bool kv_rsa_public_to_der(const EVP_PKEY *key, struct gk_buf *out)
{
    unsigned char *der = NULL;
    const int len = i2d_PUBKEY(key, &der);
    if (len <= 0) {
        return false;
    }
    gk_buf_append(out, der, (size_t)len);
    OPENSSL_free(der);
    return gk_buf_status(out) == GK_OK;
}

EVP_PKEY *kv_rsa_public_from_der(struct gk_span der)
{
    const unsigned char *at = der.data;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
    return only_good(key, at == der.data + der.len);
}

/* --- operations --------------------------------------------------------------------------------- */

static bool set_padding(EVP_PKEY_CTX *ctx, enum kv_rsa_padding padding)
{
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, paddings[padding].padding) != 1) {
        return false;
    }
    if (padding == KV_RSA_PKCS1) {
        return true;
    }
    const EVP_MD *hash = padding == KV_RSA_OAEP_256 ? EVP_sha256() : EVP_sha1();
    return EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, hash) == 1;
}

bool kv_rsa_encrypt(EVP_PKEY *key, enum kv_rsa_padding padding, struct gk_span in,
                    struct gk_buf *out)
{
    uint8_t bytes[KV_RSA_BYTES_MAX];
    size_t len = sizeof bytes;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    const bool good = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && set_padding(ctx, padding) &&
                      EVP_PKEY_encrypt(ctx, bytes, &len, in.data, in.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (good) {
        gk_buf_append(out, bytes, len);
    }
    return good && gk_buf_status(out) == GK_OK;
}

bool kv_rsa_decrypt(EVP_PKEY *key, enum kv_rsa_padding padding, struct gk_span in,
                    struct gk_buf *out)
{
    uint8_t bytes[KV_RSA_BYTES_MAX];
    size_t len = sizeof bytes;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    const bool good = ctx != NULL && in.len == (size_t)EVP_PKEY_get_size(key) &&
                      EVP_PKEY_decrypt_init(ctx) == 1 && set_padding(ctx, padding) &&
                      EVP_PKEY_decrypt(ctx, bytes, &len, in.data, in.len) == 1;
    EVP_PKEY_CTX_free(ctx);
    if (good) {
        gk_buf_append(out, bytes, len);
    }
    gk_wipe(bytes, sizeof bytes);
    return good && gk_buf_status(out) == GK_OK;
}
