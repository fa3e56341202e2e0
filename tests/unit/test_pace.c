/* SPDX-License-Identifier: Apache-2.0 */
/* A vault is asked in bursts of a bounded size and, over time, at a bounded rate; each on its own. */
#include "keyprovider/pace.h"

#include "unit/cmocka_all.h"

#define BURST ((int)(GK_KV_PACE_BURST_MS / GK_KV_PACE_INTERVAL_MS))
#define NOW   5000
#define NEVER INT64_MAX

static void test_pace__a_burst_then_the_rate(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", NOW, NEVER), NOW);
    }
    for (int i = 1; i <= 50; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://A", NOW, NEVER),
                         NOW + (int64_t)i * GK_KV_PACE_INTERVAL_MS);
    }
    assert_int_equal(gk_kv_pace_take(&paces, "https://b", NOW, NEVER), NOW);
    gk_kv_paces_cleanup(&paces);
}

static void test_pace__fills_again(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    for (int i = 0; i < BURST; i++) {
        (void)gk_kv_pace_take(&paces, "https://a", NOW, NEVER);
    }
    const int64_t later = NOW + 3 * (int64_t)GK_KV_PACE_INTERVAL_MS;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", later, NEVER), later);
    }
    assert_int_equal(gk_kv_pace_take(&paces, "https://a", later, NEVER),
                     later + GK_KV_PACE_INTERVAL_MS);
    const int64_t much_later = NOW + 1000000;
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", much_later, NEVER), much_later);
    }
    assert_true(gk_kv_pace_take(&paces, "https://a", much_later, NEVER) > much_later);
    gk_kv_paces_cleanup(&paces);
}

static void test_pace__who_gives_up_takes_no_place(void **state)
{
    (void)state;
    struct gk_kv_paces paces = {0};
    for (int i = 0; i < BURST; i++) {
        (void)gk_kv_pace_take(&paces, "https://a", NOW, NEVER);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", NOW, NOW + 1),
                         NOW + GK_KV_PACE_INTERVAL_MS);
    }
    gk_kv_paces_cleanup(&paces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace__a_burst_then_the_rate),
        cmocka_unit_test(test_pace__fills_again),
        cmocka_unit_test(test_pace__who_gives_up_takes_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
