/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transit engine of OpenBao and HashiCorp Vault: the exact bytes of requests, answers that are taken
 * only when they are of what was asked for, and what each sentence of a refusal means.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/secret.h"
#include "keyprovider/route.h"
#include "keyprovider/token_request.h"
#include "keyprovider/transit/login.h"
#include "keyprovider/transit/request.h"
#include "keyprovider/transit/response.h"
#include "keyprovider/transit/verdict.h"
#include "unit/cmocka_all.h"

#define GET    1u
#define WRAP   2u
#define UNWRAP 4u
#define ALL    7u

#define URI "https://bao.example:8200"
/* 60 zero bytes in base64. */
#define SEALED "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ROOT   "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct gk_kv_vault vault = {
    .uri = URI, .kind = GK_KV_VAULT_TRANSIT, .mount = "storage/transit", .name_space = "team"};

static struct gk_key_reference key_of(const char *version)
{
    struct gk_key_reference key = {.vault_uri = URI, .name = "tenant-key"};
    snprintf(key.version, sizeof key.version, "%s", version);
    return key;
}

static struct gk_kv_question ask(enum gk_kv_operation operation, const struct gk_key_reference *key)
{
    return (struct gk_kv_question){.operation = operation, .key = key, .vault = &vault};
}

/* --- what is asked ------------------------------------------------------------------------------ */

static void test_transit__requests(void **state)
{
    static const struct {
        enum gk_kv_operation operation;
        const char *version;
        const char *value;
        const char *url;
        const char *body; /* NULL: it cannot be asked */
    } rows[] = {
        {GK_KV_GET, "", NULL, URI "/v1/storage/transit/keys/tenant-key", ""},
        {GK_KV_WRAP, "", "abc", URI "/v1/storage/transit/encrypt/tenant-key",
         "{\"plaintext\":\"YWJj\"}"},
        {GK_KV_WRAP, "7", "abc", URI "/v1/storage/transit/encrypt/tenant-key",
         "{\"plaintext\":\"YWJj\",\"key_version\":7}"},
        {GK_KV_UNWRAP, "3", "vault:v3:" SEALED, URI "/v1/storage/transit/decrypt/tenant-key",
         "{\"ciphertext\":\"vault:v3:" SEALED "\"}"},
        {GK_KV_UNWRAP, "2", "vault:v3:" SEALED, URI "/v1/storage/transit/decrypt/tenant-key", NULL},
        {GK_KV_UNWRAP, "3", "wrapped", URI "/v1/storage/transit/decrypt/tenant-key", NULL},
    };
    (void)state;
    const struct gk_kv_dialect *dialect = gk_kv_dialect_transit();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gk_key_reference key = key_of(rows[i].version);
        const struct gk_kv_question question = ask(rows[i].operation, &key);
        struct gk_buf url;
        struct gk_buf header;
        struct gk_buf body;
        gk_buf_init(&url, GK_KV_CALL_URL_BYTES_MAX);
        gk_buf_init(&header, GK_KV_HEADER_BYTES_MAX);
        gk_buf_init(&body, GK_KV_REQUEST_BYTES_MAX);
        dialect->url(&url, &question);
        dialect->header(&header, &question);
        assert_string_equal(gk_buf_str(&url), rows[i].url);
        assert_string_equal(gk_buf_str(&header), "X-Vault-Namespace: team");
        if (rows[i].value != NULL) {
            const bool made =
                dialect->body(&body, &question, "transit", gk_span_str(rows[i].value));
            assert_int_equal(made, rows[i].body != NULL);
            assert_string_equal(gk_buf_str(&body), rows[i].body == NULL ? "" : rows[i].body);
        }
        gk_buf_cleanup(&url);
        gk_buf_cleanup(&header);
        gk_buf_cleanup(&body);
    }
    assert_true(dialect->algorithm_is_known("transit"));
    assert_false(dialect->algorithm_is_known("RSA-OAEP-256"));
}

