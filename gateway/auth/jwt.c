/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/jwt.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/rsa_public.h"
#include "common/text.h"

#define KEY_BITS_MIN  2048
#define KEY_BITS_MAX  8192
#define KEY_ID_BYTES  256u
#define NUMBER_BYTES  (KEY_BITS_MAX / 8u + 8u)
#define CLOCK_SLACK_S 300 /* a token may be this much too early: clocks differ */
#define ALGORITHM     "RS256"
#define ALGORITHM_PSS "PS256"
#define THUMB_BYTES   44u /* a SHA-256 digest in base64url */

struct key {
    char id[KEY_ID_BYTES];
    EVP_PKEY *public_;
    char thumb_sha256[THUMB_BYTES]; /* of a certificate, which has no id; else "" */
    char thumb_sha1[THUMB_BYTES];
};

struct gk_jwks {
    struct key keys[GK_JWKS_KEYS_MAX];
    size_t count;
};

/* --- keys ---------------------------------------------------------------------------------------*/

static BIGNUM *number_of(const json_t *key, const char *name)
{
    const char *text = json_string_value(json_object_get(key, name));
    struct gk_buf bytes;
    gk_buf_init(&bytes, NUMBER_BYTES);
    BIGNUM *number = NULL;
    if (text != NULL && gk_base64url_decode(&bytes, gk_span_str(text)) && bytes.len > 0) {
        number = BN_bin2bn(bytes.data, (int)bytes.len, NULL);
    }
    gk_buf_cleanup(&bytes);
    return number;
}

static bool is(const json_t *object, const char *name, const char *value)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && strcmp(text, value) == 0;
}

static void add_key(struct gk_jwks *jwks, const json_t *json)
{
    const char *id = json_string_value(json_object_get(json, "kid"));
    const bool signs = json_object_get(json, "use") == NULL || is(json, "use", "sig");
    if (!is(json, "kty", "RSA") || !signs || id == NULL || strlen(id) >= KEY_ID_BYTES ||
        jwks->count == GK_JWKS_KEYS_MAX) {
        return;
    }
    BIGNUM *modulus = number_of(json, "n");
    BIGNUM *exponent = number_of(json, "e");
    const int bits = modulus == NULL ? 0 : BN_num_bits(modulus);
    if (exponent != NULL && bits >= KEY_BITS_MIN && bits <= KEY_BITS_MAX) {
        struct key *key = &jwks->keys[jwks->count];
        key->public_ = gk_rsa_public(modulus, exponent);
        memcpy(key->id, id, strlen(id) + 1);
        jwks->count += key->public_ != NULL;
    }
    BN_free(modulus);
    BN_free(exponent);
}

enum gk_status gk_jwks_parse(struct gk_span json, struct gk_jwks **out, struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    json_t *root = NULL;
    if (json.len > 0 && json.len <= GK_JWKS_BYTES_MAX) {
        root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, NULL);
    }
    const json_t *keys = json_object_get(root, "keys");
    for (size_t i = 0; i < json_array_size(keys); i++) {
        add_key(*out, json_array_get(keys, i));
    }
    json_decref(root);
    if ((*out)->count > 0) {
        return GK_OK;
    }
    gk_jwks_free(*out);
    *out = NULL;
    return gk_fail(error, GK_E_INVALID, "there is no RSA key with a kid for signatures in it");
}

static bool take_thumb(const X509 *certificate, const EVP_MD *digest, char out[THUMB_BYTES])
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct gk_buf text;
    gk_buf_init_over(&text, out, THUMB_BYTES);
    if (X509_digest(certificate, digest, bytes, &len) != 1) {
        return false;
    }
    gk_base64url_encode(&text, gk_span_of(bytes, len));
    (void)gk_buf_str(&text);
    return gk_buf_status(&text) == GK_OK;
}

enum gk_status gk_jwks_of_certificate(const char *pem, struct gk_jwks **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_jwks *jwks = calloc(1, sizeof *jwks);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    struct key *key = jwks == NULL ? NULL : &jwks->keys[0];
    const bool good = key != NULL && certificate != NULL &&
                      (key->public_ = X509_get_pubkey(certificate)) != NULL &&
                      take_thumb(certificate, EVP_sha256(), key->thumb_sha256) &&
                      take_thumb(certificate, EVP_sha1(), key->thumb_sha1) &&
                      EVP_PKEY_is_a(key->public_, "RSA") &&
                      EVP_PKEY_get_bits(key->public_) >= KEY_BITS_MIN;
    X509_free(certificate);
    BIO_free(bio);
    if (jwks != NULL) {
        jwks->count = key->public_ != NULL;
    }
    if (good) {
        *out = jwks;
        return GK_OK;
    }
    gk_jwks_free(jwks);
    return gk_fail(error, GK_E_INVALID, "there is no certificate of an RSA key in it; name one");
}

