/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the policy says of every row of the table what its columns say and fails closed beside it, and
 * the table is what the documentation says and can be routed.
 */
#include "gatekey/policy.h"

#include <string.h>

#include "unit/cmocka_all.h"

struct row {
    const char *id;
    enum gk_operation operation;
    const char *service;
    const char *name;
    const char *method;
    const char *level;
    const char *restype;
    const char *comp;
    const char *selector;
    const char *access;
    const char *revoked;
    const char *key;
};

static const struct row rows[] = {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    {#id,     GK_OP_##id, #service, name,    method,   #level,                                     \
     restype, comp,       selector, #access, #revoked, #key},
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

/* --- the table ---------------------------------------------------------------------------------- */

/* "Revoke access to a storage account that uses customer-managed keys": the operations that fail with
 * 403 once the key is disabled, as the vendor lists them. */
static const char *const listed_blob[] = {"List Blobs",
                                          "Get Blob",
                                          "Get Blob Properties",
                                          "Get Blob Metadata",
                                          "Set Blob Metadata",
                                          "Snapshot Blob",
                                          "Copy Blob",
                                          "Copy Blob From URL",
                                          "Set Blob Tier",
                                          "Put Block",
                                          "Put Block From URL",
                                          "Append Block",
                                          "Append Block From URL",
                                          "Put Blob",
                                          "Put Page",
                                          "Put Page From URL",
                                          "Incremental Copy Blob",
                                          NULL};
static const char *const listed_file[] = {"Create Permission",
                                          "Get Permission",
                                          "List Directories and Files",
                                          "Create Directory",
                                          "Get Directory Properties",
                                          "Set Directory Properties",
                                          "Get Directory Metadata",
                                          "Set Directory Metadata",
                                          "Create File",
                                          "Get File",
                                          "Get File Properties",
                                          "Set File Properties",
                                          "Put Range",
                                          "Put Range From URL",
                                          "Get File Metadata",
                                          "Set File Metadata",
                                          "Copy File",
                                          "Rename File",
                                          NULL};

/* The name without what stands in parentheses. */
static bool is_named(const struct row *row, const char *name)
{
    const size_t len = strlen(name);
    return strncmp(row->name, name, len) == 0 &&
           (row->name[len] == '\0' || strncmp(row->name + len, " (", 2) == 0);
}

static void assert_listed(const char *service, const char *const *listed)
{
    for (size_t i = 0; i < GK_OPERATIONS_COUNT; i++) {
        bool is_listed = false;
        for (size_t j = 0; listed[j] != NULL; j++) {
            is_listed = is_listed || is_named(&rows[i], listed[j]);
        }
        if (strcmp(rows[i].service, service) == 0 && strcmp(rows[i].revoked, "DENY") == 0 &&
            !is_listed) {
            fail_msg("%s fails, but no documentation lists it", rows[i].id);
        }
    }
    for (size_t j = 0; listed[j] != NULL; j++) {
        bool fails = false;
        for (size_t i = 0; i < GK_OPERATIONS_COUNT; i++) {
            if (strcmp(rows[i].service, service) != 0 || !is_named(&rows[i], listed[j])) {
                continue;
            }
            /* Two names are listed for one of their forms alone. */
            const bool excepted = rows[i].operation == GK_OP_BLOB_LIST_BLOBS ||
                                  rows[i].operation == GK_OP_BLOB_SNAPSHOT_BLOB;
            if (strcmp(rows[i].revoked, "DENY") != 0 && !excepted) {
                fail_msg("%s goes on, but is listed", rows[i].id);
            }
            fails = fails || !excepted;
        }
        if (!fails) {
            fail_msg("%s is listed and has no row", listed[j]);
        }
    }
}

static void test_operations__those_fail_that_are_listed(void **state)
{
    (void)state;
    assert_listed("BLOB", listed_blob);
    assert_listed("FILE", listed_file);
}

/* What a row that goes on may need: nothing, or the key in what is refused on top of the list. Content
 * is never among what goes on; and what is to be destroyed can be, whatever the key does. */
static void test_operations__nothing_goes_on_with_content(void **state)
{
    (void)state;
    for (size_t i = 0; i < GK_OPERATIONS_COUNT; i++) {
        if (strcmp(rows[i].key, "DATA") == 0 && !gk_policy_needs_key(rows[i].operation, 0)) {
            fail_msg("%s needs content and goes on", rows[i].id);
        }
        if (strcmp(rows[i].access, "DELETE") == 0 &&
            gk_policy_needs_key(rows[i].operation, GK_REQUEST_HAS_METADATA)) {
            fail_msg("%s deletes and needs the key", rows[i].id);
        }
    }
}

/* Whether list, divided by separator, holds an item of item_len bytes. */
static bool holds(const char *list, char separator, const char *item, size_t item_len)
{
    for (const char *at = list; *at != '\0';) {
        const char *end = strchr(at, separator);
        const size_t len = end == NULL ? strlen(at) : (size_t)(end - at);
        if (len == item_len && strncmp(at, item, len) == 0) {
            return true;
        }
        at += len + (end != NULL);
    }
    return false;
}

/* Whether every item of some stands in all, so that whatever fits all fits some. */
static bool is_part_of(const char *some, char separator, const char *all, bool any_is_enough)
{
    bool every = true;
    bool any = false;
    for (const char *at = some; *at != '\0';) {
        const char *end = strchr(at, separator);
        const size_t len = end == NULL ? strlen(at) : (size_t)(end - at);
        const bool there = holds(all, separator, at, len);
        every = every && there;
        any = any || there;
        at += len + (end != NULL);
    }
    return any_is_enough ? any : every;
}

static void test_operations__no_row_hides_a_later_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < GK_OPERATIONS_COUNT; i++) {
        for (size_t j = i + 1; j < GK_OPERATIONS_COUNT; j++) {
            const struct row *first = &rows[i];
            const struct row *second = &rows[j];
            if (strcmp(first->service, second->service) == 0 &&
                (strcmp(first->level, second->level) == 0 || strcmp(first->level, "ANY") == 0) &&
                strcmp(first->restype, second->restype) == 0 &&
                strcmp(first->comp, second->comp) == 0 &&
                is_part_of(first->method, '/', second->method, true) &&
                is_part_of(first->selector, ' ', second->selector, false)) {
                fail_msg("%s can never be reached: %s stands before it", second->id, first->id);
            }
        }
    }
}

static void test_operations__selectors_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < GK_OPERATIONS_COUNT; i++) {
        for (const char *at = rows[i].selector; *at != '\0';) {
            const size_t len = strcspn(at, " ");
            if (len < 3 || strchr("hqm", at[0]) == NULL || at[1] != ':') {
                fail_msg("%s: selector \"%s\"", rows[i].id, rows[i].selector);
            }
            at += len + (at[len] == ' ');
        }
    }
}

/* --- the policy --------------------------------------------------------------------------------- */

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
        cmocka_unit_test(test_operations__those_fail_that_are_listed),
        cmocka_unit_test(test_operations__nothing_goes_on_with_content),
        cmocka_unit_test(test_operations__no_row_hides_a_later_one),
        cmocka_unit_test(test_operations__selectors_are_well_formed),
        cmocka_unit_test(test_policy__documented_examples),
        cmocka_unit_test(test_policy__unknown_operation_needs_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
