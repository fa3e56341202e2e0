/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of vaults and token endpoints are taken only when they are of what was asked for. */
#include "keyprovider/response.h"

#include <stdio.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define VERSION "78deebed173b48e48f55abf87ed4cf71"
#define OTHER   "00000000000000000000000000000000"
#define KID     "https://myvault.vault.azure.net/keys/MyKey/" VERSION

static const struct gk_key_reference asked = {
    .vault_uri = "https://myvault.vault.azure.net", .name = "mykey", .version = VERSION};

static bool value_taken(const char *body, const struct gk_key_reference *key, size_t room,
                        struct gk_vault_answer *answer, uint8_t *bytes, size_t *len)
{
    struct gk_buf value;
    memset(answer, 0, sizeof *answer);
    gk_buf_init_over(&value, bytes, room);
    const bool good = gk_kv_response_value(gk_span_str(body), key, answer, &value);
    *len = value.len;
    return good;
}

static void test_vault_response__value(void **state)
{
    (void)state;
    struct gk_vault_answer answer;
    uint8_t bytes[8];
    size_t len = 0;
    assert_true(value_taken("{\"kid\":\"" KID "\",\"value\":\"AQID\",\"more\":[]}", &asked,
                            sizeof bytes, &answer, bytes, &len));
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "\1\2\3", 3);
    assert_string_equal(answer.key_id, "https://myvault.vault.azure.net/keys/mykey/" VERSION);
    struct gk_key_reference any = asked;
    any.version[0] = '\0';
    assert_true(value_taken("{\"kid\":\"https://MYVAULT.vault.azure.net:443/keys/mykey/" OTHER
                            "\",\"value\":\"AQID\"}",
                            &any, sizeof bytes, &answer, bytes, &len));
    assert_string_equal(answer.key_id, "https://myvault.vault.azure.net/keys/mykey/" OTHER);
}

static void test_vault_response__value_of_something_else(void **state)
{
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"value\":\"AQID\"}",
        "{\"kid\":\"" KID "\"}",
        "{\"kid\":\"" KID "\",\"value\":3}",
        "{\"kid\":\"" KID "\",\"value\":\"AQ==\"}",
        "{\"kid\":\"" KID "\",\"value\":\"AQ+D\"}",
        "{\"kid\":\"" KID "\",\"value\":\"AQI \"}",
        "{\"kid\":\"" KID "\",\"value\":\"AQIDBAUGBwg\"}", /* one byte too long for the room */
        "{\"kid\":\"" KID "\",\"value\":\"AQID\",\"value\":\"AQID\"}",
        "{\"kid\":\"" KID "\",\"value\":\"AQID\"}x",
        "{\"kid\":\"http://myvault.vault.azure.net/keys/mykey/" VERSION "\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://other.vault.azure.net/keys/mykey/" VERSION "\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net:444/keys/mykey/" VERSION
        "\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net@evil/keys/mykey/" VERSION
        "\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net/keys/mykey2/" VERSION "\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net/keys/mykey/" OTHER "\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net/keys/mykey/\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net/keys/mykey\",\"value\":\"AQID\"}",
        "{\"kid\":\"" KID "/\",\"value\":\"AQID\"}",
        "{\"kid\":\"" KID "?\",\"value\":\"AQID\"}",
        "{\"kid\":\"" KID "0\",\"value\":\"AQID\"}",
        "{\"kid\":\"https://myvault.vault.azure.net/secrets/mykey/" VERSION
        "\",\"value\":\"AQID\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct gk_vault_answer answer;
        uint8_t bytes[8];
        size_t len = 0;
        if (value_taken(bodies[i], &asked, sizeof bytes, &answer, bytes, &len)) {
            fail_msg("taken: %s", bodies[i]);
        }
    }
}

static bool key_taken(const char *kid, const char *kty, const char *rest, const char *attributes,
                      struct gk_vault_answer *answer)
{
    char body[1024];
    snprintf(body, sizeof body, "{\"key\":{\"kid\":\"%s\",\"kty\":\"%s\"%s},\"attributes\":%s}",
             kid, kty, rest, attributes);
    memset(answer, 0, sizeof *answer);
    return gk_kv_response_key(gk_span_str(body), &asked, answer);
}

