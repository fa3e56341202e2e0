/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a token is taken when it is whole, signed by a key of the set, and for us and now; nothing else is.
 * Method: a provider with keys of its own, and tables of what is wrong.
 */
#include "gateway/auth/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OBJECT       "11111111-2222-3333-4444-555555555555"
#define TENANT       "66666666-7777-8888-9999-aaaaaaaaaaaa"
#define ISSUER       "https://issuer.example/v2.0"
#define AUDIENCE     "https://storage.example"
#define NOW_S        1800000000
#define WHO          "\"oid\":\"" OBJECT "\",\"tid\":\"" TENANT "\""
#define FOR_US       "\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "\""
#define FOR_NOW      "\"nbf\":1800000000,\"exp\":1800000001"
#define HEADER       "{\"alg\":\"RS256\",\"kid\":\"one\"}"

static const struct gk_jwt_wanted wanted = {.issuer = ISSUER, .audience = AUDIENCE, .now_s = NOW_S};

struct world {
    EVP_PKEY *key;
    struct gk_jwks *jwks;
};

static void append_number(struct gk_buf *out, const EVP_PKEY *key, const char *name)
{
    BIGNUM *number = NULL;
    uint8_t bytes[1024];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    assert_true(BN_num_bytes(number) <= (int)sizeof bytes);
    gk_base64url_encode(out, gk_span_of(bytes, (size_t)BN_bn2bin(number, bytes)));
    BN_free(number);
}

static void append_key(struct gk_buf *out, const EVP_PKEY *key, const char *kid, const char *use)
{
    gk_buf_printf(out, "{\"kty\":\"RSA\",\"kid\":\"%s\",\"use\":\"%s\",\"n\":\"", kid, use);
    append_number(out, key, OSSL_PKEY_PARAM_RSA_N);
    gk_buf_append_str(out, "\",\"e\":\"");
    append_number(out, key, OSSL_PKEY_PARAM_RSA_E);
    gk_buf_append_str(out, "\"}");
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    struct gk_buf json;
    assert_non_null(world);
    world->key = EVP_RSA_gen(2048);
    gk_buf_init(&json, GK_JWKS_BYTES_MAX);
    gk_buf_append_str(&json, "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"one\"},");
    append_key(&json, world->key, "one", "sig");
    gk_buf_append_str(&json, "]}");
    assert_int_equal(gk_jwks_parse(gk_buf_span(&json), &world->jwks, NULL), GK_OK);
    gk_buf_cleanup(&json);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    gk_jwks_free(world->jwks);
    EVP_PKEY_free(world->key);
    free(world);
    return 0;
}

static void make_token(EVP_PKEY *key, const char *header, const char *claims, struct gk_buf *out)
{
    uint8_t signature[512];
    size_t len = sizeof signature;
    gk_buf_init(out, GK_JWT_BYTES_MAX);
    gk_base64url_encode(out, gk_span_str(header));
    gk_buf_append_str(out, ".");
    gk_base64url_encode(out, gk_span_str(claims));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, out->data, out->len), 1);
    EVP_MD_CTX_free(ctx);
    gk_buf_append_str(out, ".");
    gk_base64url_encode(out, gk_span_of(signature, len));
}

static enum gk_status verify(const struct world *world, EVP_PKEY *key, const char *header,
                             const char *claims)
{
    struct gk_buf token;
    struct gk_jwt_claims read;
    struct gk_id object;
    make_token(key, header, claims, &token);
    const enum gk_status status =
        gk_jwt_verify(world->jwks, gk_buf_str(&token), &wanted, &read, NULL);
    if (status == GK_OK) {
        assert_true(gk_id_parse(OBJECT, &object));
        assert_true(gk_id_equal(&read.object, &object));
    }
    gk_buf_cleanup(&token);
    return status;
}

static void test_jwt__claims(void **state)
{
    static const struct {
        const char *claims;
        bool good;
    } rows[] = {
        {"{" FOR_US "," FOR_NOW "," WHO "}", true},
        {"{" FOR_US ",\"exp\":1800000001," WHO "}", true},
        {"{" FOR_US ",\"nbf\":1800000300,\"exp\":1800009999," WHO "}", true},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "/\"," FOR_NOW "," WHO "}", true},
        {"{\"iss\":\"" ISSUER "\",\"aud\":[\"x\",\"" AUDIENCE "\"]," FOR_NOW "," WHO "}", true},
        {"{" FOR_US ",\"nbf\":1800000301,\"exp\":1800009999," WHO "}", false},
        {"{" FOR_US ",\"nbf\":\"now\",\"exp\":1800009999," WHO "}", false},
        {"{" FOR_US ",\"exp\":1800000000," WHO "}", false},
        {"{" FOR_US "," WHO "}", false},
        {"{" FOR_US ",\"exp\":\"1800000001\"," WHO "}", false},
        {"{\"iss\":\"" ISSUER "/\",\"aud\":\"" AUDIENCE "\"," FOR_NOW "," WHO "}", false},
        {"{\"aud\":\"" AUDIENCE "\"," FOR_NOW "," WHO "}", false},
        {"{\"iss\":\"" ISSUER "\"," FOR_NOW "," WHO "}", false},
        {"{\"iss\":\"" ISSUER "\",\"aud\":\"" AUDIENCE "x\"," FOR_NOW "," WHO "}", false},
        {"{\"iss\":\"" ISSUER "\",\"aud\":[]," FOR_NOW "," WHO "}", false},
        {"{" FOR_US "," FOR_NOW ",\"oid\":\"" OBJECT "\"}", false},
        {"{" FOR_US "," FOR_NOW ",\"oid\":\"me\",\"tid\":\"" TENANT "\"}", false},
        {"{" FOR_US "," FOR_US "," FOR_NOW "," WHO "}", false}, /* twice */
        {"[]", false},
        {"{", false},
    };
    const struct world *world = *state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (verify(world, world->key, HEADER, rows[i].claims) !=
            (rows[i].good ? GK_OK : GK_E_DENIED)) {
            fail_msg("%s", rows[i].claims);
        }
    }
}

