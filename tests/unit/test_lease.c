/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: leases do what the reference's tables say, cell by cell: "Outcomes of lease operations" and
 * "Outcomes of use attempts on blobs" and "on containers by lease state" (Storage REST reference, "Lease
 * Blob", "Lease Container"). Method: the tables, on a clock that stands still.
 */
#include "gateway/blob/lease_action.h"

#include "common/error.h"
#include "common/text.h"
#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define NOW        INT64_C(1767225600000)
#define DURATION_S 30u

enum { A = 1, B = 2, C = 3, X = 4 };

static struct gk_id id_of(uint8_t letter)
{
    struct gk_id id = {{0}};
    id.bytes[15] = letter;
    return id;
}

/* A lease A of DURATION_S that is in this state at NOW: half of its time is over. */
static struct gk_lease lease_in(enum gk_lease_state state)
{
    struct gk_lease lease = {
        .id = id_of(A), .duration_s = DURATION_S, .until_wall_ms = NOW + 15000};
    switch (state) {
    case GK_LEASE_AVAILABLE:
        return (struct gk_lease){.duration_s = 0};
    case GK_LEASE_EXPIRED:
        lease.until_wall_ms = NOW;
        break;
    case GK_LEASE_BREAKING:
        lease.broken_at_wall_ms = NOW + 10000;
        break;
    case GK_LEASE_BROKEN:
        lease.broken_at_wall_ms = NOW;
        break;
    default:
        break;
    }
    assert_int_equal(gk_lease_state(&lease, NOW), state);
    return lease;
}

/* --- outcomes of lease operations ----------------------------------------------------------------*/

/* What comes of an action: the state and whose lease it is, or a code of status 409. */
struct outcome {
    enum gk_lease_state state;
    uint8_t letter;
    const char *code;
};
#define AVAILABLE                                                                                  \
    {                                                                                              \
        GK_LEASE_AVAILABLE, 0, NULL                                                                \
    }
#define LEASED(letter)                                                                             \
    {                                                                                              \
        GK_LEASE_LEASED, letter, NULL                                                              \
    }
#define BREAKING                                                                                   \
    {                                                                                              \
        GK_LEASE_BREAKING, A, NULL                                                                 \
    }
#define BROKEN                                                                                     \
    {                                                                                              \
        GK_LEASE_BROKEN, A, NULL                                                                   \
    }
#define FAILS(code)                                                                                \
    {                                                                                              \
        GK_LEASE_STATES, 0, code                                                                   \
    }
#define PRESENT        FAILS("LeaseAlreadyPresent")
#define MISMATCH       FAILS("LeaseIdMismatchWithLeaseOperation")
#define NO_LEASE       FAILS("LeaseNotPresentWithLeaseOperation")
#define NO_RENEWAL     FAILS("LeaseIsBrokenAndCannotBeRenewed")
#define NO_CHANGE      FAILS("LeaseIsBreakingAndCannotBeChanged")
#define NO_ACQUISITION FAILS("LeaseIsBreakingAndCannotBeAcquired")

static const struct {
    enum gk_lease_action action;
    uint8_t id;
    uint8_t proposed;
    int break_s; /* -1: no period */
    struct outcome outcomes[GK_LEASE_STATES];
} operations[] = {
    /* available, leased, expired, breaking, broken */
    {GK_LEASE_ACQUIRE, 0, X, 0, {LEASED(X), PRESENT, LEASED(X), PRESENT, LEASED(X)}},
    {GK_LEASE_ACQUIRE, 0, A, 0, {LEASED(A), LEASED(A), LEASED(A), NO_ACQUISITION, LEASED(A)}},
    {GK_LEASE_ACQUIRE, 0, B, 0, {LEASED(B), PRESENT, LEASED(B), PRESENT, LEASED(B)}},
    {GK_LEASE_BREAK, 0, 0, 0, {NO_LEASE, BROKEN, BROKEN, BROKEN, BROKEN}},
    {GK_LEASE_BREAK, 0, 0, 5, {NO_LEASE, BREAKING, BROKEN, BREAKING, BROKEN}},
    {GK_LEASE_BREAK, 0, 0, -1, {NO_LEASE, BREAKING, BROKEN, BREAKING, BROKEN}},
    {GK_LEASE_CHANGE, A, B, 0, {NO_LEASE, LEASED(B), NO_LEASE, NO_CHANGE, NO_LEASE}},
    {GK_LEASE_CHANGE, B, A, 0, {NO_LEASE, LEASED(A), NO_LEASE, NO_CHANGE, NO_LEASE}},
    {GK_LEASE_CHANGE, B, C, 0, {NO_LEASE, MISMATCH, NO_LEASE, MISMATCH, NO_LEASE}},
    {GK_LEASE_RENEW, A, 0, 0, {MISMATCH, LEASED(A), LEASED(A), NO_RENEWAL, NO_RENEWAL}},
    {GK_LEASE_RENEW, B, 0, 0, {MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH}},
    {GK_LEASE_RELEASE, A, 0, 0, {MISMATCH, AVAILABLE, AVAILABLE, AVAILABLE, AVAILABLE}},
    {GK_LEASE_RELEASE, B, 0, 0, {MISMATCH, MISMATCH, MISMATCH, MISMATCH, MISMATCH}},
};

static void assert_outcome(const struct outcome *outcome, const struct gk_lease *before,
                           const struct gk_lease *after, enum gk_status status,
                           const struct gk_error *error)
{
    if (outcome->code != NULL) {
        assert_answer(status, error, 409, outcome->code);
        assert_memory_equal(before, after, sizeof *after);
        return;
    }
    const struct gk_id id = id_of(outcome->letter);
    assert_answer(status, error, 0, "");
    assert_int_equal(gk_lease_state(after, NOW), outcome->state);
    assert_true(gk_id_equal(&after->id, &id));
}

static void test_lease__outcomes_of_operations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        for (unsigned from = 0; from < GK_LEASE_STATES; from++) {
            const struct gk_lease_request request = {
                .action = operations[i].action,
                .id = id_of(operations[i].id),
                .proposed = id_of(operations[i].proposed),
                .duration_s = DURATION_S,
                .has_break_period = operations[i].break_s >= 0,
                .break_period_s = operations[i].break_s < 0 ? 0 : (uint32_t)operations[i].break_s};
            const struct gk_lease before = lease_in((enum gk_lease_state)from);
            struct gk_lease after = before;
            struct gk_error error = {0};
            const enum gk_status status = gk_lease_act(&after, &request, NOW, &error);
            assert_outcome(&operations[i].outcomes[from], &before, &after, status, &error);
        }
    }
}

