/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each address of the management API means one thing; everything else means nothing. Method: a
 * table of addresses with all that is read from them. */
#include "gateway/manage/manage.h"

#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define STORAGE      "/providers/Microsoft.Storage"
#define GROUP        "/subscriptions/s/resourceGroups/g" STORAGE
#define SUBSCRIPTION "/subscriptions/s" STORAGE
#define SIXTEEN      "0123456789abcdef"

static const struct gk_manage_path nothing = {.route = GK_ROUTE_NONE};

static const struct {
    const char *path;
    struct gk_manage_path meaning;
} rows[] = {
    {GROUP "/storageAccounts/acct", {GK_ROUTE_ACCOUNT, "s", "g", "acct", "", ""}},
    {GROUP "/storageAccounts/acct/", {GK_ROUTE_ACCOUNT, "s", "g", "acct", "", ""}},
    {GROUP "/storageAccounts/acct/listKeys",
     {GK_ROUTE_ACCOUNT_ACTION, "s", "g", "acct", "listKeys", ""}},
    {GROUP "/storageAccounts/acct/anything",
     {GK_ROUTE_ACCOUNT_ACTION, "s", "g", "acct", "anything", ""}},
    {GROUP "/storageAccounts/acct/blobServices/default",
     {GK_ROUTE_BLOB_SERVICE, "s", "g", "acct", "", ""}},
    {GROUP "/storageAccounts/acct/blobServices",
     {GK_ROUTE_BLOB_SERVICES, "s", "g", "acct", "", ""}},
    {GROUP
     "/storageAccounts/acct/BLOBservices/default/containers/c/immutabilityPolicies/default/lock",
     {GK_ROUTE_NOT_SERVED, "s", "g", "acct", "containers", ""}},
    {GROUP "/storageAccounts/acct/networkSecurityPerimeterConfigurations/x/reconcile",
     {GK_ROUTE_NOT_SERVED, "s", "g", "acct", "networkSecurityPerimeterConfigurations", ""}},
    {SUBSCRIPTION "/skus", {GK_ROUTE_NOT_SERVED, "s", "", "", "skus", ""}},
    {"/providers/microsoft.storage/operations",
     {GK_ROUTE_NOT_SERVED, "", "", "", "operations", ""}},
    {GROUP "/storageAccounts/acct/encryptionScopes", {GK_ROUTE_SCOPES, "s", "g", "acct", "", ""}},
    {GROUP "/storageAccounts/acct/ENCRYPTIONscopes/one/",
     {GK_ROUTE_SCOPE, "s", "g", "acct", "", "one"}},
    {GROUP "/storageAccounts/acct/encryptionScopes/one/gatekeyCheckKey",
     {GK_ROUTE_SCOPE_ACTION, "s", "g", "acct", "gatekeyCheckKey", "one"}},
    {GROUP "/storageAccounts", {GK_ROUTE_LIST_GROUP, "s", "g", "", "", ""}},
    {SUBSCRIPTION "/storageAccounts", {GK_ROUTE_LIST_SUBSCRIPTION, "s", "", "", "", ""}},
    {SUBSCRIPTION "/checkNameAvailability", {GK_ROUTE_CHECK_NAME, "s", "", "", "", ""}},
    /* Without case, and decoded. What an account's name is, its handler says. */
    {"/SUBSCRIPTIONS/S/resourcegroups/G/Providers/microsoft.storage/STORAGEaccounts/Acct",
     {GK_ROUTE_ACCOUNT, "S", "G", "Acct", "", ""}},
    {GROUP "/storage%41ccounts/a%63ct", {GK_ROUTE_ACCOUNT, "s", "g", "acct", "", ""}},
    {GROUP "/storageAccounts/a%2Fb", {GK_ROUTE_ACCOUNT, "s", "g", "a/b", "", ""}},
    {"/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg-1_(x).y" STORAGE
     "/storageAccounts/acct",
     {GK_ROUTE_ACCOUNT, "00000000-0000-0000-0000-000000000001", "rg-1_(x).y", "acct", "", ""}},
    {"/gatekey/accounts", {GK_ROUTE_OWN_LIST, "", "", "", "", ""}},
    {"/gatekey/accounts/acct", {GK_ROUTE_OWN_ACCOUNT, "", "", "acct", "", ""}},
    {"/gatekey/accounts/acct/export", {GK_ROUTE_OWN_ACTION, "", "", "acct", "export", ""}},
    {"/gatekey/accounts/acct/restore/", {GK_ROUTE_OWN_ACTION, "", "", "acct", "restore", ""}},
    {"/gatekey/policy/report", {GK_ROUTE_POLICY_REPORT, "", "", "", "", ""}},
    {"/gatekey/scrub", {GK_ROUTE_SCRUB, "", "", "", "", ""}},
    {"/gatekey/scrub/", {GK_ROUTE_SCRUB, "", "", "", "", ""}},
    {"/gatekey/scrub/stop", {GK_ROUTE_SCRUB_ACTION, "", "", "", "stop", ""}},
    {"/metrics", {GK_ROUTE_METRICS, "", "", "", "", ""}},
    {"/status", {GK_ROUTE_STATUS, "", "", "", "", ""}},
    {"/status/status.js", {GK_ROUTE_STATUS, "", "", "", "status.js", ""}},
    {"/gatekey/events", {GK_ROUTE_EVENTS, "", "", "", "", ""}},
    {"/healthz", {GK_ROUTE_HEALTH, "", "", "", "", ""}},
    {"/readyz", {GK_ROUTE_READY, "", "", "", "", ""}},
    {"/readyz/", {GK_ROUTE_READY, "", "", "", "", ""}},
};

