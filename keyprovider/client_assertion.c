/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/client_assertion.h"

#include <inttypes.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "keyprovider/certificate_pair.h"

#define LIFE_S              300
#define KEY_BITS_MIN        2048
#define CLAIMS_BYTES_MAX    1024u
#define SIGNATURE_BYTES_MAX 1024u /* of an RSA key of 8192 bits */

/* --- the certificate and its key ---------------------------------------------------------------- */

static enum gk_status read_pair(const char *path, int64_t now_s,
                                struct gk_kv_certificate_pair *pair, struct gk_error *error)
{
    const enum gk_status status = gk_kv_certificate_pair_read(path, now_s, pair, error);
    if (status != GK_OK) {
        return status;
    }
    if (EVP_PKEY_is_a(pair->key, "RSA") && EVP_PKEY_get_bits(pair->key) >= KEY_BITS_MIN) {
        return GK_OK;
    }
    gk_kv_certificate_pair_cleanup(pair);
    return gk_fail(error, GK_E_INVALID, "%s: holds no RSA private key of 2048 bits or more", path);
}

/* --- the token ---------------------------------------------------------------------------------- */

static bool append_header(struct gk_buf *out, const X509 *certificate)
{
    struct gk_buf header;
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    gk_buf_init(&header, CLAIMS_BYTES_MAX);
    const bool good = X509_digest(certificate, EVP_sha256(), digest, &len) == 1;
    gk_buf_append_str(&header, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"");
    gk_base64url_encode(&header, gk_span_of(digest, len));
    gk_buf_append_str(&header, "\"}");
    gk_base64url_encode(out, gk_buf_span(&header));
    gk_buf_cleanup(&header);
    return good;
}

static bool append_claims(struct gk_buf *out, const char *client_id, const char *audience,
                          int64_t now_s)
{
    struct gk_buf claims;
    struct gk_id id;
    char jti[GK_UUID_TEXT_BYTES];
    if (!gk_id_random(&id)) {
        return false;
    }
    gk_id_format(&id, jti);
    const int64_t begins_s = now_s - GK_KV_CLOCK_SLACK_S;
    gk_buf_init(&claims, CLAIMS_BYTES_MAX);
    gk_buf_printf(&claims,
                  "{\"aud\":\"%s\",\"iss\":\"%s\",\"sub\":\"%s\",\"jti\":\"%s\",\"iat\":%" PRId64
                  ",\"nbf\":%" PRId64 ",\"exp\":%" PRId64 "}",
                  audience, client_id, client_id, jti, begins_s, begins_s, now_s + LIFE_S);
    const bool good = gk_buf_status(&claims) == GK_OK;
    gk_base64url_encode(out, gk_buf_span(&claims));
    gk_buf_cleanup(&claims);
    return good;
}

static bool append_signature(struct gk_buf *out, struct gk_span text, EVP_PKEY *key)
{
    uint8_t signature[SIGNATURE_BYTES_MAX];
    size_t len = sizeof signature;
    EVP_PKEY_CTX *padding = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool good = ctx != NULL &&
                      EVP_DigestSignInit(ctx, &padding, EVP_sha256(), NULL, key) == 1 &&
                      EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1 &&
                      EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1 &&
                      EVP_DigestSign(ctx, signature, &len, text.data, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (good) {
        gk_base64url_encode(out, gk_span_of(signature, len));
    }
    return good;
}

enum gk_status gk_kv_client_assertion(struct gk_buf *out, const char *certificate_file,
                                      const char *client_id, const char *audience, int64_t now_s,
                                      struct gk_error *error)
{
    struct gk_kv_certificate_pair pair = {0};
    if (strpbrk(client_id, "\"\\") != NULL) {
        return gk_fail(error, GK_E_INVALID, "client_id: has a quote or a backslash in it");
    }
    const enum gk_status status = read_pair(certificate_file, now_s, &pair, error);
    if (status != GK_OK) {
        return status;
    }
    const size_t start = out->len;
    bool good = append_header(out, pair.certificate);
    gk_buf_append_str(out, ".");
    good = good && append_claims(out, client_id, audience, now_s) && gk_buf_status(out) == GK_OK;
    if (good) {
        const size_t signed_len = out->len - start;
        gk_buf_append_str(out, ".");
        good = append_signature(out, gk_span_of(out->data + start, signed_len), pair.key);
    }
    gk_kv_certificate_pair_cleanup(&pair);
    return good && gk_buf_status(out) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "the client assertion could not be made");
}
