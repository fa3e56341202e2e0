/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: durations and rotation policies are taken as documented and nothing else is; a version is
 * due, and expires, on the day that the calendar says. Method: tables of texts.
 */
#include "keyvaultd/rotation_policy.h"

#include <string.h>

#include "common/text.h"
#include "keyvaultd/key.h"
#include "unit/cmocka_all.h"

static int64_t seconds_of(const char *date)
{
    int64_t wall_ms = 0;
    assert_true(gk_time_iso_parse(date, &wall_ms));
    return wall_ms / 1000;
}

static void test_duration__of_the_calendar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *from;
        const char *after;
        const char *before;
        int64_t nominal_days;
    } cases[] = {
        {"P90D", "2026-01-01T10:00:00Z", "2026-04-01T10:00:00Z", "2025-10-03T10:00:00Z", 90},
        {"P1M", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00Z", "2025-12-31T10:00:00Z", 30},
        {"P1M", "2028-03-30T10:00:00Z", "2028-04-30T10:00:00Z", "2028-02-29T10:00:00Z", 30},
        {"P1Y10D", "2024-02-29T10:00:00Z", "2025-03-10T10:00:00Z", "2023-02-18T10:00:00Z", 375},
        {"P18M", "2026-08-31T00:00:00Z", "2028-02-29T00:00:00Z", "2025-02-28T00:00:00Z", 545},
        {"PT48H", "2026-12-31T01:02:03Z", "2027-01-02T01:02:03Z", "2026-12-29T01:02:03Z", 2},
        {"P1DT23H59M60S", "2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z", "2026-05-30T00:00:00Z",
         2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gk_duration duration;
        const int64_t from_s = seconds_of(cases[i].from);
        assert_true(gk_duration_parse(cases[i].text, &duration));
        assert_string_equal(duration.text, cases[i].text);
        assert_int_equal(gk_duration_after_s(&duration, from_s), seconds_of(cases[i].after));
        assert_int_equal(gk_duration_before_s(&duration, from_s), seconds_of(cases[i].before));
        assert_int_equal(gk_duration_nominal_s(&duration), cases[i].nominal_days * GK_DAY_S);
    }
}

static void test_duration__refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "P",
                                        "PT",
                                        "90",
                                        "P90",
                                        "90D",
                                        "p90D",
                                        "P90d",
                                        "-P90D",
                                        "P-9D",
                                        "P+9D",
                                        "P1.5D",
                                        "P 9D",
                                        "P9D ",
                                        "P1W",
                                        "P1D1Y",
                                        "P1D2D",
                                        "P1H",
                                        "PT1D",
                                        "P1DT",
                                        "PTT1H",
                                        "PT1HT1M",
                                        "P101Y",
                                        "P1000001D",
                                        "PD",
                                        "PT1M1H",
                                        "P1\xc2\xa0"
                                        "D",
                                        "P00000000000000000000000000000000000001D"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gk_duration duration = {.text = "kept"};
        assert_false(gk_duration_parse(texts[i], &duration));
        assert_string_equal(duration.text, "kept");
    }
}

static const char *read_text(const char *text, bool managed_hsm, struct kv_rotation_policy *policy)
{
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    const char *wrong = kv_rotation_policy_read(body, managed_hsm, policy);
    json_decref(body);
    return wrong;
}

#define ACTION(type, trigger, time)                                                                \
    "{\"trigger\":{\"" trigger "\":\"" time "\"},\"action\":{\"type\":\"" type "\"}}"
#define AFTER(time)   ACTION("Rotate", "timeAfterCreate", time)
#define BEFORE(time)  ACTION("rotate", "timeBeforeExpiry", time)
#define NOTIFY(time)  ACTION("NOTIFY", "timeBeforeExpiry", time)
#define ACTIONS(list) "{\"lifetimeActions\":[" list "]}"
#define POLICY(list, expiry)                                                                       \
    "{\"lifetimeActions\":[" list "],\"attributes\":{\"expiryTime\":\"" expiry "\"}}"

