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
    struct gk_kv_paces paces = {.gateways = 1};
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
    struct gk_kv_paces paces = {.gateways = 1};
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
    struct gk_kv_paces paces = {.gateways = 1};
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
    struct gk_kv_paces paces = {.gateways = 1};
    for (int i = 0; i < BURST; i++) {
        (void)gk_kv_pace_take(&paces, "https://a", COST, NOW, NEVER);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(gk_kv_pace_take(&paces, "https://a", COST, NOW, NOW + 1), NOW + COST);
    }
    gk_kv_paces_cleanup(&paces);
}

/* What gateways that know of each other ask one vault for in some seconds, all as much as they may. */
static int asked_by(unsigned gateways, uint32_t cost_ms, int64_t for_ms)
{
    struct gk_kv_paces paces = {.gateways = gateways};
    int asked = 0;
    while (gk_kv_pace_take(&paces, "https://a", cost_ms, NOW, NOW + for_ms) < NOW + for_ms) {
        asked++;
    }
    gk_kv_paces_cleanup(&paces);
    return asked * (int)gateways;
}

static void test_pace__gateways_share_what_a_vault_takes(void **state)
{
    (void)state;
    enum { FOR_MS = 10000 };
    static const unsigned gateways[] = {1, 2, 3, 25, 100};
    static const uint32_t costs_ms[] = {COST, 4 * COST, 8 * COST};
    for (size_t i = 0; i < sizeof gateways / sizeof gateways[0]; i++) {
        for (size_t j = 0; j < sizeof costs_ms / sizeof costs_ms[0]; j++) {
            const int all = asked_by(gateways[i], costs_ms[j], FOR_MS);
            const int taken = (FOR_MS + GK_KV_PACE_BURST_MS) / (int)costs_ms[j];
            /* A gateway that has nothing left of a second's worth still has one request at once. */
            assert_in_range(all, taken - 2 * (int)gateways[i], taken + (int)gateways[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pace__a_burst_then_the_rate),
        cmocka_unit_test(test_pace__larger_keys_take_more_of_it),
        cmocka_unit_test(test_pace__fills_again),
        cmocka_unit_test(test_pace__who_gives_up_takes_no_place),
        cmocka_unit_test(test_pace__gateways_share_what_a_vault_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
