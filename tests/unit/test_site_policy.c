/* SPDX-License-Identifier: Apache-2.0 */
/* Each rule of the operator's policy: what keeps it, what breaks it, and what cannot be known. */
#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#include "gateway/site_policy.h"

#define DAY_MS INT64_C(86400000)
#define NOW_MS (1000 * DAY_MS)

static const struct gk_site_policy policy = {
    .vaults = {"https://one.test", "https://two.test:8443"},
    .vaults_count = 2,
    .minimum_key_bits = 3072,
    .maximum_key_age_days = 30};

/* What is good by every rule; a row changes it. */
struct subject {
    const char *name;
    struct gk_encryption_settings settings;
    struct gk_key_info key;
};

static struct subject good(void)
{
    struct subject subject = {
        .name = "account",
        .settings = {.source = GK_KEY_SOURCE_CUSTOMER,
                     .queue_account_key = 1,
                     .table_account_key = 1},
        .key = {.key_type = "RSA-HSM",
                .modulus_bits = 3072,
                .soft_delete = 1,
                .purge_protected = 1,
                .created_wall_ms = NOW_MS - 30 * DAY_MS},
    };
    snprintf(subject.settings.key.vault_uri, sizeof subject.settings.key.vault_uri,
             "https://TWO.test:8443");
    return subject;
}

static enum gk_policy_finding judge(const struct subject *subject, enum gk_policy_rule rule)
{
    const struct gk_policy_subject what = {.name = subject->name,
                                           .settings = &subject->settings,
                                           .key = &subject->key,
                                           .now_wall_ms = NOW_MS};
    return gk_policy_judge(&policy, rule, &what);
}

/* That rule finds so, and all others find nothing. */
static void assert_found(const struct subject *subject, enum gk_policy_rule rule,
                         enum gk_policy_finding finding)
{
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        assert_int_equal(judge(subject, (enum gk_policy_rule)i),
                         i == (int)rule ? finding : GK_POLICY_KEPT);
    }
}

static void test_site_policy__what_is_good_keeps_every_rule(void **state)
{
    (void)state;
    struct subject subject = good();
    assert_found(&subject, GK_RULES_COUNT, GK_POLICY_KEPT);
    subject.key.created_wall_ms = 1;
    subject.key.not_before_wall_ms = NOW_MS - DAY_MS; /* active since then, not since it was made */
    assert_found(&subject, GK_RULES_COUNT, GK_POLICY_KEPT);
}

static void test_site_policy__each_rule_is_broken(void **state)
{
    (void)state;
    struct subject subject = good();
    subject.settings.queue_account_key = 0;
    assert_found(&subject, GK_RULE_QUEUE_CUSTOMER_KEYS, GK_POLICY_BROKEN);
    subject = good();
    subject.settings.table_account_key = 0;
    assert_found(&subject, GK_RULE_TABLE_CUSTOMER_KEYS, GK_POLICY_BROKEN);
    subject = good();
    snprintf(subject.settings.key.vault_uri, sizeof subject.settings.key.vault_uri,
             "https://one.test.evil");
    assert_found(&subject, GK_RULE_VAULTS, GK_POLICY_BROKEN);
    subject = good();
    subject.key.modulus_bits = 3071;
    assert_found(&subject, GK_RULE_KEY_SIZE, GK_POLICY_BROKEN);
    subject = good();
    subject.key.modulus_bits = 0;
    snprintf(subject.key.key_type, sizeof subject.key.key_type, GK_KEY_TYPE_AES256_GCM96);
    assert_found(&subject, GK_RULE_HSM_KEYS, GK_POLICY_BROKEN);
    subject = good();
    subject.key.created_wall_ms--;
    assert_found(&subject, GK_RULE_KEY_AGE, GK_POLICY_BROKEN);
    subject = good();
    snprintf(subject.key.key_type, sizeof subject.key.key_type, "RSA");
    assert_found(&subject, GK_RULE_HSM_KEYS, GK_POLICY_BROKEN);
    subject = good();
    subject.key.purge_protected = 0;
    assert_found(&subject, GK_RULE_PURGE_PROTECTION, GK_POLICY_BROKEN);
}

