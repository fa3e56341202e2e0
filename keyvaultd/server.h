/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The running server: what every request can see. All members are fixed between start and stop, or
 * are thread-safe for themselves.
 */
#ifndef KEYVAULTD_SERVER_H
#define KEYVAULTD_SERVER_H

#include <stdatomic.h>

#include "common/clock.h"
#include "gateway/http/server.h"
#include "gateway/http/tls.h"
#include "keyvaultd/arc.h"
#include "keyvaultd/calls.h"
#include "keyvaultd/config.h"
#include "keyvaultd/faults.h"
#include "keyvaultd/identities.h"
#include "keyvaultd/store.h"

#define KV_ORIGIN_BYTES 320u

/* Whom a vault's network rules let in: everybody, or nobody that calls here. */
enum kv_network {
    KV_NETWORK_OPEN = 0,
    KV_NETWORK_FIREWALL, /* the caller's address is not among those allowed */
    KV_NETWORK_PRIVATE   /* there is no public access at all */
};

/* Which of the two listeners a request came over. */
struct kv_listener {
    struct kv_server *server;
    bool imds;
    struct gk_http_server *http; /* NULL when it is not started */
};

struct kv_server {
    const struct kv_config *config;
    struct gk_clock clock;
    _Atomic int64_t clock_offset_ms; /* the control API moves it */
    struct kv_identities identities;
    struct gk_tls *tls; /* what the listener begins with */
    char *pin;          /* the token's, until that is open */
    struct kv_hsm *hsm; /* NULL in a vault */
    struct kv_store *store;
    struct kv_faults *faults;
    struct kv_calls *calls;
    char *control_token; /* NULL: the control API is off */
    size_t control_token_len;
    char *shared_secret; /* of tokens, with another process; NULL: the store's own */
    size_t shared_secret_len;
    struct kv_arc *arc;    /* NULL: not as the agent of Azure Arc */
    char *identity_header; /* NULL: not as App Service */
    size_t identity_header_len;
    atomic_bool vault_deleted;         /* connections that ask for the vault are closed */
    _Atomic(enum kv_network) network;  /* whom the vault lets in */
    atomic_bool ready;                 /* requests before it are dropped: the origin is not known */
    char origin[KV_ORIGIN_BYTES];      /* https://host:port */
    char authority[KV_ORIGIN_BYTES];   /* of who gives tokens: origin, unless it is another */
    char imds_origin[KV_ORIGIN_BYTES]; /* http://address:port, "" without one */
    struct kv_listener https;
    struct kv_listener imds;
};

/* Reads all that the configuration's files hold, and opens nothing: what was checked is what is used. GK_E_INVALID, with
 * the place of the setting. The configuration must live until the stop. */
enum gk_status kv_server_new(const struct kv_config *config, struct kv_server **out,
                             struct gk_error *error) GK_MUST_USE;
/* Opens token and state, and listens. After a failure it is stopped as well. */
enum gk_status kv_server_start(struct kv_server *server, struct gk_error *error) GK_MUST_USE;
/* Ends what is under way, if it was started, and closes everything. NULL is fine. */
void kv_server_stop(struct kv_server *server);

int64_t kv_server_now_ms(const struct kv_server *server);
static inline int64_t kv_server_now_s(const struct kv_server *server)
{
    return kv_server_now_ms(server) / 1000;
}

/* What authenticates tokens. Lives as long as the server. */
static inline struct gk_span kv_server_token_secret(const struct kv_server *server)
{
    return server->shared_secret != NULL
               ? gk_span_of(server->shared_secret, server->shared_secret_len)
               : gk_span_of(server->store->token_secret, KV_TOKEN_SECRET_BYTES);
}

/* exchange.c: what a listener does with a request. ctx is the struct kv_listener. */
struct gk_http_service kv_exchange_service(struct kv_listener *listener);

#endif
