/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a body of the management API changes an account as the original does, what this gateway does
 * not have is refused and not stored, and what is stored comes back.
 * Method: bodies onto a new account or one that has been made, with what they lead to.
 */
#include "gateway/manage/arm_account.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/manage/json_body.h"
#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define IDENTITY                                                                                   \
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/"                       \
    "userAssignedIdentities/id"
#define APPLICATION "3109d1c4-a5de-4d84-8832-feabb916a4b6"
#define REQUIRED    "'sku':{'name':'Standard_LRS'},'kind':'StorageV2','location':'westeurope'"
#define WITH_USER   "'identity':{'type':'UserAssigned','userAssignedIdentities':{'" IDENTITY "':{}}}"
#define KEY         "'keyvaultproperties':{'keyvaulturi':'https://v.vault.azure.net/','keyname':'k'}"
#define AS_USER     "'identity':{'userAssignedIdentity':'" IDENTITY "'}"
#define CUSTOMER                                                                                   \
    "'properties':{'encryption':{'keySource':'Microsoft.Keyvault'," KEY "," AS_USER "}}"

struct account {
    struct gk_arm_account arm;
    struct gk_encryption_settings settings;
    bool encryption_named;
};

static const struct gk_arm_place place = {
    .subscription = "s", .resource_group = "g", .account = "acct"};

static void account_init(struct account *account)
{
    *account = (struct account){.encryption_named = false};
    assert_int_equal(gk_arm_account_init(&account->arm, &place, NULL), GK_OK);
}

static void account_cleanup(struct account *account)
{
    gk_arm_account_cleanup(&account->arm);
}

/* body is JSON with ' for ". */
static enum gk_status apply(struct account *account, enum gk_arm_verb verb, const char *body,
                            struct gk_error *error)
{
    char *text = strdup(body);
    assert_non_null(text);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    json_t *json = NULL;
    if (gk_json_parse(gk_span_str(text), &json, error) != GK_OK) {
        fail_msg("%s: %s", text, error->message);
    }
    const enum gk_status status = gk_arm_apply(verb, json, &account->arm, &account->settings,
                                               &account->encryption_named, error);
    json_decref(json);
    free(text);
    return status;
}

static void must_apply(struct account *account, enum gk_arm_verb verb, const char *body)
{
    struct gk_error error = {0};
    if (apply(account, verb, body, &error) != GK_OK) {
        fail_msg("%s: %u %s: %s", body, error.http_status, error.code, error.message);
    }
}

/* --- what is refused ---------------------------------------------------------------------------- */

struct row {
    const char *body;
    unsigned http_status; /* 0: accepted */
    const char *code;
    const char *word; /* of the message */
};

static void check_rows(const char *before, enum gk_arm_verb verb, const struct row *rows,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct account account;
        struct gk_error error = {0};
        account_init(&account);
        if (before != NULL) {
            must_apply(&account, GK_ARM_CREATE, before);
        }
        const enum gk_status status = apply(&account, verb, rows[i].body, &error);
        if (error.http_status != rows[i].http_status || strcmp(error.code, rows[i].code) != 0 ||
            strstr(error.message, rows[i].word) == NULL) {
            fail_msg("%s: %u %s: %s", rows[i].body, error.http_status, error.code, error.message);
        }
        assert_int_equal(status, rows[i].http_status == 0 ? GK_OK : GK_E_INVALID);
        account_cleanup(&account);
    }
}

#define CONTENT  400, "InvalidRequestContent"
#define VALUE    400, "InvalidRequestPropertyValue"
#define ACCEPTED 0, "", ""