static void test_jwt__signatures(void **state)
{
    static const char claims[] = "{" FOR_US "," FOR_NOW "," WHO "}";
    static const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"one\"}",
        "{\"alg\":\"HS256\",\"kid\":\"one\"}",
        "{\"alg\":\"RS512\",\"kid\":\"one\"}",
        "{\"alg\":\"RS256\",\"kid\":\"two\"}",
        "{\"alg\":\"RS256\"}",
        "{\"kid\":\"one\"}",
        "{}",
        "{\"alg\":\"RS256\",\"kid\":\"one\",\"crit\":[\"x\"]}",
    };
    const struct world *world = *state;
    assert_int_equal(verify(world, world->key, HEADER, claims), GK_OK);
    for (size_t i = 0; i < COUNT(headers); i++) {
        assert_int_equal(verify(world, world->key, headers[i], claims), GK_E_DENIED);
    }
    EVP_PKEY *other = EVP_RSA_gen(2048);
    assert_int_equal(verify(world, other, HEADER, claims), GK_E_DENIED);
    EVP_PKEY_free(other);
}

/* Every character of it matters, and every length but its own is wrong. */
static void test_jwt__is_whole(void **state)
{
    const struct world *world = *state;
    struct gk_buf token;
    struct gk_jwt_claims claims;
    make_token(world->key, HEADER, "{" FOR_US "," FOR_NOW "," WHO "}", &token);
    for (size_t i = 0; i < token.len; i++) {
        const uint8_t before = token.data[i];
        token.data[i] = before == 'A' ? 'B' : 'A';
        assert_int_equal(gk_jwt_verify(world->jwks, gk_buf_str(&token), &wanted, &claims, NULL),
                         GK_E_DENIED);
        token.data[i] = '\0';
        assert_int_equal(gk_jwt_verify(world->jwks, gk_buf_str(&token), &wanted, &claims, NULL),
                         GK_E_DENIED);
        token.data[i] = before;
    }
    gk_buf_append_str(&token, ".");
    assert_int_equal(gk_jwt_verify(world->jwks, gk_buf_str(&token), &wanted, &claims, NULL),
                     GK_E_DENIED);
    gk_buf_cleanup(&token);
    char *large = malloc(GK_JWT_BYTES_MAX + 2);
    assert_non_null(large);
    memset(large, '.', GK_JWT_BYTES_MAX + 1);
    large[GK_JWT_BYTES_MAX + 1] = '\0';
    assert_int_equal(gk_jwt_verify(world->jwks, large, &wanted, &claims, NULL), GK_E_DENIED);
    free(large);
}

static void test_jwks__without_a_key(void **state)
{
    (void)state;
    struct gk_jwks *jwks = NULL;
    struct gk_buf json;
    EVP_PKEY *small = EVP_RSA_gen(1024);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    gk_buf_init(&json, GK_JWKS_BYTES_MAX);
    gk_buf_append_str(&json, "{\"keys\":[");
    append_key(&json, small, "small", "sig");
    gk_buf_append_str(&json, ",");
    append_key(&json, key, "encrypts", "enc");
    gk_buf_append_str(&json, "]}");
    assert_int_equal(gk_jwks_parse(gk_buf_span(&json), &jwks, NULL), GK_E_INVALID);
    gk_buf_cleanup(&json);
    EVP_PKEY_free(small);
    EVP_PKEY_free(key);
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[1]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"!\",\"e\":\"AQAB\"}]}"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_int_equal(gk_jwks_parse(gk_span_str(texts[i]), &jwks, NULL), GK_E_INVALID);
        assert_null(jwks);
    }
}