static void test_transit__keys(void **state)
{
    static const struct {
        const char *name;
        const char *version;
        enum gk_status status;
    } rows[] = {{"tenant-key-1", "", GK_OK},   {"k", "1", GK_OK},
                {"k", "2147483647", GK_OK},    {"k", "0", GK_E_INVALID},
                {"k", "01", GK_E_INVALID},     {"k", "-1", GK_E_INVALID},
                {"k", "1a", GK_E_INVALID},     {"k", "2147483648", GK_E_INVALID},
                {"", "", GK_E_INVALID},        {"Tenant", "", GK_E_INVALID},
                {"a_b", "", GK_E_INVALID},     {"../sys", "", GK_E_INVALID},
                {"k?list=1", "", GK_E_INVALID}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_key_reference key = key_of(rows[i].version);
        snprintf(key.name, sizeof key.name, "%s", rows[i].name);
        assert_int_equal(gk_kv_dialect_transit()->check_key(&key, NULL), rows[i].status);
    }
}

static void test_transit__ciphertexts(void **state)
{
    static const struct {
        const char *text;
        const char *version; /* NULL: it is none */
    } rows[] = {
        {"vault:v1:" SEALED, "1"},
        {"vault:v2147483647:" SEALED, "2147483647"},
        {"vault:v0:" SEALED, NULL},
        {"vault:v01:" SEALED, NULL},
        {"vault:v:" SEALED, NULL},
        {"vault:1:" SEALED, NULL},
        {"vault:v1:" SEALED "AAAA", NULL},
        {"vault:v1:AAAA", NULL},
        {"vault:v1" SEALED, NULL},
        {"vault:v", NULL},
        {"", NULL},
        {"Vault:v1:" SEALED, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char version[GK_KEY_VERSION_BYTES_MAX];
        assert_int_equal(gk_transit_ciphertext_version(gk_span_str(rows[i].text), version),
                         rows[i].version != NULL);
        if (rows[i].version != NULL) {
            assert_string_equal(version, rows[i].version);
        }
    }
    /* Any other byte in the place of the last is no base64 of 60 bytes. */
    char text[] = "vault:v1:" SEALED;
    char version[GK_KEY_VERSION_BYTES_MAX];
    text[sizeof text - 2] = '=';
    assert_true(gk_transit_ciphertext_version(gk_span_str("vault:v1:" SEALED), version));
    assert_false(gk_transit_ciphertext_version(gk_span_str(text), version));
}

/* --- what is answered --------------------------------------------------------------------------- */

#define MEMBERS                                                                                    \
    "\"derived\":false,\"supports_encryption\":true,\"supports_decryption\":true,"                 \
    "\"keys\":{\"2\":1442851412,\"3\":1442851413}"

static bool read_key(const char *version, const char *data, struct gk_vault_answer *answer)
{
    char body[1024];
    const struct gk_key_reference key = key_of(version);
    const struct gk_kv_question question = ask(GK_KV_GET, &key);
    *answer = (struct gk_vault_answer){0};
    snprintf(body, sizeof body, "{\"request_id\":\"r-1\",\"data\":{%s}}", data);
    return gk_transit_response_key(gk_span_str(body), &question, answer);
}

static void test_transit__a_key(void **state)
{
#define KEY                                                                                        \
    "\"name\":\"tenant-key\",\"type\":\"aes256-gcm96\",\"latest_version\":3,"                      \
    "\"min_decryption_version\":2,\"min_encryption_version\":0,\"deletion_allowed\":"              \
    "false," MEMBERS
    struct gk_vault_answer answer;
    (void)state;
    assert_true(read_key("", KEY, &answer));
    assert_string_equal(answer.key_id, URI "/keys/tenant-key/3");
    assert_string_equal(answer.request_id, "r-1");
    assert_string_equal(answer.info.key_type, GK_KEY_TYPE_AES256_GCM96);
    assert_true(answer.info.enabled && answer.info.may_wrap && answer.info.may_unwrap &&
                answer.info.soft_delete && answer.info.purge_protected);
    assert_int_equal(answer.info.created_wall_ms, 1442851413000);
    assert_int_equal(answer.info.rotation_told, 1);
    assert_int_equal(answer.info.rotation_due_wall_ms, 0);
    assert_true(read_key("2", KEY, &answer));
    assert_string_equal(answer.key_id, URI "/keys/tenant-key/2");
    assert_true(answer.info.enabled);
    /* Below what it decrypts, above what it has. */
    assert_true(read_key("1", KEY, &answer));
    assert_false(answer.info.enabled);
    assert_true(read_key("4", KEY, &answer));
    assert_false(answer.info.enabled);
    /* How long its newest version stays that. */
    assert_true(read_key("", KEY ",\"auto_rotate_period\":86400", &answer));
    assert_int_equal(answer.info.rotation_due_wall_ms, 1442851413000 + 86400000);
    static const char *const none[] = {"0", "-1", "\"90d\"", "1e9", "99999999999", "null"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        char data[sizeof KEY + 64];
        snprintf(data, sizeof data, KEY ",\"auto_rotate_period\":%s", none[i]);
        assert_true(read_key("", data, &answer));
        assert_int_equal(answer.info.rotation_due_wall_ms, 0);
    }
    assert_true(read_key("", KEY ",\"soft_deleted\":true", &answer));
    assert_false(answer.info.enabled);
#undef KEY
}

static void test_transit__a_key_of_something_else(void **state)
{
#define VERSIONS(latest)                                                                           \
    "\"latest_version\":" latest ",\"min_decryption_version\":1,"                                  \
    "\"min_encryption_version\":0,"
    static const char *const bodies[] = {
        "",
        "\"name\":\"another\"," VERSIONS("1") "\"deletion_allowed\":false," MEMBERS,
        "\"name\":\"tenant-key\"," VERSIONS("0") "\"deletion_allowed\":false," MEMBERS,
        "\"name\":\"tenant-key\"," VERSIONS("\"x\"") "\"deletion_allowed\":false," MEMBERS,
        "\"name\":\"tenant-key\"," VERSIONS("99999999999") "\"deletion_allowed\":false," MEMBERS,
        "\"name\":\"tenant-key\"," VERSIONS("1") "\"deletion_allowed\":null," MEMBERS,
        "\"name\":\"tenant-key\"," VERSIONS("1") MEMBERS,
        "\"name\":\"tenant-key\"," VERSIONS("1") "\"deletion_allowed\":false",
        "\"name\":\"tenant-key\",\"name\":\"tenant-key\"," VERSIONS(
            "1") "\"deletion_allowed\":false," MEMBERS,
    };
    struct gk_vault_answer answer;
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_false(read_key("", bodies[i], &answer));
    }
}