static void test_arm__create(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{" REQUIRED "}", ACCEPTED},
        {"{" REQUIRED ",'tags':null,'identity':null,'properties':null}", ACCEPTED},
        {"{" REQUIRED ",'id':'x','name':'y','type':'z'}", ACCEPTED},
        {"{'sku':{'name':'Standard_LRS','tier':'Standard'},'kind':'Storage','location':'x'}",
         ACCEPTED},
        {"{}", 400, "LocationRequired", "location"},
        {"{'location':''}", 400, "LocationRequired", "location"},
        {"{'location':'x'}", CONTENT, "sku.name"},
        {"{'location':'x','sku':{'name':'Standard_LRS'}}", CONTENT, "kind"},
        {"{'location':'x','kind':'StorageV2'}", CONTENT, "sku.name"},
        {"{'location':'x','kind':'BlobStorage','sku':{'name':'Standard_LRS'}}", VALUE, "kind"},
        {"{'location':'x','kind':'StorageV2','sku':{'name':'Premium_LRS'}}", VALUE, "sku.name"},
        {"{'location':'x','kind':'StorageV2','sku':{'name':''}}", VALUE, "sku.name"},
        {"{'location':'x','kind':'StorageV2','sku':'Standard_LRS'}", CONTENT, "sku"},
        {"{'location':1,'kind':'StorageV2','sku':{'name':'Standard_LRS'}}", CONTENT, "location"},
        {"{" REQUIRED ",'extendedLocation':{}}", CONTENT, "extendedLocation"},
        {"{" REQUIRED ",'properties':[]}", CONTENT, "properties"},
        /* A customer key takes an identity that is there before the account is. */
        {"{" REQUIRED "," WITH_USER "," CUSTOMER "}", ACCEPTED},
        {"{" REQUIRED ",'identity':{'type':'SystemAssigned'},'properties':{'encryption':"
         "{'keySource':'Microsoft.Keyvault'," KEY "}}}",
         400, "ManagedServiceIdentityNotFound", "user-assigned"},
    };
    check_rows(NULL, GK_ARM_CREATE, rows, COUNT(rows));
}

static void test_arm__update(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{}", ACCEPTED},
        {"{'location':'WestEurope'}", ACCEPTED},
        {"{'location':'northeurope'}", 409, "InvalidResourceLocation", "westeurope"},
        {"{'sku':{'name':'Standard_ZRS'}}", ACCEPTED},
        {"{'sku':{'name':'Standard_XRS'}}", VALUE, "sku.name"},
        {"{'kind':'StorageV2'}", ACCEPTED},
        {"{'kind':'FileStorage'}", VALUE, "kind"},
    };
    check_rows("{" REQUIRED "}", GK_ARM_UPDATE, rows, COUNT(rows));
}

static void test_arm__properties(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{'properties':{'accessTier':'Cool','supportsHttpsTrafficOnly':true}}", ACCEPTED},
        {"{'properties':{'accessTier':'Warm'}}", VALUE, "accessTier"},
        {"{'properties':{'supportsHttpsTrafficOnly':'yes'}}", CONTENT, "supportsHttpsTrafficOnly"},
        /* Only what is true of this gateway. */
        {"{'properties':{'allowBlobPublicAccess':false,'allowSharedKeyAccess':true}}", ACCEPTED},
        {"{'properties':{'minimumTlsVersion':'TLS1_2','publicNetworkAccess':'Enabled'}}", ACCEPTED},
        {"{'properties':{'allowBlobPublicAccess':true}}", ACCEPTED},
        {"{'properties':{'allowBlobPublicAccess':'yes'}}", CONTENT, "allowBlobPublicAccess"},
        {"{'properties':{'allowSharedKeyAccess':false}}", VALUE, "allowSharedKeyAccess"},
        {"{'properties':{'isHnsEnabled':true}}", VALUE, "isHnsEnabled"},
        {"{'properties':{'isHnsEnabled':null}}", ACCEPTED},
        {"{'properties':{'publicNetworkAccess':'Disabled'}}", VALUE, "publicNetworkAccess"},
        {"{'properties':{'minimumTlsVersion':'TLS1_3'}}", VALUE, "minimumTlsVersion"},
        {"{'properties':{'minimumTlsVersion':12}}", VALUE, "minimumTlsVersion"},
        {"{'properties':{'networkAcls':{'defaultAction':'Allow','ipRules':[]}}}", ACCEPTED},
        {"{'properties':{'networkAcls':{'defaultAction':'Deny'}}}", VALUE, "networkAcls"},
        {"{'properties':{'networkAcls':{'ipRules':[{'value':'192.0.2.1'}]}}}", VALUE,
         "networkAcls"},
        {"{'properties':{'networkAcls':true}}", VALUE, "networkAcls"},
        {"{'properties':{'immutableStorageWithVersioning':{'enabled':true}}}", VALUE,
         "immutableStorageWithVersioning"},
        {"{'properties':{'somethingNew':null}}", ACCEPTED},
        /* What an answer holds may come back. */
        {"{'properties':{'provisioningState':'Succeeded','primaryEndpoints':{'blob':'x'},"
         "'gatekey':{'state':'revoked'}}}",
         ACCEPTED},
    };
    check_rows("{" REQUIRED "}", GK_ARM_UPDATE, rows, COUNT(rows));
}