#define OPS ",\"key_ops\":[\"encrypt\",\"wrapKey\",\"unwrapKey\"]"
#define N24 ",\"n\":\"AP8B\",\"e\":\"AQAB\"" /* 00 ff 01: sixteen bits */
#define ATTRS                                                                                      \
    "{\"enabled\":true,\"nbf\":5,\"exp\":7,\"created\":3,\"recoveryLevel\":\"Recoverable\"}"

static void test_vault_response__key(void **state)
{
    (void)state;
    struct gk_vault_answer answer;
    assert_true(key_taken(KID, "RSA", OPS N24, ATTRS, &answer));
    assert_string_equal(answer.info.key_type, "RSA");
    assert_int_equal(answer.info.modulus_bits, 16);
    assert_int_equal(answer.info.enabled, 1);
    assert_int_equal(answer.info.may_wrap, 1);
    assert_int_equal(answer.info.may_unwrap, 1);
    assert_int_equal(answer.info.not_before_wall_ms, 5000);
    assert_int_equal(answer.info.expires_wall_ms, 7000);
    assert_int_equal(answer.info.created_wall_ms, 3000);
    assert_int_equal(answer.info.soft_delete, 1);
    assert_int_equal(answer.info.purge_protected, 1);
    assert_true(
        key_taken(KID, "EC-HSM", ",\"key_ops\":[\"sign\"]", "{\"enabled\":false}", &answer));
    assert_int_equal(answer.info.enabled, 0);
    assert_int_equal(answer.info.may_wrap + answer.info.may_unwrap, 0);
    assert_int_equal(answer.info.soft_delete + answer.info.purge_protected, 0);
}

