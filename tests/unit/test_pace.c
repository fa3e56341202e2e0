/* SPDX-License-Identifier: Apache-2.0 */
/* A vault is asked in bursts of a bounded size and, over time, at a bounded rate; each on its own. */
#include "keyprovider/pace.h"

#include "unit/cmocka_all.h"

#define COST  5
#define BURST ((int)(GK_KV_PACE_BURST_MS / COST))
#define NOW   5000
#define NEVER INT64_MAX

static void test_pace__a_burst_then_the_rate(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, NOW, NEVER), NOW);
    }
    for (int i = 1; i <= 50; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://A", COST, NOW, NEVER),
                         NOW + (int64_t)i * COST);
    }
    assert_int_equal(gk_kv_pace_take(&paces, "https://b", COST, NOW, NEVER), NOW);
    gk_kv_paces_cleanup(&paces);
}

static void test_pace__larger_keys_take_more_of_it(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    assert_int_equal(gk_kv_pace_cost_ms(0), COST);
    assert_int_equal(gk_kv_pace_cost_ms(256), COST);
    assert_int_equal(gk_kv_pace_cost_ms(384), 4 * COST);
    assert_int_equal(gk_kv_pace_cost_ms(512), 8 * COST);
    for (int i = 0; i < GK_KV_PACE_BURST_MS / (8 * COST); i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", 8 * COST, NOW, NEVER), NOW);
    }
    assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, NOW, NEVER), NOW + COST);
    assert_int_equal(gk_kv_pace_take(&paces, "https://a", 8 * COST, NOW, NEVER), NOW + 9 * COST);
    gk_kv_paces_cleanup(&paces);
}

static void test_pace__fills_again(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    for (int i = 0; i < BURST; i++) {
        (void)gk_kv_pace_take(&paces, "https://a", COST, NOW, NEVER);
    }
    const int64_t later = NOW + 3 * (int64_t)COST;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, later, NEVER), later);
    }
    assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, later, NEVER), later + COST);
    const int64_t much_later = NOW + 1000000;
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, much_later, NEVER), much_later);
    }
    assert_true(gk_kv_pace_take(&paces, "https://a", COST, much_later, NEVER) > much_later);
    gk_kv_paces_cleanup(&paces);
}

static void test_pace__who_gives_up_takes_no_place(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    for (int i = 0; i < BURST; i++) {
        (void)gk_kv_pace_take(&paces, "https://a", COST, NOW, NEVER);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, NOW, NOW + 1), NOW + COST);
    }
    gk_kv_paces_cleanup(&paces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace__a_burst_then_the_rate),
        cmocka_unit_test(test_pace__larger_keys_take_more_of_it),
        cmocka_unit_test(test_pace__fills_again),
        cmocka_unit_test(test_pace__who_gives_up_takes_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