static const char *const nowhere[] = {
    GROUP "/skus",
    GROUP "/storageAccounts/acct/blobServices/other",
    GROUP "/storageAccounts/acct/blobServices/default/other",
    "/providers/Microsoft.Storage",
    "/providers/Microsoft.Compute/operations",
    "",
    "/",
    "//",
    "metrics",
    "*",
    "//metrics",
    "/metrics//",
    "/metrics/more",
    "/metric",
    "/subscriptions",
    "/subscriptions/s",
    "/subscriptions/s/resourceGroups/g",
    GROUP,
    SUBSCRIPTION,
    SUBSCRIPTION "/storageAccounts/acct",
    SUBSCRIPTION "/checkNameAvailability/x",
    GROUP "/checkNameAvailability",
    GROUP "//storageAccounts/acct",
    GROUP "/storageAccounts//listKeys",
    GROUP "/storageAccounts/acct/listKeys/more",
    GROUP "/virtualMachines/acct",
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/storageAccounts/acct",
    "/subscriptions/s/resourceGroup/g" STORAGE "/storageAccounts/acct",
    "/subscriptions/s/resourceGroups" STORAGE "/storageAccounts/acct",
    "/tenants/s/resourceGroups/g" STORAGE "/storageAccounts/acct",
    "/gatekey",
    "/gatekey/account",
    "/gatekey/accounts/acct/export/more",
    "/gatekey/accounts/acct/" SIXTEEN SIXTEEN SIXTEEN,
    "/gatekey/scrub/stop/more",
    "/gatekey/scrub/" SIXTEEN SIXTEEN SIXTEEN,
    /* What an answer repeats holds no surprises. */
    "/subscriptions/s%22/resourceGroups/g" STORAGE "/storageAccounts/acct",
    "/subscriptions/s/resourceGroups/%2e%2f" STORAGE "/storageAccounts/acct",
    "/subscriptions/s/resourceGroups/g%20" STORAGE "/storageAccounts/acct",
    /* Escapes are whole, and texts have an end. */
    GROUP "/storageAccounts/%",
    GROUP "/storageAccounts/%4",
    GROUP "/storageAccounts/a%00b",
    GROUP "/storageAccounts/" SIXTEEN SIXTEEN SIXTEEN SIXTEEN,
    GROUP "/storageAccounts/acct/" SIXTEEN SIXTEEN SIXTEEN,
    "/gatekey/accounts/" SIXTEEN SIXTEEN SIXTEEN SIXTEEN,
    "/subscriptions/" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "x/resourceGroups/g" STORAGE
    "/storageAccounts/acct",
    "/metrics" SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN,
    "/a/b/c/d/e/f/g/h/i/j/k/l/m",
};

static void assert_same(const char *path, const struct gk_manage_path *left,
                        const struct gk_manage_path *right)
{
    if (left->route != right->route) {
        fail_msg("%s: route %d, not %d", path, (int)left->route, (int)right->route);
    }
    assert_string_equal(left->subscription, right->subscription);
    assert_string_equal(left->resource_group, right->resource_group);
    assert_string_equal(left->account, right->account);
    assert_string_equal(left->action, right->action);
    assert_string_equal(left->scope, right->scope);
}

static void test_manage_path__addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_manage_path path;
        assert_true(gk_manage_path_parse(rows[i].path, &path));
        assert_same(rows[i].path, &path, &rows[i].meaning);
    }
}

static void test_manage_path__nowhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(nowhere); i++) {
        struct gk_manage_path path;
        if (gk_manage_path_parse(nowhere[i], &path)) {
            fail_msg("%s is route %d", nowhere[i], (int)path.route);
        }
        assert_same(nowhere[i], &path, &nothing);
    }
}

/* The longest that fit. */
static void test_manage_path__lengths(void **state)
{
    (void)state;
    struct gk_manage_path path;
    assert_true(gk_manage_path_parse("/subscriptions/" SIXTEEN SIXTEEN SIXTEEN SIXTEEN
                                     "/resourceGroups/" SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN
                                     "0123456789" STORAGE
                                     "/storageAccounts/" SIXTEEN SIXTEEN SIXTEEN
                                     "0123456789abcde/0123456789abcdef0123456789abcde",
                                     &path));
    assert_int_equal(strlen(path.subscription), 64);
    assert_int_equal(strlen(path.resource_group), 90);
    assert_int_equal(strlen(path.account), 63);
    assert_int_equal(strlen(path.action), 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manage_path__addresses),
        cmocka_unit_test(test_manage_path__nowhere),
        cmocka_unit_test(test_manage_path__lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