/* --- times ---------------------------------------------------------------------------------------*/

static struct gk_lease after_action(struct gk_lease lease, struct gk_lease_request request)
{
    assert_int_equal(gk_lease_act(&lease, &request, NOW, NULL), GK_OK);
    return lease;
}

static void assert_break_s(struct gk_lease lease, int period_s, uint32_t wanted_s)
{
    const struct gk_lease_request request = {.action = GK_LEASE_BREAK,
                                             .has_break_period = period_s >= 0,
                                             .break_period_s =
                                                 period_s < 0 ? 0 : (uint32_t)period_s};
    lease = after_action(lease, request);
    assert_int_equal(gk_lease_break_time_s(&lease, NOW), wanted_s);
}

/* "This break period is only used if it is shorter than the time remaining on the lease." */
static void test_lease__break_periods(void **state)
{
    (void)state;
    struct gk_lease infinite = lease_in(GK_LEASE_LEASED);
    infinite.duration_s = GK_LEASE_INFINITE_S;
    infinite.until_wall_ms = INT64_MAX;
    assert_break_s(lease_in(GK_LEASE_LEASED), -1, 15);
    assert_break_s(lease_in(GK_LEASE_LEASED), 0, 0);
    assert_break_s(lease_in(GK_LEASE_LEASED), 5, 5);
    assert_break_s(lease_in(GK_LEASE_LEASED), 60, 15);
    assert_break_s(infinite, -1, 0);
    assert_break_s(infinite, 0, 0);
    assert_break_s(infinite, 60, 60);
    assert_break_s(lease_in(GK_LEASE_BREAKING), -1, 10);
    assert_break_s(lease_in(GK_LEASE_BREAKING), 5, 5);
    assert_break_s(lease_in(GK_LEASE_BREAKING), 60, 10);
    assert_break_s(lease_in(GK_LEASE_BROKEN), 60, 0);
    assert_break_s(lease_in(GK_LEASE_EXPIRED), 60, 0);
    struct gk_lease part = lease_in(GK_LEASE_LEASED);
    part.until_wall_ms = NOW + 500;
    assert_break_s(part, -1, 1); /* to the nearest second */
    part.until_wall_ms = NOW + 499;
    assert_break_s(part, -1, 0);
}

static void test_lease__clock_of_a_lease(void **state)
{
    (void)state;
    struct gk_lease lease = after_action(lease_in(GK_LEASE_LEASED),
                                         (struct gk_lease_request){GK_LEASE_RENEW, .id = id_of(A)});
    assert_true(lease.until_wall_ms == NOW + DURATION_S * 1000);
    lease = after_action(lease, (struct gk_lease_request){GK_LEASE_ACQUIRE, .proposed = id_of(A),
                                                          .duration_s = GK_LEASE_INFINITE_S});
    assert_int_equal(gk_lease_state(&lease, INT64_MAX - 1), GK_LEASE_LEASED);
    lease = after_action(lease, (struct gk_lease_request){GK_LEASE_RENEW, .id = id_of(A)});
    assert_int_equal(gk_lease_state(&lease, INT64_MAX - 1), GK_LEASE_LEASED);
    lease = after_action(
        lease_in(GK_LEASE_LEASED),
        (struct gk_lease_request){GK_LEASE_CHANGE, .id = id_of(A), .proposed = id_of(B)});
    assert_true(lease.until_wall_ms == NOW + 15000); /* the clock goes on */
}