static bool read_value(enum gk_kv_operation operation, const char *version, const char *body,
                       struct gk_vault_answer *answer, uint8_t *bytes, size_t *len)
{
    const struct gk_key_reference key = key_of(version);
    const struct gk_kv_question question = ask(operation, &key);
    struct gk_buf value;
    *answer = (struct gk_vault_answer){0};
    gk_buf_init_over(&value, bytes, 128);
    const bool good = gk_transit_response_value(gk_span_str(body), &question, answer, &value);
    *len = value.len;
    return good;
}

static void test_transit__values(void **state)
{
    static const struct {
        enum gk_kv_operation operation;
        const char *version;
        const char *body;
        const char *key_id; /* NULL: it is not what was asked for */
        size_t len;
    } rows[] = {
        {GK_KV_WRAP, "", "{\"data\":{\"ciphertext\":\"vault:v3:" SEALED "\"}}",
         URI "/keys/tenant-key/3", 89},
        {GK_KV_WRAP, "3", "{\"data\":{\"ciphertext\":\"vault:v3:" SEALED "\",\"key_version\":3}}",
         URI "/keys/tenant-key/3", 89},
        {GK_KV_WRAP, "2", "{\"data\":{\"ciphertext\":\"vault:v3:" SEALED "\"}}", NULL, 0},
        {GK_KV_WRAP, "", "{\"data\":{\"ciphertext\":\"\"}}", NULL, 0},
        {GK_KV_WRAP, "", "{\"data\":{\"plaintext\":\"" ROOT "\"}}", NULL, 0},
        {GK_KV_WRAP, "", "{\"ciphertext\":\"vault:v3:" SEALED "\"}", NULL, 0},
        {GK_KV_UNWRAP, "3", "{\"data\":{\"plaintext\":\"" ROOT "\"}}", URI "/keys/tenant-key/3",
         32},
        {GK_KV_UNWRAP, "3", "{\"data\":{\"plaintext\":\"AAE\"}}", NULL, 0},
        {GK_KV_UNWRAP, "3", "{\"data\":{\"plaintext\":3}}", NULL, 0},
        {GK_KV_UNWRAP, "3", "{\"data\":null,\"errors\":[]}", NULL, 0},
        {GK_KV_UNWRAP, "3", "<html>", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_vault_answer answer;
        uint8_t bytes[128];
        size_t len = 0;
        const bool good =
            read_value(rows[i].operation, rows[i].version, rows[i].body, &answer, bytes, &len);
        if (good != (rows[i].key_id != NULL) ||
            (good && (strcmp(answer.key_id, rows[i].key_id) != 0 || len != rows[i].len))) {
            fail_msg("%s: %d, %zu bytes of %s", rows[i].body, good, len, answer.key_id);
        }
    }
}

static void test_transit__tokens(void **state)
{
    struct gk_kv_token_response token;
    (void)state;
    assert_true(gk_transit_response_token(
        gk_span_str("{\"auth\":{\"client_token\":\"hvs.abc\",\"lease_duration\":60}}"), &token));
    assert_true(gk_span_equal(token.access_token, gk_span_str("hvs.abc")));
    assert_int_equal(token.expires_in_s, 60);
    /* One that never ends is renewed all the same. */
    assert_true(gk_transit_response_token(
        gk_span_str("{\"auth\":{\"client_token\":\"s.abc\",\"lease_duration\":0}}"), &token));
    assert_true(token.expires_in_s > 0);
    assert_false(gk_transit_response_token(
        gk_span_str("{\"auth\":{\"client_token\":\"a b\",\"lease_duration\":60}}"), &token));
    assert_false(
        gk_transit_response_token(gk_span_str("{\"auth\":{\"client_token\":\"abc\"}}"), &token));
    assert_false(gk_transit_response_token(
        gk_span_str("{\"client_token\":\"abc\",\"lease_duration\":60}"), &token));
}

/* --- what a refusal means ----------------------------------------------------------------------- */

#define TWO_ERRORS "2 errors occurred:   * permission denied   * invalid token  "

static const struct {
    uint16_t http_status;
    unsigned operations;
    const char *message; /* NULL: the body has no errors */
    enum gk_vault_verdict verdict;
    bool retry;
    bool of_token;
} rows[] = {
    {403, ALL, "1 error occurred:   * permission denied  ", GK_VAULT_KEY_REFUSED, false, true},
    {403, ALL, TWO_ERRORS, GK_VAULT_UNAVAILABLE, true, true},
    {403, ALL, "bad token", GK_VAULT_UNAVAILABLE, true, true},
    {404, GET, "", GK_VAULT_KEY_REFUSED, false, false},
    {404, ALL, "no handler for route \"transit/keys/k\". route entry not found.",
     GK_VAULT_KEY_REFUSED, false, false},
    {404, ALL, "namespace not found", GK_VAULT_KEY_REFUSED, false, false},
    {400, WRAP | UNWRAP, "encryption key not found", GK_VAULT_KEY_REFUSED, false, false},
    {400, WRAP | UNWRAP, "refusing to use soft-deleted key", GK_VAULT_KEY_REFUSED, false, false},
    {400, UNWRAP, "ciphertext or signature version is disallowed by policy (too old)",
     GK_VAULT_KEY_REFUSED, false, false},
    {400, UNWRAP, "invalid ciphertext: version is too new", GK_VAULT_KEY_REFUSED, false, false},
    {400, UNWRAP, "cipher: message authentication failed", GK_VAULT_KEY_REFUSED, false, false},
    {400, WRAP, "requested version for encryption is higher than the latest key version",
     GK_VAULT_KEY_REFUSED, false, false},
    {400, WRAP, "requested version for encryption is less than the minimum encryption key version",
     GK_VAULT_KEY_REFUSED, false, false},
    /* The same statuses for other reasons, and from who does not speak as a vault does. */
    {404, WRAP | UNWRAP, "", GK_VAULT_UNAVAILABLE, false, false},
    {404, ALL, "no handler for route \"transit/keys/k\". route entry found, but backend is nil.",
     GK_VAULT_UNAVAILABLE, false, false},
    {400, ALL, "invalid ciphertext: no prefix", GK_VAULT_UNAVAILABLE, false, false},
    {400, ALL, "", GK_VAULT_UNAVAILABLE, false, false},
    {400, GET, "encryption key not found", GK_VAULT_UNAVAILABLE, false, false},
    {400, ALL, NULL, GK_VAULT_UNAVAILABLE, false, false},
    {403, ALL, NULL, GK_VAULT_UNAVAILABLE, false, false},
    {403, ALL, "", GK_VAULT_UNAVAILABLE, false, false},
    {404, ALL, NULL, GK_VAULT_UNAVAILABLE, false, false},
    {401, ALL, "permission denied", GK_VAULT_UNAVAILABLE, false, false},
    {405, ALL, "unsupported operation", GK_VAULT_UNAVAILABLE, false, false},
    /* What passes. */
    {0, ALL, NULL, GK_VAULT_UNAVAILABLE, true, false},
    {307, ALL, NULL, GK_VAULT_UNAVAILABLE, true, false},
    {408, ALL, NULL, GK_VAULT_UNAVAILABLE, true, false},
    {412, ALL, "required index state not present", GK_VAULT_UNAVAILABLE, true, false},
    {429, ALL, "rate limit quota exceeded", GK_VAULT_UNAVAILABLE, true, false},
    {500, ALL, "1 error occurred:   * permission denied  ", GK_VAULT_UNAVAILABLE, true, false},
    {502, ALL, NULL, GK_VAULT_UNAVAILABLE, true, false},
    {503, ALL, "Vault is sealed", GK_VAULT_UNAVAILABLE, true, false},
};

static void test_transit__what_answers_mean(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned operation = GK_KV_GET; operation <= GK_KV_UNWRAP; operation++) {
            const char *code = NULL;
            if ((rows[i].operations & 1u << operation) == 0) {
                continue;
            }
            const struct gk_kv_judgement judgement = gk_transit_judge(
                (enum gk_kv_operation)operation, rows[i].http_status, rows[i].message != NULL,
                rows[i].message == NULL ? "" : rows[i].message, &code);
            if (judgement.verdict != rows[i].verdict || judgement.retry != rows[i].retry ||
                judgement.of_token != rows[i].of_token || code[0] == '\0') {
                fail_msg("operation %u, %u '%s': verdict %d, retry %d, of token %d, %s", operation,
                         rows[i].http_status, rows[i].message, judgement.verdict, judgement.retry,
                         judgement.of_token, code);
            }
        }
    }
}

