/* SPDX-License-Identifier: Apache-2.0 */
/* Which settings are taken, and which vaults may be asked as whom. */
#include "keyprovider/dialect.h"

#include <stdio.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define PIN "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const struct {
    const char *key;
    const char *value;
    enum gk_status status;
} settings[] = {
    {"service_key_file", "/etc/gatekey/service.key", GK_OK},
    {"service_key_file", "service.key", GK_E_INVALID},
    {"request_timeout_ms", "100", GK_OK},
    {"request_timeout_ms", "99", GK_E_INVALID},
    {"request_timeout_ms", "60001", GK_E_INVALID},
    {"request_timeout_ms", "1s", GK_E_INVALID},
    {"gateways", "1", GK_OK},
    {"gateways", "100", GK_OK},
    {"gateways", "0", GK_E_INVALID},
    {"gateways", "101", GK_E_INVALID},
    {"ca_file", "", GK_E_INVALID},
    {"identity.0.kind", "client-secret", GK_OK},
    {"identity.31.kind", "managed", GK_OK},
    {"identity.32.kind", "managed", GK_E_NOT_FOUND},
    {"identity.x.kind", "managed", GK_E_NOT_FOUND},
    {"identity..kind", "managed", GK_E_NOT_FOUND},
    {"identity.0", "managed", GK_E_NOT_FOUND},
    {"identity.0.", "managed", GK_E_NOT_FOUND},
    {"identity.0.secret", "x", GK_E_NOT_FOUND},
    {"identity.0.kind", "arc", GK_OK},
    {"identity.0.kind", "app-service", GK_OK},
    {"identity.0.kind", "workload", GK_OK},
    {"identity.0.kind", "client-certificate", GK_OK},
    {"identity.0.client_certificate_file", "a.pem", GK_E_INVALID},
    {"identity.0.federated_token_file", "token", GK_E_INVALID},
    {"identity.0.kind", "certificate", GK_E_INVALID},
    {"identity.0.kind", "", GK_E_INVALID},
    {"identity.0.challenge_directory", "/run/arc", GK_OK},
    {"identity.0.challenge_directory", "arc", GK_E_INVALID},
    {"identity.0.identity_header_file", "/run/header", GK_OK},
    {"identity.0.client_id", "a b", GK_E_INVALID},
    {"identity.0.client_id", "a\r\nb", GK_E_INVALID},
    {"identity.0.tenant_id", "contoso.com", GK_OK},
    {"identity.0.tenant_id", "../common", GK_E_INVALID},
    {"identity.0.tenant_id", "a/b", GK_E_INVALID},
    {"identity.0.authority", "https://login.microsoftonline.us/", GK_OK},
    {"identity.0.authority", "http://127.0.0.1", GK_E_INVALID},
    {"identity.0.authority", "https://login.microsoftonline.us/tenant", GK_E_INVALID},
    {"identity.0.endpoint", "http://169.254.169.254", GK_OK},
    {"identity.0.endpoint", "http://127.0.0.1:40342", GK_OK},
    {"identity.0.endpoint", "http://[::1]:40342", GK_OK},
    {"identity.0.endpoint", "https://metadata.example", GK_OK},
    {"identity.0.endpoint", "http://127.0.0.1:4141/msi/token", GK_OK},
    {"identity.0.endpoint", "http://127.0.0.1/msi/token?a=b", GK_E_INVALID},
    {"identity.0.endpoint", "http://127.0.0.1/msi/token#a", GK_E_INVALID},
    {"identity.0.endpoint", "http://10.0.0.1", GK_E_INVALID},
    {"identity.0.endpoint", "http://127.0.0.1.evil.example", GK_E_INVALID},
    {"identity.0.endpoint", "http://169.254.169.254@evil.example", GK_E_INVALID},
    {"vault.0.uri", "https://vault.example:8443", GK_OK},
    {"vault.0.uri", "http://127.0.0.1:8443", GK_E_INVALID},
    {"vault.0.uri", "https://vault.example:0", GK_E_INVALID},
    {"vault.0.uri", "https://vault.example:65536", GK_E_INVALID},
    {"proxy", "http://proxy.example:3128", GK_OK},
    {"proxy", "http://[::1]:3128", GK_OK},
    {"proxy", "http://proxy.example", GK_E_INVALID},
    {"proxy", "http://[::1]", GK_E_INVALID},
    {"proxy", "https://proxy.example:3128", GK_E_INVALID},
    {"proxy", "http://user:password@proxy.example:3128", GK_E_INVALID},
    {"proxy", "socks5://proxy.example:1080", GK_E_INVALID},
    {"proxy", "http://proxy.example:3128/", GK_E_INVALID},
    {"proxy", "", GK_E_INVALID},
    {"vault.0.wrap_algorithm", "RSA-OAEP-256", GK_OK},
    {"vault.0.wrap_algorithm", "RSA-OAEP", GK_OK},
    {"vault.0.wrap_algorithm", "RSA1_5", GK_E_INVALID},
    {"vault.0.wrap_algorithm", "", GK_E_INVALID},
    {"vault.0.public_key_pins", PIN, GK_OK},
    {"vault.0.public_key_pins", PIN ";" PIN ";" PIN ";" PIN, GK_OK},
    {"vault.0.public_key_pins", PIN ";" PIN ";" PIN ";" PIN ";" PIN, GK_E_INVALID},
    {"vault.0.public_key_pins", PIN ";", GK_E_INVALID},
    {"vault.0.public_key_pins", "sha256//AAECAw==", GK_E_INVALID},
    {"vault.0.public_key_pins", "/etc/gatekey/pin.pem", GK_E_INVALID},
    {"vault.0.public_key_pins", "", GK_E_INVALID},
    {"vault.0.authority", "https://login.example", GK_OK},
    {"vault.0.authority", "https://login.example/tenant", GK_E_INVALID},
    {"vault.0.authority", "http://login.example", GK_E_INVALID},
    {"vault.0.name", "x", GK_E_NOT_FOUND},
    {"nothing", "x", GK_E_NOT_FOUND},
};

