/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a scrape tells of the accounts as they are, or, where reading them takes long, of the last reading, and is not
 * kept by it; many scrapes cost a tenth of the time at most. Method: gk_accounts_list is replaced by one that has a single
 * account, named after the reading's number, and can be held up; gk_scopes_list by one that gives it a scope. Takes two seconds, in which scrapes wait.
 */
#include "gateway/manage/account_metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "unit/cmocka_all.h"

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool held;
    bool endless; /* the list has no end */
    enum gk_status status;
    atomic_int account; /* what the plugin says of each; a status */
    unsigned readings;
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER,
          .account = GK_E_INTEGRITY};

enum gk_status __wrap_gk_accounts_list(struct gk_accounts *accounts, const char *after,
                                       gk_accounts_visit_fn *visit, void *ctx,
                                       struct gk_error *error);
enum gk_status __wrap_gk_accounts_list(struct gk_accounts *accounts, const char *after,
                                       gk_accounts_visit_fn *visit, void *ctx,
                                       struct gk_error *error)
{
    (void)accounts, (void)after;
    char name[32];
    pthread_mutex_lock(&fake.mutex);
    snprintf(name, sizeof name, "reading%u", ++fake.readings);
    pthread_cond_broadcast(&fake.changed);
    while (fake.held) {
        pthread_cond_wait(&fake.changed, &fake.mutex);
    }
    const enum gk_status status = fake.status;
    const bool endless = fake.endless;
    pthread_mutex_unlock(&fake.mutex);
    while (visit(ctx, name) && endless) {
    }
    return status == GK_OK ? GK_OK : gk_fail(error, status, "as the test wants it");
}

enum gk_status __wrap_gk_scopes_list(const struct gk_gateway *gateway, const char *account,
                                     struct gk_buf *names, struct gk_error *error);
enum gk_status __wrap_gk_scopes_list(const struct gk_gateway *gateway, const char *account,
                                     struct gk_buf *names, struct gk_error *error)
{
    (void)gateway, (void)account, (void)error;
    gk_buf_append(names, "ledger", sizeof "ledger");
    return GK_OK;
}

/* Nobody can be heard who could say whether there was an account. */
enum gk_status __wrap_gk_account_has_remains(struct gk_store *store, const char *account,
                                             bool *remains, struct gk_error *error);
enum gk_status __wrap_gk_account_has_remains(struct gk_store *store, const char *account,
                                             bool *remains, struct gk_error *error)
{
    (void)store, (void)account, (void)remains;
    return gk_fail(error, GK_E_UNAVAILABLE, "as the test wants it");
}

static enum gk_status tell_status(struct gk_instance *instance, const char *account,
                                  struct gk_account_status *out, struct gk_error *error)
{
    (void)instance, (void)account, (void)out, (void)error;
    return (enum gk_status)atomic_load(&fake.account);
}

static const struct gk_plugin plugin = {.account_status = tell_status};
static struct gk_plugin_host host = {.plugin = &plugin};
static struct gk_gateway gateway = {.host = &host};

static void set_fake(bool held, bool endless, enum gk_status status)
{
    pthread_mutex_lock(&fake.mutex);
    fake.held = held;
    fake.endless = endless;
    fake.status = status;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.mutex);
}

static void wait_for_reading(unsigned number)
{
    pthread_mutex_lock(&fake.mutex);
    while (fake.readings < number) {
        pthread_cond_wait(&fake.changed, &fake.mutex);
    }
    pthread_mutex_unlock(&fake.mutex);
}

#define LONG_MS 600000u /* nothing takes as long */

static struct gk_account_metrics *start(uint32_t wait_ms)
{
    struct gk_account_metrics *metrics = NULL;
    gateway.clock = gk_clock_system();
    fake.readings = 0;
    set_fake(false, false, GK_OK);
    assert_int_equal(gk_account_metrics_start(&gateway, wait_ms, &metrics, NULL), GK_OK);
    return metrics;
}

/* The number of the reading that a scrape tells of; 0: of none. */
static unsigned scrape(struct gk_account_metrics *metrics)
{
    static const char series[] = "gatekey_account_state{account=\"reading";
    unsigned number = 0;
    struct gk_buf text;
    gk_buf_init(&text, 1 << 20);
    gk_account_metrics_append(metrics, &text);
    const char *at = strstr(gk_buf_str(&text), series);
    if (at != NULL) {
        assert_int_equal(sscanf(at + sizeof series - 1, "%u\",state=\"unreadable\"} 1\n", &number),
                         1);
        assert_non_null(strstr(at, "\ngatekey_accounts_read_timestamp_seconds "));
    }
    gk_buf_cleanup(&text);
    return number;
}

