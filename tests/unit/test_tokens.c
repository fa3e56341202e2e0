/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which tokens are kept (token.h): with an authority in memory that answers as each test says, and a clock of the
 * test's.
 */
#include "keyprovider/token.h"

#include <stdio.h>
#include <string.h>

#include "unit/exchange_fixture.h"

#define HOUR_MS  (3600 * INT64_C(1000))
#define CUSTOMER "3109d1c4-a5de-4d84-8832-feabb916a4b6"

struct world {
    struct gk_kv_transport transport;
    struct gk_kv_loop loop;
    struct gk_kv_tokens tokens;
    struct gk_kv_exchange *exchanges[2]; /* with the authority, and with the host; NULL: none is */
    int64_t wall_ms;
    unsigned requests;
    bool refuses;    /* applications */
    bool impossible; /* no request can be made */
    bool silent;     /* nothing comes */
    enum gk_vault_verdict verdict;
    uint64_t serial;
    bool ours;
};

static struct world world;

static struct gk_kv_exchange **place_of(const struct gk_kv_exchange *exchange)
{
    return &world.exchanges[exchange->of_host ? 1 : 0];
}

static bool exchange_begins(struct gk_kv_exchange *exchange)
{
    if (world.impossible && !exchange->of_host) {
        return false;
    }
    assert_null(*place_of(exchange));
    *place_of(exchange) = exchange;
    world.requests++;
    return true;
}

static void exchange_is_cancelled(struct gk_kv_exchange *exchange)
{
    *place_of(exchange) = NULL;
}

static void end_exchange(struct gk_kv_exchange *exchange)
{
    const bool refused = world.refuses && !exchange->of_host;
    *place_of(exchange) = NULL;
    if (world.silent) {
        exchange_end(exchange, GK_KV_FAILED, 0, "", "timed out");
        return;
    }
    exchange_end(exchange, GK_KV_ANSWERED, refused ? 401 : 200,
                 refused ? "{\"error\":\"unauthorized_client\",\"error_description\":\"no\"}"
                         : "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"t\"}",
                 "");
}

static void host_count(void *ctx, const char *name, const char *labels, double add)
{
    (void)ctx, (void)name, (void)labels, (void)add;
}

static int64_t host_wall_ms(void *ctx)
{
    (void)ctx;
    return world.wall_ms;
}

static void got(void *ctx, const struct gk_kv_token_result *result)
{
    (void)ctx;
    world.verdict = result->judgement.verdict;
    world.serial = result->serial;
    world.ours = result->ours;
}

static struct gk_kv_grant grant_of(unsigned tenant)
{
    static const struct gk_kv_identity identity = {.source = GK_KV_SOURCE_MANAGED,
                                                   .endpoint = "http://host.test/token"};
    struct gk_kv_grant grant = {
        .identity = &identity,
        .application = {.client_id = CUSTOMER, .authority = "https://authority.test"},
        .resource = "https://vault.azure.net"};
    snprintf(grant.application.tenant_id, sizeof grant.application.tenant_id, "tenant-%u", tenant);
    return grant;
}

/* The application's token of that tenant, in as many requests as it takes. */
static enum gk_vault_verdict get_token(unsigned tenant)
{
    const struct gk_kv_grant grant = grant_of(tenant);
    struct gk_kv_token_waiter waiter = {.got = got};
    gk_kv_token_get(&world.tokens, &grant, &waiter);
    for (unsigned i = 0; world.exchanges[0] != NULL || world.exchanges[1] != NULL; i++) {
        if (world.exchanges[i % 2] != NULL) {
            end_exchange(world.exchanges[i % 2]);
        }
    }
    assert_null(waiter.token);
    return world.verdict;
}

static int set_up(void **state)
{
    static const struct gk_provider_host host = {.clock_wall_ms = host_wall_ms,
                                                 .count = host_count};
    (void)state;
    world = (struct world){.loop.host = &host, .wall_ms = 1800000000000};
    world.transport.loop = &world.loop;
    world.tokens.transport = &world.transport;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gk_kv_tokens_cleanup(&world.tokens);
    return 0;
}

