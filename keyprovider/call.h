/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of a vault, from its parameters to its one completion:
 *
 *   its turn (breaker.h, pace.h) -> token -> request -> 200: read it -> done
 *     ^           ^         a refusal of the token, which was not yet renewed: reject it ----+
 *     |           +--------------------------------------------------------------------------+
 *     |                     408, 429, 5xx, no answer: back off, within the deadline -+
 *     +-----------------------------------------------------------------------------+
 *                           name unknown: ask the resolver; gone, where that means so, or as
 *                           no answer
 *                           anything else: done with its verdict
 *
 * An application of another tenant asks without a token first, while it is not known which tenant the
 * vault is of: its 401 names it. Where it names another than the token is of, or that tenant refuses
 * the application, it is learned anew, once for a call.
 */
#ifndef KEYPROVIDER_CALL_H
#define KEYPROVIDER_CALL_H

#include "keyprovider/verdict.h"

struct gk_kv_call_input {
    enum gk_kv_operation operation;
    const struct gk_identity_reference *identity;
    const struct gk_key_reference *key;
    const char *algorithm;             /* of an unwrap */
    struct gk_span value;              /* of a wrap or unwrap */
    const struct gk_key_info *version; /* of a look at the rotation policy: whose dates it is for */
    uint32_t deadline_ms;
    gk_vault_done_fn *done;
    void *ctx;
};

/*
 * Any thread; copies the input. done runs once: on the provider's thread, or within this very call,
 * with GK_VAULT_UNAVAILABLE, when memory is out or the provider does not run.
 */
void gk_kv_call_start(struct gk_provider *provider, const struct gk_kv_call_input *input);
/* The provider's thread, at stop: ends every call that is under way. */
void gk_kv_calls_end(struct gk_provider *provider);

#endif