static void test_arm__identity_and_tags(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{'identity':{'type':'None'}}", ACCEPTED},
        {"{'identity':{'type':'systemassigned','principalId':'x','tenantId':'y'}}", ACCEPTED},
        {"{" WITH_USER "}", ACCEPTED},
        {"{'identity':{'type':'Robot'}}", VALUE, "identity.type"},
        {"{'identity':{}}", VALUE, "identity.type"},
        {"{'identity':{'type':'UserAssigned'}}", 400, "MissingUserAssignedIdentity", "name one"},
        {"{'identity':{'type':'UserAssigned','userAssignedIdentities':{}}}", 400,
         "MissingUserAssignedIdentity", "name one"},
        {"{'identity':{'type':'UserAssigned','userAssignedIdentities':{'/a':{},'/b':{}}}}", VALUE,
         "more than one"},
        {"{'identity':{'type':'UserAssigned','userAssignedIdentities':{'a':{}}}}", VALUE,
         "resource id"},
        {"{'identity':{'type':'UserAssigned','userAssignedIdentities':['/a']}}", CONTENT,
         "userAssignedIdentities"},
        {"{'identity':{'type':'None','kind':'x'}}", CONTENT, "identity.kind"},
        {"{'tags':{'a':'b','c':''}}", ACCEPTED},
        {"{'tags':{'a':1}}", VALUE, "tag"},
        {"{'tags':{'':'b'}}", VALUE, "tag"},
        {"{'tags':[]}", CONTENT, "tags"},
    };
    check_rows("{" REQUIRED "}", GK_ARM_UPDATE, rows, COUNT(rows));
}

#define ENCRYPTION(text) "{'properties':{'encryption':{" text "}}}"

