/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call's turns (call.c, with the real breaker, pace and timers) by a clock of the test's: what is asked when, and what
 * counts as the vault's silence. The network is one vault, which answers after so long or never, or whose name is not
 * known. There is a token at once, unless the test has the authority silent.
 */
#include <string.h>

#include "keyprovider/call.h"
#include "keyprovider/provider.h"
#include "keyprovider/route.h"
#include "unit/exchange_fixture.h"

#define VAULT      "https://vault.test"
#define VAULT_HOST "vault.test"
#define NEVER      INT64_MAX
#define GET_MS     5 /* what a get costs of the pace */
#define BURST      (GK_KV_PACE_BURST_MS / GET_MS)
#define REQUEST_MS 5000u

struct world {
    struct gk_provider provider;
    struct gk_kv_timers timers;
    int64_t now_ms;
    int64_t latency_ms; /* of the vault; NEVER: it is silent */
    bool name_unknown;  /* the vault's host is not resolved */
    bool name_gone;     /* what a lookup finds then */
    unsigned looked_up;
    char witness[64];     /* of the last lookup */
    unsigned asked;       /* how often it was */
    uint32_t shortest_ms; /* the least time that it had for its answer */
    unsigned opened;
    unsigned gone;
    unsigned silent;  /* calls that ended without an answer */
    unsigned ours;    /* of them, those of which the vault is not to blame */
    bool late;        /* the thread stands still */
    bool no_token;    /* who asks for one waits */
    bool token_fails; /* none came, and the next attempt may have one */
    unsigned breaks;
    unsigned paced;
    uint32_t wait_ms; /* what the last of them was told */
};

static struct world world;

/* --- what stands around a call ------------------------------------------------------------------- */

int64_t __wrap_gk_kv_real_now_ms(void);
int64_t __wrap_gk_kv_real_now_ms(void)
{
    return world.now_ms;
}

bool __wrap_gk_kv_loop_was_late(const struct gk_kv_loop *loop);
bool __wrap_gk_kv_loop_was_late(const struct gk_kv_loop *loop)
{
    (void)loop;
    return world.late;
}

bool __wrap_gk_kv_loop_post(struct gk_kv_loop *loop, struct gk_kv_task *task);
bool __wrap_gk_kv_loop_post(struct gk_kv_loop *loop, struct gk_kv_task *task)
{
    (void)loop;
    task->run(task->ctx);
    return true;
}

void __wrap_gk_kv_loop_disarm(struct gk_kv_loop *loop, struct gk_kv_timer *timer);
void __wrap_gk_kv_loop_disarm(struct gk_kv_loop *loop, struct gk_kv_timer *timer)
{
    (void)loop;
    if (timer->armed) {
        gk_kv_timers_remove(&world.timers, timer);
    }
}

void __wrap_gk_kv_loop_arm(struct gk_kv_loop *loop, struct gk_kv_timer *timer, int64_t real_ms,
                           void (*fire)(void *ctx), void *ctx);
void __wrap_gk_kv_loop_arm(struct gk_kv_loop *loop, struct gk_kv_timer *timer, int64_t real_ms,
                           void (*fire)(void *ctx), void *ctx)
{
    __wrap_gk_kv_loop_disarm(loop, timer);
    *timer = (struct gk_kv_timer){.at_ms = real_ms, .fire = fire, .ctx = ctx};
    gk_kv_timers_add(&world.timers, timer);
}

/* It ends when its vault answers, or its time is over. */
static void end_exchange(void *ctx)
{
    struct gk_kv_exchange *exchange = ctx;
    if (world.name_unknown) {
        exchange_end(exchange, GK_KV_NAME_UNKNOWN, 0, "", "no such name");
    } else if (exchange->answered) {
        exchange_end(exchange, GK_KV_ANSWERED, 200, "", "");
    } else {
        exchange_end(exchange, GK_KV_FAILED, 0, "", "timed out");
    }
}

static bool exchange_begins(struct gk_kv_exchange *exchange)
{
    const uint32_t timeout_ms = exchange->timeout_ms;
    exchange->answered = world.latency_ms < timeout_ms;
    exchange->end = (struct gk_kv_timer){
        .at_ms = world.now_ms + (exchange->answered ? world.latency_ms : timeout_ms),
        .fire = end_exchange,
        .ctx = exchange};
    gk_kv_timers_add(&world.timers, &exchange->end);
    world.asked++;
    world.shortest_ms = timeout_ms < world.shortest_ms ? timeout_ms : world.shortest_ms;
    return true;
}

