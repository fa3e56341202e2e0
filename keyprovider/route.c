/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/route.h"

#include <stdio.h>

#include "common/error.h"

/* A Key Vault takes the tokens of an authority, and a transit engine those of its own logins. */
static enum gk_status check_kinds(const struct gk_kv_route *route, struct gk_error *error)
{
    const bool transit = route->vault.kind == GK_KV_VAULT_TRANSIT;
    if (transit && route->application[0] != '\0') {
        return gk_fail(
            error, GK_E_INVALID,
            "federatedIdentityClientId: a transit engine knows no applications; leave it "
            "out");
    }
    return gk_kv_source_is_login(route->identity->source) == transit
               ? GK_OK
               : gk_fail(error, GK_E_INVALID,
                         "the identity is of kind %s, which a %s does not know; give an identity "
                         "%s kind approle, jwt or tls",
                         gk_kv_source_name(route->identity->source),
                         transit ? "transit engine" : "Key Vault", transit ? "of" : "not of");
}

enum gk_status gk_kv_route_find(const struct gk_kv_config *config,
                                const struct gk_identity_reference *identity,
                                const struct gk_key_reference *key, struct gk_kv_route *out,
                                struct gk_error *error)
{
    struct gk_error reason = {.status = GK_E_INVALID};
    *out = (struct gk_kv_route){0};
    enum gk_status status = gk_kv_config_vault(config, key->vault_uri, &out->vault, error);
    if (status != GK_OK) {
        return status;
    }
    out->dialect =
        out->vault.kind == GK_KV_VAULT_TRANSIT ? gk_kv_dialect_transit() : gk_kv_dialect_keyvault();
    out->identity = gk_kv_config_identity(config, identity, &reason);
    if (out->identity == NULL) {
        if (error != NULL) {
            *error = reason;
        }
        return reason.status;
    }
    snprintf(out->application, sizeof out->application, "%s", identity->federated_client_id);
    status = check_kinds(out, error);
    return status == GK_OK ? out->dialect->check_key(key, error) : status;
}
