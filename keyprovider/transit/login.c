/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/transit/login.h"

#include <string.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "keyprovider/transit/request.h"

void gk_transit_login_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                          const char *vault_uri)
{
    gk_buf_append_str(out, vault_uri);
    gk_buf_append_str(out, "/v1/auth/");
    gk_buf_append_str(out, identity->auth_mount);
    gk_buf_append_str(out, "/login");
}

enum gk_status gk_transit_login_body(struct gk_buf *out, const struct gk_kv_identity *identity,
                                     struct gk_error *error)
{
    const bool approle = identity->source == GK_KV_SOURCE_APPROLE;
    char *proof = NULL;
    size_t len = 0;
    const enum gk_status status = gk_secret_file_read(
        approle ? identity->secret_id_file : identity->federated_token_file, &proof, &len, error);
    if (status != GK_OK) {
        return status;
    }
    gk_buf_append_str(out, approle ? "{\"role_id\":" : "{\"role\":");
    gk_transit_append_json(out, gk_span_str(identity->role));
    gk_buf_append_str(out, approle ? ",\"secret_id\":" : ",\"jwt\":");
    gk_transit_append_json(out, gk_span_of(proof, len));
    gk_buf_append_str(out, "}");
    gk_secret_free(&proof);
    return gk_buf_status(out) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_LIMIT, "the login request is too long");
}
