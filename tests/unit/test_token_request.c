/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exact bytes of requests for tokens, for each kind of identity, and which files the agent of
 * Azure Arc can make us read.
 */
#include "keyprovider/token_request.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyprovider/arc_challenge.h"
#include "keyprovider/client_assertion.h"
#include "unit/cmocka_all.h"

#define RESOURCE "https://vault.azure.net"

static char directory[64];

static const char *path_of(const char *name)
{
    static char path[160];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/gatekey-test-XXXXXX");
    return mkdtemp(directory) == NULL ? -1 : 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    const int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"good.key", "open.key",  "long.key", "two.key", "link.key",
                                        "fifo.key", "good.text", "header",   "linked"};
    (void)state;
    rmdir(path_of("directory.key"));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(path_of(names[i]));
    }
    return rmdir(directory);
}

static void configure(struct gk_kv_config *config, const char *const settings[][2], size_t count)
{
    gk_kv_config_init(config);
    assert_int_equal(gk_kv_config_set(config, "service_key_file", "/k", NULL), GK_OK);
    for (size_t i = 0; i < count && settings[i][0] != NULL; i++) {
        assert_int_equal(gk_kv_config_set(config, settings[i][0], settings[i][1], NULL), GK_OK);
    }
    assert_int_equal(gk_kv_config_check(config, NULL), GK_OK);
}