static void test_provider_config__settings(void **state)
{
    (void)state;
    struct gk_kv_config config;
    gk_kv_config_init(&config);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct gk_error error = {0};
        const enum gk_status status =
            gk_kv_config_set(&config, settings[i].key, settings[i].value, &error);
        if (status != settings[i].status ||
            (status != GK_OK && strstr(error.message, settings[i].key) == NULL)) {
            fail_msg("%s = %s: %d %s", settings[i].key, settings[i].value, status, error.message);
        }
    }
}

static void set(struct gk_kv_config *config, const char *key, const char *value)
{
    assert_int_equal(gk_kv_config_set(config, key, value, NULL), GK_OK);
}

static void test_provider_config__what_belongs_together(void **state)
{
    static const struct {
        const char *keys[4][2];
        const char *complaint;
    } rows[] = {
        {{{"service_key_file", "/k"}}, NULL},
        {{{"request_timeout_ms", "500"}}, "service_key_file"},
        {{{"service_key_file", "/k"}, {"identity.2.client_id", "c"}}, "identity.2.kind"},
        {{{"service_key_file", "/k"}, {"identity.0.kind", "client-secret"}},
         "identity.0.client_id"},
        {{{"service_key_file", "/k"}, {"identity.0.kind", "managed"}}, NULL},
        {{{"service_key_file", "/k"}, {"identity.0.kind", "arc"}}, NULL},
        {{{"service_key_file", "/k"}, {"identity.0.kind", "app-service"}}, "identity.0.endpoint"},
        {{{"service_key_file", "/k"},
          {"identity.0.kind", "app-service"},
          {"identity.0.endpoint", "http://127.0.0.1/msi/token"}},
         "identity.0.identity_header_file"},
        {{{"service_key_file", "/k"},
          {"identity.0.kind", "managed"},
          {"identity.1.kind", "managed"}},
         "identity.1.resource_id"},
        {{{"service_key_file", "/k"}, {"vault.0.resource", "r"}}, "vault.0.uri"},
        {{{"service_key_file", "/k"}, {"vault.0.authority", "https://a.example"}}, "vault.0.uri"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_kv_config config;
        struct gk_error error = {0};
        gk_kv_config_init(&config);
        for (size_t j = 0; j < 4 && rows[i].keys[j][0] != NULL; j++) {
            set(&config, rows[i].keys[j][0], rows[i].keys[j][1]);
        }
        const enum gk_status status = gk_kv_config_check(&config, &error);
        assert_int_equal(status, rows[i].complaint == NULL ? GK_OK : GK_E_INVALID);
        assert_true(rows[i].complaint == NULL || strstr(error.message, rows[i].complaint) != NULL);
    }
}

static void configure(struct gk_kv_config *config)
{
    gk_kv_config_init(config);
    set(config, "service_key_file", "/k");
    set(config, "identity.0.kind", "managed");
    set(config, "identity.3.kind", "managed");
    set(config, "identity.3.resource_id", "/subscriptions/S/identity");
    set(config, "vault.0.uri", "https://Localhost:8443");
    set(config, "vault.1.uri", "https://vault.example");
    set(config, "vault.1.resource", "https://audience.example");
    set(config, "vault.1.authority", "https://login.example/");
    assert_int_equal(gk_kv_config_check(config, NULL), GK_OK);
}

static const struct {
    const char *uri;
    const char *resource; /* NULL: refused */
    const char *authority;
} vaults[] = {
    {"https://myvault.vault.azure.net", "https://vault.azure.net",
     "https://login.microsoftonline.com"},
    {"https://MyVault.Vault.Azure.Net:443", "https://vault.azure.net",
     "https://login.microsoftonline.com"},
    {"https://myhsm.managedhsm.azure.net", "https://managedhsm.azure.net",
     "https://login.microsoftonline.com"},
    {"https://v.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net",
     "https://login.microsoftonline.us"},
    {"https://localhost:8443", "https://vault.azure.net", "https://login.microsoftonline.com"},
    {"https://vault.example:443", "https://audience.example", "https://login.example"},
    {"https://localhost", NULL, NULL},
    {"https://vault.example:8443", NULL, NULL},
    {"https://vault.azure.net", NULL, NULL},
    {"https://.vault.azure.net", NULL, NULL},
    {"https://a.b.vault.azure.net", NULL, NULL},
    {"https://myvault.vault.azure.net:8443", NULL, NULL},
    {"https://myvault.vault.azure.net.evil.example", NULL, NULL},
    {"https://evil.example", NULL, NULL},
    {"http://myvault.vault.azure.net", NULL, NULL},
    {"https://myvault.vault.azure.net/", NULL, NULL},
    {"https://myvault.vault.azure.net/keys", NULL, NULL},
    {"https://myvault.vault.azure.net?a=b", NULL, NULL},
    {"https://myvault.vault.azure.net#a", NULL, NULL},
    {"https://user@myvault.vault.azure.net", NULL, NULL},
    {"https://evil.example\\@myvault.vault.azure.net", NULL, NULL},
    {"https://evil.example%00.vault.azure.net", NULL, NULL},
    {"myvault.vault.azure.net", NULL, NULL},
    {"", NULL, NULL},
};

static void test_provider_config__vaults(void **state)
{
    (void)state;
    struct gk_kv_config config;
    configure(&config);
    for (size_t i = 0; i < sizeof vaults / sizeof vaults[0]; i++) {
        struct gk_error error = {0};
        struct gk_kv_vault vault;
        const bool found = gk_kv_config_vault(&config, vaults[i].uri, &vault, &error) == GK_OK;
        const char *resource = found ? vault.resource : NULL;
        if ((resource == NULL) != (vaults[i].resource == NULL) ||
            (resource != NULL && (strcmp(resource, vaults[i].resource) != 0 ||
                                  strcmp(vault.authority, vaults[i].authority) != 0)) ||
            (resource == NULL && error.message[0] == '\0')) {
            fail_msg("%s: %s", vaults[i].uri, resource == NULL ? "refused" : resource);
        }
    }
}

/* By origin, whatever is asked there: the token of a login goes to its vault too. */
static void test_provider_config__pins(void **state)
{
    (void)state;
    struct gk_kv_config config;
    configure(&config);
    set(&config, "vault.1.public_key_pins", PIN);
    assert_string_equal(gk_kv_config_pins(&config, "https://vault.example/keys/k?api-version=7.4"),
                        PIN);
    assert_string_equal(gk_kv_config_pins(&config, "https://VAULT.example:443/"), PIN);
    assert_string_equal(gk_kv_config_pins(&config, "https://vault.example:8443/"), "");
    assert_string_equal(gk_kv_config_pins(&config, "https://localhost:8443/keys"), "");
    assert_string_equal(gk_kv_config_pins(&config, "https://login.microsoftonline.com/t"), "");
}

static void test_provider_config__identities(void **state)
{
    (void)state;
    struct gk_kv_config config;
    struct gk_identity_reference reference = {.kind = GK_IDENTITY_SYSTEM_ASSIGNED};
    struct gk_error error = {0};
    configure(&config);
    assert_ptr_equal(gk_kv_config_identity(&config, &reference, &error), &config.identities[0]);
    reference.kind = GK_IDENTITY_USER_ASSIGNED;
    assert_null(gk_kv_config_identity(&config, &reference, &error));
    snprintf(reference.resource_id, sizeof reference.resource_id, "/SUBSCRIPTIONS/s/Identity");
    assert_ptr_equal(gk_kv_config_identity(&config, &reference, &error), &config.identities[3]);

    /* An application is vouched for by a managed identity, and not by one with an authority. */
    snprintf(reference.federated_client_id, sizeof reference.federated_client_id, "app");
    assert_ptr_equal(gk_kv_config_identity(&config, &reference, &error), &config.identities[3]);
    config.identities[3].source = GK_KV_SOURCE_CLIENT_SECRET;
    assert_null(gk_kv_config_identity(&config, &reference, &error));
    assert_int_equal(error.status, GK_E_INVALID);
    assert_non_null(strstr(error.message, "client-secret"));
    reference.kind = GK_IDENTITY_SYSTEM_ASSIGNED;
    assert_null(gk_kv_config_identity(&config, &reference, &error));
    assert_non_null(strstr(error.message, "system-assigned"));
    reference.kind = GK_IDENTITY_USER_ASSIGNED;
    reference.federated_client_id[0] = '\0';
    snprintf(reference.resource_id, sizeof reference.resource_id, "/other");
    assert_null(gk_kv_config_identity(&config, &reference, &error));
    assert_int_equal(error.status, GK_E_INVALID);
    assert_non_null(strstr(error.message, "/other"));
}

static void test_provider_config__key_names(void **state)
{
    static const struct {
        const char *name;
        const char *version;
        enum gk_status status;
    } rows[] = {
        {"my-Key-1", "", GK_OK},
        {"k", "78deebed173b48e48f55abf87ed4cf71", GK_OK},
        {"", "", GK_E_INVALID},
        {"my_key", "", GK_E_INVALID},
        {"../secrets", "", GK_E_INVALID},
        {"k?x", "", GK_E_INVALID},
        {"k", "78deebed173b48e48f55abf87ed4cf7", GK_E_INVALID},
        {"k", "78deebed173b48e48f55abf87ed4cf7/", GK_E_INVALID},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct gk_kv_dialect *dialect = gk_kv_dialect_keyvault();
        struct gk_key_reference key = {.vault_uri = "https://v.vault.azure.net"};
        snprintf(key.name, sizeof key.name, "%s", rows[i].name);
        snprintf(key.version, sizeof key.version, "%s", rows[i].version);
        assert_int_equal(dialect->check_key(&key, NULL), rows[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_provider_config__settings),
        cmocka_unit_test(test_provider_config__what_belongs_together),
        cmocka_unit_test(test_provider_config__vaults),
        cmocka_unit_test(test_provider_config__pins),
        cmocka_unit_test(test_provider_config__identities),
        cmocka_unit_test(test_provider_config__key_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