static void test_rotation_policy__takes_what_is_documented(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool vault;
        bool managed_hsm;
    } cases[] = {
        {"{}", true, true},
        {"{\"lifetimeActions\":null,\"attributes\":{\"expiryTime\":null}}", true, true},
        {POLICY("", ""), true, true},
        {ACTIONS(AFTER("P7D")), true, false},
        {ACTIONS(AFTER("P28D")), true, true},
        {ACTIONS(AFTER("P18M") "," NOTIFY("P30D")), true, false},
        {POLICY(AFTER("P90D") "," NOTIFY("P30D"), "P2Y"), true, false},
        {POLICY(NOTIFY("P30D") "," BEFORE("P30D"), "P90D"), true, false},
        {POLICY(BEFORE("P28D"), "P56D"), true, true},
        {POLICY(BEFORE("P21D"), "P28D"), true, false},
        {POLICY("", "PT672H"), true, true},
        /* Too short, or not to be told apart from at once. */
        {ACTIONS(AFTER("P6D")), false, false},
        {POLICY("", "P27D"), false, false},
        {POLICY(AFTER("P28D"), "P28D"), false, false},
        {POLICY(BEFORE("P22D"), "P28D"), false, false},
        {POLICY(BEFORE("P6D"), "P28D"), false, false},
        {ACTIONS(BEFORE("P30D")), false, false},
        /* Not of that form. */
        {ACTIONS(AFTER("P28D") "," BEFORE("P30D")), false, false},
        {ACTIONS(NOTIFY("P28D") "," NOTIFY("P28D")), false, false},
        {ACTIONS(AFTER("P28D") "," NOTIFY("P28D") "," NOTIFY("P30D")), false, false},
        {ACTIONS(ACTION("Notify", "timeAfterCreate", "P30D")), false, false},
        {ACTIONS(ACTION("Renew", "timeAfterCreate", "P30D")), false, false},
        {ACTIONS(AFTER("30 days")), false, false},
        {ACTIONS(AFTER("")), false, false},
        {ACTIONS("{}"), false, false},
        {ACTIONS("null"), false, false},
        {ACTIONS("{\"trigger\":{\"timeAfterCreate\":28},\"action\":{\"type\":\"Rotate\"}}"), false,
         false},
        {"{\"lifetimeActions\":{}}", false, false},
        {"{\"attributes\":{\"expiryTime\":90}}", false, false},
        {POLICY("", "soon"), false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kv_rotation_policy policy = {.created_s = 5};
        const char *wrong = read_text(cases[i].text, false, &policy);
        assert_int_equal(wrong == NULL, cases[i].vault);
        assert_int_equal(policy.created_s, wrong == NULL ? 0 : 5); /* untouched where refused */
        wrong = read_text(cases[i].text, true, &policy);
        assert_int_equal(wrong == NULL, cases[i].managed_hsm);
    }
}

static void test_rotation_policy__is_shown_as_it_was_set(void **state)
{
    (void)state;
    struct kv_rotation_policy policy;
    struct kv_rotation_policy again;
    assert_null(read_text(POLICY(AFTER("P18M") "," NOTIFY("P1M"), "P2Y"), false, &policy));
    json_t *view = kv_rotation_policy_view(&policy, false);
    assert_null(kv_rotation_policy_read(view, false, &again));
    json_decref(view);
    assert_memory_equal(&policy, &again, sizeof policy);
    /* Nothing set: a vault notifies by default, a Managed HSM does not. */
    static const struct kv_rotation_policy none;
    view = kv_rotation_policy_view(&none, false);
    assert_null(kv_rotation_policy_read(view, false, &again));
    assert_string_equal(again.notify_before_expiry.text, "P30D");
    json_decref(view);
    view = kv_rotation_policy_view(&none, true);
    assert_int_equal(json_array_size(json_object_get(view, "lifetimeActions")), 0);
    json_decref(view);
}

static void test_rotation_policy__says_when_a_version_is_due(void **state)
{
    (void)state;
    struct kv_rotation_policy policy;
    const int64_t created_s = seconds_of("2026-01-31T00:00:00Z");
    struct kv_attributes current = {.enabled = true, .created_s = created_s};
    assert_null(read_text(POLICY(AFTER("P1M"), "P90D"), false, &policy));
    const int64_t due_s = seconds_of("2026-02-28T00:00:00Z");
    assert_false(kv_rotation_policy_due(&policy, &current, due_s - 1));
    assert_true(kv_rotation_policy_due(&policy, &current, due_s));
    assert_int_equal(kv_rotation_policy_exp_s(&policy, created_s), created_s + 90 * GK_DAY_S);
    current.enabled = false;
    assert_false(kv_rotation_policy_due(&policy, &current, due_s));
    current.enabled = true;
    assert_null(read_text(POLICY(BEFORE("P30D"), "P90D"), false, &policy));
    assert_false(kv_rotation_policy_due(&policy, &current, INT64_C(4102444800))); /* no end */
    current.exp_s = seconds_of("2026-06-01T00:00:00Z");
    assert_false(kv_rotation_policy_due(&policy, &current, current.exp_s - 30 * GK_DAY_S - 1));
    assert_true(kv_rotation_policy_due(&policy, &current, current.exp_s - 30 * GK_DAY_S));
    assert_null(read_text("{}", false, &policy));
    assert_false(kv_rotation_policy_due(&policy, &current, INT64_C(4102444800)));
    assert_int_equal(kv_rotation_policy_exp_s(&policy, created_s), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration__of_the_calendar),
        cmocka_unit_test(test_duration__refuses_what_is_none),
        cmocka_unit_test(test_rotation_policy__takes_what_is_documented),
        cmocka_unit_test(test_rotation_policy__is_shown_as_it_was_set),
        cmocka_unit_test(test_rotation_policy__says_when_a_version_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