static enum gk_status read_file(const char *path, struct gk_buf *out, struct gk_error *error)
{
    FILE *file = fopen(path, "re");
    uint8_t *room = file == NULL ? NULL : gk_buf_extend(out, GK_JWKS_BYTES_MAX + 1);
    if (room == NULL) {
        const int code = errno;
        if (file != NULL) {
            fclose(file);
        }
        return gk_fail(error, GK_E_INVALID, "%s: %s", path, strerror(code));
    }
    out->len = fread(room, 1, GK_JWKS_BYTES_MAX + 1, file);
    const bool good = ferror(file) == 0 && out->len <= GK_JWKS_BYTES_MAX;
    fclose(file);
    return good ? GK_OK : gk_fail(error, GK_E_INVALID, "%s: is too long to be a key set", path);
}

enum gk_status gk_jwks_read(const char *path, struct gk_jwks **jwks, struct gk_error *error)
{
    struct gk_buf bytes;
    struct gk_error why = {0};
    gk_buf_init(&bytes, GK_JWKS_BYTES_MAX + 1);
    enum gk_status status = read_file(path, &bytes, error);
    if (status == GK_OK) {
        status = gk_jwks_parse(gk_buf_span(&bytes), jwks, &why);
        if (status != GK_OK) {
            status = gk_fail(error, status, "%s: %s", path, why.message);
        }
    }
    gk_buf_cleanup(&bytes);
    return status;
}

void gk_jwks_free(struct gk_jwks *jwks)
{
    for (size_t i = 0; jwks != NULL && i < jwks->count; i++) {
        EVP_PKEY_free(jwks->keys[i].public_);
    }
    free(jwks);
}

/* --- tokens -------------------------------------------------------------------------------------*/

/* header.payload.signature, each in base64url. */
struct parts {
    struct gk_span signed_; /* the first two, with their dot */
    struct gk_span header;
    struct gk_span payload;
    struct gk_span signature;
};

static bool split(const char *token, struct parts *parts)
{
    const size_t len = strnlen(token, GK_JWT_BYTES_MAX + 1);
    const char *first = strchr(token, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');
    if (len > GK_JWT_BYTES_MAX || second == NULL || strchr(second + 1, '.') != NULL) {
        return false;
    }
    parts->signed_ = gk_span_of(token, (size_t)(second - token));
    parts->header = gk_span_of(token, (size_t)(first - token));
    parts->payload = gk_span_of(first + 1, (size_t)(second - first) - 1);
    parts->signature = gk_span_str(second + 1);
    return true;
}

static json_t *decode(struct gk_span text)
{
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_JWT_BYTES_MAX);
    json_t *json = NULL;
    if (gk_base64url_decode(&bytes, text) && bytes.len > 0) {
        json = json_loadb((const char *)bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);
    }
    gk_buf_cleanup(&bytes);
    return json;
}

static enum gk_status refuse(struct gk_error *error, const char *why)
{
    return gk_fail(error, GK_E_DENIED, "%s", why);
}

static bool is_named(const json_t *header, const struct key *key)
{
    return key->thumb_sha256[0] == '\0'
               ? is(header, "kid", key->id)
               : is(header, "x5t#S256", key->thumb_sha256) || is(header, "x5t", key->thumb_sha1);
}

/* pss: how it is signed. */
static enum gk_status find_key(const struct gk_jwks *jwks, struct gk_span header, EVP_PKEY **key,
                               bool *pss, struct gk_error *error)
{
    json_t *json = decode(header);
    const bool of_certificate = jwks->keys[0].thumb_sha256[0] != '\0';
    *pss = of_certificate && is(json, "alg", ALGORITHM_PSS);
    const bool known =
        (*pss || is(json, "alg", ALGORITHM)) && json_object_get(json, "crit") == NULL;
    *key = NULL;
    for (size_t i = 0; known && i < jwks->count; i++) {
        if (is_named(json, &jwks->keys[i])) {
            *key = jwks->keys[i].public_;
        }
    }
    json_decref(json);
    if (!known) {
        return refuse(error, of_certificate ? "it is signed neither with " ALGORITHM
                                              " nor with " ALGORITHM_PSS
                                            : "it is not signed with " ALGORITHM);
    }
    return *key != NULL ? GK_OK : refuse(error, "no key has its key id");
}

