/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin instance with a fake vault and a fake host: *state is a struct fixture. */
#ifndef TESTS_UNIT_INSTANCE_FIXTURE_H
#define TESTS_UNIT_INSTANCE_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "plugin/account_change.h"
#include "plugin/handles.h"

#include "unit/cmocka_all.h"
#include "unit/fake_host.h"
#include "unit/fake_provider.h"

#define NAME        "acme"
#define DEADLINE_MS 10000u

static const struct gk_call by_tester = {.deadline_ms = DEADLINE_MS, .actor = "tester"};
#define DAY_MS   86400000
#define UNTIL_MS 20000 /* for what another thread does; far beyond what it takes */

struct fixture {
    struct fake_host host;
    struct gk_instance *instance;
    struct gk_error error; /* of the last call */
};

#define IDLE_NEVER_S "31536000" /* tests move the clock by days, and are about accounts in use */

static inline void fixture_set(struct fixture *fixture, const char *key, const char *value)
{
    assert_int_equal(gk_instance_config(fixture->instance, key, value, NULL), GK_OK);
}

/* Made, with the tests' settings, and not started yet. */
static inline void fixture_make(struct fixture *fixture)
{
    const struct gk_host host = fake_host_callbacks(&fixture->host);
    assert_int_equal(gk_instance_create_with(&fake_provider_ops, &host, &fixture->instance, NULL),
                     GK_OK);
    fixture_set(fixture, "check_interval_ms", "1000");
    fixture_set(fixture, "grace_s", "600");
    fixture_set(fixture, "account_idle_s", IDLE_NEVER_S);
}

static inline void fixture_start_with(struct fixture *fixture, const char *keep_s,
                                      const char *idle_s)
{
    fixture_make(fixture);
    fixture_set(fixture, "previous_wrap_keep_s", keep_s);
    fixture_set(fixture, "account_idle_s", idle_s);
    assert_int_equal(gk_instance_start(fixture->instance, NULL), GK_OK);
}

static inline void fixture_start_keeping(struct fixture *fixture, const char *keep_s)
{
    fixture_start_with(fixture, keep_s, IDLE_NEVER_S);
}

static inline void fixture_start(struct fixture *fixture)
{
    fixture_start_keeping(fixture, "86400");
}

static inline void fixture_restart(struct fixture *fixture)
{
    gk_instance_destroy(fixture->instance);
    fixture_start(fixture);
}

static inline int fixture_setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL) {
        return -1;
    }
    fake_host_init(&fixture->host);
    fake_vault_reset();
    fixture_start(fixture);
    *state = fixture;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fixture = *state;
    gk_instance_destroy(fixture->instance);
    fake_host_cleanup(&fixture->host);
    free(fixture);
    return 0;
}

static inline struct gk_encryption_settings customer_settings(void)
{
    struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_CUSTOMER,
                                              .identity.kind = GK_IDENTITY_USER_ASSIGNED};
    snprintf(settings.key.vault_uri, sizeof settings.key.vault_uri, "%s", FAKE_VAULT_URI);
    snprintf(settings.key.name, sizeof settings.key.name, "%s", FAKE_KEY_NAME);
    snprintf(settings.identity.resource_id, sizeof settings.identity.resource_id, "/identity");
    return settings;
}

static inline enum gk_status create_account(struct fixture *fixture,
                                            const struct gk_encryption_settings *settings)
{
    fixture->error = (struct gk_error){0};
    return gk_account_create(fixture->instance, NAME, settings, &by_tester, &fixture->error);
}

static inline void create_customer(struct fixture *fixture)
{
    const struct gk_encryption_settings settings = customer_settings();
    assert_int_equal(create_account(fixture, &settings), GK_OK);
}

static inline struct gk_account *open_account(struct fixture *fixture)
{
    struct gk_account *account = NULL;
    assert_int_equal(gk_account_open(fixture->instance, NAME, &account, &fixture->error), GK_OK);
    return account;
}

/* How many. */
static inline uint32_t retire_root_keys(struct fixture *fixture,
                                        const struct gk_retirement *retirement)
{
    struct gk_account *account = open_account(fixture);
    uint32_t retired = 0;
    assert_int_equal(
        gk_account_retire_root_keys(account, retirement, &retired, &by_tester, &fixture->error),
        GK_OK);
    gk_account_release(account);
    return retired;
}

static inline uint32_t retire_below(struct fixture *fixture, uint32_t below)
{
    return retire_root_keys(fixture, &(const struct gk_retirement){.below = below});
}

static inline enum gk_status authorize_read(struct fixture *fixture)
{
    struct gk_account *account = open_account(fixture);
    fixture->error = (struct gk_error){0};
    const enum gk_status status =
        gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, &fixture->error);
    gk_account_release(account);
    return status;
}

static inline struct gk_account_status status_of(struct fixture *fixture)
{
    struct gk_account_status status;
    assert_int_equal(gk_account_get_status(fixture->instance, NAME, &status, NULL), GK_OK);
    return status;
}

static inline enum gk_status check_now(struct fixture *fixture)
{
    fixture->error = (struct gk_error){0};
    return gk_account_check_now(fixture->instance, NAME, &by_tester, &fixture->error);
}

static inline void assert_state(struct fixture *fixture, enum gk_account_state state)
{
    assert_int_equal(status_of(fixture).state, state);
}

/* What the ticker finds under way it looks at again a tick later, by a clock that stands. */
#define NUDGE_EVERY 500
#define NUDGE_MS    250

/* Waits for what another thread brings about. */
static inline void until_state(struct fixture *fixture, enum gk_account_state state)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 1; i < UNTIL_MS && status_of(fixture).state != state; i++) {
        fake_host_advance(&fixture->host, i % NUDGE_EVERY == 0 ? NUDGE_MS : 0);
        nanosleep(&pause, NULL);
    }
    assert_state(fixture, state);
}

static inline void set_unwrap(enum gk_vault_verdict verdict)
{
    fake_vault_lock()->unwrap_verdict = verdict;
    fake_vault_unlock();
}

static inline struct fake_vault vault_now(void)
{
    const struct fake_vault copy = *fake_vault_lock();
    fake_vault_unlock();
    return copy;
}

static inline void rotate_vault(void)
{
    fake_vault_lock()->versions++;
    fake_vault_unlock();
}

static inline void disable_version(unsigned version, bool disabled)
{
    fake_vault_lock()->disabled[version - 1] = disabled;
    fake_vault_unlock();
}

#endif
