/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may ask for a token, and what it may then do. The set is fixed at start; whether an identity
 * is enabled and its permissions can be changed by the control API while the process runs, from
 * any thread.
 */
#ifndef KEYVAULTD_IDENTITIES_H
#define KEYVAULTD_IDENTITIES_H

#include <stdatomic.h>

#include "common/span.h"
#include "common/text.h"
#include "gateway/auth/jwt.h"
#include "keyvaultd/config.h"

struct kv_identity {
    const struct kv_config_identity *config;
    char object_id[GK_UUID_TEXT_BYTES]; /* at home */
    char *secret;                       /* NULL: no client credentials */
    size_t secret_len;
    struct gk_jwks *certificate; /* its own; NULL: it has none */
    /* Its federated credential: the keys of another issuer, or an identity of ours. NULL: it has none. */
    struct gk_jwks *jwks;
    const struct kv_identity *voucher;
    atomic_bool federated; /* false: the credential was deleted */
    atomic_bool installed; /* false: it was removed from the tenants that are not its home */
    atomic_bool enabled;   /* false: gets no tokens any more; those that are out go on */
    _Atomic uint32_t permissions;
};

struct kv_identities {
    struct kv_identity *list;
    size_t count;
};

/* Reads the secrets and key sets; what is wrong with one is told with the place of its setting. The configuration must
 * live as long. */
enum gk_status kv_identities_init(struct kv_identities *identities, const struct kv_config *config,
                                  struct gk_error *error) GK_MUST_USE;
void kv_identities_cleanup(struct kv_identities *identities);

/* NULL when there is none. */
struct kv_identity *kv_identity_by_client_id(const struct kv_identities *identities,
                                             const char *client_id);
struct kv_identity *kv_identity_by_name(const struct kv_identities *identities, const char *name);

/* Whether there is anything by which it could get a token from the authority. */
bool kv_identity_has_credential(const struct kv_identity *identity);
/* Whether the identity is at home in that tenant, or installed there. */
bool kv_identity_is_in(const struct kv_identity *identity, const char *tenant_id);
/* An application is another object in each tenant: the id follows from tenant and client id, so it
 * survives a restart without being stored. False when there is no digest. */
bool kv_identity_object_id(const struct kv_identity *identity, const char *tenant_id,
                           char text[GK_UUID_TEXT_BYTES]) GK_MUST_USE;

/* Which managed identity instance metadata was asked for; at most one member is set. */
struct kv_identity_choice {
    const char *client_id;
    const char *object_id;
    const char *resource_id;
};
/*
 * With nothing chosen: the system-assigned one, or else the only user-assigned one. NULL when there
 * is none or more than one.
 */
struct kv_identity *kv_identity_managed(const struct kv_identities *identities,
                                        const struct kv_identity_choice *choice);

/* Constant time in the secret's content. */
bool kv_identity_secret_is(const struct kv_identity *identity, struct gk_span secret) GK_MUST_USE;
/* Whether it is a token that the application signed for that audience. why says what it is not. */
bool kv_identity_signed(const struct kv_identity *identity, const char *assertion,
                        const char *audience, int64_t now_s, struct gk_error *why) GK_MUST_USE;
/* Whether it is a token that the identity's federated credential speaks of. token_secret: what
 * authenticates our own. */
bool kv_identity_is_asserted(const struct kv_identity *identity, const char *assertion,
                             struct gk_span token_secret, int64_t now_s,
                             struct gk_error *why) GK_MUST_USE;

#endif