static void exchange_is_cancelled(struct gk_kv_exchange *exchange)
{
    assert_true(exchange->end.armed);
    gk_kv_timers_remove(&world.timers, &exchange->end);
}

void __wrap_gk_kv_token_get(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                            struct gk_kv_token_waiter *waiter);
void __wrap_gk_kv_token_get(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                            struct gk_kv_token_waiter *waiter)
{
    (void)tokens, (void)grant;
    const struct gk_kv_token_result unreachable = {
        .judgement = {.verdict = GK_VAULT_UNAVAILABLE, .retry = true},
        .ours = world.late,
        .code = "TokenEndpointUnreachable"};
    const struct gk_kv_token_result good = {.judgement.verdict = GK_VAULT_OK, .bearer = "token"};
    if (world.no_token) {
        waiter->token = (struct gk_kv_token *)(void *)&world;
        return;
    }
    waiter->got(waiter->ctx, world.token_fails ? &unreachable : &good);
}

void __wrap_gk_kv_token_forget(struct gk_kv_token_waiter *waiter);
void __wrap_gk_kv_token_forget(struct gk_kv_token_waiter *waiter)
{
    waiter->token = NULL;
}

struct gk_kv_lookup *__wrap_gk_kv_lookup_start(struct gk_kv_lookups *lookups, const char *host,
                                               const char *witness, gk_kv_lookup_done_fn *done,
                                               void *ctx);
/* The lookup that is under way: there is one call at a time in the tests that have one. */
static struct {
    struct gk_kv_timer end;
    gk_kv_lookup_done_fn *done;
    void *ctx;
} lookup;

static void end_lookup(void *ctx)
{
    (void)ctx;
    lookup.done(lookup.ctx, world.name_gone);
}

struct gk_kv_lookup *__wrap_gk_kv_lookup_start(struct gk_kv_lookups *lookups, const char *host,
                                               const char *witness, gk_kv_lookup_done_fn *done,
                                               void *ctx)
{
    (void)lookups;
    assert_string_equal(host, VAULT_HOST);
    snprintf(world.witness, sizeof world.witness, "%s", witness);
    world.looked_up++;
    lookup.done = done;
    lookup.ctx = ctx;
    lookup.end = (struct gk_kv_timer){.at_ms = world.now_ms + 1, .fire = end_lookup};
    gk_kv_timers_add(&world.timers, &lookup.end);
    return (struct gk_kv_lookup *)(void *)&lookup;
}

static void dialect_url(struct gk_buf *out, const struct gk_kv_question *question)
{
    gk_buf_append_str(out, question->vault->uri);
}

static bool dialect_read_key(struct gk_span body, const struct gk_kv_question *question,
                             struct gk_vault_answer *answer)
{
    (void)body, (void)question, (void)answer;
    return true;
}

enum gk_status __wrap_gk_kv_route_find(const struct gk_kv_config *config,
                                       const struct gk_identity_reference *identity,
                                       const struct gk_key_reference *key, struct gk_kv_route *out,
                                       struct gk_error *error);
enum gk_status __wrap_gk_kv_route_find(const struct gk_kv_config *config,
                                       const struct gk_identity_reference *identity,
                                       const struct gk_key_reference *key, struct gk_kv_route *out,
                                       struct gk_error *error)
{
    static const struct gk_kv_dialect dialect = {
        .url = dialect_url, .read_key = dialect_read_key, .name_ends_with_vault = true};
    (void)identity, (void)key, (void)error;
    *out = (struct gk_kv_route){.dialect = &dialect,
                                .identity = &config->identities[0],
                                .vault = {.uri = VAULT, .origin.host = VAULT_HOST}};
    return GK_OK;
}

static void host_log(void *ctx, enum gk_log_level level, const char *component, const char *message)
{
    (void)ctx, (void)level, (void)component, (void)message;
}

static void host_count(void *ctx, const char *name, const char *labels, double add)
{
    (void)ctx, (void)labels, (void)add;
    world.breaks += strcmp(name, "gatekey_vault_breaks_total") == 0 ? 1 : 0;
    world.paced += strcmp(name, "gatekey_vault_paced_total") == 0 ? 1 : 0;
}

