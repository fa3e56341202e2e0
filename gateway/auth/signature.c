/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#include "common/secret.h"
#include "common/text.h"

/* Keyed with zeros, to be duplicated and keyed: looking HMAC and SHA-256 up by name for each request
 * costs more than the signature does. NULL when libcrypto lacks them. */
static EVP_MAC_CTX *hmac_sha256;
static pthread_once_t hmac_sha256_made = PTHREAD_ONCE_INIT;

static void make_hmac_sha256(void)
{
    static const uint8_t zeros[GK_ACCESS_KEY_BYTES];
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
    hmac_sha256 = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context keeps it */
    if (hmac_sha256 != NULL && EVP_MAC_init(hmac_sha256, zeros, sizeof zeros, params) != 1) {
        EVP_MAC_CTX_free(hmac_sha256);
        hmac_sha256 = NULL;
    }
}

bool gk_signature_make(struct gk_span key, struct gk_span text, uint8_t made[GK_SIGNATURE_BYTES])
{
    pthread_once(&hmac_sha256_made, make_hmac_sha256);
    EVP_MAC_CTX *ctx = hmac_sha256 == NULL ? NULL : EVP_MAC_CTX_dup(hmac_sha256);
    size_t len = 0;
    const bool good = ctx != NULL && EVP_MAC_init(ctx, key.data, key.len, NULL) == 1 &&
                      EVP_MAC_update(ctx, text.data, text.len) == 1 &&
                      EVP_MAC_final(ctx, made, &len, GK_SIGNATURE_BYTES) == 1 &&
                      len == GK_SIGNATURE_BYTES;
    EVP_MAC_CTX_free(ctx);
    return good;
}

bool gk_signature_is(struct gk_span key, struct gk_span text, const char *signature)
{
    struct gk_buf given;
    uint8_t made[GK_SIGNATURE_BYTES];
    gk_buf_init(&given, GK_SIGNATURE_BYTES);
    const bool is = gk_base64_decode(&given, gk_span_str(signature)) &&
                    given.len == GK_SIGNATURE_BYTES && gk_signature_make(key, text, made) &&
                    gk_secret_equal(gk_span_of(made, sizeof made), gk_buf_span(&given));
    gk_wipe(made, sizeof made);
    gk_buf_cleanup(&given);
    return is;
}

bool gk_signature_matches(const struct gk_access_keys *keys, struct gk_span text,
                          const char *signature)
{
    bool matches = false;
    for (unsigned i = 0; i < GK_ACCESS_KEYS; i++) {
        matches |= gk_signature_is(gk_span_of(keys->key[i], GK_ACCESS_KEY_BYTES), text, signature);
    }
    return matches;
}

int64_t gk_service_version(const char *text)
{
    int64_t value = 0;
    if (strlen(text) != 10) {
        return 0;
    }
    for (unsigned i = 0; i < 10; i++) {
        if (i == 4 || i == 7) {
            if (text[i] != '-') {
                return 0;
            }
        } else if (text[i] < '0' || text[i] > '9') {
            return 0;
        } else {
            value = value * 10 + (text[i] - '0');
        }
    }
    return value;
}