/* Whatever tenants a vault names, nothing is left of those that gave no token. */
static void test_tokens__what_is_refused_leaves_nothing(void **state)
{
    (void)state;
    world.refuses = true;
    for (unsigned tenant = 0; tenant < 10 * GK_KV_VOUCHED_MAX; tenant++) {
        assert_int_equal(get_token(tenant), GK_VAULT_IDENTITY_GONE);
        assert_int_equal(world.tokens.vouched, 0);
    }
    world.refuses = false;
    world.impossible = true;
    assert_int_equal(get_token(0), GK_VAULT_UNAVAILABLE);
    assert_int_equal(world.tokens.vouched, 0);
}

static void test_tokens__the_newest_are_kept(void **state)
{
    (void)state;
    for (unsigned tenant = 0; tenant < 2 * GK_KV_VOUCHED_MAX; tenant++) {
        assert_int_equal(get_token(tenant), GK_VAULT_OK);
        assert_true(world.tokens.vouched <= GK_KV_VOUCHED_MAX);
    }
    const unsigned before = world.requests;
    for (unsigned tenant = GK_KV_VOUCHED_MAX; tenant < 2 * GK_KV_VOUCHED_MAX; tenant++) {
        assert_int_equal(get_token(tenant), GK_VAULT_OK);
    }
    assert_int_equal(world.requests, before);
    assert_int_equal(get_token(0), GK_VAULT_OK);
    assert_int_equal(world.requests, before + 1);
}

static void test_tokens__those_that_have_ended_are_not(void **state)
{
    (void)state;
    for (unsigned tenant = 0; tenant < 10; tenant++) {
        assert_int_equal(get_token(tenant), GK_VAULT_OK);
    }
    assert_int_equal(world.tokens.vouched, 10);
    world.wall_ms += 2 * HOUR_MS;
    assert_int_equal(get_token(10), GK_VAULT_OK);
    assert_int_equal(world.tokens.vouched, 1);
}

/* A renewal that cannot even begin leaves the old token in use, and in place. */
static void test_tokens__one_that_is_renewed_stays(void **state)
{
    (void)state;
    assert_int_equal(get_token(0), GK_VAULT_OK);
    world.wall_ms += HOUR_MS - 1000;
    world.impossible = true;
    assert_int_equal(get_token(0), GK_VAULT_OK);
    assert_int_equal(world.tokens.vouched, 1);
    world.wall_ms += 1000;
    assert_int_equal(get_token(0), GK_VAULT_UNAVAILABLE);
    assert_int_equal(world.tokens.vouched, 0);
}

/* Who has one that was dropped and fetched anew since cannot reject the new one. */
static void test_tokens__each_has_a_serial_of_its_own(void **state)
{
    (void)state;
    const struct gk_kv_grant grant = grant_of(0);
    assert_int_equal(get_token(0), GK_VAULT_OK);
    const uint64_t serial = world.serial;
    world.wall_ms += 2 * HOUR_MS;
    assert_int_equal(get_token(1), GK_VAULT_OK);
    assert_int_equal(get_token(0), GK_VAULT_OK);
    assert_true(world.serial > serial);
    const unsigned before = world.requests;
    gk_kv_token_reject(&world.tokens, &grant, serial);
    assert_int_equal(get_token(0), GK_VAULT_OK);
    assert_int_equal(world.requests, before);
}

static void test_tokens__a_standstill_is_no_silence(void **state)
{
    (void)state;
    world.silent = true;
    assert_int_equal(get_token(0), GK_VAULT_UNAVAILABLE);
    assert_false(world.ours);
    world.loop.late_until_real_ms = INT64_MAX;
    assert_int_equal(get_token(0), GK_VAULT_UNAVAILABLE);
    assert_true(world.ours);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_tokens__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_refused_leaves_nothing), TEST(the_newest_are_kept),
        TEST(those_that_have_ended_are_not),  TEST(one_that_is_renewed_stays),
        TEST(each_has_a_serial_of_its_own),   TEST(a_standstill_is_no_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