static void test_arm__encryption(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {ENCRYPTION("'keySource':'Microsoft.Keyvault'," KEY "," AS_USER), ACCEPTED},
        {ENCRYPTION("'keySource':'microsoft.keyvault'," KEY "," AS_USER), ACCEPTED},
        {ENCRYPTION("'keySource':'Microsoft.Storage'"), ACCEPTED},
        {ENCRYPTION("'keySource':'Elsewhere'"), VALUE, "keySource"},
        {ENCRYPTION("'keySource':true"), CONTENT, "keySource"},
        {ENCRYPTION("'keySource':'Microsoft.Keyvault'"), VALUE, "keyvaulturi"},
        {ENCRYPTION("'keySource':'Microsoft.Keyvault','keyvaultproperties':{'keyname':'k'}"), VALUE,
         "keyvaulturi"},
        {ENCRYPTION("'keySource':'Microsoft.Keyvault','keyvaultproperties':"
                    "{'keyvaulturi':'https://v.vault.azure.net'}"),
         VALUE, "keyname"},
        {ENCRYPTION(KEY), VALUE, "keySource Microsoft.Keyvault"},
        {ENCRYPTION("'keySource':'Microsoft.Storage'," KEY), VALUE, "keySource Microsoft.Keyvault"},
        /* As whom: an identity of the account's own. */
        {ENCRYPTION("'keySource':'Microsoft.Keyvault'," KEY), 400, "ManagedServiceIdentityNotFound",
         "needs an identity"},
        {ENCRYPTION("'keySource':'Microsoft.Keyvault'," KEY
                    ",'identity':{'userAssignedIdentity':'/another'}"),
         400, "ManagedServiceIdentityNotFound", "not one of the account's"},
        {ENCRYPTION("'keySource':'Microsoft.Keyvault'," KEY ",'identity':{'kind':'x'}"), CONTENT,
         "identity.kind"},
        /* Members that are not there. */
        {ENCRYPTION("'keySource':'Microsoft.Keyvault','keyvaultproperties':{'keyuri':'x'}"),
         CONTENT, "keyuri"},
        {ENCRYPTION("'algorithm':'RSA-OAEP'"), CONTENT, "algorithm"},
        {ENCRYPTION("'requireInfrastructureEncryption':true"), VALUE,
         "requireInfrastructureEncryption"},
        {ENCRYPTION("'requireInfrastructureEncryption':false"), ACCEPTED},
        /* Services. */
        {ENCRYPTION("'services':{'blob':{'enabled':true,'keyType':'Account'},'file':{}}"),
         ACCEPTED},
        {ENCRYPTION("'services':{'blob':{'enabled':false}}"), VALUE, "switched off"},
        {ENCRYPTION("'services':{'blob':{'keyType':'Service'}}"), VALUE, "keyType"},
        {ENCRYPTION("'services':{'queue':{'keyType':'Account'}}"), VALUE, "created"},
        {ENCRYPTION("'services':{'queue':{'keyType':'Service'}}"), ACCEPTED},
        {ENCRYPTION("'services':{'table':{'keyType':'Tenant'}}"), VALUE, "keyType"},
        {ENCRYPTION("'services':{'dfs':{}}"), CONTENT, "dfs"},
        {ENCRYPTION("'services':[]"), CONTENT, "services"},
    };
    check_rows("{" REQUIRED "," WITH_USER "}", GK_ARM_UPDATE, rows, COUNT(rows));
}

/* An account with a customer key keeps the identity that its key is reached with. */
static void test_arm__customer_managed(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{}", ACCEPTED},
        {"{'identity':{'type':'None'}}", 400, "ManagedServiceIdentityNotFound", "no longer"},
        {"{'identity':{'type':'SystemAssigned'}}", 400, "ManagedServiceIdentityNotFound",
         "no longer"},
        {"{'identity':{'type':'SystemAssigned'},"
         "'properties':{'encryption':{'identity':{'userAssignedIdentity':''}}}}",
         ACCEPTED},
        {"{'identity':{'type':'SystemAssigned,UserAssigned'}}", ACCEPTED},
        {"{'identity':{'type':'UserAssigned'}}", ACCEPTED},
        {"{'identity':{'type':'None'},"
         "'properties':{'encryption':{'keySource':'Microsoft.Storage'}}}",
         ACCEPTED},
        {ENCRYPTION("'identity':{'federatedIdentityClientId':'" APPLICATION "'}"), ACCEPTED},
        {ENCRYPTION("'identity':{'federatedIdentityClientId':'None'}"), ACCEPTED},
        {ENCRYPTION("'identity':{'federatedIdentityClientId':''}"), ACCEPTED},
        {ENCRYPTION("'identity':{'federatedIdentityClientId':'app'}"), VALUE, "client id"},
        {ENCRYPTION("'identity':{'federatedIdentityClientId':7}"), CONTENT,
         "federatedIdentityClientId"},
        {"{'identity':{'type':'SystemAssigned'},'properties':{'encryption':{'identity':{"
         "'userAssignedIdentity':'','federatedIdentityClientId':'" APPLICATION "'}}}}",
         400, "ManagedServiceIdentityNotFound", "goes with a user-assigned"},
        {ENCRYPTION("'keyvaultproperties':{'keyname':'other'}"), ACCEPTED},
        {ENCRYPTION("'keyvaultproperties':{'keyname':''}"), VALUE, "keyname"},
    };
    check_rows("{" REQUIRED "," WITH_USER "," CUSTOMER "}", GK_ARM_UPDATE, rows, COUNT(rows));
}

