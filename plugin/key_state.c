/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/key_state.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"

void gk_key_state_init(struct gk_key_state *state, enum gk_key_source source)
{
    memset(state, 0, sizeof *state);
    state->state = source == GK_KEY_SOURCE_CUSTOMER ? GK_ACCOUNT_COLD : GK_ACCOUNT_SERVICE_MANAGED;
}

void gk_key_state_take_customer(struct gk_key_state *state)
{
    if (state->state == GK_ACCOUNT_SERVICE_MANAGED) {
        gk_key_state_init(state, GK_KEY_SOURCE_CUSTOMER);
        state->state = GK_ACCOUNT_ACTIVE;
    }
}

bool gk_key_state_is_open(const struct gk_key_state *state)
{
    return state->state == GK_ACCOUNT_SERVICE_MANAGED || state->state == GK_ACCOUNT_ACTIVE ||
           state->state == GK_ACCOUNT_UNREACHABLE;
}

static void set_reason(struct gk_key_state *state, const struct gk_key_outcome *outcome)
{
    snprintf(state->reason_code, sizeof state->reason_code, "%s",
             outcome->mismatch ? "RootKeyMismatch" : outcome->code);
    snprintf(state->reason, sizeof state->reason, "%s",
             outcome->mismatch ? "the vault unwrapped a key that is not the account's root key"
                               : outcome->message);
    snprintf(state->reason_request_id, sizeof state->reason_request_id, "%s", outcome->request_id);
}

static void clear_silence(struct gk_key_state *state)
{
    state->silent = false;
    state->silent_since_mono_ms = 0;
    state->silent_since_wall_ms = 0;
}

static enum gk_key_action opened(struct gk_key_state *state, struct gk_moment now)
{
    const enum gk_key_action action = gk_key_state_is_open(state) ? GK_KEY_KEEP : GK_KEY_TAKE;
    clear_silence(state);
    state->state = GK_ACCOUNT_ACTIVE;
    state->broken = false;
    state->revoked_since_wall_ms = 0;
    state->last_check_wall_ms = now.wall_ms;
    state->reason_code[0] = '\0';
    state->reason[0] = '\0';
    state->reason_request_id[0] = '\0';
    return action;
}

static enum gk_key_action refused(struct gk_key_state *state, const struct gk_key_outcome *outcome,
                                  struct gk_moment now)
{
    clear_silence(state);
    if (state->state != GK_ACCOUNT_REVOKED) {
        state->revoked_since_wall_ms = now.wall_ms;
    }
    state->state = GK_ACCOUNT_REVOKED;
    state->broken = false;
    state->refusal = outcome->verdict;
    state->last_check_wall_ms = now.wall_ms;
    set_reason(state, outcome);
    return GK_KEY_DROP;
}

static enum gk_key_action went_silent(struct gk_key_state *state,
                                      const struct gk_key_outcome *outcome, struct gk_moment now,
                                      int64_t grace_ms)
{
    if (state->state == GK_ACCOUNT_REVOKED) {
        return GK_KEY_KEEP; /* silence takes nothing back */
    }
    if (!state->silent) {
        state->silent = true;
        state->silent_since_mono_ms = now.mono_ms;
        state->silent_since_wall_ms = now.wall_ms;
    }
    if (!state->broken || outcome->mismatch) {
        set_reason(state, outcome);
    }
    if (gk_key_state_is_open(state)) {
        state->state = GK_ACCOUNT_UNREACHABLE;
        return gk_key_state_tick(state, now, grace_ms);
    }
    state->state = GK_ACCOUNT_DEGRADED;
    state->broken = state->broken || outcome->mismatch;
    return GK_KEY_KEEP;
}

enum gk_key_action gk_key_state_answer(struct gk_key_state *state,
                                       const struct gk_key_outcome *outcome, struct gk_moment now,
                                       int64_t grace_ms)
{
    if (state->state == GK_ACCOUNT_SERVICE_MANAGED) {
        return GK_KEY_KEEP;
    }
    switch (outcome->verdict) {
    case GK_VAULT_OK:
        return outcome->mismatch ? went_silent(state, outcome, now, grace_ms) : opened(state, now);
    case GK_VAULT_KEY_REFUSED:
    case GK_VAULT_GONE:
    case GK_VAULT_IDENTITY_GONE:
        return refused(state, outcome, now);
    case GK_VAULT_UNAVAILABLE:
        break;
    }
    return went_silent(state, outcome, now, grace_ms);
}

enum gk_key_action gk_key_state_tick(struct gk_key_state *state, struct gk_moment now,
                                     int64_t grace_ms)
{
    if (state->state != GK_ACCOUNT_UNREACHABLE ||
        now.mono_ms - state->silent_since_mono_ms < grace_ms) {
        return GK_KEY_KEEP;
    }
    state->state = GK_ACCOUNT_DEGRADED;
    return GK_KEY_DROP;
}

enum gk_status gk_key_refusal_error(enum gk_vault_verdict refusal, struct gk_error *error)
{
    const char *code = "KeyVaultEncryptionKeyNotFound";
    const char *message = "The key vault key is not found to unwrap the encryption key.";
    if (refusal == GK_VAULT_GONE) {
        code = "KeyVaultVaultNotFound";
        message = "The key vault that holds the encryption key is not found.";
    } else if (refusal == GK_VAULT_IDENTITY_GONE) {
        code = "KeyVaultAccessTokenCannotBeAcquired";
        message = "An access token for the key vault cannot be acquired with the identity of the "
                  "account.";
    }
    return gk_fail_http(error, GK_E_DENIED, 403, code, "%s", message);
}

enum gk_status gk_key_state_error(const struct gk_key_state *state, uint32_t retry_after_s,
                                  struct gk_error *error)
{
    switch (state->state) {
    case GK_ACCOUNT_SERVICE_MANAGED:
    case GK_ACCOUNT_ACTIVE:
    case GK_ACCOUNT_UNREACHABLE:
        return GK_OK;
    case GK_ACCOUNT_COLD:
        return gk_fail(error, GK_E_COLD, "the account's key has not been asked for yet");
    case GK_ACCOUNT_REVOKED:
        return gk_key_refusal_error(state->refusal, error);
    case GK_ACCOUNT_DEGRADED:
        break;
    }
    if (state->broken) {
        return gk_fail_http(error, GK_E_INTEGRITY, 500, "InternalError",
                            "The account's root key is not the one that its record commits to.");
    }
    const enum gk_status status =
        gk_fail_http(error, GK_E_UNAVAILABLE, 503, "ServerBusy",
                     "The key vault does not answer; the request can be tried again.");
    if (error != NULL) {
        error->retry_after_s = retry_after_s;
    }
    return status;
}