static void test_transit__only_three_statuses_ever_revoke(void **state)
{
    (void)state;
    for (unsigned status = 0; status <= UINT16_MAX; status++) {
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            const char *code = NULL;
            const struct gk_kv_judgement judgement =
                gk_transit_judge(GK_KV_UNWRAP, (uint16_t)status, rows[i].message != NULL,
                                 rows[i].message == NULL ? "" : rows[i].message, &code);
            assert_true(judgement.verdict == GK_VAULT_UNAVAILABLE || status == 400 ||
                        status == 403 || status == 404);
        }
    }
}

static void test_transit__what_logins_mean(void **state)
{
    static const struct {
        enum gk_kv_identity_source source;
        uint16_t http_status;
        const char *message;
        enum gk_vault_verdict verdict;
        bool retry;
    } logins[] = {
        {GK_KV_SOURCE_APPROLE, 400, "invalid role or secret ID", GK_VAULT_IDENTITY_GONE, false},
        {GK_KV_SOURCE_APPROLE, 400, "invalid secret_id \"s3cr3t\"", GK_VAULT_IDENTITY_GONE, false},
        {GK_KV_SOURCE_APPROLE, 400, "missing role_id", GK_VAULT_UNAVAILABLE, false},
        {GK_KV_SOURCE_APPROLE, 403, "permission denied", GK_VAULT_UNAVAILABLE, false},
        {GK_KV_SOURCE_APPROLE, 500, "invalid role or secret ID", GK_VAULT_UNAVAILABLE, true},
        {GK_KV_SOURCE_APPROLE, 503, "Vault is sealed", GK_VAULT_UNAVAILABLE, true},
        {GK_KV_SOURCE_JWT, 400, "role \"gateway\" could not be found", GK_VAULT_IDENTITY_GONE,
         false},
        {GK_KV_SOURCE_JWT, 400, "invalid role name \"gateway\"", GK_VAULT_IDENTITY_GONE, false},
        /* Of a token that is not good, or an issuer that cannot be asked: nobody can tell which. */
        {GK_KV_SOURCE_JWT, 400, "error validating token: fetching keys: connection refused",
         GK_VAULT_UNAVAILABLE, false},
        {GK_KV_SOURCE_JWT, 400, "error validating token: token is expired", GK_VAULT_UNAVAILABLE,
         false},
        {GK_KV_SOURCE_JWT, 403, "permission denied", GK_VAULT_UNAVAILABLE, false},
        {GK_KV_SOURCE_TLS, 400, "invalid certificate or no client certificate supplied",
         GK_VAULT_IDENTITY_GONE, false},
        {GK_KV_SOURCE_TLS, 400,
         "no chain matching all constraints could be found for this login certificate",
         GK_VAULT_IDENTITY_GONE, false},
        {GK_KV_SOURCE_TLS, 400,
         "no chain matching all constraints could be found for this login certificate; "
         "additionally got errors during verification: OCSP: connection refused",
         GK_VAULT_UNAVAILABLE, false},
        {GK_KV_SOURCE_TLS, 500, "no client certificate found", GK_VAULT_UNAVAILABLE, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
        const char *code = NULL;
        const char *reason = NULL;
        const struct gk_kv_judgement judgement = gk_transit_judge_login(
            logins[i].source, logins[i].http_status, true, logins[i].message, &code, &reason);
        assert_int_equal(judgement.verdict, logins[i].verdict);
        assert_int_equal(judgement.retry, logins[i].retry);
        assert_null(strstr(reason, "s3cr3t"));
        assert_true(code[0] != '\0' && reason[0] != '\0');
    }
}

/* --- settings ----------------------------------------------------------------------------------- */

static void configure(struct gk_kv_config *config, const char *const settings[][2], size_t count)
{
    gk_kv_config_init(config);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(gk_kv_config_set(config, settings[i][0], settings[i][1], NULL), GK_OK);
    }
}

