/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the vault's answers make of an account: a pure state machine, without locks, clocks or keys.
 *
 *            opened               refused                      silent
 *   COLD     -> ACTIVE, take      -> REVOKED                   -> DEGRADED
 *   ACTIVE   -> ACTIVE            -> REVOKED, drop             -> UNREACHABLE, the grace begins
 *   UNREACH. -> ACTIVE            -> REVOKED, drop             grace over: -> DEGRADED, drop
 *   DEGRADED -> ACTIVE, take      -> REVOKED                   -> DEGRADED
 *   REVOKED  -> ACTIVE, take      -> REVOKED                   -> REVOKED
 *
 * Only an explicit refusal revokes, and only an opened key lifts that again. An unwrap that gives
 * another key than the account's counts as silence while the right one is in memory; without one
 * the account is broken: GK_E_INTEGRITY, until an unwrap gives the right key.
 */
#ifndef PLUGIN_KEY_STATE_H
#define PLUGIN_KEY_STATE_H

#include <stdbool.h>

#include "gatekey/plugin.h"

/* The one moment as both clocks have it. The grace runs on the monotonic one. */
struct gk_moment {
    int64_t mono_ms;
    int64_t wall_ms;
};

/* What came of asking the vault to unwrap the root key. */
struct gk_key_outcome {
    enum gk_vault_verdict verdict;
    bool mismatch; /* GK_VAULT_OK, but what came is not the account's root key */
    uint32_t retry_after_ms;
    char code[96];
    char message[256];
    char request_id[64];
};

struct gk_key_state {
    enum gk_account_state state;
    bool broken;                   /* DEGRADED because the wrong key came */
    enum gk_vault_verdict refusal; /* REVOKED: which one */
    bool silent;                   /* the two times below are set */
    int64_t silent_since_mono_ms;
    int64_t silent_since_wall_ms;
    int64_t revoked_since_wall_ms; /* REVOKED: since the first refusal, whatever the last one was */
    int64_t last_check_wall_ms;
    char reason_code[96];
    char reason[256];
    char reason_request_id[64];
};

/* What the caller does with the root key in memory. */
enum gk_key_action { GK_KEY_KEEP = 0, GK_KEY_TAKE = 1, GK_KEY_DROP = 2 };

/* COLD, or SERVICE_MANAGED, which no answer changes. */
void gk_key_state_init(struct gk_key_state *state, enum gk_key_source source);
/* A service-managed account has got a customer's key, which whoever wrote its record has proved, and
 * its root key is in memory: ACTIVE, to be asked about at once. Nothing in any other state. */
void gk_key_state_take_customer(struct gk_key_state *state);
/* Whether a root key is in memory in this state and may be used. */
bool gk_key_state_is_open(const struct gk_key_state *state);

enum gk_key_action gk_key_state_answer(struct gk_key_state *state,
                                       const struct gk_key_outcome *outcome, struct gk_moment now,
                                       int64_t grace_ms);
/* The clock went on without an answer. */
enum gk_key_action gk_key_state_tick(struct gk_key_state *state, struct gk_moment now,
                                     int64_t grace_ms);

/* What an operation that needs the key gets: GK_OK, GK_E_COLD, GK_E_DENIED, GK_E_UNAVAILABLE or
 * GK_E_INTEGRITY, with what a gateway should answer. */
enum gk_status gk_key_state_error(const struct gk_key_state *state, uint32_t retry_after_s,
                                  struct gk_error *error);
/* The same for one refusal, whatever the state. */
enum gk_status gk_key_refusal_error(enum gk_vault_verdict refusal, struct gk_error *error);

#endif
