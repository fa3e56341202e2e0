/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of requests for tokens. */
#ifndef KEYPROVIDER_TOKEN_REQUEST_H
#define KEYPROVIDER_TOKEN_REQUEST_H

#include "common/buf.h"
#include "keyprovider/config.h"

#define GK_KV_TOKEN_FORM_BYTES_MAX 16384u /* with NUL; a client secret may grow threefold in it */
#define GK_KV_TOKEN_URL_BYTES_MAX  4096u

/*
 * An application that is installed in other tenants than its own, and trusts a managed identity: who
 * shows a token of the identity gets one of the application ("Configure cross-tenant customer-managed
 * keys": the identity is its federated credential).
 */
struct gk_kv_application {
    char client_id[GK_CLIENT_ID_BYTES_MAX]; /* "": none */
    char tenant_id[GK_KV_TENANT_BYTES_MAX]; /* where it is to be installed: the vault's */
    char authority[GK_KV_URL_BYTES_MAX];    /* of that tenant */
};

/* Whose tokens, and for whom. */
struct gk_kv_grant {
    const struct gk_kv_identity *identity;
    struct gk_kv_application application; /* stands in for the identity, which vouches for it */
    const char *resource;                 /* not copied */
};

static inline bool gk_kv_grant_is_vouched(const struct gk_kv_grant *grant)
{
    return grant->application.client_id[0] != '\0';
}
/* Whether the token comes from the host that the gateway runs on, and not from an authority. */
static inline bool gk_kv_grant_is_of_host(const struct gk_kv_grant *grant)
{
    return !gk_kv_grant_is_vouched(grant) && gk_kv_source_is_host(grant->identity->source);
}

/* Whether it is shown something that is good from one time to another: then a wrong clock, ours or the authority's, is
 * refused like a wrong proof. What vouches is as new as its own authority made it. */
static inline bool gk_kv_grant_is_dated(const struct gk_kv_grant *grant)
{
    const enum gk_kv_identity_source source = grant->identity->source;
    return !gk_kv_grant_is_vouched(grant) &&
           (source == GK_KV_SOURCE_CLIENT_CERTIFICATE || source == GK_KV_SOURCE_WORKLOAD ||
            source == GK_KV_SOURCE_JWT);
}

/* The audience of the token by which an identity vouches for an application. */
const char *gk_kv_exchange_resource(const struct gk_kv_application *application);

/* Where the token comes from. */
void gk_kv_token_url(struct gk_buf *out, const struct gk_kv_grant *grant);
/*
 * The header line by which a token service of the host tells its own from requests that came by way
 * of others, in secret memory (gk_secret_free); NULL for an authority. App Service's is a secret that
 * the platform renews: its file is read each time.
 */
enum gk_status gk_kv_token_header(const struct gk_kv_grant *grant, char **out,
                                  struct gk_error *error) GK_MUST_USE;
/* What kind of body the request has; NULL: it is a GET without one. */
const char *gk_kv_token_content_type(const struct gk_kv_grant *grant);
/* What is shown in the TLS handshake; NULL: nothing. */
const char *gk_kv_token_certificate_file(const struct gk_kv_grant *grant);
/*
 * The form that is posted to an authority, or the body of a login (transit/login.h); out is over secret
 * memory. vouching: the identity's token for an application, else not looked at. Reads the client
 * secret, the certificate and its key (client_assertion.h), or the token of another issuer (workload
 * identity federation), each time, so that a new one is taken without a restart. Such a token that has
 * expired is not sent: the authority would refuse the identity for good, when it is only that nobody
 * renews the file.
 */
enum gk_status gk_kv_token_form(struct gk_buf *out, const struct gk_kv_grant *grant,
                                const char *vouching, int64_t now_s,
                                struct gk_error *error) GK_MUST_USE;

#endif