static void test_transit__routes(void **state)
{
    static const char *const settings[][2] = {
        {"service_key_file", "/k"},           {"vault.0.uri", URI},
        {"vault.0.kind", "transit"},          {"identity.0.kind", "approle"},
        {"identity.0.resource_id", "/login"}, {"identity.0.role", "r"},
        {"identity.0.secret_id_file", "/s"},  {"identity.1.kind", "managed"},
    };
    const struct gk_identity_reference login = {.kind = GK_IDENTITY_USER_ASSIGNED,
                                                .resource_id = "/login"};
    const struct gk_identity_reference host = {.kind = GK_IDENTITY_SYSTEM_ASSIGNED};
    const struct gk_key_reference elsewhere = {.vault_uri = "https://v.vault.azure.net",
                                               .name = "tenant-key"};
    const struct gk_key_reference here = key_of("");
    struct gk_kv_config config;
    struct gk_kv_route route;
    struct gk_error error = {0};
    (void)state;
    configure(&config, settings, sizeof settings / sizeof settings[0]);
    assert_int_equal(gk_kv_config_check(&config, NULL), GK_OK);
    assert_int_equal(gk_kv_route_find(&config, &login, &here, &route, NULL), GK_OK);
    assert_ptr_equal(route.dialect, gk_kv_dialect_transit());
    assert_string_equal(route.vault.mount, "transit");
    assert_string_equal(route.vault.resource, URI);
    assert_string_equal(route.identity->auth_mount, "approle");
    assert_int_equal(gk_kv_route_find(&config, &host, &elsewhere, &route, NULL), GK_OK);
    assert_ptr_equal(route.dialect, gk_kv_dialect_keyvault());
    assert_int_equal(gk_kv_route_find(&config, &login, &elsewhere, &route, &error), GK_E_INVALID);
    assert_non_null(strstr(error.message, "not of kind approle"));
    assert_int_equal(gk_kv_route_find(&config, &host, &here, &route, &error), GK_E_INVALID);
    assert_non_null(strstr(error.message, "managed"));
    struct gk_identity_reference vouching = login;
    snprintf(vouching.federated_client_id, sizeof vouching.federated_client_id, "application");
    assert_int_equal(gk_kv_route_find(&config, &vouching, &here, &route, &error), GK_E_INVALID);
    assert_non_null(strstr(error.message, "federatedIdentityClientId"));
}

