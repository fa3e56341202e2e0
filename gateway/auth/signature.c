/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/signature.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/secret.h"
#include "common/text.h"

#define SIGNATURE_BYTES 32u

bool gk_signature_matches(const struct gk_access_keys *keys, struct gk_span text,
                          const char *signature)
{
    struct gk_buf given;
    gk_buf_init(&given, SIGNATURE_BYTES);
    bool matches = false;
    if (gk_base64_decode(&given, gk_span_str(signature)) && given.len == SIGNATURE_BYTES) {
        for (unsigned i = 0; i < GK_ACCESS_KEYS; i++) {
            uint8_t made[EVP_MAX_MD_SIZE];
            unsigned len = 0;
            if (HMAC(EVP_sha256(), keys->key[i], GK_ACCESS_KEY_BYTES, text.data, text.len, made,
                     &len) != NULL) {
                matches |= gk_secret_equal(gk_span_of(made, len), gk_buf_span(&given));
            }
            gk_wipe(made, sizeof made);
        }
    }
    gk_buf_cleanup(&given);
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
