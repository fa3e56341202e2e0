/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL has these checks of a padding in constant time, and under no other name: its provider
 * interface offers them only together with a private key of its own. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "keyvaultd/rsa_unpad.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "common/secret.h"

bool kv_rsa_unpad(enum kv_rsa_padding padding, struct gk_span block, struct gk_buf *out)
{
    uint8_t *plain = gk_secret_alloc(KV_RSA_BYTES_MAX);
    if (plain == NULL || block.len > KV_RSA_BYTES_MAX) {
        gk_secret_free(&plain);
        return false;
    }
    const EVP_MD *digest = padding == KV_RSA_OAEP_256 ? EVP_sha256() : EVP_sha1();
    const int len = (int)block.len;
    const int plain_len =
        padding == KV_RSA_PKCS1
            ? RSA_padding_check_PKCS1_type_2(plain, KV_RSA_BYTES_MAX, block.data, len, len)
            : RSA_padding_check_PKCS1_OAEP_mgf1(plain, KV_RSA_BYTES_MAX, block.data, len, len, NULL,
                                                0, digest, digest);
    if (plain_len >= 0) {
        gk_buf_append(out, plain, (size_t)plain_len);
    }
    gk_secret_free(&plain);
    return plain_len >= 0 && gk_buf_status(out) == GK_OK;
}

bool kv_rsa_is_ciphertext(const EVP_PKEY *key, struct gk_span in)
{
    BIGNUM *modulus = NULL;
    if (in.len != (size_t)EVP_PKEY_get_size(key) ||
        EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1) {
        return false;
    }
    BIGNUM *number = BN_bin2bn(in.data, (int)in.len, NULL);
    const bool good = number != NULL && BN_cmp(number, modulus) < 0;
    BN_free(number);
    BN_free(modulus);
    return good;
}
