/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/crypto.h"

#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "common/error.h"
#include "common/secret.h"

/* libcrypto counts in int. */
#define PART_BYTES_MAX ((size_t)1 << 30)
/* Where gk_gcm_verify() puts plaintext that nobody is to see. */
#define SCRATCH_BYTES 4096u

/* NULL when libcrypto lacks it. parameter names what the algorithm stands on, e.g. its digest. */
static EVP_MAC_CTX *new_mac(OSSL_LIB_CTX *lib, const char *name, const char *parameter, char *value)
{
    static const uint8_t zeros[GK_KEY_BYTES];
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(parameter, value, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(lib, name, NULL);
    EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context keeps it */
    if (ctx != NULL && EVP_MAC_init(ctx, zeros, sizeof zeros, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

enum gk_status gk_crypto_new(struct gk_crypto **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_crypto *crypto = calloc(1, sizeof *crypto);
    if (crypto == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    char digest[] = "SHA256";
    char cipher[] = "AES-256-CBC";
    crypto->lib = OSSL_LIB_CTX_new();
    if (crypto->lib != NULL) {
        crypto->aes_256_gcm = EVP_CIPHER_fetch(crypto->lib, "AES-256-GCM", NULL);
        crypto->hmac_sha256 =
            new_mac(crypto->lib, OSSL_MAC_NAME_HMAC, OSSL_MAC_PARAM_DIGEST, digest);
        crypto->cmac_aes_256 =
            new_mac(crypto->lib, OSSL_MAC_NAME_CMAC, OSSL_MAC_PARAM_CIPHER, cipher);
    }
    if (crypto->aes_256_gcm == NULL || crypto->hmac_sha256 == NULL ||
        crypto->cmac_aes_256 == NULL) {
        gk_crypto_free(&crypto);
        return gk_fail(error, GK_E_RESOURCE, "libcrypto does not provide AES-256-GCM, HMAC, CMAC");
    }
    *out = crypto;
    return GK_OK;
}

void gk_crypto_free(struct gk_crypto **crypto)
{
    if (*crypto == NULL) {
        return;
    }
    EVP_MAC_CTX_free((*crypto)->cmac_aes_256);
    EVP_MAC_CTX_free((*crypto)->hmac_sha256);
    EVP_CIPHER_free((*crypto)->aes_256_gcm);
    OSSL_LIB_CTX_free((*crypto)->lib);
    free(*crypto);
    *crypto = NULL;
}

enum gk_status gk_sha256(const struct gk_crypto *crypto, struct gk_span data,
                         uint8_t digest[GK_SHA256_BYTES])
{
    size_t len = 0;
    return EVP_Q_digest(crypto->lib, "SHA256", NULL, data.data, data.len, digest, &len) == 1
               ? GK_OK
               : GK_E_RESOURCE;
}

/* A context with key, nonce and additional data in; NULL when memory is out. */
static EVP_CIPHER_CTX *begin(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                             int encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && EVP_CipherInit_ex2(ctx, crypto->aes_256_gcm, input->key, input->nonce,
                                                encrypt, NULL) == 1;
    for (size_t i = 0; ok && i < input->aad_count; i++) {
        int ignored = 0;
        ok = input->aad[i].len == 0 ||
             EVP_CipherUpdate(ctx, NULL, &ignored, input->aad[i].data, (int)input->aad[i].len) == 1;
    }
    if (!ok) {
        EVP_CIPHER_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool update(EVP_CIPHER_CTX *ctx, struct gk_span in, uint8_t *out)
{
    int written = 0;
    return in.len == 0 || EVP_CipherUpdate(ctx, out, &written, in.data, (int)in.len) == 1;
}

static bool finish(EVP_CIPHER_CTX *ctx)
{
    uint8_t nothing[GK_GCM_TAG_BYTES];
    int written = 0;
    return EVP_CipherFinal_ex(ctx, nothing, &written) == 1;
}

static bool expect_tag(EVP_CIPHER_CTX *ctx, const uint8_t tag[GK_GCM_TAG_BYTES])
{
    uint8_t copy[GK_GCM_TAG_BYTES]; /* libcrypto takes it through a pointer that is not const */
    memcpy(copy, tag, sizeof copy);
    return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)sizeof copy, copy) == 1;
}

static bool lengths_fit(const struct gk_gcm_input *input, struct gk_span body)
{
    for (size_t i = 0; i < input->aad_count; i++) {
        if (input->aad[i].len > PART_BYTES_MAX) {
            return false;
        }
    }
    return body.len <= PART_BYTES_MAX;
}

static void wipe_output(uint8_t *data, size_t len)
{
    if (len > 0) {
        gk_wipe(data, len);
    }
}

enum gk_status gk_gcm_seal(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                           struct gk_span plain, uint8_t *ciphertext, uint8_t tag[GK_GCM_TAG_BYTES])
{
    enum gk_status status = GK_E_LIMIT;
    EVP_CIPHER_CTX *ctx = NULL;
    if (lengths_fit(input, plain)) {
        ctx = begin(crypto, input, 1);
        bool ok = ctx != NULL && update(ctx, plain, ciphertext) && finish(ctx) &&
                  EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GK_GCM_TAG_BYTES, tag) == 1;
        status = ok ? GK_OK : GK_E_RESOURCE;
    }
    EVP_CIPHER_CTX_free(ctx);
    if (status != GK_OK) {
        wipe_output(ciphertext, plain.len);
        gk_wipe(tag, GK_GCM_TAG_BYTES);
    }
    return status;
}

enum gk_status gk_gcm_open(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                           struct gk_span ciphertext, const uint8_t tag[GK_GCM_TAG_BYTES],
                           uint8_t *plain)
{
    enum gk_status status = GK_E_LIMIT;
    EVP_CIPHER_CTX *ctx = NULL;
    if (lengths_fit(input, ciphertext)) {
        ctx = begin(crypto, input, 0);
        if (ctx == NULL || !expect_tag(ctx, tag) || !update(ctx, ciphertext, plain)) {
            status = GK_E_RESOURCE;
        } else {
            status = finish(ctx) ? GK_OK : GK_E_INTEGRITY;
        }
    }
    EVP_CIPHER_CTX_free(ctx);
    if (status != GK_OK) {
        wipe_output(plain, ciphertext.len);
    }
    return status;
}

/* Deciphers into a scratch buffer, piece by piece: the tag covers all, the plaintext is not kept. */
static bool update_unseen(EVP_CIPHER_CTX *ctx, struct gk_span in)
{
    uint8_t scratch[SCRATCH_BYTES];
    bool ok = true;
    for (size_t at = 0; ok && at < in.len; at += sizeof scratch) {
        size_t left = in.len - at;
        size_t len = left < sizeof scratch ? left : sizeof scratch;
        ok = update(ctx, gk_span_of(in.data + at, len), scratch);
    }
    gk_wipe(scratch, sizeof scratch);
    return ok;
}

enum gk_status gk_gcm_verify(const struct gk_crypto *crypto, const struct gk_gcm_input *input,
                             struct gk_span ciphertext, const uint8_t tag[GK_GCM_TAG_BYTES])
{
    if (!lengths_fit(input, ciphertext)) {
        return GK_E_LIMIT;
    }
    enum gk_status status = GK_E_RESOURCE;
    EVP_CIPHER_CTX *ctx = begin(crypto, input, 0);
    if (ctx != NULL && expect_tag(ctx, tag) && update_unseen(ctx, ciphertext)) {
        status = finish(ctx) ? GK_OK : GK_E_INTEGRITY;
    }
    EVP_CIPHER_CTX_free(ctx);
    return status;
}
