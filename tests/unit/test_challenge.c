/* SPDX-License-Identifier: Apache-2.0 */
/* A challenge counts only when it is of the resource and the authority that are configured. */
#include "keyprovider/challenge.h"

#include <stdio.h>

#include <string.h>

#include "unit/cmocka_all.h"

#define RESOURCE  "https://vault.azure.net"
#define AUTHORITY "https://login.microsoftonline.com"

static const struct {
    const char *header;
    bool parses;
    bool agrees;         /* with the authority above */
    bool agrees_managed; /* with none */
} rows[] = {
    {"Bearer authorization=\"" AUTHORITY "/tenant\", resource=\"" RESOURCE "\"", true, true, true},
    {"bearer authorization_uri=" AUTHORITY "/t,resource=" RESOURCE, true, true, true},
    {"Bearer authorization=\"" AUTHORITY "/t\" scope=\"" RESOURCE "/.default\"", true, true, true},
    {"Bearer realm=\"\", authorization=\"https://LOGIN.microsoftonline.com:443\", "
     "resource=\"" RESOURCE "\"",
     true, true, true},
    {"Bearer authorization=\"https://login.evil.example/t\", resource=\"" RESOURCE "\"", true,
     false, true},
    {"Bearer authorization=\"http://login.microsoftonline.com/t\", resource=\"" RESOURCE "\"", true,
     false, false},
    {"Bearer authorization=\"" AUTHORITY "@evil.example/t\", resource=\"" RESOURCE "\"", true,
     false, false},
    {"Bearer authorization=\"" AUTHORITY ".evil.example/t\", resource=\"" RESOURCE "\"", true,
     false, true},
    {"Bearer authorization=\"" AUTHORITY "/t\", resource=\"https://vault.azure.net/\"", true, false,
     false},
    {"Bearer authorization=\"" AUTHORITY "/t\", resource=\"https://evil.example\"", true, false,
     false},
    {"Bearer authorization=\"" AUTHORITY "/t\"", false, false, false},
    {"Bearer resource=\"" RESOURCE "\"", false, false, false},
    {"Bearer authorization=\"" AUTHORITY "/t\", resource=\"" RESOURCE
     "\", resource=\"https://evil.example\"",
     false, false, false},
    {"Bearer authorization=\"" AUTHORITY "/t, resource=" RESOURCE, false, false, false},
    {"Basic realm=\"x\"", false, false, false},
    {"Bearer", false, false, false},
    {"Bearer ", false, false, false},
    {"", false, false, false},
};

static void test_challenge__table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct gk_kv_challenge challenge;
        const bool parses = gk_kv_challenge_parse(rows[i].header, &challenge);
        if (parses != rows[i].parses) {
            fail_msg("parsed %d: %s", parses, rows[i].header);
        }
        if (parses &&
            (gk_kv_challenge_agrees(&challenge, RESOURCE, AUTHORITY) != rows[i].agrees ||
             gk_kv_challenge_agrees(&challenge, RESOURCE, NULL) != rows[i].agrees_managed)) {
            fail_msg("judged wrongly: %s", rows[i].header);
        }
    }
}

static void test_challenge__too_long(void **state)
{
    (void)state;
    char header[600] = "Bearer resource=\"" RESOURCE "\", authorization=\"https://";
    struct gk_kv_challenge challenge;
    const size_t len = strlen(header);
    memset(header + len, 'a', 300);
    memcpy(header + len + 300, "\"", 2);
    assert_false(gk_kv_challenge_parse(header, &challenge));
}

static void test_challenge__tenants(void **state)
{
    static const struct {
        const char *authority;
        const char *tenant_id; /* NULL: it names none */
    } tenants[] = {
        {AUTHORITY "/72f988bf-86f1-41af-91ab-2d7cd011db47", "72f988bf-86f1-41af-91ab-2d7cd011db47"},
        {AUTHORITY "/contoso.example/v2.0", "contoso.example"},
        {AUTHORITY "/t/", "t"},
        {AUTHORITY, NULL},
        {AUTHORITY "/", NULL},
        {AUTHORITY "//t", NULL},
        {AUTHORITY "/../t", NULL},
        {AUTHORITY "/t?a=b", NULL},
        {AUTHORITY "/t%2F..", NULL},
        {AUTHORITY "?t", NULL},
        {AUTHORITY "#t", NULL},
    };
    char tenant_id[GK_KV_TENANT_BYTES_MAX];
    struct gk_kv_challenge challenge;
    (void)state;
    for (size_t i = 0; i < sizeof tenants / sizeof tenants[0]; i++) {
        snprintf(challenge.authority, sizeof challenge.authority, "%s", tenants[i].authority);
        const bool names = gk_kv_challenge_tenant(&challenge, tenant_id);
        if (names != (tenants[i].tenant_id != NULL) ||
            (names && strcmp(tenant_id, tenants[i].tenant_id) != 0)) {
            fail_msg("%s: %s", tenants[i].authority, names ? tenant_id : "none");
        }
    }
    const size_t len = strlen(AUTHORITY "/");
    memcpy(challenge.authority, AUTHORITY "/", len);
    memset(challenge.authority + len, 'a', GK_KV_TENANT_BYTES_MAX);
    challenge.authority[len + GK_KV_TENANT_BYTES_MAX] = '\0';
    assert_false(gk_kv_challenge_tenant(&challenge, tenant_id));
    challenge.authority[len + GK_KV_TENANT_BYTES_MAX - 1] = '\0';
    assert_true(gk_kv_challenge_tenant(&challenge, tenant_id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_challenge__table),
        cmocka_unit_test(test_challenge__too_long),
        cmocka_unit_test(test_challenge__tenants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