static void test_account_metrics__a_scrape_tells_of_now(void **state)
{
    (void)state;
    struct gk_account_metrics *metrics = start(LONG_MS);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(scrape(metrics), i);
    }
    gk_account_metrics_stop(metrics);
}

static void
test_account_metrics__a_long_reading_keeps_nobody_and_is_followed_by_a_rest(void **state)
{
    (void)state;
    struct gk_account_metrics *metrics = start(GK_ACCOUNT_METRICS_WAIT_MS);
    set_fake(true, false, GK_OK);
    assert_int_equal(scrape(metrics), 0);
    wait_for_reading(1);
    assert_int_equal(scrape(metrics), 0); /* after a wait, which makes the reading a long one */
    set_fake(false, false, GK_OK);
    while (scrape(metrics) == 0) {
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(scrape(metrics), 1);
    }
    gk_account_metrics_stop(metrics);
    assert_int_equal(fake.readings, 1);
}

static void test_account_metrics__what_cannot_be_read_keeps_what_was(void **state)
{
    (void)state;
    struct gk_account_metrics *metrics = start(LONG_MS);
    set_fake(false, false, GK_E_UNAVAILABLE);
    assert_int_equal(scrape(metrics), 0);
    set_fake(false, false, GK_OK);
    assert_int_equal(scrape(metrics), 2);
    set_fake(false, false, GK_E_UNAVAILABLE);
    assert_int_equal(scrape(metrics), 2);
    set_fake(false, false, GK_OK);
    assert_int_equal(scrape(metrics), 4);
    gk_account_metrics_stop(metrics);
}

/* A list that was broken off tells of nobody: what was not asked for would look like deleted. */
static void test_account_metrics__a_store_that_falls_silent_keeps_what_was(void **state)
{
    (void)state;
    struct gk_account_metrics *metrics = start(LONG_MS);
    assert_int_equal(scrape(metrics), 1);
    set_fake(false, true, GK_OK);
    atomic_store(&fake.account, GK_E_UNAVAILABLE);
    assert_int_equal(scrape(metrics), 1);
    set_fake(false, false, GK_OK); /* a single one too: nobody has seen its record */
    assert_int_equal(scrape(metrics), 1);
    atomic_store(&fake.account, GK_E_NOT_FOUND);
    assert_int_equal(scrape(metrics), 1);
    atomic_store(&fake.account, GK_E_INTEGRITY);
    assert_int_equal(scrape(metrics), 5);
    gk_account_metrics_stop(metrics);
}

/* An alert of a scope would resolve when its account's record is damaged. */
static void test_account_metrics__scopes_of_an_account_that_cannot_be_read_are_told_of(void **state)
{
    (void)state;
    struct gk_account_metrics *metrics = start(LONG_MS);
    struct gk_buf text;
    gk_buf_init(&text, 1 << 20);
    gk_account_metrics_append(metrics, &text);
    assert_non_null(strstr(gk_buf_str(&text), "gatekey_account_state{account=\"reading1\","
                                              "scope=\"ledger\",state=\"unreadable\"} 1\n"));
    gk_buf_cleanup(&text);
    gk_account_metrics_stop(metrics);
}

static void test_account_metrics__the_end_breaks_a_reading_off(void **state)
{
    (void)state;
    struct gk_account_metrics *metrics = start(1);
    set_fake(false, true, GK_OK);
    assert_int_equal(scrape(metrics), 0);
    wait_for_reading(1);
    gk_account_metrics_stop(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account_metrics__a_scrape_tells_of_now),
        cmocka_unit_test(
            test_account_metrics__a_long_reading_keeps_nobody_and_is_followed_by_a_rest),
        cmocka_unit_test(test_account_metrics__what_cannot_be_read_keeps_what_was),
        cmocka_unit_test(test_account_metrics__a_store_that_falls_silent_keeps_what_was),
        cmocka_unit_test(
            test_account_metrics__scopes_of_an_account_that_cannot_be_read_are_told_of),
        cmocka_unit_test(test_account_metrics__the_end_breaks_a_reading_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
