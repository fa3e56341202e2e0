/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/transit/login.h"

#include <string.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "keyprovider/certificate_pair.h"
#include "keyprovider/transit/request.h"

void gk_transit_login_url(struct gk_buf *out, const struct gk_kv_identity *identity,
                          const char *vault_uri)
{
    gk_buf_append_str(out, vault_uri);
    gk_buf_append_str(out, "/v1/auth/");
    gk_buf_append_str(out, identity->auth_mount);
    gk_buf_append_str(out, "/login");
}

static enum gk_status append_proof(struct gk_buf *out, const char *name, const char *path,
                                   struct gk_error *error)
{
    char *proof = NULL;
    size_t len = 0;
    const enum gk_status status = gk_secret_file_read(path, &proof, &len, error);
    if (status == GK_OK) {
        gk_buf_append_str(out, name);
        gk_transit_append_json(out, gk_span_of(proof, len));
    }
    gk_secret_free(&proof);
    return status;
}

static enum gk_status check_certificate(const char *path, int64_t now_s, struct gk_error *error)
{
    struct gk_kv_certificate_pair pair;
    const enum gk_status status = gk_kv_certificate_pair_read(path, now_s, &pair, error);
    gk_kv_certificate_pair_cleanup(&pair);
    return status;
}

static void append_role(struct gk_buf *out, const char *name, const char *role)
{
    if (role[0] != '\0') {
        gk_buf_append_str(out, name);
        gk_transit_append_json(out, gk_span_str(role));
    }
}

enum gk_status gk_transit_login_body(struct gk_buf *out, const struct gk_kv_identity *identity,
                                     int64_t now_s, struct gk_error *error)
{
    enum gk_status status = GK_OK;
    gk_buf_append_str(out, "{");
    if (identity->source == GK_KV_SOURCE_APPROLE) {
        append_role(out, "\"role_id\":", identity->role);
        status = append_proof(out, ",\"secret_id\":", identity->secret_id_file, error);
    } else if (identity->source == GK_KV_SOURCE_JWT) {
        append_role(out, "\"role\":", identity->role);
        status = append_proof(out, ",\"jwt\":", identity->federated_token_file, error);
    } else {
        append_role(out, "\"name\":", identity->role);
        status = check_certificate(identity->client_certificate_file, now_s, error);
    }
    gk_buf_append_str(out, "}");
    if (status != GK_OK) {
        return status;
    }
    return gk_buf_status(out) == GK_OK
               ? GK_OK
               : gk_fail(error, GK_E_LIMIT, "the login request is too long");
}