static void test_transit__settings_that_do_not_fit(void **state)
{
    static const struct {
        const char *settings[4][2];
        const char *complaint;
    } bad[] = {
        {{{"vault.0.kind", "transit"}}, "vault.0.uri"},
        {{{"vault.0.uri", URI}, {"vault.0.kind", "transit"}, {"vault.0.resource", "r"}},
         "vault.0.resource"},
        {{{"vault.0.uri", URI}, {"vault.0.mount", "transit"}}, "vault.0"},
        {{{"identity.0.kind", "approle"}, {"identity.0.secret_id_file", "/s"}}, "identity.0.role"},
        {{{"identity.0.kind", "jwt"}, {"identity.0.role", "r"}}, "identity.0.federated_token_file"},
        {{{"identity.0.kind", "tls"}}, "identity.0.client_certificate_file"},
    };
    static const char *const mounts[] = {"",       "/transit", "transit/", "a//b",
                                         "../sys", "a b",      "a?b"};
    struct gk_kv_config config;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct gk_error error = {0};
        size_t count = 0;
        while (count < 4 && bad[i].settings[count][0] != NULL) {
            count++;
        }
        configure(&config, bad[i].settings, count);
        assert_int_equal(gk_kv_config_set(&config, "service_key_file", "/k", NULL), GK_OK);
        assert_int_equal(gk_kv_config_check(&config, &error), GK_E_INVALID);
        assert_non_null(strstr(error.message, bad[i].complaint));
    }
    for (size_t i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
        assert_int_equal(gk_kv_config_set(&config, "vault.0.mount", mounts[i], NULL), GK_E_INVALID);
        assert_int_equal(gk_kv_config_set(&config, "identity.0.auth_mount", mounts[i], NULL),
                         GK_E_INVALID);
        assert_int_equal(gk_kv_config_set(&config, "identity.0.namespace", mounts[i], NULL),
                         GK_E_INVALID);
    }
    assert_int_equal(gk_kv_config_set(&config, "vault.0.kind", "hsm", NULL), GK_E_INVALID);
}

