/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a tier is what was set, an archived blob is read again only when its time is over, and what is on
 * its way is neither changed nor stopped. Method: a table of settings, on a clock that is moved.
 */
#include "gateway/blob/tier.h"

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define NOW        INT64_C(1767225600000)
#define STANDARD_S 3600
#define HIGH_S     300
#define MINUTE_MS  INT64_C(60000)

struct blob {
    enum gk_tier tier;
    struct gk_tier_times times;
};

static enum gk_status set(struct blob *blob, enum gk_tier tier, bool high, int64_t wall_ms,
                          bool *pending, struct gk_error *error)
{
    const struct gk_tier_request asked = {
        .tier = tier, .high_priority = high, .standard_s = STANDARD_S, .high_s = HIGH_S};
    return gk_tier_set(&blob->tier, &blob->times, &asked, wall_ms, pending, error);
}

static struct blob blob_in(enum gk_tier tier)
{
    struct blob blob = {.tier = tier};
    gk_tier_begin(tier, &blob.times, NOW - MINUTE_MS);
    return blob;
}

static struct gk_tier_view view_at(const struct blob *blob, int64_t wall_ms)
{
    return gk_tier_view_of(blob->tier, &blob->times, wall_ms);
}

static void assert_online(const struct blob *blob, int64_t wall_ms, const char *code)
{
    struct gk_error error = {0};
    const enum gk_status status = gk_tier_check_online(blob->tier, &blob->times, wall_ms, &error);
    assert_answer(status, &error, code[0] == '\0' ? 0 : 409, code);
}

static void test_tier__names(void **state)
{
    (void)state;
    enum gk_tier tier = GK_TIER_INFERRED;
    assert_true(gk_tier_parse("archive", &tier));
    assert_int_equal(tier, GK_TIER_ARCHIVE);
    assert_true(gk_tier_parse("HOT", &tier));
    assert_int_equal(tier, GK_TIER_HOT);
    assert_false(gk_tier_parse("Smart", &tier));
    assert_false(gk_tier_parse("P10", &tier));
    assert_false(gk_tier_parse("", &tier));
}

/* From each tier to each: what is told at once. */
static void test_tier__at_once(void **state)
{
    (void)state;
    for (unsigned from = 0; from < GK_TIER_ARCHIVE; from++) {
        for (unsigned to = GK_TIER_HOT; to < GK_TIERS; to++) {
            struct blob blob = blob_in((enum gk_tier)from);
            const int64_t before = blob.times.changed_wall_ms;
            bool pending = true;
            assert_int_equal(set(&blob, (enum gk_tier)to, false, NOW, &pending, NULL), GK_OK);
            assert_false(pending);
            assert_int_equal(blob.tier, to);
            const struct gk_tier_view view = view_at(&blob, NOW);
            assert_true(view.changed_wall_ms == (from == to ? before : NOW));
            assert_false(view.inferred);
            assert_null(view.archive_status);
            assert_online(&blob, NOW, to == GK_TIER_ARCHIVE ? "BlobArchived" : "");
        }
    }
    const struct blob fresh = blob_in(GK_TIER_INFERRED);
    const struct gk_tier_view view = view_at(&fresh, NOW);
    assert_string_equal(view.name, "Hot");
    assert_true(view.inferred && view.changed_wall_ms == 0);
}

static void test_tier__rehydration(void **state)
{
    (void)state;
    static const struct {
        enum gk_tier to;
        bool high;
        int64_t takes_ms;
        const char *status;
        const char *name;
    } rows[] = {{GK_TIER_HOT, false, STANDARD_S * 1000, "rehydrate-pending-to-hot", "Hot"},
                {GK_TIER_COOL, true, HIGH_S * 1000, "rehydrate-pending-to-cool", "Cool"},
                {GK_TIER_COLD, false, STANDARD_S * 1000, "rehydrate-pending-to-cold", "Cold"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct blob blob = blob_in(GK_TIER_ARCHIVE);
        bool pending = false;
        assert_int_equal(set(&blob, rows[i].to, rows[i].high, NOW, &pending, NULL), GK_OK);
        assert_true(pending);
        const int64_t last = NOW + rows[i].takes_ms - 1;
        struct gk_tier_view view = view_at(&blob, last);
        assert_string_equal(view.name, "Archive");
        assert_string_equal(view.archive_status, rows[i].status);
        assert_string_equal(view.priority, rows[i].high ? "High" : "Standard");
        assert_true(view.changed_wall_ms == NOW);
        assert_online(&blob, last, "BlobBeingRehydrated");
        view = view_at(&blob, last + 1);
        assert_string_equal(view.name, rows[i].name);
        assert_null(view.archive_status);
        assert_null(view.priority);
        assert_true(view.changed_wall_ms == last + 1);
        assert_online(&blob, last + 1, "");
    }
}

static void test_tier__what_is_on_its_way(void **state)
{
    (void)state;
    struct blob blob = blob_in(GK_TIER_ARCHIVE);
    struct gk_error error = {0};
    bool pending = false;
    assert_int_equal(set(&blob, GK_TIER_HOT, false, NOW, &pending, NULL), GK_OK);
    const struct blob before = blob;
    for (unsigned to = GK_TIER_COOL; to < GK_TIERS; to++) {
        error = (struct gk_error){0};
        const enum gk_status status = set(&blob, (enum gk_tier)to, true, NOW, &pending, &error);
        assert_answer(status, &error, 409, "BlobBeingRehydrated");
        assert_memory_equal(&blob, &before, sizeof blob);
    }
    assert_int_equal(set(&blob, GK_TIER_HOT, false, NOW + MINUTE_MS, &pending, NULL), GK_OK);
    assert_true(pending);
    assert_memory_equal(&blob, &before, sizeof blob);
    assert_int_equal(set(&blob, GK_TIER_HOT, true, NOW + MINUTE_MS, &pending, NULL), GK_OK);
    assert_true(pending && blob.times.ready_wall_ms == NOW + MINUTE_MS + HIGH_S * 1000);
    const struct blob hastened = blob;
    assert_int_equal(set(&blob, GK_TIER_HOT, false, NOW + MINUTE_MS, &pending, NULL), GK_OK);
    assert_memory_equal(&blob, &hastened, sizeof blob);
}

/* Never later than it would have been. */
static void test_tier__high_priority_near_the_end(void **state)
{
    (void)state;
    struct blob blob = blob_in(GK_TIER_ARCHIVE);
    bool pending = false;
    assert_int_equal(set(&blob, GK_TIER_HOT, false, NOW, &pending, NULL), GK_OK);
    const int64_t ready = blob.times.ready_wall_ms;
    assert_int_equal(set(&blob, GK_TIER_HOT, true, ready - 1, &pending, NULL), GK_OK);
    assert_true(pending && blob.times.ready_wall_ms == ready);
    assert_int_equal(set(&blob, GK_TIER_ARCHIVE, false, ready, &pending, NULL), GK_OK);
    assert_false(pending);
    assert_int_equal(blob.tier, GK_TIER_ARCHIVE);
    assert_true(view_at(&blob, ready).changed_wall_ms == ready);
    assert_int_equal(set(&blob, GK_TIER_ARCHIVE, false, ready, &pending, NULL), GK_OK);
    assert_false(pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tier__names),
        cmocka_unit_test(test_tier__at_once),
        cmocka_unit_test(test_tier__rehydration),
        cmocka_unit_test(test_tier__what_is_on_its_way),
        cmocka_unit_test(test_tier__high_priority_near_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