/* --- outcomes of use attempts --------------------------------------------------------------------*/

#define N "N" /* LeaseNotPresentWith...Operation */
#define M "M" /* LeaseIdMismatchWith...Operation */

static const struct {
    enum gk_access access;
    uint8_t id;
    const char *codes[GK_LEASE_STATES]; /* NULL: it succeeds */
} attempts[] = {
    /* available, leased, expired, breaking, broken */
    {GK_ACCESS_WRITE, A, {N, NULL, "LeaseLost", NULL, "LeaseLost"}},
    {GK_ACCESS_WRITE, B, {N, M, "LeaseLost", M, "LeaseLost"}},
    {GK_ACCESS_WRITE, 0, {NULL, "LeaseIdMissing", NULL, "LeaseIdMissing", NULL}},
    {GK_ACCESS_READ, A, {N, NULL, "LeaseLost", NULL, "LeaseLost"}},
    {GK_ACCESS_READ, B, {N, M, "LeaseLost", M, "LeaseLost"}},
    {GK_ACCESS_READ, 0, {NULL, NULL, NULL, NULL, NULL}},
};

static const char *code_of(const char *code, enum gk_lease_of of)
{
    const bool blob = of == GK_LEASE_OF_BLOB;
    if (code == NULL) {
        return "";
    }
    if (strcmp(code, N) == 0) {
        return blob ? "LeaseNotPresentWithBlobOperation" : "LeaseNotPresentWithContainerOperation";
    }
    if (strcmp(code, M) == 0) {
        return blob ? "LeaseIdMismatchWithBlobOperation" : "LeaseIdMismatchWithContainerOperation";
    }
    return code;
}

static void check_attempts(enum gk_lease_of of)
{
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        for (unsigned from = 0; from < GK_LEASE_STATES; from++) {
            const struct gk_lease lease = lease_in((enum gk_lease_state)from);
            const struct gk_id id = id_of(attempts[i].id);
            const char *code = attempts[i].codes[from];
            struct gk_error error = {0};
            const enum gk_status status = gk_lease_allows(&lease, attempts[i].id == 0 ? NULL : &id,
                                                          attempts[i].access, of, NOW, &error);
            assert_answer(status, &error, code == NULL ? 0 : 412, code_of(code, of));
        }
    }
}

static void test_lease__use_of_blobs(void **state)
{
    (void)state;
    check_attempts(GK_LEASE_OF_BLOB);
}

static void test_lease__use_of_containers(void **state)
{
    (void)state;
    check_attempts(GK_LEASE_OF_CONTAINER);
}

/* A lease that has ended is gone with the next write: only so does a renewal tell that there was none. */
static void test_lease__after_a_write(void **state)
{
    (void)state;
    static const enum gk_lease_state wanted[GK_LEASE_STATES] = {
        GK_LEASE_AVAILABLE, GK_LEASE_LEASED, GK_LEASE_AVAILABLE, GK_LEASE_BREAKING,
        GK_LEASE_AVAILABLE};
    for (unsigned from = 0; from < GK_LEASE_STATES; from++) {
        const struct gk_lease before = lease_in((enum gk_lease_state)from);
        const struct gk_lease after = gk_lease_after_write(&before, NOW);
        assert_int_equal(gk_lease_state(&after, NOW), wanted[from]);
    }
}

static void test_lease__as_it_is_told(void **state)
{
    (void)state;
    static const char *const told[GK_LEASE_STATES][3] = {{"unlocked", "available", NULL},
                                                         {"locked", "leased", "fixed"},
                                                         {"unlocked", "expired", NULL},
                                                         {"locked", "breaking", NULL},
                                                         {"unlocked", "broken", NULL}};
    for (unsigned from = 0; from < GK_LEASE_STATES; from++) {
        const struct gk_lease lease = lease_in((enum gk_lease_state)from);
        const struct gk_lease_view view = gk_lease_view_of(&lease, NOW);
        assert_string_equal(view.status, told[from][0]);
        assert_string_equal(view.state, told[from][1]);
        assert_int_equal(view.duration != NULL, told[from][2] != NULL);
    }
    struct gk_lease infinite = lease_in(GK_LEASE_LEASED);
    infinite.duration_s = GK_LEASE_INFINITE_S;
    assert_string_equal(gk_lease_view_of(&infinite, NOW).duration, "infinite");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lease__outcomes_of_operations),
        cmocka_unit_test(test_lease__break_periods),
        cmocka_unit_test(test_lease__clock_of_a_lease),
        cmocka_unit_test(test_lease__use_of_blobs),
        cmocka_unit_test(test_lease__use_of_containers),
        cmocka_unit_test(test_lease__after_a_write),
        cmocka_unit_test(test_lease__as_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
