/* SPDX-License-Identifier: Apache-2.0 */
/* Ten thousand cold requests at once for one account ask the vault once, and all are served; the same of a vault that
 * refuses. Takes about two seconds. */
#include <stdatomic.h>

#include "unit/instance_fixture.h"

#define CALLERS     10000u
#define STACK_BYTES (256u << 10)

struct crowd {
    struct fixture *fixture;
    atomic_uint waiting;
    atomic_uint answers[16]; /* by status */
};

static void *ask(void *ctx)
{
    struct crowd *crowd = ctx;
    struct gk_account *account = NULL;
    enum gk_status status = gk_account_open(crowd->fixture->instance, NAME, &account, NULL);
    if (status == GK_OK) {
        status = gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL);
    }
    atomic_fetch_add(&crowd->waiting, 1);
    if (status == GK_E_COLD) {
        status = gk_account_warm(account, 60000, NULL);
    }
    gk_account_release(account);
    atomic_fetch_add(&crowd->answers[status], 1);
    return NULL;
}

/* Nobody is answered before all are there. */
static void come(struct crowd *crowd)
{
    static pthread_t threads[CALLERS];
    const struct timespec pause = {.tv_nsec = 1000000};
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    fake_vault_lock()->hold = true;
    fake_vault_unlock();
    unsigned started = 0;
    while (started < CALLERS && pthread_create(&threads[started], &small, ask, crowd) == 0) {
        started++;
    }
    for (int i = 0; i < UNTIL_MS && atomic_load(&crowd->waiting) < started; i++) {
        nanosleep(&pause, NULL);
    }
    fake_vault_lock()->hold = false;
    fake_vault_unlock();
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_attr_destroy(&small);
    assert_int_equal(started, CALLERS);
}

static void expect_one_unwrap(struct fixture *fixture, enum gk_status answer)
{
    struct crowd crowd = {.fixture = fixture};
    const unsigned before = vault_now().unwraps;
    come(&crowd);
    assert_int_equal(vault_now().unwraps, before + 1);
    assert_int_equal(atomic_load(&crowd.answers[answer]), CALLERS);
}

static void test_cold_crowd__one_unwrap_serves_all(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    expect_one_unwrap(fixture, GK_OK);
}

static void test_cold_crowd__one_refusal_denies_all(void **state)
{
    struct fixture *fixture = *state;
    create_customer(fixture);
    fixture_restart(fixture);
    set_unwrap(GK_VAULT_KEY_REFUSED);
    expect_one_unwrap(fixture, GK_E_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cold_crowd__one_unwrap_serves_all, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(test_cold_crowd__one_refusal_denies_all, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