static void test_vault_response__recovery_levels(void **state)
{
    static const struct {
        const char *level;
        uint8_t soft_delete;
        uint8_t purge_protected;
    } rows[] = {
        {"Purgeable", 0, 0},
        {"Recoverable+Purgeable", 1, 0},
        {"Recoverable", 1, 1},
        {"Recoverable+ProtectedSubscription", 1, 1},
        {"CustomizedRecoverable+Purgeable", 1, 0},
        {"CustomizedRecoverable", 1, 1},
        {"CustomizedRecoverable+ProtectedSubscription", 1, 1},
        {"SomethingNew", 0, 0},
        {"", 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char attributes[128];
        struct gk_vault_answer answer;
        snprintf(attributes, sizeof attributes, "{\"enabled\":true,\"recoveryLevel\":\"%s\"}",
                 rows[i].level);
        assert_true(key_taken(KID, "RSA", OPS N24, attributes, &answer));
        assert_int_equal(answer.info.soft_delete, rows[i].soft_delete);
        assert_int_equal(answer.info.purge_protected, rows[i].purge_protected);
        assert_string_equal(answer.info.recovery_level, rows[i].level);
    }
}

static void test_vault_response__key_that_is_none(void **state)
{
    static const struct {
        const char *kid;
        const char *kty;
        const char *rest;
        const char *attributes;
    } rows[] = {
        {"https://other.vault.azure.net/keys/mykey/" VERSION, "RSA", OPS N24, ATTRS},
        {KID, "RSA", OPS, ATTRS},
        {KID, "RSA", N24, ATTRS},
        {KID, "RSA", OPS ",\"n\":\"\"", ATTRS},
        {KID, "RSA", OPS ",\"n\":\"AAAA\"", ATTRS},
        {KID, "RSA", OPS ",\"n\":\"AP8B=\"", ATTRS},
        {KID, "a type that is longer than any", OPS N24, ATTRS},
        {KID, "RSA", OPS N24, "{}"},
        {KID, "RSA", OPS N24, "{\"enabled\":\"true\"}"},
        {KID, "RSA", OPS N24, "{\"enabled\":true,\"exp\":-1}"},
        {KID, "RSA", OPS N24, "{\"enabled\":true,\"exp\":1e9}"},
        {KID, "RSA", OPS N24, "{\"enabled\":true,\"exp\":99999999999999999999}"},
        {KID, "RSA", OPS N24, "{\"enabled\":true,\"recoveryLevel\":1}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_vault_answer answer;
        if (key_taken(rows[i].kid, rows[i].kty, rows[i].rest, rows[i].attributes, &answer)) {
            fail_msg("row %zu was taken", i);
        }
    }
}

static void test_vault_response__error(void **state)
{
    (void)state;
    struct gk_vault_answer answer;
    memset(&answer, 0, sizeof answer);
    assert_true(gk_kv_response_error(
        gk_span_str("{\"error\":{\"code\":\"Forbidden\",\"message\":\"Not\\r\\nallowed.\","
                    "\"innererror\":{\"code\":\"KeyDisabled\"}}}"),
        &answer));
    assert_string_equal(answer.code, "Forbidden/KeyDisabled");
    assert_string_equal(answer.message, "Not  allowed.");
    assert_true(gk_kv_response_error(
        gk_span_str("{\"error\":{\"code\":\"KeyNotFound\",\"message\":\"\"}}"), &answer));
    assert_string_equal(answer.code, "KeyNotFound");
    /* A Managed HSM's */
    assert_true(gk_kv_response_error(
        gk_span_str("{\"error\":{\"code\":\"Forbidden\",\"message\":\"no (Activity ID: 85fa)\","
                    "\"innererror\":null}}"),
        &answer));
    assert_string_equal(answer.code, "Forbidden");
    assert_string_equal(answer.message, "no (Activity ID: 85fa)");
}

static void test_vault_response__error_of_another(void **state)
{
    static const char *const bodies[] = {
        "",
        "<html>403 Forbidden</html>",
        "{\"error\":\"Forbidden\"}",
        "{\"code\":\"Forbidden\",\"message\":\"\"}",
        "{\"error\":{\"code\":\"\",\"message\":\"\"}}",
        "{\"error\":{\"code\":403,\"message\":\"\"}}",
        "{\"error\":{\"code\":\"Forbidden\"}}",
        "{\"error\":{\"code\":\"Forbidden\",\"message\":null}}",
        "{\"error\":[{\"code\":\"Forbidden\",\"message\":\"\"}]}",
        "{\"error\":{\"code\":\"Forbidden\",\"message\":\"\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct gk_vault_answer answer;
        memset(&answer, 0, sizeof answer);
        assert_false(gk_kv_response_error(gk_span_str(bodies[i]), &answer));
        assert_string_equal(answer.code, "");
    }
}

static void test_vault_response__token(void **state)
{
    (void)state;
    struct gk_kv_token_response token;
    assert_true(gk_kv_response_token(
        gk_span_str("{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a.b-c_\"}"),
        &token));
    assert_int_equal(token.expires_in_s, 3599);
    assert_int_equal(token.access_token.len, 6);
    assert_true(
        gk_kv_response_token(gk_span_str("{\"token_type\":\"bearer\",\"expires_on\":\"1506484173\","
                                         "\"access_token\":\"x\",\"refresh_token\":\"\"}"),
                             &token));
    assert_int_equal(token.expires_on_s, 1506484173);
}

static void test_vault_response__token_that_is_none(void **state)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "{\"token_type\":\"Bearer\",\"access_token\":\"x\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a b\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":3599,\"access_token\":\"a\\r\\nX: y\"}",
        "{\"token_type\":\"pop\",\"expires_in\":3599,\"access_token\":\"x\"}",
        "{\"expires_in\":3599,\"access_token\":\"x\"}",
        "{\"token_type\":\"Bearer\",\"expires_in\":-1,\"access_token\":\"x\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct gk_kv_token_response token;
        if (gk_kv_response_token(gk_span_str(bodies[i]), &token)) {
            fail_msg("taken: %s", bodies[i]);
        }
        assert_int_equal(token.access_token.len, 0);
    }
}

static void test_vault_response__oauth_error(void **state)
{
    (void)state;
    char code[16];
    char message[16];
    assert_true(gk_kv_response_oauth_error(
        gk_span_str("{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: no\"}"),
        code, sizeof code, message, sizeof message));
    assert_string_equal(code, "invalid_client");
    assert_string_equal(message, "AADSTS7000215: "); /* cut to fit */
    assert_false(gk_kv_response_oauth_error(gk_span_str("{\"error\":{\"code\":\"x\"}}"), code,
                                            sizeof code, message, sizeof message));
    assert_false(gk_kv_response_oauth_error(gk_span_str("<html>"), code, sizeof code, message,
                                            sizeof message));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vault_response__value),
        cmocka_unit_test(test_vault_response__value_of_something_else),
        cmocka_unit_test(test_vault_response__key),
        cmocka_unit_test(test_vault_response__recovery_levels),
        cmocka_unit_test(test_vault_response__key_that_is_none),
        cmocka_unit_test(test_vault_response__error),
        cmocka_unit_test(test_vault_response__error_of_another),
        cmocka_unit_test(test_vault_response__token),
        cmocka_unit_test(test_vault_response__token_that_is_none),
        cmocka_unit_test(test_vault_response__oauth_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
