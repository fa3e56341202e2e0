/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: by when a rotation policy has a key version followed by another one, as the Key Vault REST reference writes
 * policies; and that what is no policy, or of another key, is none.
 * Method: tables of answers.
 */
#include "keyprovider/rotation_policy.h"

#include <stdlib.h>
#include <string.h>

#include "common/duration.h"
#include "unit/cmocka_all.h"

#define MADE_S INT64_C(1767225600) /* 2026-01-01 */
#define END_S  INT64_C(1782864000) /* 2026-07-01 */

#define ROTATE(trigger)       "{\"trigger\":{" trigger "},\"action\":{\"type\":\"Rotate\"}}"
#define NOTIFY                "{\"trigger\":{\"timeBeforeExpiry\":\"P30D\"},\"action\":{\"type\":\"Notify\"}}"
#define POLICY(actions, more) "{\"lifetimeActions\":[" actions "]" more "}"
#define AFTER_90              ROTATE("\"timeAfterCreate\":\"P90D\"")
#define BEFORE_30             ROTATE("\"timeBeforeExpiry\":\"P30D\",\"timeAfterCreate\":null")
#define LIVES_1Y              ",\"attributes\":{\"expiryTime\":\"P1Y\",\"created\":1,\"updated\":2}"

static bool due_of(const char *body, int64_t created_s, int64_t expires_s, int64_t *due_s)
{
    const struct gk_key_info version = {.created_wall_ms = created_s * 1000,
                                        .expires_wall_ms = expires_s * 1000};
    int64_t due_ms = -1;
    const bool good = gk_kv_rotation_due(gk_span_str(body), "key", &version, &due_ms);
    *due_s = due_ms / 1000;
    return good;
}

static void test_rotation_due__is_the_earliest_of_its_times(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int64_t created_s;
        int64_t expires_s;
        int64_t due_s;
    } cases[] = {
        {"{\"id\":\"https://v.vault.azure.net/keys/KEY/"
         "rotationpolicy\",\"lifetimeActions\":[" AFTER_90 "," NOTIFY
         "],\"attributes\":{\"expiryTime\":\"P2Y\"}}",
         MADE_S, 0, MADE_S + 90 * GK_DAY_S},
        {POLICY(NOTIFY "," BEFORE_30, LIVES_1Y), MADE_S, 0, MADE_S + 335 * GK_DAY_S},
        {POLICY(BEFORE_30, LIVES_1Y), MADE_S, END_S, END_S - 30 * GK_DAY_S},
        {POLICY(BEFORE_30, ""), 0, END_S, END_S - 30 * GK_DAY_S},
        {POLICY(BEFORE_30, ""), MADE_S, 0, 0},
        {POLICY(NOTIFY, LIVES_1Y), MADE_S, 0, MADE_S + 365 * GK_DAY_S},
        {POLICY(ROTATE("\"timeAfterCreate\":\"P18M\""), LIVES_1Y), MADE_S, 0,
         MADE_S + 365 * GK_DAY_S},
        {POLICY(AFTER_90, LIVES_1Y), 0, 0, 0}, /* nobody told when it was made */
        {POLICY(NOTIFY, ",\"attributes\":{\"expiryTime\":null}"), MADE_S, END_S, 0},
        {POLICY(NOTIFY, ",\"attributes\":{\"expiryTime\":\"\"}"), MADE_S, END_S, 0},
        {POLICY("", ""), MADE_S, END_S, 0},
        {"{\"lifetimeActions\":null,\"attributes\":null}", MADE_S, END_S, 0},
        {"{}", MADE_S, END_S, 0},
        {POLICY("{\"action\":{\"type\":\"Explode\"},\"trigger\":7}", ""), MADE_S, END_S, 0},
        {POLICY("{\"action\":{\"type\":\"ROTATE\"},\"trigger\":{\"timeAfterCreate\":\"PT1S\"}}",
                ""),
         MADE_S, 0, MADE_S + 1},
        /* No version is due before it was made. */
        {POLICY(ROTATE("\"timeBeforeExpiry\":\"P99Y\""), ""), MADE_S, END_S, MADE_S},
        {POLICY(ROTATE("\"timeBeforeExpiry\":\"P99Y\""), ""), 0, END_S, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t due_s = -1;
        assert_true(due_of(cases[i].body, cases[i].created_s, cases[i].expires_s, &due_s));
        if (due_s != cases[i].due_s) {
            fail_msg("%zu: %lld instead of %lld", i, (long long)due_s, (long long)cases[i].due_s);
        }
    }
}

static void test_rotation_due__of_no_policy(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "null",
        "[]",
        "\"P90D\"",
        "{",
        "<html>a proxy",
        "{\"id\":\"https://v.vault.azure.net/keys/another/rotationpolicy\"}",
        "{\"id\":\"https://v.vault.azure.net/keys/key\"}",
        "{\"id\":7}",
        "{\"lifetimeActions\":{}}",
        "{\"lifetimeActions\":[7]}",
        "{\"lifetimeActions\":[{}]}",
        "{\"lifetimeActions\":[{\"action\":{\"type\":7}}]}",
        POLICY(ROTATE("\"timeAfterCreate\":90"), ""),
        POLICY(ROTATE("\"timeAfterCreate\":\"90 days\""), ""),
        POLICY(ROTATE("\"timeAfterCreate\":\"P3W\""), ""),
        POLICY(ROTATE("\"timeAfterCreate\":\"P-90D\""), ""),
        POLICY(ROTATE("\"timeAfterCreate\":\"P101Y\""), ""),
        POLICY(ROTATE("\"timeAfterCreate\":\"P99999999999999999999999999999999999999999999D\""),
               ""),
        POLICY(NOTIFY, ",\"attributes\":{\"expiryTime\":{}}"),
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        int64_t due_s = -1;
        if (due_of(bodies[i], MADE_S, END_S, &due_s)) {
            fail_msg("%s is a policy", bodies[i]);
        }
        assert_int_equal(due_s, 0);
    }
}

/* An answer may have the length of the largest that is read. */
static void test_rotation_due__of_many_actions(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    char *body = malloc(COUNT * sizeof AFTER_90 + 64);
    assert_non_null(body);
    strcpy(body, "{\"lifetimeActions\":[");
    char *end = body + strlen(body);
    for (int i = 0; i < COUNT; i++) {
        end = stpcpy(stpcpy(end, i == 0 ? "" : ","), AFTER_90);
    }
    strcpy(end, "]}");
    int64_t due_s = 0;
    assert_true(due_of(body, MADE_S, END_S, &due_s));
    assert_int_equal(due_s, MADE_S + 90 * GK_DAY_S);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rotation_due__is_the_earliest_of_its_times),
        cmocka_unit_test(test_rotation_due__of_no_policy),
        cmocka_unit_test(test_rotation_due__of_many_actions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
