/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a policy protects until its date and a legal hold until it is taken away; a locked policy can be
 * extended and nothing else. Method: tables.
 */
#include "gateway/blob/immutability_headers.h"

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define NOW   INT64_C(1767225600000) /* Thu, 01 Jan 2026 00:00:00 GMT */
#define DAY   INT64_C(86400000)
#define UNTIL "x-ms-immutability-policy-until-date"
#define MODE  "x-ms-immutability-policy-mode"
#define HOLD  "x-ms-legal-hold"
#define LATER "Fri, 02 Jan 2026 00:00:00 GMT"
#define CODE  "BlobImmutableDueToPolicy"

static void test_immutability__protects(void **state)
{
    (void)state;
    static const struct {
        struct gk_immutability is;
        bool protects;
    } rows[] = {
        {{GK_POLICY_NONE, 0, false}, false},       {{GK_POLICY_UNLOCKED, NOW + 1, false}, true},
        {{GK_POLICY_UNLOCKED, NOW, false}, false}, {{GK_POLICY_LOCKED, NOW + 1, false}, true},
        {{GK_POLICY_LOCKED, NOW, false}, false},   {{GK_POLICY_NONE, 0, true}, true},
        {{GK_POLICY_LOCKED, NOW, true}, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_error error = {0};
        assert_answer(gk_immutability_check(&rows[i].is, NOW, &error), &error,
                      rows[i].protects ? 409 : 0, rows[i].protects ? CODE : "");
    }
}

/* A policy until NOW + DAY of each mode, set to something else. */
static void test_immutability__policies_change(void **state)
{
    (void)state;
    static const struct {
        enum gk_policy_mode from;
        enum gk_policy_mode to;
        int64_t until;
        bool allowed;
    } rows[] = {
        {GK_POLICY_NONE, GK_POLICY_UNLOCKED, NOW + 1, true},
        {GK_POLICY_NONE, GK_POLICY_LOCKED, NOW + 1, true},
        {GK_POLICY_UNLOCKED, GK_POLICY_UNLOCKED, NOW + 1, true},
        {GK_POLICY_UNLOCKED, GK_POLICY_UNLOCKED, NOW + 2 * DAY, true},
        {GK_POLICY_UNLOCKED, GK_POLICY_LOCKED, NOW + 1, true},
        {GK_POLICY_LOCKED, GK_POLICY_UNLOCKED, NOW + 2 * DAY, false},
        {GK_POLICY_LOCKED, GK_POLICY_LOCKED, NOW + DAY - 1, false},
        {GK_POLICY_LOCKED, GK_POLICY_LOCKED, NOW + DAY, true},
        {GK_POLICY_LOCKED, GK_POLICY_LOCKED, NOW + 2 * DAY, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gk_immutability before = {rows[i].from, NOW + DAY, true};
        struct gk_immutability is = before;
        struct gk_error error = {0};
        const enum gk_status status =
            gk_immutability_set_policy(&is, rows[i].to, rows[i].until, &error);
        assert_answer(status, &error, rows[i].allowed ? 0 : 409, rows[i].allowed ? "" : CODE);
        assert_int_equal(is.mode, rows[i].allowed ? rows[i].to : before.mode);
        assert_true(is.until_wall_ms == (rows[i].allowed ? rows[i].until : before.until_wall_ms));
        assert_true(is.legal_hold);
    }
}

static void test_immutability__policies_go(void **state)
{
    (void)state;
    struct gk_error error = {0};
    struct gk_immutability is = {GK_POLICY_UNLOCKED, NOW + DAY, true};
    assert_int_equal(gk_immutability_delete_policy(&is, NULL), GK_OK);
    assert_int_equal(gk_immutability_delete_policy(&is, NULL), GK_OK); /* there is none any more */
    assert_true(is.mode == GK_POLICY_NONE && is.legal_hold);
    is.mode = GK_POLICY_LOCKED;
    assert_answer(gk_immutability_delete_policy(&is, &error), &error, 409, CODE);
    assert_int_equal(is.mode, GK_POLICY_LOCKED);
}

static void test_immutability__headers(void **state)
{
    (void)state;
    static const struct {
        struct gk_pair headers[4];
        unsigned status;
        const char *code;
        struct gk_immutability is;
    } rows[] = {
        {{{NULL, NULL}}, 0, "", {GK_POLICY_NONE, 0, false}},
        {{{UNTIL, LATER}}, 0, "", {GK_POLICY_UNLOCKED, NOW + DAY, false}},
        {{{UNTIL, LATER}, {MODE, "Unlocked"}}, 0, "", {GK_POLICY_UNLOCKED, NOW + DAY, false}},
        {{{UNTIL, LATER}, {MODE, "locked"}}, 0, "", {GK_POLICY_LOCKED, NOW + DAY, false}},
        {{{UNTIL, LATER}, {HOLD, "true"}}, 0, "", {GK_POLICY_UNLOCKED, NOW + DAY, true}},
        {{{HOLD, "True"}}, 0, "", {GK_POLICY_NONE, 0, true}},
        {{{HOLD, "false"}}, 0, "", {GK_POLICY_NONE, 0, false}},
        {{{HOLD, "yes"}}, 400, "InvalidHeaderValue", {0}},
        {{{MODE, "Locked"}}, 400, "MissingRequiredHeader", {0}},
        {{{UNTIL, LATER}, {MODE, "Mutable"}}, 400, "InvalidHeaderValue", {0}},
        {{{UNTIL, "Thu, 01 Jan 2026 00:00:00 GMT"}}, 400, "InvalidHeaderValue", {0}},
        {{{UNTIL, "2026-01-02"}}, 400, "InvalidHeaderValue", {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct headed headed;
        struct gk_error error = {0};
        struct gk_immutability is;
        headed_init(&headed, rows[i].headers);
        headed.request.received_wall_ms = NOW;
        headed.request.permissions = GK_PERMIT_ALL;
        assert_answer(gk_immutability_read(&headed.request, &is, &error), &error, rows[i].status,
                      rows[i].code);
        if (rows[i].status == 0) {
            assert_int_equal(is.mode, rows[i].is.mode);
            assert_true(is.until_wall_ms == rows[i].is.until_wall_ms);
            assert_int_equal(is.legal_hold, rows[i].is.legal_hold);
        }
    }
}

/* Who may write may not yet say for how long. */
static void test_immutability__permission(void **state)
{
    (void)state;
    static const struct gk_pair hold[] = {{HOLD, "false"}, {NULL, NULL}};
    static const struct gk_pair policy[] = {{UNTIL, LATER}, {NULL, NULL}};
    static const struct gk_pair nothing[] = {{NULL, NULL}};
    const struct {
        const struct gk_pair *headers;
        unsigned status;
    } rows[] = {{hold, 403}, {policy, 403}, {nothing, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct headed headed;
        struct gk_error error = {0};
        struct gk_immutability is;
        headed_init(&headed, rows[i].headers);
        headed.request.received_wall_ms = NOW;
        headed.request.permissions = GK_PERMIT_WRITE | GK_PERMIT_CREATE | GK_PERMIT_DELETE;
        assert_answer(gk_immutability_read(&headed.request, &is, &error), &error, rows[i].status,
                      rows[i].status == 0 ? "" : "AuthorizationPermissionMismatch");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_immutability__protects),
        cmocka_unit_test(test_immutability__policies_change),
        cmocka_unit_test(test_immutability__policies_go),
        cmocka_unit_test(test_immutability__headers),
        cmocka_unit_test(test_immutability__permission),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