/* --- what it leads to --------------------------------------------------------------------------- */

static void test_arm__absent_members_stay(void **state)
{
    (void)state;
    struct account account;
    account_init(&account);
    must_apply(&account, GK_ARM_CREATE,
               "{" REQUIRED ",'tags':{'a':'b'}," WITH_USER ",'properties':{'accessTier':'Cool',"
               "'supportsHttpsTrafficOnly':true}}");
    assert_false(account.encryption_named);
    must_apply(&account, GK_ARM_UPDATE, "{}");
    must_apply(&account, GK_ARM_UPDATE, "{'properties':{}}");
    assert_string_equal(account.arm.location, "westeurope");
    assert_string_equal(account.arm.sku, "Standard_LRS");
    assert_string_equal(account.arm.access_tier, "Cool");
    assert_string_equal(account.arm.user_identity, IDENTITY);
    assert_true(account.arm.https_only);
    assert_string_equal(json_string_value(json_object_get(account.arm.tags, "a")), "b");
    must_apply(&account, GK_ARM_UPDATE, "{'tags':{'c':'d'},'identity':{'type':'None'}}");
    assert_int_equal(json_object_size(account.arm.tags), 1);
    assert_string_equal(account.arm.user_identity, "");
    account_cleanup(&account);
}

static void test_arm__tags_have_an_end(void **state)
{
    (void)state;
    for (unsigned count = GK_ARM_TAGS_MAX; count <= GK_ARM_TAGS_MAX + 1; count++) {
        struct account account;
        struct gk_buf body;
        account_init(&account);
        gk_buf_init(&body, 4096);
        gk_buf_append_str(&body, "{" REQUIRED ",'tags':{");
        for (unsigned i = 0; i < count; i++) {
            gk_buf_printf(&body, "%s'tag%u':'x'", i == 0 ? "" : ",", i);
        }
        gk_buf_append_str(&body, "}}");
        assert_int_equal(apply(&account, GK_ARM_CREATE, gk_buf_str(&body), NULL),
                         count <= GK_ARM_TAGS_MAX ? GK_OK : GK_E_INVALID);
        gk_buf_cleanup(&body);
        account_cleanup(&account);
    }
}

/* A version stays with its key; with another key it is the current one. */
static void test_arm__version_of_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *uri;
        const char *name;
        const char *version;
    } steps[] = {
        {CUSTOMER, "https://v.vault.azure.net", "k", ""},
        {"'properties':{'encryption':{'keyvaultproperties':{'keyversion':'v1'}}}",
         "https://v.vault.azure.net", "k", "v1"},
        {"'tags':{}", "https://v.vault.azure.net", "k", "v1"},
        {"'properties':{'encryption':{'keyvaultproperties':"
         "{'keyvaulturi':'https://v.vault.azure.net','keyname':'k'}}}",
         "https://v.vault.azure.net", "k", "v1"},
        {"'properties':{'encryption':{'keyvaultproperties':{'keyname':'l'}}}",
         "https://v.vault.azure.net", "l", ""},
        {"'properties':{'encryption':{'keyvaultproperties':{'keyname':'k','keyversion':'v2'}}}",
         "https://v.vault.azure.net", "k", "v2"},
        {"'properties':{'encryption':{'keyvaultproperties':"
         "{'keyvaulturi':'https://w.vault.azure.net'}}}",
         "https://w.vault.azure.net", "k", ""},
        {"'properties':{'encryption':{'keyvaultproperties':{'keyversion':'v3'}}}",
         "https://w.vault.azure.net", "k", "v3"},
        {"'properties':{'encryption':{'keyvaultproperties':{'keyversion':''}}}",
         "https://w.vault.azure.net", "k", ""},
        {"'properties':{'encryption':{'keySource':'Microsoft.Storage'}}", "", "", ""},
    };
    struct account account;
    account_init(&account);
    must_apply(&account, GK_ARM_CREATE, "{" REQUIRED "," WITH_USER "}");
    assert_int_equal(account.settings.source, GK_KEY_SOURCE_SERVICE);
    for (size_t i = 0; i < COUNT(steps); i++) {
        char body[1024];
        snprintf(body, sizeof body, "{%s}", steps[i].body);
        must_apply(&account, GK_ARM_UPDATE, body);
        assert_string_equal(account.settings.key.vault_uri, steps[i].uri);
        assert_string_equal(account.settings.key.name, steps[i].name);
        assert_string_equal(account.settings.key.version, steps[i].version);
        assert_int_equal(account.encryption_named, strstr(steps[i].body, "encryption") != NULL);
    }
    assert_int_equal(account.settings.source, GK_KEY_SOURCE_SERVICE);
    assert_string_equal(account.settings.identity.resource_id, "");
    account_cleanup(&account);
}

