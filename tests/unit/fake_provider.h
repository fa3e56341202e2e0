/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key provider for unit tests: one thread; two vaults, in which every key has the same versions, up
 * to 16; faults on demand, every call counted. Completions run on its thread, as the contract has it.
 */
#ifndef TESTS_UNIT_FAKE_PROVIDER_H
#define TESTS_UNIT_FAKE_PROVIDER_H

#include <stdbool.h>

#include "gatekey/provider.h"

#define FAKE_VERSIONS_MAX 16u
#define FAKE_VAULT_URI    "https://vault.test"
#define FAKE_OTHER_URI    "https://other.test"
#define FAKE_KEY_NAME     "key"

/* What the vault is like. The test changes it through fake_vault_lock(). */
struct fake_vault {
    unsigned versions;                 /* 1.. ; the last is the current one */
    bool disabled[FAKE_VERSIONS_MAX];  /* by index from 0 */
    enum gk_vault_verdict get_verdict; /* GK_VAULT_OK unless a fault is wanted */
    enum gk_vault_verdict wrap_verdict;
    enum gk_vault_verdict unwrap_verdict;
    uint32_t retry_after_ms; /* of every silence */
    bool ours;               /* so are silences */
    unsigned silent_version; /* no unwrap with that one is answered; 0: none */
    bool plant;              /* unwraps to a key of somebody else's */
    bool short_key;          /* unwraps to 31 bytes */
    unsigned failing_unwrap; /* of all unwraps, the one that fails; 0: none */
    uint16_t failing_status; /* how: 403 as a refused key, others as silence; 0: nothing came */
    unsigned room;           /* after so many unwraps there is no place for another; 0: no end */
    bool spoil_wrap;         /* wraps to something that nobody can open */
    unsigned odd_key_id;     /* answers another: 1 key, 2 version, 3 vault, 4 nonsense */
    bool hold;               /* calls wait */
    bool hold_wraps;         /* those that wrap do; others come before them */
    struct gk_key_info info; /* of every version */
    enum gk_vault_verdict policy_verdict;
    int64_t rotation_due_wall_ms; /* by the policy of every key */
    unsigned gets;
    unsigned policies;
    unsigned wraps;
    unsigned unwraps;
};

extern const struct gk_provider_ops fake_provider_ops;

/* The vault of the one fake provider that a test process has at a time. */
struct fake_vault *fake_vault_lock(void);
void fake_vault_unlock(void);
/* Back to one good version. */
void fake_vault_reset(void);
/* "https://vault.test/keys/key/<32 digits>", from 1. */
void fake_key_id(unsigned version, char key_id[GK_KEY_ID_BYTES_MAX]);

#endif