static void test_site_policy__the_service_key_breaks_one_rule_alone(void **state)
{
    (void)state;
    struct subject subject = {.name = "account"};
    assert_found(&subject, GK_RULE_CUSTOMER_KEYS, GK_POLICY_BROKEN);
    subject.name = "account/scope";
    assert_found(&subject, GK_RULE_SCOPE_CUSTOMER_KEYS, GK_POLICY_BROKEN);
    subject = good();
    subject.name = "account/scope"; /* queues and tables are the account's matter */
    subject.settings.queue_account_key = 0;
    subject.settings.table_account_key = 0;
    assert_found(&subject, GK_RULES_COUNT, GK_POLICY_KEPT);
}

static void test_site_policy__what_was_not_told_is_unknown(void **state)
{
    (void)state;
    struct subject subject = good();
    subject.key = (struct gk_key_info){0};
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        const bool by_key = i == GK_RULE_KEY_SIZE || i == GK_RULE_KEY_AGE ||
                            i == GK_RULE_HSM_KEYS || i == GK_RULE_PURGE_PROTECTION;
        assert_int_equal(judge(&subject, (enum gk_policy_rule)i),
                         by_key ? GK_POLICY_UNKNOWN : GK_POLICY_KEPT);
    }
}

static void test_site_policy__a_refusal_names_rule_and_remedy(void **state)
{
    (void)state;
    for (int i = 0; i < GK_RULES_COUNT; i++) {
        const enum gk_policy_rule rule = (enum gk_policy_rule)i;
        const struct gk_policy_text *text = gk_policy_text(rule);
        struct gk_error error = {0};
        assert_int_equal(gk_policy_refuse(rule, "account", &error), GK_E_INVALID);
        assert_int_equal(error.http_status, 403);
        assert_string_equal(error.code, "RequestDisallowedByPolicy");
        assert_non_null(strstr(error.message, text->name));
        assert_non_null(strstr(error.message, text->setting));
        assert_non_null(strstr(error.message, text->remedy));
    }
}

static void test_site_policy__a_managed_hsm_has_a_policy_of_its_own(void **state)
{
    static const struct {
        const char *vault_uri;
        const char *id;
    } rows[] = {
        {"https://contoso.vault.azure.net", "0b60c0b2-2dc2-4e1c-b5c9-abbed971de53"},
        {"https://managedhsm.vault.azure.net", "0b60c0b2-2dc2-4e1c-b5c9-abbed971de53"},
        {"https://contoso.managedhsm.azure.net", "c39ba22d-4428-4149-b981-70acb31fc383"},
        {"https://Contoso.ManagedHSM.usgovcloudapi.net", "c39ba22d-4428-4149-b981-70acb31fc383"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct subject subject = good();
        snprintf(subject.settings.key.vault_uri, sizeof subject.settings.key.vault_uri, "%s",
                 rows[i].vault_uri);
        const struct gk_policy_subject of = {.name = "account", .settings = &subject.settings};
        for (int j = 0; j < GK_RULES_COUNT; j++) {
            const enum gk_policy_rule rule = (enum gk_policy_rule)j;
            const struct gk_policy_text *text = gk_policy_text_for(rule, &of);
            assert_string_equal(text->setting, gk_policy_text(rule)->setting);
            assert_string_equal(
                text->id, rule == GK_RULE_PURGE_PROTECTION ? rows[i].id : gk_policy_text(rule)->id);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_site_policy__what_is_good_keeps_every_rule),
        cmocka_unit_test(test_site_policy__each_rule_is_broken),
        cmocka_unit_test(test_site_policy__the_service_key_breaks_one_rule_alone),
        cmocka_unit_test(test_site_policy__what_was_not_told_is_unknown),
        cmocka_unit_test(test_site_policy__a_refusal_names_rule_and_remedy),
        cmocka_unit_test(test_site_policy__a_managed_hsm_has_a_policy_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