static void test_arm__kind_of_identity(void **state)
{
    (void)state;
    struct account account;
    account_init(&account);
    must_apply(&account, GK_ARM_CREATE, "{" REQUIRED "," WITH_USER "," CUSTOMER "}");
    assert_int_equal(account.settings.identity.kind, GK_IDENTITY_USER_ASSIGNED);
    assert_string_equal(account.settings.identity.resource_id, IDENTITY);
    must_apply(&account, GK_ARM_UPDATE,
               "{'identity':{'type':'SystemAssigned'},"
               "'properties':{'encryption':{'identity':{'userAssignedIdentity':''}}}}");
    assert_int_equal(account.settings.identity.kind, GK_IDENTITY_SYSTEM_ASSIGNED);
    assert_true(account.arm.system_identity);
    assert_string_equal(account.arm.user_identity, "");
    account_cleanup(&account);
}

static void test_arm__queues_and_tables_at_creation(void **state)
{
    (void)state;
    struct account account;
    account_init(&account);
    must_apply(&account, GK_ARM_CREATE,
               "{" REQUIRED ",'properties':{'encryption':{'services':"
               "{'queue':{'keyType':'Account'},'table':{'keyType':'Service'}}}}}");
    assert_int_equal(account.settings.queue_account_key, 1);
    assert_int_equal(account.settings.table_account_key, 0);
    account_cleanup(&account);
}

/* --- what is kept ------------------------------------------------------------------------------- */

static void test_arm__store_and_load(void **state)
{
    (void)state;
    struct account account;
    struct gk_arm_account loaded;
    struct gk_buf text;
    struct gk_buf again;
    account_init(&account);
    must_apply(&account, GK_ARM_CREATE,
               "{" REQUIRED ",'tags':{'a':'b'},'identity':{'type':'SystemAssigned,UserAssigned',"
               "'userAssignedIdentities':{'" IDENTITY "':{}}},"
               "'properties':{'accessTier':'Cold','supportsHttpsTrafficOnly':true}}");
    gk_buf_init(&text, 4096);
    gk_buf_init(&again, 4096);
    assert_int_equal(gk_arm_store(&account.arm, &text, NULL), GK_OK);
    assert_int_equal(gk_arm_load(gk_buf_str(&text), "westeurope", &loaded, NULL), GK_OK);
    assert_string_equal(loaded.subscription, "s");
    assert_string_equal(loaded.resource_group, "g");
    assert_string_equal(loaded.location, "westeurope");
    assert_string_equal(loaded.user_identity, IDENTITY);
    assert_true(loaded.system_identity);
    assert_true(loaded.https_only);
    assert_string_equal(loaded.access_tier, "Cold");
    assert_true(json_equal(loaded.tags, account.arm.tags));
    assert_int_equal(gk_arm_store(&loaded, &again, NULL), GK_OK);
    assert_string_equal(gk_buf_str(&again), gk_buf_str(&text));
    gk_buf_cleanup(&again);
    gk_buf_init(&again, 16);
    assert_int_equal(gk_arm_store(&loaded, &again, NULL), GK_E_LIMIT);
    gk_buf_cleanup(&again);
    gk_buf_cleanup(&text);
    gk_arm_account_cleanup(&loaded);
    account_cleanup(&account);
}