static void test_transit__logins(void **state)
{
    char path[] = "/tmp/gatekey-test-XXXXXX";
    const int fd = mkstemp(path);
    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a-secret-\"id\\-of-mine\n", 22), 22);
    assert_int_equal(close(fd), 0);
    const struct {
        const char *kind;
        const char *file;
        const char *url;
        const char *body;
    } logins[] = {
        {"approle", "identity.0.secret_id_file", URI "/v1/auth/approle/login",
         "{\"role_id\":\"r-\\\"1\",\"secret_id\":\"a-secret-\\\"id\\\\-of-mine\"}"},
        {"jwt", "identity.0.federated_token_file", URI "/v1/auth/jwt/login",
         "{\"role\":\"r-\\\"1\",\"jwt\":\"a-secret-\\\"id\\\\-of-mine\"}"},
    };
    for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
        const char *const settings[][2] = {{"service_key_file", "/k"},
                                           {"identity.0.kind", logins[i].kind},
                                           {"identity.0.role", "r-\"1"},
                                           {"identity.0.namespace", "team"},
                                           {logins[i].file, path}};
        struct gk_kv_config config;
        struct gk_buf url;
        struct gk_buf body;
        char *header = NULL;
        configure(&config, settings, sizeof settings / sizeof settings[0]);
        assert_int_equal(gk_kv_config_check(&config, NULL), GK_OK);
        gk_buf_init(&url, GK_KV_TOKEN_URL_BYTES_MAX);
        gk_buf_init(&body, GK_KV_TOKEN_FORM_BYTES_MAX);
        const struct gk_kv_grant grant = {.identity = &config.identities[0], .resource = URI};
        gk_kv_token_url(&url, &grant);
        assert_string_equal(gk_buf_str(&url), logins[i].url);
        assert_int_equal(gk_kv_token_header(&grant, &header, NULL), GK_OK);
        assert_string_equal(header, "X-Vault-Namespace: team");
        assert_int_equal(gk_kv_token_form(&body, &grant, NULL, 0, NULL), GK_OK);
        assert_string_equal(gk_buf_str(&body), logins[i].body);
        assert_string_equal(gk_kv_token_content_type(&grant), "application/json");
        gk_secret_free(&header);
        gk_buf_cleanup(&url);
        gk_buf_cleanup(&body);
    }
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transit__requests),
        cmocka_unit_test(test_transit__keys),
        cmocka_unit_test(test_transit__ciphertexts),
        cmocka_unit_test(test_transit__a_key),
        cmocka_unit_test(test_transit__a_key_of_something_else),
        cmocka_unit_test(test_transit__values),
        cmocka_unit_test(test_transit__tokens),
        cmocka_unit_test(test_transit__what_answers_mean),
        cmocka_unit_test(test_transit__only_three_statuses_ever_revoke),
        cmocka_unit_test(test_transit__what_logins_mean),
        cmocka_unit_test(test_transit__routes),
        cmocka_unit_test(test_transit__settings_that_do_not_fit),
        cmocka_unit_test(test_transit__logins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
