/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: secret memory is locked, left out of core files, zero when given, wiped when freed. */
#include "common/secret.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/cmocka_all.h"

static void test_secret__is_zero_and_wiped(void **state)
{
    (void)state;
    for (size_t len = 1; len <= GK_SECRET_BYTES_MAX; len = len * 2 + 1) {
        uint8_t *secret = gk_secret_alloc(len);
        assert_non_null(secret);
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(secret[i], 0);
        }
        memset(secret, 0xa5, len);
        uint8_t *const before = secret;
        gk_secret_free(&secret);
        assert_null(secret);
        secret = gk_secret_alloc(len);
        assert_ptr_equal(secret, before); /* last freed, first given: the same memory, now zero */
        for (size_t i = 0; i < len; i++) {
            assert_int_equal(secret[i], 0);
        }
        gk_secret_free(&secret);
    }
    assert_null(gk_secret_alloc(0));
    assert_null(gk_secret_alloc(GK_SECRET_BYTES_MAX + 1));
}

/* The flags that the kernel reports for the mapping that holds address. */
static bool mapping_has_flag(const void *address, const char *flag)
{
    FILE *maps = fopen("/proc/self/smaps", "re");
    assert_non_null(maps);
    char line[512];
    bool inside = false;
    bool found = false;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long start;
        unsigned long long end;
        if (sscanf(line, "%llx-%llx ", &start, &end) == 2) {
            inside = (uintptr_t)address >= start && (uintptr_t)address < end;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            found = strstr(line, flag) != NULL;
        }
    }
    fclose(maps);
    return found;
}

static void test_secret__is_locked_and_not_dumped(void **state)
{
    (void)state;
    void *secret = gk_secret_alloc(32);
    assert_non_null(secret);
#ifndef GATEKEY_SANITIZED /* sanitizers make mlock do nothing */
    if (gk_secret_unlocked_bytes() == 0) {
        assert_true(mapping_has_flag(secret, " lo"));
    }
#endif
    assert_true(mapping_has_flag(secret, " dd"));
    gk_secret_free(&secret);
    assert_int_equal(gk_secret_unlocked_bytes(), 0);
}

static void test_secret__equal(void **state)
{
    (void)state;
    assert_true(gk_secret_equal(gk_span_str("same"), gk_span_str("same")));
    assert_false(gk_secret_equal(gk_span_str("same"), gk_span_str("some")));
    assert_false(gk_secret_equal(gk_span_str("same"), gk_span_str("sam")));
    assert_true(gk_secret_equal(gk_span_of(NULL, 0), gk_span_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret__is_zero_and_wiped),
        cmocka_unit_test(test_secret__is_locked_and_not_dumped),
        cmocka_unit_test(test_secret__equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
