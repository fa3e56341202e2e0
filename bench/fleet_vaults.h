/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many vaults with many keys in the memory of one process, behind provider.h, for bench/fleet.c: whoever waits for an
 * answer is served by the one thread that calls fleet_serve_until(), by the clock that it moves, at the pace and
 * behind the breaker of the real provider. Key k is in vault k % vaults, account a under key a % keys.
 */
#ifndef BENCH_FLEET_VAULTS_H
#define BENCH_FLEET_VAULTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gatekey/provider.h"

#define FLEET_VAULT_FORM "https://vault%u.test"
#define FLEET_KEY_FORM   "key%u"

struct fleet_key {
    unsigned version;     /* the newest, from 1 */
    int64_t rotated_ms;   /* since when */
    int64_t old_until_ms; /* the version before opens until then */
    bool disabled;        /* by its owner */
    int64_t changed_ms;   /* since when it is, or is not */
};

struct fleet_vault {
    int64_t silent_from_ms; /* the next outage, or this one */
    int64_t silent_until_ms;
    int64_t answers_from_ms; /* the end of the last one */
};

struct fleet_calls {
    uint64_t gets, wraps, unwraps, refused, silent;
    uint64_t paced_out; /* which would have waited for longer than their deadline */
};

struct fleet_vaults {
    unsigned vaults_count;
    unsigned keys_count;
    struct fleet_vault *vaults;
    struct fleet_key *keys;
    struct fleet_calls calls;
    int64_t waited_ms; /* for the vaults' pace, by all together */
    atomic_int_fast64_t now_ms;
};

/* The world that all providers of the process are in. */
extern struct fleet_vaults fleet;
extern const struct gk_provider_ops fleet_provider_ops;

bool fleet_vault_is_silent(unsigned vault);
/* Runs timers that are due, and answers calls until done is set (by another thread, which wakes us). */
void fleet_serve_until(struct gk_provider *provider, const atomic_bool *done);
void fleet_run_timers(struct gk_provider *provider);
void fleet_wake(void);

#endif
