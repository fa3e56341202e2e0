/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: keyvaultd's configuration is read whole or refused with the line and the setting. */
#include "keyvaultd/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/cmocka_all.h"

#define BASE                                                                                       \
    "listen = { address = \"127.0.0.1\"; port = 0; certificate_file = \"/c\"; key_file = \"/k\"; " \
    "};\n"                                                                                         \
    "state_dir = \"/s\";\ntenant_id = \"t\";\n"

static enum gk_status read_text(const char *text, struct kv_config *config, struct gk_error *error)
{
    char path[] = "/tmp/gatekey-config-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    const enum gk_status status = kv_config_read(path, config, error);
    unlink(path);
    return status;
}

static void test_vault_config__has_defaults(void **state)
{
    (void)state;
    struct kv_config config;
    struct gk_error error = {0};
    assert_int_equal(read_text(BASE, &config, &error), GK_OK);
    assert_string_equal(config.host, "localhost");
    assert_string_equal(config.resource, "https://vault.azure.net");
    assert_true(config.purge_protection);
    assert_int_equal(config.recoverable_days, 90);
    assert_int_equal(config.token_lifetime_s, 3600);
    assert_false(config.imds_given);
    assert_false(config.control_enabled);
    assert_int_equal(config.identities_count, 0);
    kv_config_cleanup(&config);
}

static void test_vault_config__reads_a_managed_hsm(void **state)
{
    (void)state;
    struct kv_config config;
    struct gk_error error = {0};
    assert_int_equal(read_text(BASE "kind = \"managed-hsm\";\nhsm = { module = \"/m\"; token_label "
                                    "= \"l\"; pin_file = \"/p\"; };\n",
                               &config, &error),
                     GK_OK);
    assert_true(config.managed_hsm);
    assert_string_equal(config.hsm.module, "/m");
    assert_string_equal(config.hsm.token_label, "l");
    assert_string_equal(config.hsm.pin_file, "/p");
    assert_string_equal(config.resource, "https://managedhsm.azure.net");
    kv_config_cleanup(&config);
}

static void test_vault_config__reads_identities(void **state)
{
    (void)state;
    struct kv_config config;
    struct gk_error error = {0};
    assert_int_equal(
        read_text(BASE "imds = { };\nidentities = ( { name = \"a\"; client_id = \"1\"; "
                       "permissions = [ \"get\", \"unwrapKey\" ]; }, { name = \"b\"; client_id = "
                       "\"2\"; system_assigned = true; administer = true; } );\n",
                  &config, &error),
        GK_OK);
    assert_true(config.imds_given);
    assert_int_equal(config.identities_count, 2);
    assert_int_equal(config.identities[0].permissions, KV_MAY_GET | KV_MAY_UNWRAP);
    assert_int_equal(config.identities[1].permissions, KV_MAY_ALL);
    assert_string_equal(config.identities[1].tenant_id, "t");
    kv_config_cleanup(&config);
}

static void test_vault_config__reads_tenants(void **state)
{
    (void)state;
    struct kv_config config;
    struct gk_error error = {0};
    assert_int_equal(
        read_text(BASE "tenants = [ \"u\" ];\nauthority = \"https://a:1\";\n"
                       "token_secret_file = \"/f\";\nidentities = ( { name = \"a\"; client_id = "
                       "\"1\"; tenant_id = \"u\"; installed_in = [ \"t\" ]; } );\n",
                  &config, &error),
        GK_OK);
    assert_true(kv_config_serves_tenant(&config, "T"));
    assert_true(kv_config_serves_tenant(&config, "u"));
    assert_false(kv_config_serves_tenant(&config, "v"));
    assert_string_equal(config.authority, "https://a:1");
    assert_string_equal(config.identities[0].tenant_id, "u");
    assert_int_equal(config.identities[0].installed_in_count, 1);
    assert_string_equal(config.identities[0].installed_in[0], "t");
    kv_config_cleanup(&config);
}

static void test_vault_config__names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *word;
    } cases[] = {
        {"state_dir = \"/s\"; tenant_id = \"t\";", "listen"},
        {BASE "stat_dir = \"/s\";", "stat_dir"},
        {BASE "host = \"a b\";", "host"},
        {BASE "resource = 5;", "resource"},
        {BASE "token_lifetime_s = 0;", "token_lifetime_s"},
        {BASE "recoverable_days = 3;", "recoverable_days"},
        {BASE "recoverable_days = 0;", "purge_protection"},
        {BASE "purge_protection = 1;", "purge_protection"},
        {BASE "control = { enabled = true; };", "token_file"},
        {BASE "control = { enabled = true; token_file = \"relative\"; };", "token_file"},
        {BASE "identities = ( 1 );", "identities"},
        {BASE "identities = ( { name = \"a\"; } );", "client_id"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; permissions = [ \"fly\" ]; } );",
         "permissions"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; }, { name = \"a\"; client_id = "
              "\"2\"; } );",
         "another"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; system_assigned = true; }, { "
              "name = \"b\"; client_id = \"2\"; system_assigned = true; } );",
         "system-assigned"},
        {BASE "kind = \"safe\";", "kind"},
        {BASE "kind = \"managed-hsm\";", "hsm"},
        {BASE "kind = \"managed-hsm\"; hsm = { module = \"/m\"; pin_file = \"/p\"; };",
         "token_label"},
        {BASE "hsm = { module = \"/m\"; token_label = \"l\"; pin_file = \"/p\"; };", "managed-hsm"},
        {BASE "tenants = [ \"a b\" ];", "tenants"},
        {BASE "authority = \"https://a\";", "token_secret_file"},
        {BASE "authority = \"http://a\"; token_secret_file = \"/f\";", "authority"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; tenant_id = \"u\"; } );",
         "tenant_id"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; installed_in = [ \"u\" ]; } );",
         "installed_in"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; resource_id = \"/r\"; "
              "installed_in = [ \"t\" ]; } );",
         "managed identities"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; federated = { identity = \"b\"; "
              "}; } );",
         "b: is no user-assigned"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; federated = { identity = \"b\"; "
              "}; }, { name = \"b\"; client_id = \"2\"; system_assigned = true; } );",
         "b: is no user-assigned"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; federated = { identity = \"b\"; "
              "issuer = \"https://a\"; }; } );",
         "identity: excludes"},
        {BASE "identities = ( { name = \"a\"; client_id = \"1\"; federated = { issuer = "
              "\"https://a\"; }; } );",
         "subject"},
        {BASE "x = ", "syntax"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kv_config config;
        struct gk_error error = {0};
        assert_int_equal(read_text(cases[i].text, &config, &error), GK_E_INVALID);
        if (strstr(error.message, cases[i].word) == NULL) {
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, error.message, cases[i].word);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vault_config__has_defaults),
        cmocka_unit_test(test_vault_config__reads_a_managed_hsm),
        cmocka_unit_test(test_vault_config__reads_identities),
        cmocka_unit_test(test_vault_config__reads_tenants),
        cmocka_unit_test(test_vault_config__names_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
