/* SPDX-License-Identifier: Apache-2.0 */
/* The policy says of every row of the table what its columns say, and fails closed beside it. */
#include "plugin/policy.h"

#include <string.h>

#include "unit/cmocka_all.h"

static const struct {
    const char *id;
    enum gk_operation operation;
    const char *revoked;
    const char *key;
} rows[] = {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    {#id, GK_OP_##id, #revoked, #key},
#include "gatekey/operations.def"
#undef GK_OPERATION
};

static void test_policy__every_row_as_its_columns_say(void **state)
{
    (void)state;
    assert_int_equal(sizeof rows / sizeof rows[0], GK_OPERATIONS_COUNT);
    for (size_t i = 0; i < GK_OPERATIONS_COUNT; i++) {
        const bool denied = strcmp(rows[i].revoked, "DENY") == 0;
        const bool needs = strcmp(rows[i].key, "DATA") == 0 || strcmp(rows[i].key, "METADATA") == 0;
        const bool with_metadata = strcmp(rows[i].key, "IF_METADATA") == 0;
        if (gk_policy_needs_key(rows[i].operation, 0) != (denied || needs) ||
            gk_policy_needs_key(rows[i].operation, GK_REQUEST_HAS_METADATA) !=
                (denied || needs || with_metadata)) {
            fail_msg("%s: not as revoked %s, key %s", rows[i].id, rows[i].revoked, rows[i].key);
        }
    }
}

static void test_policy__documented_examples(void **state)
{
    (void)state;
    assert_true(gk_policy_needs_key(GK_OP_BLOB_GET_BLOB, 0));
    assert_true(gk_policy_needs_key(GK_OP_BLOB_SET_BLOB_TIER, 0));
    assert_true(gk_policy_needs_key(GK_OP_BLOB_PUT_BLOB_FROM_URL, 0));
    assert_true(gk_policy_needs_key(GK_OP_BLOB_LIST_BLOBS_WITH_METADATA, 0));
    assert_false(gk_policy_needs_key(GK_OP_BLOB_LIST_BLOBS, 0));
    assert_false(gk_policy_needs_key(GK_OP_BLOB_DELETE_BLOB, GK_REQUEST_HAS_METADATA));
    assert_false(gk_policy_needs_key(GK_OP_BLOB_PUT_BLOCK_LIST, 0));
    assert_true(gk_policy_needs_key(GK_OP_BLOB_PUT_BLOCK_LIST, GK_REQUEST_HAS_METADATA));
}

static void test_policy__unknown_operation_needs_the_key(void **state)
{
    (void)state;
    assert_true(gk_policy_needs_key(GK_OPERATIONS_COUNT, 0));
    assert_true(gk_policy_needs_key((enum gk_operation)0x7fffffff, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy__every_row_as_its_columns_say),
        cmocka_unit_test(test_policy__documented_examples),
        cmocka_unit_test(test_policy__unknown_operation_needs_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
