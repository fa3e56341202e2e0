/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: one for each grant (identity, application, tenant and audience), kept in secret
 * memory, fetched once for all who wait for it, renewed ahead of its end. A renewal that fails leaves
 * the old one in use to its end. The provider's thread alone.
 *
 * One of an application that an identity vouches for takes two: the identity's for the exchange, from
 * its host, and with it the application's, from the authority of the vault's tenant:
 *
 *   identity's token, kept or new -> application's: 200: keep it -> done
 *        ^                                 refused: was it a kept one? reject it -+
 *        +------------------------------------------------------------------------+
 *
 * Whose tokens applications' are, others say: vaults name tenants, and customers applications. So these are kept while
 * they are good, and the newest GK_KV_VOUCHED_MAX of them; the identities' stand in the configuration, and stay.
 */
#ifndef KEYPROVIDER_TOKEN_H
#define KEYPROVIDER_TOKEN_H

#include "keyprovider/token_request.h"
#include "keyprovider/transport.h"
#include "keyprovider/verdict.h"

#define GK_KV_VOUCHED_MAX 256u /* besides those that somebody waits for */

struct gk_kv_tokens {
    struct gk_kv_transport *transport;
    uint32_t timeout_ms;
    struct gk_kv_token *first; /* the newest */
    unsigned vouched;          /* how many are applications' */
    unsigned inside;           /* how often this module is entered: tokens stay where they are */
    uint64_t serial;           /* the latest token's */
};

/* Valid during got alone. */
struct gk_kv_token_result {
    struct gk_kv_judgement judgement; /* GK_VAULT_OK: there is a token */
    const char *bearer;               /* secret */
    uint64_t serial;                  /* of this very token, to reject it with */
    bool fresh;                       /* it was fetched while this one waited */
    uint16_t http_status;             /* of a failure */
    bool ours; /* likewise: nothing came while the provider's thread stood still (loop.h) */
    uint32_t retry_after_ms;
    char code[64];
    char message[256];
};

/* Part of who waits. */
struct gk_kv_token_waiter {
    struct gk_kv_token_waiter *next;
    struct gk_kv_token *token; /* NULL: does not wait */
    void (*got)(void *ctx, const struct gk_kv_token_result *result);
    void *ctx;
};

/* got runs once: at once, within this call, when there is a token already. */
void gk_kv_token_get(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                     struct gk_kv_token_waiter *waiter);
/* got will not run. Fine when it does not wait. */
void gk_kv_token_forget(struct gk_kv_token_waiter *waiter);
/* A vault did not take it: the next to ask gets a new one. A later token is left alone. */
void gk_kv_token_reject(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                        uint64_t serial);
/* After all who wait have been ended. */
void gk_kv_tokens_cleanup(struct gk_kv_tokens *tokens);

#endif