static void test_arm__what_does_not_load(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"version\":1}",
        "{\"version\":2,\"subscription\":\"s\",\"resourceGroup\":\"g\",\"sku\":\"Standard_LRS\","
        "\"userIdentity\":\"\",\"tags\":{},\"accessTier\":\"Hot\"}",
        "{\"version\":1,\"subscription\":\"s\",\"resourceGroup\":\"g\",\"sku\":\"Standard_LRS\","
        "\"userIdentity\":\"\",\"tags\":[],\"accessTier\":\"Hot\"}",
        "{\"version\":1,\"subscription\":\"s\",\"resourceGroup\":\"g\",\"sku\":\"Standard_LRS\","
        "\"userIdentity\":\"\",\"tags\":{},\"accessTier\":\"much longer than any\"}",
    };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct gk_arm_account loaded;
        struct gk_error error = {0};
        assert_int_equal(gk_arm_load(texts[i], "x", &loaded, &error), GK_E_INTEGRITY);
        assert_int_equal(error.http_status, 500);
        assert_null(loaded.tags);
    }
}

/* --- what is shown ------------------------------------------------------------------------------ */

static const char *text_at(const json_t *json, const char *path)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    char *rest = NULL;
    for (char *name = strtok_r(copy, ".", &rest); name != NULL; name = strtok_r(NULL, ".", &rest)) {
        json = json_object_get(json, name);
    }
    return json_string_value(json);
}

static json_t *show(const struct account *account, const struct gk_account_status *status)
{
    const struct gk_arm_view view = {
        .name = "acct",
        .arm = &account->arm,
        .status = status,
        .created_wall_ms = INT64_C(1767225600000),
        .key_created_wall_ms = {INT64_C(1767225600000), INT64_C(1767312000000)},
        .blob_endpoint = "http://127.0.0.1:10000/acct/",
    };
    json_t *json = gk_arm_view_json(&view);
    assert_non_null(json);
    return json;
}

static void test_arm__view(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *text;
    } rows[] = {
        {"id",
         "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acct"},
        {"name", "acct"},
        {"type", "Microsoft.Storage/storageAccounts"},
        {"location", "westeurope"},
        {"kind", "StorageV2"},
        {"sku.name", "Standard_LRS"},
        {"identity.type", "UserAssigned"},
        {"properties.provisioningState", "Succeeded"},
        {"properties.primaryEndpoints.blob", "http://127.0.0.1:10000/acct/"},
        {"properties.creationTime", "2026-01-01T00:00:00.0000000Z"},
        {"properties.keyCreationTime.key2", "2026-01-02T00:00:00.0000000Z"},
        {"properties.encryption.keySource", "Microsoft.Keyvault"},
        {"properties.encryption.services.blob.keyType", "Account"},
        {"properties.encryption.services.queue.keyType", NULL},
        {"properties.encryption.identity.userAssignedIdentity", IDENTITY},
        {"properties.encryption.keyvaultproperties.keyvaulturi", "https://v.vault.azure.net"},
        {"properties.encryption.keyvaultproperties.keyversion", ""},
        {"properties.encryption.keyvaultproperties.currentVersionedKeyIdentifier",
         "https://v.vault.azure.net/keys/k/1"},
        {"properties.encryption.keyvaultproperties.lastKeyRotationTimestamp", NULL},
        {"properties.gatekey.state", "revoked"},
        {"properties.gatekey.accountId", "01000000-0000-0000-0000-000000000002"},
        {"properties.gatekey.reasonCode", "KeyDisabled"},
        {"properties.gatekey.revokedSince", "2026-01-03T00:00:00.0000000Z"},
        {"properties.gatekey.unreachableSince", NULL},
        {"properties.gatekey.graceUntil", NULL},
    };
    struct account account;
    account_init(&account);
    must_apply(&account, GK_ARM_CREATE, "{" REQUIRED "," WITH_USER "," CUSTOMER "}");
    const struct gk_account_status status = {
        .id = {.bytes = {1, [15] = 2}},
        .settings = account.settings,
        .state = GK_ACCOUNT_REVOKED,
        .current_key_id = "https://v.vault.azure.net/keys/k/1",
        .check_interval_ms = 1500,
        .reason_code = "KeyDisabled",
        .revoked_since_wall_ms = INT64_C(1767398400000),
    };
    json_t *json = show(&account, &status);
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *text = text_at(json, rows[i].path);
        if (rows[i].text == NULL ? text != NULL : text == NULL || strcmp(text, rows[i].text) != 0) {
            fail_msg("%s: %s", rows[i].path, text == NULL ? "absent" : text);
        }
    }
    json_decref(json);
    account_cleanup(&account);
}

