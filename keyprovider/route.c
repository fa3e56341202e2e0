/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/route.h"

enum gk_status gk_kv_route_find(const struct gk_kv_config *config,
                                const struct gk_identity_reference *identity,
                                const struct gk_key_reference *key, struct gk_kv_route *out,
                                struct gk_error *error)
{
    struct gk_error reason = {.status = GK_E_INVALID};
    *out = (struct gk_kv_route){.dialect = gk_kv_dialect_keyvault()};
    const enum gk_status status = gk_kv_config_vault(config, key->vault_uri, &out->vault, error);
    if (status != GK_OK) {
        return status;
    }
    out->identity = gk_kv_config_identity(config, identity, &reason);
    if (out->identity == NULL) {
        if (error != NULL) {
            *error = reason;
        }
        return reason.status;
    }
    return out->dialect->check_key(key, error);
}