/* --- asking -------------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct gk_vault_answer *answer)
{
    (void)ctx;
    world.opened += answer->verdict == GK_VAULT_OK ? 1 : 0;
    world.gone += answer->verdict == GK_VAULT_GONE ? 1 : 0;
    world.silent += answer->verdict == GK_VAULT_UNAVAILABLE ? 1 : 0;
    world.ours += answer->ours;
    world.wait_ms = answer->ours ? answer->retry_after_ms : world.wait_ms;
    assert_true(answer->verdict == GK_VAULT_OK || answer->code[0] != '\0');
}

static void start_gets(unsigned count, uint32_t deadline_ms)
{
    static const struct gk_identity_reference identity = {0};
    static const struct gk_key_reference key = {.vault_uri = VAULT, .name = "key"};
    const struct gk_kv_call_input input = {.operation = GK_KV_GET,
                                           .identity = &identity,
                                           .key = &key,
                                           .deadline_ms = deadline_ms,
                                           .done = on_done};
    for (unsigned i = 0; i < count; i++) {
        gk_kv_call_start(&world.provider, &input);
    }
}

static void run_for(int64_t ms)
{
    const int64_t until_ms = world.now_ms + ms;
    struct gk_kv_timer *timer;
    while ((timer = gk_kv_timers_take_due(&world.timers, until_ms)) != NULL) {
        world.now_ms = timer->at_ms > world.now_ms ? timer->at_ms : world.now_ms;
        timer->fire(timer->ctx);
    }
    world.now_ms = until_ms;
}

static int set_up(void **state)
{
    (void)state;
    world = (struct world){
        .provider = {.host = {.log = host_log, .count = host_count},
                     .config.request_timeout_ms = REQUEST_MS,
                     .paces.gateways = 1},
        .now_ms = 1000000,
        .latency_ms = 20,
        .shortest_ms = UINT32_MAX,
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gk_kv_calls_end(&world.provider);
    gk_kv_breakers_cleanup(&world.provider.breakers);
    gk_kv_paces_cleanup(&world.provider.paces);
    return 0;
}

/* --- tests --------------------------------------------------------------------------------------- */

/* A place so late that the answer would come after the deadline is none: it would count as the vault's silence. */
static void test_call__who_has_no_time_for_an_answer_is_not_asked(void **state)
{
    (void)state;
    enum { CALLS = 5000, DEADLINE_MS = 10000 };
    world.latency_ms = 60;
    start_gets(CALLS, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.opened + world.silent, CALLS);
    assert_int_equal(world.opened, world.asked);
    assert_int_equal(world.silent, world.paced);
    assert_int_equal(world.ours, world.paced);
    assert_int_equal(world.breaks, 0);
    /* All that the pace has places for, but for the last second. */
    assert_in_range(world.opened, BURST + (DEADLINE_MS - 1000) / GET_MS - 1,
                    BURST + (DEADLINE_MS - 1000) / GET_MS);
}

/* A vault that is slow, but answers within half of a deadline, is found to answer, however many wait for it. */
static void test_call__a_probe_has_time_for_its_answer(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 600, EVERY_MS = 37 };
    world.latency_ms = NEVER;
    start_gets(GK_KV_BREAKER_SILENCES, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.breaks, 1);
    world.shortest_ms = UINT32_MAX;
    for (int64_t ms = 0; ms < 20000; ms += EVERY_MS) {
        start_gets(1, DEADLINE_MS);
        run_for(EVERY_MS);
    }
    assert_true(world.shortest_ms >= DEADLINE_MS / 2);
    assert_int_equal(world.opened, 0);
    world.latency_ms = DEADLINE_MS / 2 - 10;
    for (int64_t ms = 0; ms < 2 * GK_KV_BREAKER_PAUSE_MAX_MS; ms += EVERY_MS) {
        start_gets(1, DEADLINE_MS);
        run_for(EVERY_MS);
    }
    assert_true(world.opened > 0);
    const unsigned silent = world.silent;
    start_gets(BURST / 2, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.silent, silent);
    assert_int_equal(world.breaks, 1);
}