static void test_token_request__urls(void **state)
{
#define AUDIENCE "&resource=https%3A%2F%2Fvault.azure.net"
    static const struct {
        const char *settings[4][2];
        const char *url;
    } rows[] = {
        {{{"identity.0.kind", "managed"}},
         "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01" AUDIENCE},
        {{{"identity.0.kind", "managed"},
          {"identity.0.endpoint", "http://127.0.0.1:80/"},
          {"identity.0.resource_id", "/subscriptions/s"}},
         "http://127.0.0.1:80/metadata/identity/oauth2/token?api-version=2018-02-01" AUDIENCE
         "&msi_res_id=%2Fsubscriptions%2Fs"},
        {{{"identity.0.kind", "arc"}},
         "http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01" AUDIENCE},
        {{{"identity.0.kind", "arc"},
          {"identity.0.endpoint", "http://localhost:40342/metadata/identity/oauth2/token"},
          {"identity.0.resource_id", "/subscriptions/s"},
          {"identity.0.client_id", "c"}},
         "http://localhost:40342/metadata/identity/oauth2/token?api-version=2020-06-01" AUDIENCE
         "&client_id=c"},
        {{{"identity.0.kind", "app-service"},
          {"identity.0.endpoint", "http://127.0.0.1:4141/MSI/token/"},
          {"identity.0.resource_id", "/subscriptions/s"},
          {"identity.0.identity_header_file", "/h"}},
         "http://127.0.0.1:4141/MSI/token/?api-version=2019-08-01" AUDIENCE
         "&mi_res_id=%2Fsubscriptions%2Fs"},
        {{{"identity.0.kind", "client-secret"},
          {"identity.0.client_id", "c"},
          {"identity.0.tenant_id", "t"},
          {"identity.0.client_secret_file", "/s"}},
         "https://login.microsoftonline.com/t/oauth2/v2.0/token"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_kv_config config;
        struct gk_buf url;
        configure(&config, rows[i].settings, 4);
        const struct gk_kv_grant grant = {.identity = &config.identities[0], .resource = RESOURCE};
        gk_buf_init(&url, GK_KV_TOKEN_URL_BYTES_MAX);
        gk_kv_token_url(&url, &grant);
        assert_string_equal(gk_buf_str(&url), rows[i].url);
        gk_buf_cleanup(&url);
    }
}

static void test_token_request__headers(void **state)
{
    struct gk_kv_identity identity = {.source = GK_KV_SOURCE_ARC};
    const struct gk_kv_grant grant = {.identity = &identity, .resource = RESOURCE};
    struct gk_error error = {0};
    char *header = NULL;
    (void)state;
    assert_int_equal(gk_kv_token_header(&grant, &header, &error), GK_OK);
    assert_string_equal(header, "Metadata: true");
    gk_secret_free(&header);
    identity.source = GK_KV_SOURCE_CLIENT_SECRET;
    assert_int_equal(gk_kv_token_header(&grant, &header, &error), GK_OK);
    assert_null(header);

    /* Read each time, so that one which the platform renewed is taken. */
    static const char *const secrets[] = {"853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a\n",
                                          "0123456789abcdef"};
    identity.source = GK_KV_SOURCE_APP_SERVICE;
    snprintf(identity.identity_header_file, sizeof identity.identity_header_file, "%s",
             path_of("header"));
    assert_int_equal(gk_kv_token_header(&grant, &header, &error), GK_E_INVALID);
    assert_non_null(strstr(error.message, "header"));
    for (size_t i = 0; i < 2; i++) {
        char expected[128];
        write_file("header", secrets[i], 0600);
        snprintf(expected, sizeof expected, "X-IDENTITY-HEADER: %.*s",
                 (int)strcspn(secrets[i], "\n"), secrets[i]);
        assert_int_equal(gk_kv_token_header(&grant, &header, &error), GK_OK);
        assert_string_equal(header, expected);
        gk_secret_free(&header);
        unlink(path_of("header"));
    }
}

static void test_token_request__federated_tokens(void **state)
{
#define CLAIMS(exp) "eyJhbGciOiJSUzI1NiJ9." exp ".c2lnbmF0dXJl"
    static const struct {
        const char *token;
        const char *complaint; /* NULL: it is sent */
    } rows[] = {
        {CLAIMS("eyJleHAiOjE4MDAwMDAwMDF9"), NULL},      /* {"exp":1800000001} */
        {CLAIMS("eyJleHAiOjE4MDAwMDAwMDB9"), "expired"}, /* {"exp":1800000000} */
        {CLAIMS("eyJleHAiOi0xfQ"), "JSON Web Token"},    /* {"exp":-1} */
        {CLAIMS("e30"), "JSON Web Token"},               /* {} */
        {CLAIMS("e"), "JSON Web Token"},
        {CLAIMS("*"), "JSON Web Token"},
        {"opaque-but-long-enough", "JSON Web Token"},
        {"opaque.but-long-enough", "JSON Web Token"},
    };
    struct gk_kv_identity identity = {
        .source = GK_KV_SOURCE_WORKLOAD, .client_id = "c", .tenant_id = "t"};
    const struct gk_kv_grant grant = {.identity = &identity, .resource = RESOURCE};
    (void)state;
    snprintf(identity.federated_token_file, sizeof identity.federated_token_file, "%s",
             path_of("header"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_buf form;
        struct gk_error error = {0};
        char expected[512];
        write_file("header", rows[i].token, 0600);
        gk_buf_init(&form, GK_KV_TOKEN_FORM_BYTES_MAX);
        const enum gk_status status = gk_kv_token_form(&form, &grant, NULL, 1800000000, &error);
        if (rows[i].complaint == NULL) {
            snprintf(expected, sizeof expected,
                     "grant_type=client_credentials&client_id=c"
                     "&scope=https%%3A%%2F%%2Fvault.azure.net%%2F.default"
                     "&client_assertion_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3A"
                     "client-assertion-type%%3Ajwt-bearer&client_assertion=%s",
                     rows[i].token);
            assert_int_equal(status, GK_OK);
            assert_string_equal(gk_buf_str(&form), expected);
        } else {
            assert_int_equal(status, GK_E_INVALID);
            assert_non_null(strstr(error.message, rows[i].complaint));
            assert_null(strstr(error.message, rows[i].token));
        }
        gk_buf_cleanup(&form);
        unlink(path_of("header"));
    }
}

/* --- cross-tenant applications ------------------------------------------------------------------ */

/* The identity's own token is the proof; neither its secrets nor its host have a part in it. */
static void test_token_request__applications(void **state)
{
    static const struct {
        const char *authority;
        const char *exchange;
    } clouds[] = {
        {"https://login.microsoftonline.com", "api://AzureADTokenExchange"},
        {"https://login.microsoftonline.us", "api://AzureADTokenExchangeUSGov"},
        {"https://login.chinacloudapi.cn", "api://AzureADTokenExchangeChina"},
        {"https://localhost:8443", "api://AzureADTokenExchange"},
    };
    const struct gk_kv_identity identity = {.source = GK_KV_SOURCE_MANAGED, .client_id = "c"};
    (void)state;
    for (size_t i = 0; i < sizeof clouds / sizeof clouds[0]; i++) {
        struct gk_kv_grant grant = {.identity = &identity,
                                    .application = {.client_id = "app", .tenant_id = "customer"},
                                    .resource = RESOURCE};
        struct gk_buf out;
        struct gk_error error = {0};
        char expected[128];
        char *header = NULL;
        snprintf(grant.application.authority, sizeof grant.application.authority, "%s",
                 clouds[i].authority);
        assert_string_equal(gk_kv_exchange_resource(&grant.application), clouds[i].exchange);
        assert_int_equal(gk_kv_token_header(&grant, &header, &error), GK_OK);
        assert_null(header);
        gk_buf_init(&out, GK_KV_TOKEN_FORM_BYTES_MAX);
        gk_kv_token_url(&out, &grant);
        snprintf(expected, sizeof expected, "%s/customer/oauth2/v2.0/token", clouds[i].authority);
        assert_string_equal(gk_buf_str(&out), expected);
        gk_buf_cleanup(&out);
        gk_buf_init(&out, GK_KV_TOKEN_FORM_BYTES_MAX);
        assert_int_equal(gk_kv_token_form(&out, &grant, "head.claims+.mac", 1, &error), GK_OK);
        assert_string_equal(gk_buf_str(&out),
                            "grant_type=client_credentials&client_id=app"
                            "&scope=https%3A%2F%2Fvault.azure.net%2F.default"
                            "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
                            "client-assertion-type%3Ajwt-bearer"
                            "&client_assertion=head.claims%2B.mac");
        gk_buf_cleanup(&out);
    }
}

/* --- client certificates ------------------------------------------------------------------------ */

static X509 *make_certificate(EVP_PKEY *key, long from_s, long to_s)
{
    X509 *certificate = X509_new();
    time_t now = 1800000000;
    assert_non_null(certificate);
    X509_time_adj(X509_getm_notBefore(certificate), from_s, &now);
    X509_time_adj(X509_getm_notAfter(certificate), to_s, &now);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static void write_pair(EVP_PKEY *key, const EVP_CIPHER *cipher, X509 *certificate, mode_t mode)
{
    FILE *file = fopen(path_of("header"), "we");
    static const unsigned char password[] = "password";
    assert_non_null(file);
    assert_true(key == NULL ||
                PEM_write_PrivateKey(file, key, cipher, password, 8, NULL, NULL) == 1);
    assert_true(certificate == NULL || PEM_write_X509(file, certificate) == 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of("header"), mode), 0);
}

static void check_signature(EVP_PKEY *key, const char *assertion)
{
    struct gk_buf signature;
    EVP_PKEY_CTX *padding = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const char *last = strrchr(assertion, '.');
    gk_buf_init(&signature, 1024);
    assert_true(gk_base64url_decode(&signature, gk_span_str(last + 1)));
    assert_int_equal(EVP_DigestVerifyInit(ctx, &padding, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, RSA_PSS_SALTLEN_DIGEST), 1);
    assert_int_equal(EVP_DigestVerify(ctx, signature.data, signature.len,
                                      (const uint8_t *)assertion, (size_t)(last - assertion)),
                     1);
    EVP_MD_CTX_free(ctx);
    gk_buf_cleanup(&signature);
}

static void check_part(const char *from, const char *to, const char *before, const char *after)
{
    struct gk_buf text;
    gk_buf_init(&text, 4096);
    assert_true(gk_base64url_decode(&text, gk_span_of(from, (size_t)(to - from))));
    const char *at = gk_buf_str(&text);
    assert_ptr_equal(strstr(at, before), at);
    assert_true(strlen(at) > strlen(after));
    assert_string_equal(at + strlen(at) - strlen(after), after);
    gk_buf_cleanup(&text);
}

static void test_client_assertion__is_signed(void **state)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *certificate = make_certificate(key, -1, 1);
    struct gk_error error = {0};
    struct gk_buf out;
    (void)state;
    write_pair(key, NULL, certificate, 0600);
    gk_buf_init(&out, GK_KV_TOKEN_FORM_BYTES_MAX);
    assert_int_equal(gk_kv_client_assertion(&out, path_of("header"), "client", "https://a/t/token",
                                            1800000000, &error),
                     GK_OK);
    const char *assertion = gk_buf_str(&out);
    const char *first = strchr(assertion, '.');
    const char *second = strchr(first + 1, '.');
    check_part(assertion, first, "{\"alg\":\"PS256\",\"typ\":\"JWT\",\"x5t#S256\":\"", "\"}");
    check_part(first + 1, second,
               "{\"aud\":\"https://a/t/token\",\"iss\":\"client\",\"sub\":\"client\",\"jti\":\"",
               "\",\"iat\":1799999820,\"nbf\":1799999820,\"exp\":1800000300}");
    check_signature(key, assertion);
    gk_buf_cleanup(&out);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void test_client_assertion__of_no_good_pair(void **state)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    EVP_PKEY *other = EVP_RSA_gen(2048);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    X509 *good = make_certificate(key, -1, 1);
    X509 *expired = make_certificate(key, -2, -1);
    X509 *early = make_certificate(key, 1, 2);
    X509 *of_curve = make_certificate(curve, -1, 1);
    const struct {
        EVP_PKEY *key;
        const EVP_CIPHER *cipher;
        X509 *certificate;
        mode_t mode;
        const char *complaint;
    } rows[] = {
        {NULL, NULL, good, 0600, "no private key"},
        {key, EVP_aes_256_cbc(), good, 0600, "no private key without a password"},
        {curve, NULL, of_curve, 0600, "no RSA private key"},
        {key, NULL, NULL, 0600, "no certificate"},
        {other, NULL, good, 0600, "no certificate"},
        {key, NULL, expired, 0600, "not valid now"},
        {key, NULL, early, 0600, "not valid now"},
        {key, NULL, good, 0644, "open to others"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_error error = {0};
        struct gk_buf out;
        gk_buf_init(&out, GK_KV_TOKEN_FORM_BYTES_MAX);
        write_pair(rows[i].key, rows[i].cipher, rows[i].certificate, rows[i].mode);
        assert_int_equal(gk_kv_client_assertion(&out, path_of("header"), "client", "https://a",
                                                1800000000, &error),
                         GK_E_INVALID);
        if (strstr(error.message, rows[i].complaint) == NULL) {
            fail_msg("row %zu: %s", i, error.message);
        }
        gk_buf_cleanup(&out);
    }
    X509_free(good);
    X509_free(expired);
    X509_free(early);
    X509_free(of_curve);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(curve);
}

static void test_arc_challenge__only_the_agents_own_files_are_read(void **state)
{
    static const struct {
        const char *challenge; /* %s: the directory */
        bool good;
    } rows[] = {
        {"Basic realm=%s/good.key", true},
        {"basic realm=%s/good.key", true},
        {"Basic realm=\"%s/good.key\"", false},
        {"Basic realm=%s/good.key ", false},
        {"Basic realm=%s//good.key", false},
        {"Basic realm=%s/./good.key", false},
        {"Basic realm=%s/../good.key", false},
        {"Basic realm=%s/sub/good.key", false},
        {"Basic realm=%s/missing.key", false},
        {"Basic realm=%s/good.text", false}, /* not of the agent */
        {"Basic realm=%s/.key", false},
        {"Basic realm=%s/open.key", false}, /* others may read it */
        {"Basic realm=%s/long.key", false},
        {"Basic realm=%s/two.key", false}, /* two lines: the second would be a header of its own */
        {"Basic realm=%s/link.key", false},
        {"Basic realm=%s/fifo.key", false},
        {"Basic realm=%s/directory.key", false},
        {"Basic realm=%s", false},
        {"Basic realm=%s/", false},
        {"Basic realm=%sgood.key", false},
        {"Basic realm=/etc/passwd", false},
        {"Basic realm=good.key", false},
        {"Basic realm=", false},
        {"Bearer realm=%s/good.key", false},
        {"", false},
    };
    char long_text[5001];
    (void)state;
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    write_file("good.key", "the-agents-secret", 0640);
    write_file("good.text", "the-agents-secret", 0640);
    write_file("open.key", "the-agents-secret", 0644);
    write_file("long.key", long_text, 0640);
    write_file("two.key", "the-agents-secret\r\nX-Evil: 1", 0640);
    assert_int_equal(symlink("good.key", path_of("link.key")), 0);
    assert_int_equal(mkfifo(path_of("fifo.key"), 0600), 0);
    assert_int_equal(mkdir(path_of("directory.key"), 0700), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char challenge[256];
        char *credentials = NULL;
        struct gk_error error = {0};
        const char *at = strstr(rows[i].challenge, "%s");
        snprintf(challenge, sizeof challenge, "%.*s%s%s",
                 (int)(at == NULL ? strlen(rows[i].challenge) : (size_t)(at - rows[i].challenge)),
                 rows[i].challenge, at == NULL ? "" : directory, at == NULL ? "" : at + 2);
        const enum gk_status status =
            gk_kv_arc_credentials(challenge, directory, &credentials, &error);
        if (status != (rows[i].good ? GK_OK : GK_E_INVALID)) {
            fail_msg("%s: %d %s", challenge, status, error.message);
        }
        if (rows[i].good) {
            assert_string_equal(credentials, "the-agents-secret");
        } else {
            assert_null(credentials);
            assert_true(error.message[0] != '\0');
        }
        gk_secret_free(&credentials);
    }
}

static void test_arc_challenge__the_directory_is_no_link(void **state)
{
    char *credentials = NULL;
    char linked[160];
    char challenge[256];
    (void)state;
    write_file("good.key", "the-agents-secret", 0640);
    snprintf(linked, sizeof linked, "%s", path_of("linked"));
    assert_int_equal(symlink(directory, linked), 0);
    snprintf(challenge, sizeof challenge, "Basic realm=%s/good.key", linked);
    assert_int_equal(gk_kv_arc_credentials(challenge, linked, &credentials, NULL), GK_E_INVALID);
    assert_null(credentials);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_token_request__urls),
        TEST(test_token_request__headers),
        TEST(test_token_request__federated_tokens),
        TEST(test_token_request__applications),
        TEST(test_client_assertion__is_signed),
        TEST(test_client_assertion__of_no_good_pair),
        TEST(test_arc_challenge__only_the_agents_own_files_are_read),
        TEST(test_arc_challenge__the_directory_is_no_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