static void test_jwt__of_a_subject(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *claims;
        enum gk_status status;
    } rows[] = {
        {"{" FOR_US "," FOR_NOW ",\"sub\":\"system:serviceaccount:a:b\"}", GK_OK},
        {"{" FOR_US "," FOR_NOW ",\"sub\":\"system:serviceaccount:a:B\"}", GK_E_DENIED},
        {"{" FOR_US "," FOR_NOW ",\"sub\":1}", GK_E_DENIED},
        {"{" FOR_US "," FOR_NOW "," WHO "}", GK_E_DENIED},
    };
    struct gk_jwt_wanted of_subject = wanted;
    of_subject.subject = "system:serviceaccount:a:b";
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_buf token;
        struct gk_jwt_claims claims;
        make_token(world->key, HEADER, rows[i].claims, &token);
        assert_int_equal(gk_jwt_verify(world->jwks, gk_buf_str(&token), &of_subject, &claims, NULL),
                         rows[i].status);
        gk_buf_cleanup(&token);
    }
}

/* A token that names the certificate by a thumb of it; pss: signed so, whatever it says. */
static void make_own_token(EVP_PKEY *key, const char *alg, const char *member,
                           const X509 *certificate, const EVP_MD *thumb, bool pss,
                           struct gk_buf *out)
{
    uint8_t bytes[512];
    unsigned thumb_len = 0;
    size_t len = sizeof bytes;
    struct gk_buf header;
    EVP_PKEY_CTX *padding = NULL;
    gk_buf_init(&header, 1024);
    gk_buf_init(out, GK_JWT_BYTES_MAX);
    assert_int_equal(X509_digest(certificate, thumb, bytes, &thumb_len), 1);
    gk_buf_printf(&header, "{\"alg\":\"%s\",\"kid\":\"\",\"%s\":\"", alg, member);
    gk_base64url_encode(&header, gk_span_of(bytes, thumb_len));
    gk_buf_append_str(&header, "\"}");
    gk_base64url_encode(out, gk_buf_span(&header));
    gk_buf_append_str(out, ".");
    gk_base64url_encode(out, gk_span_str("{" FOR_US "," FOR_NOW ",\"sub\":\"client\"}"));
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(ctx, &padding, EVP_sha256(), NULL, key), 1);
    assert_true(!pss || EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING) == 1);
    assert_true(!pss || EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST) == 1);
    assert_int_equal(EVP_DigestSign(ctx, bytes, &len, out->data, out->len), 1);
    EVP_MD_CTX_free(ctx);
    gk_buf_append_str(out, ".");
    gk_base64url_encode(out, gk_span_of(bytes, len));
    gk_buf_cleanup(&header);
}

static struct gk_jwks *jwks_of(X509 *certificate)
{
    struct gk_jwks *jwks = NULL;
    char *pem = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    assert_int_equal(BIO_write(bio, "", 1), 1);
    assert_true(BIO_get_mem_data(bio, &pem) > 0);
    assert_int_equal(gk_jwks_of_certificate(pem, &jwks, NULL), GK_OK);
    BIO_free(bio);
    return jwks;
}

static void test_jwt__signed_with_a_certificates_key(void **state)
{
    struct world *world = *state;
    static const struct {
        const char *alg;
        const char *member;
        bool sha1;
        bool pss;
        enum gk_status status;
    } rows[] = {
        {"PS256", "x5t#S256", false, true, GK_OK},
        {"RS256", "x5t#S256", false, false, GK_OK},
        {"RS256", "x5t", true, false, GK_OK},
        {"PS256", "x5t", true, true, GK_OK},
        {"PS256", "x5t#S256", false, false, GK_E_DENIED},
        {"RS256", "x5t", true, true, GK_E_DENIED},
        {"PS256", "x5t#S256", true, true, GK_E_DENIED},
        {"none", "x5t", true, false, GK_E_DENIED},
        {"PS256", "kid", false, true, GK_E_DENIED},
    };
    struct gk_jwt_wanted own = wanted;
    struct gk_jwks *none = NULL;
    X509 *certificate = X509_new();
    own.subject = "client";
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
    X509_set_pubkey(certificate, world->key);
    assert_true(X509_sign(certificate, world->key, EVP_sha256()) > 0);
    struct gk_jwks *jwks = jwks_of(certificate);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_buf token;
        struct gk_jwt_claims claims;
        make_own_token(world->key, rows[i].alg, rows[i].member, certificate,
                       rows[i].sha1 ? EVP_sha1() : EVP_sha256(), rows[i].pss, &token);
        if (gk_jwt_verify(jwks, gk_buf_str(&token), &own, &claims, NULL) != rows[i].status) {
            fail_msg("row %zu", i);
        }
        /* A provider's key set takes none of these. */
        assert_int_equal(gk_jwt_verify(world->jwks, gk_buf_str(&token), &own, &claims, NULL),
                         GK_E_DENIED);
        gk_buf_cleanup(&token);
    }
    gk_jwks_free(jwks);
    X509_free(certificate);
    assert_int_equal(gk_jwks_of_certificate("no certificate", &none, NULL), GK_E_INVALID);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwt__claims),
        cmocka_unit_test(test_jwt__signatures),
        cmocka_unit_test(test_jwt__of_a_subject),
        cmocka_unit_test(test_jwt__signed_with_a_certificates_key),
        cmocka_unit_test(test_jwt__is_whole),
        cmocka_unit_test(test_jwks__without_a_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