/* Who has a place that is far away does not ask a vault that has fallen silent before it. */
static void
test_call__a_vault_that_fell_silent_is_not_asked_by_those_who_waited_their_turn(void **state)
{
    (void)state;
    enum { CALLS = 5 * BURST, DEADLINE_MS = 10000 };
    world.latency_ms = NEVER;
    world.provider.config.request_timeout_ms = 500;
    start_gets(CALLS, DEADLINE_MS);
    run_for(500);
    assert_int_equal(world.breaks, 1);
    const unsigned asked = world.asked;
    run_for(DEADLINE_MS);
    assert_int_equal(world.silent, CALLS);
    assert_int_equal(world.ours, world.paced);
    assert_true(world.asked - asked < 2 * DEADLINE_MS / GK_KV_BREAKER_PAUSE_MAX_MS + 10);
}

/* A name that does not exist is the vault's end, at once; one that was only not resolved is silence, and tried again.
 * Whoever gives the tokens is the witness. */
static void test_call__a_vault_whose_name_is_gone(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 2000 };
    struct gk_kv_identity *identity = &world.provider.config.identities[0];
    identity->source = GK_KV_SOURCE_CLIENT_SECRET;
    snprintf(identity->authority, sizeof identity->authority, "https://login.test:8443");
    world.name_unknown = true;
    world.name_gone = true;
    start_gets(1, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_string_equal(world.witness, "login.test");
    assert_int_equal(world.looked_up, 1);
    assert_int_equal(world.asked, 1);
    assert_int_equal(world.gone, 1);

    world.name_gone = false;
    start_gets(1, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.gone, 1);
    assert_int_equal(world.silent, 1);
    assert_true(world.asked > 2);
    assert_int_equal(world.looked_up, world.asked);

    world.name_unknown = false;
    start_gets(1, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.opened, 1);
}

/* Whoever is told that there was no place is told when there will be one. */
static void test_call__who_has_no_place_is_told_when_to_come_again(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 2000 };
    start_gets(BURST + (DEADLINE_MS / GET_MS), DEADLINE_MS);
    assert_true(world.paced > 0);
    assert_int_equal(world.wait_ms, DEADLINE_MS - DEADLINE_MS / 4);
    run_for(world.wait_ms);
    const unsigned paced = world.paced;
    start_gets(1, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.paced, paced);
}

static void test_call__a_standstill_is_no_silence(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 600 };
    world.latency_ms = NEVER;
    start_gets(1, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.silent, 1);
    assert_int_equal(world.ours, 0);
    world.late = true;
    start_gets(1, DEADLINE_MS);
    run_for(DEADLINE_MS);
    assert_int_equal(world.silent, 2);
    assert_int_equal(world.ours, 1);
}

/* So it is with what comes before the vault is asked: a token, from whoever gives them. */
static void test_call__a_standstill_is_no_silence_of_who_gives_tokens(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 600 };
    for (unsigned unreachable = 0; unreachable < 2; unreachable++) {
        world.ours = 0;
        world.no_token = unreachable == 0;
        world.token_fails = unreachable != 0;
        world.late = false;
        start_gets(1, DEADLINE_MS);
        run_for(DEADLINE_MS);
        assert_int_equal(world.ours, 0);
        world.late = true;
        start_gets(1, DEADLINE_MS);
        run_for(DEADLINE_MS);
        assert_int_equal(world.ours, 1);
    }
    assert_int_equal(world.silent, 4);
    assert_int_equal(world.asked, 0);
}

/* One whose first attempt fell into a standstill, and that the breaker holds then, ends by the vault's silence. */
static void test_call__who_is_held_tells_of_the_vaults_silence(void **state)
{
    (void)state;
    enum { DEADLINE_MS = 1000 };
    world.token_fails = true;
    world.late = true;
    start_gets(1, DEADLINE_MS);
    world.late = false;
    for (unsigned i = 0; i < GK_KV_BREAKER_SILENCES; i++) {
        (void)gk_kv_breaker_silent(&world.provider.breakers, VAULT, world.now_ms + DEADLINE_MS,
                                   "NoAnswer", "the others were not answered");
    }
    run_for(DEADLINE_MS);
    assert_int_equal(world.silent, 1);
    assert_int_equal(world.ours, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_call__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_no_time_for_an_answer_is_not_asked),
        TEST(a_probe_has_time_for_its_answer),
        TEST(a_vault_whose_name_is_gone),
        TEST(a_vault_that_fell_silent_is_not_asked_by_those_who_waited_their_turn),
        TEST(who_has_no_place_is_told_when_to_come_again),
        TEST(a_standstill_is_no_silence),
        TEST(a_standstill_is_no_silence_of_who_gives_tokens),
        TEST(who_is_held_tells_of_the_vaults_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