static bool set_padding(EVP_PKEY_CTX *ctx, bool pss)
{
    return !pss || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static bool signature_good(EVP_PKEY *key, bool pss, const struct parts *parts)
{
    struct gk_buf signature;
    EVP_PKEY_CTX *padding = NULL;
    gk_buf_init(&signature, NUMBER_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const bool good = ctx != NULL && gk_base64url_decode(&signature, parts->signature) &&
                      EVP_DigestVerifyInit(ctx, &padding, EVP_sha256(), NULL, key) == 1 &&
                      set_padding(padding, pss) &&
                      EVP_DigestVerify(ctx, signature.data, signature.len, parts->signed_.data,
                                       parts->signed_.len) == 1;
    EVP_MD_CTX_free(ctx);
    gk_buf_cleanup(&signature);
    return good;
}

static bool is_audience(const json_t *value, const char *wanted)
{
    const char *text = json_string_value(value);
    const size_t whole = strlen(wanted);
    const size_t len = whole > 0 && wanted[whole - 1] == '/' ? whole - 1 : whole;
    return text != NULL && strncmp(text, wanted, len) == 0 &&
           (text[len] == '\0' || strcmp(text + len, "/") == 0);
}

static bool has_audience(const json_t *claims, const char *wanted)
{
    const json_t *audience = json_object_get(claims, "aud");
    bool has = is_audience(audience, wanted);
    for (size_t i = 0; i < json_array_size(audience); i++) {
        has = has || is_audience(json_array_get(audience, i), wanted);
    }
    return has;
}

static bool is_valid_now(const json_t *claims, int64_t now_s)
{
    const json_t *not_before = json_object_get(claims, "nbf");
    const json_t *expires = json_object_get(claims, "exp");
    const bool begun =
        not_before == NULL ||
        (json_is_integer(not_before) && json_integer_value(not_before) <= now_s + CLOCK_SLACK_S);
    return begun && json_is_integer(expires) && json_integer_value(expires) > now_s;
}

static bool read_id(const json_t *claims, const char *name, struct gk_id *id)
{
    const char *text = json_string_value(json_object_get(claims, name));
    return text != NULL && gk_id_parse(text, id);
}

static enum gk_status check_claims(const json_t *json, const struct gk_jwt_wanted *wanted,
                                   struct gk_jwt_claims *claims, struct gk_error *error)
{
    if (!is(json, "iss", wanted->issuer)) {
        return refuse(error, "it is another issuer's");
    }
    if (!has_audience(json, wanted->audience)) {
        return refuse(error, "it is for another audience");
    }
    if (!is_valid_now(json, wanted->now_s)) {
        return refuse(error, "it has expired, or is not valid yet");
    }
    if (wanted->subject != NULL) {
        return is(json, "sub", wanted->subject) ? GK_OK : refuse(error, "it is of another subject");
    }
    return read_id(json, "oid", &claims->object) && read_id(json, "tid", &claims->tenant)
               ? GK_OK
               : refuse(error, "it has no oid or no tid");
}

enum gk_status gk_jwt_verify(const struct gk_jwks *jwks, const char *token,
                             const struct gk_jwt_wanted *wanted, struct gk_jwt_claims *claims,
                             struct gk_error *error)
{
    struct parts parts;
    EVP_PKEY *key = NULL;
    bool pss = false;
    *claims = (struct gk_jwt_claims){0};
    if (!split(token, &parts)) {
        return refuse(error, "it has not three parts");
    }
    enum gk_status status = find_key(jwks, parts.header, &key, &pss, error);
    if (status == GK_OK && !signature_good(key, pss, &parts)) {
        status = refuse(error, "its signature is not good");
    }
    if (status == GK_OK) {
        json_t *json = decode(parts.payload);
        status = check_claims(json, wanted, claims, error);
        json_decref(json);
    }
    return status;
}
