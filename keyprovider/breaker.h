/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a vault is worth asking: one breaker for each. After so many silences in a row (no answer, 408, 5xx),
 * whoever asked, it opens: the vault is asked by one call at a time, a probe, with a growing pause between them, until
 * it answers; the others wait for two probes at most and are answered as the last silence was. So what a vault that is
 * away costs is bounded, whatever number of keys and requests wants it: no storm on its return, no thread that waits
 * for its whole deadline. Any answer closes it, a refusal too: only silence is the breaker's, and it adds none of its
 * own to what a verdict means. Where there is no memory for it there is none.
 *
 *   closed --[SILENCES in a row]--> open --[pause over: a probe]--> silent: open, twice the pause
 *     ^                                                             an answer --+
 *     +-------------------------------------------------------------------------+
 *
 * No clock in here. The provider's thread alone.
 */
#ifndef KEYPROVIDER_BREAKER_H
#define KEYPROVIDER_BREAKER_H

#include <stdbool.h>

#include "gatekey/provider.h"

#define GK_KV_BREAKER_SILENCES       10u
#define GK_KV_BREAKER_PAUSE_FIRST_MS 125
#define GK_KV_BREAKER_PAUSE_MAX_MS                                                                 \
    1000 /* so late is a vault's return noticed, beside the check interval */

struct gk_kv_breaker;

struct gk_kv_breakers {
    struct gk_kv_breaker *first;
};

/*
 * now_ms: ask; it is the probe when the breaker is open. Later: not before that, and then ask here again; INT64_MAX: it
 * is open, and past probe_by_ms there is too little time left for a probe to tell the vault's silence from its own end.
 */
int64_t gk_kv_breaker_ask(struct gk_kv_breakers *breakers, const char *vault_uri, int64_t now_ms,
                          int64_t probe_by_ms);
/* The vault's silence to one who asked, in its words; true when that opened the breaker. */
bool gk_kv_breaker_silent(struct gk_kv_breakers *breakers, const char *vault_uri, int64_t now_ms,
                          const char *code, const char *message);
/* It answered; true when that closed the breaker. */
bool gk_kv_breaker_answered(struct gk_kv_breakers *breakers, const char *vault_uri);
/* code and message of the last silence, into an answer of whoever is not let through. */
void gk_kv_breaker_reason(const struct gk_kv_breakers *breakers, const char *vault_uri,
                          struct gk_vault_answer *answer);
void gk_kv_breakers_cleanup(struct gk_kv_breakers *breakers);

#endif
