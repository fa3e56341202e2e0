/* SPDX-License-Identifier: Apache-2.0 */
/* A vault that is silent is asked by one at a time, less and less often to a bound; any answer ends that. */
#include "keyprovider/breaker.h"

#include "unit/cmocka_all.h"

#define VAULT "https://a"
#define OTHER "https://b"
#define START 5000
#define NEVER INT64_MAX

/* Silences of it until the breaker is open. */
static void open_breaker(struct gk_kv_breakers *breakers, int64_t now_ms)
{
    for (unsigned i = 1; i < GK_KV_BREAKER_SILENCES; i++) {
        assert_int_equal(gk_kv_breaker_ask(breakers, VAULT, now_ms, NEVER), now_ms);
        assert_false(gk_kv_breaker_silent(breakers, VAULT, now_ms, "NoAnswer", "timed out"));
    }
    assert_true(gk_kv_breaker_silent(breakers, VAULT, now_ms, "NoAnswer", "refused"));
}

static void test_breaker__opens_for_silences_in_a_row(void **state)
{
    (void)state;
    struct gk_kv_breakers breakers = {0};
    for (unsigned i = 0; i < 5 * GK_KV_BREAKER_SILENCES; i++) {
        assert_false(gk_kv_breaker_silent(&breakers, VAULT, START, "NoAnswer", ""));
        if (i % (GK_KV_BREAKER_SILENCES - 1) == 0) {
            assert_false(gk_kv_breaker_answered(&breakers, VAULT));
        }
        assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, START, NEVER), START);
    }
    assert_false(gk_kv_breaker_answered(&breakers, VAULT));
    open_breaker(&breakers, START);
    assert_true(gk_kv_breaker_ask(&breakers, VAULT, START, NEVER) > START);
    assert_true(gk_kv_breaker_ask(&breakers, "HTTPS://A", START, NEVER) > START);
    assert_int_equal(gk_kv_breaker_ask(&breakers, OTHER, START, NEVER), START);
    gk_kv_breakers_cleanup(&breakers);
}

static void test_breaker__lets_one_probe_through(void **state)
{
    (void)state;
    struct gk_kv_breakers breakers = {0};
    open_breaker(&breakers, START);
    const int64_t probe_ms = gk_kv_breaker_ask(&breakers, VAULT, START, NEVER);
    assert_in_range(probe_ms - START, GK_KV_BREAKER_PAUSE_FIRST_MS / 2,
                    GK_KV_BREAKER_PAUSE_FIRST_MS);
    assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, probe_ms - 1, NEVER), probe_ms);
    assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, probe_ms, NEVER), probe_ms);
    for (int i = 0; i < 10; i++) {
        assert_true(gk_kv_breaker_ask(&breakers, VAULT, probe_ms, NEVER) > probe_ms);
    }
    gk_kv_breakers_cleanup(&breakers);
}

static void test_breaker__who_has_no_time_left_is_no_probe(void **state)
{
    (void)state;
    struct gk_kv_breakers breakers = {0};
    assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, START, START - 1), START);
    open_breaker(&breakers, START);
    const int64_t probe_ms = gk_kv_breaker_ask(&breakers, VAULT, START, NEVER);
    assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, probe_ms, probe_ms - 1), INT64_MAX);
    assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, probe_ms, probe_ms), probe_ms);
    gk_kv_breakers_cleanup(&breakers);
}

static void test_breaker__waits_longer_to_a_bound(void **state)
{
    (void)state;
    struct gk_kv_breakers breakers = {0};
    open_breaker(&breakers, START);
    int64_t now_ms = START;
    for (unsigned i = 0; i < 20; i++) {
        const int64_t probe_ms = gk_kv_breaker_ask(&breakers, VAULT, now_ms, NEVER);
        assert_true(probe_ms - now_ms <= GK_KV_BREAKER_PAUSE_MAX_MS);
        assert_true(i < 4 || probe_ms - now_ms >= GK_KV_BREAKER_PAUSE_MAX_MS / 2);
        now_ms = probe_ms;
        assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, now_ms, NEVER), now_ms);
        assert_false(gk_kv_breaker_silent(&breakers, VAULT, now_ms, "NoAnswer", ""));
    }
    assert_true(gk_kv_breaker_answered(&breakers, VAULT));
    assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, now_ms, NEVER), now_ms);
    open_breaker(&breakers, now_ms);
    assert_true(gk_kv_breaker_ask(&breakers, VAULT, now_ms, NEVER) <=
                now_ms + GK_KV_BREAKER_PAUSE_FIRST_MS);
    gk_kv_breakers_cleanup(&breakers);
}

static void test_breaker__a_probe_that_is_lost_is_followed_by_another(void **state)
{
    (void)state;
    struct gk_kv_breakers breakers = {0};
    open_breaker(&breakers, START);
    int64_t now_ms = START;
    for (unsigned i = 0; i < 5; i++) {
        now_ms = gk_kv_breaker_ask(&breakers, VAULT, now_ms, NEVER);
        assert_int_equal(gk_kv_breaker_ask(&breakers, VAULT, now_ms, NEVER), now_ms);
    }
    gk_kv_breakers_cleanup(&breakers);
}

static void test_breaker__tells_the_last_silence(void **state)
{
    (void)state;
    struct gk_kv_breakers breakers = {0};
    struct gk_vault_answer answer = {.code = "mine"};
    gk_kv_breaker_reason(&breakers, VAULT, &answer);
    assert_string_equal(answer.code, "mine");
    open_breaker(&breakers, START);
    gk_kv_breaker_reason(&breakers, VAULT, &answer);
    assert_string_equal(answer.code, "NoAnswer");
    assert_string_equal(answer.message, "refused");
    gk_kv_breakers_cleanup(&breakers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_breaker__opens_for_silences_in_a_row),
        cmocka_unit_test(test_breaker__lets_one_probe_through),
        cmocka_unit_test(test_breaker__who_has_no_time_left_is_no_probe),
        cmocka_unit_test(test_breaker__waits_longer_to_a_bound),
        cmocka_unit_test(test_breaker__a_probe_that_is_lost_is_followed_by_another),
        cmocka_unit_test(test_breaker__tells_the_last_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