/* Clients read an account, change a member and send all of it back. */
static void test_arm__what_is_shown_is_accepted(void **state)
{
    (void)state;
    static const char *const updates[] = {
        "{}",
        "{" WITH_USER "," CUSTOMER "}",
        "{'identity':{'type':'SystemAssigned'},'properties':{'encryption':"
        "{'keySource':'Microsoft.Keyvault'," KEY "}}}",
    };
    for (size_t i = 0; i < COUNT(updates); i++) {
        struct account account;
        struct gk_error error = {0};
        account_init(&account);
        must_apply(&account, GK_ARM_CREATE, "{" REQUIRED "}");
        must_apply(&account, GK_ARM_UPDATE, updates[i]);
        const struct gk_encryption_settings before = account.settings;
        const struct gk_account_status status = {
            .settings = account.settings,
            .current_key_id = "https://v.vault.azure.net/keys/k/1",
            .last_rotation_wall_ms = 1,
            .key_expires_wall_ms = 1,
        };
        json_t *json = show(&account, &status);
        if (gk_arm_apply(GK_ARM_CREATE, json, &account.arm, &account.settings,
                         &account.encryption_named, &error) != GK_OK) {
            fail_msg("%s: %s", updates[i], error.message);
        }
        assert_memory_equal(&account.settings, &before, sizeof before);
        json_decref(json);
        account_cleanup(&account);
    }
}

static void test_arm__names_of_states(void **state)
{
    (void)state;
    static const char *const names[] = {"service-managed", "active",   "revoked",
                                        "unreachable",     "degraded", "cold"};
    for (unsigned i = 0; i < COUNT(names); i++) {
        assert_string_equal(gk_arm_state_name((enum gk_account_state)i), names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arm__create),
        cmocka_unit_test(test_arm__update),
        cmocka_unit_test(test_arm__properties),
        cmocka_unit_test(test_arm__identity_and_tags),
        cmocka_unit_test(test_arm__encryption),
        cmocka_unit_test(test_arm__customer_managed),
        cmocka_unit_test(test_arm__absent_members_stay),
        cmocka_unit_test(test_arm__tags_have_an_end),
        cmocka_unit_test(test_arm__version_of_the_key),
        cmocka_unit_test(test_arm__kind_of_identity),
        cmocka_unit_test(test_arm__queues_and_tables_at_creation),
        cmocka_unit_test(test_arm__store_and_load),
        cmocka_unit_test(test_arm__what_does_not_load),
        cmocka_unit_test(test_arm__view),
        cmocka_unit_test(test_arm__what_is_shown_is_accepted),
        cmocka_unit_test(test_arm__names_of_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
