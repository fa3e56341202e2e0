/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A name is gone only when the name service says so and can be believed. The resolver is replaced at
 * link time (--wrap=getaddrinfo), so that the test asks nobody.
 */
#include "keyprovider/lookup.h"

#include <netdb.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define VAULT   "vault.example"
#define WITNESS "login.example"

/* Set before a lookup starts, read by its thread. */
static int vault_result;
static int witness_result;

static struct gk_kv_loop loop;
static struct gk_kv_lookups lookups;
static sem_t answered;
static bool answer;

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found);
void __wrap_freeaddrinfo(struct addrinfo *found);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    (void)service, (void)hints;
    *found = NULL;
    return strcmp(host, VAULT) == 0 ? vault_result : witness_result;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
    assert_null(found);
}

static int64_t no_time(void *ctx)
{
    (void)ctx;
    return 0;
}

static void on_transfer(void *owner, CURL *easy, CURLcode result)
{
    (void)owner, (void)easy, (void)result;
}

static void on_stop(void *owner)
{
    (void)owner;
}

static void on_looked_up(void *ctx, bool gone)
{
    (void)ctx;
    answer = gone;
    sem_post(&answered);
}

static void start_lookup(void *ctx)
{
    assert_non_null(gk_kv_lookup_start(&lookups, VAULT, ctx, on_looked_up, NULL));
}

static bool is_gone(const char *witness)
{
    char text[32];
    memcpy(text, witness, strlen(witness) + 1);
    struct gk_kv_task task = {.run = start_lookup, .ctx = text};
    assert_true(gk_kv_loop_post(&loop, &task));
    assert_int_equal(sem_wait(&answered), 0);
    return answer;
}

static void test_lookup__gone_only_with_a_witness(void **state)
{
    static const struct {
        int vault;
        int witness;
        bool gone;
    } rows[] = {
        {EAI_NONAME, 0, true},          {EAI_NONAME, EAI_NONAME, false},
        {EAI_NONAME, EAI_AGAIN, false}, {EAI_NONAME, EAI_FAIL, false},
        {EAI_AGAIN, 0, false},          {EAI_FAIL, 0, false},
        {EAI_SYSTEM, 0, false},         {EAI_MEMORY, 0, false},
        {EAI_NODATA, 0, false},         {0, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        vault_result = rows[i].vault;
        witness_result = rows[i].witness;
        assert_int_equal(is_gone(WITNESS), rows[i].gone);
    }
}

static void test_lookup__without_a_witness_the_resolver_is_believed(void **state)
{
    (void)state;
    witness_result = EAI_FAIL;
    vault_result = EAI_NONAME;
    assert_true(is_gone(""));
    vault_result = EAI_AGAIN;
    assert_false(is_gone(""));
}

static int start_loop(void **state)
{
    (void)state;
    static const struct gk_provider_host host = {.clock_mono_ms = no_time,
                                                 .clock_wall_ms = no_time};
    sem_init(&answered, 0, 0);
    if (gk_kv_loop_init(&loop, &host, NULL) != GK_OK) {
        return -1;
    }
    loop.on_transfer = on_transfer;
    loop.on_stop = on_stop;
    lookups.loop = &loop;
    return gk_kv_loop_start(&loop, NULL) == GK_OK ? 0 : -1;
}

static int stop_loop(void **state)
{
    (void)state;
    gk_kv_loop_stop(&loop);
    gk_kv_lookups_cleanup(&lookups);
    gk_kv_loop_cleanup(&loop);
    sem_destroy(&answered);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup__gone_only_with_a_witness),
        cmocka_unit_test(test_lookup__without_a_witness_the_resolver_is_believed),
    };
    return cmocka_run_group_tests(tests, start_loop, stop_loop);
}
