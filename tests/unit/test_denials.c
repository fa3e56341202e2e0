/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: however often a caller is denied something, the audit gets so many events in a minute and one more, and their
 * numbers are those of the denials. Method: gk_plugin_host_audit is replaced by one that adds up, and the clock is the
 * test's.
 */
#include "gateway/manage/denials.h"

#include <stdio.h>
#include <string.h>

#include "gateway/gateway.h"
#include "unit/cmocka_all.h"

static struct {
    int64_t now_ms;
    unsigned events;
    uint64_t denials; /* that they tell of */
    char last_actor[16];
    char last_detail[64];
    int64_t last_since_ms;
} world;

void __wrap_gk_plugin_host_audit(struct gk_plugin_host *host, const struct gk_audit_event *event);
void __wrap_gk_plugin_host_audit(struct gk_plugin_host *host, const struct gk_audit_event *event)
{
    (void)host;
    assert_int_equal(event->event, GK_AUDIT_MANAGE_DENIED);
    assert_string_equal(event->outcome, "refused");
    world.events++;
    world.denials += event->count > 0 ? event->count : 1;
    world.last_since_ms = event->since_wall_ms;
    snprintf(world.last_actor, sizeof world.last_actor, "%s", event->actor);
    snprintf(world.last_detail, sizeof world.last_detail, "%s", event->detail);
}

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return world.now_ms;
}

static struct gk_gateway gateway = {.clock = {.mono_ms = now_ms, .wall_ms = now_ms}};

static struct gk_denials *start(void)
{
    memset(&world, 0, sizeof world);
    world.now_ms = 1000000;
    struct gk_denials *denials = gk_denials_new(&gateway);
    assert_non_null(denials);
    return denials;
}

static void deny(struct gk_denials *denials, const char *actor, unsigned times)
{
    char what[32];
    for (unsigned i = 1; i <= times; i++) {
        snprintf(what, sizeof what, "DELETE /%u", i);
        gk_denials_note(denials, actor, "acme", what);
    }
}

static void test_denials__a_few_are_told_each(void **state)
{
    (void)state;
    struct gk_denials *denials = start();
    deny(denials, "bob", GK_DENIALS_EACH);
    assert_int_equal(world.events, GK_DENIALS_EACH);
    assert_string_equal(world.last_detail, "DELETE /10");
    gk_denials_free(&denials);
    assert_null(denials);
    assert_int_equal(world.events, GK_DENIALS_EACH);
}

static void test_denials__many_are_counted_for_each_caller(void **state)
{
    (void)state;
    struct gk_denials *denials = start();
    deny(denials, "bob", 5000);
    assert_int_equal(world.events, GK_DENIALS_EACH);
    deny(denials, "carol", 1);
    assert_int_equal(world.events, GK_DENIALS_EACH + 1);
    world.now_ms += 59999;
    gk_denials_tell_over(denials);
    assert_int_equal(world.events, GK_DENIALS_EACH + 1);
    world.now_ms += 1;
    gk_denials_tell_over(denials);
    assert_int_equal(world.events, GK_DENIALS_EACH + 2);
    assert_int_equal(world.denials, 5001);
    assert_string_equal(world.last_actor, "bob");
    assert_string_equal(world.last_detail, "the last: DELETE /5000");
    assert_int_equal(world.last_since_ms, 1000000);
    deny(denials, "bob", 1); /* another minute has begun */
    assert_int_equal(world.events, GK_DENIALS_EACH + 3);
    gk_denials_free(&denials);
}

static void test_denials__the_end_leaves_nothing_out(void **state)
{
    (void)state;
    struct gk_denials *denials = start();
    deny(denials, "bob", 12);
    deny(denials, "carol", 13);
    gk_denials_free(&denials);
    assert_int_equal(world.denials, 25);
    assert_int_equal(world.events, 2 * GK_DENIALS_EACH + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_denials__a_few_are_told_each),
        cmocka_unit_test(test_denials__many_are_counted_for_each_caller),
        cmocka_unit_test(test_denials__the_end_leaves_nothing_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
